//! The table of contents of the algebra: everything that a flow can do, one short entry each.
//!
//! What an operator does in full (when it emits, how much it holds, when it makes others wait, what
//! it drops) is told by the type that its method returns, beside the code that does it.

use std::time::Duration;

use crate::aggregate::Aggregate;
use crate::engine::{Graph, Plan, Push, Shared, Site};
use crate::{end, group, hold, join, shape};

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

    // ---- many elements become one ----

    /// Makes a `Vec` of every `n` elements, and of the rest at the close.
    ///
    /// `.max_age(d)` emits a group that does not fill in time; `.by_key(f)` has a group for each key.
    #[doc(alias = "chunks")]
    #[doc(alias = "batch")]
    #[doc(alias = "buffer_count")]
    #[doc(alias = "ready_chunks")]
    #[doc(alias = "array_chunks")]
    #[doc(alias = "window_count")]
    #[track_caller]
    fn partition(self, n: usize) -> group::Partition<Self::Run> {
        group::Partition::new(self.into_run(), n)
    }

    /// Makes a `Vec` of the last `n` elements, with each element. `.full()` waits for n.
    #[doc(alias = "windows")]
    #[doc(alias = "tuple_windows")]
    #[doc(alias = "pairwise")]
    #[doc(alias = "moving")]
    #[track_caller]
    fn sliding_window(self, n: usize) -> group::SlidingWindow<Self::Run>
    where
        Self::Item: Clone,
    {
        group::SlidingWindow::new(self.into_run(), n)
    }

    /// Makes a `Vec` of the elements of each stretch of time of length `every`.
    #[doc(alias = "window")]
    #[doc(alias = "tumbling_window")]
    #[doc(alias = "buffer_time")]
    #[doc(alias = "window_time")]
    #[track_caller]
    fn timed_window(self, every: Duration) -> group::TimedWindow<Self::Run> {
        group::TimedWindow::new(self.into_run(), every)
    }

    /// Folds the elements of each stretch of time of length `every`, and keeps none of them.
    #[doc(alias = "window")]
    #[doc(alias = "tumbling_window")]
    #[doc(alias = "resample")]
    #[track_caller]
    fn fold_window<A>(self, every: Duration, aggregate: A) -> group::FoldWindow<Self::Run, A>
    where
        A: Aggregate<Self::Item>,
    {
        group::FoldWindow::new(self.into_run(), every, aggregate)
    }

    /// Folds every `n` elements, and the rest at the close, and keeps none of them.
    #[doc(alias = "chunks")]
    #[doc(alias = "batch")]
    #[doc(alias = "reduce")]
    #[track_caller]
    fn fold_partition<A>(self, n: usize, aggregate: A) -> group::FoldPartition<Self::Run, A>
    where
        A: Aggregate<Self::Item>,
    {
        group::FoldPartition::new(self.into_run(), n, aggregate)
    }

    /// Folds the last `n` elements, with each element. `.full()` waits for n.
    #[doc(alias = "moving")]
    #[doc(alias = "moving_average")]
    #[doc(alias = "running")]
    #[doc(alias = "window")]
    #[track_caller]
    fn rolling<A>(self, n: usize, aggregate: A) -> group::Rolling<Self::Run, A>
    where
        A: Aggregate<Self::Item>,
    {
        group::Rolling::new(self.into_run(), n, aggregate)
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
}

impl<R: Run> Flow for R {
    type Item = R::Item;
    type Run = R;

    #[inline]
    fn into_run(self) -> R {
        self
    }
}
