//! `accumulate`: a state is folded over the elements, and shown after each.

use super::step::{Step, StepPush};
use crate::engine::{Cx, Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Folds the elements into a state and emits the state after each: see
/// [`Flow::accumulate`](crate::Flow::accumulate).
///
/// - **Emits** a clone of the state, at once, for each element.
/// - **Holds** the state; no elements.
/// - **Waits** never.
/// - **On close** passes it on; the state goes.
/// - **Drops** nothing.
/// - **Panics** where the closure does; that poisons the graph.
///
/// The closure takes the state and returns the next one, as that of `Iterator::fold`. Other
/// libraries call this `scan`; `Iterator::scan` is another thing: its closure changes the state in
/// place, returns what to emit, and may end the iterator. For a state that is changed in place, or
/// too large to be cloned for each element, there is
/// [`map_with_state`](crate::Flow::map_with_state).
///
/// A state begins with `init`. Where the first element is to be the state, there is
/// [`accumulate_from_first`](crate::Flow::accumulate_from_first).
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<u64>::new();
/// let totals = source.accumulate(0, |total, x| total + x).sink_to_list();
/// source.emit_all([1, 2, 3])?;
/// assert_eq!(totals.take(), [1, 3, 6]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Accumulate<R, S, F> {
    upstream: R,
    init: S,
    f: F,
    site: Site,
}

impl<R, S, F> Accumulate<R, S, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, init: S, f: F) -> Self {
        Accumulate {
            upstream,
            init,
            f,
            site: Site::new("accumulate"),
        }
    }
}

impl<R, S, F> Run for Accumulate<R, S, F>
where
    R: Run,
    S: Clone + InGraph,
    F: FnMut(S, R::Item) -> S + InGraph,
{
    type Item = S;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<S>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = AccumulateStep {
            state: Some(self.init),
            f: self.f,
        };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct AccumulateStep<S, F> {
    /// `None` only while the closure has it: one that panics there leaves a poisoned graph.
    state: Option<S>,
    f: F,
}

impl<T, S, F> Step<T, S> for AccumulateStep<S, F>
where
    S: Clone + InGraph,
    F: FnMut(S, T) -> S + InGraph,
{
    #[inline]
    fn step<N: Push<S>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        if !std::mem::needs_drop::<S>() {
            // To clone it is to copy it: cheaper than to take it out and to put it back.
            if let Some(state) = &mut self.state {
                *state = (self.f)(state.clone(), item);
                next.push(state.clone(), cx);
            }
        } else if let Some(state) = self.state.take() {
            let state = (self.f)(state, item);
            self.state = Some(state.clone());
            next.push(state, cx);
        }
    }
}

impl<R, S, F> std::fmt::Debug for Accumulate<R, S, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accumulate").finish_non_exhaustive()
    }
}
