//! In which order points are emitted.

use std::collections::BTreeMap;
use std::time::Duration;

use super::stream::Polled;

/// In which order points are emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// At once: the points that a request brings in the order of time, late ones flagged
    /// ([`Polled::is_late`]).
    #[default]
    AsSeen,
    /// In the order of time, over all series. A point waits until it is this old; those that come
    /// later than that are overdue, and go to [an outlet](super::Polling::overdue).
    ///
    /// How old a point is tell the points themselves: the newest one is of now, and from then on time
    /// runs on steadily. So no jump of any clock makes points overdue, and the last ones before a
    /// silence do not wait for the next. Points that settle are emitted when a poll has been answered.
    Settled(Duration),
}

/// Points that wait until they are settled.
#[derive(Debug)]
pub(super) struct Held {
    hold: i64,
    points: BTreeMap<(i64, u64), Polled>,
    /// Up to this time everything is settled.
    settled: i64,
}

impl Held {
    pub(super) fn new(hold: i64) -> Held {
        Held {
            hold,
            points: BTreeMap::new(),
            settled: i64::MIN,
        }
    }

    /// Whether later times have settled.
    pub(super) fn is_overdue(&self, millis: i64) -> bool {
        millis <= self.settled
    }

    pub(super) fn put(&mut self, id: u64, polled: Polled) {
        self.points.insert((polled.point().millis(), id), polled);
    }

    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// Everything up to `complete` was asked for, and it is `now`: what has settled.
    pub(super) fn settle(&mut self, complete: i64, now: i64) -> Vec<(u64, Polled)> {
        self.settled = self
            .settled
            .max(complete.min(now.saturating_sub(self.hold)));
        match self.settled.checked_add(1) {
            Some(first) => {
                let rest = self.points.split_off(&(first, 0));
                numbered(std::mem::replace(&mut self.points, rest))
            }
            None => self.all(),
        }
    }

    /// What is held, settled or not.
    pub(super) fn all(&mut self) -> Vec<(u64, Polled)> {
        numbered(std::mem::take(&mut self.points))
    }
}

fn numbered(points: BTreeMap<(i64, u64), Polled>) -> Vec<(u64, Polled)> {
    let points = points.into_iter();
    points.map(|((_, id), polled)| (id, polled)).collect()
}
