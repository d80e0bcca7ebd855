//! `forward`: a `futures::Sink` takes each element.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_sink::Sink;

use crate::engine::{
    BoxError, Branch, Cx, Entry, Failure, Fifo, Label, Lost, Node, Plan, Port, Pressure, Role,
    Signal, Site, Slot, Token,
};
use crate::flow::{InGraph, Run};

/// How many elements may wait for the sink of a [`forward`](crate::Flow::forward), or in it for a
/// flush.
pub const FORWARD_CAPACITY: usize = 1_024;

/// How many elements the sink gets before it is flushed.
const UNFLUSHED: usize = 256;

/// The sink of a [`forward`](crate::Flow::forward) failed on an earlier element and takes no more:
/// the error of all elements that come after.
#[derive(Clone, Debug)]
pub struct SinkBroken {
    /// How it failed.
    pub cause: Failure,
}

impl fmt::Display for SinkBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sink failed earlier: {}", self.cause.error())
    }
}

impl std::error::Error for SinkBroken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

#[track_caller]
pub(crate) fn forward<R, S>(run: R, sink: S) -> Branch
where
    R: Run,
    S: Sink<R::Item, Error: Into<BoxError>> + InGraph,
{
    let mut plan = Plan::new(run.graph());
    let label = plan.node(Site::new("forward"), Role::End);
    plan.has_futures();
    let node = Forward {
        label: label.clone(),
        sink: Some(Box::pin(sink)),
        queue: Fifo::default(),
        unflushed: Unflushed::default(),
        pressure: Pressure::default(),
        broken: None,
        closing: false,
        passed: 0,
        came_in: 0,
    };
    let cell = plan.cell(&label, node);
    run.build(Port::<_>(cell), &mut plan);
    plan.install()
}

struct Forward<T, S> {
    label: Arc<Label>,
    /// `None` once it was closed or failed.
    sink: Option<Pin<Box<S>>>,
    queue: Fifo<T>,
    unflushed: Unflushed,
    pressure: Pressure,
    broken: Option<Failure>,
    closing: bool,
    passed: u64,
    came_in: u64,
}

/// What the sink has and did not confirm.
#[derive(Default)]
struct Unflushed {
    count: usize,
    tokens: Vec<Token>,
}

impl Unflushed {
    fn push(&mut self, token: Token) {
        self.count += 1;
        if token.is_some() {
            self.tokens.push(token);
        }
    }

    /// Confirms all; returns how many there were.
    fn done(&mut self) -> usize {
        self.tokens.clear();
        std::mem::take(&mut self.count)
    }

    fn fail_by(&mut self, failure: &Failure) -> usize {
        self.tokens.iter().for_each(|token| token.fail_by(failure));
        self.done()
    }
}

impl Drop for Unflushed {
    fn drop(&mut self) {
        self.tokens
            .iter()
            .for_each(|token| token.fail(Lost::TornDown));
    }
}

impl<T, S> Forward<T, S>
where
    T: InGraph,
    S: Sink<T, Error: Into<BoxError>> + InGraph,
{
    fn held(&self) -> usize {
        self.queue.len() + self.unflushed.count
    }

    fn keep(&mut self, item: T, cx: &mut Cx) {
        match &self.broken {
            None => self.queue.push(item, cx),
            Some(cause) => {
                let cause = cause.clone();
                cx.report(Failure::with_element(
                    &self.label,
                    SinkBroken { cause },
                    item,
                ));
            }
        }
    }

    fn count(&self, cx: &mut Cx) {
        let (came_in, held, since) = (self.came_in, self.held(), self.pressure.since());
        cx.take_census(self.label.id(), |node| {
            node.counts.passed = came_in;
            node.counts.held = held as u64;
            node.counts.capacity = FORWARD_CAPACITY as u64;
            node.blocked_since = since;
        });
    }

    fn kept(&mut self, cx: &mut Cx) {
        if self.held() >= FORWARD_CAPACITY {
            self.pressure.hold(cx);
        }
        if self.broken.is_none() {
            cx.wake(self.label.id());
        }
    }

    /// Gives the sink what it takes, then has it write.
    fn write(&mut self, cx: &mut Cx, task: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let Some(sink) = &mut self.sink else {
            return Poll::Ready(Ok(()));
        };
        loop {
            while !self.queue.is_empty() && self.unflushed.count < UNFLUSHED {
                match sink.as_mut().poll_ready(task).map_err(Into::into)? {
                    Poll::Ready(()) => {}
                    Poll::Pending => break,
                }
                if let Some((Slot::Item(item), token)) = self.queue.pop() {
                    // The sink's code may fail on it or panic: then it is the one that is lost.
                    cx.token = token;
                    let sent = sink.as_mut().start_send(item).map_err(Into::into);
                    self.unflushed.push(std::mem::take(&mut cx.token));
                    sent?;
                }
            }
            match sink.as_mut().poll_flush(task).map_err(Into::into)? {
                Poll::Ready(()) => self.passed += self.unflushed.done() as u64,
                Poll::Pending => return Poll::Pending,
            }
            if self.queue.is_empty() {
                break;
            }
            // Flushed, and something is left: either it was a full round or the sink is not ready.
            match sink.as_mut().poll_ready(task).map_err(Into::into)? {
                Poll::Ready(()) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.closing {
            return sink.as_mut().poll_close(task).map_err(Into::into);
        }
        Poll::Ready(Ok(()))
    }

    /// What the sink has and did not confirm may or may not have arrived; what waits never will.
    fn break_down(&mut self, error: BoxError, cx: &mut Cx) {
        self.sink = None;
        let cause = Failure::new(&self.label, error);
        let unconfirmed = self.unflushed.fail_by(&cause);
        if let (Some(counts), 1..) = (cx.counts(self.label.id()), unconfirmed) {
            // The report counts one more.
            counts.failed += unconfirmed as u64 - 1;
        }
        cx.token = Token::NONE;
        cx.report(cause.clone());
        self.broken = Some(cause);
        while let Some((slot, token)) = self.queue.pop() {
            if let Slot::Item(item) = slot {
                cx.token = token;
                self.keep(item, cx);
                cx.token = Token::NONE;
            }
        }
    }
}

impl<T, S> Entry<T> for Forward<T, S>
where
    T: InGraph,
    S: Sink<T, Error: Into<BoxError>> + InGraph,
{
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.came_in += 1;
        self.keep(item, cx);
        self.kept(cx);
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                self.closing = true;
                cx.wake(self.label.id());
            }
            Signal::Room(room) => {
                *room = (*room).min(FORWARD_CAPACITY.saturating_sub(self.held()));
            }
            other => {
                if matches!(other, Signal::Census) {
                    self.count(cx);
                }
                cx.end_signal(self.label.id(), self.passed, other);
            }
        }
    }
}

impl<T, S> Node for Forward<T, S>
where
    T: InGraph,
    S: Sink<T, Error: Into<BoxError>> + InGraph,
{
    fn poll(&mut self, cx: &mut Cx, waker: &Waker) {
        let ended = match self.write(cx, &mut Context::from_waker(waker)) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                self.break_down(error, cx);
                true
            }
            Poll::Pending => false,
        };
        if self.held() < FORWARD_CAPACITY {
            self.pressure.release(cx);
        }
        if ended && self.closing {
            self.sink = None;
            cx.end_signal(self.label.id(), self.passed, Signal::Close);
        }
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        // A branch that was taken off drains, and no flow asks it any more.
        if matches!(signal, Signal::Census) {
            self.count(cx);
            cx.end_signal(self.label.id(), self.passed, signal);
        }
    }
}
