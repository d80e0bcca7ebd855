//! `skip_while`: a flow begins with the first element that does not fit.

use super::cut::{self, Cut, Verdict};
use crate::engine::{Graph, Plan, Push, Site};
use crate::flow::{InGraph, Run};

/// Takes elements out until one comes that the predicate does not hold for: see
/// [`Flow::skip_while`](crate::Flow::skip_while).
///
/// - **Emits** that element and each after it, at once. The predicate is not asked again.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** the elements before. That is no loss: it is not counted, and a tracked element that is
///   dropped here is done. Failures pass.
/// - **Panics** where the closure does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<f64>::new();
/// let warm = source.skip_while(|degrees| *degrees < 40.0).sink_to_list();
/// source.emit_all([21.0, 35.0, 41.0, 39.5])?;
/// assert_eq!(warm.take(), [41.0, 39.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct SkipWhile<R, F> {
    upstream: R,
    predicate: F,
    site: Site,
}

impl<R, F> SkipWhile<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, predicate: F) -> Self {
        SkipWhile {
            upstream,
            predicate,
            site: Site::new("skip_while"),
        }
    }
}

impl<R, F> Run for SkipWhile<R, F>
where
    R: Run,
    F: FnMut(&R::Item) -> bool + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        cut::build(
            self.upstream,
            self.site,
            SkipUntil {
                predicate: self.predicate,
                begun: false,
            },
            next,
            plan,
        );
    }
}

struct SkipUntil<F> {
    predicate: F,
    begun: bool,
}

impl<T, F: FnMut(&T) -> bool + InGraph> Cut<T> for SkipUntil<F> {
    #[inline]
    fn judge(&mut self, item: &T) -> Verdict {
        self.begun = self.begun || !(self.predicate)(item);
        match self.begun {
            true => Verdict::Pass,
            false => Verdict::Drop,
        }
    }

    fn judge_all(&mut self, items: &mut Vec<T>) -> bool {
        if !self.begun {
            let begin = items.iter().position(|item| !(self.predicate)(item));
            self.begun = begin.is_some();
            items.drain(..begin.unwrap_or(items.len()));
        }
        false
    }
}

impl<R, F> std::fmt::Debug for SkipWhile<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SkipWhile").finish_non_exhaustive()
    }
}
