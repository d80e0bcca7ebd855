//! `switch_map`: the stream of the latest element, and of no other.

use std::sync::Arc;
use std::task::Waker;

use futures_core::Stream;

use super::inner_streams::InnerStreams;
use crate::engine::{
    Cx, Entry, Graph, Holding, Label, Node, Plan, Port, Push, Role, Signal, Site, Tail,
};
use crate::flow::{InGraph, Run};

/// Emits the elements of the stream that was made of the latest element: see
/// [`Flow::switch_map`](crate::Flow::switch_map).
///
/// - **Emits** what the current stream has ready, when the driver comes to it and nobody downstream is
///   full. Each element is made a stream at once, and the stream of the one before it is dropped, with
///   what it had not given yet.
/// - **Holds** one stream, and no elements.
/// - **Waits** never. While somebody downstream is full the stream is not polled.
/// - **On close** it waits for the last stream to end, then closes. A stream that never ends holds up
///   a shutdown too, up to its limit.
/// - **Drops** the stream of an element when a newer one comes before it has ended: counted as
///   superseded. That is what was asked for, so that the lineage of its element goes on without
///   fault: a receipt resolves once what the stream gave until then is done.
/// - **Panics** where the closure or a stream does; that poisons the graph. The graph needs a driver,
///   which alone polls the streams, under the graph's lock.
///
/// Failures and holes from above pass at once, and leave the current stream as it is.
///
/// ```
/// use futures::stream::{self, StreamExt};
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let channels = graph.source::<&str>();
/// let watched = channels
///     .switch_map(|name| stream::iter(1..=2).map(move |n| (name, n)).chain(stream::pending()))
///     .sink_to_list();
/// channels.emit("news")?;
/// time.settle();
/// channels.emit("sport")?;
/// time.settle();
/// assert_eq!(watched.take(), [("news", 1), ("news", 2), ("sport", 1), ("sport", 2)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct SwitchMap<R, F> {
    upstream: R,
    f: F,
    site: Site,
}

impl<R, F> SwitchMap<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, f: F) -> Self {
        SwitchMap {
            upstream,
            f,
            site: Site::new("switch_map"),
        }
    }
}

impl<R, F, S> Run for SwitchMap<R, F>
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
        let node = SwitchNode {
            label: label.clone(),
            f: self.f,
            current: InnerStreams::new(),
            closing: false,
            passed: 0,
            next: Box::new(next),
        };
        let cell = plan.cell(&label, node);
        self.upstream.build(Port::<_>(cell), plan);
    }
}

struct SwitchNode<F, S: Stream> {
    label: Arc<Label>,
    f: F,
    /// One at the most.
    current: InnerStreams<S>,
    closing: bool,
    passed: u64,
    next: Tail<S::Item>,
}

impl<F, S> SwitchNode<F, S>
where
    S: Stream<Item: InGraph> + InGraph,
{
    fn census(&mut self, cx: &mut Cx) {
        let holding = Holding {
            passed: self.passed,
            held: self.current.len(),
            capacity: 1,
            blocked_since: None,
        };
        holding.tell(self.label.id(), &mut self.next, cx);
    }
}

impl<T, F, S> Entry<T> for SwitchNode<F, S>
where
    T: InGraph,
    F: FnMut(T) -> S + InGraph,
    S: Stream<Item: InGraph> + InGraph,
{
    fn enter(&mut self, item: T, cx: &mut Cx) {
        let id = self.label.id();
        self.passed += 1;
        // Before the new one is made: both may want the same socket.
        self.current.supersede(id, cx);
        let stream = (self.f)(item);
        self.current.open(stream, cx.token.clone(), id, cx);
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                self.closing = true;
                cx.wake(self.label.id());
            }
            Signal::Census => self.census(cx),
            // Elements wait for nobody here.
            Signal::Room(_) => {}
            other => self.next.signal(other, cx),
        }
    }
}

impl<F, S> Node for SwitchNode<F, S>
where
    F: InGraph,
    S: Stream<Item: InGraph> + InGraph,
{
    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        let id = self.label.id();
        if self.current.poll(&mut self.next, id, cx) {
            cx.wake(id);
        }
        if cx.is_stopped() {
            self.current.stop(id, cx);
        }
        if self.closing && self.current.len() == 0 {
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

impl<R, F> std::fmt::Debug for SwitchMap<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SwitchMap").finish_non_exhaustive()
    }
}
