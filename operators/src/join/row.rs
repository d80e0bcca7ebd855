//! What the zips share: when a row is complete, when an input is full, what is left at the close.

use std::fmt;
use std::sync::Arc;

use crate::engine::{
    Cx, Failure, Fifo, Label, Loss, Lost, NodeState, Pressure, Push, Signal, Slot, Token,
};

/// How many elements each input of a zip holds before its origin waits, unless said otherwise.
pub const ZIP_CAPACITY: usize = 1024;

/// The part of a zip that does not depend on the types of its inputs.
pub(crate) struct Gate {
    pub(crate) label: Arc<Label>,
    capacity: usize,
    pressure: Pressure,
    closed: Vec<bool>,
    finished: bool,
    /// Found to wait for an element that can't come, at this state of the graph's structure.
    starving: Option<u32>,
    rows: u64,
}

impl Gate {
    pub(crate) fn new(label: Arc<Label>, capacity: usize, ports: usize) -> Gate {
        Gate {
            label,
            capacity,
            pressure: Pressure::default(),
            closed: vec![false; ports],
            finished: false,
            starving: None,
            rows: 0,
        }
    }

    /// Takes an element into its input's queue, or fails it where the input is full and waiting
    /// would be for ever. `held` says what each input holds.
    pub(crate) fn keep<T: Send + 'static>(
        &mut self,
        queue: &mut Fifo<T>,
        item: T,
        held: &[usize],
        cx: &mut Cx,
    ) {
        if self.finished {
            cx.lose_current(self.label.id(), Loss::Unpaired);
            return;
        }
        if queue.len() < self.capacity || !self.starves(held, cx) {
            queue.push(item, cx);
            self.full(queue.len(), held, cx);
            return;
        }
        let error = Starved {
            held: held.to_vec(),
        };
        cx.report(Failure::with_element(&self.label, error, item));
        queue.push_hole();
    }

    /// As [`keep`](Gate::keep), for a batch that was cut to the room that is left.
    pub(crate) fn keep_batch<T: Send + 'static>(
        &mut self,
        queue: &mut Fifo<T>,
        items: &mut Vec<T>,
        held: &[usize],
        cx: &mut Cx,
    ) {
        let room = self.capacity.saturating_sub(queue.len());
        if self.finished || (items.len() > room && self.starves(held, cx)) {
            for item in items.drain(..) {
                self.keep(queue, item, held, cx);
            }
            return;
        }
        queue.push_batch(items, cx);
        self.full(queue.len(), held, cx);
    }

    #[inline]
    fn full(&mut self, len: usize, held: &[usize], cx: &mut Cx) {
        if len >= self.capacity && held.contains(&0) && !self.starves(held, cx) {
            self.pressure.hold(cx);
            cx.joins_full.push(self.label.id());
        }
    }

    /// Whether an input is empty that nobody can feed any more: each origin that could is the one
    /// that would have to wait here.
    #[cold]
    #[inline(never)]
    fn starves(&mut self, held: &[usize], cx: &mut Cx) -> bool {
        if self.starving == Some(cx.epoch) {
            return true;
        }
        let starves = held
            .iter()
            .enumerate()
            .any(|(port, held)| *held == 0 && !self.can_be_fed(port, cx));
        self.starving = starves.then_some(cx.epoch);
        starves
    }

    fn can_be_fed(&self, port: usize, cx: &mut Cx) -> bool {
        let feeders = match cx.topology.lock() {
            Ok(topology) => topology.feeders(self.label.id(), port as u32),
            Err(_) => return true,
        };
        let origin = cx.origin;
        feeders.into_iter().any(|feeder| {
            let waits_here = feeder == origin || self.pressure.blocks(feeder);
            let blocked_here = u32::from(self.pressure.blocks(feeder));
            cx.node(feeder)
                .is_some_and(|node| node.may_begin() && (!waits_here || node.gate > blocked_here))
        })
    }

    /// With nothing left to do in the graph, an origin waits here: if none of the holders that
    /// could feed an empty input holds anything, let the origin run into the error.
    pub(crate) fn look_again(&mut self, held: &[usize], cx: &mut Cx) {
        let can_be_fed = |gate: &Gate, port: usize, cx: &mut Cx| {
            let feeders = match cx.topology.lock() {
                Ok(topology) => topology.feeders(gate.label.id(), port as u32),
                Err(_) => return true,
            };
            feeders.into_iter().any(|feeder| {
                let blocked_here = u32::from(gate.pressure.blocks(feeder));
                cx.node(feeder).is_some_and(|node| {
                    if node.begins() {
                        blocked_here == 0 || node.gate > blocked_here
                    } else {
                        node.counts.held > 0 && blocked_here == 0
                    }
                })
            })
        };
        if held.contains(&0) {
            let starves = held
                .iter()
                .enumerate()
                .any(|(port, held)| *held == 0 && !can_be_fed(self, port, cx));
            if starves {
                self.starving = Some(cx.epoch);
                self.pressure.release(cx);
            } else {
                cx.joins_full.push(self.label.id());
            }
        }
    }

    /// Rows were emitted: inputs have room again.
    #[inline]
    pub(crate) fn emitted(&mut self, rows: usize, cx: &mut Cx) {
        self.rows += rows as u64;
        self.starving = None;
        self.pressure.release(cx);
    }

    /// Whether the zip passed its close on.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Notes that an input closed. Returns whether the zip ends now, as it can't make a row any more.
    pub(crate) fn close(&mut self, port: usize, held: &[usize]) -> bool {
        self.closed[port] = true;
        self.ends(held)
    }

    /// Whether an input is closed and empty.
    pub(crate) fn ends(&mut self, held: &[usize]) -> bool {
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

    /// Answers signals that concern neither rows nor the close. `passed` goes further down.
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
                // A starving port refuses one by one, with an error that says so: let it.
                if self.starving.is_none() {
                    *room = (*room).min(self.capacity.saturating_sub(port_held));
                }
                if cx.first_visit(self.label.id()) {
                    next.signal(Signal::Room(room), cx);
                }
            }
            Signal::Census => {
                if cx.first_visit(self.label.id()) {
                    let (rows, capacity, since) = (self.rows, self.capacity, self.pressure.since());
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
    failure: Option<Failure>,
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
            Slot::Failure(failure) => {
                cx.token = token;
                match self.failure {
                    None => self.failure = Some(failure),
                    Some(_) => cx.report(failure),
                }
            }
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
                let ambient = std::mem::replace(&mut cx.token, Token::merge(self.tokens));
                next.push(row, cx);
                cx.token = ambient;
            }
            _ => {
                self.tokens.iter().for_each(|t| t.fail(Lost::Discarded));
                cx.lose(gate.label.id(), Loss::Unpaired, self.items);
                match self.failure {
                    Some(failure) => next.signal(Signal::Fail(failure), cx),
                    None => next.signal(Signal::Hole, cx),
                }
            }
        }
    }
}

/// A zip can't go on: an input is full, another is empty, and only the origin that would have to
/// wait could feed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starved {
    /// How many elements each input holds.
    pub held: Vec<usize>,
}

impl fmt::Display for Starved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the zip's inputs hold {:?} elements, and the empty one can only be fed by the source \
             that would have to wait for it: raise the capacity, or drop on the full side",
            self.held
        )
    }
}

impl std::error::Error for Starved {}
