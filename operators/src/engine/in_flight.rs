//! Futures in flight: what `map_async`, `map_blocking` and their sinks share.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::cell::{Entry, Node, Port};
use super::clock::Time;
use super::context::Cx;
use super::error::{BoxError, Failure};
use super::fifo::{Fifo, Slot};
use super::lineage::{Lost, Token};
use super::plan::Plan;
use super::pressure::Pressure;
use super::push::{Push, Signal, Tail};
use super::topology::{Label, Role, Site};
use crate::InGraph;
use crate::flow::Run;

/// How many finished results may wait for an earlier one by default.
const REORDER: usize = 1_024;

/// Results taken in one turn, so that other nodes get theirs.
const TURN: usize = 256;

/// How many at once, and in which order what comes of them goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) at_once: usize,
    pub(crate) ordered: bool,
    reorder: usize,
}

impl Limits {
    #[track_caller]
    pub(crate) fn new(operator: &str, at_once: usize) -> Limits {
        assert!(
            at_once > 0,
            "`{operator}(0, …)` would never start: let at least 1 element be in flight"
        );
        Limits {
            at_once,
            ordered: true,
            reorder: REORDER,
        }
    }

    pub(crate) fn unordered(self) -> Limits {
        Limits {
            ordered: false,
            ..self
        }
    }

    #[track_caller]
    pub(crate) fn reorder(self, results: usize) -> Limits {
        assert!(
            results > 0,
            "`reorder(0)` would never start: let at least 1 finished result wait for an earlier one"
        );
        Limits {
            reorder: results,
            ..self
        }
    }
}

/// The two choices that all operators with futures in flight offer.
macro_rules! limit_methods {
    () => {
        /// Lets each result go on as soon as it is there, instead of in the order of the elements.
        pub fn unordered(mut self) -> Self {
            self.limits = self.limits.unordered();
            self
        }

        /// How many finished results may wait for an earlier one that has not finished, on top of
        /// the `n` elements held besides (1 024 by default). Without effect on what is
        /// [`unordered`](Self::unordered), where none waits for another.
        ///
        /// # Panics
        /// If `results` is 0.
        #[track_caller]
        pub fn reorder(mut self, results: usize) -> Self {
            self.limits = self.limits.reorder(results);
            self
        }
    };
}
pub(crate) use limit_methods;

/// An element's place in line and its token, which go with its future. Dropped before the future
/// finished, or before its result went on, it tells the token.
pub(crate) struct Ticket {
    place: u64,
    token: Token,
}

impl Ticket {
    fn redeem(mut self) -> Token {
        std::mem::take(&mut self.token)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.token.fail(Lost::TornDown);
    }
}

/// Builds a node that runs `work` on each element, and `next` behind it.
pub(crate) fn build<R, F, J, U>(
    upstream: R,
    (limits, site, role): (Limits, Site, Role),
    work: impl FnOnce(&Arc<Label>) -> F,
    next: impl FnOnce(&Arc<Label>) -> Tail<U>,
    plan: &mut Plan,
) where
    R: Run,
    F: FnMut(R::Item) -> J + InGraph,
    J: Future<Output = Result<U, BoxError>> + InGraph,
    U: InGraph,
{
    let label = plan.node(site, role);
    plan.has_futures();
    let mut work = work(&label);
    let node = InFlight {
        limits,
        waiting: Fifo::default(),
        start: move |item, ticket| {
            let job = work(item);
            async move { (ticket, job.await) }
        },
        running: FuturesUnordered::new(),
        places: VecDeque::new(),
        first: 0,
        due: 0,
        pressure: Pressure::default(),
        closing: false,
        passed: 0,
        moved: Time::ZERO,
        next: next(&label),
        label: label.clone(),
    };
    let cell = plan.cell(&label, node);
    upstream.build(Port::<_>(cell), plan);
}

struct InFlight<T, U, F, J> {
    label: Arc<Label>,
    limits: Limits,
    /// Not started yet.
    waiting: Fifo<T>,
    start: F,
    running: FuturesUnordered<J>,
    /// Results that have not gone on. Ordered, each element has its place from its start on, which
    /// is `None` until it has finished.
    places: VecDeque<Option<(Ticket, Slot<U>)>>,
    /// The number of the first place.
    first: u64,
    /// How many places from the first one on have finished: only room downstream keeps them here.
    due: usize,
    pressure: Pressure,
    closing: bool,
    passed: u64,
    /// When the last future finished, or one was started where none was under way.
    moved: Time,
    next: Tail<U>,
}

impl<T, U, F, J> InFlight<T, U, F, J>
where
    T: InGraph,
    U: InGraph,
    F: FnMut(T, Ticket) -> J + InGraph,
    J: Future<Output = (Ticket, Result<U, BoxError>)> + InGraph,
{
    /// What counts against the limit. Results that wait for an earlier one do not, as far as they
    /// are allowed to, unless they would have to wait for room as well.
    fn load(&self, cx: &mut Cx) -> usize {
        let allowed = match cx.gated(self.label.id()) {
            true => 0,
            false => self.limits.reorder,
        };
        self.waiting.len() + self.running.len() + self.due + self.early().saturating_sub(allowed)
    }

    /// Results that wait for an earlier one, which has not finished.
    fn early(&self) -> usize {
        match self.limits.ordered {
            true => self.places.len() - self.running.len() - self.due,
            false => 0,
        }
    }

    fn held(&self) -> usize {
        self.waiting.len() + self.running.len() + self.due + self.early()
    }

    /// The most that `held` can be.
    fn capacity(&self) -> usize {
        match self.limits.ordered {
            true => self.limits.at_once.saturating_add(self.limits.reorder),
            false => self.limits.at_once,
        }
    }

    fn may_start(&self, cx: &mut Cx) -> bool {
        !self.waiting.is_empty()
            && self.running.len() + self.due < self.limits.at_once
            && self.early() < self.limits.reorder
            // Whoever is full downstream would only have us keep the results.
            && !cx.gated(self.label.id())
    }

    /// Counts on from the last place that is due: one has finished.
    fn count_due(&mut self) {
        while matches!(self.places.get(self.due), Some(Some(_))) {
            self.due += 1;
        }
    }

    fn start(&mut self, cx: &mut Cx) {
        while self.may_start(cx) {
            let Some((slot, token)) = self.waiting.pop() else {
                return;
            };
            let place = self.first + self.places.len() as u64;
            let ticket = Ticket { place, token };
            match slot {
                Slot::Item(item) => {
                    self.running.push((self.start)(item, ticket));
                    if self.limits.ordered {
                        self.places.push_back(None);
                    }
                }
                Slot::Failure(failure) => {
                    self.places
                        .push_back(Some((ticket, Slot::Failure(failure))));
                    self.count_due();
                }
                Slot::Hole => {
                    self.places.push_back(Some((ticket, Slot::Hole)));
                    self.count_due();
                }
            }
        }
    }

    /// Takes the next result of a future, if there is any.
    fn finish(&mut self, waker: &Waker) -> bool {
        let mut task = Context::from_waker(waker);
        let Poll::Ready(Some((ticket, result))) = self.running.poll_next_unpin(&mut task) else {
            return false;
        };
        let slot = match result {
            Ok(item) => Slot::Item(item),
            Err(error) => Slot::Failure(Failure::new(&self.label, error)),
        };
        if self.limits.ordered {
            let at = (ticket.place - self.first) as usize;
            if let Some(place) = self.places.get_mut(at) {
                *place = Some((ticket, slot));
            }
        } else {
            self.places.push_back(Some((ticket, slot)));
        }
        self.count_due();
        true
    }

    /// Lets go on whatever may.
    fn deliver(&mut self, cx: &mut Cx) {
        while self.due > 0 && !cx.gated(self.label.id()) {
            let Some(Some((ticket, slot))) = self.places.pop_front() else {
                return;
            };
            self.first += 1;
            self.due -= 1;
            cx.token = ticket.redeem();
            match slot {
                Slot::Item(item) => self.next.push(item, cx),
                Slot::Failure(failure) => self.next.signal(Signal::Fail(failure), cx),
                Slot::Hole => self.next.signal(Signal::Hole, cx),
            }
            cx.token = Token::NONE;
        }
    }

    fn census(&mut self, cx: &mut Cx) {
        if !cx.first_visit(self.label.id()) {
            return;
        }
        let (passed, held, capacity) = (self.passed, self.held(), self.capacity());
        let since = self.pressure.since();
        cx.take_census(self.label.id(), |node| {
            node.counts.passed = passed;
            node.counts.held = held as u64;
            node.counts.capacity = capacity as u64;
            node.blocked_since = since;
        });
        self.next.signal(Signal::Census, cx);
    }

    fn kept(&mut self, cx: &mut Cx) {
        if self.load(cx) >= self.limits.at_once {
            self.pressure.hold(cx);
        }
        cx.wake(self.label.id());
    }
}

impl<T, U, F, J> Entry<T> for InFlight<T, U, F, J>
where
    T: InGraph,
    U: InGraph,
    F: FnMut(T, Ticket) -> J + InGraph,
    J: Future<Output = (Ticket, Result<U, BoxError>)> + InGraph,
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
            Signal::Room(room) => {
                *room = (*room).min(self.limits.at_once.saturating_sub(self.load(cx)));
            }
            Signal::Census => self.census(cx),
            Signal::Settle => self.next.signal(Signal::Settle, cx),
        }
    }
}

impl<T, U, F, J> Node for InFlight<T, U, F, J>
where
    T: InGraph,
    U: InGraph,
    F: FnMut(T, Ticket) -> J + InGraph,
    J: Future<Output = (Ticket, Result<U, BoxError>)> + InGraph,
{
    fn poll(&mut self, cx: &mut Cx, waker: &Waker) {
        for turn in 1.. {
            let idle = self.running.is_empty();
            self.start(cx);
            let finished = self.finish(waker);
            if idle || finished {
                self.moved = cx.now();
            }
            self.deliver(cx);
            if self.load(cx) < self.limits.at_once {
                self.pressure.release(cx);
            }
            if !finished && !self.may_start(cx) {
                break;
            }
            if turn == TURN {
                cx.wake(self.label.id());
                return;
            }
        }
        if self.closing && self.held() == 0 {
            self.closing = false;
            self.next.signal(Signal::Close, cx);
        }
    }

    fn in_flight(&self) -> Option<(usize, Time)> {
        let count = self.running.len();
        (count > 0).then_some((count, self.moved))
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        // A branch that was taken off drains, and no flow asks it any more.
        if matches!(signal, Signal::Census) {
            self.census(cx);
        }
    }
}

/// What stands behind the futures of a sink: the element is done once its future is.
pub(crate) struct Done {
    label: Arc<Label>,
    passed: u64,
}

impl Done {
    pub(crate) fn end(label: &Arc<Label>) -> Tail<()> {
        Box::new(Done {
            label: label.clone(),
            passed: 0,
        })
    }
}

impl Push<()> for Done {
    fn push(&mut self, (): (), _cx: &mut Cx) {
        self.passed += 1;
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        cx.end_signal(self.label.id(), self.passed, signal);
    }
}
