//! `map_async`: each element becomes what a future makes of it.

use std::future::Future;

use crate::engine::{BoxError, Graph, Limits, Plan, Push, Role, Site, in_flight};
use crate::flow::{InGraph, Run};

/// Awaits a future for each element: see [`Flow::map_async`](crate::Flow::map_async).
///
/// - **Emits** the result of each element's future, in the order of the elements;
///   [`unordered`](MapAsync::unordered), as soon as it is there.
/// - **Holds** up to `n` elements: waiting to start, in flight, or finished and waiting for room
///   downstream. Never more than `n` of them are in flight, and `n` are whenever as many wait and
///   nobody downstream is full. Besides, in order, up to 1 024 finished results
///   ([`reorder`](MapAsync::reorder)) for which an earlier one had not finished. So it is `n + 1 024`
///   at most, the capacity in a snapshot; [`unordered`](MapAsync::unordered), `n`.
/// - **Waits**: the origin of the element that makes it `n` waits until one has gone on, or has
///   finished before an earlier one. While somebody downstream is full nothing is started, and
///   every result counts, early or not.
/// - **On close** it awaits all, then closes.
/// - **Drops** nothing. Failures and holes from above keep their place.
/// - **Panics** at construction if `n` is 0; where the closure or a future does, which poisons the
///   graph. The graph needs a driver, which alone polls the futures, under the graph's lock: a
///   future that works for long should be spawned on a runtime and its handle awaited here.
///
/// An element is done when its result is; a receipt resolves no earlier.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let source = graph.source::<u32>();
/// let doubled = source.map_async(4, |x| async move { x * 2 }).sink_to_list();
/// source.emit_all([1, 2, 3])?;
/// time.settle();
/// assert_eq!(doubled.take(), [2, 4, 6]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct MapAsync<R, F> {
    upstream: R,
    f: F,
    limits: Limits,
    site: Site,
}

/// Awaits a future that may fail for each element: see
/// [`Flow::try_map_async`](crate::Flow::try_map_async).
///
/// - **Emits** what the future returns as `Ok`; where it returns an error, a failure in the element's
///   place, which goes on down to the nearest operator that catches, else to the graph's handler.
/// - **Holds**, **Waits**, **On close**, **Drops**, **Panics**: as [`MapAsync`].
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let source = graph.source::<&str>();
/// let numbers = source
///     .try_map_async(4, |text| async move { Ok(text.parse::<u32>()?) })
///     .sink_to_list();
/// source.emit_all(["1", "two", "3"])?;
/// time.settle();
/// assert_eq!(numbers.take(), [1, 3]);
/// assert_eq!(graph.snapshot()?.failed(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct TryMapAsync<R, F> {
    upstream: R,
    f: F,
    limits: Limits,
    site: Site,
}

impl<R, F> MapAsync<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: usize, f: F) -> Self {
        MapAsync {
            upstream,
            f,
            limits: Limits::new("map_async", n),
            site: Site::new("map_async"),
        }
    }

    in_flight::limit_methods!();
}

impl<R, F, Fut, U> Run for MapAsync<R, F>
where
    R: Run,
    F: FnMut(R::Item) -> Fut + InGraph,
    Fut: Future<Output = U> + InGraph,
    U: InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        let how = (self.limits, self.site, Role::Operator);
        let mut f = self.f;
        let work = move |item| {
            let result = f(item);
            async move { Ok(result.await) }
        };
        in_flight::build(self.upstream, how, |_| work, |_| Box::new(next), plan);
    }
}

impl<R, F> std::fmt::Debug for MapAsync<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MapAsync")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<R, F> TryMapAsync<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: usize, f: F) -> Self {
        TryMapAsync {
            upstream,
            f,
            limits: Limits::new("try_map_async", n),
            site: Site::new("try_map_async"),
        }
    }

    in_flight::limit_methods!();
}

impl<R, F, Fut, U> Run for TryMapAsync<R, F>
where
    R: Run,
    F: FnMut(R::Item) -> Fut + InGraph,
    Fut: Future<Output = Result<U, BoxError>> + InGraph,
    U: InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        let how = (self.limits, self.site, Role::Operator);
        in_flight::build(self.upstream, how, |_| self.f, |_| Box::new(next), plan);
    }
}

impl<R, F> std::fmt::Debug for TryMapAsync<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TryMapAsync")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
