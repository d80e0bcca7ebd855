//! `filter_map`: each element becomes another, or nothing.

use super::step::{Step, StepPush};
use crate::engine::{Cx, Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Applies a closure to each element and keeps what it returns as `Some`: see
/// [`Flow::filter_map`](crate::Flow::filter_map).
///
/// - **Emits** one element, at once, for each element that the closure returns `Some` for.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** what the closure returns `None` for. That is no loss: it is not counted, and a
///   tracked element that is dropped here is done.
/// - **Panics** where the closure does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<&str>::new();
/// let numbers = source.filter_map(|text| text.parse::<i32>().ok()).sink_to_list();
/// source.emit_all(["1", "two", "3"])?;
/// assert_eq!(numbers.take(), [1, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct FilterMap<R, F> {
    upstream: R,
    f: F,
    site: Site,
}

impl<R, F> FilterMap<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, f: F) -> Self {
        FilterMap {
            upstream,
            f,
            site: Site::new("filter_map"),
        }
    }
}

impl<R, F, U> Run for FilterMap<R, F>
where
    R: Run,
    F: FnMut(R::Item) -> Option<U> + InGraph,
    U: InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = FilterMapStep(self.f);
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct FilterMapStep<F>(F);

impl<T, F, U> Step<T, U> for FilterMapStep<F>
where
    F: FnMut(T) -> Option<U> + InGraph,
{
    #[inline]
    fn step<N: Push<U>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        if let Some(item) = (self.0)(item) {
            next.push(item, cx);
        }
    }
}

impl<R, F> std::fmt::Debug for FilterMap<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FilterMap").finish_non_exhaustive()
    }
}
