//! `try_flat_map`: each element becomes any number of others, or fails.

use std::sync::Arc;

use super::step::{Step, StepPush};
use crate::engine::{BoxError, Cx, Failure, Graph, Label, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Applies a closure that may fail to each element, and emits all that it returns: see
/// [`Flow::try_flat_map`](crate::Flow::try_flat_map).
///
/// - **Emits** every item of what the closure returns as `Ok`, at once and in order.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** nothing: an element that fails is a failure, which names this operator and its
///   place. The element itself went into the closure; an error that needs it can carry it. A
///   tracked element is done when all that came of it is; one that becomes nothing is done at once.
/// - **Panics** where the closure or the iterator does; that poisons the graph. The iterator is
///   asked under the graph's lock, so it must end and not block.
///
/// The closure fails before its first item or not at all. Items that may fail one by one are
/// [`try_map`](crate::Flow::try_map)'s: `.flat_map(f).try_map(|item| Ok(item?))`.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<&str>::new();
/// let numbers = source
///     .try_flat_map(|line| Ok(line.split(' ').map(str::parse).collect::<Result<Vec<i32>, _>>()?))
///     .sink_to_list();
/// source.emit("1 2")?;
/// let error = source.emit("3 four").unwrap_err();
/// assert!(matches!(&error, EmitError::Failed(failure) if failure.node() == "try_flat_map"));
/// source.emit("5")?;
/// assert_eq!(numbers.take(), [1, 2, 5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct TryFlatMap<R, F> {
    upstream: R,
    f: F,
    site: Site,
}

impl<R, F> TryFlatMap<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, f: F) -> Self {
        TryFlatMap {
            upstream,
            f,
            site: Site::new("try_flat_map"),
        }
    }
}

impl<R, F, I> Run for TryFlatMap<R, F>
where
    R: Run,
    F: FnMut(R::Item) -> Result<I, BoxError> + InGraph,
    I: IntoIterator<Item: InGraph>,
{
    type Item = I::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<I::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let step = TryFlatMapStep {
            f: self.f,
            label,
            limited: false,
        };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct TryFlatMapStep<F> {
    f: F,
    label: Arc<Label>,
    limited: bool,
}

impl<T, F, I> Step<T, I::Item> for TryFlatMapStep<F>
where
    F: FnMut(T) -> Result<I, BoxError> + InGraph,
    I: IntoIterator<Item: InGraph>,
{
    #[inline]
    fn limited(&mut self) -> Option<&mut bool> {
        Some(&mut self.limited)
    }

    #[inline]
    fn step<N: Push<I::Item>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        match (self.f)(item) {
            Ok(items) => items.into_iter().for_each(|item| next.push(item, cx)),
            Err(error) => self.fail_one(error, next, cx),
        }
    }

    #[inline]
    fn step_all<N: Push<I::Item>>(
        &mut self,
        items: &mut impl Iterator<Item = T>,
        next: &mut N,
        cx: &mut Cx,
    ) {
        while let Some(error) = items.find_map(|item| match (self.f)(item) {
            Ok(items) => {
                items.into_iter().for_each(|item| next.push(item, cx));
                None
            }
            Err(error) => Some(error),
        }) {
            self.fail_one(error, next, cx);
        }
    }
}

impl<F> TryFlatMapStep<F> {
    #[cold]
    #[inline(never)]
    fn fail_one<U>(&self, error: BoxError, next: &mut impl Push<U>, cx: &mut Cx) {
        next.signal(Signal::Fail(Failure::new(&self.label, error)), cx);
    }
}

impl<R, F> std::fmt::Debug for TryFlatMap<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TryFlatMap").finish_non_exhaustive()
    }
}
