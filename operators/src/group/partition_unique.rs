//! `partition_unique`: every n elements of distinct keys become one `Vec`.

use std::hash::Hash;

use super::counted::CountedPush;
use super::distinct::{Distinct, Keep};
use crate::engine::{Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Makes a `Vec` of every n elements of distinct keys: see
/// [`Flow::partition_unique`](crate::Flow::partition_unique).
///
/// Keys are distinct within a group; the next group may have them again. Of several elements with
/// one key the first is kept; with [`keep`](PartitionUnique::keep), the last, which then stands at
/// the end.
///
/// - **Emits** a group with the element that brings its n-th key.
/// - **Holds** up to n - 1 elements.
/// - **Waits** never: a group in which no new key comes stays open.
/// - **On close** it emits the last, short group, if there is one.
/// - **Drops** the elements that are not kept, which is the user's choice: they are done at once. A
///   failure passes at once, ahead of the group that is open.
/// - **Panics** at construction if `n` is 0, and where the closure does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<(&str, u32)>::new();
/// let first = source.partition_unique(2, |(name, _)| *name).sink_to_list();
/// let last = source.partition_unique(2, |(name, _)| *name).keep(Keep::Last).sink_to_list();
/// source.emit_all([("a", 1), ("a", 2), ("b", 3)])?;
/// assert_eq!(first.take(), [[("a", 1), ("b", 3)]]);
/// assert_eq!(last.take(), [[("a", 2), ("b", 3)]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct PartitionUnique<R, F> {
    upstream: R,
    n: usize,
    key: F,
    keep: Keep,
    site: Site,
}

impl<R, F> PartitionUnique<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: usize, key: F) -> Self {
        assert!(
            n > 0,
            "`partition_unique(0, …)` would make empty groups: let a group have at least 1 element"
        );
        PartitionUnique {
            upstream,
            n,
            key,
            keep: Keep::First,
            site: Site::new("partition_unique"),
        }
    }

    /// Which of several elements with one key is kept: the first, unless this says otherwise.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }
}

impl<R, F, K> Run for PartitionUnique<R, F>
where
    R: Run,
    F: FnMut(&R::Item) -> K + InGraph,
    K: Hash + Eq + InGraph,
{
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Vec<R::Item>>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let group = Distinct::new(self.key, self.keep);
        let push = CountedPush::new(label, self.n, self.n, group, next);
        self.upstream.build(push, plan);
    }
}

impl<R, F> std::fmt::Debug for PartitionUnique<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartitionUnique")
            .field("n", &self.n)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}
