//! Naps: elements whose attempt failed, until it is time for the next one.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::clock::Time;
use super::context::Cx;
use super::error::BoxError;
use super::handover::Handover;
use super::in_flight::Ticket;
use super::retry::Again;
use super::timers::Alarm;
use super::topology::NodeId;

/// Those between two attempts.
pub(super) struct Naps<T> {
    /// `None` where nothing is tried again.
    again: Option<Again<T>>,
    /// Where a policy may come from later.
    later: Option<Handover<Again<T>>>,
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
    pub(super) fn new(again: Option<Again<T>>, later: Option<Handover<Again<T>>>) -> Naps<T> {
        Naps {
            again,
            later,
            heap: BinaryHeap::new(),
            begun: 0,
            alarm: Alarm::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// How many attempts were made again, or are to be.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// The policy in force.
    #[inline]
    pub(super) fn again(&self) -> Option<&Again<T>> {
        self.again.as_ref()
    }

    /// Takes a policy that has come meanwhile.
    #[inline]
    pub(super) fn look(&mut self) {
        if let Some(again) = self.later.as_ref().and_then(Handover::take) {
            self.again = Some(again);
        }
    }

    /// Keeps the ticket until the time of the next attempt. Hands it back where there is none.
    #[cold]
    pub(super) fn keep(
        &mut self,
        ticket: Ticket<T>,
        error: &BoxError,
        cx: &mut Cx,
    ) -> Option<Ticket<T>> {
        let Some(delay) = self.delay(&ticket, error).filter(|_| !cx.is_stopped()) else {
            return Some(ticket);
        };
        self.begun += 1;
        let until = (cx.now() + delay, self.begun);
        self.heap.push(Nap { until, ticket });
        None
    }

    /// How long it is to rest; `None` where it was tried for the last time.
    fn delay(&mut self, ticket: &Ticket<T>, error: &BoxError) -> Option<Duration> {
        let attempts = ticket.spare.as_ref()?.attempts;
        self.again.as_mut()?.after(attempts, &**error)
    }

    /// Whether it is time to try one again.
    #[inline]
    pub(super) fn is_rested(&self, cx: &mut Cx) -> bool {
        let first = self.heap.peek();
        first.is_some_and(|nap| nap.until.0 <= cx.now())
    }

    /// The ticket of the first one, if it is time to try it again.
    #[inline]
    pub(super) fn wake(&mut self, cx: &mut Cx) -> Option<Ticket<T>> {
        match self.is_rested(cx) {
            true => self.wake_first(),
            false => None,
        }
    }

    #[cold]
    fn wake_first(&mut self) -> Option<Ticket<T>> {
        let mut ticket = self.heap.pop()?.ticket;
        if let Some(spare) = &mut ticket.spare {
            spare.attempts += 1;
        }
        Some(ticket)
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
