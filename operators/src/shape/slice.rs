//! `slice`: the elements in a range of positions pass.

use std::ops::{Bound, RangeBounds};

use super::cut::{self, Cut, Verdict};
use super::step_by::Steps;
use crate::engine::{Graph, Plan, Push, Site};
use crate::flow::Run;

/// Lets the elements pass whose positions, counted from 0, are in a range: see
/// [`Flow::slice`](crate::Flow::slice).
///
/// With the last position of the range the flow closes, and lets go of all that is in front of it, as
/// [`take`](crate::Take) does.
///
/// - **Emits** each element in the range, at once; with [`step`](Slice::step) the first of them, and
///   then each n-th.
/// - **Holds** nothing.
/// - **Waits** never. Batches, iterators and streams are cut to what is left, so that operators in
///   front see nothing beyond the range, unless they make several of one.
/// - **On close** passes it on. It closes by itself with the last position of the range, whether the
///   element there passes or not; where the range is empty at once, when it is connected.
/// - **Drops** the others. That is no loss: it is not counted, and a tracked element that is dropped
///   here, or held in front, is done. Failures have no position, and pass until the end.
/// - **Panics** never; [`step`](Slice::step) at construction if it is given 0.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<i32>::new();
/// let middle = source.slice(2..6).sink_to_list();
/// let steps = source.slice(2..10).step(3).sink_to_list();
/// let same = source.slice(2..10).step_by(3).sink_to_list();
/// source.emit_all(0..20)?;
/// assert_eq!(middle.take(), [2, 3, 4, 5]);
/// assert_eq!(steps.take(), [2, 5, 8]);
/// assert_eq!(same.take(), [2, 5, 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Slice<R> {
    upstream: R,
    start: u64,
    /// The first position that is beyond.
    end: Option<u64>,
    step: u64,
    site: Site,
}

impl<R> Slice<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, range: &impl RangeBounds<u64>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            // No flow comes to a position beyond the last.
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.checked_add(1),
            Bound::Excluded(end) => Some(*end),
            Bound::Unbounded => None,
        };
        Slice {
            upstream,
            start,
            end,
            step: 1,
            site: Site::new("slice"),
        }
    }

    /// Of the elements in the range only the first passes, and each n-th after it.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    pub fn step(mut self, n: u64) -> Self {
        assert!(
            n > 0,
            "`step(0)` would not get on: step by at least 1 element"
        );
        self.step = n;
        self
    }
}

impl<R: Run> Run for Slice<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let cut = Positions {
            // Where nothing is in the range there is nothing to skip.
            left: self.end.map(|end| if end > self.start { end } else { 0 }),
            steps: Steps {
                n: self.step,
                wait: self.start,
            },
        };
        cut::build(self.upstream, self.site, cut, next, plan);
    }
}

struct Positions {
    /// Elements until the end, those to be skipped among them.
    left: Option<u64>,
    steps: Steps,
}

impl<T> Cut<T> for Positions {
    #[inline]
    fn judge(&mut self, item: &T) -> Verdict {
        let verdict = self.steps.judge(item);
        if let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                return match verdict {
                    Verdict::Pass => Verdict::Last,
                    _ => Verdict::End,
                };
            }
        }
        verdict
    }

    fn left(&self) -> Option<u64> {
        self.left
    }
}

impl<R> std::fmt::Debug for Slice<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slice")
            .field("start", &self.start)
            .field("end", &self.end)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
