//! A sharded source as its graph keeps it: the shards, and how they are drained.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use super::cell::{Cell, Node};
use super::census::Loss;
use super::clock::{Clock, Time};
use super::coarse::Coarse;
use super::context::Cx;
use super::fork::Fork;
use super::graph::Core;
use super::inbox::{Entry, Inbox};
use super::inlet::{Inlet, bits};
use super::line::Line;
use super::pressure::Blocked;
use super::push::{Push, Signal};
use super::shard::{Buffer, Shard, slot};
use super::sharded_signs::Signs;
use super::shards::Shards;
use super::timers::Alarm;
use super::topology::NodeId;
use crate::InGraph;

/// What a graph keeps of a sharded source.
pub(crate) struct ShardedCell<T> {
    pub(super) id: NodeId,
    pub(super) signs: Signs,
    pub(super) shards: Box<[Shard<T>]>,
    pub(super) options: Shards,
    /// How many elements of a shard are taken into the graph at once: a power of two.
    pub(super) batch: usize,
    /// How many elements in a shard are handed over by who sent them.
    pub(super) hand_over_at: usize,
    pub(super) coarse: Arc<Coarse>,
    desk: Cell<Desk<T>>,
    /// Those who wait until their elements are in the graph.
    pub(super) flushers: Mutex<Line>,
    /// An entry of this source lies in the inbox.
    pub(super) nudged: AtomicBool,
    /// Whether a batch was left to whoever holds the graph, or the driver was called, since the alarm rang last. Once
    /// is enough: were each batch, senders who are faster than the graph would keep its holder at work for ever, and
    /// neither a timer nor a shutdown would get its turn.
    pub(super) hurried: AtomicBool,
    closing: AtomicBool,
    finished: AtomicBool,
}

/// What is needed to drain. Under the graph's lock.
struct Desk<T> {
    fork: Fork<T>,
    /// The buffer that changes places with a shard's: empty.
    batch: Vec<T>,
    alarm: Alarm,
    /// Whether anything was drained since the alarm rang.
    flowed: bool,
    /// How often in a row the alarm has rung for nothing.
    idle: u8,
    /// What the shards held when the alarm rang under pressure.
    stalled_at: usize,
    /// When the shards let go of memory that they have not needed since they were asked last.
    tidy_at: Time,
}

/// How often, at the most.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// How often in a row the alarm rings for nothing before the driver rests: to call it again costs the first who
/// sends some microseconds, so it stays for those who send in bursts.
const REST_AFTER: u8 = 4;

/// Rings when elements have lain long enough.
pub(super) struct Bell<T>(pub(super) Arc<ShardedCell<T>>);

impl<T: InGraph> Node for Bell<T> {
    fn tick(&mut self, cx: &mut Cx) {
        self.0.ring(cx);
    }
}

impl<T: InGraph> ShardedCell<T> {
    pub(super) fn new(core: &Core, options: Shards, fork: Fork<T>) -> Self {
        let shards = (0..options.count).map(|_| Shard::new());
        ShardedCell {
            id: fork.id(),
            signs: Signs::new(),
            shards: shards.collect(),
            batch: options.batch(),
            hand_over_at: options.hand_over_at(),
            options,
            coarse: core.coarse.clone(),
            desk: Cell::new(core.cells, Desk::new(fork)),
            flushers: Mutex::default(),
            nudged: AtomicBool::new(false),
            hurried: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            finished: AtomicBool::new(false),
        }
    }

    /// The calling thread's shard.
    #[inline]
    pub(super) fn shard(&self) -> &Shard<T> {
        // There is a power of two of them.
        &self.shards[slot() & (self.shards.len() - 1)]
    }

    /// Whether something speaks against any element. Under the shard's lock, so that nothing comes behind a
    /// close.
    #[inline]
    pub(super) fn refuses(&self) -> bool {
        self.signs.state.load(Ordering::Relaxed) & bits::REFUSED != 0
    }

    /// Whether there is room for one more in a shard.
    #[inline]
    pub(super) fn has_room(&self, buffer: &mut Buffer<T>) -> bool {
        buffer.has_room() || self.make_room(buffer)
    }

    #[cold]
    #[inline(never)]
    fn make_room(&self, buffer: &mut Buffer<T>) -> bool {
        let room = buffer.make_room(self.batch, self.options.capacity);
        // Who hands over each batch has its memory in its own processor's cache.
        if room && self.hand_over_at > self.batch {
            buffer.fetch();
        }
        room
    }

    /// How many elements lie in the shards.
    pub(super) fn held(&self) -> usize {
        self.shards.iter().map(Shard::len).sum()
    }

    /// Does `work` with the desk, unless the graph was given up. Failures are the graph's: those who
    /// sent the elements have gone on.
    fn at_desk(&self, cx: &mut Cx, work: impl FnOnce(&mut Desk<T>, &mut Cx)) {
        if let Some(mut desk) = self.desk.try_take(cx) {
            cx.without_emitter(|cx| work(&mut desk, cx));
            self.desk.put(cx, desk);
        }
    }

    /// Takes into the graph what lies in the shards now, unless somebody downstream is full.
    pub(super) fn drain(&self, cx: &mut Cx) {
        self.at_desk(cx, |desk, cx| desk.drain(self, cx));
    }

    /// As [`drain`](ShardedCell::drain), of one shard.
    pub(super) fn drain_one(&self, shard: &Shard<T>, cx: &mut Cx) {
        self.at_desk(cx, |desk, cx| {
            desk.drain_one(self, shard, cx);
        });
    }

    /// The driver is to come when what is sent from now on has lain long enough.
    pub(super) fn wind_up(&self, cx: &mut Cx) {
        let now = cx.clock.read();
        cx.clock_read = true;
        let at = now + self.options.max_age;
        self.at_desk(cx, |desk, cx| desk.alarm.set(self.id, at, cx));
    }

    /// The alarm rang, and what was sent before was drained just now: see [`Cx::catch_up`].
    fn ring(&self, cx: &mut Cx) {
        let now = cx.now();
        let mut rests = false;
        self.hurried.store(false, Ordering::Relaxed);
        self.at_desk(cx, |desk, cx| {
            desk.alarm.rang(now);
            let idle = if cx.gated(self.id) {
                // Once nobody sends any more, nobody has to come before there is room.
                let held = self.held();
                std::mem::replace(&mut desk.stalled_at, held) == held
            } else {
                !std::mem::take(&mut desk.flowed)
            };
            desk.idle = if idle { desk.idle + 1 } else { 0 };
            if desk.idle == REST_AFTER {
                desk.idle = 0;
                rests = true;
            }
            if now >= desk.tidy_at {
                desk.tidy_at = now + TIDY_EVERY;
                self.shards.iter().for_each(Shard::tidy);
            }
        });
        if rests {
            self.rest(cx);
        }
        if self.signs.beats() {
            self.wind_up(cx);
        }
    }

    /// Nothing came for a while: the driver need not come, until somebody sends.
    fn rest(&self, cx: &mut Cx) {
        self.signs.beats.store(false, Ordering::Release);
        self.shards.iter().for_each(Shard::rest);
        if cx.gated(self.id) {
            return;
        }
        let Some(before) = self.signs.rest() else {
            return;
        };
        // Who sent before that was to be seen has called nobody; who sends after calls.
        if self.held() > 0 && self.signs.awake(before) {
            self.drain(cx);
        }
    }

    /// Discarded elements since the last census.
    fn count_losses(&self, cx: &mut Cx) {
        for shard in &self.shards {
            let mut buffer = shard.lock();
            let overflown = std::mem::take(&mut buffer.overflown);
            let unheard = std::mem::take(&mut buffer.unheard);
            drop(buffer);
            cx.lose(self.id, Loss::Overflow, overflown as usize);
            cx.lose(self.id, Loss::Unheard, unheard as usize);
        }
    }

    fn has_flushers(&self) -> bool {
        self.flushers.lock().is_ok_and(|line| !line.is_empty())
    }
}

impl<T: InGraph> Desk<T> {
    fn new(fork: Fork<T>) -> Desk<T> {
        Desk {
            fork,
            batch: Vec::new(),
            alarm: Alarm::default(),
            flowed: false,
            idle: 0,
            stalled_at: 0,
            tidy_at: Time::ZERO,
        }
    }

    fn drain(&mut self, cell: &ShardedCell<T>, cx: &mut Cx) {
        let now = cx.clock.read();
        let mut all = true;
        for shard in &cell.shards {
            all &= self.drain_one(cell, shard, cx);
        }
        if all {
            cell.signs.drained(now);
        }
    }

    /// Pushes what the shard holds now, and returns whether all of it went: not while somebody
    /// downstream is full. The elements are given the earliest time at which they may have been sent,
    /// so that a window which ended since gets those that were sent before.
    fn drain_one(&mut self, cell: &ShardedCell<T>, shard: &Shard<T>, cx: &mut Cx) -> bool {
        let mut left = shard.len();
        while left > 0 {
            if cx.is_stopped() {
                return self.discard(cell, shard, cx);
            }
            if cx.gated(cell.id) {
                return false;
            }
            let room = cx.room(&mut self.fork).max(1);
            let taken = shard.take(room, &mut self.batch);
            left = left.saturating_sub(taken);
            self.flowed = true;
            match cell.signs.since() {
                Some(since) => cx.begin_at(cell.id, since),
                None => cx.begin(cell.id),
            }
            self.fork.push_batch(&mut self.batch, cx);
            shard.note_passed();
        }
        true
    }

    /// The graph was stopped by a failure: what was accepted before is counted, and goes.
    #[cold]
    fn discard(&mut self, cell: &ShardedCell<T>, shard: &Shard<T>, cx: &mut Cx) -> bool {
        let dead = shard.take_all();
        cx.lose(cell.id, Loss::Unheard, dead.iter().map(Vec::len).sum());
        cx.graves.push(Box::new(dead));
        cx.todo = true;
        true
    }
}

impl<T: InGraph> Inlet for ShardedCell<T> {
    fn id(&self) -> NodeId {
        self.id
    }

    fn state(&self) -> &AtomicU8 {
        &self.signs.state
    }

    /// Somebody who could not wait for the graph left word that there is something to drain.
    fn run_one(&self, cx: &mut Cx) {
        // A read-modify-write: what those did who found it set is seen from here on.
        self.nudged.swap(false, Ordering::AcqRel);
        if matches!(cx.clock, Clock::Led(_)) {
            // There the alarm rings when time moves, which may be never.
            self.hurried.store(false, Ordering::Relaxed);
        }
        if !self.finished.load(Ordering::Relaxed) {
            self.drain(cx);
            if self.signs.beats() {
                self.wind_up(cx);
            }
        }
        if self.has_flushers() {
            self.take_senders(&mut cx.wakes);
        }
    }

    fn resume(&self, cx: &mut Cx) {
        if cx.gated(self.id) {
            return;
        }
        // First, so that somebody comes for what is sent behind the drain's back.
        if !self.signs.is_idle() && !self.signs.beats() {
            self.coarse.note(cx.clock.read());
            self.signs.beats.store(true, Ordering::Release);
            self.wind_up(cx);
        }
        self.drain(cx);
        self.take_senders(&mut cx.wakes);
        if cx.gated(self.id) {
            return;
        }
        self.signs.state.fetch_and(!bits::FULL, Ordering::Release);
        if self.closing.load(Ordering::Relaxed) {
            self.finish(cx);
        }
    }

    fn finish(&self, cx: &mut Cx) {
        // Whoever sends sees this under the shard's lock, so that an element is either there when the
        // shard is drained below or refused.
        self.signs.state.fetch_or(bits::CLOSED, Ordering::Release);
        self.drain(cx);
        self.take_senders(&mut cx.wakes);
        if self.held() > 0 {
            self.closing.store(true, Ordering::Relaxed);
            return;
        }
        if !self.finished.swap(true, Ordering::Relaxed) {
            let id = self.id;
            cx.gathering.retain(|inlet| inlet.id() != id);
            cx.open_sources -= 1;
            self.shards.iter().for_each(Shard::rest);
            self.signal(Signal::Close, cx);
            cx.wake_waiters();
        }
    }

    fn retire(&self, cx: &mut Cx) {
        self.finish(cx);
    }

    fn signal(&self, signal: Signal<'_>, cx: &mut Cx) {
        cx.begin(self.id);
        let counts = matches!(signal, Signal::Census | Signal::Close);
        let mut desk = self.desk.take(cx);
        desk.fork.signal(signal, cx);
        self.desk.put(cx, desk);
        if counts {
            self.count_losses(cx);
            let (held, room) = (self.held(), self.options.capacity);
            cx.take_census(self.id, |node| {
                node.counts.held = held as u64;
                node.counts.capacity = (room as u64).saturating_mul(self.shards.len() as u64);
            });
        }
    }

    fn shut(self: Arc<Self>, inbox: &Inbox) {
        self.signs.state.fetch_or(bits::CLOSED, Ordering::Release);
        inbox.leave(Entry::Close(self.clone()));
    }

    fn waiting(&self) -> usize {
        self.held()
    }

    fn senders(&self) -> usize {
        self.flushers.lock().map_or(0, |line| line.len())
    }

    fn crowd(&self) -> Option<Blocked> {
        None
    }

    fn take_senders(&self, wakes: &mut Vec<Waker>) {
        if let Ok(mut line) = self.flushers.lock() {
            wakes.extend(line.take());
        }
    }

    fn oldest(&self) -> Option<Time> {
        self.signs.since().filter(|_| self.held() > 0)
    }

    fn catch_up(&self, cx: &mut Cx) {
        if !self.signs.is_idle() {
            self.drain(cx);
        }
    }

    fn is_at_work(&self, cx: &mut Cx) -> bool {
        self.desk.is_taken(cx)
    }

    fn abandon(&self, why: u8, cx: &mut Cx, wakes: &mut Vec<Waker>) -> Box<dyn Any + Send> {
        self.signs.state.fetch_or(why, Ordering::Release);
        self.finished.store(true, Ordering::Relaxed);
        let dead: Vec<_> = self.shards.iter().map(Shard::take_all).collect();
        self.take_senders(wakes);
        // What hangs from here later hangs from a closed fork.
        let desk = Desk::new(Fork::closed(self.id));
        Box::new((dead, self.desk.exchange(cx, desk)))
    }
}
