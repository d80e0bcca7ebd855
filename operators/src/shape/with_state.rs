//! `map_with_state(…).with_state()`: each result, and the state after it.

use super::step::{Step, StepPush};
use crate::engine::{Cx, Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Applies a closure with a state to each element, and shows the state: see
/// [`MapWithState::with_state`](crate::MapWithState::with_state).
///
/// - **Emits** `(state, result)` for each element, at once: the state is a clone of it as it is after
///   the element.
/// - **Holds** the state; no elements.
/// - **Waits** never.
/// - **On close** passes it on; the state goes.
/// - **Drops** nothing.
/// - **Panics** where the closure, or the state's `Clone`, does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<f64>::new();
/// let shares = source
///     .map_with_state(0.0, |total, x| {
///         *total += x;
///         x / *total
///     })
///     .with_state()
///     .sink_to_list();
/// source.emit_all([1.0, 3.0])?;
/// assert_eq!(shares.take(), [(1.0, 1.0), (4.0, 0.75)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct WithState<R, S, F> {
    upstream: R,
    state: S,
    f: F,
    site: Site,
}

impl<R, S, F> WithState<R, S, F> {
    pub(super) fn new(upstream: R, state: S, f: F, site: Site) -> Self {
        WithState {
            upstream,
            state,
            f,
            site,
        }
    }
}

impl<R, S, F, U> Run for WithState<R, S, F>
where
    R: Run,
    S: Clone + InGraph,
    F: FnMut(&mut S, R::Item) -> U + InGraph,
    U: InGraph,
{
    type Item = (S, U);

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<(S, U)>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = WithStateStep {
            state: self.state,
            f: self.f,
        };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct WithStateStep<S, F> {
    state: S,
    f: F,
}

impl<T, S, F, U> Step<T, (S, U)> for WithStateStep<S, F>
where
    S: Clone + InGraph,
    F: FnMut(&mut S, T) -> U + InGraph,
{
    #[inline]
    fn step<N: Push<(S, U)>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        let result = (self.f)(&mut self.state, item);
        next.push((self.state.clone(), result), cx);
    }
}

impl<R, S, F> std::fmt::Debug for WithState<R, S, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WithState").finish_non_exhaustive()
    }
}
