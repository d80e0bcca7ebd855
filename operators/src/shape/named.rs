//! `named`: the operator in front gets a name.

use crate::engine::{Graph, Plan, Push};
use crate::flow::Run;

/// Names the operator in front of it: see [`Flow::named`](crate::Flow::named). Costs nothing.
///
/// It adds no operator: whatever the flow does, it does as before.
///
/// - **Emits** each element unchanged, at once.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** nothing.
/// - **Panics** never.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<&str>::new();
/// let _list = source.try_map(|s| Ok(s.parse::<i32>()?)).named("parse").sink_to_list();
/// assert!(source.emit("seven").unwrap_err().to_string().contains("`parse`"));
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Named<R> {
    upstream: R,
    name: String,
}

impl<R> Named<R> {
    pub(crate) fn new(upstream: R, name: String) -> Self {
        Named { upstream, name }
    }
}

impl<R: Run> Run for Named<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.name(self.name);
        self.upstream.build(next, plan);
    }
}

impl<R> std::fmt::Debug for Named<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Named")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
