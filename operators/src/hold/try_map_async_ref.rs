//! `try_map_async_ref`: each element is lent to a future that may fail.

use futures_core::future::BoxFuture;

use crate::engine::flight::flight_adaptor;
use crate::engine::{BoxError, Flight, Graph, Lendable, Plan, Push, Retry, Role, in_flight};
use crate::flow::{InGraph, Run};

/// Awaits a future that borrows the element and may fail, for each element: see
/// [`Flow::try_map_async_ref`](crate::Flow::try_map_async_ref).
///
/// - **Emits** what the future returns as `Ok`; where it returns an error, a failure in the element's
///   place, which brings the element along: see [`Failure::element`](crate::Failure::element). In the
///   order of the elements; [`unordered`](TryMapAsyncRef::unordered), as soon as it is there;
///   [`by_key`](TryMapAsyncRef::by_key), in the order of the elements of each key.
/// - **Holds**, **Waits**, **On close**, **Drops**: as [`MapAsync`](crate::MapAsync). An element is kept
///   until its future has finished, and dropped once it has succeeded.
/// - **Panics**: as [`MapAsync`](crate::MapAsync). The closure is called as the future is first polled,
///   in the order of the elements.
///
/// The future gets `&element`, and may hold it as long as it lives. Nothing is cloned: what the element
/// is lent to leaves it for the next attempt ([`retry`](TryMapAsyncRef::retry)) and for whoever handles
/// the failure. For that the future is boxed, and the element too.
///
/// The closure is `move |element| { … Box::pin(async move { … }) }`, written in the call itself: one that
/// is kept in a variable first is for a single lifetime. A function may be written anywhere, and returns
/// a [`BoxFuture`](crate::BoxFuture)`<'_, Result<…, BoxError>>`. What the future shares with others is
/// cloned in front of it:
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use futures::{SinkExt, channel::mpsc};
///
/// struct Order { // no `Clone`
///     text: String,
/// }
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let dead = graph.source::<Failure>();
/// let letters = dead.filter_map(|failure| failure.take_element::<Order>()).sink_to_list();
/// let (orders, flow) = graph.pipe::<Order>();
/// let (log, mut lines) = mpsc::channel::<usize>(8);
/// let numbers = flow
///     .try_map_async_ref(4, move |order| {
///         let mut log = log.clone();
///         Box::pin(async move {
///             log.send(order.text.len()).await?;
///             Ok(order.text.parse::<u32>()?)
///         })
///     })
///     .dead_letter(&dead)
///     .sink_to_list();
/// for text in ["1", "two", "3"] {
///     orders.emit(Order { text: text.to_owned() })?;
/// }
/// time.settle();
/// assert_eq!(numbers.take(), [1, 3]);
/// assert_eq!(letters.take()[0].text, "two");
/// # let logged = std::iter::from_fn(|| lines.try_next().ok().flatten());
/// # assert!(logged.eq([1, 3, 1]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct TryMapAsyncRef<R: Run, F> {
    upstream: R,
    f: F,
    flight: Flight<R::Item>,
}

flight_adaptor!(TryMapAsyncRef, "try_map_async_ref");

impl<R: Run, F> TryMapAsyncRef<R, F> {
    #[doc = include_str!("retry_ref.md")]
    pub fn retry(mut self, policy: Retry) -> Self {
        self.flight = self.flight.retry_lending(policy);
        self
    }
}

impl<R, F, U> Run for TryMapAsyncRef<R, F>
where
    R: Run<Item: Lendable>,
    F: for<'a> FnMut(&'a R::Item) -> BoxFuture<'a, Result<U, BoxError>> + InGraph,
    U: InGraph,
{
    type Item = U;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<U>>(self, next: N, plan: &mut Plan) {
        let how = (self.flight, Role::Operator);
        in_flight::build_lending(self.upstream, how, self.f, |_| Box::new(next), plan);
    }
}
