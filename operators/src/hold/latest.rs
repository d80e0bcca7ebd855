//! `latest`: the newest element waits for the driver, in the place of older ones.

use super::newest::{self, Keep};
use crate::engine::{Graph, Plan, Push, Site};
use crate::flow::{InGraph, Run};

/// Lets only the newest element wait: see [`Flow::latest`](crate::Flow::latest).
///
/// - **Emits** the newest element when the driver comes to it and nobody downstream is full.
/// - **Holds** one element.
/// - **Waits** never.
/// - **On close** it emits what waits, as soon as there is room, then closes: the newest element is
///   never lost.
/// - **Drops** the element that waits when a newer one comes, counted as superseded; its lineage
///   fails. A failure passes at once, ahead of the element that waits; a hole ends here.
/// - **Panics** never. The graph needs a driver.
///
/// Behind a slow consumer everything older than what it is given next is left out, and the emitter
/// never waits. To merge what waits instead, see [`conflate`](crate::Flow::conflate).
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let prices = graph.source::<u32>();
/// let shown = prices.latest().sink_to_list();
/// prices.emit_all([1, 2, 3])?;
/// time.settle(); // the driver comes by
/// prices.emit_all([4, 5])?;
/// time.settle();
/// assert_eq!(shown.take(), [3, 5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Latest<R> {
    upstream: R,
    site: Site,
}

impl<R> Latest<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R) -> Self {
        Latest {
            upstream,
            site: Site::new("latest"),
        }
    }
}

impl<R: Run> Run for Latest<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        newest::build(self.upstream, (Replace, self.site), next, plan);
    }
}

struct Replace;

impl<T: InGraph> Keep<T> for Replace {}

impl<R> std::fmt::Debug for Latest<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Latest").finish_non_exhaustive()
    }
}
