//! What elements share that wait for their time, in order: a queue with one alarm.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use crate::engine::{
    Alarm, Clock, Cx, Entry, Fifo, Label, Node, Plan, Port, Pressure, Push, Role, Signal, Site,
    Slot, TURN, Tail, Time,
};
use crate::flow::{InGraph, Run};

/// Says when elements may go on. Their order stays, so that one waits for those in front, too.
pub(super) trait Timetable<T>: Send + 'static {
    /// The earliest moment for an element that comes at `now`.
    fn due(&mut self, item: &T, now: Time) -> Time;

    /// The earliest moment for a failure or a hole, which stands in the place of an element.
    fn due_without_item(&mut self, _now: Time) -> Time {
        Time::ZERO
    }

    /// No element goes before this moment, whatever its own is.
    fn not_before(&self) -> Time {
        Time::ZERO
    }

    /// An element goes now.
    fn goes(&mut self, _now: Time) {}
}

/// The one choice that all of them offer. `$default` is its default, in words.
macro_rules! capacity_method {
    ($default:literal) => {
        #[doc = concat!("How many elements may wait here before origins wait (", $default, " by default).")]
        ///
        /// # Panics
        /// If `elements` is 0.
        #[track_caller]
        pub fn capacity(mut self, elements: usize) -> Self {
            assert!(
                elements > 0,
                "`capacity(0)` could hold nothing: let at least 1 element wait"
            );
            self.capacity = elements;
            self
        }
    };
}
pub(super) use capacity_method;

/// Builds a node that holds up to `capacity` elements until `table` lets them go, and `next` behind.
pub(super) fn build<R: Run>(
    upstream: R,
    (table, capacity, site): (impl Timetable<R::Item>, usize, Site),
    next: impl Push<R::Item>,
    plan: &mut Plan,
) {
    let label = plan.node(site, Role::Operator);
    plan.has_timers();
    let node = TimedNode {
        label: label.clone(),
        table,
        queue: Fifo::default(),
        due: VecDeque::new(),
        capacity,
        pressure: Pressure::default(),
        alarm: Alarm::default(),
        closing: false,
        passed: 0,
        next: Box::new(next),
    };
    let cell = plan.cell(&label, node);
    upstream.build(Port::<_>(cell), plan);
}

struct TimedNode<T, P> {
    label: Arc<Label>,
    table: P,
    queue: Fifo<T>,
    /// When each place of the queue may go, as the table said when it was taken.
    due: VecDeque<Time>,
    capacity: usize,
    pressure: Pressure,
    alarm: Alarm,
    closing: bool,
    passed: u64,
    next: Tail<T>,
}

impl<T: InGraph, P: Timetable<T>> TimedNode<T, P> {
    /// When what stands in front may go.
    fn front(&self) -> Option<Time> {
        let due = *self.due.front()?;
        Some(if self.queue.is_item_in_front() {
            due.max(self.table.not_before())
        } else {
            due
        })
    }

    /// Whether something for which it is time may go at once, not through the queue.
    fn is_open(&self, due: Time, cx: &mut Cx) -> bool {
        self.queue.is_empty() && due <= cx.now() && !cx.gated(self.label.id())
    }

    /// Passes something on at once. Whoever is full then has this node wait, which has room, and not
    /// the origin.
    fn go(&mut self, slot: Slot<T>, cx: &mut Cx) {
        if matches!(slot, Slot::Item(_)) {
            self.table.goes(cx.now());
        }
        cx.with_origin(self.label.id(), |cx| slot.pass(&mut self.next, cx));
    }

    /// A failure or a hole keeps the place of its element.
    fn take_place(&mut self, slot: Slot<T>, cx: &mut Cx) {
        let due = self.table.due_without_item(cx.now());
        if self.is_open(due, cx) {
            return self.go(slot, cx);
        }
        match slot {
            Slot::Failure(failure) => self.queue.push_failure(failure, cx),
            _ => self.queue.push_hole(),
        }
        self.kept(due, cx);
    }

    /// Something more is held.
    fn kept(&mut self, due: Time, cx: &mut Cx) {
        self.due.push_back(due);
        if self.queue.len() >= self.capacity {
            self.pressure.hold(cx);
        }
        // Else the alarm is set already: for what stands in front of it.
        if self.queue.len() == 1 {
            self.arm(cx);
        }
    }

    /// Sees to it that what stands in front goes at its time.
    fn arm(&mut self, cx: &mut Cx) {
        let id = self.label.id();
        // While somebody downstream is full, room is waited for, and not a moment.
        if !cx.gated(id)
            && let Some(at) = self.front()
        {
            if at > cx.now() {
                self.alarm.set(id, at, cx);
            } else {
                cx.wake(id);
            }
        }
    }

    /// Lets go what is due, until somebody downstream is full.
    fn drain(&mut self, cx: &mut Cx) {
        let (id, now) = (self.label.id(), cx.now());
        // Time that the data lead does not go on by itself: all that is due goes before it moves.
        let led = matches!(cx.clock, Clock::Led(_));
        for _ in 0..if led { usize::MAX } else { TURN } {
            if cx.gated(id) || self.front().is_none_or(|at| at > now) {
                break;
            }
            let Some((slot, token)) = self.queue.pop() else {
                break;
            };
            self.due.pop_front();
            cx.with_token(token, |cx| self.go(slot, cx));
            if self.queue.len() < self.capacity {
                self.pressure.release(cx);
            }
        }
        self.arm(cx);
        if self.queue.is_empty() && std::mem::take(&mut self.closing) {
            self.next.signal(Signal::Close, cx);
        }
    }

    fn census(&mut self, cx: &mut Cx) {
        if !cx.first_visit(self.label.id()) {
            return;
        }
        let (passed, capacity) = (self.passed, self.capacity);
        // Failures, too: `run` goes on until they have had their time.
        let (held, since) = (self.queue.len(), self.pressure.since());
        cx.take_census(self.label.id(), |node| {
            node.counts.passed = passed;
            node.counts.held = held as u64;
            node.counts.capacity = capacity as u64;
            node.blocked_since = since;
        });
        self.next.signal(Signal::Census, cx);
    }
}

impl<T: InGraph, P: Timetable<T>> Entry<T> for TimedNode<T, P> {
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        let due = self.table.due(&item, cx.now());
        if self.is_open(due.max(self.table.not_before()), cx) {
            return self.go(Slot::Item(item), cx);
        }
        self.queue.push(item, cx);
        self.kept(due, cx);
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close if self.queue.is_empty() => self.next.signal(Signal::Close, cx),
            Signal::Close => self.closing = true,
            Signal::Fail(failure) => self.take_place(Slot::Failure(failure), cx),
            Signal::Hole => self.take_place(Slot::Hole, cx),
            Signal::Room(room) => {
                *room = (*room).min(self.capacity.saturating_sub(self.queue.len()));
            }
            Signal::Census => self.census(cx),
            Signal::Settle => self.next.signal(Signal::Settle, cx),
        }
    }
}

impl<T: InGraph, P: Timetable<T>> Node for TimedNode<T, P> {
    fn tick(&mut self, cx: &mut Cx) {
        let now = cx.now();
        self.alarm.rang(now);
        // Where an element brings the time along, it has no part in this.
        cx.aside(self.label.id(), |cx| self.drain(cx));
    }

    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        self.drain(cx);
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        // A branch that was taken off drains, and no flow asks it any more.
        if matches!(signal, Signal::Census) {
            self.census(cx);
        }
    }
}
