//! The table of contents of the algebra: everything that a flow can do, one short entry each.
//!
//! What an operator does in full (when it emits, how much it holds, when it makes others wait, what
//! it drops) is told by the type that its method returns, beside the code that does it. Methods that
//! return no type of their own (most ends) take it in from a file beside that code.

use std::hash::Hash;
use std::ops::RangeBounds;
use std::time::Duration;

use crate::aggregate::Aggregate;
use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_sink::Sink;

use crate::engine::{
    BoxError, Failure, Graph, Head, Lendable, Lineage, Plan, Push, Shared, Site, Time,
};
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
    note = "sources and shared nodes are flows by reference: write `&source`",
    note = "a value that is the same in each row of a `zip` is a literal: write `literal(value)`"
)]
// The comment beside each `self` is for the compiler to show: a flow used twice is an error whose
// note quotes that line, and there is no other way to put the remedy there.
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
    fn map<U, F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> shape::Map<Self::Run, F>
    where
        F: FnMut(Self::Item) -> U + InGraph,
        U: InGraph,
    {
        shape::Map::new(self.into_run(), f)
    }

    /// Applies `f`, a closure of several arguments, to the items of each tuple.
    #[doc(alias = "map_n")]
    #[doc(alias = "splat")]
    #[doc(alias = "unpack")]
    #[track_caller]
    fn starmap<F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> shape::Starmap<Self::Run, F>
    where
        Self::Item: shape::Splay<F>,
        F: InGraph,
    {
        shape::Starmap::new(self.into_run(), f)
    }

    /// Lets the elements pass that `predicate` holds for.
    #[doc(alias = "where")]
    #[doc(alias = "retain")]
    #[track_caller]
    fn filter<F>(
        self, // Needed twice? `.share()` it first.
        predicate: F,
    ) -> shape::Filter<Self::Run, F>
    where
        F: FnMut(&Self::Item) -> bool + InGraph,
    {
        shape::Filter::new(self.into_run(), predicate)
    }

    /// Lets the elements pass that `predicate` does not hold for: the opposite of [`filter`](Flow::filter).
    #[doc(alias = "reject")]
    #[doc(alias = "filter_not")]
    #[track_caller]
    fn remove<F>(
        self, // Needed twice? `.share()` it first.
        predicate: F,
    ) -> shape::Remove<Self::Run, F>
    where
        F: FnMut(&Self::Item) -> bool + InGraph,
    {
        shape::Remove::new(self.into_run(), predicate)
    }

    /// Parts the flow in two: of the elements that `predicate` holds for, and of the rest.
    ///
    #[doc = include_str!("shape/split.md")]
    #[doc(alias = "partition")]
    #[doc(alias = "partition_by")]
    #[doc(alias = "divide")]
    #[track_caller]
    #[must_use = "the flows do nothing until they end in sinks"]
    fn split<F>(
        self, // Needed twice? `.share()` it first.
        predicate: F,
    ) -> (Head<Self::Item>, Head<Self::Item>)
    where
        F: FnMut(&Self::Item) -> bool + InGraph,
    {
        shape::split(self.into_run(), predicate)
    }

    /// Applies `f` to each element, and keeps what it returns as `Some`.
    #[track_caller]
    fn filter_map<U, F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> shape::FilterMap<Self::Run, F>
    where
        F: FnMut(Self::Item) -> Option<U> + InGraph,
        U: InGraph,
    {
        shape::FilterMap::new(self.into_run(), f)
    }

    /// Picks a part of each element, by key or index, or several by a list of them.
    ///
    /// `1` of `Vec`s and arrays, `"name"` of maps and JSON, `Nth::<1>` of tuples: see [`Pick`](crate::Pick).
    #[doc(alias = "get")]
    #[doc(alias = "item")]
    #[doc(alias = "project")]
    #[track_caller]
    fn pluck<W>(
        self, // Needed twice? `.share()` it first.
        what: W,
    ) -> shape::Pluck<Self::Run, W>
    where
        W: shape::Pick<Self::Item, Part: InGraph> + InGraph,
    {
        shape::Pluck::new(self.into_run(), what)
    }

    /// Emits the items of each element, one level down.
    #[doc(alias = "concat")]
    #[track_caller]
    fn flatten(self, // Needed twice? `.share()` it first.
    ) -> shape::Flatten<Self::Run>
    where
        Self::Item: IntoIterator<Item: InGraph>,
    {
        shape::Flatten::new(self.into_run())
    }

    /// Applies `f` to each element, and emits the items of what it returns.
    #[doc(alias = "concat_map")]
    #[track_caller]
    fn flat_map<I, F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> shape::FlatMap<Self::Run, F>
    where
        F: FnMut(Self::Item) -> I + InGraph,
        I: IntoIterator<Item: InGraph>,
    {
        shape::FlatMap::new(self.into_run(), f)
    }

    /// Applies `f`, which may fail, to each element, and emits the items of what it returns.
    #[doc(alias = "try_flatten")]
    #[track_caller]
    fn try_flat_map<I, F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> shape::TryFlatMap<Self::Run, F>
    where
        F: FnMut(Self::Item) -> Result<I, BoxError> + InGraph,
        I: IntoIterator<Item: InGraph>,
    {
        shape::TryFlatMap::new(self.into_run(), f)
    }

    /// Shows each element to `f`.
    #[doc(alias = "tap")]
    #[doc(alias = "do")]
    #[track_caller]
    fn inspect<F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> shape::Inspect<Self::Run, F>
    where
        F: FnMut(&Self::Item) + InGraph,
    {
        shape::Inspect::new(self.into_run(), f)
    }

    /// Shows each element to `f`, and the metadata of all that it was made of.
    #[doc(alias = "metadata")]
    #[track_caller]
    fn inspect_lineage<F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> shape::InspectLineage<Self::Run, F>
    where
        F: FnMut(&Self::Item, Lineage<'_>) + InGraph,
    {
        shape::InspectLineage::new(self.into_run(), f)
    }

    /// Makes something of each element and the metadata of all that it was made of.
    #[doc(alias = "metadata")]
    #[track_caller]
    fn map_with_lineage<U, F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> shape::MapWithLineage<Self::Run, F>
    where
        U: InGraph,
        F: FnMut(Self::Item, Lineage<'_>) -> U + InGraph,
    {
        shape::MapWithLineage::new(self.into_run(), f)
    }

    /// Folds the elements into a state that begins with `init`, and emits it after each.
    #[doc(alias = "scan")]
    #[track_caller]
    fn accumulate<S, F>(
        self, // Needed twice? `.share()` it first.
        init: S,
        f: F,
    ) -> shape::Accumulate<Self::Run, S, F>
    where
        S: Clone + InGraph,
        F: FnMut(S, Self::Item) -> S + InGraph,
    {
        shape::Accumulate::new(self.into_run(), init, f)
    }

    /// Folds the elements into the first of them, and emits the state after each.
    #[doc(alias = "scan")]
    #[doc(alias = "reductions")]
    #[track_caller]
    fn accumulate_from_first<F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> shape::AccumulateFromFirst<Self::Run, F>
    where
        Self::Item: Clone,
        F: FnMut(Self::Item, Self::Item) -> Self::Item + InGraph,
    {
        shape::AccumulateFromFirst::new(self.into_run(), f)
    }

    /// Applies `f` to a state, which it may change, and each element. `.with_state()` emits the state
    /// beside each result.
    #[doc(alias = "stateful_map")]
    #[doc(alias = "map_accum")]
    #[track_caller]
    fn map_with_state<S, U, F>(
        self, // Needed twice? `.share()` it first.
        state: S,
        f: F,
    ) -> shape::MapWithState<Self::Run, S, F>
    where
        S: InGraph,
        F: FnMut(&mut S, Self::Item) -> U + InGraph,
        U: InGraph,
    {
        shape::MapWithState::new(self.into_run(), state, f)
    }

    /// Lets the elements pass that differ from the one before.
    #[doc(alias = "distinct_until_changed")]
    #[doc(alias = "changes")]
    #[track_caller]
    fn dedup(self, // Needed twice? `.share()` it first.
    ) -> shape::Dedup<Self::Run>
    where
        Self::Item: Clone + PartialEq,
    {
        shape::Dedup::new(self.into_run())
    }

    /// Lets the elements pass whose `key` differs from that of the one before.
    #[doc(alias = "distinct_until_key_changed")]
    #[doc(alias = "distinct_until_changed")]
    #[track_caller]
    fn dedup_by_key<K, F>(
        self, // Needed twice? `.share()` it first.
        key: F,
    ) -> shape::DedupByKey<Self::Run, F>
    where
        F: FnMut(&Self::Item) -> K + InGraph,
        K: PartialEq + InGraph,
    {
        shape::DedupByKey::new(self.into_run(), key)
    }

    /// Lets the elements pass that were not seen lately.
    ///
    /// `.history(n)` says how many are remembered. Where only repeats in a row are to go, there is
    /// [`dedup`](Flow::dedup).
    #[doc(alias = "distinct")]
    #[track_caller]
    fn unique(self, // Needed twice? `.share()` it first.
    ) -> shape::Unique<Self::Run>
    where
        Self::Item: Clone + std::hash::Hash + Eq,
    {
        shape::Unique::new(self.into_run())
    }

    /// Lets the elements pass whose `key` was not seen lately.
    #[doc(alias = "distinct_by")]
    #[track_caller]
    fn unique_by_key<K, F>(
        self, // Needed twice? `.share()` it first.
        key: F,
    ) -> shape::UniqueByKey<Self::Run, F>
    where
        F: FnMut(&Self::Item) -> K + InGraph,
        K: std::hash::Hash + Eq + InGraph,
    {
        shape::UniqueByKey::new(self.into_run(), key)
    }

    /// Lets the elements pass that `same` calls the same as none seen lately: for those that are not
    /// `Hash`. `.history(n)` says how many are remembered.
    #[doc(alias = "unhashable")]
    #[doc(alias = "distinct")]
    #[doc(alias = "dedup_by")]
    #[track_caller]
    fn unique_by<F>(
        self, // Needed twice? `.share()` it first.
        same: F,
    ) -> shape::UniqueBy<Self::Run, F>
    where
        Self::Item: Clone,
        F: FnMut(&Self::Item, &Self::Item) -> bool + InGraph,
    {
        shape::UniqueBy::new(self.into_run(), same)
    }

    /// Pairs each element with the one before it.
    #[doc(alias = "tuple_windows")]
    #[doc(alias = "buffer_count")]
    #[track_caller]
    fn pairwise(self, // Needed twice? `.share()` it first.
    ) -> shape::Pairwise<Self::Run>
    where
        Self::Item: Clone,
    {
        shape::Pairwise::new(self.into_run())
    }

    /// Counts how often each distinct element has come, and emits it with its count.
    ///
    /// `.max_keys(n)` says how many are counted.
    #[doc(alias = "counts")]
    #[doc(alias = "value_counts")]
    #[doc(alias = "histogram")]
    #[doc(alias = "count_by")]
    #[track_caller]
    fn frequencies(self, // Needed twice? `.share()` it first.
    ) -> shape::Frequencies<Self::Run>
    where
        Self::Item: Clone + std::hash::Hash + Eq,
    {
        shape::Frequencies::new(self.into_run())
    }

    /// Puts an operator of one's own into the run.
    #[doc(alias = "transform")]
    #[doc(alias = "process")]
    #[track_caller]
    fn stage<U, S>(
        self, // Needed twice? `.share()` it first.
        stage: S,
    ) -> shape::Staged<Self::Run, S, U>
    where
        S: shape::Stage<Self::Item, U>,
        U: InGraph,
    {
        shape::Staged::new(self.into_run(), stage)
    }

    /// Applies a function to the flow itself: for compositions that have a name.
    ///
    #[doc = include_str!("shape/through.md")]
    #[doc(alias = "pipe")]
    #[doc(alias = "apply")]
    fn through<U>(
        self, // Needed twice? `.share()` it first.
        function: impl FnOnce(Self::Run) -> U,
    ) -> U {
        function(self.into_run())
    }

    // ---- where a flow begins and ends ----

    /// Lets `n` elements pass, and ends: the flow closes, and what is in front of it is let go.
    #[doc(alias = "first")]
    #[doc(alias = "limit")]
    #[doc(alias = "head")]
    #[track_caller]
    fn take(
        self, // Needed twice? `.share()` it first.
        n: u64,
    ) -> shape::Take<Self::Run> {
        shape::Take::new(self.into_run(), n)
    }

    /// Takes the first `n` elements out.
    #[doc(alias = "drop")]
    #[track_caller]
    fn skip(
        self, // Needed twice? `.share()` it first.
        n: u64,
    ) -> shape::Skip<Self::Run> {
        shape::Skip::new(self.into_run(), n)
    }

    /// Lets the first element pass, and each `n`-th after it.
    #[doc(alias = "every_nth")]
    #[doc(alias = "decimate")]
    #[track_caller]
    fn step_by(
        self, // Needed twice? `.share()` it first.
        n: u64,
    ) -> shape::StepBy<Self::Run> {
        shape::StepBy::new(self.into_run(), n)
    }

    /// Lets elements pass as long as `predicate` holds, and ends with the first that does not fit.
    #[doc(alias = "takeWhile")]
    #[track_caller]
    fn take_while<F>(
        self, // Needed twice? `.share()` it first.
        predicate: F,
    ) -> shape::TakeWhile<Self::Run, F>
    where
        F: FnMut(&Self::Item) -> bool + InGraph,
    {
        shape::TakeWhile::new(self.into_run(), predicate)
    }

    /// Takes elements out as long as `predicate` holds; the first that does not fit passes, and all after.
    #[doc(alias = "drop_while")]
    #[track_caller]
    fn skip_while<F>(
        self, // Needed twice? `.share()` it first.
        predicate: F,
    ) -> shape::SkipWhile<Self::Run, F>
    where
        F: FnMut(&Self::Item) -> bool + InGraph,
    {
        shape::SkipWhile::new(self.into_run(), predicate)
    }

    /// Lets the elements pass whose positions, counted from 0, are in `range`, and ends with the last.
    ///
    /// `.step(n)` lets the first of them pass, and each n-th after it.
    #[doc(alias = "islice")]
    #[doc(alias = "element_at")]
    #[doc(alias = "nth")]
    #[track_caller]
    fn slice(
        self, // Needed twice? `.share()` it first.
        range: impl RangeBounds<u64>,
    ) -> shape::Slice<Self::Run> {
        shape::Slice::new(self.into_run(), &range)
    }

    /// Lets elements pass until `other` emits its first, and ends then.
    #[doc(alias = "takeUntil")]
    #[track_caller]
    fn take_until<U: Flow>(
        self, // Needed twice? `.share()` it first.
        other: U,
    ) -> join::TakeUntil<Self::Run, U::Run> {
        join::TakeUntil::new(self.into_run(), other.into_run())
    }

    /// Emits `items` as soon as it is connected, before the first element.
    #[doc(alias = "prepend")]
    #[track_caller]
    fn start_with<I>(
        self, // Needed twice? `.share()` it first.
        items: I,
    ) -> shape::StartWith<Self::Run, I::IntoIter>
    where
        I: IntoIterator<Item = Self::Item, IntoIter: InGraph>,
    {
        shape::StartWith::new(self.into_run(), items.into_iter())
    }

    /// Emits the elements of `other` once this flow has closed; those that come before are held.
    ///
    /// `.capacity(n)` says how many, `.on_full(…)` what happens to one more.
    #[doc(alias = "concat")]
    #[doc(alias = "append")]
    #[doc(alias = "concat_with")]
    #[track_caller]
    fn chain<B>(
        self, // Needed twice? `.share()` it first.
        other: B,
    ) -> join::Chain<Self::Run, B::Run>
    where
        B: Flow<Item = Self::Item>,
    {
        join::Chain::new(self.into_run(), other.into_run())
    }

    /// Folds all elements into a state that begins with `init`, and emits it at the close.
    #[doc(alias = "reduce")]
    #[doc(alias = "aggregate")]
    #[track_caller]
    fn fold<S, F>(
        self, // Needed twice? `.share()` it first.
        init: S,
        f: F,
    ) -> group::Fold<Self::Run, S, F>
    where
        S: InGraph,
        F: FnMut(S, Self::Item) -> S + InGraph,
    {
        group::Fold::new(self.into_run(), init, f)
    }

    /// Folds all elements by an [`Aggregate`], and emits it at the close, if there were any.
    #[doc(alias = "reduce")]
    #[doc(alias = "aggregate")]
    #[doc(alias = "count")]
    #[doc(alias = "sum")]
    #[track_caller]
    fn fold_all<A>(
        self, // Needed twice? `.share()` it first.
        aggregate: A,
    ) -> group::FoldAll<Self::Run, A>
    where
        A: Aggregate<Self::Item>,
    {
        group::FoldAll::new(self.into_run(), aggregate)
    }

    /// Makes a `Vec` of the elements since the last time that [`Flush::flush`](crate::Flush::flush) was
    /// called, when it is called again.
    ///
    /// `.max_len(n)` bounds it.
    #[doc(alias = "cache")]
    #[track_caller]
    #[must_use = "a flow does nothing until it ends in a sink"]
    fn collect(
        self, // Needed twice? `.share()` it first.
    ) -> (group::Collect<Self::Run>, group::Flush) {
        group::Collect::new(self.into_run())
    }

    /// Makes a `Vec` of the elements between those of `other`, with each of them.
    ///
    /// `.max_len(n)` bounds it.
    #[doc(alias = "buffer_when")]
    #[doc(alias = "window_when")]
    #[track_caller]
    fn collect_until<U: Flow>(
        self, // Needed twice? `.share()` it first.
        other: U,
    ) -> group::CollectUntil<Self::Run, U::Run> {
        group::CollectUntil::new(self.into_run(), other.into_run())
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
    fn partition(
        self, // Needed twice? `.share()` it first.
        n: usize,
    ) -> group::Partition<Self::Run> {
        group::Partition::new(self.into_run(), n)
    }

    /// Makes a `Vec` of every `n` elements of distinct keys, and of the rest at the close.
    ///
    /// Of several elements with one key the first is kept, or the last: `.keep(Keep::Last)`.
    #[doc(alias = "distinct")]
    #[track_caller]
    fn partition_unique<K, F>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        key: F,
    ) -> group::PartitionUnique<Self::Run, F>
    where
        F: FnMut(&Self::Item) -> K + InGraph,
        K: Hash + Eq + InGraph,
    {
        group::PartitionUnique::new(self.into_run(), n, key)
    }

    /// Makes a `Vec` of the last `n` elements, with each element. `.full()` waits for n.
    #[doc(alias = "windows")]
    #[doc(alias = "tuple_windows")]
    #[doc(alias = "moving")]
    #[track_caller]
    fn sliding_window(
        self, // Needed twice? `.share()` it first.
        n: usize,
    ) -> group::SlidingWindow<Self::Run>
    where
        Self::Item: Clone,
    {
        group::SlidingWindow::new(self.into_run(), n)
    }

    /// Makes a `Vec` of the elements of each stretch of time of length `every`.
    ///
    /// `.keep_empty()` emits stretches without elements too; `.max_len(n)` bounds a window. To keep
    /// figures and not elements, see [`fold_window`](Flow::fold_window).
    #[doc(alias = "window")]
    #[doc(alias = "tumbling_window")]
    #[doc(alias = "buffer_time")]
    #[doc(alias = "window_time")]
    #[track_caller]
    fn timed_window(
        self, // Needed twice? `.share()` it first.
        every: Duration,
    ) -> group::TimedWindow<Self::Run> {
        group::TimedWindow::new(self.into_run(), every)
    }

    /// Makes a `Vec` of the elements of each stretch of time of length `every`, at most one a key.
    ///
    /// Of several elements with one key the first is kept, or the last: `.keep(Keep::Last)`.
    #[doc(alias = "distinct")]
    #[track_caller]
    fn timed_window_unique<K, F>(
        self, // Needed twice? `.share()` it first.
        every: Duration,
        key: F,
    ) -> group::TimedWindowUnique<Self::Run, F>
    where
        F: FnMut(&Self::Item) -> K + InGraph,
        K: Hash + Eq + InGraph,
    {
        group::TimedWindowUnique::new(self.into_run(), every, key)
    }

    /// Makes a `Vec` of elements with no pause as long as `gap` between them.
    ///
    /// `.max_len(n)` bounds a session. To keep figures and not elements, see
    /// [`fold_session`](Flow::fold_session).
    #[doc(alias = "session_window")]
    #[doc(alias = "group_by_inactivity")]
    #[doc(alias = "burst")]
    #[track_caller]
    fn session(
        self, // Needed twice? `.share()` it first.
        gap: Duration,
    ) -> group::Session<Self::Run> {
        group::Session::new(self.into_run(), gap)
    }

    /// Folds elements with no pause as long as `gap` between them, and keeps none of them.
    #[doc(alias = "session_window")]
    #[track_caller]
    fn fold_session<A>(
        self, // Needed twice? `.share()` it first.
        gap: Duration,
        aggregate: A,
    ) -> group::FoldSession<Self::Run, A>
    where
        A: Aggregate<Self::Item>,
    {
        group::FoldSession::new(self.into_run(), gap, aggregate)
    }

    /// Folds the elements of the last `duration`, with each element.
    ///
    /// `.max_len(n)` bounds the window.
    #[doc(alias = "moving")]
    #[doc(alias = "moving_average")]
    #[doc(alias = "running")]
    #[doc(alias = "window")]
    #[track_caller]
    fn rolling_time<A>(
        self, // Needed twice? `.share()` it first.
        duration: Duration,
        aggregate: A,
    ) -> group::RollingTime<Self::Run, A>
    where
        A: Aggregate<Self::Item>,
    {
        group::RollingTime::new(self.into_run(), duration, aggregate)
    }

    /// Folds the elements of each stretch of time of length `every`, and keeps none of them.
    #[doc(alias = "window")]
    #[doc(alias = "tumbling_window")]
    #[doc(alias = "resample")]
    #[track_caller]
    fn fold_window<A>(
        self, // Needed twice? `.share()` it first.
        every: Duration,
        aggregate: A,
    ) -> group::FoldWindow<Self::Run, A>
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
    fn fold_partition<A>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        aggregate: A,
    ) -> group::FoldPartition<Self::Run, A>
    where
        A: Aggregate<Self::Item>,
    {
        group::FoldPartition::new(self.into_run(), n, aggregate)
    }

    /// Folds the last `n` elements, with each element. `.full()` waits for n; `.with_element()` emits
    /// the element beside the figure.
    ///
    /// Several figures in one go: `rolling(100, (Mean, Max))` emits tuples;
    /// `Mean.of(|r: &Reading| r.value)` folds a field. See [`aggregate`](crate::aggregate) for what there is.
    #[doc(alias = "moving")]
    #[doc(alias = "moving_average")]
    #[doc(alias = "running")]
    #[doc(alias = "window")]
    #[track_caller]
    fn rolling<A>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        aggregate: A,
    ) -> group::Rolling<Self::Run, A>
    where
        A: Aggregate<Self::Item>,
    {
        group::Rolling::new(self.into_run(), n, aggregate)
    }

    // ---- keyed state ----

    /// Sends the elements of each `key` through a run of their own, which `build` makes of them, and
    /// merges what comes out.
    ///
    /// [`Keys`](crate::Keys) bounds how many keys live, and for how long. Rolling statistics beside
    /// each reading: `readings.per_key(|r| r.device, Keys::max(10_000), |_, flow| flow.rolling(100,
    /// Mean.of(|r: &Reading| r.value)).with_element())`.
    #[doc(alias = "group_by")]
    #[doc(alias = "key_by")]
    #[doc(alias = "keyed")]
    #[doc(alias = "into_group_map")]
    #[track_caller]
    fn per_key<K, B, F, O>(
        self, // Needed twice? `.share()` it first.
        key: B,
        keys: group::Keys,
        build: F,
    ) -> group::PerKey<Self::Run, B, F>
    where
        B: FnMut(&Self::Item) -> K + InGraph,
        K: std::hash::Hash + Eq + InGraph,
        F: FnMut(&K, group::KeyFlow<Self::Item>) -> O + InGraph,
        O: Flow,
    {
        group::PerKey::new(self.into_run(), key, keys, build)
    }

    /// Applies `f` to the state of the element's `key`, which it may change, and each element.
    ///
    /// `init` makes the state of a new key; [`Keys`](crate::Keys) bounds how many live, and for how
    /// long. `.on_expire(…)` emits something of the states that go.
    #[doc(alias = "stateful_map")]
    #[doc(alias = "keyed_state")]
    #[doc(alias = "map_accum")]
    #[track_caller]
    fn map_with_state_by_key<K, S, U, B, I, F>(
        self, // Needed twice? `.share()` it first.
        key: B,
        keys: group::Keys,
        init: I,
        f: F,
    ) -> group::MapWithStateByKey<Self::Run, B, I, F>
    where
        B: FnMut(&Self::Item) -> K + InGraph,
        K: std::hash::Hash + Eq + InGraph,
        I: FnMut(&K) -> S + InGraph,
        S: InGraph,
        F: FnMut(&mut S, Self::Item) -> U + InGraph,
        U: InGraph,
    {
        group::MapWithStateByKey::new(self.into_run(), key, keys, init, f)
    }

    // ---- several flows become one ----

    /// Pairs the elements of two flows by position, or puts a [`literal`](crate::literal) beside each.
    /// For up to eight flows there is [`zip`](crate::zip()), which takes a tuple of them.
    #[track_caller]
    fn zip<B: join::ZipInput>(
        self, // Needed twice? `.share()` it first.
        other: B,
    ) -> join::Zip<(Self::Run, B::Run)> {
        join::zip((self, other))
    }

    /// Merges two flows of one type, in the order in which elements come. For up to eight flows there
    /// is [`union`](crate::union()), which takes a tuple of them.
    #[doc(alias = "merge")]
    #[doc(alias = "or")]
    #[track_caller]
    fn union<B>(
        self, // Needed twice? `.share()` it first.
        other: B,
    ) -> join::Union<(Self::Run, B::Run)>
    where
        B: Flow<Item = Self::Item>,
    {
        join::union((self, other))
    }

    /// Joins each element of this flow with the latest one of `other`; those that come before `other`
    /// had one wait for it. For more flows there is [`zip_latest`](crate::zip_latest()).
    #[track_caller]
    fn zip_latest<B>(
        self, // Needed twice? `.share()` it first.
        other: B,
    ) -> join::ZipLatest<Self::Run, (B::Run,)>
    where
        B: Flow<Item: Forkable>,
    {
        join::zip_latest(self, other)
    }

    /// Joins the latest elements of two flows, for each element of either. For up to eight flows
    /// there is [`combine_latest`](crate::combine_latest()), which takes a tuple of them.
    #[doc(alias = "combineLatest")]
    #[track_caller]
    fn combine_latest<B>(
        self, // Needed twice? `.share()` it first.
        other: B,
    ) -> join::CombineLatest<(Self::Run, B::Run)>
    where
        Self::Item: Forkable,
        B: Flow<Item: Forkable>,
    {
        join::combine_latest((self, other))
    }

    /// Calls the closure with each element and the latest one of `other`, which is `initial` until one
    /// came. It copies nothing and holds back nothing: for a configuration that changes at times.
    #[doc(alias = "withLatestFrom")]
    #[doc(alias = "with_latest_from")]
    #[track_caller]
    fn with_latest<C, U, F>(
        self, // Needed twice? `.share()` it first.
        other: C,
        initial: C::Item,
        f: F,
    ) -> join::WithLatest<Self::Run, C::Run, F>
    where
        C: Flow,
        U: InGraph,
        F: FnMut(Self::Item, &C::Item) -> U + InGraph,
    {
        join::WithLatest::new(self.into_run(), other.into_run(), initial, f)
    }

    // ---- an element waits ----

    /// Lets up to `capacity` elements wait for the driver, so that the emitter does not.
    ///
    /// `.on_full(…)` says what happens to one more: see [`OnFull`](crate::OnFull).
    #[doc(alias = "queue")]
    #[doc(alias = "channel")]
    #[doc(alias = "on_backpressure_buffer")]
    #[track_caller]
    fn buffer(
        self, // Needed twice? `.share()` it first.
        capacity: usize,
    ) -> hold::Buffer<Self::Run> {
        hold::Buffer::new(self.into_run(), capacity)
    }

    /// Lets each element go on when `by` has passed since it came.
    #[doc(alias = "delay_by")]
    #[doc(alias = "lag")]
    #[track_caller]
    fn delay(
        self, // Needed twice? `.share()` it first.
        by: Duration,
    ) -> hold::Delay<Self::Run> {
        hold::Delay::new(self.into_run(), by)
    }

    /// Lets one element go on within each stretch of `within`; the others wait. Nothing is lost.
    ///
    /// `.at_most(n)` lets n of them go.
    #[doc(alias = "limit_rate")]
    #[doc(alias = "token_bucket")]
    #[doc(alias = "spaced")]
    #[track_caller]
    fn rate_limit(
        self, // Needed twice? `.share()` it first.
        within: Duration,
    ) -> hold::RateLimit<Self::Run> {
        hold::RateLimit::new(self.into_run(), within)
    }

    /// Lets one element pass within each stretch of `within`, the first; the others are lost, counted.
    #[doc(alias = "throttle_first")]
    #[doc(alias = "throttle_leading")]
    #[track_caller]
    fn throttle(
        self, // Needed twice? `.share()` it first.
        within: Duration,
    ) -> hold::Throttle<Self::Run> {
        hold::Throttle::new(self.into_run(), within)
    }

    /// Lets the newest element of each stretch of `every` go at its end; the others are lost, counted.
    #[doc(alias = "throttle_last")]
    #[doc(alias = "throttle_trailing")]
    #[doc(alias = "sample_time")]
    #[track_caller]
    fn sample(
        self, // Needed twice? `.share()` it first.
        every: Duration,
    ) -> hold::Sample<Self::Run> {
        hold::Sample::new(self.into_run(), every)
    }

    /// Lets an element go on when no other has come for `pause`; those before it are lost, counted.
    #[doc(alias = "throttle_with_timeout")]
    #[doc(alias = "debounce_time")]
    #[track_caller]
    fn debounce(
        self, // Needed twice? `.share()` it first.
        pause: Duration,
    ) -> hold::Debounce<Self::Run> {
        hold::Debounce::new(self.into_run(), pause)
    }

    /// Lets only the newest element wait for the driver; older ones are lost, counted.
    #[doc(alias = "on_backpressure_latest")]
    #[doc(alias = "keep_latest")]
    #[doc(alias = "watch")]
    #[track_caller]
    fn latest(self, // Needed twice? `.share()` it first.
    ) -> hold::Latest<Self::Run> {
        hold::Latest::new(self.into_run())
    }

    /// Merges what waits for the driver by `merge(&mut waiting, newcomer)`. Nothing is lost.
    #[doc(alias = "on_backpressure_reduce")]
    #[doc(alias = "coalesce")]
    #[track_caller]
    fn conflate<F>(
        self, // Needed twice? `.share()` it first.
        merge: F,
    ) -> hold::Conflate<Self::Run, F>
    where
        F: FnMut(&mut Self::Item, Self::Item) + InGraph,
    {
        hold::Conflate::new(self.into_run(), merge)
    }

    /// Emits `make()` when for `quiet` no element has come, once in each such stretch.
    #[doc(alias = "timeout")]
    #[doc(alias = "heartbeat")]
    #[doc(alias = "keep_alive")]
    #[track_caller]
    fn on_idle<F>(
        self, // Needed twice? `.share()` it first.
        quiet: Duration,
        make: F,
    ) -> hold::OnIdle<Self::Run, F>
    where
        F: FnMut() -> Self::Item + InGraph,
    {
        hold::OnIdle::new(self.into_run(), quiet, make)
    }

    /// Replays a recording: elements go on at the distances of their timestamps, divided by `speed`.
    ///
    /// A speed is a number, such as `10.0`, or [`Speed::Max`](crate::Speed::Max).
    #[doc(alias = "replay")]
    #[doc(alias = "play")]
    #[doc(alias = "simulate")]
    #[track_caller]
    fn pace<F>(
        self, // Needed twice? `.share()` it first.
        timestamp: F,
        speed: impl Into<hold::Speed>,
    ) -> hold::Pace<Self::Run, F>
    where
        F: FnMut(&Self::Item) -> Time + InGraph,
    {
        hold::Pace::new(self.into_run(), timestamp, speed.into())
    }

    /// Awaits a future for each element, at most `n` at once; their results go on in order.
    ///
    /// `.unordered()` lets them go on as they come; `.by_key(f)` keeps the order of each key.
    #[doc(alias = "buffered")]
    #[doc(alias = "buffer_unordered")]
    #[doc(alias = "ordered_by_key")]
    #[doc(alias = "then")]
    #[doc(alias = "merge_map")]
    #[doc(alias = "concat_map")]
    #[track_caller]
    fn map_async<U, F, Fut>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        f: F,
    ) -> hold::MapAsync<Self::Run, F>
    where
        F: FnMut(Self::Item) -> Fut + InGraph,
        Fut: Future<Output = U> + InGraph,
        U: InGraph,
    {
        hold::MapAsync::new(self.into_run(), n, f)
    }

    /// As [`map_async`](Flow::map_async), for futures that may fail. `.retry(policy)` tries again.
    #[doc(alias = "try_buffered")]
    #[doc(alias = "retry")]
    #[doc(alias = "and_then")]
    #[track_caller]
    fn try_map_async<U, F, Fut>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        f: F,
    ) -> hold::TryMapAsync<Self::Run, F>
    where
        F: FnMut(Self::Item) -> Fut + InGraph,
        Fut: Future<Output = Result<U, BoxError>> + InGraph,
        U: InGraph,
    {
        hold::TryMapAsync::new(self.into_run(), n, f)
    }

    /// As [`try_map_async`](Flow::try_map_async), for futures that borrow the element: nothing is cloned
    /// for another attempt, and a failure brings its element along.
    #[doc(alias = "borrow")]
    #[doc(alias = "lend")]
    #[doc(alias = "by_ref")]
    #[doc(alias = "retry")]
    #[track_caller]
    fn try_map_async_ref<U, F>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        f: F,
    ) -> hold::TryMapAsyncRef<Self::Run, F>
    where
        Self::Item: Lendable,
        F: for<'a> FnMut(&'a Self::Item) -> BoxFuture<'a, Result<U, BoxError>> + InGraph,
        U: InGraph,
    {
        hold::TryMapAsyncRef::new(self.into_run(), n, f)
    }

    /// Applies `f`, which may block, to each element, on up to `n` threads of its own.
    #[doc(alias = "spawn_blocking")]
    #[doc(alias = "par_map")]
    #[track_caller]
    fn map_blocking<U, F>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        f: F,
    ) -> hold::MapBlocking<Self::Run, F>
    where
        F: Fn(Self::Item) -> U + InGraph + Sync,
        U: InGraph,
    {
        hold::MapBlocking::new(self.into_run(), n, f)
    }

    /// As [`map_blocking`](Flow::map_blocking), for a closure that may fail. `.retry(policy)` tries
    /// again.
    #[doc(alias = "spawn_blocking")]
    #[track_caller]
    fn try_map_blocking<U, F>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        f: F,
    ) -> hold::TryMapBlocking<Self::Run, F>
    where
        F: Fn(Self::Item) -> Result<U, BoxError> + InGraph + Sync,
        U: InGraph,
    {
        hold::TryMapBlocking::new(self.into_run(), n, f)
    }

    /// Makes a stream of each element, and emits the elements of the latest one only: the stream
    /// before it is dropped.
    #[doc(alias = "flat_map_latest")]
    #[doc(alias = "switch_latest")]
    #[track_caller]
    fn switch_map<S, F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> hold::SwitchMap<Self::Run, F>
    where
        F: FnMut(Self::Item) -> S + InGraph,
        S: Stream<Item: InGraph> + InGraph,
    {
        hold::SwitchMap::new(self.into_run(), f)
    }

    /// Makes a stream of each element, at most `n` at once, and emits what they give as it comes.
    ///
    /// With `n` = 1 they go one after another, in order.
    #[doc(alias = "merge_map")]
    #[doc(alias = "flat_map_merge")]
    #[doc(alias = "flat_map_unordered")]
    #[doc(alias = "flatten_unordered")]
    #[doc(alias = "concat_map")]
    #[track_caller]
    fn flat_map_stream<S, F>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        f: F,
    ) -> hold::FlatMapStream<Self::Run, F>
    where
        F: FnMut(Self::Item) -> S + InGraph,
        S: Stream<Item: InGraph> + InGraph,
    {
        hold::FlatMapStream::new(self.into_run(), n, f)
    }

    // ---- forks, names, erasure ----

    /// Names the operator in front, for errors, pictures and snapshots. Before
    /// [`share`](Flow::share), not after it: a named flow is a flow again, with one branch.
    #[doc(alias = "label")]
    fn named(
        self, // Needed twice? `.share()` it first.
        name: impl Into<String>,
    ) -> shape::Named<Self::Run> {
        shape::Named::new(self.into_run(), name.into())
    }

    /// Erases how the flow was made, for struct fields and return types.
    #[doc(alias = "erase")]
    fn boxed(self, // Needed twice? `.share()` it first.
    ) -> shape::BoxFlow<Self::Item> {
        shape::BoxFlow::new(self.into_run())
    }

    /// Ends the run in a node that any number of flows may hang from: see [`Shared`].
    #[doc(alias = "tee")]
    #[doc(alias = "broadcast")]
    #[doc(alias = "publish")]
    #[track_caller]
    #[must_use = "a shared node does nothing until flows hang from it"]
    fn share(self, // Needed twice? `.share()` it first.
    ) -> Shared<Self::Item>
    where
        Self::Item: Forkable,
    {
        Shared::end_of(self.into_run(), Site::new("share"))
    }

    // ---- errors ----

    /// Applies `f`, which may fail, to each element.
    #[doc(alias = "and_then")]
    #[track_caller]
    fn try_map<U, F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> shape::TryMap<Self::Run, F>
    where
        F: FnMut(Self::Item) -> Result<U, BoxError> + InGraph,
        U: InGraph,
    {
        shape::TryMap::new(self.into_run(), f)
    }

    /// Lets the elements pass that `predicate`, which may fail, holds for.
    #[track_caller]
    fn try_filter<F>(
        self, // Needed twice? `.share()` it first.
        predicate: F,
    ) -> shape::TryFilter<Self::Run, F>
    where
        F: FnMut(&Self::Item) -> Result<bool, BoxError> + InGraph,
    {
        shape::TryFilter::new(self.into_run(), predicate)
    }

    /// Handles the failures that come from above: what `handler` returns takes the element's place;
    /// with `None` the place stays empty.
    #[doc(alias = "catch_error")]
    #[doc(alias = "recover")]
    #[doc(alias = "on_error_resume")]
    #[track_caller]
    fn catch<F>(
        self, // Needed twice? `.share()` it first.
        handler: F,
    ) -> shape::Catch<Self::Run, F>
    where
        F: FnMut(Failure) -> Option<Self::Item> + InGraph,
    {
        shape::Catch::new(self.into_run(), handler)
    }

    /// Parts the flow in two: of its elements, and of the failures that come from above.
    ///
    #[doc = include_str!("shape/split_errors.md")]
    #[doc(alias = "partition_result")]
    #[track_caller]
    #[must_use = "the flows do nothing until they end in sinks"]
    fn split_errors(
        self, // Needed twice? `.share()` it first.
    ) -> (Head<Self::Item>, Head<Failure>) {
        shape::split_errors(self.into_run())
    }

    /// Emits the failures that come from above into `source`, with the element where the operator
    /// still had it; the elements go on.
    #[doc(alias = "dead_letter_queue")]
    #[doc(alias = "dlq")]
    #[track_caller]
    fn dead_letter(
        self, // Needed twice? `.share()` it first.
        source: &crate::Source<Failure>,
    ) -> end::DeadLetter<Self::Run> {
        end::DeadLetter::new(self.into_run(), source)
    }

    // ---- where a run ends ----

    /// Calls `f` with each element.
    ///
    #[doc = include_str!("end/sink.md")]
    #[doc(alias = "for_each")]
    #[doc(alias = "subscribe")]
    #[track_caller]
    fn sink<F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> crate::Branch
    where
        F: FnMut(Self::Item) + InGraph,
    {
        end::sink(self.into_run(), f)
    }

    /// Calls `f`, which may fail, with each element.
    ///
    #[doc = include_str!("end/try_sink.md")]
    #[doc(alias = "try_for_each")]
    #[track_caller]
    fn try_sink<F>(
        self, // Needed twice? `.share()` it first.
        f: F,
    ) -> crate::Branch
    where
        F: FnMut(Self::Item) -> Result<(), BoxError> + InGraph,
    {
        end::try_sink(self.into_run(), f)
    }

    /// Keeps the elements in a list that the caller can look at: see [`List`](crate::List).
    #[doc(alias = "to_vec")]
    #[track_caller]
    fn sink_to_list(self, // Needed twice? `.share()` it first.
    ) -> end::List<Self::Item> {
        end::sink_to_list(self.into_run())
    }

    /// Awaits a future for each element, at most `n` at once.
    ///
    #[doc = include_str!("end/sink_async.md")]
    #[doc(alias = "for_each_concurrent")]
    #[track_caller]
    fn sink_async<F, Fut>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        f: F,
    ) -> crate::Branch
    where
        F: FnMut(Self::Item) -> Fut + InGraph,
        Fut: Future<Output = ()> + InGraph,
    {
        end::sink_async(self.into_run(), n, f)
    }

    /// As [`sink_async`](Flow::sink_async), for futures that may fail. `.retry(policy)` tries again.
    ///
    #[doc = include_str!("end/try_sink_async.md")]
    #[doc(alias = "try_for_each_concurrent")]
    #[doc(alias = "retry")]
    #[track_caller]
    fn try_sink_async<F, Fut>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        f: F,
    ) -> end::TryBranch<Self::Item>
    where
        F: FnMut(Self::Item) -> Fut + InGraph,
        Fut: Future<Output = Result<(), BoxError>> + InGraph,
    {
        end::try_sink_async(self.into_run(), n, f)
    }

    /// As [`try_sink_async`](Flow::try_sink_async), for futures that borrow the element: nothing is cloned
    /// for another attempt.
    ///
    #[doc = include_str!("end/try_sink_async_ref.md")]
    #[doc(alias = "borrow")]
    #[doc(alias = "lend")]
    #[doc(alias = "by_ref")]
    #[doc(alias = "retry")]
    #[track_caller]
    fn try_sink_async_ref<F>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        f: F,
    ) -> end::TryRefBranch<Self::Item>
    where
        Self::Item: Lendable,
        F: for<'a> FnMut(&'a Self::Item) -> BoxFuture<'a, Result<(), BoxError>> + InGraph,
    {
        end::try_sink_async_ref(self.into_run(), n, f)
    }

    /// Calls `f`, which may block, with each element, on up to `n` threads of its own.
    ///
    #[doc = include_str!("end/sink_blocking.md")]
    #[track_caller]
    fn sink_blocking<F>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        f: F,
    ) -> crate::Branch
    where
        F: Fn(Self::Item) + InGraph + Sync,
    {
        end::sink_blocking(self.into_run(), n, f)
    }

    /// As [`sink_blocking`](Flow::sink_blocking), for a closure that may fail. `.retry(policy)` tries
    /// again.
    ///
    #[doc = include_str!("end/try_sink_blocking.md")]
    #[doc(alias = "retry")]
    #[track_caller]
    fn try_sink_blocking<F>(
        self, // Needed twice? `.share()` it first.
        n: usize,
        f: F,
    ) -> end::TryBranch<Self::Item>
    where
        F: Fn(Self::Item) -> Result<(), BoxError> + InGraph + Sync,
    {
        end::try_sink_blocking(self.into_run(), n, f)
    }

    /// Sends each element into a `futures::Sink`, and flushes it.
    ///
    #[doc = include_str!("end/forward.md")]
    #[doc(alias = "send_all")]
    #[track_caller]
    fn forward<S>(
        self, // Needed twice? `.share()` it first.
        sink: S,
    ) -> crate::Branch
    where
        S: Sink<Self::Item, Error: Into<BoxError>> + InGraph,
    {
        end::forward(self.into_run(), sink)
    }

    /// Ends the run in a `futures::Stream` that holds up to `capacity` elements: see
    /// [`FlowStream`](crate::FlowStream).
    #[doc(alias = "subscribe")]
    #[track_caller]
    fn into_stream(
        self, // Needed twice? `.share()` it first.
        capacity: usize,
    ) -> end::FlowStream<Self::Item> {
        end::into_stream(self.into_run(), capacity)
    }

    /// Emits each element into `source`, a source of the same graph.
    ///
    #[doc = include_str!("end/connect.md")]
    #[doc(alias = "feedback")]
    #[doc(alias = "cycle")]
    #[track_caller]
    fn connect(
        self, // Needed twice? `.share()` it first.
        source: &crate::Source<Self::Item>,
    ) -> crate::Branch {
        end::connect(self.into_run(), source)
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
