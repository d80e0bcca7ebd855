//! `dedup`: an element that equals the one before it goes.

use super::filter::FilterPush;
use crate::engine::{Graph, Plan, Push, Role, Site};
use crate::flow::Run;

/// Lets elements pass that differ from the one before: see [`Flow::dedup`](crate::Flow::dedup).
///
/// Floats do, as nothing is hashed; a NaN equals nothing and always passes. For elements of which
/// a part only counts there is [`dedup_by_key`](crate::Flow::dedup_by_key); for a comparison of one's
/// own, [`unique_by(same).history(1)`](crate::Flow::unique_by).
///
/// - **Emits** each element that is not equal to the one before it, at once and unchanged.
/// - **Holds** no elements; it remembers a clone of the one that passed last.
/// - **Waits** never.
/// - **On close** passes it on; what is remembered goes.
/// - **Drops** repeats in a row. That is no loss: it is not counted, and a tracked repeat is done.
/// - **Panics** where the element's `PartialEq` or `Clone` does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<f64>::new();
/// let changes = source.dedup().sink_to_list();
/// source.emit_all([20.5, 20.5, 21.0, 20.5])?;
/// assert_eq!(changes.take(), [20.5, 21.0, 20.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Dedup<R> {
    upstream: R,
    site: Site,
}

impl<R> Dedup<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R) -> Self {
        Dedup {
            upstream,
            site: Site::new("dedup"),
        }
    }
}

impl<R> Run for Dedup<R>
where
    R: Run<Item: Clone + PartialEq>,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let mut last = None::<R::Item>;
        let differs = move |item: &R::Item| {
            match &mut last {
                Some(last) if *last == *item => return false,
                // Into what the last one has allocated.
                Some(last) => last.clone_from(item),
                none => *none = Some(item.clone()),
            }
            true
        };
        self.upstream.build(FilterPush::new(differs, next), plan);
    }
}

impl<R> std::fmt::Debug for Dedup<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dedup").finish_non_exhaustive()
    }
}
