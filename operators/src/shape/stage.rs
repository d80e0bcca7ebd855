//! `stage`: an operator of one's own.

use std::sync::Arc;

use super::step::{Step, StepPush};
use crate::engine::{BoxError, Cx, Failure, Graph, Label, Plan, Push, Role, Signal, Site, Time};
use crate::flow::{InGraph, Run};

/// An operator of one's own: what [`Flow::stage`](crate::Flow::stage) puts into a run.
///
/// Only [`on_item`](Stage::on_item) must be written. It may emit any number of elements for each one
/// that comes, and keep what it likes. It runs under the graph's lock and must not block.
///
/// The signature names [`Push`], the protocol between operators, so that the stage and what
/// follows it are compiled into one, as an operator of this crate is; there is nothing to call on it.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::{Outlet, Push, Stage};
///
/// /// Emits the highest of each rise.
/// #[derive(Default)]
/// struct Peaks {
///     last: Option<i32>,
///     rising: bool,
/// }
///
/// impl Stage<i32, i32> for Peaks {
///     fn on_item(&mut self, item: i32, out: &mut Outlet<'_, impl Push<i32>>) {
///         if let Some(last) = self.last.replace(item) {
///             if self.rising && item < last {
///                 out.emit(last);
///             }
///             self.rising = item > last;
///         }
///     }
///
///     fn on_close(&mut self, out: &mut Outlet<'_, impl Push<i32>>) {
///         if let Some(last) = self.last.filter(|_| self.rising) {
///             out.emit(last);
///         }
///     }
/// }
///
/// let source = Source::<i32>::new();
/// let peaks = source.stage(Peaks::default()).sink_to_list();
/// source.emit_all([1, 3, 2, 0, 5])?;
/// assert_eq!(peaks.take(), [3]);
/// source.close();
/// assert_eq!(peaks.take(), [5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Stage<In, Out>: InGraph {
    /// Takes one element, and emits what becomes of it.
    fn on_item(&mut self, item: In, out: &mut Outlet<'_, impl Push<Out>>);

    /// How many elements [`on_item`](Stage::on_item) emits for one at the most; `None`, unless it is
    /// overridden: nobody knows.
    ///
    /// It is worth saying where something downstream has only so much room (a buffer, a join, an
    /// asynchronous step): batches are cut so that what becomes of them fits, and of a stage that may
    /// emit any number they are cut to one element. A stage that emits one or none says `Some(1)`. Where
    /// one emits more than it said, what follows holds that much more than its capacity, or does what it
    /// does with elements that it has no room for.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    /// use headwater::{Outlet, Push, Stage};
    ///
    /// struct Positive;
    ///
    /// impl Stage<i32, i32> for Positive {
    ///     fn on_item(&mut self, item: i32, out: &mut Outlet<'_, impl Push<i32>>) {
    ///         if item > 0 {
    ///             out.emit(item);
    ///         }
    ///     }
    ///
    ///     fn at_most(&self) -> Option<usize> {
    ///         Some(1)
    ///     }
    /// }
    ///
    /// let graph = Graph::new();
    /// let _time = graph.drive_manually();
    /// let source = graph.source::<i32>();
    /// let _ = source.stage(Positive).buffer(4).sink_to_list();
    /// // It fills the buffer in batches of what fits, and is told when nothing does any more.
    /// let error = source.emit_all(1..9).unwrap_err();
    /// assert_eq!(error.accepted, 4);
    /// ```
    fn at_most(&self) -> Option<usize> {
        None
    }

    /// Takes elements that came as one batch, as [`on_item`](Stage::on_item) does one by one; the time
    /// stands still meanwhile. What it leaves in `items` is dropped.
    ///
    /// To be written only where something can be done once for many of them: what they are is to come to
    /// the same, in batches or not. [`Outlet::emit_all`] passes a batch on as one.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    /// use headwater::{Outlet, Push, Stage};
    ///
    /// /// Leaves out the negative ones.
    /// struct Positive;
    ///
    /// impl Stage<i32, i32> for Positive {
    ///     fn on_item(&mut self, item: i32, out: &mut Outlet<'_, impl Push<i32>>) {
    ///         if item >= 0 {
    ///             out.emit(item);
    ///         }
    ///     }
    ///
    ///     fn on_batch(&mut self, items: &mut Vec<i32>, out: &mut Outlet<'_, impl Push<i32>>) {
    ///         // In place, where most stay.
    ///         items.retain(|item| *item >= 0);
    ///         out.emit_all(items);
    ///     }
    /// }
    ///
    /// let source = Source::<i32>::new();
    /// let list = source.stage(Positive).sink_to_list();
    /// source.emit_all([3, -1, 4])?;
    /// source.emit(-5)?;
    /// assert_eq!(list.take(), [3, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    fn on_batch(&mut self, items: &mut Vec<In>, out: &mut Outlet<'_, impl Push<Out>>) {
        for item in items.drain(..) {
            self.on_item(item, out);
        }
    }

    /// No element will follow: the last moment to emit. Called once at the most; not when the graph
    /// is torn down.
    fn on_close(&mut self, out: &mut Outlet<'_, impl Push<Out>>) {
        let _ = out;
    }
}

/// Where a [`Stage`] emits: the run that follows it.
pub struct Outlet<'a, N> {
    next: &'a mut N,
    label: &'a Arc<Label>,
    cx: &'a mut Cx,
}

impl<N> Outlet<'_, N> {
    /// Passes an element on; it runs through what follows before this returns, or in the batch that
    /// is under way. Nothing is refused: where an operator downstream is full, the source waits.
    #[inline]
    pub fn emit<T>(&mut self, item: T)
    where
        N: Push<T>,
    {
        self.next.push(item, self.cx);
    }

    /// Passes all elements on as a batch, and leaves `items` empty.
    #[inline]
    pub fn emit_all<T>(&mut self, items: &mut Vec<T>)
    where
        N: Push<T>,
    {
        if !items.is_empty() {
            self.next.push_batch(items, self.cx);
        }
    }

    /// The element under way failed: its failure goes on in its place, as that of
    /// [`try_map`](crate::Flow::try_map).
    #[cold]
    pub fn fail<T>(&mut self, error: impl Into<BoxError>)
    where
        N: Push<T>,
    {
        let failure = Failure::new(self.label, error);
        self.next.signal(Signal::Fail(failure), self.cx);
    }

    /// As [`fail`](Outlet::fail), with the element, which whoever handles the failure
    /// [can take](Failure::take_element).
    #[cold]
    pub fn fail_with<T>(&mut self, error: impl Into<BoxError>, element: impl InGraph)
    where
        N: Push<T>,
    {
        let failure = Failure::with_element(self.label, error, element);
        self.next.signal(Signal::Fail(failure), self.cx);
    }

    /// The time on the graph's clock. It stands still while an element is under way.
    #[inline]
    #[must_use]
    pub fn now(&mut self) -> Time {
        self.cx.now()
    }
}

impl<N> std::fmt::Debug for Outlet<'_, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet")
            .field("stage", &self.label.title())
            .finish_non_exhaustive()
    }
}

/// An operator of the user's own: see [`Flow::stage`](crate::Flow::stage), and [`Stage`] for a longer
/// example.
///
/// - **Emits** what the stage emits, at once.
/// - **Holds** what the stage keeps, which the graph does not see: elements kept there exert no
///   pressure, and the receipt of a tracked one does not wait for them.
/// - **Waits** never.
/// - **On close** the stage emits what it kept, then it closes.
/// - **Drops** what the stage drops; that is not counted.
/// - **Panics** where the stage does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::{Outlet, Push, Stage};
///
/// /// Emits every element twice.
/// struct Twice;
///
/// impl Stage<u8, u8> for Twice {
///     fn on_item(&mut self, item: u8, out: &mut Outlet<'_, impl Push<u8>>) {
///         out.emit(item);
///         out.emit(item);
///     }
/// }
///
/// let source = Source::<u8>::new();
/// let list = source.stage(Twice).sink_to_list();
/// source.emit_all([1, 2])?;
/// assert_eq!(list.take(), [1, 1, 2, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Staged<R, S, Out> {
    upstream: R,
    stage: S,
    site: Site,
    _out: std::marker::PhantomData<fn() -> Out>,
}

impl<R, S, Out> Staged<R, S, Out> {
    #[track_caller]
    pub(crate) fn new(upstream: R, stage: S) -> Self {
        Staged {
            upstream,
            stage,
            site: Site::new("stage"),
            _out: std::marker::PhantomData,
        }
    }
}

impl<R, S, Out> Run for Staged<R, S, Out>
where
    R: Run,
    S: Stage<R::Item, Out>,
    Out: InGraph,
{
    type Item = Out;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Out>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let step = StageStep {
            stage: self.stage,
            label,
            closed: false,
            limited: false,
        };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct StageStep<S> {
    stage: S,
    label: Arc<Label>,
    closed: bool,
    limited: bool,
}

impl<T, U, S: Stage<T, U>> Step<T, U> for StageStep<S> {
    // It may expand, and nobody knows unless it says.
    #[inline]
    fn limited(&mut self) -> Option<&mut bool> {
        Some(&mut self.limited)
    }

    fn at_most(&self) -> Option<usize> {
        self.stage.at_most()
    }

    #[inline]
    fn step<N: Push<U>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        let label = &self.label;
        self.stage.on_item(item, &mut Outlet { next, label, cx });
    }

    #[inline]
    fn step_batch<N: Push<U>>(&mut self, items: &mut Vec<T>, next: &mut N, cx: &mut Cx) {
        let label = &self.label;
        self.stage.on_batch(items, &mut Outlet { next, label, cx });
        items.clear();
    }

    fn close<N: Push<U>>(&mut self, next: &mut N, cx: &mut Cx) {
        // A branch that is disconnected after its source closed hears of it twice.
        if !std::mem::replace(&mut self.closed, true) {
            let label = &self.label;
            self.stage.on_close(&mut Outlet { next, label, cx });
        }
    }
}

impl<R, S, Out> std::fmt::Debug for Staged<R, S, Out> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staged").finish_non_exhaustive()
    }
}
