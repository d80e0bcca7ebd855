//! `remove`: elements that satisfy a predicate go.

use super::filter::FilterPush;
use crate::engine::{Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Lets elements pass that do not satisfy a predicate: see [`Flow::remove`](crate::Flow::remove).
///
/// - **Emits** each element that the predicate does not hold for, at once and unchanged.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** what the predicate holds for. That is no loss: it is not counted, and a tracked
///   element that is dropped here is done.
/// - **Panics** where the predicate does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<&str>::new();
/// let words = source.remove(|word| word.is_empty()).sink_to_list();
/// source.emit_all(["head", "", "water"])?;
/// assert_eq!(words.take(), ["head", "water"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Remove<R, F> {
    upstream: R,
    predicate: F,
    site: Site,
}

impl<R, F> Remove<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, predicate: F) -> Self {
        Remove {
            upstream,
            predicate,
            site: Site::new("remove"),
        }
    }
}

impl<R, F> Run for Remove<R, F>
where
    R: Run,
    F: FnMut(&R::Item) -> bool + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let mut goes = self.predicate;
        let push = FilterPush::new(move |item: &R::Item| !goes(item), next);
        self.upstream.build(push, plan);
    }
}

impl<R, F> std::fmt::Debug for Remove<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remove").finish_non_exhaustive()
    }
}
