//! Where elements are emitted by hand, from any thread.

use std::any::Any;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::{Context, Poll, Waker};

use super::cell::Cell;
use super::census::Loss;
use super::clock::Time;
use super::context::Cx;
use super::error::{EmitAllError, EmitError, GraphError};
use super::fork::{Copier, Fork};
use super::graph::{Core, Graph};
use super::inbox::{self, Entry, Held, Inbox};
use super::lineage::{Lost, Receipt, Token};
use super::park;
use super::plan::Plan;
use super::pressure::Pressure;
use super::push::{Push, Signal};
use super::topology::{NodeId, Role, Site};
use crate::InGraph;
use crate::flow::{Flow, Forkable, Run};

/// How many elements are pushed at once: enough to amortise a junction, few enough to stay in cache.
pub(crate) const BATCH: usize = 256;

/// How many elements a source keeps that were emitted from inside of a closure, or by threads that
/// found the graph busy and may not wait.
pub const INBOX_CAPACITY: usize = 65_536;

/// Why a source can't simply push: each bit sends the emitter on the long way round.
pub(crate) mod bits {
    pub(crate) const CLOSED: u8 = 1;
    pub(crate) const FULL: u8 = 2;
    pub(crate) const UNDRIVEN: u8 = 4;
    pub(crate) const STOPPED: u8 = 8;
    pub(crate) const LED: u8 = 16;
    pub(crate) const POISONED: u8 = 32;
    /// With any of these, a sender does not wait for room: it learns why not.
    pub(crate) const REFUSED: u8 = CLOSED | UNDRIVEN | STOPPED | POISONED;
}

/// Where elements enter a graph: `emit` runs them through it.
///
/// A handle: clones mean the same source, and may be used from any thread. When the last one is
/// dropped the source closes; see [`downgrade`](Source::downgrade) for a handle that does not keep
/// it open. A flow hangs from `&source`, as often as wanted.
pub struct Source<T> {
    pub(super) way: Way<T>,
    open: Arc<Open>,
}

/// A handle of a source that does not keep it open: for sinks that feed their own graph.
pub struct WeakSource<T> {
    core: Weak<Core>,
    cell: Weak<SourceCell<T>>,
}

/// The one flow that hangs from a source of elements that need not be `Clone`: see
/// [`Graph::pipe`].
#[must_use = "elements go nowhere until the flow ends in a sink"]
pub struct Pipe<T> {
    head: Head<T>,
}

/// A flow as it begins at a source or a shared node.
pub struct Head<T> {
    graph: Graph,
    fork: NodeId,
    _items: std::marker::PhantomData<fn() -> T>,
}

/// The way into the graph: what a source and its weak handles share.
pub(super) struct Way<T> {
    core: Arc<Core>,
    cell: Arc<SourceCell<T>>,
}

/// What the graph keeps of a source.
pub(crate) struct SourceCell<T> {
    id: NodeId,
    state: AtomicU8,
    head: Cell<Fork<T>>,
    /// Elements that wait for the graph, in order.
    waiting: Mutex<VecDeque<(T, Token)>>,
    /// How many of them the graph has come to and left, since the source was full. Only changed
    /// under the graph's lock.
    parked: AtomicUsize,
    closing: AtomicBool,
    finished: AtomicBool,
    senders: Mutex<Line>,
    /// How many ends of this graph emit into the source by `connect`, and are open.
    feeds: AtomicUsize,
    /// Origins that wait because the queue is full: see [`feed`](SourceCell::feed).
    crowd: Mutex<Pressure>,
    lead: OnceLock<Box<dyn Fn(&T) -> Time + Send + Sync>>,
}

/// Dropped with the last handle: marks the source as closed.
/// Those who wait for room at a source.
#[derive(Default)]
struct Line {
    places: u64,
    waiting: Vec<(u64, Waker)>,
}

/// Where somebody stands in line, if they do.
pub(super) type Place = Option<u64>;

impl Line {
    fn wait(&mut self, place: &mut Place, waker: &Waker) {
        let known = self.waiting.iter_mut().find(|(at, _)| Some(*at) == *place);
        if let Some((_, known)) = known {
            known.clone_from(waker);
        } else {
            self.places += 1;
            *place = Some(self.places);
            self.waiting.push((self.places, waker.clone()));
        }
    }
}

impl<T> Way<T> {
    /// Whoever gives up takes their waker along, or a stalled source would gather them without bound.
    pub(super) fn leave_line(&self, place: Place) {
        let Some(place) = place else { return };
        let waker = match self.cell.senders.lock() {
            Ok(mut line) => {
                let at = line.waiting.iter().position(|(at, _)| *at == place);
                at.map(|at| line.waiting.remove(at))
            }
            Err(_) => None,
        };
        // Without the lock: a waker's destructor may do anything.
        drop(waker);
    }
}

/// A place in line that is left when the wait is over.
struct InLine<'a, T> {
    way: &'a Way<T>,
    place: Place,
}

impl<'a, T> InLine<'a, T> {
    fn new(way: &'a Way<T>) -> Self {
        InLine { way, place: None }
    }
}

impl<T> Drop for InLine<'_, T> {
    fn drop(&mut self) {
        self.way.leave_line(self.place);
    }
}

struct Open {
    core: Arc<Core>,
    inlet: Arc<dyn Inlet>,
}

/// A source as the graph knows it.
pub(crate) trait Inlet: Send + Sync {
    fn state(&self) -> &AtomicU8;
    /// Pushes the next waiting element, or parks it where the source is full.
    fn run_one(&self, cx: &mut Cx);
    /// The source's gate opened: parked elements go first, then senders are woken.
    fn resume(&self, cx: &mut Cx);
    /// Closes, once nothing is parked.
    fn finish(&self, cx: &mut Cx);
    /// At a shutdown: accepts no more from outside, and closes unless its own graph feeds it still.
    fn retire(&self, cx: &mut Cx);
    fn signal(&self, signal: Signal<'_>, cx: &mut Cx);
    /// Marks the source as closed, and leaves the close behind all that was accepted.
    fn shut(self: Arc<Self>, inbox: &Inbox);
    /// Elements that were accepted and wait for the graph.
    fn waiting(&self) -> usize;
    /// Gathers the wakers of those who wait for room.
    fn take_senders(&self, wakes: &mut Vec<Waker>);
    /// The graph is given up, as it is poisoned or out of time: what waits is lost and nobody waits
    /// any more. Returns the run that hung from here, to be dropped outside of the lock.
    fn abandon(&self, why: u8, cx: &mut Cx, wakes: &mut Vec<Waker>) -> Box<dyn Any + Send>;
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
        let mut plan = Plan::new(graph);
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
    #[inline]
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
    ///
    /// # Errors
    /// As [`emit`](Source::emit), without `Full`; [`Inside`](EmitError::Inside) from a closure of
    /// any graph, where waiting could be for ever.
    pub fn blocking_send(&self, item: T) -> Result<(), EmitError<T>> {
        if inbox::holding() {
            return Err(EmitError::Inside(item));
        }
        let mut next = Some(item);
        let mut line = InLine::new(&self.way);
        park::wait_for(poll_fn(|task| {
            let Some(item) = next.take() else {
                return Poll::Pending;
            };
            match self.way.emit(item) {
                Err(EmitError::Full(item)) => self.way.wait(item, &mut next, &mut line.place, task),
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

impl<T> Clone for Way<T> {
    fn clone(&self) -> Self {
        Way {
            core: self.core.clone(),
            cell: self.cell.clone(),
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
            (Some(core), Some(cell)) => Way { core, cell }.emit(item),
            _ => Err(EmitError::Closed(item)),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Closures run in the driver, or in the next call on the graph: not in a destructor.
        self.inlet.clone().shut(&self.core.inbox);
        self.core.wakeups.driver.wake();
        self.core.wakeups.wake_listeners();
    }
}

impl<T: InGraph> Way<T> {
    #[inline]
    fn emit(&self, item: T) -> Result<(), EmitError<T>> {
        if inbox::holding() {
            return self.emit_inside(item, Token::NONE);
        }
        let core = &*self.core;
        let held = Held::enter(core);
        let Ok(mut guard) = core.state.lock() else {
            return Err(self.poisoned(item));
        };
        let cx = &mut *guard;
        if self.cell.state.load(Ordering::Relaxed) != 0 || core.inbox.is_flagged() {
            let outcome = self.push_guarded(item, Token::NONE, cx);
            let after = core.settle(cx);
            drop(guard);
            held.leave();
            after.run();
            return outcome;
        }
        cx.begin(self.cell.id);
        let mut head = self.cell.head.take(cx);
        head.push(item, cx);
        self.cell.head.put(cx, head);
        if cx.todo || core.inbox.is_flagged() {
            let fault = take_fault(cx);
            let after = core.settle(cx);
            drop(guard);
            held.leave();
            after.run();
            return fault.map_or(Ok(()), |(failure, _)| Err(EmitError::Failed(failure)));
        }
        drop(guard);
        held.leave();
        Ok(())
    }

    /// As `emit`, for an element that may be tracked.
    fn emit_with(&self, item: T, token: Token) -> Result<(), EmitError<T>> {
        if inbox::holding() {
            return self.emit_inside(item, token);
        }
        let held = Held::enter(&self.core);
        let Ok(mut guard) = self.core.state.lock() else {
            return Err(self.poisoned(item));
        };
        let outcome = self.push_guarded(item, token, &mut guard);
        let after = self.core.settle(&mut guard);
        drop(guard);
        held.leave();
        after.run();
        outcome
    }

    /// Pushes one element after looking at everything that could speak against it.
    #[cold]
    #[inline(never)]
    fn push_guarded(&self, item: T, token: Token, cx: &mut Cx) -> Result<(), EmitError<T>> {
        if self.core.inbox.is_flagged() {
            // What was left before must run before, or one thread's elements could pass each other.
            let after = self.core.settle(cx);
            cx.wakes.extend(after.into_wakes());
        }
        self.admit(item, cx).map(|item| {
            if token.is_some() {
                cx.track(&token);
            }
            self.cell.deliver(item, token, cx);
        })?;
        match take_fault(cx) {
            Some((failure, _)) => Err(EmitError::Failed(failure)),
            None => Ok(()),
        }
    }

    /// Gives the element back where the source can't take it.
    fn admit(&self, item: T, cx: &mut Cx) -> Result<T, EmitError<T>> {
        let state = self.cell.state.load(Ordering::Relaxed);
        if state & bits::CLOSED != 0 {
            return Err(EmitError::Closed(item));
        }
        if let Some(cause) = cx.stopped.clone() {
            return Err(EmitError::Stopped(item, cause));
        }
        if state & bits::UNDRIVEN != 0 {
            return Err(EmitError::Undriven(item));
        }
        if state & bits::FULL != 0 {
            return Err(EmitError::Full(item));
        }
        Ok(item)
    }

    /// From inside a closure of this graph, or of another one.
    #[cold]
    #[inline(never)]
    fn emit_inside(&self, item: T, token: Token) -> Result<(), EmitError<T>> {
        if !inbox::holding_innermost(&self.core) {
            let held = Held::enter(&self.core);
            match self.core.enter(true) {
                Ok(mut guard) => {
                    let outcome = self.push_guarded(item, token, &mut guard);
                    let after = self.core.settle(&mut guard);
                    drop(guard);
                    held.leave();
                    after.run();
                    return outcome;
                }
                Err(GraphError::Inside) => {}
                Err(_) => return Err(EmitError::Poisoned(item)),
            }
            held.leave();
        }
        self.leave(item, token)?;
        if !inbox::holding_innermost(&self.core) {
            inbox::owe_visit(&self.core);
        }
        Ok(())
    }

    /// Leaves the element in the inbox: whoever holds the graph runs it.
    fn leave(&self, item: T, token: Token) -> Result<(), EmitError<T>> {
        let state = self.cell.state.load(Ordering::Relaxed);
        if state & bits::UNDRIVEN != 0 {
            return Err(EmitError::Undriven(item));
        }
        self.cell.queue(item, token, &self.core.inbox)
    }

    fn emit_all(&self, mut items: impl Iterator<Item = T>) -> Result<usize, EmitAllError<T>> {
        let mut tally = Tally::default();
        if inbox::holding() {
            for item in items {
                match self.emit_inside(item, Token::NONE) {
                    Ok(()) => tally.accepted += 1,
                    Err(EmitError::Failed(failure)) => tally.failed(failure, 0),
                    Err(cause) => return tally.refused(cause),
                }
            }
            return tally.finish();
        }
        let mut batch = Vec::with_capacity(BATCH.min(items.size_hint().0.max(4)));
        let mut room = match self.with_batch(&mut batch, &mut tally) {
            Some(room) => room,
            None => return tally.poisoned(items.next()),
        };
        loop {
            batch.extend(items.by_ref().take(room.clamp(1, BATCH)));
            if batch.is_empty() {
                return tally.finish();
            }
            if room == 0 {
                // One element was drawn to see whether there is any: it is refused by name.
                let Some(item) = batch.pop() else {
                    return tally.finish();
                };
                match self.emit(item) {
                    Ok(()) => tally.accepted += 1,
                    Err(EmitError::Failed(failure)) => tally.failed(failure, 0),
                    Err(cause) => return tally.refused(cause),
                }
            }
            room = match self.with_batch(&mut batch, &mut tally) {
                Some(room) => room,
                None => {
                    let mut drawn = batch.into_iter();
                    let refused = tally.poisoned(drawn.next());
                    let drawn = drawn.collect();
                    return refused.map_err(|error| EmitAllError { drawn, ..error });
                }
            };
            // The source was closed, or the graph stopped, while the iterator was asked: each
            // element that was drawn is accepted, or given back.
            let mut drawn = batch.drain(..);
            while let Some(item) = drawn.next() {
                match self.emit(item) {
                    Ok(()) => tally.accepted += 1,
                    Err(EmitError::Failed(failure)) => tally.failed(failure, 0),
                    Err(cause) => {
                        let drawn = drawn.collect();
                        return tally
                            .refused(cause)
                            .map_err(|error| EmitAllError { drawn, ..error });
                    }
                }
            }
        }
    }

    /// Pushes the batch, and returns how many may follow; `None` from a poisoned graph.
    fn with_batch(&self, batch: &mut Vec<T>, tally: &mut Tally) -> Option<usize> {
        let held = Held::enter(&self.core);
        let mut guard = self.core.enter(false).ok()?;
        let cx = &mut *guard;
        if self.core.inbox.is_flagged() {
            let after = self.core.settle(cx);
            cx.wakes.extend(after.into_wakes());
        }
        cx.begin(self.cell.id);
        let refused = bits::CLOSED | bits::UNDRIVEN | bits::STOPPED;
        if !batch.is_empty() && self.cell.state.load(Ordering::Relaxed) & refused == 0 {
            tally.accepted += batch.len();
            if self.cell.is_led() {
                for item in batch.drain(..) {
                    self.cell.deliver(item, Token::NONE, cx);
                }
            } else {
                let mut head = self.cell.head.take(cx);
                head.push_batch(batch, cx);
                self.cell.head.put(cx, head);
            }
        }
        if let Some((failure, others)) = take_fault(cx) {
            tally.note(failure, others);
        }
        let room = if self.cell.state.load(Ordering::Relaxed) & (refused | bits::FULL) != 0 {
            0
        } else {
            let mut head = self.cell.head.take(cx);
            let room = cx.room(&mut *head);
            self.cell.head.put(cx, head);
            room
        };
        let after = (cx.todo || self.core.inbox.is_flagged()).then(|| self.core.settle(cx));
        drop(guard);
        held.leave();
        if let Some(after) = after {
            after.run();
        }
        Some(room)
    }

    async fn send(&self, item: T, token: Token) -> Result<(), EmitError<T>> {
        let mut next = Some(item);
        let mut left = false;
        let mut line = InLine::new(self);
        poll_fn(|task| {
            if left {
                return self.hand_over(task);
            }
            let Some(item) = next.take() else {
                return Poll::Pending;
            };
            match self.offer(item, token.clone(), &mut left) {
                Err(EmitError::Full(item)) => self.wait(item, &mut next, &mut line.place, task),
                Ok(()) if left => self.hand_over(task),
                outcome => Poll::Ready(outcome),
            }
        })
        .await
    }

    /// As `emit`, without waiting for the lock.
    pub(super) fn offer(&self, item: T, token: Token, left: &mut bool) -> Result<(), EmitError<T>> {
        if inbox::holding() {
            return self.emit_inside(item, token);
        }
        let held = Held::enter(&self.core);
        match self.core.enter(true) {
            Ok(mut guard) => {
                let outcome = self.push_guarded(item, token, &mut guard);
                let after = self.core.settle(&mut guard);
                drop(guard);
                held.leave();
                after.run();
                outcome
            }
            Err(GraphError::Poisoned) => Err(EmitError::Poisoned(item)),
            Err(_) => {
                held.leave();
                let outcome = self.leave(item, token);
                *left = outcome.is_ok();
                outcome
            }
        }
    }

    /// The element lies in the inbox: somebody must see it, the holder or, if it had looked
    /// already, this task.
    pub(super) fn hand_over(&self, task: &mut Context<'_>) -> Poll<Result<(), EmitError<T>>> {
        if !self.core.inbox.is_flagged() || self.core.try_visit() {
            return Poll::Ready(Ok(()));
        }
        let wakeups = &self.core.wakeups;
        if wakeups.attended.fetch_or(false, Ordering::AcqRel) {
            // The driver sees to it; and if it goes away meanwhile, that is a visit too.
            wakeups.driver.wake();
            return Poll::Ready(Ok(()));
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }

    /// Registers to be woken when the source has room again.
    fn wait(
        &self,
        item: T,
        next: &mut Option<T>,
        place: &mut Place,
        task: &mut Context<'_>,
    ) -> Poll<Result<(), EmitError<T>>> {
        *next = Some(item);
        self.listen(place, task);
        Poll::Pending
    }

    /// Has the task woken when the source has room again.
    pub(super) fn listen(&self, place: &mut Place, task: &Context<'_>) {
        if let Ok(mut line) = self.cell.senders.lock() {
            line.wait(place, task.waker());
        }
        // What happened before the waker was there woke nobody.
        let state = self.cell.state.load(Ordering::Acquire);
        let room = state & bits::FULL == 0 && self.cell.has_queue_room();
        if room || state & bits::REFUSED != 0 {
            task.waker().wake_by_ref();
        }
    }

    /// Whether an element would have to wait, and may hope to get in.
    pub(super) fn waits_for_room(&self) -> bool {
        let state = self.cell.state.load(Ordering::Acquire);
        let refused = bits::CLOSED | bits::UNDRIVEN | bits::STOPPED;
        state & bits::FULL != 0 && state & refused == 0 && !self.core.state.is_poisoned()
    }

    #[cold]
    fn poisoned(&self, item: T) -> EmitError<T> {
        self.core.bury();
        EmitError::Poisoned(item)
    }
}

#[cold]
#[inline(never)]
fn take_fault(cx: &mut Cx) -> Option<(super::error::Failure, usize)> {
    let others = std::mem::take(&mut cx.faults.others);
    cx.faults.first.take().map(|failure| (failure, others))
}

/// What `emit_all` has done so far.
#[derive(Default)]
struct Tally {
    accepted: usize,
    failure: Option<super::error::Failure>,
    others: usize,
}

impl Tally {
    /// An element was accepted and failed.
    #[cold]
    fn failed(&mut self, failure: super::error::Failure, others: usize) {
        self.accepted += 1;
        self.note(failure, others);
    }

    #[cold]
    fn note(&mut self, failure: super::error::Failure, others: usize) {
        self.others += others + usize::from(self.failure.is_some());
        self.failure.get_or_insert(failure);
    }

    fn finish<T>(self) -> Result<usize, EmitAllError<T>> {
        match self.failure {
            None => Ok(self.accepted),
            Some(failure) => Err(EmitAllError {
                accepted: self.accepted,
                others: self.others,
                drawn: Vec::new(),
                cause: EmitError::Failed(failure),
            }),
        }
    }

    fn refused<T>(self, cause: EmitError<T>) -> Result<usize, EmitAllError<T>> {
        Err(EmitAllError {
            accepted: self.accepted,
            others: self.others + usize::from(self.failure.is_some()),
            drawn: Vec::new(),
            cause,
        })
    }

    fn poisoned<T>(self, item: Option<T>) -> Result<usize, EmitAllError<T>> {
        match item {
            Some(item) => self.refused(EmitError::Poisoned(item)),
            None => self.finish(),
        }
    }
}

impl<T: InGraph> SourceCell<T> {
    fn deliver(&self, item: T, token: Token, cx: &mut Cx) {
        if let Some(lead) = self.lead.get() {
            let time = lead(&item);
            if time > cx.clock.read() {
                let emitting = std::mem::replace(&mut cx.faults.emitting, false);
                cx.advance_led(time);
                cx.faults.emitting = emitting;
            }
        }
        cx.begin(self.id);
        cx.token = token;
        let mut head = self.head.take(cx);
        head.push(item, cx);
        self.head.put(cx, head);
        cx.token = Token::NONE;
    }

    fn is_led(&self) -> bool {
        self.lead.get().is_some()
    }

    fn has_queue_room(&self) -> bool {
        self.waiting
            .lock()
            .is_ok_and(|waiting| waiting.len() < INBOX_CAPACITY)
    }

    /// Keeps an element for when the graph comes to it.
    ///
    /// The queue's lock is held until the inbox knows, as in [`shut`](Inlet::shut): so an element is
    /// either before the close or refused, and never behind it.
    fn queue(self: &Arc<Self>, item: T, token: Token, inbox: &Inbox) -> Result<(), EmitError<T>> {
        let Ok(mut waiting) = self.waiting.lock() else {
            return Err(EmitError::Poisoned(item));
        };
        let state = self.state.load(Ordering::Acquire);
        if state & bits::POISONED != 0 {
            return Err(EmitError::Poisoned(item));
        }
        if state & bits::CLOSED != 0 {
            return Err(EmitError::Closed(item));
        }
        if state & bits::FULL != 0 || waiting.len() >= INBOX_CAPACITY {
            return Err(EmitError::Full(item));
        }
        waiting.push_back((item, token));
        inbox.leave(Entry::Element(self.clone()));
        Ok(())
    }

    /// The graph itself emits, by an end at `node`: the element is never refused for want of room.
    /// Where it fills the queue the origin of the push under way waits.
    ///
    /// In a cycle that would be for ever, so there what does not fit is lost.
    pub(crate) fn feed(self: &Arc<Self>, item: T, in_cycle: bool, cx: &mut Cx) -> Result<(), Loss> {
        let Ok(mut waiting) = self.waiting.lock() else {
            return Err(Loss::Unheard);
        };
        if self.finished.load(Ordering::Relaxed) {
            return Err(Loss::Unheard);
        }
        if waiting.len() >= INBOX_CAPACITY && in_cycle {
            return Err(Loss::Overflow);
        }
        waiting.push_back((item, cx.token.clone()));
        cx.inbox.leave(Entry::Element(self.clone()));
        if waiting.len() >= INBOX_CAPACITY
            && !in_cycle
            && let Ok(mut crowd) = self.crowd.lock()
        {
            crowd.hold(cx);
        }
        Ok(())
    }

    /// An end emits into this source from now on.
    pub(crate) fn add_feed(&self) {
        self.feeds.fetch_add(1, Ordering::Relaxed);
    }

    /// An end that emitted into this source has closed.
    pub(crate) fn end_feed(self: &Arc<Self>, cx: &mut Cx) {
        if self.feeds.fetch_sub(1, Ordering::Relaxed) == 1 && cx.shut {
            // Not at once: the push under way may have come through a node that this source feeds.
            self.clone().shut(&cx.inbox);
            cx.todo = true;
        }
    }

    /// How many more elements fit in the queue.
    pub(crate) fn queue_room(&self) -> usize {
        INBOX_CAPACITY.saturating_sub(self.waiting())
    }

    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    fn next_waiting(&self) -> Option<(T, Token)> {
        self.waiting.lock().ok()?.pop_front()
    }

    fn run_waiting(&self, cx: &mut Cx) {
        let Some((item, token)) = self.next_waiting() else {
            return;
        };
        if let Ok(mut crowd) = self.crowd.lock() {
            crowd.release(cx);
        }
        if cx.stopped.is_some() || self.finished.load(Ordering::Relaxed) {
            token.fail(Lost::Discarded);
            cx.lose(self.id, Loss::Unheard, 1);
            return;
        }
        let emitting = std::mem::replace(&mut cx.faults.emitting, false);
        self.deliver(item, token, cx);
        cx.faults.emitting = emitting;
    }
}

impl<T: InGraph> Inlet for SourceCell<T> {
    fn state(&self) -> &AtomicU8 {
        &self.state
    }

    fn run_one(&self, cx: &mut Cx) {
        let parked = self.parked.load(Ordering::Relaxed);
        if parked > 0 || self.state.load(Ordering::Relaxed) & bits::FULL != 0 {
            self.parked.store(parked + 1, Ordering::Relaxed);
        } else {
            self.run_waiting(cx);
            if self
                .senders
                .lock()
                .is_ok_and(|line| !line.waiting.is_empty())
            {
                self.take_senders(&mut cx.wakes);
            }
        }
    }

    fn resume(&self, cx: &mut Cx) {
        while !cx.gated(self.id) {
            let parked = self.parked.load(Ordering::Relaxed);
            if parked == 0 {
                self.state.fetch_and(!bits::FULL, Ordering::Release);
                self.take_senders(&mut cx.wakes);
                if self.closing.load(Ordering::Relaxed) {
                    self.finish(cx);
                }
                return;
            }
            self.parked.store(parked - 1, Ordering::Relaxed);
            self.run_waiting(cx);
        }
    }

    fn finish(&self, cx: &mut Cx) {
        self.state.fetch_or(bits::CLOSED, Ordering::Release);
        self.take_senders(&mut cx.wakes);
        if self.parked.load(Ordering::Relaxed) > 0 {
            self.closing.store(true, Ordering::Relaxed);
            return;
        }
        if !self.finished.swap(true, Ordering::Relaxed) {
            cx.open_sources -= 1;
            self.signal(Signal::Close, cx);
            cx.wake_waiters();
        }
    }

    fn retire(&self, cx: &mut Cx) {
        self.state.fetch_or(bits::CLOSED, Ordering::Release);
        self.take_senders(&mut cx.wakes);
        if self.feeds.load(Ordering::Relaxed) == 0 {
            self.finish(cx);
        }
    }

    fn signal(&self, signal: Signal<'_>, cx: &mut Cx) {
        cx.begin(self.id);
        let mut head = self.head.take(cx);
        head.signal(signal, cx);
        self.head.put(cx, head);
    }

    fn shut(self: Arc<Self>, inbox: &Inbox) {
        let waiting = self.waiting.lock();
        self.state.fetch_or(bits::CLOSED, Ordering::Release);
        inbox.leave(Entry::Close(self.clone()));
        drop(waiting);
    }

    fn waiting(&self) -> usize {
        self.waiting.lock().map_or(0, |waiting| waiting.len())
    }

    fn take_senders(&self, wakes: &mut Vec<Waker>) {
        if let Ok(mut line) = self.senders.lock() {
            wakes.extend(line.waiting.drain(..).map(|(_, waker)| waker));
        }
    }

    fn abandon(&self, why: u8, cx: &mut Cx, wakes: &mut Vec<Waker>) -> Box<dyn Any + Send> {
        let waiting = match self.waiting.lock() {
            Ok(mut waiting) => {
                self.state.fetch_or(why, Ordering::Release);
                self.finished.store(true, Ordering::Relaxed);
                self.parked.store(0, Ordering::Relaxed);
                std::mem::take(&mut *waiting)
            }
            Err(_) => VecDeque::new(),
        };
        for (_, token) in &waiting {
            token.fail(Lost::TornDown);
        }
        self.take_senders(wakes);
        // What hangs from here later hangs from a closed fork.
        let fork = self.head.exchange(cx, Fork::closed(self.id));
        Box::new((waiting.into_iter().collect::<Vec<_>>(), fork))
    }
}

impl<T> Drop for SourceCell<T> {
    fn drop(&mut self) {
        if let Ok(waiting) = self.waiting.get_mut() {
            for (_, token) in waiting {
                token.fail(Lost::TornDown);
            }
        }
    }
}

/// Holds a graph's lock, so that each element costs no more than a call: see [`Source::lock`].
pub struct Emitter<'a, T: InGraph> {
    way: &'a Way<T>,
    /// `None` inside of a closure, where elements are queued.
    hold: Option<Hold<'a, T>>,
    poisoned: bool,
}

struct Hold<'a, T> {
    /// A closure is running, or it panicked and the caller caught the panic.
    running: bool,
    head: Box<Fork<T>>,
    guard: MutexGuard<'a, Cx>,
    held: Held<'a>,
}

impl<'a, T: InGraph> Emitter<'a, T> {
    fn new(way: &'a Way<T>) -> Emitter<'a, T> {
        let mut emitter = Emitter {
            way,
            hold: None,
            poisoned: false,
        };
        if inbox::holding() {
            return emitter;
        }
        let held = Held::enter(&way.core);
        match way.core.enter(false) {
            Ok(mut guard) => {
                if way.core.inbox.is_flagged() {
                    let after = way.core.settle(&mut guard);
                    guard.wakes.extend(after.into_wakes());
                }
                let head = way.cell.head.take(&mut guard);
                emitter.hold = Some(Hold {
                    running: false,
                    head,
                    guard,
                    held,
                });
            }
            Err(_) => emitter.poisoned = true,
        }
        emitter
    }

    /// As [`Source::emit`].
    ///
    /// # Errors
    /// As [`Source::emit`].
    #[inline]
    pub fn emit(&mut self, item: T) -> Result<(), EmitError<T>> {
        match &mut self.hold {
            // What this thread emitted past the guard lies in the inbox, and goes first.
            Some(hold)
                if self.way.cell.state.load(Ordering::Relaxed) == 0
                    && !hold.running
                    && !self.way.core.inbox.is_flagged() =>
            {
                let cx = &mut *hold.guard;
                cx.begin(self.way.cell.id);
                hold.running = true;
                hold.head.push(item, cx);
                hold.running = false;
                if cx.todo || self.way.core.inbox.is_flagged() {
                    self.settle()
                } else {
                    Ok(())
                }
            }
            _ => self.emit_unusual(item),
        }
    }

    #[cold]
    #[inline(never)]
    fn emit_unusual(&mut self, item: T) -> Result<(), EmitError<T>> {
        if self.hold.as_ref().is_some_and(|hold| hold.running) {
            self.poison();
        }
        if self.poisoned {
            return Err(self.way.poisoned(item));
        }
        self.apart(|way, cx| match cx {
            Some(cx) => way.push_guarded(item, Token::NONE, cx),
            None if inbox::holding() => way.emit_inside(item, Token::NONE),
            // Made inside of a closure or beside another guard, which is over.
            None => way.emit(item),
        })
    }

    #[cold]
    #[inline(never)]
    fn settle(&mut self) -> Result<(), EmitError<T>> {
        self.apart(|way, cx| {
            let Some(cx) = cx else { return Ok(()) };
            let fault = take_fault(cx);
            let after = way.core.settle(cx);
            // Woken when the guard goes: their first step would be to wait for it.
            cx.wakes.extend(after.into_wakes());
            fault.map_or(Ok(()), |(failure, _)| Err(EmitError::Failed(failure)))
        })
    }

    /// Runs `work` with the head back in its cell, where others can find it.
    fn apart<R>(&mut self, work: impl FnOnce(&Way<T>, Option<&mut Cx>) -> R) -> R {
        match self.hold.take() {
            None => work(self.way, None),
            Some(Hold {
                head,
                mut guard,
                held,
                ..
            }) => {
                // While it works a panic finds no hold here, and the guard poisons the graph.
                self.poisoned = true;
                self.way.cell.head.put(&mut guard, head);
                let outcome = work(self.way, Some(&mut guard));
                let head = self.way.cell.head.take(&mut guard);
                self.poisoned = false;
                self.hold = Some(Hold {
                    running: false,
                    head,
                    guard,
                    held,
                });
                outcome
            }
        }
    }

    /// A closure panicked and the caller caught it, but kept the guard: the graph is poisoned all
    /// the same. Only a guard that is dropped by unwinding does that.
    #[cold]
    fn poison(&mut self) {
        self.poisoned = true;
        let hold = self.hold.take();
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let Some(Hold {
                held, guard, head, ..
            }) = hold
            else {
                return;
            };
            // Dropped in the reverse order.
            let _unwinding = (head, held);
            let _first = guard;
            std::panic::resume_unwind(Box::new("a closure panicked"));
        }));
    }
}

impl<T: InGraph> Drop for Emitter<'_, T> {
    fn drop(&mut self) {
        if self.hold.as_ref().is_some_and(|hold| hold.running) && !std::thread::panicking() {
            self.poison();
        }
        if let Some(Hold {
            head,
            mut guard,
            held,
            ..
        }) = self.hold.take()
        {
            if std::thread::panicking() {
                drop(guard);
                return;
            }
            self.way.cell.head.put(&mut guard, head);
            let after = self.way.core.settle(&mut guard);
            drop(guard);
            held.leave();
            after.run();
        }
    }
}

impl<T> std::fmt::Debug for Emitter<'_, T>
where
    T: InGraph,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Emitter(..)")
    }
}

impl<T> Head<T> {
    pub(crate) fn new(graph: Graph, fork: NodeId) -> Head<T> {
        Head {
            graph,
            fork,
            _items: std::marker::PhantomData,
        }
    }
}

impl<T: InGraph> Run for Head<T> {
    type Item = T;

    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn build<N: Push<T>>(self, next: N, plan: &mut Plan) {
        plan.hang(self.fork, next);
    }
}

impl<T: InGraph> Run for Pipe<T> {
    type Item = T;

    fn graph(&self) -> &Graph {
        &self.head.graph
    }

    fn build<N: Push<T>>(self, next: N, plan: &mut Plan) {
        self.head.build(next, plan);
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

impl<T> std::fmt::Debug for Pipe<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pipe(..)")
    }
}

impl<T> std::fmt::Debug for Head<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Head")
            .field("fork", &self.fork)
            .finish_non_exhaustive()
    }
}
