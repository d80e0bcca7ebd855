//! Naps: elements whose attempt failed, until it is time for the next one.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::clock::{Alarm, Time};
use super::context::Cx;
use super::error::BoxError;
use super::in_flight::Ticket;
use super::retry::Again;
use super::topology::NodeId;

/// Those between two attempts.
pub(super) struct Naps<T> {
    /// `None` where nothing is tried again.
    again: Option<Again<T>>,
    heap: BinaryHeap<Nap<T>>,
    begun: u64,
    alarm: Alarm,
}

/// Those of one moment wake in the order in which they failed.
struct Nap<T> {
    until: (Time, u64),
    ticket: Ticket<T>,
}

impl<T> Naps<T> {
    pub(super) fn new(again: Option<Again<T>>) -> Naps<T> {
        Naps {
            again,
            heap: BinaryHeap::new(),
            begun: 0,
            alarm: Alarm::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// A copy of an element that may have to be tried again.
    pub(super) fn spare(&self, item: &T) -> Option<T> {
        self.again.as_ref().map(|again| again.copy(item))
    }

    /// Keeps the ticket until the time of the next attempt. Hands it back where there is none.
    pub(super) fn keep(
        &mut self,
        ticket: Ticket<T>,
        error: &BoxError,
        cx: &mut Cx,
    ) -> Option<Ticket<T>> {
        let again = self.again.as_mut().filter(|_| !cx.is_stopped());
        let Some(delay) = again.and_then(|again| again.after(ticket.attempts, &**error)) else {
            return Some(ticket);
        };
        self.begun += 1;
        let until = (cx.now() + delay, self.begun);
        self.heap.push(Nap { until, ticket });
        None
    }

    /// Whether it is time to try one again.
    pub(super) fn is_rested(&self, cx: &mut Cx) -> bool {
        let first = self.heap.peek();
        first.is_some_and(|nap| nap.until.0 <= cx.now())
    }

    /// The first one, to be tried again.
    pub(super) fn wake(&mut self) -> Option<(T, Ticket<T>)> {
        let ticket = self.heap.pop()?.ticket;
        let item = self.spare(ticket.spare.as_ref()?)?;
        Some((item, ticket))
    }

    /// Has the node called when the first one has rested.
    pub(super) fn set_alarm(&mut self, node: NodeId, cx: &mut Cx) {
        if let Some(nap) = self.heap.peek()
            && nap.until.0 > cx.now()
        {
            self.alarm.set(node, nap.until.0, cx);
        }
    }

    /// To be called first in `tick`.
    pub(super) fn rang(&mut self, cx: &mut Cx) {
        self.alarm.rang(cx.now());
    }
}

impl<T> PartialEq for Nap<T> {
    fn eq(&self, other: &Self) -> bool {
        self.until == other.until
    }
}

impl<T> Eq for Nap<T> {}

impl<T> PartialOrd for Nap<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Nap<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        // The earliest is the greatest: it stands on top of the heap.
        other.until.cmp(&self.until)
    }
}
