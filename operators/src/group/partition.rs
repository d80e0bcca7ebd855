//! `partition`: every n elements become one `Vec`.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use super::tokens::{Tokens, push_with};
use super::{PartitionAged, PartitionBy};
use crate::engine::{Cx, Graph, Label, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Makes a `Vec` of every n elements: see [`Flow::partition`](crate::Flow::partition).
///
/// A group that waits for its last element may wait long: [`max_age`](Partition::max_age) bounds
/// that. Elements that belong together may not be neighbours: [`by_key`](Partition::by_key) has a
/// group for each key.
///
/// - **Emits** a group with its n-th element.
/// - **Holds** up to n - 1 elements.
/// - **Waits** never.
/// - **On close** it emits the last, short group, if there is one.
/// - **Drops** nothing. A failure passes at once, ahead of the group that is open.
/// - **Panics** at construction if `n` is 0.
///
/// ```
/// use headwater_operators::prelude::*;
///
/// let source = Source::<i32>::new();
/// let pairs = source.partition(2).sink_to_list();
/// source.emit_all([1, 2, 3, 4, 5])?;
/// assert_eq!(pairs.take(), [[1, 2], [3, 4]]);
/// source.close();
/// assert_eq!(pairs.take(), [[5]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Partition<R> {
    upstream: R,
    n: usize,
    site: Site,
}

impl<R> Partition<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: usize) -> Self {
        assert!(
            n > 0,
            "`partition(0)` would make empty groups: let a group have at least 1 element"
        );
        Partition {
            upstream,
            n,
            site: Site::new("partition"),
        }
    }

    /// Emits a group that is still short when its first element is `age` old. See [`PartitionAged`].
    ///
    /// # Panics
    /// If `age` is zero.
    #[doc(alias = "timeout")]
    #[doc(alias = "buffer_time_or_count")]
    #[doc(alias = "chunks_timeout")]
    #[track_caller]
    pub fn max_age(self, age: Duration) -> PartitionAged<R> {
        PartitionAged::new(self.upstream, self.n, age, self.site)
    }

    /// A group for each key, which `key` reads from an element. See [`PartitionBy`].
    #[doc(alias = "group_by")]
    #[doc(alias = "key_by")]
    pub fn by_key<K, F>(self, key: F) -> PartitionBy<R, F>
    where
        R: Run,
        F: FnMut(&R::Item) -> K + InGraph,
        K: Hash + Eq + Clone + InGraph,
    {
        PartitionBy::new(self.upstream, self.n, None, key, self.site)
    }
}

impl<R: Run> Run for Partition<R> {
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Vec<R::Item>>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let push = PartitionPush {
            label,
            group: Group::new(self.n),
            passed: 0,
            next,
        };
        self.upstream.build(push, plan);
    }
}

/// The group that is open.
pub(super) struct Group<T> {
    n: usize,
    items: Vec<T>,
    tokens: Tokens,
}

/// Room that a group gets at once, at the most: a group "of everything" must not ask for it all.
const EAGER: usize = 1 << 12;

impl<T> Group<T> {
    pub(super) fn new(n: usize) -> Self {
        Group {
            n,
            items: Vec::new(),
            tokens: Tokens::default(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Takes one element in; returns whether the group is full.
    #[inline]
    pub(super) fn add(&mut self, item: T, cx: &Cx) -> bool {
        self.tokens.note(cx);
        if self.items.capacity() == 0 {
            self.items = Vec::with_capacity(self.n.min(EAGER));
        }
        self.items.push(item);
        self.items.len() >= self.n
    }

    /// Takes in as many as there is room for; returns whether the group is full.
    #[inline]
    pub(super) fn fill(&mut self, items: &mut std::vec::Drain<'_, T>, cx: &Cx) -> bool {
        self.tokens.note(cx);
        if self.items.capacity() == 0 {
            self.items = Vec::with_capacity(self.n.min(EAGER));
        }
        let room = self.n - self.items.len();
        self.items.extend(items.take(room));
        self.items.len() >= self.n
    }

    #[inline]
    pub(super) fn emit(&mut self, next: &mut impl Push<Vec<T>>, cx: &mut Cx) {
        let (group, token) = (std::mem::take(&mut self.items), self.tokens.take());
        push_with(next, group, token, cx);
    }
}

struct PartitionPush<T, N> {
    label: Arc<Label>,
    group: Group<T>,
    passed: u64,
    next: N,
}

impl<T: InGraph, N: Push<Vec<T>>> Push<T> for PartitionPush<T, N> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        if self.group.add(item, cx) {
            self.group.emit(&mut self.next, cx);
        }
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        let mut rest = items.drain(..);
        while rest.len() > 0 {
            if self.group.fill(&mut rest, cx) {
                self.group.emit(&mut self.next, cx);
            }
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // A group is no element: its place can't be empty.
            Signal::Hole => return,
            Signal::Close if self.group.len() > 0 => self.group.emit(&mut self.next, cx),
            Signal::Census => {
                let (passed, held) = (self.passed, self.group.len() as u64);
                let capacity = self.group.n as u64;
                cx.take_census(self.label.id(), |node| {
                    node.counts.passed = passed;
                    node.counts.held = held;
                    node.counts.capacity = capacity;
                    node.rests = true;
                });
            }
            _ => {}
        }
        self.next.signal(signal, cx);
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}

impl<R> std::fmt::Debug for Partition<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partition")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}
