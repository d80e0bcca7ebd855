//! `try_map`: each element becomes another, or fails.

use std::sync::Arc;

use super::step::{Step, StepPush};
use crate::engine::{BoxError, Cx, Failure, Graph, Label, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Applies a closure that may fail to each element: see [`Flow::try_map`](crate::Flow::try_map).
///
/// - **Emits** one element, at once, for each element that the closure returns `Ok` for.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** nothing: an element that fails is a failure, which names this operator and its
///   place. The element itself went into the closure; an error that needs it can carry it.
/// - **Panics** where the closure does; that poisons the graph.
///
/// An element whose closure returns an error is a [`Failure`](crate::Failure) from here on: it
/// travels down, in the element's place, to the nearest [`catch`](crate::Flow::catch) or
/// [`split_errors`](crate::Flow::split_errors), or is reported at the next fork or end. The others
/// go on.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<&str>::new();
/// let numbers = source.try_map(|text| Ok(text.parse::<i32>()?)).sink_to_list();
/// source.emit("1")?;
/// let error = source.emit("two").unwrap_err();
/// assert!(matches!(&error, EmitError::Failed(failure) if failure.node() == "try_map"));
/// source.emit("3")?;
/// assert_eq!(numbers.take(), [1, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct TryMap<R, F> {
    upstream: R,
    f: F,
    site: Site,
}

impl<R, F> TryMap<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, f: F) -> Self {
        TryMap {
            upstream,
            f,
            site: Site::new("try_map"),
        }
    }
}

impl<R, F, U> Run for TryMap<R, F>
where
    R: Run,
    F: FnMut(R::Item) -> Result<U, BoxError> + InGraph,
    U: InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let step = TryMapStep { f: self.f, label };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct TryMapStep<F> {
    f: F,
    label: Arc<Label>,
}

impl<T, F, U> Step<T, U> for TryMapStep<F>
where
    F: FnMut(T) -> Result<U, BoxError> + InGraph,
{
    #[inline]
    fn step<N: Push<U>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        match (self.f)(item) {
            Ok(item) => next.push(item, cx),
            Err(error) => self.fail_one(error, next, cx),
        }
    }

    #[inline]
    fn step_all<N: Push<U>>(
        &mut self,
        items: &mut impl Iterator<Item = T>,
        next: &mut N,
        cx: &mut Cx,
    ) {
        while let Some(error) = items.find_map(|item| match (self.f)(item) {
            Ok(item) => {
                next.push(item, cx);
                None
            }
            Err(error) => Some(error),
        }) {
            self.fail_one(error, next, cx);
        }
    }
}

impl<F> TryMapStep<F> {
    #[cold]
    #[inline(never)]
    fn fail_one<U>(&self, error: BoxError, next: &mut impl Push<U>, cx: &mut Cx) {
        next.signal(Signal::Fail(Failure::new(&self.label, error)), cx);
    }
}

impl<R, F> std::fmt::Debug for TryMap<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TryMap").finish_non_exhaustive()
    }
}
