//! The table of contents of the algebra: everything that a flow can do, one short entry each.
//!
//! What an operator does in full (when it emits, how much it holds, when it makes others wait, what
//! it drops) is told by the type that its method returns, beside the code that does it.

use std::future::Future;

use futures_sink::Sink;

use crate::engine::{BoxError, Graph, Plan, Push, Shared, Site};
use crate::{end, hold, join, shape};

/// May live in a graph: `Send`, so that the graph can move between threads, and `'static`, so that
/// it can outlive the function that built it. All such types have it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't live in a graph, which may move between threads",
    label = "not `Send + 'static`",
    note = "share by `Arc` and `Mutex` or a channel instead of `Rc`, `RefCell` or a borrow, and write `move |…|`"
)]
pub trait InGraph: Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + 'static> InGraph for T {}

/// May pass a fork, where each branch gets an element of its own: `Clone`. All such types have it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't pass a fork: each branch gets an element of its own",
    label = "not `Clone`",
    note = "derive `Clone`, send `Arc<{Self}>`, or make the source by `graph.pipe()`, which has one branch and needs no `Clone`"
)]
pub trait Forkable: Clone {}

#[diagnostic::do_not_recommend]
impl<T: Clone> Forkable for T {}

/// A straight run that was described and not connected yet: what operators return.
///
/// Every `Run` is a [`Flow`]; users meet this trait in bounds only, operators implement it.
pub trait Run: Sized + InGraph {
    /// What flows out of the run.
    type Item: InGraph;

    /// The graph it belongs to.
    fn graph(&self) -> &Graph;

    /// Builds the run backwards: `next` is what follows it.
    fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan);
}

/// Something that elements flow out of: a borrowed [`Source`](crate::Source) or
/// [`Shared`] node, or a run of operators.
///
/// To push what `Iterator` is to pull: lazy, and moved by each operator. Nothing happens until the
/// flow is connected, by [`sink`](Flow::sink) or another end. A flow that is needed twice is
/// [`share`](Flow::share)d.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a flow",
    label = "not a flow",
    note = "sources and shared nodes are flows by reference: write `&source`"
)]
#[must_use = "a flow does nothing until it ends in a sink"]
pub trait Flow: Sized {
    /// What flows.
    type Item: InGraph;
    /// The flow as a value of its own, without a borrow.
    type Run: Run<Item = Self::Item>;

    /// Detaches the flow from what it was borrowed from.
    fn into_run(self) -> Self::Run;

    // ---- an element in, none or some out, at once ----

    /// Applies `f` to each element.
    #[doc(alias = "select")]
    #[track_caller]
    fn map<U, F>(self, f: F) -> shape::Map<Self::Run, F>
    where
        F: FnMut(Self::Item) -> U + InGraph,
        U: InGraph,
    {
        shape::Map::new(self.into_run(), f)
    }

    // ---- several flows become one ----

    /// Pairs the elements of two flows by position.
    #[track_caller]
    fn zip<B: Flow>(self, other: B) -> join::Zip<(Self::Run, B::Run)> {
        join::zip((self, other))
    }

    // ---- an element waits ----

    /// Lets up to `capacity` elements wait for the driver, so that the emitter does not.
    #[track_caller]
    fn buffer(self, capacity: usize) -> hold::Buffer<Self::Run> {
        hold::Buffer::new(self.into_run(), capacity)
    }

    /// Awaits a future for each element, at most `n` at once; their results go on in order.
    #[doc(alias = "buffered")]
    #[doc(alias = "buffer_unordered")]
    #[doc(alias = "then")]
    #[doc(alias = "merge_map")]
    #[doc(alias = "concat_map")]
    #[track_caller]
    fn map_async<U, F, Fut>(self, n: usize, f: F) -> hold::MapAsync<Self::Run, F>
    where
        F: FnMut(Self::Item) -> Fut + InGraph,
        Fut: Future<Output = U> + InGraph,
        U: InGraph,
    {
        hold::MapAsync::new(self.into_run(), n, f)
    }

    /// As [`map_async`](Flow::map_async), for futures that may fail.
    #[doc(alias = "try_buffered")]
    #[doc(alias = "and_then")]
    #[track_caller]
    fn try_map_async<U, F, Fut>(self, n: usize, f: F) -> hold::TryMapAsync<Self::Run, F>
    where
        F: FnMut(Self::Item) -> Fut + InGraph,
        Fut: Future<Output = Result<U, BoxError>> + InGraph,
        U: InGraph,
    {
        hold::TryMapAsync::new(self.into_run(), n, f)
    }

    /// Applies `f`, which may block, to each element, on up to `n` threads of its own.
    #[doc(alias = "spawn_blocking")]
    #[doc(alias = "par_map")]
    #[track_caller]
    fn map_blocking<U, F>(self, n: usize, f: F) -> hold::MapBlocking<Self::Run, F>
    where
        F: Fn(Self::Item) -> U + InGraph + Sync,
        U: InGraph,
    {
        hold::MapBlocking::new(self.into_run(), n, f)
    }

    /// As [`map_blocking`](Flow::map_blocking), for a closure that may fail.
    #[track_caller]
    fn try_map_blocking<U, F>(self, n: usize, f: F) -> hold::TryMapBlocking<Self::Run, F>
    where
        F: Fn(Self::Item) -> Result<U, BoxError> + InGraph + Sync,
        U: InGraph,
    {
        hold::TryMapBlocking::new(self.into_run(), n, f)
    }

    // ---- forks, names, erasure ----

    /// Names the operator in front, for errors, pictures and snapshots.
    fn named(self, name: impl Into<String>) -> shape::Named<Self::Run> {
        shape::Named::new(self.into_run(), name.into())
    }

    /// Erases how the flow was made, for struct fields and return types.
    fn boxed(self) -> shape::BoxFlow<Self::Item> {
        shape::BoxFlow::new(self.into_run())
    }

    /// Ends the run in a node that any number of flows may hang from.
    #[doc(alias = "tee")]
    #[doc(alias = "broadcast")]
    #[doc(alias = "publish")]
    #[track_caller]
    #[must_use = "a shared node does nothing until flows hang from it"]
    fn share(self) -> Shared<Self::Item>
    where
        Self::Item: Forkable,
    {
        Shared::end_of(self.into_run(), Site::new("share"))
    }

    // ---- where a run ends ----

    /// Calls `f` with each element.
    #[doc(alias = "for_each")]
    #[doc(alias = "subscribe")]
    #[track_caller]
    fn sink<F>(self, f: F) -> crate::Branch
    where
        F: FnMut(Self::Item) + InGraph,
    {
        end::sink(self.into_run(), f)
    }

    /// Keeps the elements in a list that the caller can look at.
    #[track_caller]
    fn sink_to_list(self) -> end::List<Self::Item> {
        end::sink_to_list(self.into_run())
    }

    /// Awaits a future for each element, at most `n` at once.
    ///
    #[doc = include_str!("end/sink_async.md")]
    #[doc(alias = "for_each_concurrent")]
    #[track_caller]
    fn sink_async<F, Fut>(self, n: usize, f: F) -> crate::Branch
    where
        F: FnMut(Self::Item) -> Fut + InGraph,
        Fut: Future<Output = ()> + InGraph,
    {
        end::sink_async(self.into_run(), n, f)
    }

    /// As [`sink_async`](Flow::sink_async), for futures that may fail.
    ///
    #[doc = include_str!("end/try_sink_async.md")]
    #[doc(alias = "try_for_each_concurrent")]
    #[track_caller]
    fn try_sink_async<F, Fut>(self, n: usize, f: F) -> crate::Branch
    where
        F: FnMut(Self::Item) -> Fut + InGraph,
        Fut: Future<Output = Result<(), BoxError>> + InGraph,
    {
        end::try_sink_async(self.into_run(), n, f)
    }

    /// Calls `f`, which may block, with each element, on up to `n` threads of its own.
    ///
    #[doc = include_str!("end/sink_blocking.md")]
    #[track_caller]
    fn sink_blocking<F>(self, n: usize, f: F) -> crate::Branch
    where
        F: Fn(Self::Item) + InGraph + Sync,
    {
        end::sink_blocking(self.into_run(), n, f)
    }

    /// As [`sink_blocking`](Flow::sink_blocking), for a closure that may fail.
    ///
    #[doc = include_str!("end/try_sink_blocking.md")]
    #[track_caller]
    fn try_sink_blocking<F>(self, n: usize, f: F) -> crate::Branch
    where
        F: Fn(Self::Item) -> Result<(), BoxError> + InGraph + Sync,
    {
        end::try_sink_blocking(self.into_run(), n, f)
    }

    /// Sends each element into a `futures::Sink`, and flushes it.
    ///
    #[doc = include_str!("end/forward.md")]
    #[track_caller]
    fn forward<S>(self, sink: S) -> crate::Branch
    where
        S: Sink<Self::Item, Error: Into<BoxError>> + InGraph,
    {
        end::forward(self.into_run(), sink)
    }

    /// Ends the run in a `futures::Stream` that holds up to `capacity` elements.
    #[doc(alias = "subscribe")]
    #[track_caller]
    fn into_stream(self, capacity: usize) -> end::FlowStream<Self::Item> {
        end::into_stream(self.into_run(), capacity)
    }
}

impl<R: Run> Flow for R {
    type Item = R::Item;
    type Run = R;

    #[inline]
    fn into_run(self) -> R {
        self
    }
}
