//! `catch`: failures from above are handled.

use super::step::{Step, StepPush};
use crate::engine::{Cx, Failure, Graph, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Handles failures that come from above: see [`Flow::catch`](crate::Flow::catch).
///
/// - **Emits** each element unchanged, and, in the place of a failure, what the handler returns as
///   `Some`.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** failures that the handler returns `None` for. They count as handled: nobody reports
///   them, and the lineage of a tracked element goes on without fault. Their place stays empty, so
///   that a zip downstream drops the mate instead of shifting.
/// - **Panics** where the closure does; that poisons the graph.
///
/// It sees failures of the operators above it, up to the next `catch` and up to a fork: a fork
/// reports the failures that reach it, and passes on their empty places only. To put a failure
/// back, as if it had not been caught, is not possible; let the operator below fail instead.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<&str>::new();
/// let numbers = source
///     .try_map(|text| Ok(text.parse::<i32>()?))
///     .catch(|failure| {
///         println!("{failure}");
///         Some(-1)
///     })
///     .sink_to_list();
/// source.emit_all(["1", "two", "3"])?;
/// assert_eq!(numbers.take(), [1, -1, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Catch<R, F> {
    upstream: R,
    handler: F,
    site: Site,
}

impl<R, F> Catch<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, handler: F) -> Self {
        Catch {
            upstream,
            handler,
            site: Site::new("catch"),
        }
    }
}

impl<R, F> Run for Catch<R, F>
where
    R: Run,
    F: FnMut(Failure) -> Option<R::Item> + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = CatchStep(self.handler);
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct CatchStep<F>(F);

impl<T, F> Step<T, T> for CatchStep<F>
where
    F: FnMut(Failure) -> Option<T> + InGraph,
{
    #[inline]
    fn step<N: Push<T>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        next.push(item, cx);
    }

    #[cold]
    fn fail<N: Push<T>>(&mut self, failure: Failure, next: &mut N, cx: &mut Cx) {
        match (self.0)(failure) {
            Some(item) => next.push(item, cx),
            None => next.signal(Signal::Hole, cx),
        }
    }
}

impl<R, F> std::fmt::Debug for Catch<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catch").finish_non_exhaustive()
    }
}
