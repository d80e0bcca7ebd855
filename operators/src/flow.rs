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
    message = "`{Self}` can't pass a fork, where each branch gets an element of its own: derive `Clone`, or send `Arc<{Self}>`",
    label = "not `Clone`",
    note = "a source made by `graph.pipe()` has one branch and needs no `Clone`"
)]
pub trait Forkable: Clone {}

#[diagnostic::do_not_recommend]
impl<T: Clone> Forkable for T {}

/// A straight run that was described and not connected yet: what operators return.
///
/// Every `Run` is a [`Flow`]; users meet this trait in bounds only, operators implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a flow",
    label = "not a flow",
    note = "sources and shared nodes are flows by reference: write `&source`"
)]
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

    /// Merges two flows of one type, in the order in which elements come.
    #[doc(alias = "merge")]
    #[doc(alias = "or")]
    #[track_caller]
    fn union<B>(self, other: B) -> join::Union<(Self::Run, B::Run)>
    where
        B: Flow<Item = Self::Item>,
    {
        join::union((self, other))
    }

    /// Joins the latest elements of two flows, for each element of either.
    #[doc(alias = "with_latest_from")]
    #[track_caller]
    fn combine_latest<B>(self, other: B) -> join::CombineLatest<(Self::Run, B::Run)>
    where
        Self::Item: Forkable,
        B: Flow<Item: Forkable>,
    {
        join::combine_latest((self, other))
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

#[diagnostic::do_not_recommend]
impl<R: Run> Flow for R {
    type Item = R::Item;
    type Run = R;

    #[inline]
    fn into_run(self) -> R {
        self
    }
}
