//! `partition`: every n elements become one `Vec`.

use std::hash::Hash;
use std::time::Duration;

use super::counted::CountedPush;
use super::gather::Elements;
use super::{PartitionAged, PartitionBy};
use crate::engine::{Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Makes a `Vec` of every n elements: see [`Flow::partition`](crate::Flow::partition).
///
/// A group that waits for its last element may wait long: [`max_age`](Partition::max_age) bounds
/// that. Elements that belong together may not be neighbours: [`by_key`](Partition::by_key) has a
/// group for each key.
///
/// - **Emits** a group with its n-th element.
/// - **Holds** up to n - 1 elements.
/// - **Waits** never.
/// - **On close** it emits the last, short group, if there is one.
/// - **Drops** nothing. A failure passes at once, ahead of the group that is open.
/// - **Panics** at construction if `n` is 0.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<i32>::new();
/// let pairs = source.partition(2).sink_to_list();
/// source.emit_all([1, 2, 3, 4, 5])?;
/// assert_eq!(pairs.take(), [[1, 2], [3, 4]]);
/// source.close();
/// assert_eq!(pairs.take(), [[5]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Partition<R> {
    upstream: R,
    n: usize,
    site: Site,
}

impl<R> Partition<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: usize) -> Self {
        assert!(
            n > 0,
            "`partition(0)` would make empty groups: let a group have at least 1 element"
        );
        Partition {
            upstream,
            n,
            site: Site::new("partition"),
        }
    }

    /// Emits a group that is still short when its first element is `age` old. See [`PartitionAged`].
    ///
    /// # Panics
    /// If `age` is zero.
    #[doc(alias = "timeout")]
    #[doc(alias = "buffer_time_or_count")]
    #[doc(alias = "chunks_timeout")]
    #[track_caller]
    pub fn max_age(self, age: Duration) -> PartitionAged<R> {
        PartitionAged::new(self.upstream, self.n, age, self.site)
    }

    /// A group for each key, which `key` reads from an element. See [`PartitionBy`].
    #[doc(alias = "group_by")]
    #[doc(alias = "key_by")]
    pub fn by_key<K, F>(self, key: F) -> PartitionBy<R, F>
    where
        R: Run,
        F: FnMut(&R::Item) -> K + InGraph,
        K: Hash + Eq + Clone + InGraph,
    {
        PartitionBy::new(self.upstream, self.n, None, key, self.site)
    }
}

impl<R: Run> Run for Partition<R> {
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Vec<R::Item>>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let group = Elements::about(self.n);
        let push = CountedPush::new(label, self.n, self.n, group, next);
        self.upstream.build(push, plan);
    }
}

impl<R> std::fmt::Debug for Partition<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partition")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}
