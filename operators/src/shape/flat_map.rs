//! `flat_map`: each element becomes any number of others.

use super::step::{Step, StepPush};
use crate::engine::{Cx, Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Applies a closure to each element and emits all that it returns: see
/// [`Flow::flat_map`](crate::Flow::flat_map).
///
/// - **Emits** every item of what the closure returns, at once and in order.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** nothing. A tracked element is done when all that came of it is; one that becomes
///   nothing is done at once.
/// - **Panics** where the closure or the iterator does; that poisons the graph. The iterator is
///   asked under the graph's lock, so it must end and not block.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<u32>::new();
/// let ranges = source.flat_map(|n| 0..n).sink_to_list();
/// source.emit_all([2, 0, 3])?;
/// assert_eq!(ranges.take(), [0, 1, 0, 1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct FlatMap<R, F> {
    upstream: R,
    f: F,
    site: Site,
}

impl<R, F> FlatMap<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, f: F) -> Self {
        FlatMap {
            upstream,
            f,
            site: Site::new("flat_map"),
        }
    }
}

impl<R, F, I> Run for FlatMap<R, F>
where
    R: Run,
    F: FnMut(R::Item) -> I + InGraph,
    I: IntoIterator<Item: InGraph>,
{
    type Item = I::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<I::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = FlatMapStep {
            f: self.f,
            limited: false,
        };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct FlatMapStep<F> {
    f: F,
    limited: bool,
}

impl<T, F, I> Step<T, I::Item> for FlatMapStep<F>
where
    F: FnMut(T) -> I + InGraph,
    I: IntoIterator<Item: InGraph>,
{
    #[inline]
    fn limited(&mut self) -> Option<&mut bool> {
        Some(&mut self.limited)
    }

    #[inline]
    fn step<N: Push<I::Item>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        (self.f)(item)
            .into_iter()
            .for_each(|item| next.push(item, cx));
    }
}

impl<R, F> std::fmt::Debug for FlatMap<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlatMap").finish_non_exhaustive()
    }
}
