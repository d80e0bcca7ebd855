//! The gate of a zip: when an input is full, what then, and what is left at the close.

use std::sync::Arc;

use super::relay::pass_once;
use super::starving::{Starved, starves};
use crate::engine::{
    Blocked, Cx, Failure, Fifo, Label, Loss, Lost, OnFull, Overflow, Pressure, Push, Signal, Slot,
    Waits,
};

/// How many elements each input of a zip holds before its origin waits, by default.
const CAPACITY: usize = 1024;

/// The part of a zip that does not depend on the types of its inputs.
pub(crate) struct Gate {
    pub(crate) label: Arc<Label>,
    limit: Limit,
    pressure: Pressure,
    closed: Vec<bool>,
    any_closed: bool,
    finished: bool,
    /// Found to wait for an element that can't come, at this state of the graph's structure.
    starving: Option<u32>,
    passed: u64,
    /// The capacity while nobody waits and no input has closed, otherwise 0: one look instead of
    /// four.
    quiet_room: usize,
}

/// What a node has to do about a signal that its gate took.
pub(crate) enum Heard {
    Nothing,
    /// An input holds one place more: rows may be complete.
    Place,
    /// The zip ends now.
    Ended,
}

/// How much a zip's inputs hold, and what happens then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) capacity: usize,
    pub(crate) on_full: OnFull,
}

impl Default for Limit {
    fn default() -> Limit {
        Limit {
            capacity: CAPACITY,
            on_full: OnFull::Wait,
        }
    }
}

impl Limit {
    /// `join` is the operator's name.
    #[track_caller]
    pub(crate) fn set_capacity(&mut self, capacity: usize, join: &str) {
        assert!(
            capacity > 0,
            "`capacity(0)` could hold nothing: give `{join}` room for at least 1 element"
        );
        self.capacity = capacity;
    }
}

impl Gate {
    pub(crate) fn new(label: Arc<Label>, limit: Limit, ports: usize) -> Gate {
        Gate {
            label,
            limit,
            pressure: Pressure::default(),
            closed: vec![false; ports],
            any_closed: false,
            finished: false,
            starving: None,
            passed: 0,
            quiet_room: limit.capacity,
        }
    }

    /// Whether there is nothing to do about an element but to keep it or to make a row of it.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet_room > 0
    }

    /// Whether an input that holds `items` elements takes one more and is still not full, and there
    /// is nothing else to do about that.
    #[inline]
    pub(crate) fn has_quiet_room(&self, items: usize) -> bool {
        items + 1 < self.quiet_room
    }

    /// How many elements more an input has room for that holds `items`. Under any policy: of a batch
    /// that is cut to fit nothing is dropped that would not be dropped one by one.
    pub(crate) fn room(&self, items: usize) -> usize {
        self.limit.capacity.saturating_sub(items)
    }

    /// Counts elements that came in, by whichever input, and are not [kept](Gate::keep) here.
    #[inline]
    pub(crate) fn count(&mut self, elements: usize) {
        self.passed += elements as u64;
    }

    /// Looks anew whether anybody waits, or any input has closed.
    fn see(&mut self) {
        let quiet = !self.any_closed && self.starving.is_none() && self.pressure.is_idle();
        self.quiet_room = if quiet { self.limit.capacity } else { 0 };
    }

    /// Takes an element into the queue of input `port`, or does what the policy says where that is
    /// full. `held` says how many places each input held before.
    #[inline]
    pub(crate) fn keep<T: Send + 'static>(
        &mut self,
        port: usize,
        queue: &mut Fifo<T>,
        item: T,
        held: &[usize],
        cx: &mut Cx,
    ) {
        self.passed += 1;
        if self.finished {
            cx.lose_current(self.label.id(), Loss::Unpaired);
        } else if queue.items() >= self.limit.capacity {
            self.overflow(port, queue, item, held, cx);
        } else {
            queue.push(item, cx);
            self.look_at(port, queue.items(), held, cx);
        }
    }

    /// As [`keep`](Gate::keep), for a batch as a whole. Returns `false`, and takes nothing, where
    /// the elements have to be looked at one by one.
    pub(crate) fn keep_batch<T: Send + 'static>(
        &mut self,
        port: usize,
        queue: &mut Fifo<T>,
        items: &mut Vec<T>,
        held: &[usize],
        cx: &mut Cx,
    ) -> bool {
        if self.finished || items.len() > self.limit.capacity.saturating_sub(queue.items()) {
            return false;
        }
        self.passed += items.len() as u64;
        queue.push_batch(items, cx);
        self.look_at(port, queue.items(), held, cx);
        true
    }

    /// Keeps a failure in the place of its element; where too much waits already it is reported at
    /// once, and its place stays empty.
    pub(crate) fn keep_failure<T>(&self, queue: &mut Fifo<T>, failure: Failure, cx: &mut Cx) {
        if queue.len() < self.limit.capacity {
            queue.push_failure(failure, cx);
        } else {
            cx.report(failure);
            queue.push_hole();
        }
    }

    /// An element of a full input. Whatever is dropped leaves its place empty, so that the rows
    /// after it do not shift.
    #[cold]
    #[inline(never)]
    fn overflow<T: Send + 'static>(
        &mut self,
        port: usize,
        queue: &mut Fifo<T>,
        item: T,
        held: &[usize],
        cx: &mut Cx,
    ) {
        let id = self.label.id();
        let policy = self.limit.on_full;
        let failure = match policy {
            OnFull::Wait if !self.starves(port, held, cx) => {
                queue.push(item, cx);
                self.look_at(port, queue.items(), held, cx);
                return;
            }
            OnFull::Wait => {
                let held = held.to_vec();
                Failure::with_element(&self.label, Starved { held }, item)
            }
            OnFull::Fail => {
                let capacity = self.limit.capacity;
                Failure::with_element(&self.label, Overflow { capacity }, item)
            }
            OnFull::DropOldest => {
                if let Some(token) = queue.hollow_oldest() {
                    token.fail(Lost::Discarded);
                    cx.lose(id, Loss::Overflow, 1);
                }
                queue.push(item, cx);
                return;
            }
            OnFull::DropNewest => {
                cx.lose_current(id, Loss::Overflow);
                queue.push_hole();
                return;
            }
        };
        cx.report(failure);
        queue.push_hole();
    }

    /// An input holds `items` elements now: if it is full, and no row follows at once, the origin
    /// under way waits.
    #[inline]
    fn look_at(&mut self, port: usize, items: usize, held: &[usize], cx: &mut Cx) {
        if items >= self.limit.capacity {
            self.full(port, held, cx);
        }
    }

    #[cold]
    #[inline(never)]
    fn full(&mut self, port: usize, held: &[usize], cx: &mut Cx) {
        if self.limit.on_full == OnFull::Wait
            && empty(held).any(|other| other != port)
            && !self.starves(port, held, cx)
        {
            self.pressure.hold(cx);
            self.see();
            if !cx.joins_full.contains(&self.label.id()) {
                cx.joins_full.push(self.label.id());
            }
        }
    }

    /// Whether an input is empty that nobody can feed any more: each origin that could is one that
    /// would have to wait for this join.
    #[cold]
    #[inline(never)]
    fn starves(&mut self, port: usize, held: &[usize], cx: &mut Cx) -> bool {
        if self.starving == Some(cx.epoch) {
            return true;
        }
        let empty = empty(held).filter(|other| *other != port);
        let mut waits = self.waits_for(empty);
        let holds = waits.origins.contains(&cx.origin);
        if !holds {
            waits.origins.push(cx.origin);
        }
        let verdict = starves(waits, !holds, false, cx);
        if verdict {
            self.give_up(cx);
        }
        verdict
    }

    /// An origin waits here: if nobody will feed an empty input, let the origin run into the error.
    /// `still`: with nothing left to do in the graph.
    pub(crate) fn look_again(&mut self, held: &[usize], still: bool, cx: &mut Cx) {
        if let Some(waits) = self.waits(held)
            && starves(waits, false, still, cx)
        {
            self.give_up(cx);
        }
    }

    /// Nobody waits here any more: it would be for ever.
    fn give_up(&mut self, cx: &mut Cx) {
        self.starving = Some(cx.epoch);
        self.pressure.release(cx);
        self.see();
    }

    /// Who waits here, and for which inputs; `None` where nobody does.
    pub(crate) fn waits(&self, held: &[usize]) -> Option<Waits> {
        (!self.pressure.is_idle()).then(|| self.waits_for(empty(held)))
    }

    fn waits_for(&self, empty: impl Iterator<Item = usize>) -> Waits {
        Waits {
            join: self.label.id(),
            origins: self.pressure.origins().collect(),
            empty: empty.map(|port| port as u32).collect(),
        }
    }

    /// Rows were emitted: inputs have room again.
    #[inline]
    pub(crate) fn emitted(&mut self, cx: &mut Cx) {
        if !self.is_quiet() {
            self.starving = None;
            self.pressure.release(cx);
            self.see();
        }
    }

    /// Somebody downstream is full, so that what an input holds does not get on: at the limit the
    /// origin under way waits.
    pub(crate) fn wait_while_full(&mut self, items: usize, cx: &mut Cx) {
        if items >= self.limit.capacity && self.limit.on_full == OnFull::Wait {
            self.pressure.hold(cx);
            self.see();
        }
    }

    /// Who waits, and since when.
    pub(crate) fn since(&self) -> Option<Blocked> {
        self.pressure.since()
    }

    /// Whether the zip passed its close on.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Notes that an input closed. Returns `true` once: when the zip ends now, as it can't make a row
    /// any more.
    pub(crate) fn close(&mut self, port: usize, held: &[usize]) -> bool {
        self.closed[port] = true;
        self.any_closed = true;
        self.see();
        self.finish_if_ended(held)
    }

    /// Finishes the zip if an input is closed and empty. Returns `true` only for the call that did.
    #[inline]
    pub(crate) fn finish_if_ended(&mut self, held: &[usize]) -> bool {
        if !self.any_closed {
            return false;
        }
        let ends = !self.finished && (0..held.len()).any(|p| self.closed[p] && held[p] == 0);
        self.finished |= ends;
        ends
    }

    /// What is left without a mate is counted, and its lineage fails. Failures that waited for a mate
    /// are reported.
    pub(crate) fn lose_rest<T>(&mut self, queue: &mut Fifo<T>, cx: &mut Cx) {
        let mut count = 0;
        while !queue.is_plain() {
            match queue.pop() {
                None => break,
                Some((Slot::Item(_), token)) => {
                    token.fail(Lost::Discarded);
                    count += 1;
                }
                Some((Slot::Failure(failure), token)) => {
                    cx.with_token(token, |cx| cx.report(failure))
                }
                Some((Slot::Hole, _)) => {}
            }
        }
        count += queue.lose_all(Lost::Discarded);
        cx.lose(self.label.id(), Loss::Unpaired, count);
        self.pressure.release(cx);
    }

    /// Takes a signal at input `port`, whose queue this is, and says what the node has to do then.
    /// `held` says how many places each input held before, `items` how many elements lie at all.
    pub(crate) fn hear<T: Send + 'static, O: 'static>(
        &mut self,
        port: usize,
        queue: &mut Fifo<T>,
        signal: Signal<'_>,
        (held, items): (&[usize], usize),
        next: &mut impl Push<O>,
        cx: &mut Cx,
    ) -> Heard {
        match signal {
            Signal::Close if self.close(port, held) => return Heard::Ended,
            Signal::Close => {}
            // Nothing may follow the close: not even an empty place.
            Signal::Fail(failure) if self.finished => cx.report(failure),
            Signal::Hole if self.finished => {}
            Signal::Hole => {
                queue.push_hole();
                return Heard::Place;
            }
            Signal::Fail(failure) => {
                self.keep_failure(queue, failure, cx);
                return Heard::Place;
            }
            other => self.signal(other, queue.items(), items, next, cx),
        }
        Heard::Nothing
    }

    /// Answers signals that concern neither rows nor the close, and passes each on down once, by
    /// whichever input it comes first. `port_held` elements lie at this input, `held` at all.
    pub(crate) fn signal<T: 'static>(
        &mut self,
        signal: Signal<'_>,
        port_held: usize,
        held: usize,
        next: &mut impl Push<T>,
        cx: &mut Cx,
    ) {
        match signal {
            Signal::Room(room) => {
                *room = (*room).min(self.room(port_held));
                if cx.first_visit(self.label.id()) {
                    next.signal(Signal::Room(room), cx);
                }
            }
            other => {
                let (passed, capacity, since) =
                    (self.passed, self.limit.capacity, self.pressure.since());
                pass_once(self.label.id(), other, next, cx, |node| {
                    node.counts.passed = passed;
                    node.counts.held = held as u64;
                    node.counts.capacity = capacity as u64;
                    node.blocked_since = since;
                });
            }
        }
    }
}

/// The inputs that hold nothing.
fn empty(held: &[usize]) -> impl Iterator<Item = usize> {
    (0..held.len()).filter(|port| held[*port] == 0)
}
