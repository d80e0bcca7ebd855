//! `chain`: one flow, and after it another.

use std::sync::Arc;
use std::task::Waker;

use super::gate::{Gate, Limit};
use super::relay::pass_once;
use crate::engine::{
    Cx, Entry, Fifo, Graph, Label, Node, OnFull, Plan, Port, PortCounts, Push, Role, Signal, Site,
    TURN, Tail, Waits,
};
use crate::flow::{InGraph, Run};

/// Emits the elements of one flow, and once it has closed those of another: see
/// [`Flow::chain`](crate::Flow::chain).
///
/// - **Emits** each element of the first flow, at once. When it closes, the elements of the second that
///   came meanwhile, in order, and from then on each of the second, at once. What it held goes in turns:
///   where several chains drain at the same moment, or one drains while the element that ended its first
///   flow goes on elsewhere, each keeps its order, but a `union` behind them may mix them in any way.
/// - **Holds** up to 1 024 elements of the second flow ([`capacity`](Chain::capacity)) while the first is
///   open, and after that while somebody downstream is full.
/// - **Waits**: under [`OnFull::Wait`](crate::OnFull), the default, the origin of the element that fills
///   it waits until it drains. Where the first flow hangs from that very origin only, waiting would be
///   for ever: the element fails with [`Starved`](crate::Starved). Other [policies](Chain::on_full) drop
///   or fail what comes when it is full.
/// - **On close** of both flows, and when nothing is held any more, it closes.
/// - **Drops** nothing by default; under [`OnFull::DropOldest`] and [`OnFull::DropNewest`] what does not
///   fit, counted as overflow; under [`OnFull::Fail`] that element fails, which is reported at once: no
///   `catch` below sees it.
/// - **Panics** at construction if the flows belong to two graphs, or if the capacity is 0.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let (recorded, live) = (graph.source::<u32>(), graph.source::<u32>());
/// let all = recorded.chain(&live).sink_to_list();
/// recorded.emit(1)?;
/// live.emit(3)?;
/// recorded.emit(2)?;
/// assert_eq!(all.take(), [1, 2]);
/// recorded.close();
/// live.emit(4)?;
/// assert_eq!(all.take(), [3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Chain<A, B> {
    first: A,
    second: B,
    limit: Limit,
    site: Site,
}

impl<A: Run, B: Run> Chain<A, B> {
    #[track_caller]
    pub(crate) fn new(first: A, second: B) -> Self {
        first.graph().assert_same(second.graph(), "chain");
        Chain {
            first,
            second,
            limit: Limit::default(),
            site: Site::new("chain"),
        }
    }
}

impl<A, B> Chain<A, B> {
    /// How many elements of the second flow are held before their origin waits (1 024 by default).
    ///
    /// # Panics
    /// If `capacity` is 0.
    #[track_caller]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.limit.set_capacity(capacity, "chain");
        self
    }

    /// What to do with an element of the second flow that there is no room for. What is dropped or
    /// fails leaves its place empty.
    pub fn on_full(mut self, policy: OnFull) -> Self {
        self.limit.on_full = policy;
        self
    }
}

impl<A: Run, B: Run<Item = A::Item>> Run for Chain<A, B> {
    type Item = A::Item;

    fn graph(&self) -> &Graph {
        self.first.graph()
    }

    fn build<N: Push<A::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Join);
        let node = ChainNode {
            gate: Gate::new(label.clone(), self.limit, 2),
            label: label.clone(),
            capacity: self.limit.capacity,
            first: true,
            second: true,
            queue: Fifo::default(),
            passed: 0,
            next: Box::new(next),
        };
        let cell = plan.cell(&label, node);
        plan.at_port(&label, 0);
        self.first.build(Port::<_, 0>(cell.clone()), plan);
        plan.at_port(&label, 1);
        self.second.build(Port::<_, 1>(cell), plan);
    }
}

struct ChainNode<T> {
    label: Arc<Label>,
    /// How much is held, and who waits: a row of which the first place is missing until the first
    /// flow has closed.
    gate: Gate,
    capacity: usize,
    /// Whether the flows are open.
    first: bool,
    second: bool,
    /// Elements of the second flow.
    queue: Fifo<T>,
    passed: u64,
    next: Tail<T>,
}

impl<T: InGraph> ChainNode<T> {
    fn held(&self) -> [usize; 2] {
        [usize::from(!self.first), self.queue.len()]
    }

    /// Whether elements of the second flow pass at once.
    #[inline]
    fn is_open(&self) -> bool {
        !self.first && self.queue.is_empty()
    }

    /// Emits what is held, if the first flow has closed, until somebody downstream is full.
    fn drain(&mut self, cx: &mut Cx) {
        if self.first {
            return;
        }
        let id = self.label.id();
        // Whoever is full from now on has this node wait, and not whoever closed the first flow.
        if !cx.with_origin(id, |cx| self.pass_on(cx)) {
            return;
        }
        if !self.queue.is_empty() {
            cx.wake(id);
        } else if !self.second {
            self.second = true;
            self.next.signal(Signal::Close, cx);
        }
    }

    /// Emits as much of what is held as goes in one turn. Returns false where somebody downstream is
    /// full.
    fn pass_on(&mut self, cx: &mut Cx) -> bool {
        for _ in 0..TURN {
            if cx.gated(self.label.id()) {
                return false;
            }
            let Some((slot, token)) = self.queue.pop() else {
                break;
            };
            cx.with_token(token, |cx| slot.pass(&mut self.next, cx));
            if self.queue.items() < self.capacity {
                self.gate.emitted(cx);
            }
        }
        true
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        let (passed, capacity) = (self.passed, self.capacity);
        let (held, since) = (self.queue.items(), self.gate.since());
        pass_once(self.label.id(), signal, &mut self.next, cx, |node| {
            node.counts.passed = passed;
            node.counts.held = held as u64;
            node.counts.capacity = capacity as u64;
            node.blocked_since = since;
        });
    }
}

impl<T: InGraph> Entry<T, 0> for ChainNode<T> {
    #[inline]
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        self.next.push(item, cx);
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        self.next.push_batch(items, cx);
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                if std::mem::replace(&mut self.first, false) {
                    self.drain(cx);
                }
            }
            Signal::Fail(_) | Signal::Hole | Signal::Room(_) => self.next.signal(signal, cx),
            other => self.signal(other, cx),
        }
    }
}

impl<T: InGraph> Entry<T, 1> for ChainNode<T> {
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        if self.is_open() {
            self.next.push(item, cx);
            return;
        }
        let held = self.held();
        self.gate.keep(1, &mut self.queue, item, &held, cx);
        if !self.first {
            self.gate.wait_while_full(self.queue.items(), cx);
        }
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if self.is_open() {
            self.passed += items.len() as u64;
            self.next.push_batch(items, cx);
            return;
        }
        for item in items.drain(..) {
            Entry::<T, 1>::enter(self, item, cx);
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                if std::mem::replace(&mut self.second, false) {
                    self.drain(cx);
                }
            }
            Signal::Fail(_) | Signal::Hole | Signal::Room(_) if self.is_open() => {
                self.next.signal(signal, cx);
            }
            Signal::Fail(failure) => self.gate.keep_failure(&mut self.queue, failure, cx),
            Signal::Hole => self.queue.push_hole(),
            Signal::Room(room) => {
                *room = (*room).min(self.capacity.saturating_sub(self.queue.items()));
            }
            other => self.signal(other, cx),
        }
    }
}

impl<T: InGraph> Node for ChainNode<T> {
    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        self.drain(cx);
    }

    fn starved(&mut self, still: bool, cx: &mut Cx) {
        let held = self.held();
        self.gate.look_again(&held, still, cx);
    }

    fn waits(&self) -> Option<Waits> {
        self.gate.waits(&self.held())
    }

    fn inputs(&self) -> PortCounts {
        [0, self.queue.len()].into_iter().collect()
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        // A branch that was taken off drains, and no flow asks it any more.
        if matches!(signal, Signal::Census) {
            self.signal(signal, cx);
        }
    }
}

impl<A, B> std::fmt::Debug for Chain<A, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("capacity", &self.limit.capacity)
            .finish_non_exhaustive()
    }
}
