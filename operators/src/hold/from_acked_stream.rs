//! `from_acked_stream`: a stream whose items come with a handle to acknowledge.

use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use hashbrown::HashMap;

use crate::engine::{
    BATCH, Cx, Graph, Label, Node, Outcome, Plan, Push, Role, Signal, Site, Token,
};
use crate::flow::{InGraph, Run};

/// A flow of a stream's elements, each of which is acknowledged once all that was made of it has
/// arrived or some of it was lost: see [`Graph::from_acked_stream`].
///
/// - **Emits** what the stream has ready while nobody downstream is full.
/// - **Holds** no elements; the handles of those that are under way.
/// - **Waits** while an operator downstream is full: the stream is not polled then.
/// - **On close** (the stream ends, or the graph shuts down) it closes, and goes on acknowledging.
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
pub struct FromAckedStream<S, D> {
    graph: Graph,
    stream: S,
    on_done: D,
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
            site: Site {
                kind: "from_acked_stream",
                at: Location::caller(),
            },
        }
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
        let label = plan.node(self.site, Role::Source);
        plan.has_futures();
        plan.pump();
        let pump = AckedPump {
            label: label.clone(),
            stream: Some(Box::pin(self.stream)),
            on_done: self.on_done,
            handles: HashMap::new(),
            done: Arc::default(),
            passed: 0,
            next: Some(next),
        };
        let _ = plan.cell(&label, pump);
        plan.start(&label);
    }
}

struct AckedPump<S, D, H, N> {
    label: Arc<Label>,
    /// `None` once it has ended.
    stream: Option<Pin<Box<S>>>,
    on_done: D,
    /// Of the elements under way, by their number.
    handles: HashMap<u64, H>,
    /// Where tokens leave what became of their elements: they may be dropped anywhere.
    done: Arc<Mutex<Vec<(u64, Outcome)>>>,
    passed: u64,
    /// `None` once it was let go.
    next: Option<N>,
}

impl<S, D, T, H, N> AckedPump<S, D, H, N>
where
    S: Stream<Item = (T, H)> + InGraph,
    T: InGraph,
    H: InGraph,
    D: FnMut(H, Outcome) + InGraph,
    N: Push<T>,
{
    fn end(&mut self, cx: &mut Cx) {
        if self.stream.take().is_some() {
            cx.open_pumps -= 1;
            self.signal(Signal::Close, cx);
            self.count(cx);
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        if let Some(next) = &mut self.next {
            next.signal(signal, cx);
        }
    }

    fn count(&mut self, cx: &mut Cx) {
        let passed = self.passed;
        cx.take_census(self.label.id(), |node| node.counts.passed = passed);
    }

    fn acknowledge(&mut self) {
        let done = match self.done.lock() {
            Ok(mut done) => std::mem::take(&mut *done),
            Err(_) => return,
        };
        for (number, outcome) in done {
            if let Some(handle) = self.handles.remove(&number) {
                (self.on_done)(handle, outcome);
            }
        }
    }

    /// Each element gets a token of its own, so they are not batched.
    fn push(&mut self, (item, handle): (T, H), waker: &Waker, cx: &mut Cx) {
        let number = self.passed;
        self.passed += 1;
        self.handles.insert(number, handle);
        let (done, waker) = (self.done.clone(), waker.clone());
        cx.token = Token::with_hook(move |outcome| {
            if let Ok(mut done) = done.lock() {
                done.push((number, outcome));
            }
            waker.wake_by_ref();
        });
        let token = cx.token.clone();
        cx.track(&token);
        drop(token);
        if let Some(next) = &mut self.next {
            next.push(item, cx);
        }
        cx.token = Token::NONE;
    }
}

impl<S, D, T, H, N> Node for AckedPump<S, D, H, N>
where
    S: Stream<Item = (T, H)> + InGraph,
    T: InGraph,
    H: InGraph,
    D: FnMut(H, Outcome) + InGraph,
    N: Push<T>,
{
    fn poll(&mut self, cx: &mut Cx, waker: &Waker) {
        let id = self.label.id();
        for _ in 0..BATCH {
            self.acknowledge();
            if self.next.is_none() {
                if self.handles.is_empty() {
                    cx.go(id);
                }
                return;
            }
            if cx.gated(id) || cx.is_stopped() {
                return;
            }
            let Some(stream) = &mut self.stream else {
                return;
            };
            match stream.as_mut().poll_next(&mut Context::from_waker(waker)) {
                Poll::Ready(Some(item)) => self.push(item, waker, cx),
                Poll::Ready(None) => {
                    self.end(cx);
                    break;
                }
                Poll::Pending => return,
            }
        }
        // More to pump, or to acknowledge: what the close has flushed.
        cx.wake(id);
    }

    fn let_go(&mut self, cx: &mut Cx) -> bool {
        if let Some(stream) = self.stream.take() {
            cx.open_pumps -= 1;
            cx.let_go.push(Box::new(stream));
        }
        cx.let_go.push(Box::new(self.next.take()));
        // Elements that went by are still to be acknowledged.
        self.acknowledge();
        self.handles.is_empty()
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        cx.begin(self.label.id());
        match signal {
            Signal::Close => self.end(cx),
            Signal::Census => {
                self.count(cx);
                self.signal(Signal::Census, cx);
            }
            other => self.signal(other, cx),
        }
    }
}

impl<S, D> std::fmt::Debug for FromAckedStream<S, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FromAckedStream(..)")
    }
}
