//! `map_with_lineage`: a closure makes something of each element and of what rides beside it.

use super::step::{Step, StepPush};
use crate::engine::{Cx, Graph, Lineage, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Makes something of each element and its lineage: see
/// [`Flow::map_with_lineage`](crate::Flow::map_with_lineage).
///
/// - **Emits** what the closure makes of each element and of the [`Lineage`] beside it: the metadata
///   that came in with it by [`emit_with`](crate::Source::emit_with), or with all the elements that it
///   was made of. It rides on beside what is emitted.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** nothing.
/// - **Panics** where the closure does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<&str>::new();
/// let lines = source
///     .map(str::to_uppercase)
///     .map_with_lineage(|text, lineage| match lineage.first::<u32>() {
///         Some(number) => format!("{number}: {text}"),
///         None => text,
///     })
///     .sink_to_list();
/// source.emit_with("one", 1_u32)?;
/// source.emit("two")?;
/// assert_eq!(lines.take(), ["1: ONE", "TWO"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct MapWithLineage<R, F> {
    upstream: R,
    f: F,
    site: Site,
}

impl<R, F> MapWithLineage<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, f: F) -> Self {
        MapWithLineage {
            upstream,
            f,
            site: Site::new("map_with_lineage"),
        }
    }
}

impl<R, F, U> Run for MapWithLineage<R, F>
where
    R: Run,
    U: InGraph,
    F: FnMut(R::Item, Lineage<'_>) -> U + InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = MapWithLineageStep(self.f);
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct MapWithLineageStep<F>(F);

impl<T, U, F> Step<T, U> for MapWithLineageStep<F>
where
    F: FnMut(T, Lineage<'_>) -> U + InGraph,
{
    #[inline]
    fn step<N: Push<U>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        let made = (self.0)(item, Lineage::of(&cx.token));
        next.push(made, cx);
    }
}

impl<R, F> std::fmt::Debug for MapWithLineage<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MapWithLineage").finish_non_exhaustive()
    }
}
