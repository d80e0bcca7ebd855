//! Where elements are emitted by hand, from any thread.

use std::future::poll_fn;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::Poll;

use super::cell::Cell;
use super::clock::Time;
use super::context::Cx;
use super::emitter::Emitter;
use super::error::{EmitAllError, EmitError};
use super::fork::{Copier, Fork};
use super::graph::{Core, Graph};
use super::head::{Head, Pipe};
use super::inbox::{self, Entry};
use super::inlet::{Inlet, SourceCell, bits};
use super::line::InLine;
use super::lineage::{Receipt, Token};
use super::park;
use super::plan::Plan;
use super::topology::{NodeId, Role, Site, TopologyNode};
use super::way::Way;
use crate::InGraph;
use crate::flow::{Flow, Forkable};

/// Where elements enter a graph: `emit` runs them through it.
///
/// A handle: clones mean the same source, and may be used from any thread. When the last one is
/// dropped the source closes, and goes once what was accepted has drained, with all that hangs from it
/// and from nothing else: what they counted stays in
/// [`Snapshot::gone`](crate::Snapshot#structfield.gone). Keep a handle until after the shutdown to have
/// them in its report one by one. See [`downgrade`](Source::downgrade) for a handle that does not keep
/// the source open. A flow hangs from `&source`, as often as wanted.
pub struct Source<T> {
    pub(super) way: Way<T>,
    open: Arc<Open>,
}

/// A handle of a source that does not keep it open: for sinks that feed their own graph.
pub struct WeakSource<T> {
    core: Weak<Core>,
    cell: Weak<SourceCell<T>>,
}

/// Dropped with the last handle: marks the source as closed, and to go once it is.
pub(super) struct Open {
    pub(super) id: NodeId,
    pub(super) core: Arc<Core>,
    pub(super) inlet: Arc<dyn Inlet>,
}

impl<T: InGraph> Source<T> {
    pub(crate) fn forking(graph: &Graph, at: &'static Location<'static>) -> Source<T>
    where
        T: Forkable,
    {
        Self::make(graph, at, Some(Copier::new()))
    }

    pub(crate) fn single(graph: &Graph, at: &'static Location<'static>) -> (Source<T>, Pipe<T>) {
        let source = Self::make(graph, at, None);
        let head = source.head();
        (source, Pipe { head })
    }

    fn make(graph: &Graph, at: &'static Location<'static>, copier: Option<Copier<T>>) -> Self {
        // Not part of a run within a node, where a closure that builds one makes a source: its handle
        // may go anywhere.
        let mut plan = Plan::apart(graph);
        let label = plan.node(Site { kind: "source", at }, Role::Source);
        let cell = Arc::new(SourceCell {
            id: label.id(),
            state: AtomicU8::new(0),
            head: Cell::new(graph.cell_owner(), Fork::new(label.id(), copier)),
            waiting: Mutex::default(),
            parked: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            senders: Mutex::default(),
            feeds: AtomicUsize::new(0),
            crowd: Mutex::default(),
            lead: OnceLock::new(),
        });
        plan.inlet(label.id(), cell.clone());
        let _ = plan.install();
        Source {
            open: Arc::new(Open {
                id: label.id(),
                core: graph.core().clone(),
                inlet: cell.clone(),
            }),
            way: Way {
                core: graph.core().clone(),
                cell,
            },
        }
    }

    /// Names the source, for errors, pictures and snapshots.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        let (id, name) = (self.way.cell.id, name.into());
        self.graph().change(move |cx| {
            if let Some(node) = cx.node(id) {
                node.label.set_name(name);
            }
        });
        self
    }

    /// Runs `item` through the graph, up to sinks and operators that hold it.
    ///
    /// From inside a closure of the same graph the element is queued, and runs once the element (or
    /// batch) under way has finished; a failure of it goes to the graph's handler.
    ///
    /// # Errors
    /// [`Failed`](EmitError::Failed): accepted, and an operator failed on it. All others give the
    /// element back: [`Full`](EmitError::Full), [`Closed`](EmitError::Closed),
    /// [`Undriven`](EmitError::Undriven), [`Stopped`](EmitError::Stopped),
    /// [`Poisoned`](EmitError::Poisoned).
    #[inline(always)]
    pub fn emit(&self, item: T) -> Result<(), EmitError<T>> {
        self.way.emit(item)
    }

    /// Runs all of `items` through the graph, in batches; returns how many there were.
    ///
    /// The lock is taken once a batch, and not held while the iterator is asked for elements. A
    /// batch may take one branch of a fork before the next sees it: what flows carry is the same as
    /// with [`emit`](Source::emit), only side effects in sibling branches interleave differently.
    ///
    /// # Errors
    /// The first failure (the rest goes on), or why the next element was refused (the rest is still
    /// in the iterator: pass it `by_ref()`).
    pub fn emit_all(&self, items: impl IntoIterator<Item = T>) -> Result<usize, EmitAllError<T>> {
        self.way.emit_all(items.into_iter())
    }

    /// Takes the graph's lock for many elements: [`Emitter::emit`] pays neither for the lock nor for
    /// looking whether somebody wants it. Others wait until the guard is dropped.
    pub fn lock(&self) -> Emitter<'_, T> {
        Emitter::new(&self.way)
    }

    /// As [`emit`](Source::emit), and waits while an operator downstream is full. Never blocks the
    /// thread: where the graph is busy the element is left in its inbox, and a failure of it goes to
    /// the graph's handler.
    ///
    /// # Errors
    /// As [`emit`](Source::emit), without `Full`.
    pub async fn send(&self, item: T) -> Result<(), EmitError<T>> {
        self.way.send(item, Token::NONE).await
    }

    /// As [`send`](Source::send); the receipt resolves when all that was made of the element was
    /// delivered, or some of it was lost.
    ///
    /// # Errors
    /// As [`send`](Source::send).
    pub async fn send_tracked(&self, item: T) -> Result<Receipt, EmitError<T>> {
        let (token, receipt) = Token::with_receipt();
        self.way.send(item, token).await?;
        Ok(receipt)
    }

    /// As [`emit`](Source::emit), with a receipt.
    ///
    /// # Errors
    /// As [`emit`](Source::emit). An element that failed has no receipt: the error says it all.
    pub fn emit_tracked(&self, item: T) -> Result<Receipt, EmitError<T>> {
        let (token, receipt) = Token::with_receipt();
        self.way.emit_with(item, token)?;
        Ok(receipt)
    }

    /// As [`emit`](Source::emit), and waits on the calling thread while an operator is full.
    /// In async code use [`send`](Source::send): a driver on the same thread would wait for this.
    ///
    /// # Errors
    /// As [`emit`](Source::emit), without `Full`; [`Inside`](EmitError::Inside) from a closure of
    /// any graph, where waiting could be for ever.
    pub fn blocking_send(&self, item: T) -> Result<(), EmitError<T>> {
        if inbox::is_inside() {
            return Err(EmitError::Inside(item));
        }
        let mut next = Some(item);
        let mut line = InLine::new(&self.way.cell.senders);
        park::wait_for(poll_fn(|task| {
            let Some(item) = next.take() else {
                return Poll::Pending;
            };
            match self.way.emit_outlined(item) {
                Err(EmitError::Full(item)) => {
                    next = Some(item);
                    self.way.listen(&mut line.place, task);
                    Poll::Pending
                }
                outcome => Poll::Ready(outcome),
            }
        }))
    }

    /// Closes the source for all its handles: later emits return `Closed`, and once what was
    /// accepted has run, closing travels down. From inside a closure it is queued.
    pub fn close(&self) {
        self.way.cell.clone().shut(&self.way.core.inbox);
        self.graph().change(|_| {});
    }

    /// Whether the source was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.way.cell.state.load(Ordering::Relaxed) & bits::CLOSED != 0
    }

    /// A handle that does not keep the source open.
    #[must_use]
    pub fn downgrade(&self) -> WeakSource<T> {
        WeakSource {
            core: Arc::downgrade(&self.way.core),
            cell: Arc::downgrade(&self.way.cell),
        }
    }

    /// The clock of the graph follows this source's elements from now on: before an element runs,
    /// time moves to what `timestamp` says of it, and all that was due by then happens first. Time
    /// does not move backwards: an element from the past runs at the present.
    ///
    /// So an hour of recording runs in milliseconds, with the right windows. Use `From` for
    /// timestamps: `Time::from(system_time)`.
    pub fn lead_clock(&self, timestamp: impl Fn(&T) -> Time + Send + Sync + 'static) {
        if self.way.cell.lead.set(Box::new(timestamp)).is_ok() {
            self.graph().change(Cx::lead);
        }
    }

    /// The graph that the source belongs to.
    #[must_use]
    pub fn graph(&self) -> Graph {
        Graph::from_core(self.way.core.clone())
    }

    /// The source's identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.way.cell.id
    }

    /// Closes the source for all its handles, and has it go once what was accepted has drained, with
    /// all that hangs from it and from nothing else: for graphs whose sources come and go. A source
    /// that was only [closed](Source::close) stays in snapshots until its last handle is dropped.
    pub fn destroy(&self) {
        let run = self.way.cell.id;
        self.way.cell.clone().shut(&self.way.core.inbox);
        self.graph().restructure(|topology| {
            let heads = topology.part(run)?;
            Some(move |cx: &mut Cx| cx.depart(run, &heads))
        });
    }

    /// The ends that feed this source by [`connect`](crate::Flow::connect).
    #[must_use]
    pub fn upstreams(&self) -> Vec<TopologyNode> {
        self.graph()
            .topology()
            .upstreams(self.id())
            .cloned()
            .collect()
    }

    /// The first node of each flow that hangs from the source.
    #[must_use]
    pub fn downstreams(&self) -> Vec<TopologyNode> {
        let topology = self.graph().topology();
        topology.downstreams(self.id()).cloned().collect()
    }

    fn head(&self) -> Head<T> {
        Head::new(self.graph(), self.way.cell.id)
    }

    pub(crate) fn cell(&self) -> &Arc<SourceCell<T>> {
        &self.way.cell
    }
}

impl<T: InGraph> Source<T> {
    /// The one source of a new graph: shorthand for `Graph::new().source()`.
    #[track_caller]
    #[must_use]
    pub fn new() -> Source<T>
    where
        T: Forkable,
    {
        Source::forking(&Graph::new(), Location::caller())
    }
}

impl<T: Forkable + InGraph> Default for Source<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Source<T> {
    fn clone(&self) -> Self {
        Source {
            way: self.way.clone(),
            open: self.open.clone(),
        }
    }
}

impl<T> Clone for WeakSource<T> {
    fn clone(&self) -> Self {
        WeakSource {
            core: self.core.clone(),
            cell: self.cell.clone(),
        }
    }
}

impl<T: InGraph> WeakSource<T> {
    /// As [`Source::emit`]; `Closed` where the source, or its graph, is gone.
    ///
    /// # Errors
    /// As [`Source::emit`].
    pub fn emit(&self, item: T) -> Result<(), EmitError<T>> {
        match (self.core.upgrade(), self.cell.upgrade()) {
            (Some(core), Some(cell)) => Way { core, cell }.emit_outlined(item),
            _ => Err(EmitError::Closed(item)),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Closures run in the driver, or in the next call on the graph: not in a destructor.
        self.inlet.clone().shut(&self.core.inbox);
        if let Ok(mut topology) = self.core.topology.lock() {
            let run = self.id;
            if let Some(heads) = topology.part(run) {
                let go = Box::new(move |cx: &mut Cx| cx.depart(run, &heads));
                self.core.inbox.leave(Entry::Task(go));
            }
        }
        self.core.wakeups.driver.wake();
        self.core.wakeups.wake_listeners();
    }
}

impl<T: Forkable + InGraph> Flow for &Source<T> {
    type Item = T;
    type Run = Head<T>;

    fn into_run(self) -> Head<T> {
        self.head()
    }
}

impl<T> std::fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("id", &self.way.cell.id)
            .finish_non_exhaustive()
    }
}

impl<T> std::fmt::Debug for WeakSource<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WeakSource(..)")
    }
}
