//! Lanes: elements of one key go one after another, those of different keys side by side.

use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::HashMap;

use super::in_flight::Ticket;
use crate::InGraph;

/// Who waits behind whom. An element has its lane from [`enter`](Lanes::enter) on until
/// [`leave`](Lanes::leave).
pub(crate) trait Lanes<T>: Send {
    /// Hands the element back where it may go; where an earlier one of its key is under way, it
    /// waits here.
    fn enter(&mut self, item: T, ticket: Ticket<T>) -> Option<(T, Ticket<T>)>;

    /// The element under way in this lane is through: the next one may go, if there is one.
    fn leave(&mut self, lane: usize) -> Option<(T, Ticket<T>)>;

    /// How many wait.
    fn waiting(&self) -> usize;
}

/// A lane for each key of which an element is under way.
pub(crate) struct Keyed<T, K, F> {
    key: F,
    by_key: HashMap<K, usize>,
    lanes: Vec<Lane<T, K>>,
    free: Vec<usize>,
    waiting: usize,
}

struct Lane<T, K> {
    /// `None` while it is free.
    key: Option<K>,
    line: VecDeque<(T, Ticket<T>)>,
}

impl<T, K, F> Keyed<T, K, F> {
    pub(crate) fn new(key: F) -> Self {
        Keyed {
            key,
            by_key: HashMap::new(),
            lanes: Vec::new(),
            free: Vec::new(),
            waiting: 0,
        }
    }
}

impl<T, K, F> Lanes<T> for Keyed<T, K, F>
where
    T: InGraph,
    K: Hash + Eq + Clone + InGraph,
    F: FnMut(&T) -> K + InGraph,
{
    fn enter(&mut self, item: T, mut ticket: Ticket<T>) -> Option<(T, Ticket<T>)> {
        let key = (self.key)(&item);
        if let Some(lane) = self.by_key.get(&key) {
            self.lanes[*lane].line.push_back((item, ticket));
            self.waiting += 1;
            return None;
        }
        let lane = self.free.pop().unwrap_or(self.lanes.len());
        if lane == self.lanes.len() {
            self.lanes.push(Lane {
                key: None,
                line: VecDeque::new(),
            });
        }
        self.lanes[lane].key = Some(key.clone());
        self.by_key.insert(key, lane);
        ticket.place = lane;
        Some((item, ticket))
    }

    fn leave(&mut self, lane: usize) -> Option<(T, Ticket<T>)> {
        match self.lanes[lane].line.pop_front() {
            Some((item, mut ticket)) => {
                self.waiting -= 1;
                ticket.place = lane;
                Some((item, ticket))
            }
            None => {
                // A key is forgotten with its last element, and so is the room it took.
                self.lanes[lane].line = VecDeque::new();
                if let Some(key) = self.lanes[lane].key.take() {
                    self.by_key.remove(&key);
                }
                self.free.push(lane);
                None
            }
        }
    }

    fn waiting(&self) -> usize {
        self.waiting
    }
}
