//! `skip`: a flow begins after its n-th element.

use super::cut::{self, Cut, Verdict};
use crate::engine::{Graph, Plan, Push, Site};
use crate::flow::Run;

/// Takes the first n elements out: see [`Flow::skip`](crate::Flow::skip).
///
/// - **Emits** each element after the first n, at once.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** the first n elements. That is no loss: it is not counted, and a tracked element that is
///   dropped here is done. Failures do not count as elements, and pass.
/// - **Panics** never.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<&str>::new();
/// let rows = source.skip(1).sink_to_list();
/// source.emit_all(["name,age", "ada,36", "alan,41"])?;
/// assert_eq!(rows.take(), ["ada,36", "alan,41"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Skip<R> {
    upstream: R,
    n: u64,
    site: Site,
}

impl<R> Skip<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: u64) -> Self {
        Skip {
            upstream,
            n,
            site: Site::new("skip"),
        }
    }
}

impl<R: Run> Run for Skip<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        cut::build(self.upstream, self.site, ToSkip(self.n), next, plan);
    }
}

struct ToSkip(u64);

impl<T> Cut<T> for ToSkip {
    #[inline]
    fn judge(&mut self, _item: &T) -> Verdict {
        if self.0 == 0 {
            return Verdict::Pass;
        }
        self.0 -= 1;
        Verdict::Drop
    }

    fn judge_all(&mut self, items: &mut Vec<T>) -> bool {
        if self.0 > 0 {
            let skipped = items
                .len()
                .min(usize::try_from(self.0).unwrap_or(usize::MAX));
            items.drain(..skipped);
            self.0 -= skipped as u64;
        }
        false
    }
}

impl<R> std::fmt::Debug for Skip<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Skip")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}
