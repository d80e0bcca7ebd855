//! `dedup_by_key`: an element with the key of the one before it goes.

use super::filter::FilterPush;
use crate::engine::{Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Lets elements pass whose key differs from that of the one before: see
/// [`Flow::dedup_by_key`](crate::Flow::dedup_by_key).
///
/// - **Emits** each element whose key is not equal to the last one, at once and unchanged.
/// - **Holds** no elements; it remembers the last key.
/// - **Waits** never.
/// - **On close** passes it on; the key goes.
/// - **Drops** elements with the same key in a row, but for the first. That is no loss: it is not
///   counted, and a tracked element that is dropped here is done.
/// - **Panics** where the closure, or the key's `PartialEq`, does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<f64>::new();
/// let degrees = source.dedup_by_key(|x| x.round()).sink_to_list();
/// source.emit_all([20.1, 19.9, 21.0, 20.2])?;
/// assert_eq!(degrees.take(), [20.1, 21.0, 20.2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct DedupByKey<R, F> {
    upstream: R,
    key: F,
    site: Site,
}

impl<R, F> DedupByKey<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, key: F) -> Self {
        DedupByKey {
            upstream,
            key,
            site: Site::new("dedup_by_key"),
        }
    }
}

impl<R, F, K> Run for DedupByKey<R, F>
where
    R: Run,
    F: FnMut(&R::Item) -> K + InGraph,
    K: PartialEq + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let (mut key, mut last) = (self.key, None);
        let differs = move |item: &R::Item| {
            let key = Some(key(item));
            let differs = key != last;
            last = key;
            differs
        };
        self.upstream.build(FilterPush::new(differs, next), plan);
    }
}

impl<R, F> std::fmt::Debug for DedupByKey<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DedupByKey").finish_non_exhaustive()
    }
}
