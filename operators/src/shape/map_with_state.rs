//! `map_with_state`: each element becomes another, by a closure with a memory.

use super::step::{Step, StepPush};
use super::with_state::WithState;
use crate::engine::{Cx, Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Applies a closure with a state of its own to each element: see
/// [`Flow::map_with_state`](crate::Flow::map_with_state).
///
/// - **Emits** one element for each element, at once.
/// - **Holds** the state; no elements.
/// - **Waits** never.
/// - **On close** passes it on; the state goes.
/// - **Drops** nothing.
/// - **Panics** where the closure does; that poisons the graph.
///
/// [`with_state`](MapWithState::with_state) emits the state beside each result.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<f64>::new();
/// let rises = source
///     .map_with_state(0.0, |last, x| x - std::mem::replace(last, x))
///     .sink_to_list();
/// source.emit_all([1.0, 4.0, 2.5])?;
/// assert_eq!(rises.take(), [1.0, 3.0, -1.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct MapWithState<R, S, F> {
    upstream: R,
    state: S,
    f: F,
    site: Site,
}

impl<R, S, F> MapWithState<R, S, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, state: S, f: F) -> Self {
        MapWithState {
            upstream,
            state,
            f,
            site: Site::new("map_with_state"),
        }
    }

    /// Emits `(state, result)`: a clone of the state as it is after the element, beside what the
    /// closure returned.
    #[doc(alias = "returns_state")]
    pub fn with_state(self) -> WithState<R, S, F>
    where
        S: Clone,
    {
        WithState::new(self.upstream, self.state, self.f, self.site)
    }
}

impl<R, S, F, U> Run for MapWithState<R, S, F>
where
    R: Run,
    S: InGraph,
    F: FnMut(&mut S, R::Item) -> U + InGraph,
    U: InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = MapWithStateStep {
            state: self.state,
            f: self.f,
        };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct MapWithStateStep<S, F> {
    state: S,
    f: F,
}

impl<T, S, F, U> Step<T, U> for MapWithStateStep<S, F>
where
    S: InGraph,
    F: FnMut(&mut S, T) -> U + InGraph,
{
    #[inline]
    fn step<N: Push<U>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        next.push((self.f)(&mut self.state, item), cx);
    }
}

impl<R, S, F> std::fmt::Debug for MapWithState<R, S, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MapWithState").finish_non_exhaustive()
    }
}
