//! The clock side of windows of time, whatever they collect: when one begins, ends, waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::gather::{Gather, Parts};
use super::room;
use crate::engine::{
    Alarm, Clock, Cx, Entry, Label, Node, NodeId, Plan, Pressure, Push, Signal, Tail, Time, Tokens,
};
use crate::flow::InGraph;

/// How many elements may be held by default.
pub(super) const MAX_LEN: usize = 65_536;

/// How many empty windows a clock that the data lead may leave behind in one step: a longer step is
/// a leap, through which nobody kept time.
const LEAP: u64 = 100;

/// What users choose about windows of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    length: Duration,
    /// Where on the clock a window begins, and others whole lengths before and after it.
    pub(super) anchor: Time,
    /// Whether a window ends when `length` has passed since its last element, and not at the next
    /// multiple of `length`.
    after_a_gap: bool,
    /// How much may be held: where it is elements, a window alone can reach it.
    capacity: usize,
    /// Whether what is held grows with each element. A state does not, so that only windows that
    /// wait downstream fill the capacity.
    grows: bool,
    pub(super) keep_empty: bool,
}

impl Windows {
    /// Windows that keep their elements.
    pub(super) fn of_elements(length: Duration) -> Windows {
        Windows {
            length,
            anchor: Time::ZERO,
            after_a_gap: false,
            capacity: MAX_LEN,
            grows: true,
            keep_empty: false,
        }
    }

    /// Windows that keep one state each.
    pub(super) fn of_states(length: Duration) -> Windows {
        Windows {
            // The one under way, and one that is over.
            capacity: 2,
            grows: false,
            ..Windows::of_elements(length)
        }
    }

    /// Sessions: see the field.
    pub(super) fn after_a_gap(self) -> Windows {
        Windows {
            after_a_gap: true,
            ..self
        }
    }

    /// Windows begin whole lengths before and after `anchor`.
    pub(super) fn anchor(&mut self, anchor: Time) {
        let length = Time::from(self.length).as_nanos();
        // The first one after the clock's zero: what comes before it is a shorter window.
        self.anchor = Time::from_nanos(anchor.as_nanos() % length);
    }

    /// How many elements may be held.
    #[track_caller]
    pub(super) fn limit(&mut self, max: usize) {
        assert!(
            max > 0,
            "`max_len(0)` could hold nothing: let a window have at least 1 element"
        );
        self.capacity = max;
    }
}

/// A window that is over, and waits until somebody downstream has room.
struct Over<W> {
    window: W,
    tokens: Tokens,
    held: usize,
}

/// Windows `[k·d, (k+1)·d)` of the graph's clock, or sessions. Whoever notices first that one is over,
/// an element or the alarm, ends it; the alarm is armed only while something is held.
pub(super) struct WindowNode<T, C: Gather<T>> {
    id: NodeId,
    windows: Windows,
    content: C,
    /// The end of the window under way.
    end: Time,
    started: bool,
    over: VecDeque<Over<C::Whole>>,
    /// What the windows in `over` hold together.
    waiting: usize,
    alarm: Alarm,
    pressure: Pressure,
    closed: bool,
    passed: u64,
    early: u64,
    skipped: u64,
    next: Tail<C::Whole>,
    _items: std::marker::PhantomData<fn(T)>,
}

impl<T, C: Gather<T>> WindowNode<T, C> {
    pub(super) fn new(
        label: &Arc<Label>,
        windows: Windows,
        content: C,
        next: impl Push<C::Whole>,
        plan: &mut Plan,
    ) -> Self {
        plan.has_timers();
        if windows.keep_empty {
            plan.start(label);
        }
        WindowNode {
            id: label.id(),
            windows,
            content,
            end: Time::ZERO,
            started: false,
            over: VecDeque::new(),
            waiting: 0,
            alarm: Alarm::default(),
            pressure: Pressure::default(),
            closed: false,
            passed: 0,
            early: 0,
            skipped: 0,
            next: Box::new(next),
            _items: std::marker::PhantomData,
        }
    }

    fn held(&self) -> usize {
        self.content.held() + self.waiting
    }

    fn room(&self) -> usize {
        if self.windows.grows || !self.over.is_empty() {
            self.windows.capacity.saturating_sub(self.held())
        } else {
            usize::MAX
        }
    }

    /// Ends the window under way if its time is over.
    #[inline]
    fn roll(&mut self, cx: &mut Cx) {
        let now = cx.now();
        if now >= self.end {
            self.begin_window(now, cx);
        }
    }

    #[inline(never)]
    fn begin_window(&mut self, now: Time, cx: &mut Cx) {
        let every = self.windows.length;
        self.content.ends(self.end);
        if self.content.held() > 0 {
            self.end_window();
        } else if self.windows.keep_empty && self.started {
            // Empty ones don't queue: that would be bunching them up.
            match self.content.empty() {
                Some(window) if self.over.is_empty() && !cx.gated(self.id) => {
                    self.next.push(window, cx);
                }
                _ => self.skipped += 1,
            }
        }
        let before = self.end;
        let next = before + every;
        // As a rule that one is under way now. Others are found by a division.
        self.end = if self.started && now < next && !self.windows.after_a_gap {
            next
        } else {
            now.next_boundary(self.windows.anchor, every)
        };
        // Where the data lead the clock, deadlines come one by one, though the data have gone on to
        // `to` already.
        if self.windows.keep_empty {
            let to = cx.heading();
            if to > now && windows_between(now, to, every) > LEAP {
                self.end = to.next_boundary(self.windows.anchor, every);
            }
            // As a rule one has ended, and there is nothing to count.
            if self.started && self.end != next {
                // All that ended but for the one that was emitted.
                let ended = windows_between(before, self.end, every);
                self.skipped += ended.saturating_sub(1);
            }
        }
        self.started = true;
        self.drain(cx);
    }

    /// The window under way is complete, and waits for its turn.
    fn end_window(&mut self) {
        let held = self.content.held();
        if let Some((window, token)) = self.content.take() {
            let tokens = Tokens::of(token);
            self.waiting += held;
            self.over.push_back(Over {
                window,
                tokens,
                held,
            });
        }
    }

    fn emit_next(&mut self, cx: &mut Cx) {
        if let Some(mut over) = self.over.pop_front() {
            self.waiting -= over.held;
            let token = over.tokens.take();
            cx.with_token(token, |cx| self.next.push(over.window, cx));
        }
    }

    /// Emits windows that are over, and one that is full before its time, until somebody downstream
    /// is full.
    fn drain(&mut self, cx: &mut Cx) {
        while !self.over.is_empty() && !cx.gated(self.id) {
            self.emit_next(cx);
        }
        if self.room() == 0 && !cx.gated(self.id) {
            self.early += 1;
            self.content.ends(cx.now());
            self.end_window();
            self.emit_next(cx);
        }
        if self.room() > 0 {
            self.pressure.release(cx);
        }
    }

    #[inline]
    fn arm(&mut self, cx: &mut Cx) {
        // After the end of time there is no window, and none would be over for ever.
        let goes_on = self.end < Time::from_nanos(u64::MAX);
        let ticks = self.windows.keep_empty && self.started && !self.closed && goes_on;
        if ticks || self.content.held() > 0 {
            self.alarm.set(self.id, self.end, cx);
        }
    }

    /// After elements came in: arms the alarm; a full window goes early, unless it has to wait
    /// downstream, and then the origin waits here.
    #[inline]
    fn took(&mut self, cx: &mut Cx) {
        if self.windows.after_a_gap {
            self.end = cx.now() + self.windows.length;
        }
        self.arm(cx);
        if self.room() == 0 {
            self.drain(cx);
            if self.room() == 0 {
                self.pressure.hold(cx);
            }
        }
    }
}

impl<T: InGraph, C: Gather<T>> Entry<T> for WindowNode<T, C> {
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        self.roll(cx);
        self.content.add(std::iter::once(item), cx);
        self.took(cx);
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        self.roll(cx);
        let mut rest = Parts::of::<C>(items);
        while rest.len() > 0 {
            let room = self.room().max(1);
            rest.give(room, &mut self.content, cx);
            self.took(cx);
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // A window is no element: its place can't be empty.
            Signal::Hole => return,
            Signal::Close => {
                self.closed = true;
                self.content.ends(self.end.min(cx.now()));
                self.end_window();
                while !self.over.is_empty() {
                    self.emit_next(cx);
                }
                self.pressure.release(cx);
            }
            Signal::Room(room) => {
                room::of_group(self.room(), room, &mut self.next, cx);
                return;
            }
            Signal::Census => {
                let (passed, held, capacity) = (self.passed, self.held(), self.windows.capacity);
                let (early, skipped, since) = (self.early, self.skipped, self.pressure.since());
                cx.take_census(self.id, |node| {
                    node.counts.passed = passed;
                    node.counts.held = held as u64;
                    node.counts.capacity = capacity as u64;
                    node.counts.early = early;
                    node.counts.skipped = skipped;
                    node.blocked_since = since;
                });
            }
            _ => {}
        }
        self.next.signal(signal, cx);
    }
}

impl<T: InGraph, C: Gather<T>> Node for WindowNode<T, C> {
    fn tick(&mut self, cx: &mut Cx) {
        let now = cx.now();
        self.alarm.rang(now);
        if !self.closed {
            self.roll(cx);
            self.arm(cx);
        }
    }

    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        // Where empty windows are kept the clock begins at once, unless the data lead it: then
        // their first element says when the first window is.
        let led = matches!(cx.clock, Clock::Led(_));
        if self.windows.keep_empty && !self.started && !led && !self.closed {
            self.started = true;
            self.end = cx
                .now()
                .next_boundary(self.windows.anchor, self.windows.length);
            self.arm(cx);
        }
        self.drain(cx);
    }
}

/// How many windows end from one moment to another, where the one or the other is an end itself.
fn windows_between(from: Time, to: Time, length: Duration) -> u64 {
    let count = (to - from).as_nanos() / length.as_nanos().max(1);
    u64::try_from(count).unwrap_or(u64::MAX)
}
