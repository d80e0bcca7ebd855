//! `start_with`: items that go before the first element.

use std::sync::Arc;
use std::task::Waker;

use crate::engine::{
    Cell, Cx, Entry, Fifo, Graph, Label, Node, Plan, Port, Pressure, Push, Role, Signal, Site, TURN,
};
use crate::flow::{InGraph, Run};

/// How many elements may wait for the items that go before them.
const CAPACITY: usize = 1_024;

/// Emits items before the first element: see [`Flow::start_with`](crate::Flow::start_with).
///
/// - **Emits** the items as soon as the flow is connected: when the call that connects it returns they
///   have passed. From inside of a closure that is when the element under way has passed; in a graph
///   that needs a driver and has none, when there is one. After them each element, at once.
/// - **Holds** the items while somebody downstream is full, and then up to 1 024 elements behind them.
/// - **Waits**: the origin of the element that fills it waits until the items have passed.
/// - **On close** it emits what it holds, then closes.
/// - **Drops** nothing.
/// - **Panics** where the iterator does; that poisons the graph. The iterator is asked under the
///   graph's lock, and must come to an end, unless somebody downstream holds and waits.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let (prices, rates) = (graph.source::<f64>(), graph.source::<f64>());
/// // There is a rate before the first one comes.
/// let converted = prices.combine_latest(rates.start_with([1.0])).emit_on([0]).map(|(p, r)| p * r);
/// let list = converted.sink_to_list();
/// prices.emit(3.0)?;
/// rates.emit(2.0)?;
/// prices.emit(3.0)?;
/// assert_eq!(list.take(), [3.0, 6.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct StartWith<R, I> {
    upstream: R,
    items: I,
    site: Site,
}

impl<R, I> StartWith<R, I> {
    #[track_caller]
    pub(crate) fn new(upstream: R, items: I) -> Self {
        StartWith {
            upstream,
            items,
            site: Site::new("start_with"),
        }
    }
}

impl<R, I> Run for StartWith<R, I>
where
    R: Run,
    I: Iterator<Item = R::Item> + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let node = StartNode {
            label: label.clone(),
            items: Some(self.items),
            queue: Fifo::default(),
            pressure: Pressure::default(),
            closing: false,
            passed: 0,
            next,
        };
        let cell = plan.cell(&label, node);
        let starting: Arc<Cell<_>> = cell.clone();
        // Items are the first that passes, so they are emitted in the order of building.
        plan.at_once(move |cx| {
            if cx.is_undriven() {
                cx.wake(label.id());
            } else {
                let mut node = starting.take(cx);
                cx.begin(node.label.id());
                node.go_on(usize::MAX, cx);
                starting.put(cx, node);
            }
        });
        self.upstream.build(Port::<_>(cell), plan);
    }
}

struct StartNode<T, I, N> {
    label: Arc<Label>,
    /// `None` once all have passed.
    items: Option<I>,
    /// Elements that wait for the items.
    queue: Fifo<T>,
    pressure: Pressure,
    closing: bool,
    passed: u64,
    next: N,
}

impl<T, I, N> StartNode<T, I, N>
where
    T: InGraph,
    I: Iterator<Item = T> + InGraph,
    N: Push<T>,
{
    /// Whether elements pass at once.
    #[inline]
    fn is_open(&self) -> bool {
        self.items.is_none() && self.queue.is_empty()
    }

    /// Emits items and what waits for them, `most` at the most, until somebody downstream is full.
    fn go_on(&mut self, most: usize, cx: &mut Cx) {
        let id = self.label.id();
        for _ in 0..most {
            if cx.gated(id) || cx.is_stopped() {
                return;
            }
            if let Some(items) = &mut self.items {
                match items.next() {
                    Some(item) => {
                        self.passed += 1;
                        self.next.push(item, cx);
                    }
                    None => self.items = None,
                }
                continue;
            }
            let Some((slot, token)) = self.queue.pop() else {
                break;
            };
            cx.with_token(token, |cx| slot.pass(&mut self.next, cx));
            self.pressure.release(cx);
        }
        if !self.is_open() {
            cx.wake(id);
        } else if self.closing {
            self.closing = false;
            self.next.signal(Signal::Close, cx);
        }
    }

    fn kept(&mut self, cx: &mut Cx) {
        if self.queue.len() >= CAPACITY {
            self.pressure.hold(cx);
        }
    }

    fn census(&mut self, cx: &mut Cx) {
        let (passed, held, since) = (self.passed, self.queue.items(), self.pressure.since());
        cx.take_census(self.label.id(), |node| {
            node.counts.passed = passed;
            node.counts.held = held as u64;
            node.counts.capacity = CAPACITY as u64;
            node.blocked_since = since;
        });
    }
}

impl<T, I, N> Entry<T> for StartNode<T, I, N>
where
    T: InGraph,
    I: Iterator<Item = T> + InGraph,
    N: Push<T>,
{
    #[inline]
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        if self.is_open() {
            self.next.push(item, cx);
        } else {
            self.queue.push(item, cx);
            self.kept(cx);
        }
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        if self.is_open() {
            self.next.push_batch(items, cx);
        } else {
            self.queue.push_batch(items, cx);
            self.kept(cx);
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Settle => self.next.signal(signal, cx),
            Signal::Census => {
                if cx.first_visit(self.label.id()) {
                    self.census(cx);
                    self.next.signal(signal, cx);
                }
            }
            other if self.is_open() => self.next.signal(other, cx),
            Signal::Close => self.closing = true,
            Signal::Fail(failure) => {
                self.queue.push_failure(failure, cx);
                self.kept(cx);
            }
            Signal::Hole => {
                self.queue.push_hole();
                self.kept(cx);
            }
            Signal::Room(room) => *room = (*room).min(CAPACITY.saturating_sub(self.queue.len())),
        }
    }
}

impl<T, I, N> Node for StartNode<T, I, N>
where
    T: InGraph,
    I: Iterator<Item = T> + InGraph,
    N: Push<T>,
{
    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        self.go_on(TURN, cx);
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        // A branch that was taken off drains, and no flow asks it any more.
        if matches!(signal, Signal::Census) && cx.first_visit(self.label.id()) {
            self.census(cx);
            self.next.signal(signal, cx);
        }
    }
}

impl<R, I> std::fmt::Debug for StartWith<R, I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StartWith").finish_non_exhaustive()
    }
}
