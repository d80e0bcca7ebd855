//! `from_stream`: a `futures::Stream` is pumped through the graph by the driver.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::pump::{self, Lead, Pump};
use crate::engine::{BATCH, BATCHES_IN_TURN, Cx, Graph, Node, Plan, Push, Signal, Site, Time};
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
            site: Site::new("from_stream"),
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
        let what = (Box::pin(self.stream), self.lead, self.site);
        let node = |pump| StreamPump {
            pump,
            batch: Vec::new(),
        };
        pump::build(what, next, node, plan);
    }
}

struct StreamPump<S: Stream, N> {
    pump: Pump<Pin<Box<S>>, S::Item, N>,
    batch: Vec<S::Item>,
}

impl<S, N> StreamPump<S, N>
where
    S: Stream<Item: InGraph> + InGraph,
    N: Push<S::Item>,
{
    /// Fills the batch with what is ready. Returns `Ready` where the stream has more or has ended.
    fn fill(&mut self, room: usize, task: &mut Context<'_>) -> Poll<bool> {
        let Some(stream) = &mut self.pump.input else {
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
        self.pump.passed += self.batch.len() as u64;
        if self.pump.lead.is_some() {
            for item in self.batch.drain(..) {
                self.pump.push_led(item, cx);
            }
        } else if !self.batch.is_empty() {
            self.pump.next.push_batch(&mut self.batch, cx);
        }
    }
}

impl<S, N> Node for StreamPump<S, N>
where
    S: Stream<Item: InGraph> + InGraph,
    N: Push<S::Item>,
{
    fn poll(&mut self, cx: &mut Cx, waker: &Waker) {
        let mut task = Context::from_waker(waker);
        for _ in 0..BATCHES_IN_TURN {
            if self.pump.rests(cx) {
                return;
            }
            // Without room, whoever is full has somebody else wait: one element makes it know us
            // too. Elements that lead the clock may have others fill what is downstream.
            let room = match self.pump.lead {
                Some(_) => 1,
                None => cx.room(&mut self.pump.next).clamp(1, BATCH),
            };
            let filled = self.fill(room, &mut task);
            self.push(cx);
            match filled {
                Poll::Ready(false) => {}
                Poll::Ready(true) => return self.pump.end(cx),
                Poll::Pending => return,
            }
        }
        cx.wake(self.pump.id());
    }

    fn let_go(&mut self, cx: &mut Cx) -> bool {
        self.pump.let_go(cx)
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        self.pump.root(signal, cx);
    }
}

impl<S: Stream> std::fmt::Debug for FromStream<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FromStream(..)")
    }
}
