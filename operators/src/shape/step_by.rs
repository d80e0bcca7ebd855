//! `step_by`: the first element and each n-th after it pass.

use super::cut::{self, Cut, Verdict};
use crate::engine::{Graph, Plan, Push, Site};
use crate::flow::Run;

/// Lets the first element pass, and each n-th after it: see [`Flow::step_by`](crate::Flow::step_by).
///
/// - **Emits** the first element, at once, and then each n-th.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** the others. That is no loss: it is not counted, and a tracked element that is dropped
///   here is done. Failures do not count as elements, and pass.
/// - **Panics** at construction if `n` is 0.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<i32>::new();
/// let some = source.step_by(3).sink_to_list();
/// source.emit_all(0..8)?;
/// assert_eq!(some.take(), [0, 3, 6]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct StepBy<R> {
    upstream: R,
    n: u64,
    site: Site,
}

impl<R> StepBy<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: u64) -> Self {
        assert!(
            n > 0,
            "`step_by(0)` would not get on: step by at least 1 element"
        );
        StepBy {
            upstream,
            n,
            site: Site::new("step_by"),
        }
    }
}

impl<R: Run> Run for StepBy<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        cut::build(
            self.upstream,
            self.site,
            Steps { n: self.n, wait: 0 },
            next,
            plan,
        );
    }
}

/// Also what [`slice`](super::slice) steps by.
pub(super) struct Steps {
    pub(super) n: u64,
    /// Elements that come before the next that passes.
    pub(super) wait: u64,
}

impl<T> Cut<T> for Steps {
    #[inline]
    fn judge(&mut self, _item: &T) -> Verdict {
        if self.wait == 0 {
            self.wait = self.n - 1;
            return Verdict::Pass;
        }
        self.wait -= 1;
        Verdict::Drop
    }
}

impl<R> std::fmt::Debug for StepBy<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StepBy")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}
