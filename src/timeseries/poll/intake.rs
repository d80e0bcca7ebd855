//! What an answer comes to: what goes into the stream, what waits for others, and what goes aside.

use super::order::Held;
use super::outlet::{Aside, Revised};
use super::pending::Pending;
use super::series::Found;
use super::stats::PollStats;
use super::stream::{Batch, Polled};

/// The points of one answer, sorted by where they go.
#[derive(Default)]
pub(super) struct Intake {
    /// Into the stream, in the order of time.
    pub(super) batch: Batch,
    /// To the outlets.
    pub(super) aside: Vec<Aside>,
    /// How many points the answer has.
    pub(super) received: u64,
    /// How many of them were known.
    pub(super) repeated: u64,
    /// How many of them nobody had asked for.
    pub(super) unasked: u64,
    /// How many of those that wait for others came late.
    pub(super) late_held: u64,
}

impl Intake {
    /// Sorts what was not known, each with the place of its series. What the stream is to emit is pending from now on,
    /// until it is acknowledged; it waits in `held` where there is an order to bring it in.
    pub(super) fn sort(
        &mut self,
        found: Vec<(usize, Found)>,
        held: &mut Option<Held>,
        pending: &mut Pending,
    ) {
        for (place, new) in found {
            match new {
                Found::Revised { point, before } => {
                    self.aside.push(Aside::Revised(Revised { point, before }));
                }
                Found::TooLate { point } => self.aside.push(Aside::TooLate(point)),
                Found::New { point, late } => match held {
                    Some(held) if held.is_overdue(point.millis()) => {
                        self.aside.push(Aside::Overdue(point));
                    }
                    Some(held) => {
                        self.late_held += u64::from(late);
                        let id = pending.open(place, point.millis());
                        held.put(id, Polled::new(point, false));
                    }
                    None => {
                        let id = pending.open(place, point.millis());
                        self.batch.push((id, Polled::new(point, late)));
                    }
                },
            }
        }
        // Stable: the series' order is one of time, too.
        self.batch
            .sort_by_key(|(_, polled)| polled.point().millis());
    }

    /// What is sorted is counted where it goes, but for those that came late and wait.
    pub(super) fn count(&self, stats: &mut PollStats) {
        stats.received += self.received;
        stats.repeated += self.repeated;
        stats.unasked += self.unasked;
        stats.late += self.late_held;
    }
}
