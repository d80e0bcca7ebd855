//! `buffer`: elements wait for the driver, so that the emitter does not.

use std::sync::Arc;
use std::task::Waker;

use crate::engine::{
    Cx, Entry, Failure, Fifo, Graph, Holding, Label, Loss, Lost, Node, OnFull, Overflow, Plan,
    Port, Pressure, Push, Role, Signal, Site, Slot, TURN, Tail,
};
use crate::flow::{InGraph, Run};

/// Lets elements wait for the driver: see [`Flow::buffer`](crate::Flow::buffer).
///
/// - **Emits** each element, in order, when the driver comes to it and nobody downstream is full.
/// - **Holds** up to `n` elements, failures on their way down among them. Under a policy that lets
///   nobody wait, up to `n` elements, and failures on top: while 2·`n` places are held, elements,
///   failures and empty ones together, one failure more is reported at once, and its place is empty.
/// - **Waits**: under [`OnFull::Wait`], the default, the origin of the element that fills it waits
///   until there is room.
/// - **On close** it drains, then closes.
/// - **Drops** nothing by default; under [`OnFull::DropOldest`] and [`OnFull::DropNewest`] what does
///   not fit, counted as overflow; under [`OnFull::Fail`] that element fails, and its failure goes down
///   in its place.
/// - **Panics** at construction if `n` is 0. The graph needs a driver.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::OnFull;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let source = graph.source::<i32>();
/// let newest = source.buffer(2).on_full(OnFull::DropOldest).sink_to_list();
/// source.emit_all([1, 2, 3])?;
/// assert!(newest.is_empty());
/// time.settle();
/// assert_eq!(newest.take(), [2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Buffer<R> {
    upstream: R,
    capacity: usize,
    on_full: OnFull,
    site: Site,
}

impl<R> Buffer<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, capacity: usize) -> Self {
        assert!(
            capacity > 0,
            "`buffer(0)` could hold nothing: give it room for at least 1 element"
        );
        Buffer {
            upstream,
            capacity,
            on_full: OnFull::Wait,
            site: Site::new("buffer"),
        }
    }

    /// What to do with one element more than there is room for.
    pub fn on_full(mut self, policy: OnFull) -> Self {
        self.on_full = policy;
        self
    }
}

impl<R: Run> Run for Buffer<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        plan.has_futures();
        let node = BufferNode {
            label: label.clone(),
            queue: Fifo::default(),
            capacity: self.capacity,
            on_full: self.on_full,
            pressure: Pressure::default(),
            closing: false,
            passed: 0,
            batch: Vec::new(),
            next: Box::new(next),
        };
        let cell = plan.cell(&label, node);
        self.upstream.build(Port::<_>(cell), plan);
    }
}

struct BufferNode<T> {
    label: Arc<Label>,
    queue: Fifo<T>,
    capacity: usize,
    on_full: OnFull,
    pressure: Pressure,
    closing: bool,
    passed: u64,
    /// What goes in one turn.
    batch: Vec<T>,
    next: Tail<T>,
}

impl<T: InGraph> BufferNode<T> {
    fn census(&mut self, cx: &mut Cx) {
        let holding = Holding {
            passed: self.passed,
            held: self.queue.items(),
            capacity: self.capacity,
            blocked_since: self.pressure.since(),
        };
        holding.tell(self.label.id(), &mut self.next, cx);
    }
}

impl<T: InGraph> BufferNode<T> {
    /// One element goes, to make room for another. What stands in front of it goes too: failures
    /// are reported now.
    fn drop_oldest(&mut self, cx: &mut Cx) {
        while let Some((slot, token)) = self.queue.pop() {
            match slot {
                Slot::Item(_) => {
                    token.fail(Lost::Discarded);
                    cx.lose(self.label.id(), Loss::Overflow, 1);
                    return;
                }
                Slot::Failure(failure) => {
                    // Not a matter of the element under way, nor of who emits it.
                    cx.with_token(token, |cx| cx.without_emitter(|cx| cx.report(failure)));
                }
                Slot::Hole => {}
            }
        }
    }

    /// Keeps a failure in the place of its element. Where origins don't wait, only so many are
    /// kept: one more is reported at once, and its place stays empty.
    fn keep_failure(&mut self, failure: Failure, cx: &mut Cx) {
        let room = self.capacity.saturating_mul(2);
        if self.on_full == OnFull::Wait || self.queue.len() < room {
            self.queue.push_failure(failure, cx);
        } else {
            cx.report(failure);
            self.queue.push_hole();
        }
        self.kept(cx);
    }

    /// Passes on what fits below, as one batch, where nothing stands between the elements. Returns
    /// how many went.
    fn pass_batch(&mut self, cx: &mut Cx) -> usize {
        if self.queue.len() < 2 || !self.queue.is_plain() || cx.gated(self.label.id()) {
            return 0;
        }
        let room = cx.room(&mut *self.next).min(TURN);
        self.queue.drain_plain(room, &mut self.batch);
        let passed = self.batch.len();
        if passed > 0 {
            self.next.push_batch(&mut self.batch, cx);
            self.freed(cx);
        }
        passed
    }

    /// Something less is held.
    fn freed(&mut self, cx: &mut Cx) {
        if self.queue.len() < self.capacity {
            self.pressure.release(cx);
        }
    }

    /// Something more is held.
    fn kept(&mut self, cx: &mut Cx) {
        if self.on_full == OnFull::Wait && self.queue.len() >= self.capacity {
            self.pressure.hold(cx);
        }
        cx.wake(self.label.id());
    }
}

impl<T: InGraph> Entry<T> for BufferNode<T> {
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        if self.queue.items() >= self.capacity {
            match self.on_full {
                OnFull::Wait => {}
                OnFull::DropOldest => self.drop_oldest(cx),
                OnFull::DropNewest => {
                    cx.lose_current(self.label.id(), Loss::Overflow);
                    return;
                }
                OnFull::Fail => {
                    let capacity = self.capacity;
                    let error = Overflow { capacity };
                    let failure = Failure::with_element(&self.label, error, item);
                    self.keep_failure(failure, cx);
                    return;
                }
            }
        }
        self.queue.push(item, cx);
        self.kept(cx);
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if self.on_full == OnFull::Wait {
            self.passed += items.len() as u64;
            self.queue.push_batch(items, cx);
            self.kept(cx);
        } else {
            items.drain(..).for_each(|item| self.enter(item, cx));
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                self.closing = true;
                cx.wake(self.label.id());
            }
            Signal::Fail(failure) => self.keep_failure(failure, cx),
            Signal::Hole => {
                self.queue.push_hole();
                self.kept(cx);
            }
            Signal::Room(room) => {
                if self.on_full == OnFull::Wait {
                    *room = (*room).min(self.capacity.saturating_sub(self.queue.len()));
                }
            }
            Signal::Census => self.census(cx),
            Signal::Settle => self.next.signal(Signal::Settle, cx),
        }
    }
}

impl<T: InGraph> Node for BufferNode<T> {
    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        let passed = self.pass_batch(cx);
        for _ in passed..TURN {
            // One at a time: the first element may fill somebody downstream, who then has us wait.
            if cx.gated(self.label.id()) {
                return;
            }
            let Some((slot, token)) = self.queue.pop() else {
                break;
            };
            cx.with_token(token, |cx| slot.pass(&mut self.next, cx));
            self.freed(cx);
        }
        if !self.queue.is_empty() {
            cx.wake(self.label.id());
        } else if self.closing {
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

impl<R> std::fmt::Debug for Buffer<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buffer")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
