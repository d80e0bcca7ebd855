//! A source for many threads: each gathers its elements in a buffer of its own.

use std::panic::Location;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::clock::Time;
use super::context::Cx;
use super::error::GraphError;
use super::fork::{Copier, Fork};
use super::graph::{Core, Graph};
use super::head::Head;
use super::inbox;
use super::inlet::{Inlet, bits};
use super::park;
use super::plan::Plan;
use super::send_error::SendError;
use super::sharded_cell::{Bell, ShardedCell};
use super::sharded_way::ShardedWay;
use super::shards::Shards;
use super::source::Open;
use super::topology::{NodeId, Role, Site};
use crate::InGraph;
use crate::flow::{Flow, Forkable};

/// Where many threads send elements at a high rate: [`Graph::sharded`] makes one.
///
/// Where [`Source::emit`](crate::Source::emit) takes the graph's lock and runs an element through it,
/// `send` puts it into a buffer of the calling thread: some nanoseconds, no lock or cache line that all
/// senders share, and no waiting for the graph. The buffers are drained into the graph in batches, by
/// the thread that has gathered 256 elements ([`hand_over`](Shards::hand_over)) or by the graph's driver; on
/// demand by the driver alone ([`left_to_driver`](Shards::left_to_driver)).
///
/// A handle, like a `Source`: clones mean the same source and may be used from any thread, a flow hangs
/// from `&sharded`, and the source closes when the last handle is dropped.
///
/// - **Emits** what was sent, in batches: when a thread has sent 256 elements and the graph is free, at
///   a [`flush`](Sharded::flush), and 1 ms after it was sent at the latest
///   ([`max_age`](Shards::max_age), on the graph's clock). What was sent before a deadline of another
///   operator, such as the end of a window, is in the graph before that is met. The elements of one
///   thread keep their order. A batch runs at one moment of the graph's time, within `max_age` of when
///   each of its elements was sent.
/// - **Holds** up to 8 192 elements a shard ([`capacity`](Shards::capacity)), in 64 shards
///   ([`count`](Shards::count)). The memory of a burst is kept for the next one: as long as elements flow,
///   and any second of them has needed it.
/// - **Waits**: `send` never does. Where its shard is full the element comes back as
///   [`Full`](SendError::Full), or is dropped and counted
///   ([`send_or_drop`](Sharded::send_or_drop)). While an operator downstream is full, nothing is drained,
///   and the shards fill.
/// - **On close** everything that was accepted goes into the graph, then the close. Sends return
///   [`Closed`](SendError::Closed).
/// - **Drops** nothing that was accepted, except where the graph is stopped by a failure or given up.
///   What `send_or_drop` drops is counted at this source, as [`Loss::Overflow`](crate::Loss::Overflow)
///   or, where it would take nothing more, [`Loss::Unheard`](crate::Loss::Unheard).
/// - **Panics** never by itself. A thread that hands over a batch runs the closures of the graph, and
///   where one of them panics it unwinds from there, as from `emit`.
///
/// A failure of an element goes to the graph's handler ([`Graph::on_error`]), as who sent it has gone on.
/// The graph has a timer by this source: without a driver, sends are [refused](SendError::Undriven),
/// except where the data lead the clock. Then age is measured on that clock too, and an element may lie
/// in its shard until time moves, its shard has a batch, or somebody flushes.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::{Shards, prelude::*};
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let latencies = graph.sharded::<f64>(Shards::default()).named("latencies");
/// let means = latencies.fold_window(Duration::from_secs(3), Mean).sink_to_list();
/// latencies.send(1.5)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| latencies.send(2.5)).join().unwrap()
/// })?;
/// time.advance(Duration::from_secs(3));
/// assert_eq!(means.take(), [2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sharded<T> {
    way: ShardedWay<T>,
    open: Arc<Open>,
}

/// A handle of a [`Sharded`] source that does not keep it open: for sinks that feed their own graph.
pub struct WeakSharded<T> {
    core: Weak<Core>,
    cell: Weak<ShardedCell<T>>,
    open: Weak<Open>,
}

impl<T: InGraph> Sharded<T> {
    pub(super) fn new(graph: &Graph, shards: Shards, at: &'static Location<'static>) -> Self
    where
        T: Forkable,
    {
        // As a source: not part of a run within a node, as its handle may go anywhere.
        let mut plan = Plan::apart(graph);
        let site = Site {
            kind: "sharded",
            at,
        };
        let label = plan.node(site, Role::Source);
        let fork = Fork::new(label.id(), Some(Copier::new()));
        let cell = Arc::new(ShardedCell::new(graph.core(), shards, fork));
        plan.inlet(label.id(), cell.clone());
        let _ = plan.cell(&label, Bell(cell.clone()));
        plan.has_timers();
        let inlet = cell.clone();
        plan.at_once(move |cx| cx.gathering.push(inlet));
        let _ = plan.install();
        Sharded {
            open: Arc::new(Open {
                id: label.id(),
                core: graph.core().clone(),
                inlet: cell.clone(),
            }),
            way: ShardedWay {
                core: graph.core().clone(),
                cell,
            },
        }
    }

    /// Names the source, for errors, pictures and snapshots.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        let (id, name) = (self.id(), name.into());
        self.graph().change(move |cx| {
            if let Some(node) = cx.node(id) {
                node.label.set_name(name);
            }
        });
        self
    }

    /// Puts `item` into the calling thread's shard. Never waits for the graph; once in 256 elements it
    /// runs what the shard holds through the graph, if that is free: [`Shards::hand_over`] says how often, and
    /// [`Shards::left_to_driver`] never.
    ///
    /// From inside a closure of the same graph too: what is sent there runs once the element (or batch)
    /// under way has finished, or later.
    ///
    /// # Errors
    /// All give the element back: [`Full`](SendError::Full), [`Closed`](SendError::Closed),
    /// [`Undriven`](SendError::Undriven), [`Stopped`](SendError::Stopped),
    /// [`Poisoned`](SendError::Poisoned).
    #[inline]
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        self.way.send(item)
    }

    /// As [`send`](Sharded::send), with nothing to handle: an element that is not accepted is dropped,
    /// and counted at this source. Returns whether it was accepted.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::{Loss, Shards, prelude::*};
    ///
    /// let graph = Graph::new();
    /// let time = graph.drive_manually();
    /// let hits = graph.sharded::<u32>(Shards::default().capacity(2)).named("hits");
    /// let stream = hits.into_stream(4);
    /// for n in 0..20 {
    ///     hits.send_or_drop(n);
    /// }
    /// let snapshot = graph.snapshot()?;
    /// let counts = &snapshot.named("hits").unwrap().counts;
    /// assert_eq!((counts.passed, counts.held, counts.lost(Loss::Overflow)), (4, 2, 14));
    /// # let _ = (time, stream);
    /// # Ok::<(), GraphError>(())
    /// ```
    #[inline]
    pub fn send_or_drop(&self, item: T) -> bool {
        self.way.send_or_drop(item)
    }

    /// The graph's time, to within 1 ms ([`max_age`](Shards::max_age)): for stamping elements, where
    /// reading the system's clock would cost more than sending.
    ///
    /// While elements flow it is what the driver has read last, and as far behind as the driver is late:
    /// tokio's timers are by up to 1 ms, and a closure that keeps the graph busy for long keeps this
    /// time too. After a pause, and while nobody drives, the clock itself is read. It never runs
    /// backwards, not from one thread to another either; where the clock is driven by hand or led by the
    /// data it is exact.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::{Shards, prelude::*};
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let time = graph.drive_manually();
    /// let events = graph.sharded::<(Time, &str)>(Shards::default());
    /// let list = events.sink_to_list();
    /// time.advance(Duration::from_secs(2));
    /// events.send((events.now(), "login"))?;
    /// events.flush()?;
    /// assert_eq!(list.take(), [(Time::from_millis(2_000), "login")]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn now(&self) -> Time {
        self.way.now()
    }

    /// Takes everything that was sent before, by whatever thread, into the graph: it has passed every
    /// operator up to a sink or one that holds it when this returns `Ok`. Waits for the graph's lock, as
    /// `emit` does, and not for room: see [`flushed`](Sharded::flushed).
    ///
    /// From inside a closure of a graph that is busy it is queued instead, and done once the element (or
    /// batch) under way has finished.
    ///
    /// # Errors
    /// [`GraphError::Full`] while an operator downstream is full: what is left lies in the shards.
    /// [`GraphError::Poisoned`], [`GraphError::Stopped`].
    pub fn flush(&self) -> Result<(), GraphError> {
        self.way.flush()
    }

    /// As [`flush`](Sharded::flush), and waits while an operator downstream is full, for as long as
    /// something lies in a shard that was sent before the first poll. Never blocks the thread.
    ///
    /// # Errors
    /// [`GraphError::Undriven`] where it would wait for a driver and there is none;
    /// [`GraphError::Poisoned`], [`GraphError::Stopped`]; [`GraphError::Inside`] where it is polled by a
    /// closure of a graph.
    pub async fn flushed(&self) -> Result<(), GraphError> {
        self.way.flushed().await
    }

    /// As [`flushed`](Sharded::flushed), on the calling thread. Not for async code: a driver on the same
    /// thread would wait for this, and so would one that is driven by hand.
    ///
    /// # Errors
    /// As [`flushed`](Sharded::flushed).
    pub fn blocking_flush(&self) -> Result<(), GraphError> {
        if inbox::is_inside() {
            return Err(GraphError::Inside);
        }
        park::wait_for(self.flushed())
    }

    /// Closes the source for all its handles: later sends return `Closed`, and once what was accepted
    /// has run, closing travels down. From inside a closure it is queued.
    pub fn close(&self) {
        self.way.cell.clone().shut(&self.way.core.inbox);
        self.graph().change(|_| {});
    }

    /// Whether the source was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.way.cell.signs.state.load(Ordering::Relaxed) & bits::CLOSED != 0
    }

    /// Closes the source for all its handles, and has it go once what was accepted has drained, with all
    /// that hangs from it and from nothing else: as [`Source::destroy`](crate::Source::destroy).
    pub fn destroy(&self) {
        let run = self.id();
        self.way.cell.clone().shut(&self.way.core.inbox);
        self.graph().restructure(|topology| {
            let heads = topology.part(run)?;
            Some(move |cx: &mut Cx| cx.depart(run, &heads))
        });
    }

    /// A handle that does not keep the source open.
    #[must_use]
    pub fn downgrade(&self) -> WeakSharded<T> {
        WeakSharded {
            core: Arc::downgrade(&self.way.core),
            cell: Arc::downgrade(&self.way.cell),
            open: Arc::downgrade(&self.open),
        }
    }

    /// The graph that the source belongs to.
    #[must_use]
    pub fn graph(&self) -> Graph {
        self.way.graph()
    }

    /// The source's identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.way.cell.id
    }
}

impl<T> Clone for Sharded<T> {
    fn clone(&self) -> Self {
        Sharded {
            way: self.way.clone(),
            open: self.open.clone(),
        }
    }
}

impl<T: InGraph> WeakSharded<T> {
    /// As [`Sharded::send`]; `Closed` where the source, or its graph, is gone.
    ///
    /// # Errors
    /// As [`Sharded::send`].
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        match self.way() {
            Some(way) => way.send(item),
            None => Err(SendError::Closed(item)),
        }
    }

    /// As [`Sharded::send_or_drop`]. Where the source is gone nobody counts.
    pub fn send_or_drop(&self, item: T) -> bool {
        self.way().is_some_and(|way| way.send_or_drop(item))
    }

    /// A handle that keeps the source open, unless the last one was dropped.
    #[must_use]
    pub fn upgrade(&self) -> Option<Sharded<T>> {
        Some(Sharded {
            open: self.open.upgrade()?,
            way: self.way()?,
        })
    }

    fn way(&self) -> Option<ShardedWay<T>> {
        Some(ShardedWay {
            core: self.core.upgrade()?,
            cell: self.cell.upgrade()?,
        })
    }
}

impl<T> Clone for WeakSharded<T> {
    fn clone(&self) -> Self {
        WeakSharded {
            core: self.core.clone(),
            cell: self.cell.clone(),
            open: self.open.clone(),
        }
    }
}

impl<T: Forkable + InGraph> Flow for &Sharded<T> {
    type Item = T;
    type Run = Head<T>;

    fn into_run(self) -> Head<T> {
        Head::new(self.graph(), self.id())
    }
}

impl<T> std::fmt::Debug for Sharded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sharded")
            .field("id", &self.way.cell.id)
            .finish_non_exhaustive()
    }
}

impl<T> std::fmt::Debug for WeakSharded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WeakSharded(..)")
    }
}
