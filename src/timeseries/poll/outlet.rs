//! Where points go that the stream does not emit.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::mpsc;

use super::stats::PollStats;
use crate::timeseries::{Point, PointValue};

/// A stream of the points that a [`MetricsStream`](super::MetricsStream) does not emit.
///
/// It holds as many as it was made for; what comes while it is full is counted
/// ([`PollStats::overflowed`](super::PollStats::overflowed)) and gone. It ends with the polling. What is put there
/// is not acknowledged: the next [`Cursor`](super::Cursor) knows it, taken out or not.
#[derive(Debug)]
pub struct Outlet<T> {
    receiver: mpsc::Receiver<T>,
}

impl<T> Outlet<T> {
    /// The next one that is there already.
    pub fn try_next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

impl<T> Stream for Outlet<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<T>> {
        self.receiver.poll_recv(task)
    }
}

/// A point with a value other than the one that was emitted for its series and time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revised {
    /// The point as it is now.
    pub point: Point,
    /// The value that it had; the least one where the store had several.
    pub before: PointValue,
}

/// `speed{machine=a} 21 @ 1700000000000, 20 before`
impl fmt::Display for Revised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} before", self.point, self.before)
    }
}

/// The polling side of an outlet, if somebody made one.
#[derive(Debug)]
pub(super) struct Mouth<T>(Option<mpsc::Sender<T>>);

impl<T> Default for Mouth<T> {
    fn default() -> Mouth<T> {
        Mouth(None)
    }
}

impl<T> Mouth<T> {
    pub(super) fn open(&mut self, capacity: usize) -> Outlet<T> {
        let (sender, receiver) = mpsc::channel(capacity);
        self.0 = Some(sender);
        Outlet { receiver }
    }

    /// Returns how many were lost: one where the outlet is full.
    fn give(&self, item: T) -> u64 {
        match &self.0 {
            Some(sender) => match sender.try_send(item) {
                Err(mpsc::error::TrySendError::Full(_)) => 1,
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => 0,
            },
            None => 0,
        }
    }
}

/// What goes to an outlet, and not into the stream.
pub(super) enum Aside {
    Revised(Revised),
    TooLate(Point),
    Overdue(Point),
}

/// The outlets of a stream.
#[derive(Debug, Default)]
pub(super) struct Outlets {
    pub(super) revised: Mouth<Revised>,
    pub(super) too_late: Mouth<Point>,
    pub(super) overdue: Mouth<Point>,
}

/// How many went where, whether somebody made an outlet or not.
#[derive(Debug, Default)]
pub(super) struct Given {
    revised: u64,
    too_late: u64,
    overdue: u64,
    overflowed: u64,
}

impl Outlets {
    /// To be called under no lock: it wakes who waits for the outlets, which is the user's code.
    pub(super) fn give(&self, items: Vec<Aside>) -> Given {
        let mut given = Given::default();
        for item in items {
            given.overflowed += match item {
                Aside::Revised(item) => {
                    given.revised += 1;
                    self.revised.give(item)
                }
                Aside::TooLate(point) => {
                    given.too_late += 1;
                    self.too_late.give(point)
                }
                Aside::Overdue(point) => {
                    given.overdue += 1;
                    self.overdue.give(point)
                }
            };
        }
        given
    }
}

impl Given {
    pub(super) fn count(&self, stats: &mut PollStats) {
        stats.revised += self.revised;
        stats.too_late += self.too_late;
        stats.overdue += self.overdue;
        stats.overflowed += self.overflowed;
    }
}
