//! `map_async`: each element becomes what a future makes of it.

use std::future::Future;

use crate::engine::flight::flight_adaptor;
use crate::engine::{BoxError, Flight, Graph, Plan, Push, Retriable, Retry, Role, in_flight};
use crate::flow::{InGraph, Run};

/// Awaits a future for each element: see [`Flow::map_async`](crate::Flow::map_async).
///
/// - **Emits** the result of each element's future, in the order of the elements;
///   [`unordered`](MapAsync::unordered), as soon as it is there; [`by_key`](MapAsync::by_key), in the
///   order of the elements of each key.
/// - **Holds** up to `n` elements: waiting to start, in flight, or finished and waiting for room
///   downstream. Never more than `n` of them are in flight, and `n` are whenever as many wait and
///   nobody downstream is full. Besides, in order, up to 1 024 finished results
///   ([`reorder`](MapAsync::reorder)) for which an earlier one had not finished. So it is `n + 1 024`
///   at most, the capacity in a snapshot; [`unordered`](MapAsync::unordered), `n`. By key it is
///   `n + 1 024` too, with elements that wait for their key instead of results.
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
/// In the order of each key, where nobody waits for another key:
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let orders = graph.source::<(&str, u32)>();
/// let written = orders
///     .map_async(8, |order| async move { order })
///     .by_key(|(customer, _)| *customer)
///     .sink_to_list();
/// orders.emit_all([("ann", 1), ("bob", 1), ("ann", 2)])?;
/// time.settle();
/// let ann: Vec<_> = written.take().into_iter().filter(|(who, _)| *who == "ann").collect();
/// assert_eq!(ann, [("ann", 1), ("ann", 2)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// In the order of all:
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
pub struct MapAsync<R: Run, F> {
    upstream: R,
    f: F,
    flight: Flight<R::Item>,
}

/// Awaits a future that may fail for each element: see
/// [`Flow::try_map_async`](crate::Flow::try_map_async).
///
/// - **Emits** what the future returns as `Ok`; where it returns an error, a failure in the element's
///   place, which goes on down to the nearest operator that catches, else to the graph's handler.
/// - **Holds**, **Waits**, **On close**, **Drops**, **Panics**: as [`MapAsync`]. The element went into
///   the closure; under [`retry`](TryMapAsync::retry) its failure brings it along, and always where it is
///   lent: [`try_map_async_ref`](crate::Flow::try_map_async_ref).
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
pub struct TryMapAsync<R: Run, F> {
    upstream: R,
    f: F,
    flight: Flight<R::Item>,
}

flight_adaptor!(MapAsync, "map_async");
flight_adaptor!(TryMapAsync, "try_map_async");

impl<R: Run, F> TryMapAsync<R, F> {
    #[doc = include_str!("retry.md")]
    pub fn retry(mut self, policy: Retry) -> Self
    where
        R::Item: Retriable,
    {
        self.flight = self.flight.retry(policy);
        self
    }
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
        let mut f = self.f;
        let work = move |item| {
            let result = f(item);
            async move { Ok(result.await) }
        };
        let how = (self.flight, Role::Operator);
        in_flight::build(self.upstream, how, work, |_| Box::new(next), plan);
    }
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
        let how = (self.flight, Role::Operator);
        in_flight::build(self.upstream, how, self.f, |_| Box::new(next), plan);
    }
}
