//! `map_blocking`: each element becomes another, on a thread that may block.

use crate::engine::flight::flight_adaptor;
use crate::engine::{
    BoxError, Flight, Graph, Plan, Push, Retriable, Retry, Role, Workers, in_flight,
};
use crate::flow::{InGraph, Run};

/// Applies a closure that blocks, on threads of its own: see
/// [`Flow::map_blocking`](crate::Flow::map_blocking).
///
/// - **Emits** the result of each element, in the order of the elements;
///   [`unordered`](MapBlocking::unordered), as soon as it is there; [`by_key`](MapBlocking::by_key),
///   in the order of the elements of each key.
/// - **Holds** up to `n` elements: waiting for work, at work, or finished and waiting for room
///   downstream; `n` are at work whenever as many wait and nobody downstream is full. Besides, in
///   order, up to 1 024 finished results ([`reorder`](MapBlocking::reorder)) for which an earlier one
///   had not finished. So it is `n + 1 024` at most, the capacity in a snapshot;
///   [`unordered`](MapBlocking::unordered), `n`. By key it is `n + 1 024` too, with elements that wait
///   for their key instead of results.
/// - **Waits**: the origin of the element that makes it `n` waits until one has gone on, or has
///   finished before an earlier one. While somebody downstream is full nothing is started, and
///   every result counts, early or not.
/// - **On close** it waits for all, then closes.
/// - **Drops** nothing. Failures and holes from above keep their place.
/// - **Panics** at construction if `n` is 0. Where the closure panics, the element fails with
///   [`WorkerPanicked`](crate::WorkerPanicked), and the graph goes on. The graph needs a driver.
///
/// The closure runs outside of the graph's lock, on up to `n` threads that are started when there
/// is work for them and end with the node: it delays no sibling, no emitter and no timer.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let lengths = graph
///     .from_iter(["/", "/nowhere"])
///     .map_blocking(2, |path| std::fs::metadata(path).is_ok())
///     .sink_to_list();
/// graph.run()?;
/// assert_eq!(lengths.take(), [true, false]);
/// # Ok::<(), GraphError>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct MapBlocking<R: Run, F> {
    upstream: R,
    f: F,
    flight: Flight<R::Item>,
}

/// Applies a closure that blocks and may fail, on threads of its own: see
/// [`Flow::try_map_blocking`](crate::Flow::try_map_blocking).
///
/// - **Emits** what the closure returns as `Ok`; where it returns an error, a failure in the element's
///   place, which goes on down to the nearest operator that catches, else to the graph's handler.
/// - **Holds**, **Waits**, **On close**, **Drops**, **Panics**: as [`MapBlocking`].
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let sizes = graph
///     .from_iter(["/nowhere", "/"])
///     .try_map_blocking(2, |path| Ok(std::fs::metadata(path)?.is_dir()))
///     .sink_to_list();
/// graph.run()?;
/// assert_eq!(sizes.take(), [true]);
/// # Ok::<(), GraphError>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct TryMapBlocking<R: Run, F> {
    upstream: R,
    f: F,
    flight: Flight<R::Item>,
}

flight_adaptor!(MapBlocking, "map_blocking");
flight_adaptor!(TryMapBlocking, "try_map_blocking");

impl<R: Run, F> TryMapBlocking<R, F> {
    /// Tries an element again whose attempt failed, as `policy` says: all as
    /// [`TryMapAsync::retry`](crate::TryMapAsync::retry). A panic of the closure is a failure of the
    /// attempt too; [`Retry::when`] can tell it by
    /// [`WorkerPanicked`](crate::WorkerPanicked).
    pub fn retry(mut self, policy: Retry) -> Self
    where
        R::Item: Retriable,
    {
        self.flight = self.flight.retry(policy);
        self
    }
}

impl<R, F, U> Run for MapBlocking<R, F>
where
    R: Run,
    F: Fn(R::Item) -> U + InGraph + Sync,
    U: InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        let f = self.f;
        let workers = Workers::new(self.flight.at_once(), move |item| Ok(f(item)));
        let how = (self.flight, Role::Operator);
        let work = move |item| workers.run(item);
        in_flight::build(self.upstream, how, work, |_| Box::new(next), plan);
    }
}

impl<R, F, U> Run for TryMapBlocking<R, F>
where
    R: Run,
    F: Fn(R::Item) -> Result<U, BoxError> + InGraph + Sync,
    U: InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        let workers = Workers::new(self.flight.at_once(), self.f);
        let how = (self.flight, Role::Operator);
        let work = move |item| workers.run(item);
        in_flight::build(self.upstream, how, work, |_| Box::new(next), plan);
    }
}
