//! `conflate`: what waits for the driver becomes one element.

use super::newest::{self, Keep};
use crate::engine::{Graph, Plan, Push, Site};
use crate::flow::{InGraph, Run};

/// Merges what waits: see [`Flow::conflate`](crate::Flow::conflate).
///
/// - **Emits** the element that waits, with all that was merged into it, when the driver comes to it
///   and nobody downstream is full.
/// - **Holds** one element; of tracked ones the tokens, until it has gone on.
/// - **Waits** never.
/// - **On close** it emits what waits, as soon as there is room, then closes.
/// - **Drops** nothing: what came is part of what goes, and is done when that is. A failure passes at
///   once, ahead of the element that waits; a hole ends here.
/// - **Panics** where the closure does; that poisons the graph. The graph needs a driver.
///
/// The closure gets the element that waits, and the newcomer. Where they should become something
/// else, map each to it first.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let orders = graph.source::<u32>();
/// let totals = orders.conflate(|total, order| *total += order).sink_to_list();
/// orders.emit_all([1, 2, 3])?;
/// time.settle(); // the driver comes by
/// orders.emit(4)?;
/// time.settle();
/// assert_eq!(totals.take(), [6, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Conflate<R, F> {
    upstream: R,
    merge: F,
    site: Site,
}

impl<R, F> Conflate<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, merge: F) -> Self {
        Conflate {
            upstream,
            merge,
            site: Site::new("conflate"),
        }
    }
}

impl<R, F> Run for Conflate<R, F>
where
    R: Run,
    F: FnMut(&mut R::Item, R::Item) + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        newest::build(self.upstream, (Merge(self.merge), self.site), next, plan);
    }
}

struct Merge<F>(F);

impl<T, F> Keep<T> for Merge<F>
where
    F: FnMut(&mut T, T) + InGraph,
{
    const MERGES: bool = true;

    fn meet(&mut self, waiting: &mut T, newcomer: T) {
        (self.0)(waiting, newcomer);
    }
}

impl<R, F> std::fmt::Debug for Conflate<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conflate").finish_non_exhaustive()
    }
}
