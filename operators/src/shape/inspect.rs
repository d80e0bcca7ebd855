//! `inspect`: a closure looks at each element.

use super::step::{Step, StepPush};
use crate::engine::{Cx, Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Shows each element to a closure: see [`Flow::inspect`](crate::Flow::inspect).
///
/// - **Emits** each element, unchanged, after the closure saw it.
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
/// let source = Source::<i32>::new();
/// let list = source
///     .inspect(|x| println!("before: {x}"))
///     .map(|x| x + 1)
///     .inspect(|x| println!("after: {x}"))
///     .sink_to_list();
/// source.emit(1)?;
/// assert_eq!(list.take(), [2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Inspect<R, F> {
    upstream: R,
    f: F,
    site: Site,
}

impl<R, F> Inspect<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, f: F) -> Self {
        Inspect {
            upstream,
            f,
            site: Site::new("inspect"),
        }
    }
}

impl<R, F> Run for Inspect<R, F>
where
    R: Run,
    F: FnMut(&R::Item) + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = InspectStep(self.f);
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct InspectStep<F>(F);

impl<T, F> Step<T, T> for InspectStep<F>
where
    F: FnMut(&T) + InGraph,
{
    #[inline]
    fn step<N: Push<T>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        (self.0)(&item);
        next.push(item, cx);
    }
}

impl<R, F> std::fmt::Debug for Inspect<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspect").finish_non_exhaustive()
    }
}
