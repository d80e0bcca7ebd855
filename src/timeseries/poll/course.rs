//! The course of a poll: which stretches of time it asks for, one after the other.

use tokio::time::Instant;

use super::range::Reach;
use crate::timeseries::Range;

/// The last millisecond that there is one after.
pub(super) const LAST: i64 = i64::MAX - 1;

/// What a poll asks for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) range: Range,
    pub(super) kind: Kind,
    /// Up to when everything was asked for once this is answered.
    pub(super) complete: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Live,
    Quiet,
}

/// The course of one poll.
#[derive(Debug)]
pub(super) struct Course {
    /// Up to when it asks.
    pub(super) to: i64,
    /// When it began: all that was stored before that is in its answers.
    pub(super) begun: Instant,
    /// What time it was at least, as points tell.
    pub(super) least: Option<i64>,
    pub(super) step: Step,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// From here on, chunk by chunk, nothing is left out.
    Through(i64),
    /// One chunk of the quiet stretch, which ends before this.
    Sweep(i64),
    /// Of the quiet stretch, which ends before the first, what is near the points' time: from the second up to the
    /// third.
    Near(i64, i64, i64),
    /// What comes after the quiet stretch, from here on; and where that began.
    Live(i64, i64),
    /// The quiet stretch from here on, if it must be, up to this.
    Quiet(i64, i64),
    Done,
}

impl Course {
    /// What to ask for next.
    pub(super) fn next(&mut self, reach: &mut Reach) -> Option<Ask> {
        let (range, kind, complete) = loop {
            match self.step {
                Step::Through(from) if from > self.to => self.step = Step::Done,
                Step::Through(from) => {
                    let range = reach.cut(from, self.to);
                    self.step = Step::Through(range.to + 1);
                    break (range, Kind::Live, Some(range.to));
                }
                Step::Sweep(live) => {
                    let range = reach.sweep(live);
                    self.step = match reach.near(self.least, live) {
                        Some(near) => Step::Near(live, near.from, near.to),
                        None => Step::Live(live, live),
                    };
                    break (range, Kind::Quiet, None);
                }
                Step::Near(live, from, to) if from > to => self.step = Step::Live(live, live),
                Step::Near(live, from, to) => {
                    let range = reach.cut(from, to);
                    self.step = Step::Near(live, range.to + 1, to);
                    break (range, Kind::Quiet, None);
                }
                Step::Live(from, live) if from > self.to => {
                    self.step = Step::Quiet(reach.asks_from(), live - 1);
                }
                Step::Live(from, live) => {
                    let range = reach.cut(from, self.to);
                    self.step = Step::Live(range.to + 1, live);
                    break (range, Kind::Live, None);
                }
                Step::Quiet(from, to) if from <= to && reach.lags() => {
                    let range = reach.cut(from, to);
                    self.step = Step::Quiet(range.to + 1, to);
                    let complete = (range.to == to).then_some(self.to);
                    break (range, Kind::Quiet, complete);
                }
                Step::Quiet(..) => self.step = Step::Done,
                Step::Done => return None,
            }
        };
        Some(Ask {
            range,
            kind,
            complete,
        })
    }
}
