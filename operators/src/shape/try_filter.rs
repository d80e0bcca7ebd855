//! `try_filter`: elements pass, go, or fail.

use std::sync::Arc;

use super::step::{Step, StepPush};
use crate::engine::{BoxError, Cx, Failure, Graph, Label, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Lets elements pass that satisfy a predicate which may fail: see
/// [`Flow::try_filter`](crate::Flow::try_filter).
///
/// - **Emits** each element that the predicate returns `Ok(true)` for, at once and unchanged.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** what it returns `Ok(false)` for, which is no loss. An element that fails is a
///   failure, which names this operator and its place and carries the element.
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
/// let positive = source.try_filter(|text| Ok(text.parse::<i32>()? > 0)).sink_to_list();
/// let error = source.emit_all(["1", "-1", "two", "3"]).unwrap_err();
/// let EmitError::Failed(failure) = error.cause else { panic!("{error}") };
/// assert_eq!(failure.take_element(), Some("two"));
/// assert_eq!(positive.take(), ["1", "3"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct TryFilter<R, F> {
    upstream: R,
    predicate: F,
    site: Site,
}

impl<R, F> TryFilter<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, predicate: F) -> Self {
        TryFilter {
            upstream,
            predicate,
            site: Site::new("try_filter"),
        }
    }
}

impl<R, F> Run for TryFilter<R, F>
where
    R: Run,
    F: FnMut(&R::Item) -> Result<bool, BoxError> + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let step = TryFilterStep {
            predicate: self.predicate,
            label,
        };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct TryFilterStep<F> {
    predicate: F,
    label: Arc<Label>,
}

impl<T, F> Step<T, T> for TryFilterStep<F>
where
    T: InGraph,
    F: FnMut(&T) -> Result<bool, BoxError> + InGraph,
{
    #[inline]
    fn step<N: Push<T>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        match (self.predicate)(&item) {
            Ok(true) => next.push(item, cx),
            Ok(false) => {}
            Err(error) => self.fail_one(error, item, next, cx),
        }
    }

    #[inline]
    fn step_all<N: Push<T>>(
        &mut self,
        items: &mut impl Iterator<Item = T>,
        next: &mut N,
        cx: &mut Cx,
    ) {
        while let Some((error, item)) = items.find_map(|item| match (self.predicate)(&item) {
            Ok(passes) => {
                if passes {
                    next.push(item, cx);
                }
                None
            }
            Err(error) => Some((error, item)),
        }) {
            self.fail_one(error, item, next, cx);
        }
    }
}

impl<F> TryFilterStep<F> {
    #[cold]
    #[inline(never)]
    fn fail_one<T: InGraph>(&self, error: BoxError, item: T, next: &mut impl Push<T>, cx: &mut Cx) {
        let failure = Failure::with_element(&self.label, error, item);
        next.signal(Signal::Fail(failure), cx);
    }
}

impl<R, F> std::fmt::Debug for TryFilter<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TryFilter").finish_non_exhaustive()
    }
}
