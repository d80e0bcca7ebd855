//! `accumulate_from_first`: the elements are folded into the first of them.

use super::step::{Step, StepPush};
use crate::engine::{Cx, Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Folds the elements into the first one, and emits the state after each: see
/// [`Flow::accumulate_from_first`](crate::Flow::accumulate_from_first).
///
/// The first element becomes the state and is emitted as it is; the closure takes the state and an
/// element from the second on, as that of `Iterator::reduce`. What streamz does where `accumulate` is
/// given no start, and Rx where `scan` is given no seed.
///
/// - **Emits** a clone of the state, at once, for each element.
/// - **Holds** the state; no elements.
/// - **Waits** never.
/// - **On close** passes it on; the state goes.
/// - **Drops** nothing. The first element that comes is the first: one that failed above is not.
/// - **Panics** where the closure, or the state's `Clone`, does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<f64>::new();
/// let peaks = source.accumulate_from_first(f64::max).sink_to_list();
/// source.emit_all([-2.0, -3.0, -1.0])?;
/// assert_eq!(peaks.take(), [-2.0, -2.0, -1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct AccumulateFromFirst<R, F> {
    upstream: R,
    f: F,
    site: Site,
}

impl<R, F> AccumulateFromFirst<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, f: F) -> Self {
        AccumulateFromFirst {
            upstream,
            f,
            site: Site::new("accumulate_from_first"),
        }
    }
}

impl<R, F> Run for AccumulateFromFirst<R, F>
where
    R: Run<Item: Clone>,
    F: FnMut(R::Item, R::Item) -> R::Item + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = FromFirstStep {
            state: None,
            f: self.f,
        };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct FromFirstStep<T, F> {
    /// `None` before the first element, and while the closure has it.
    state: Option<T>,
    f: F,
}

impl<T, F> Step<T, T> for FromFirstStep<T, F>
where
    T: Clone + InGraph,
    F: FnMut(T, T) -> T + InGraph,
{
    #[inline]
    fn step<N: Push<T>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        let state = match self.state.take() {
            Some(state) => (self.f)(state, item),
            None => item,
        };
        self.state = Some(state.clone());
        next.push(state, cx);
    }
}

impl<R, F> std::fmt::Debug for AccumulateFromFirst<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccumulateFromFirst")
            .finish_non_exhaustive()
    }
}
