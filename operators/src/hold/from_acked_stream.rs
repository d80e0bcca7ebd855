//! `from_acked_stream`: a stream whose items come with a handle to acknowledge.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use hashbrown::HashMap;

use super::pump::{self, Lead, Pump};
use crate::engine::{
    BATCH, Cx, Graph, Node, NodeId, Outcome, Outcomes, Plan, Push, Signal, Site, Time, Token,
};
use crate::flow::{InGraph, Run};

/// A flow of a stream's elements, each of which is acknowledged once all that was made of it has
/// arrived or some of it was lost: see [`Graph::from_acked_stream`].
///
/// - **Emits** what the stream has ready while nobody downstream is full.
/// - **Holds** no elements; the handles of those that are under way.
/// - **Waits** while an operator downstream is full: the stream is not polled then.
/// - **On close** (the stream ends, or the graph shuts down) it closes, and goes on acknowledging. When a
///   shutdown has returned, all that arrived is acknowledged, what the close set free included.
/// - **Drops** nothing: at a shutdown the rest stays in the stream, which is dropped. A graph that is
///   torn down with elements inside drops their handles without a word.
/// - **Panics** where the stream or `on_done` does; that poisons the graph. The graph needs a driver.
///
/// ```
/// use futures::stream;
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::sync::mpsc;
///
/// let (commit, committed) = mpsc::channel();
/// let graph = Graph::new();
/// let messages = stream::iter([("a", 0), ("b", 1), ("c", 2)]);
/// let batches = graph
///     .from_acked_stream(messages, move |offset, outcome| {
///         assert!(outcome.is_ok());
///         commit.send(offset).ok();
///     })
///     .map(str::to_uppercase)
///     .sink_to_list();
/// graph.run()?;
/// assert_eq!(batches.take(), ["A", "B", "C"]);
/// assert_eq!(committed.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
/// # Ok::<(), GraphError>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct FromAckedStream<S: Stream, D> {
    graph: Graph,
    stream: S,
    on_done: D,
    lead: Option<Lead<S::Item>>,
    site: Site,
}

impl Graph {
    /// A flow of the elements of `stream`, whose items come with a handle (an offset, a delivery
    /// tag, a reply channel). `on_done` gets each handle exactly once, with what became of the
    /// element: `Ok` once all that was made of it was delivered or dropped by the user's own
    /// predicates, across batches, joins and forks.
    ///
    /// `on_done` is called by the driver, in the order in which elements are done; it runs under
    /// the graph's lock and must not block.
    #[track_caller]
    pub fn from_acked_stream<S, T, H, D>(&self, stream: S, on_done: D) -> FromAckedStream<S, D>
    where
        S: Stream<Item = (T, H)> + InGraph,
        T: InGraph,
        H: InGraph,
        D: FnMut(H, Outcome) + InGraph,
    {
        FromAckedStream {
            graph: self.clone(),
            stream,
            on_done,
            lead: None,
            site: Site::new("from_acked_stream"),
        }
    }
}

impl<S, T, H, D> FromAckedStream<S, D>
where
    S: Stream<Item = (T, H)>,
    T: 'static,
    H: 'static,
{
    /// The graph's clock follows the elements: see [`Source::lead_clock`](crate::Source::lead_clock).
    pub fn lead_clock(mut self, timestamp: impl Fn(&T) -> Time + Send + 'static) -> Self {
        self.lead = Some(Box::new(move |(item, _)| timestamp(item)));
        self
    }
}

impl<S, D, T, H> Run for FromAckedStream<S, D>
where
    S: Stream<Item = (T, H)> + InGraph,
    T: InGraph,
    H: InGraph,
    D: FnMut(H, Outcome) + InGraph,
{
    type Item = T;

    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn build<N: Push<T>>(self, next: N, plan: &mut Plan) {
        let what = (Box::pin(self.stream), None, self.site);
        if self.lead.is_some() {
            plan.led();
        }
        let node = |pump: Pump<_, _, _>| AckedPump {
            id: pump.id(),
            pump: Some(pump),
            on_done: self.on_done,
            lead: self.lead,
            handles: HashMap::new(),
            done: None,
        };
        pump::build(what, next, node, plan);
    }
}

struct AckedPump<S, D, T, H, N> {
    id: NodeId,
    /// `None` once it was let go.
    pump: Option<Pump<Pin<Box<S>>, T, N>>,
    on_done: D,
    lead: Option<Lead<(T, H)>>,
    /// Of the elements under way, by their number.
    handles: HashMap<u64, H>,
    /// Where tokens leave what became of their elements, once there was one.
    done: Option<Outcomes>,
}

impl<S, D, T, H, N> AckedPump<S, D, T, H, N>
where
    S: Stream<Item = (T, H)> + InGraph,
    T: InGraph,
    H: InGraph,
    D: FnMut(H, Outcome) + InGraph,
    N: Push<T>,
{
    fn acknowledge(&mut self, cx: &mut Cx) {
        let Some(done) = &self.done else { return };
        done.tell(cx, |number, outcome| {
            if let Some(handle) = self.handles.remove(&number) {
                (self.on_done)(handle, outcome);
            }
        });
    }

    /// Each element gets a token of its own, so they are not batched.
    fn push(&mut self, item: (T, H), waker: &Waker, cx: &mut Cx) {
        let Some(pump) = &mut self.pump else { return };
        if let Some(lead) = &self.lead {
            pump.lead_to(lead(&item), cx);
        }
        let (item, handle) = item;
        let number = pump.passed;
        pump.passed += 1;
        self.handles.insert(number, handle);
        let done = self.done.get_or_insert_with(|| Outcomes::new(cx));
        cx.token = done.token(number, waker);
        let token = cx.token.clone();
        cx.track(&token);
        drop(token);
        pump.next.push(item, cx);
        cx.token = Token::NONE;
    }
}

impl<S, D, T, H, N> Node for AckedPump<S, D, T, H, N>
where
    S: Stream<Item = (T, H)> + InGraph,
    T: InGraph,
    H: InGraph,
    D: FnMut(H, Outcome) + InGraph,
    N: Push<T>,
{
    fn poll(&mut self, cx: &mut Cx, waker: &Waker) {
        for _ in 0..BATCH {
            self.acknowledge(cx);
            let Some(pump) = &mut self.pump else {
                if self.handles.is_empty() {
                    cx.go(self.id);
                }
                return;
            };
            if pump.rests(cx) {
                return;
            }
            let Some(stream) = &mut pump.input else {
                return;
            };
            match stream.as_mut().poll_next(&mut Context::from_waker(waker)) {
                Poll::Ready(Some(item)) => self.push(item, waker, cx),
                Poll::Ready(None) => {
                    pump.end(cx);
                    break;
                }
                Poll::Pending => return,
            }
        }
        // More to pump, or to acknowledge: what the close has flushed.
        cx.wake(self.id);
    }

    fn let_go(&mut self, cx: &mut Cx) -> bool {
        if let Some(mut pump) = self.pump.take() {
            pump.let_go(cx);
            cx.let_go.push(Box::new(pump));
        }
        // Elements that went by are still to be acknowledged.
        self.acknowledge(cx);
        self.handles.is_empty()
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        if let Some(pump) = &mut self.pump {
            pump.root(signal, cx);
        }
    }
}

impl<S: Stream, D> std::fmt::Debug for FromAckedStream<S, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FromAckedStream(..)")
    }
}
