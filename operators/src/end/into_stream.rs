//! `into_stream`: the run ends in a `futures::Stream`.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::{FusedStream, Stream};

use crate::engine::{
    Branch, Cell, Cx, Entry, Graph, Label, Loss, Lost, Node, NodeId, Plan, Port, Pressure, Role,
    Signal, Site, Token,
};
use crate::flow::{InGraph, Run};

/// The elements of a flow as a `futures::Stream`: see [`Flow::into_stream`](crate::Flow::into_stream).
///
/// - **Emits** each element to whoever polls it, in order. An element is done when it is taken.
/// - **Holds** up to `capacity` elements.
/// - **Waits**: the origin of the element that fills it waits until one is taken.
/// - **On close** of the flow it ends, once all was taken; also where the graph is poisoned.
/// - **Drops** nothing while it lives. When it is dropped its branch is taken off, as by
///   [`Branch::disconnect`]: what it held, and what operators in front of it held and emit now, is
///   counted as unheard, and nobody waits for it.
/// - **Panics** at construction if `capacity` is 0.
///
/// It needs no driver: who polls it does what was left at the graph. [`Graph::run`] does not wait
/// for elements that lie here.
///
/// ```
/// use futures::StreamExt;
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// # futures::executor::block_on(async {
/// let source = Source::<u32>::new();
/// let mut doubled = source.map(|x| x * 2).into_stream(16);
/// source.emit_all([1, 2])?;
/// assert_eq!(doubled.next().await, Some(2));
/// drop(source);
/// assert_eq!(doubled.next().await, Some(4));
/// assert_eq!(doubled.next().await, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[must_use = "once the stream is dropped, its elements are too"]
pub struct FlowStream<T: InGraph> {
    graph: Graph,
    branch: Branch,
    id: NodeId,
    node: Arc<Cell<StreamNode<T>>>,
    channel: Channel<T>,
}

type Channel<T> = Arc<Mutex<Queue<T>>>;

/// What lies between the graph and the consumer, who takes from it without the graph's lock.
struct Queue<T> {
    items: VecDeque<(T, Token)>,
    capacity: usize,
    /// Some origin waits for room here.
    full: bool,
    /// No element will follow.
    closed: bool,
    /// The graph is still to hear that the last element was taken.
    owes_end: bool,
    /// The consumer is gone.
    unheard: bool,
    waker: Option<Waker>,
}

/// No closure of a user runs under this lock, so that a poisoned one is as good as any.
fn open<T>(channel: &Channel<T>) -> MutexGuard<'_, Queue<T>> {
    channel.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
pub(crate) fn into_stream<R: Run>(run: R, capacity: usize) -> FlowStream<R::Item> {
    assert!(
        capacity > 0,
        "`into_stream(0)` could hold nothing: give the stream room for at least 1 element"
    );
    let graph = run.graph().clone();
    let mut plan = Plan::new(&graph);
    let label = plan.node(Site::new("into_stream"), Role::End);
    let channel = Arc::new(Mutex::new(Queue {
        items: VecDeque::new(),
        capacity,
        full: false,
        closed: false,
        owes_end: false,
        unheard: false,
        waker: None,
    }));
    let node = StreamNode {
        label: label.clone(),
        channel: channel.clone(),
        pressure: Pressure::default(),
        passed: 0,
        lost: 0,
    };
    let node = plan.cell(&label, node);
    run.build(Port::<_>(node.clone()), &mut plan);
    let branch = plan.install();
    FlowStream {
        graph,
        branch,
        id: label.id(),
        node,
        channel,
    }
}

struct StreamNode<T> {
    label: Arc<Label>,
    channel: Channel<T>,
    pressure: Pressure,
    passed: u64,
    /// Those of them that came when the consumer had gone, or that it left.
    lost: u64,
}

impl<T: InGraph> StreamNode<T> {
    fn take_in(&mut self, items: impl ExactSizeIterator<Item = T>, cx: &mut Cx) {
        let mut queue = open(&self.channel);
        self.passed += items.len() as u64;
        if queue.unheard {
            let count = items.len();
            self.lost += count as u64;
            drop(queue);
            // Dropped without the queue's lock: a user's destructor may do anything.
            items.for_each(drop);
            cx.token.fail(Lost::Discarded);
            cx.lose(self.label.id(), Loss::Unheard, count);
            return;
        }
        for item in items {
            queue.items.push_back((item, cx.token.clone()));
        }
        if let Some(waker) = queue.waker.take() {
            cx.wakes.push(waker);
            cx.todo = true;
        }
        queue.full |= queue.items.len() >= queue.capacity;
        if queue.full {
            drop(queue);
            self.pressure.hold(cx);
        }
    }

    /// Writes its counts, and passes a signal on to where those of an end go.
    fn end_signal(&self, signal: Signal<'_>, cx: &mut Cx) {
        let queue = open(&self.channel);
        let (held, capacity) = (queue.items.len(), queue.capacity);
        drop(queue);
        let (passed, since) = (self.passed, self.pressure.since());
        cx.take_census(self.label.id(), |node| {
            node.counts.passed = passed;
            node.rests = true;
            // What lies in the stream is its consumer's still.
            node.copies = true;
            node.counts.held = held as u64;
            node.counts.capacity = capacity as u64;
            node.blocked_since = since;
        });
        let taken = self.passed - self.lost - held as u64;
        cx.end_signal(self.label.id(), taken, signal);
    }

    /// The consumer took something, or went.
    fn look_again(&mut self, left: usize, cx: &mut Cx) {
        self.lost += left as u64;
        let (full, ended) = {
            let mut queue = open(&self.channel);
            (queue.full, std::mem::take(&mut queue.owes_end))
        };
        if !full {
            self.pressure.release(cx);
        }
        if ended {
            self.end_signal(Signal::Close, cx);
        }
    }
}

impl<T: InGraph> Entry<T> for StreamNode<T> {
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.take_in(std::iter::once(item), cx);
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.take_in(items.drain(..), cx);
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                let mut queue = open(&self.channel);
                queue.closed = true;
                if let Some(waker) = queue.waker.take() {
                    cx.wakes.push(waker);
                    cx.todo = true;
                }
                if queue.items.is_empty() {
                    drop(queue);
                    self.end_signal(Signal::Close, cx);
                } else {
                    queue.owes_end = true;
                }
            }
            Signal::Room(room) => {
                let queue = open(&self.channel);
                if !queue.unheard {
                    *room = (*room).min(queue.capacity.saturating_sub(queue.items.len()));
                }
            }
            other => self.end_signal(other, cx),
        }
    }
}

impl<T: InGraph> Node for StreamNode<T> {
    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        // A branch that was taken off drains, and no flow asks it any more.
        if matches!(signal, Signal::Census) {
            self.end_signal(signal, cx);
        }
    }
}

impl<T> Drop for StreamNode<T> {
    fn drop(&mut self) {
        let mut queue = open(&self.channel);
        queue.closed = true;
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: InGraph> FlowStream<T> {
    /// The graph that the elements come from.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Has the node look at what the consumer did. It `left` so many.
    fn change(&self, left: usize) -> impl FnOnce(&mut Cx) + Send + use<T> {
        let node = self.node.clone();
        move |cx| {
            // None is left where the branch was discarded.
            if let Some(mut inner) = node.try_take(cx) {
                inner.look_again(left, cx);
                node.put(cx, inner);
            }
        }
    }

    fn poll_queue(&self, task: &Context<'_>) -> Poll<Option<T>> {
        let mut queue = open(&self.channel);
        let Some((item, token)) = queue.items.pop_front() else {
            if queue.closed {
                return Poll::Ready(None);
            }
            queue.waker = Some(task.waker().clone());
            return Poll::Pending;
        };
        let room = queue.full && queue.items.len() < queue.capacity;
        if room {
            queue.full = false;
        }
        let last = queue.owes_end && queue.items.is_empty();
        drop(queue);
        // Taken is done. The token's hook may do anything, so it is dropped without the lock.
        drop(token);
        if room || last {
            self.graph.change_soon(self.change(0), task.waker());
        }
        Poll::Ready(Some(item))
    }
}

impl<T: InGraph> Stream for FlowStream<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<T>> {
        let outcome = self.poll_queue(task);
        if outcome.is_ready() {
            return outcome;
        }
        // In a graph without a driver the close of a source that was dropped lies in the inbox.
        self.graph.listen(self.id, task.waker());
        if !self.graph.look_after(task.waker()) {
            return Poll::Ready(None);
        }
        self.poll_queue(task)
    }
}

impl<T: InGraph> FusedStream for FlowStream<T> {
    fn is_terminated(&self) -> bool {
        let queue = open(&self.channel);
        queue.closed && queue.items.is_empty()
    }
}

impl<T: InGraph> Drop for FlowStream<T> {
    fn drop(&mut self) {
        let mut queue = open(&self.channel);
        queue.unheard = true;
        queue.full = false;
        let waker = queue.waker.take();
        let rest = std::mem::take(&mut queue.items);
        drop(queue);
        drop(waker);
        let count = rest.len();
        for (item, token) in rest {
            token.fail(Lost::Discarded);
            drop((item, token));
        }
        self.graph.unlisten(self.id);
        let (id, change) = (self.id, self.change(count));
        self.graph.change(move |cx| {
            cx.lose(id, Loss::Unheard, count);
            change(cx);
        });
        self.branch.disconnect();
    }
}

impl<T: InGraph> fmt::Debug for FlowStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowStream")
            .field("held", &open(&self.channel).items.len())
            .finish_non_exhaustive()
    }
}
