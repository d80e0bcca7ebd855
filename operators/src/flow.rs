//! The table of contents of the algebra: everything that a flow can do, one short entry each.
//!
//! What an operator does in full (when it emits, how much it holds, when it makes others wait, what
//! it drops) is told by the type that its method returns, beside the code that does it.

use crate::engine::{Graph, Plan, Push, Shared, Site};
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

    /// Emits each element into `source`, a source of the same graph, by way of the graph's queue: it
    /// runs once the element or batch under way has finished. So flows can be joined after they
    /// were made, and graphs can have cycles.
    ///
    /// - **Emits** nothing here; receipts of an element wait for what it becomes beyond the source.
    /// - **Holds** nothing; the source's queue has room for
    ///   [`INBOX_CAPACITY`](crate::INBOX_CAPACITY) elements.
    /// - **Waits**: while the queue is full the origin waits. In a cycle, where that would be for
    ///   ever, what does not fit is dropped.
    /// - **On close** the source stays open, and this end does not keep it open. At a shutdown the
    ///   source closes after all flows that were connected to it, and a cycle when it has run empty.
    /// - **Drops** what comes when the source is closed, counted as unheard, and what a cycle's full
    ///   queue can't take, counted as overflow.
    /// - **Panics** if the source belongs to another graph: emit from a [`sink`](Flow::sink) instead.
    ///
    /// ```
    /// use headwater_operators::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let numbers = graph.source::<u32>();
    /// let seen = numbers.sink_to_list();
    /// let halves = graph.source::<u32>();
    /// numbers.map(|n| n / 2).connect(&halves);
    /// let more = halves.sink_to_list();
    /// numbers.emit(8)?;
    /// assert_eq!((seen.take(), more.take()), (vec![8], vec![4]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "feedback")]
    #[doc(alias = "cycle")]
    #[track_caller]
    fn connect(self, source: &crate::Source<Self::Item>) -> crate::Branch {
        end::connect(self.into_run(), source)
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
