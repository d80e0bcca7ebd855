//! What the zips share: when a row is complete, when an input is full, what is left at the close.

use std::fmt;
use std::sync::Arc;

use crate::engine::{
    Cx, Failure, Fifo, Label, Loss, Lost, NodeId, NodeState, Pressure, Push, Signal, Slot, Time,
    Token,
};
use crate::hold::{OnFull, Overflow};

/// How many elements each input of a zip holds before its origin waits, by default.
pub const ZIP_CAPACITY: usize = 1024;

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
    rows: u64,
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
            capacity: ZIP_CAPACITY,
            on_full: OnFull::Wait,
        }
    }
}

impl Limit {
    #[track_caller]
    pub(crate) fn set_capacity(&mut self, capacity: usize) {
        assert!(
            capacity > 0,
            "`capacity(0)` could hold nothing: give each input of the zip room for at least 1 element"
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
            rows: 0,
        }
    }

    /// Whether an input that holds `items` elements takes one more and is still not full.
    #[inline]
    pub(crate) fn has_room(&self, items: usize) -> bool {
        items + 1 < self.limit.capacity && !self.finished
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
            && empty_but(port, held).next().is_some()
            && !self.starves(port, held, cx)
        {
            self.pressure.hold(cx);
            if !cx.joins_full.contains(&self.label.id()) {
                cx.joins_full.push(self.label.id());
            }
        }
    }

    /// Whether an input is empty that nobody can feed any more: each origin that could is the one
    /// that would have to wait here.
    #[cold]
    #[inline(never)]
    fn starves(&mut self, port: usize, held: &[usize], cx: &mut Cx) -> bool {
        if self.starving == Some(cx.epoch) {
            return true;
        }
        let starves = empty_but(port, held).any(|port| !self.can_be_fed(port, cx));
        self.starving = starves.then_some(cx.epoch);
        if starves {
            // Whoever waits here already would wait for ever too.
            self.pressure.release(cx);
        }
        starves
    }

    fn can_be_fed(&self, port: usize, cx: &mut Cx) -> bool {
        self.feeders(port, cx)
            .into_iter()
            .any(|feeder| !self.waits_only_here(feeder, cx) && may_begin(feeder, cx))
    }

    /// Whether nothing but this zip makes `feeder` wait, or would if the origin under way had to.
    ///
    /// An origin that another holder stops as well does not wait for us alone: it goes on when that
    /// holder lets it, and may feed us then.
    fn waits_only_here(&self, feeder: NodeId, cx: &mut Cx) -> bool {
        let blocked_here = self.pressure.blocks(feeder);
        let waits_here = blocked_here || feeder == cx.origin;
        waits_here
            && cx
                .node(feeder)
                .is_some_and(|node| node.waits_for <= u32::from(blocked_here))
    }

    /// With nothing left to do in the graph, an origin waits here: if none of the holders that
    /// could feed an empty input holds anything, let the origin run into the error.
    pub(crate) fn look_again(&mut self, held: &[usize], cx: &mut Cx) {
        if self.pressure.is_idle() {
            return;
        }
        let mut empty = (0..held.len()).filter(|port| held[*port] == 0).peekable();
        if empty.peek().is_none() {
            return;
        }
        if empty.any(|port| !self.will_be_fed(port, cx)) {
            self.starving = Some(cx.epoch);
            self.pressure.release(cx);
        } else {
            cx.joins_full.push(self.label.id());
        }
    }

    /// As [`can_be_fed`](Gate::can_be_fed), while nothing moves: a holder that holds nothing will
    /// not feed anybody, and who waits goes on only if a holder other than this zip stops it as well
    /// (it does not wait for us alone), and one of those that it may wait for does not wait for this
    /// zip in turn. The census is fresh.
    fn will_be_fed(&self, port: usize, cx: &mut Cx) -> bool {
        // Those that are full and themselves wait for nobody in the graph: a future, a consumer or
        // another source will make room there.
        let full: Vec<NodeId> = cx
            .nodes
            .iter()
            .flatten()
            .filter(|node| node.blocked_since.is_some() && node.waits_for == 0)
            .map(|node| node.label.id())
            .filter(|id| *id != self.label.id())
            .collect();
        self.feeders(port, cx).into_iter().any(|feeder| {
            let blocked_here = u32::from(self.pressure.blocks(feeder));
            let Some(node) = cx.node(feeder) else {
                return false;
            };
            let waits_for = node.waits_for;
            if !(node.begins() || (node.may_begin() && node.counts.held > 0)) {
                return false;
            }
            waits_for == 0
                || (waits_for > blocked_here
                    && cx.topology.lock().is_ok_and(|topology| {
                        full.iter().any(|full| topology.reaches(feeder, *full))
                    }))
        })
    }

    fn feeders(&self, port: usize, cx: &Cx) -> Vec<NodeId> {
        match cx.topology.lock() {
            Ok(topology) => topology.feeders(self.label.id(), port as u32),
            Err(_) => Vec::new(),
        }
    }

    /// Rows were emitted: inputs have room again.
    #[inline]
    pub(crate) fn emitted(&mut self, rows: usize, cx: &mut Cx) {
        self.rows += rows as u64;
        if self.starving.is_some() {
            self.starving = None;
        }
        self.pressure.release(cx);
    }

    /// Somebody downstream is full, so that what an input holds does not get on: at the limit the
    /// origin under way waits.
    pub(crate) fn wait_while_full(&mut self, items: usize, cx: &mut Cx) {
        if items >= self.limit.capacity && self.limit.on_full == OnFull::Wait {
            self.pressure.hold(cx);
        }
    }

    /// Since when an origin waits.
    pub(crate) fn since(&self) -> Option<Time> {
        self.pressure.since()
    }

    /// Whether an input has closed, so that the last row may have been emitted.
    #[inline]
    pub(crate) fn may_end(&self) -> bool {
        self.any_closed
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

    /// What is left without a mate is counted, and its lineage fails.
    pub(crate) fn lose_rest<T>(&mut self, queue: &mut Fifo<T>, cx: &mut Cx) {
        let count = queue.lose_all(Lost::Discarded);
        cx.lose(self.label.id(), Loss::Unpaired, count);
        self.pressure.release(cx);
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
                // Under any policy: of a batch that is cut to fit nothing is dropped that would not
                // be dropped one by one.
                *room = (*room).min(self.limit.capacity.saturating_sub(port_held));
                if cx.first_visit(self.label.id()) {
                    next.signal(Signal::Room(room), cx);
                }
            }
            Signal::Census => {
                if cx.first_visit(self.label.id()) {
                    let (rows, capacity, since) =
                        (self.rows, self.limit.capacity, self.pressure.since());
                    cx.take_census(self.label.id(), |node: &mut NodeState| {
                        node.counts.passed = rows;
                        node.counts.held = held as u64;
                        node.counts.capacity = capacity as u64;
                        node.blocked_since = since;
                    });
                    next.signal(Signal::Census, cx);
                }
            }
            other => {
                if cx.first_visit(self.label.id()) {
                    next.signal(other, cx);
                }
            }
        }
    }
}

/// Collects the places of one row: a failure or a hole in any of them makes the row a hole, and
/// the mates are counted and lost.
#[derive(Default)]
pub(crate) struct RowCheck {
    tokens: smallvec::SmallVec<[Token; 2]>,
    failure: Option<(Failure, Token)>,
    broken: bool,
    items: usize,
}

impl RowCheck {
    /// The element that stood in the place, if it was one.
    pub(crate) fn take<T>(&mut self, place: Option<(Slot<T>, Token)>, cx: &mut Cx) -> Option<T> {
        let (slot, token) = place?;
        match slot {
            Slot::Item(item) => {
                self.items += 1;
                if token.is_some() {
                    self.tokens.push(token);
                }
                return Some(item);
            }
            Slot::Hole => {}
            Slot::Failure(failure) if self.failure.is_none() => {
                self.failure = Some((failure, token));
            }
            // One place, one failure: the others of the row go no further.
            Slot::Failure(failure) => beside(token, cx, |cx| cx.report(failure)),
        }
        self.broken = true;
        None
    }

    /// Pushes the row, or what became of it.
    pub(crate) fn finish<O: 'static>(
        self,
        row: Option<O>,
        gate: &Gate,
        next: &mut impl Push<O>,
        cx: &mut Cx,
    ) {
        match row {
            Some(row) if !self.broken => {
                beside(Token::merge(self.tokens), cx, |cx| next.push(row, cx));
            }
            _ => {
                self.tokens.iter().for_each(|t| t.fail(Lost::Discarded));
                cx.lose(gate.label.id(), Loss::Unpaired, self.items);
                match self.failure {
                    Some((failure, token)) => {
                        beside(token, cx, |cx| next.signal(Signal::Fail(failure), cx));
                    }
                    None => beside(Token::NONE, cx, |cx| next.signal(Signal::Hole, cx)),
                }
            }
        }
    }
}

/// Does `work` with this token riding beside, then goes on with the one that rode before.
#[inline]
pub(crate) fn beside(token: Token, cx: &mut Cx, work: impl FnOnce(&mut Cx)) {
    let ambient = std::mem::replace(&mut cx.token, token);
    work(cx);
    cx.token = ambient;
}

/// Whether elements can still come from this node.
fn may_begin(feeder: NodeId, cx: &mut Cx) -> bool {
    cx.node(feeder).is_some_and(|node| node.may_begin())
}

/// The inputs that hold nothing, other than `port`, which was just fed.
fn empty_but(port: usize, held: &[usize]) -> impl Iterator<Item = usize> {
    (0..held.len()).filter(move |p| *p != port && held[*p] == 0)
}

/// A zip can't go on: an input is full, another is empty, and only the origin that would have to
/// wait could feed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starved {
    /// How many places each input holds: elements, failures, and places left empty.
    pub held: Vec<usize>,
}

impl fmt::Display for Starved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the join's inputs hold {:?} elements, and the empty one can only be fed by the source \
             that would have to wait for it: raise the capacity, or drop on the full side",
            self.held
        )
    }
}

impl std::error::Error for Starved {}
