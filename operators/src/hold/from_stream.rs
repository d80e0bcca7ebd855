//! `from_stream`: a `futures::Stream` is pumped through the graph by the driver.

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::engine::{BATCH, Cx, Graph, Label, Node, Plan, Push, Role, Signal, Site, Time};
use crate::flow::{InGraph, Run};

/// A flow of a stream's elements: see [`Graph::from_stream`].
///
/// - **Emits** what the stream has ready, in batches, while nobody downstream is full.
/// - **Holds** nothing.
/// - **Waits** while an operator downstream is full: the stream is not polled then.
/// - **On close** (the stream ends, or the graph shuts down) it closes.
/// - **Drops** nothing: at a shutdown the rest stays in the stream, which is dropped.
/// - **Panics** where the stream does; that poisons the graph. The graph needs a driver.
///
/// ```
/// use futures::stream;
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let evens = graph.from_stream(stream::iter(1..=3)).map(|x| 2 * x).sink_to_list();
/// graph.run()?;
/// assert_eq!(evens.take(), [2, 4, 6]);
/// # Ok::<(), GraphError>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct FromStream<S: Stream> {
    graph: Graph,
    stream: S,
    lead: Option<Lead<S::Item>>,
    site: Site,
}

type Lead<T> = Box<dyn Fn(&T) -> Time + Send>;

impl Graph {
    /// A flow of the elements of `stream`, pumped by the graph's driver or by
    /// [`run`](Graph::run), and paused while an operator downstream is full. The stream is polled
    /// under the graph's lock.
    #[doc(alias = "add_stream")]
    #[track_caller]
    pub fn from_stream<S>(&self, stream: S) -> FromStream<S>
    where
        S: Stream<Item: InGraph> + InGraph,
    {
        FromStream {
            graph: self.clone(),
            stream,
            lead: None,
            site: Site {
                kind: "from_stream",
                at: Location::caller(),
            },
        }
    }
}

impl<S: Stream> FromStream<S> {
    /// The graph's clock follows the elements: see [`Source::lead_clock`](crate::Source::lead_clock).
    pub fn lead_clock(mut self, timestamp: impl Fn(&S::Item) -> Time + Send + 'static) -> Self {
        self.lead = Some(Box::new(timestamp));
        self
    }
}

impl<S> Run for FromStream<S>
where
    S: Stream<Item: InGraph> + InGraph,
{
    type Item = S::Item;

    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn build<N: Push<S::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Source);
        plan.has_futures();
        plan.pump();
        if self.lead.is_some() {
            plan.led();
        }
        let pump = Pump {
            label: label.clone(),
            stream: Some(Box::pin(self.stream)),
            lead: self.lead,
            passed: 0,
            batch: Vec::new(),
            next,
        };
        let _ = plan.cell(&label, pump);
        plan.start(&label);
    }
}

struct Pump<S: Stream, N> {
    label: Arc<Label>,
    /// `None` once it has ended.
    stream: Option<Pin<Box<S>>>,
    lead: Option<Lead<S::Item>>,
    passed: u64,
    batch: Vec<S::Item>,
    next: N,
}

/// Batches pumped in one turn, so that other nodes get theirs.
const TURN: usize = 64;

impl<S, N> Pump<S, N>
where
    S: Stream<Item: InGraph> + InGraph,
    N: Push<S::Item>,
{
    fn end(&mut self, cx: &mut Cx) {
        if self.stream.take().is_some() {
            cx.open_pumps -= 1;
            self.next.signal(Signal::Close, cx);
            self.count(cx);
        }
    }

    fn count(&mut self, cx: &mut Cx) {
        let passed = self.passed;
        cx.take_census(self.label.id(), |node| node.counts.passed = passed);
    }

    /// Fills the batch with what is ready. Returns `Ready` where the stream has more or has ended.
    fn fill(&mut self, room: usize, task: &mut Context<'_>) -> Poll<bool> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(true);
        };
        while self.batch.len() < room {
            match stream.as_mut().poll_next(task) {
                Poll::Ready(Some(item)) => self.batch.push(item),
                Poll::Ready(None) => return Poll::Ready(true),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(false)
    }

    fn push(&mut self, cx: &mut Cx) {
        self.passed += self.batch.len() as u64;
        if let Some(lead) = &self.lead {
            for item in self.batch.drain(..) {
                let time = lead(&item);
                if time > cx.now() {
                    cx.advance_led(time);
                    cx.begin(self.label.id());
                }
                self.next.push(item, cx);
            }
        } else if !self.batch.is_empty() {
            self.next.push_batch(&mut self.batch, cx);
        }
    }
}

impl<S, N> Node for Pump<S, N>
where
    S: Stream<Item: InGraph> + InGraph,
    N: Push<S::Item>,
{
    fn poll(&mut self, cx: &mut Cx, waker: &Waker) {
        let id = self.label.id();
        let mut task = Context::from_waker(waker);
        for _ in 0..TURN {
            if self.stream.is_none() || cx.gated(id) || cx.is_stopped() {
                return;
            }
            // Without room, whoever is full has somebody else wait: one element makes it know us
            // too. Elements that lead the clock may have others fill what is downstream.
            let room = match self.lead {
                Some(_) => 1,
                None => cx.room(&mut self.next).clamp(1, BATCH),
            };
            let filled = self.fill(room, &mut task);
            self.push(cx);
            match filled {
                Poll::Ready(false) => {}
                Poll::Ready(true) => return self.end(cx),
                Poll::Pending => return,
            }
        }
        cx.wake(id);
    }

    fn let_go(&mut self, cx: &mut Cx) -> bool {
        if let Some(stream) = self.stream.take() {
            cx.open_pumps -= 1;
            cx.let_go.push(Box::new(stream));
        }
        true
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        cx.begin(self.label.id());
        match signal {
            Signal::Close => self.end(cx),
            Signal::Census => {
                self.count(cx);
                self.next.signal(Signal::Census, cx);
            }
            other => self.next.signal(other, cx),
        }
    }
}

impl<S: Stream> std::fmt::Debug for FromStream<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FromStream(..)")
    }
}
