//! A graph: one lock, one clock, and everything that hangs together.

use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, TryLockError};
use std::task::Waker;
use std::time::Instant;

use qcell::{QCellOwner, QCellOwnerID};

use super::clock::Clock;
use super::coarse::Coarse;
use super::context::Cx;
use super::error::{GraphError, OnError};
use super::head::Pipe;
use super::ids::Ids;
use super::inbox::{self, Entry, Inbox, Inside};
use super::inlet::bits;
use super::lineage::{self, Lost};
use super::sharded::Sharded;
use super::shards::Shards;
use super::snapshot::Snapshot;
use super::source::Source;
use super::topology::{NodeId, Topology, TopologyNode};
use crate::InGraph;
use crate::flow::Forkable;

/// A dataflow graph. Sources are made from it, flows hang from sources, and all of them share one
/// lock and one clock.
///
/// A handle: clones mean the same graph. The graph lives as long as any handle, source, shared node
/// or driver of it.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let words = graph.source::<String>();
/// let lengths = words.map(|word| word.len()).sink_to_list();
/// words.emit("stream".to_owned())?;
/// assert_eq!(lengths.take(), [6]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Graph {
    core: Arc<Core>,
}

/// What all handles of a graph share.
pub(crate) struct Core {
    pub(crate) state: Mutex<Cx>,
    pub(crate) inbox: Arc<Inbox>,
    pub(super) topology: Arc<Mutex<Topology>>,
    pub(crate) wakeups: Arc<super::waking::Wakeups>,
    pub(super) coarse: Arc<Coarse>,
    /// Below which node a closure panicked.
    pub(super) poisoned: OnceLock<TopologyNode>,
    pub(super) cells: QCellOwnerID,
    ids: Arc<Ids>,
}

/// A thread inside a graph, with its lock. The fields are in the order in which they are to be
/// dropped by an unwinding.
#[must_use = "dropping it loses wake-ups"]
pub(super) struct Entered<'a> {
    pub(super) guard: MutexGuard<'a, Cx>,
    pub(super) inside: Inside<'a>,
    pub(super) core: &'a Core,
}

impl Default for Graph {
    fn default() -> Self {
        Self::new()
    }
}

impl Graph {
    /// An empty graph on the machine's clock.
    #[must_use]
    pub fn new() -> Graph {
        let owner = QCellOwner::new();
        let cells = owner.id();
        let inbox = Arc::<Inbox>::default();
        let cx = Cx::new(owner, Clock::Real(Instant::now()), inbox.clone());
        Graph {
            core: Arc::new(Core {
                inbox,
                topology: cx.topology.clone(),
                wakeups: cx.wakeups.clone(),
                coarse: cx.coarse.clone(),
                poisoned: OnceLock::new(),
                cells,
                ids: cx.ids.clone(),
                state: Mutex::new(cx),
            }),
        }
    }

    /// A source: elements are emitted into it by hand, from any thread.
    ///
    /// Flows from a source may fork, so its elements must be `Clone`; see [`pipe`](Graph::pipe) for
    /// elements that are not.
    #[track_caller]
    #[must_use]
    pub fn source<T: Forkable + InGraph>(&self) -> Source<T> {
        Source::forking(self, Location::caller())
    }

    /// A source and the one flow that hangs from it: for elements that can't be cloned, such as a
    /// request with its reply channel.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    /// use std::sync::mpsc;
    ///
    /// let graph = Graph::new();
    /// let (requests, flow) = graph.pipe::<(u32, mpsc::Sender<u32>)>();
    /// flow.sink(|(n, reply)| drop(reply.send(n * 2)));
    /// let (reply, answer) = mpsc::channel();
    /// requests.emit((21, reply))?;
    /// assert_eq!(answer.recv()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn pipe<T: InGraph>(&self) -> (Source<T>, Pipe<T>) {
        Source::single(self, Location::caller())
    }

    /// A source for many threads that send small elements at a high rate: each gathers them in a buffer
    /// of its own, and they are drained into the graph in batches. See [`Sharded`].
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::{Shards, prelude::*};
    ///
    /// let graph = Graph::new();
    /// let driver = graph.spawn_thread();
    /// let requests = graph.sharded::<u64>(Shards::default());
    /// let total = requests.fold(0, |sum, n| sum + n).sink_to_list();
    /// std::thread::scope(|scope| {
    ///     for _ in 0..4 {
    ///         scope.spawn(|| (1..=1000).try_for_each(|n| requests.send(n)).unwrap());
    ///     }
    /// });
    /// requests.close();
    /// driver.join()?;
    /// assert_eq!(total.take(), [4 * 500_500]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn sharded<T: Forkable + InGraph>(&self, shards: Shards) -> Sharded<T> {
        Sharded::new(self, shards, Location::caller())
    }

    /// What happens to failures that nobody caught: see [`OnError`].
    pub fn on_error(&self, policy: OnError) {
        self.change(move |cx| cx.faults.policy = policy);
    }

    /// The graph's nodes and edges.
    #[must_use]
    pub fn topology(&self) -> Topology {
        self.core
            .topology
            .lock()
            .map(|topology| topology.clone())
            .unwrap_or_default()
    }

    /// What the graph has counted and holds now.
    ///
    /// # Errors
    /// [`GraphError::Poisoned`], and [`GraphError::Inside`] from a closure of the graph itself.
    pub fn snapshot(&self) -> Result<Snapshot, GraphError> {
        self.with(|cx| cx.snapshot())
    }

    /// Whether both handles mean the same graph.
    #[must_use]
    pub fn is_same(&self, other: &Graph) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn from_core(core: Arc<Core>) -> Graph {
        Graph { core }
    }

    pub(crate) fn fresh_id(&self) -> NodeId {
        self.core.ids.fresh()
    }

    pub(crate) fn cell_owner(&self) -> QCellOwnerID {
        self.core.cells
    }

    /// # Panics
    /// If the flows belong to different graphs.
    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Graph, operator: &str) {
        assert!(
            self.is_same(other),
            "`{operator}` combines flows of two graphs; a graph is one unit of locking: make both \
             sources from the same `Graph`, or emit from a sink of one graph into a source of the \
             other"
        );
    }

    /// Changes the structure: at once, or when the closure that is running has finished.
    ///
    /// From a destructor that runs in an unwinding it is left to others: a closure that panicked
    /// then would abort the program.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Cx) + Send + 'static) {
        self.core.inbox.leave(Entry::Task(Box::new(change)));
        self.look_in();
    }

    /// Has what was left at the graph done: at once, or when the closure that is running has
    /// finished.
    pub(super) fn look_in(&self) {
        if std::thread::panicking() {
            self.core.wakeups.driver.wake();
            self.core.wakeups.wake_listeners();
        } else if inbox::is_inside() {
            inbox::owe_visit(&self.core);
        } else {
            self.core.visit();
        }
    }

    /// As [`change`](Graph::change), without waiting for the lock: where somebody holds the graph, it
    /// may be left to them, to the driver, or to the task that `waker` wakes.
    pub(crate) fn change_soon(&self, change: impl FnOnce(&mut Cx) + Send + 'static, waker: &Waker) {
        if inbox::is_inside() {
            return self.change(change);
        }
        self.core.inbox.leave(Entry::Task(Box::new(change)));
        self.look_after(waker);
    }

    /// Does what was left at the graph, unless somebody else holds it and might; then `waker` is
    /// woken to look again. Returns `false` where the graph is poisoned.
    pub(crate) fn look_after(&self, waker: &Waker) -> bool {
        if self.core.state.is_poisoned() {
            return false;
        }
        if !self.core.inbox.is_flagged() {
            return true;
        }
        if inbox::is_inside() {
            inbox::owe_visit(&self.core);
        } else if !self.core.try_visit() {
            self.core.wakeups.driver.wake();
            waker.wake_by_ref();
        }
        true
    }

    /// See [`Wakeups::listen`](super::waking::Wakeups::listen).
    pub(crate) fn listen(&self, id: NodeId, waker: &Waker) {
        self.core.wakeups.listen(id, waker);
    }

    pub(crate) fn unlisten(&self, id: NodeId) {
        self.core.wakeups.unlisten(id);
    }

    /// Runs `ask` under the lock, from outside of any closure of this graph.
    pub(crate) fn with<R>(&self, ask: impl FnOnce(&mut Cx) -> R) -> Result<R, GraphError> {
        self.core.locked(|_, cx| ask(cx))
    }
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph")
            .field("nodes", &self.topology().nodes.len())
            .finish_non_exhaustive()
    }
}

impl Core {
    /// Takes the lock; a thread that is inside a graph does not wait for it.
    pub(super) fn enter(&self) -> Result<Entered<'_>, GraphError> {
        if inbox::is_inside() {
            return self.try_enter();
        }
        let inside = Inside::enter(self);
        match self.state.lock() {
            Ok(guard) => Ok(Entered {
                guard,
                inside,
                core: self,
            }),
            Err(_) => Err(self.found_poisoned()),
        }
    }

    /// As [`enter`](Core::enter), where nobody is to wait: `Inside` if somebody holds the graph.
    pub(super) fn try_enter(&self) -> Result<Entered<'_>, GraphError> {
        let inside = Inside::enter(self);
        match self.state.try_lock() {
            Ok(guard) => Ok(Entered {
                guard,
                inside,
                core: self,
            }),
            Err(TryLockError::WouldBlock) => Err(GraphError::Inside),
            Err(TryLockError::Poisoned(_)) => Err(self.found_poisoned()),
        }
    }

    #[cold]
    fn found_poisoned(&self) -> GraphError {
        self.bury();
        GraphError::Poisoned
    }

    /// Does what was left in the inbox, waiting for the lock. The thread holds nothing.
    pub(crate) fn visit(&self) {
        if let Ok(entered) = self.enter() {
            entered.settle_and_exit();
        }
    }

    /// As [`visit`](Core::visit), unless somebody else holds the graph. Returns whether it was done.
    pub(crate) fn try_visit(&self) -> bool {
        match self.try_enter() {
            Ok(entered) => {
                entered.settle_and_exit();
                true
            }
            Err(error) => matches!(error, GraphError::Poisoned),
        }
    }

    /// Does whatever lies in the inbox, until nothing does. Whom that wakes is noted, and woken by
    /// [`settle_and_exit`](Entered::settle_and_exit).
    #[cold]
    #[inline(never)]
    pub(crate) fn settle(&self, cx: &mut Cx) {
        cx.without_emitter(|cx| self.work_off(cx));
    }

    fn work_off(&self, cx: &mut Cx) {
        loop {
            if let Some(inlet) = cx.reopened.pop() {
                inlet.resume(cx);
            } else if self.inbox.is_flagged() {
                match self.inbox.next() {
                    Some(Entry::Element(inlet)) => inlet.run_one(cx),
                    Some(Entry::Close(inlet)) => {
                        inlet.finish(cx);
                        // It may have been the last that could feed a join where others wait.
                        cx.free_starved();
                    }
                    Some(Entry::Task(task)) => task(cx),
                    None => {}
                }
            } else if cx.unsure {
                cx.ask_full_joins(false);
                cx.unsure = false;
            } else if !((cx.drives_itself() && cx.poll_next())
                || (cx.is_led_alone() && cx.run_out()))
            {
                break;
            }
        }
        if cx.has_ended_runs() {
            cx.end_runs();
        }
        if !cx.departing.is_empty() {
            cx.see_off();
        }
        cx.todo = false;
    }

    /// Ends what a poisoned graph still holds, so that nobody waits for it for ever: what was under
    /// way and what is held is lost and says so, senders and the driver learn of it.
    ///
    /// Called as soon as a closure has panicked, and by whoever finds the graph poisoned later.
    #[cold]
    #[inline(never)]
    pub(crate) fn bury(&self) {
        // Not to wait: whoever has the lock now found it poisoned too, and does the same.
        let Err(TryLockError::Poisoned(poisoned)) = self.state.try_lock() else {
            return;
        };
        let mut cx = poisoned.into_inner();
        std::mem::take(&mut cx.token).fail(Lost::Panicked);
        if self.poisoned.get().is_none()
            && let Some(node) = cx.innermost_at_work()
        {
            let _ = self.poisoned.set(node);
        }
        let dead = cx.tear_down(bits::POISONED);
        let mut wakes = std::mem::take(&mut cx.wakes);
        drop(cx);
        let left = self.inbox.clear();
        wakes.extend(self.wakeups.driver.take());
        drop((dead, left));
        wakes.into_iter().for_each(Waker::wake);
        self.wakeups.wake_listeners();
    }
}

impl Entered<'_> {
    /// Unlocks, where nothing is left to do.
    #[inline]
    pub(super) fn exit(self) {
        let Entered { guard, inside, .. } = self;
        drop(guard);
        inside.exit();
    }

    /// Settles, unlocks, pays owed visits, and only then wakes: a woken task's first step is to take
    /// the lock.
    #[cold]
    #[inline(never)]
    pub(super) fn settle_and_exit(self) {
        let Entered {
            mut guard,
            inside,
            core,
        } = self;
        core.settle(&mut guard);
        let wakes = std::mem::take(&mut guard.wakes);
        let driver = std::mem::take(&mut guard.wake_driver)
            .then(|| core.wakeups.driver.take())
            .flatten();
        let dead = std::mem::take(&mut guard.graves);
        let let_go = std::mem::take(&mut guard.let_go);
        drop(guard);
        inside.exit();
        wakes.into_iter().chain(driver).for_each(Waker::wake);
        // Last, and without the lock: what closures captured may do anything when it is dropped.
        if !dead.is_empty() || !let_go.is_empty() {
            lineage::strictly(move || drop(dead));
            lineage::by_wish(move || drop(let_go));
            // Holders among it left word for those who waited for them.
            inbox::look_again(core);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // Perhaps captured by what another graph lets go: what this one holds is lost all the same.
        if let Ok(cx) = self.state.get_mut() {
            let nodes = std::mem::take(&mut cx.nodes);
            let mail = std::mem::take(&mut cx.mail);
            let gathering = std::mem::take(&mut cx.gathering);
            let left = self.inbox.clear();
            lineage::strictly(move || drop((nodes, mail, gathering, left)));
        }
    }
}
