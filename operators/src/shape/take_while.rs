//! `take_while`: a flow ends with the first element that does not fit.

use super::cut::{self, Cut, Verdict};
use crate::engine::{Graph, Plan, Push, Site};
use crate::flow::{InGraph, Run};

/// Lets elements pass until one comes that the predicate does not hold for: see
/// [`Flow::take_while`](crate::Flow::take_while).
///
/// With its end the flow closes, and lets go of all that is in front of it, as
/// [`take`](crate::Take) does.
///
/// - **Emits** each element, at once, as long as the predicate holds.
/// - **Holds** nothing.
/// - **Waits** never. Of a batch that is under way the rest passes operators in front still.
/// - **On close** passes it on. It closes by itself with the first element that does not fit.
/// - **Drops** that element and what comes after. That is no loss: it is not counted, and a tracked
///   element that is dropped here, or held in front, is done. Failures pass until the end.
/// - **Panics** where the closure does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let small = graph.from_iter(1..).map(|n| n * n).take_while(|n| *n < 30).sink_to_list();
/// graph.run()?;
/// assert_eq!(small.take(), [1, 4, 9, 16, 25]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct TakeWhile<R, F> {
    upstream: R,
    predicate: F,
    site: Site,
}

impl<R, F> TakeWhile<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, predicate: F) -> Self {
        TakeWhile {
            upstream,
            predicate,
            site: Site::new("take_while"),
        }
    }
}

impl<R, F> Run for TakeWhile<R, F>
where
    R: Run,
    F: FnMut(&R::Item) -> bool + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        cut::build(self.upstream, self.site, While(self.predicate), next, plan);
    }
}

struct While<F>(F);

impl<T, F: FnMut(&T) -> bool + InGraph> Cut<T> for While<F> {
    #[inline]
    fn judge(&mut self, item: &T) -> Verdict {
        match (self.0)(item) {
            true => Verdict::Pass,
            false => Verdict::End,
        }
    }
}

impl<R, F> std::fmt::Debug for TakeWhile<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TakeWhile").finish_non_exhaustive()
    }
}
