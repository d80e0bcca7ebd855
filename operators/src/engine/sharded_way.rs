//! The ways of elements from a shard into the graph: handed over by who sent them, or drained.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::clock::Time;
use super::error::GraphError;
use super::graph::{Core, Entered, Graph};
use super::inbox::{self, Entry};
use super::inlet::bits;
use super::line::{InLine, Place};
use super::send_error::SendError;
use super::shard::Shard;
use super::sharded_cell::ShardedCell;
use crate::InGraph;

/// The way into the graph: what a sharded source and its weak handles share.
pub(super) struct ShardedWay<T> {
    pub(super) core: Arc<Core>,
    pub(super) cell: Arc<ShardedCell<T>>,
}

impl<T> Clone for ShardedWay<T> {
    fn clone(&self) -> Self {
        ShardedWay {
            core: self.core.clone(),
            cell: self.cell.clone(),
        }
    }
}

/// An element that was not put into its shard, and why.
///
/// Two things, and so a copy: where the element itself went to the road that is seldom taken, it would lie in
/// memory on the other one too, written and read again for each send.
struct Unsent<T> {
    item: T,
    /// For want of room, and nothing else.
    full: bool,
}

impl<T: InGraph> ShardedWay<T> {
    // Where it is called, the element comes in memory, written in parts that are read as one: the processor
    // has to wait for that. So it is not called, also where the compiler would rather.
    #[inline(always)]
    pub(super) fn send(&self, item: T) -> Result<(), SendError<T>> {
        let cell = &*self.cell;
        let mut buffer = cell.shard().lock();
        let refused = cell.refuses();
        if refused || !cell.has_room(&mut buffer) {
            drop(buffer);
            let full = !refused;
            return self.send_unusual(Unsent { item, full });
        }
        let held = buffer.push(item, cell.batch);
        drop(buffer);
        // The first of a batch, or the last.
        if held > 0 {
            self.look_after(held);
        }
        Ok(())
    }

    /// As [`send`](ShardedWay::send); drops what is not accepted, and counts it.
    #[inline]
    pub(super) fn send_or_drop(&self, item: T) -> bool {
        match self.send(item) {
            Ok(()) => true,
            Err(error) => self.count(error),
        }
    }

    /// Puts the element into this thread's shard. Returns what [`Buffer::push`](super::shard::Buffer::push)
    /// does, or the element.
    fn put(&self, item: T) -> Result<usize, T> {
        let mut buffer = self.cell.shard().lock();
        match !self.cell.refuses() && self.cell.has_room(&mut buffer) {
            true => Ok(buffer.push(item, self.cell.batch)),
            false => Err(item),
        }
    }

    #[cold]
    #[inline(never)]
    fn send_unusual(&self, Unsent { item, full }: Unsent<T>) -> Result<(), SendError<T>> {
        if !full && let Some(error) = self.refusal() {
            return Err(error(item));
        }
        // Whoever kept the graph busy may have gone.
        match self.cell.options.hands_over() {
            true => self.hand_over(),
            false => self.hurry(),
        }
        match self.put(item) {
            Ok(held) => {
                self.look_after(held);
                Ok(())
            }
            Err(item) => Err(match self.refusal() {
                Some(error) => error(item),
                None => SendError::Full(item),
            }),
        }
    }

    /// What speaks against any element.
    fn refusal(&self) -> Option<impl FnOnce(T) -> SendError<T>> {
        let state = self.cell.signs.state.load(Ordering::Acquire);
        if state & bits::REFUSED == 0 {
            return None;
        }
        let stopped = self.core.inbox.stopped.get();
        Some(move |item| {
            if state & bits::POISONED != 0 {
                SendError::Poisoned(item)
            } else if state & bits::CLOSED != 0 {
                SendError::Closed(item)
            } else if let Some(cause) = stopped {
                SendError::Stopped(item, cause.clone())
            } else {
                SendError::Undriven(item)
            }
        })
    }

    #[cold]
    #[inline(never)]
    fn count(&self, error: SendError<T>) -> bool {
        let mut buffer = self.cell.shard().lock();
        match error.is_full() {
            true => buffer.overflown += 1,
            false => buffer.unheard += 1,
        }
        drop(buffer);
        // Without the lock: the element's destructor may do anything.
        drop(error);
        false
    }

    /// An element is the first of a batch, or the last.
    #[cold]
    #[inline(never)]
    fn look_after(&self, held: usize) {
        if self.cell.signs.is_idle() {
            self.call();
        }
        let cell = &*self.cell;
        if held >= cell.hand_over_at {
            self.hand_over();
        } else if held >= cell.options.call_at() {
            self.hurry();
        }
    }

    /// Calls the driver before it would come by itself, unless somebody did.
    fn hurry(&self) {
        if !self.cell.hurried.swap(true, Ordering::Relaxed) {
            self.leave_word();
            self.core.wakeups.driver.wake();
        }
    }

    /// Has the driver come: nobody else is to.
    fn call(&self) {
        let cell = &*self.cell;
        // Noted before others see that somebody comes, and take the time from there.
        let now = cell.coarse.read();
        if !cell.signs.awake(now) {
            return;
        }
        if !cell.options.hands_over() {
            self.leave_word();
            return self.core.wakeups.driver.wake();
        }
        match self.try_enter() {
            Some(mut entered) => {
                cell.wind_up(&mut entered.guard);
                entered.settle_and_exit();
            }
            None => self.nudge(),
        }
    }

    /// The graph, where it is free and may be entered here.
    fn try_enter(&self) -> Option<Entered<'_>> {
        match inbox::is_inside() || std::thread::panicking() {
            true => None,
            false => self.core.try_enter().ok(),
        }
    }

    /// Takes what this thread has sent into the graph, or leaves word that there is something.
    fn hand_over(&self) {
        let cell = &*self.cell;
        if cell.signs.state.load(Ordering::Acquire) & bits::FULL != 0 {
            return;
        }
        let Some(mut entered) = self.try_enter() else {
            // The driver, who keeps the time, may be late too.
            cell.coarse.read();
            // Where the driver comes anyway it is left to it, unless this is the first batch.
            if !cell.signs.beats() || !cell.hurried.swap(true, Ordering::Relaxed) {
                self.nudge();
            }
            return;
        };
        // Senders may come so often that the driver is late.
        cell.coarse.note(entered.guard.clock.read());
        if self.core.inbox.is_flagged() {
            self.core.settle(&mut entered.guard);
        }
        cell.drain_one(cell.shard(), &mut entered.guard);
        if entered.guard.todo || self.core.inbox.is_flagged() {
            entered.settle_and_exit();
        } else {
            let Entered { guard, inside, .. } = entered;
            drop(guard);
            inside.exit();
        }
    }

    /// Has the shards drained by whoever holds the graph, or as soon as this thread may.
    fn nudge(&self) {
        self.leave_word();
        if inbox::is_inside() && !std::thread::panicking() {
            inbox::owe_visit(&self.core);
        } else if std::thread::panicking() || !self.core.try_visit() {
            self.core.wakeups.driver.wake();
        }
    }

    /// Whoever holds the graph next drains the shards.
    fn leave_word(&self) {
        // A read-modify-write even where it is set: see `run_one`.
        if !self.cell.nudged.swap(true, Ordering::AcqRel) {
            let entry = Entry::Element(self.cell.clone());
            self.core.inbox.leave(entry);
        }
    }

    #[inline]
    pub(super) fn now(&self) -> Time {
        let (cell, signs) = (&*self.cell, &self.cell.signs);
        // Nobody comes to a graph that is undriven, stopped or given up.
        match signs.beats() && signs.state.load(Ordering::Relaxed) & bits::REFUSED == 0 {
            true => cell.coarse.latest(),
            false => cell.coarse.read(),
        }
    }

    pub(super) fn flush(&self) -> Result<(), GraphError> {
        let mut entered = match self.core.enter() {
            Ok(entered) => entered,
            Err(GraphError::Inside) => {
                self.nudge();
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let cx = &mut *entered.guard;
        self.core.settle(cx);
        self.cell.drain(cx);
        let full = cx.gated(self.cell.id).then(|| self.cell.held());
        entered.settle_and_exit();
        match (self.core.inbox.stopped.get(), full) {
            (Some(cause), _) => Err(GraphError::Stopped(cause.clone())),
            (None, Some(held)) if held > 0 => Err(GraphError::Full(held)),
            _ => Ok(()),
        }
    }

    pub(super) async fn flushed(&self) -> Result<(), GraphError> {
        let marks: Vec<_> = self.cell.shards.iter().map(Shard::mark).collect();
        let mut line = InLine::new(&self.cell.flushers);
        poll_fn(|task| self.poll_flushed(&marks, &mut line.place, task)).await
    }

    fn poll_flushed(
        &self,
        marks: &[u64],
        place: &mut Place,
        task: &Context<'_>,
    ) -> Poll<Result<(), GraphError>> {
        if inbox::is_inside() {
            return Poll::Ready(Err(GraphError::Inside));
        }
        match self.core.try_enter() {
            Ok(mut entered) => {
                let cx = &mut *entered.guard;
                self.core.settle(cx);
                self.cell.drain(cx);
                // First in line, then a look: what happens in between wakes this task.
                self.line_up(place, task);
                entered.settle_and_exit();
            }
            Err(GraphError::Inside) => {
                self.line_up(place, task);
                self.nudge();
            }
            Err(error) => return Poll::Ready(Err(error)),
        }
        let state = self.cell.signs.state.load(Ordering::Acquire);
        if state & bits::POISONED != 0 {
            return Poll::Ready(Err(GraphError::Poisoned));
        }
        if let Some(cause) = self.core.inbox.stopped.get() {
            return Poll::Ready(Err(GraphError::Stopped(cause.clone())));
        }
        let mut shards = self.cell.shards.iter().zip(marks);
        if shards.all(|(shard, mark)| shard.has_passed(*mark)) {
            return Poll::Ready(Ok(()));
        }
        if state & bits::UNDRIVEN != 0 {
            return Poll::Ready(Err(GraphError::Undriven));
        }
        Poll::Pending
    }

    fn line_up(&self, place: &mut Place, task: &Context<'_>) {
        if let Ok(mut line) = self.cell.flushers.lock() {
            line.wait(place, task.waker());
        }
    }

    pub(super) fn graph(&self) -> Graph {
        Graph::from_core(self.core.clone())
    }
}
