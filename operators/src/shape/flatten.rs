//! `flatten`: elements that hold several are taken apart.

use super::step::{Step, StepPush};
use crate::engine::{Cx, Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Emits the items of each element: see [`Flow::flatten`](crate::Flow::flatten).
///
/// - **Emits** every item of an element, at once and in order: one level, of anything that is
///   `IntoIterator`.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** nothing. A tracked element is done when all its items are; an empty one is done at
///   once.
/// - **Panics** where the iterator does; that poisons the graph. It is asked under the graph's lock,
///   so it must end and not block.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<Vec<i32>>::new();
/// let flat = source.flatten().sink_to_list();
/// source.emit_all([vec![1, 2, 3], vec![], vec![4]])?;
/// assert_eq!(flat.take(), [1, 2, 3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Flatten<R> {
    upstream: R,
    site: Site,
}

impl<R> Flatten<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R) -> Self {
        Flatten {
            upstream,
            site: Site::new("flatten"),
        }
    }
}

impl<R, U> Run for Flatten<R>
where
    R: Run<Item: IntoIterator<Item = U>>,
    U: InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        self.upstream
            .build(StepPush::new(FlattenStep::default(), next), plan);
    }
}

#[derive(Default)]
struct FlattenStep {
    limited: bool,
}

impl<T: IntoIterator> Step<T, T::Item> for FlattenStep {
    #[inline]
    fn limited(&mut self) -> Option<&mut bool> {
        Some(&mut self.limited)
    }

    #[inline]
    fn step<N: Push<T::Item>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        item.into_iter().for_each(|item| next.push(item, cx));
    }
}

impl<R> std::fmt::Debug for Flatten<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flatten").finish_non_exhaustive()
    }
}
