//! A source as the graph keeps it: its fork, its queue, and what speaks against pushing.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Waker;

use super::cell::Cell;
use super::census::Loss;
use super::clock::Time;
use super::context::Cx;
use super::error::EmitError;
use super::fork::Fork;
use super::inbox::{Entry, Inbox};
use super::line::Line;
use super::lineage::{Lost, Token};
use super::pressure::{Blocked, Pressure};
use super::push::{Push, Signal};
use super::topology::NodeId;
use crate::InGraph;

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

/// Tells the time from an element.
pub(super) type Lead<T> = Box<dyn Fn(&T) -> Time + Send + Sync>;

/// What the graph keeps of a source.
pub(crate) struct SourceCell<T> {
    pub(super) id: NodeId,
    pub(super) state: AtomicU8,
    pub(super) head: Cell<Fork<T>>,
    /// Elements that wait for the graph, in order.
    pub(super) waiting: Mutex<VecDeque<(T, Token)>>,
    /// How many of them the graph has come to and left, since the source was full. Only changed
    /// under the graph's lock.
    pub(super) parked: AtomicUsize,
    pub(super) closing: AtomicBool,
    pub(super) finished: AtomicBool,
    pub(super) senders: Mutex<Line>,
    /// How many ends of this graph emit into the source by `connect`, and are open.
    pub(super) feeds: AtomicUsize,
    /// Origins that wait because the queue is full: see [`feed`](SourceCell::feed).
    pub(super) crowd: Mutex<Pressure>,
    pub(super) lead: OnceLock<Lead<T>>,
}

/// A source as the graph knows it.
pub(crate) trait Inlet: Send + Sync {
    fn id(&self) -> NodeId;
    fn state(&self) -> &AtomicU8;
    /// Pushes the next waiting element, or parks it where the source is full.
    fn run_one(&self, cx: &mut Cx);
    /// The source need not wait any more: parked elements go first, then senders are woken.
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
    /// Who waits for room in the queue.
    fn crowd(&self) -> Option<Blocked>;
    /// How many wait for room.
    fn senders(&self) -> usize;
    /// Gathers the wakers of those who wait for room.
    fn take_senders(&self, wakes: &mut Vec<Waker>);
    /// Since when the oldest element may have waited here, where the source knows.
    fn oldest(&self) -> Option<Time> {
        None
    }
    /// Takes into the graph what senders have gathered: somebody's deadline has come, and what was sent
    /// before it goes first.
    fn catch_up(&self, _cx: &mut Cx) {}
    /// Whether an element comes in, or did when a closure panicked.
    fn is_at_work(&self, cx: &mut Cx) -> bool;
    /// The graph is given up, as it is poisoned or out of time: what waits is lost and nobody waits
    /// any more. Returns the run that hung from here, to be dropped outside of the lock.
    fn abandon(&self, why: u8, cx: &mut Cx, wakes: &mut Vec<Waker>) -> Box<dyn Any + Send>;
}

impl<T> SourceCell<T> {
    /// An end that emitted into this source is gone without a close.
    pub(crate) fn lose_feed(&self) {
        self.feeds.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T: InGraph> SourceCell<T> {
    pub(super) fn deliver(&self, item: T, token: Token, cx: &mut Cx) {
        if let Some(lead) = self.lead.get() {
            let time = lead(&item);
            if time > cx.clock.read() {
                cx.without_emitter(|cx| cx.advance_led(time));
            }
        }
        cx.begin(self.id);
        cx.token = token;
        let mut head = self.head.take(cx);
        head.push(item, cx);
        self.head.put(cx, head);
        cx.token = Token::NONE;
    }

    /// As [`deliver`](SourceCell::deliver), for elements that lead the clock: the head stays out of its
    /// cell from deadline to deadline.
    pub(super) fn deliver_led(&self, lead: &Lead<T>, items: &mut Vec<T>, cx: &mut Cx) {
        let mut head = self.head.take(cx);
        for item in items.drain(..) {
            if cx.begin_led(self.id, lead(&item)) {
                head.push(item, cx);
            } else {
                self.head.put(cx, head);
                self.deliver(item, Token::NONE, cx);
                head = self.head.take(cx);
            }
        }
        self.head.put(cx, head);
    }

    pub(super) fn has_queue_room(&self) -> bool {
        self.waiting
            .lock()
            .is_ok_and(|waiting| waiting.len() < INBOX_CAPACITY)
    }

    /// Gives the element back where the source can't take it. Who has the graph's lock and who
    /// leaves the element at a busy graph learn the same: first what is for ever, then what may pass.
    pub(super) fn admit(&self, item: T, inbox: &Inbox) -> Result<T, EmitError<T>> {
        let state = self.state.load(Ordering::Acquire);
        if state & (bits::REFUSED | bits::FULL) == 0 {
            return Ok(item);
        }
        Err(if state & bits::POISONED != 0 {
            EmitError::Poisoned(item)
        } else if state & bits::CLOSED != 0 {
            EmitError::Closed(item)
        } else if let Some(cause) = inbox.stopped.get() {
            EmitError::Stopped(item, cause.clone())
        } else if state & bits::UNDRIVEN != 0 {
            EmitError::Undriven(item)
        } else {
            EmitError::Full(item)
        })
    }

    /// Keeps an element for when the graph comes to it.
    ///
    /// The queue's lock is held until the inbox knows, as in [`shut`](Inlet::shut): so an element is
    /// either before the close or refused, and never behind it.
    pub(super) fn queue(
        self: &Arc<Self>,
        item: T,
        token: Token,
        inbox: &Inbox,
    ) -> Result<(), EmitError<T>> {
        let Ok(mut waiting) = self.waiting.lock() else {
            return Err(EmitError::Poisoned(item));
        };
        let item = self.admit(item, inbox)?;
        if waiting.len() >= INBOX_CAPACITY {
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

    pub(super) fn next_waiting(&self) -> Option<(T, Token)> {
        self.waiting.lock().ok()?.pop_front()
    }

    pub(super) fn run_waiting(&self, cx: &mut Cx) {
        let Some((item, token)) = self.next_waiting() else {
            return;
        };
        if let Ok(mut crowd) = self.crowd.lock() {
            crowd.release(cx);
        }
        if cx.is_stopped() || self.finished.load(Ordering::Relaxed) {
            token.fail(Lost::Discarded);
            cx.lose(self.id, Loss::Unheard, 1);
            return;
        }
        cx.without_emitter(|cx| self.deliver(item, token, cx));
    }
}

impl<T: InGraph> Inlet for SourceCell<T> {
    fn id(&self) -> NodeId {
        self.id
    }

    fn state(&self) -> &AtomicU8 {
        &self.state
    }

    fn run_one(&self, cx: &mut Cx) {
        let parked = self.parked.load(Ordering::Relaxed);
        if parked > 0 || self.state.load(Ordering::Relaxed) & bits::FULL != 0 {
            self.parked.store(parked + 1, Ordering::Relaxed);
        } else {
            self.run_waiting(cx);
            if self.senders.lock().is_ok_and(|line| !line.is_empty()) {
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

    fn senders(&self) -> usize {
        self.senders.lock().map_or(0, |line| line.len())
    }

    fn crowd(&self) -> Option<Blocked> {
        self.crowd.lock().ok()?.since()
    }

    fn take_senders(&self, wakes: &mut Vec<Waker>) {
        if let Ok(mut line) = self.senders.lock() {
            wakes.extend(line.take());
        }
    }

    fn is_at_work(&self, cx: &mut Cx) -> bool {
        self.head.is_taken(cx)
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
            super::lineage::strictly(|| {
                for (_, token) in waiting {
                    token.fail(Lost::TornDown);
                }
            });
        }
    }
}
