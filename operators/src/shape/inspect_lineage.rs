//! `inspect_lineage`: a closure looks at each element and at what rides beside it.

use super::step::{Step, StepPush};
use crate::engine::{Cx, Graph, Lineage, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Shows each element and its lineage to a closure: see
/// [`Flow::inspect_lineage`](crate::Flow::inspect_lineage).
///
/// - **Emits** each element, unchanged, after the closure saw it and the [`Lineage`] beside it: the
///   metadata that came in with it by [`emit_with`](crate::Source::emit_with), or with all the
///   elements that it was made of.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** nothing.
/// - **Panics** where the closure does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::zip;
///
/// let graph = Graph::new();
/// let (left, right) = (graph.source::<i32>(), graph.source::<i32>());
/// let sums = zip((&left, &right))
///     .map(|(a, b)| a + b)
///     .inspect_lineage(|sum, lineage| {
///         assert_eq!(*sum, 3);
///         assert_eq!(lineage.all::<&str>(), [&"from the left", &"from the right"]);
///     })
///     .sink_to_list();
/// left.emit_with(1, "from the left")?;
/// right.emit_with(2, "from the right")?;
/// assert_eq!(sums.take(), [3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct InspectLineage<R, F> {
    upstream: R,
    f: F,
    site: Site,
}

impl<R, F> InspectLineage<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, f: F) -> Self {
        InspectLineage {
            upstream,
            f,
            site: Site::new("inspect_lineage"),
        }
    }
}

impl<R, F> Run for InspectLineage<R, F>
where
    R: Run,
    F: FnMut(&R::Item, Lineage<'_>) + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = InspectLineageStep(self.f);
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct InspectLineageStep<F>(F);

impl<T, F> Step<T, T> for InspectLineageStep<F>
where
    F: FnMut(&T, Lineage<'_>) + InGraph,
{
    #[inline]
    fn step<N: Push<T>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        (self.0)(&item, Lineage::of(&cx.token));
        next.push(item, cx);
    }
}

impl<R, F> std::fmt::Debug for InspectLineage<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InspectLineage").finish_non_exhaustive()
    }
}
