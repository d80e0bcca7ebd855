//! `flat_map_stream`: each element becomes a stream, and their elements go on.

use std::sync::Arc;
use std::task::Waker;

use futures_core::Stream;

use super::inner_streams::InnerStreams;
use crate::engine::{
    Cx, Entry, Fifo, Graph, Holding, Label, Loss, Lost, Node, Plan, Port, Pressure, Push, Role,
    Signal, Site, Slot, Tail,
};
use crate::flow::{InGraph, Run};

/// Emits the elements of streams that are made of elements: see
/// [`Flow::flat_map_stream`](crate::Flow::flat_map_stream).
///
/// - **Emits** what the streams have ready, when the driver comes to them and nobody downstream is
///   full; those that have much take turns of a few elements. With `n` = 1 one stream ends before
///   the next begins.
/// - **Holds** up to `n` elements, waiting for their stream to be made or being streams.
/// - **Waits**: the origin of the element that makes it `n` waits until a stream has ended. While
///   somebody downstream is full no stream is polled, and none is made.
/// - **On close** it waits for all streams to end, then closes. One that never ends holds up a
///   shutdown too, up to its limit.
/// - **Drops** nothing. An element is done, and its receipt resolves, once its stream has ended and
///   all that it gave is done. Failures and holes from above go on when it would be their turn.
/// - **Panics** at construction if `n` is 0; where the closure or a stream does, which poisons the
///   graph. The graph needs a driver, which alone polls the streams, under the graph's lock.
///
/// ```
/// use futures::stream;
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let pages = graph.source::<u32>();
/// let rows = pages
///     .flat_map_stream(1, |page| stream::iter([10 * page, 10 * page + 1]))
///     .sink_to_list();
/// pages.emit(1)?;
/// time.settle();
/// pages.emit(2)?;
/// time.settle();
/// assert_eq!(rows.take(), [10, 11, 20, 21]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct FlatMapStream<R, F> {
    upstream: R,
    n: usize,
    f: F,
    site: Site,
}

impl<R, F> FlatMapStream<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: usize, f: F) -> Self {
        assert!(
            n > 0,
            "`flat_map_stream(0, …)` would never start: let at least 1 stream be open"
        );
        FlatMapStream {
            upstream,
            n,
            f,
            site: Site::new("flat_map_stream"),
        }
    }
}

impl<R, F, S> Run for FlatMapStream<R, F>
where
    R: Run,
    F: FnMut(R::Item) -> S + InGraph,
    S: Stream<Item: InGraph> + InGraph,
{
    type Item = S::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<S::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        plan.has_futures();
        let node = StreamsNode {
            label: label.clone(),
            n: self.n,
            f: self.f,
            waiting: Fifo::default(),
            streams: InnerStreams::new(),
            pressure: Pressure::default(),
            closing: false,
            passed: 0,
            next: Box::new(next),
        };
        let cell = plan.cell(&label, node);
        self.upstream.build(Port::<_>(cell), plan);
    }
}

struct StreamsNode<T, F, S: Stream> {
    label: Arc<Label>,
    n: usize,
    f: F,
    /// No stream was made of them yet.
    waiting: Fifo<T>,
    streams: InnerStreams<S>,
    pressure: Pressure,
    closing: bool,
    passed: u64,
    next: Tail<S::Item>,
}

impl<T, F, S> StreamsNode<T, F, S>
where
    T: InGraph,
    F: FnMut(T) -> S + InGraph,
    S: Stream<Item: InGraph> + InGraph,
{
    fn held(&self) -> usize {
        self.waiting.len() + self.streams.len()
    }

    /// Makes streams of those that wait, as far as there is a place.
    fn start(&mut self, cx: &mut Cx) {
        let id = self.label.id();
        while self.streams.len() < self.n && !cx.gated(id) && !cx.is_stopped() {
            let Some((slot, token)) = self.waiting.pop() else {
                return;
            };
            match slot {
                Slot::Item(item) => {
                    // Kept where the closure panics, so that the element is told.
                    cx.token = token;
                    let stream = (self.f)(item);
                    let token = std::mem::take(&mut cx.token);
                    self.streams.open(stream, token, id, cx);
                }
                Slot::Failure(failure) => {
                    cx.with_token(token, |cx| self.next.signal(Signal::Fail(failure), cx));
                }
                Slot::Hole => self.next.signal(Signal::Hole, cx),
            }
        }
    }

    fn kept(&mut self, cx: &mut Cx) {
        if self.held() >= self.n {
            self.pressure.hold(cx);
        }
        cx.wake(self.label.id());
    }

    fn census(&mut self, cx: &mut Cx) {
        let holding = Holding {
            passed: self.passed,
            held: self.held(),
            capacity: self.n,
            blocked_since: self.pressure.since(),
        };
        holding.tell(self.label.id(), &mut self.next, cx);
    }
}

impl<T, F, S> Entry<T> for StreamsNode<T, F, S>
where
    T: InGraph,
    F: FnMut(T) -> S + InGraph,
    S: Stream<Item: InGraph> + InGraph,
{
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        self.waiting.push(item, cx);
        self.kept(cx);
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        self.waiting.push_batch(items, cx);
        self.kept(cx);
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                self.closing = true;
                cx.wake(self.label.id());
            }
            Signal::Fail(failure) => {
                self.waiting.push_failure(failure, cx);
                self.kept(cx);
            }
            Signal::Hole => {
                self.waiting.push_hole();
                self.kept(cx);
            }
            Signal::Room(room) => *room = (*room).min(self.n.saturating_sub(self.held())),
            Signal::Census => self.census(cx),
            Signal::Settle => self.next.signal(Signal::Settle, cx),
        }
    }
}

impl<T, F, S> Node for StreamsNode<T, F, S>
where
    T: InGraph,
    F: FnMut(T) -> S + InGraph,
    S: Stream<Item: InGraph> + InGraph,
{
    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        let id = self.label.id();
        self.start(cx);
        if self.streams.poll(&mut self.next, id, cx) {
            cx.wake(id);
        }
        if cx.is_stopped() {
            self.streams.stop(id, cx);
            let waiting = self.waiting.lose_all(Lost::Discarded);
            cx.lose(id, Loss::Unheard, waiting);
        }
        if self.held() < self.n {
            self.pressure.release(cx);
        }
        if !self.waiting.is_empty() && self.streams.len() < self.n && !cx.gated(id) {
            // A stream has ended: there is a place for the next.
            cx.wake(id);
        }
        if self.closing && self.held() == 0 {
            self.closing = false;
            self.next.signal(Signal::Close, cx);
        }
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        // A branch that was taken off drains, and no flow asks it any more.
        if matches!(signal, Signal::Census) {
            self.census(cx);
        }
    }
}

impl<R, F> std::fmt::Debug for FlatMapStream<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlatMapStream")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}
