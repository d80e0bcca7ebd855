//! `fold_partition`: every n elements are folded by an aggregate.

use super::counted::CountedPush;
use super::gather::Folded;
use crate::aggregate::Aggregate;
use crate::engine::{Graph, Plan, Push, Role, Site};
use crate::flow::Run;

/// Folds every n elements: see [`Flow::fold_partition`](crate::Flow::fold_partition).
///
/// - **Emits** the aggregate of n elements with the n-th of them.
/// - **Holds** one state and no elements.
/// - **Waits** never.
/// - **On close** it emits the aggregate of the elements since, if there are any.
/// - **Drops** nothing. A failure passes at once, ahead of the group that is open.
/// - **Panics** at construction if `n` is 0.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<u32>::new();
/// let sums = source.fold_partition(2, (Count, Sum)).sink_to_list();
/// source.emit_all([1, 2, 3, 4, 5])?;
/// source.close();
/// assert_eq!(sums.take(), [(2, 3), (2, 7), (1, 5)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct FoldPartition<R, A> {
    upstream: R,
    n: usize,
    aggregate: A,
    site: Site,
}

impl<R, A> FoldPartition<R, A> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: usize, aggregate: A) -> Self {
        assert!(
            n > 0,
            "`fold_partition(0, …)` would fold empty groups: let a group have at least 1 element"
        );
        FoldPartition {
            upstream,
            n,
            aggregate,
            site: Site::new("fold_partition"),
        }
    }
}

impl<R, A> Run for FoldPartition<R, A>
where
    R: Run,
    A: Aggregate<R::Item>,
{
    type Item = A::Output;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<A::Output>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        // One state is held, however many elements it stands for.
        let push = CountedPush::new(label, self.n, 1, Folded::new(self.aggregate), next);
        self.upstream.build(push, plan);
    }
}

impl<R, A> std::fmt::Debug for FoldPartition<R, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoldPartition")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}
