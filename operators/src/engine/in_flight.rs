//! Futures in flight: what `map_async`, `map_blocking` and their sinks share.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::attempt::{Attempts, Given, Lent, Spare};
use super::cell::{Entry, Node, Port};
use super::clock::Time;
use super::context::Cx;
use super::error::{BoxError, Failure};
use super::fifo::{Fifo, Slot};
use super::flight::{Flight, Limits};
use super::holding::Holding;
use super::lanes::Lanes;
use super::lineage::Pledge;
use super::naps::Naps;
use super::plan::Plan;
use super::pressure::Pressure;
use super::push::{Push, Signal, Tail};
use super::topology::{Label, Role};
use super::turn::TURN;
use crate::InGraph;
use crate::flow::Run;

/// What goes with an element in flight. It moves with each future, so it is kept small.
pub(crate) struct Ticket<T> {
    /// Its place in line; where each key has a lane, its lane.
    pub(super) place: usize,
    pledge: Pledge,
    /// Where it may be tried again, or was lent; not while a future has it.
    pub(super) spare: Option<Box<Spare<T>>>,
}

/// Builds a node that gives `work` each element, and `next` behind it.
pub(crate) fn build<R, F, J, U>(
    upstream: R,
    how: (Flight<R::Item>, Role),
    mut work: F,
    next: impl FnOnce(&Arc<Label>) -> Tail<U>,
    plan: &mut Plan,
) where
    R: Run,
    F: FnMut(R::Item) -> J + InGraph,
    J: Future<Output = Result<U, BoxError>> + InGraph,
    U: InGraph,
{
    let attempts = Given(move |item, ticket| {
        let job = work(item);
        async move { (ticket, job.await) }
    });
    build_node(upstream, how, attempts, next, plan);
}

/// Builds a node that lends `work` each element, and `next` behind it.
pub(crate) fn build_lending<R, F, U>(
    upstream: R,
    how: (Flight<R::Item>, Role),
    work: F,
    next: impl FnOnce(&Arc<Label>) -> Tail<U>,
    plan: &mut Plan,
) where
    R: Run<Item: Sync>,
    F: for<'a> FnMut(&'a R::Item) -> BoxFuture<'a, Result<U, BoxError>> + InGraph,
    U: InGraph,
{
    // What borrows the element has to be made where the element is: within the future.
    let work = Arc::new(Mutex::new(work));
    let attempts = Lent(
        move |spare: Box<Spare<R::Item>>, mut ticket: Ticket<R::Item>| {
            let work = work.clone();
            async move {
                let result = lend(&work, &spare.element).await;
                ticket.spare = Some(spare);
                (ticket, result)
            }
        },
    );
    build_node(upstream, how, attempts, next, plan);
}

/// Futures of a node are polled one at a time, so that nobody ever waits here; and where `work`
/// panicked, it is not called again.
fn lend<'a, T, U, F>(work: &Mutex<F>, element: &'a T) -> BoxFuture<'a, Result<U, BoxError>>
where
    F: FnMut(&'a T) -> BoxFuture<'a, Result<U, BoxError>>,
{
    let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
    work(element)
}

fn build_node<R, A, U>(
    upstream: R,
    (flight, role): (Flight<R::Item>, Role),
    attempts: A,
    next: impl FnOnce(&Arc<Label>) -> Tail<U>,
    plan: &mut Plan,
) where
    R: Run,
    A: Attempts<R::Item, Job: Future<Output = Finished<R::Item, U>> + InGraph> + InGraph,
    U: InGraph,
{
    let label = plan.node(flight.site, role);
    plan.has_futures();
    if flight.again.is_some() || flight.later.is_some() {
        plan.has_timers();
    }
    let node = InFlight {
        limits: flight.limits,
        waiting: Fifo::default(),
        lanes: flight.lanes,
        next_in_lane: VecDeque::new(),
        naps: Naps::new(flight.again, flight.later),
        attempts,
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

/// What a future comes to.
type Finished<T, U> = (Ticket<T>, Result<U, BoxError>);

struct InFlight<T, U, A: Attempts<T>> {
    label: Arc<Label>,
    limits: Limits,
    /// Not started yet.
    waiting: Fifo<T>,
    /// Where keys keep an order of their own. Whoever waits there has left `waiting`.
    lanes: Option<Box<dyn Lanes<T>>>,
    /// The one in front of them is through: they may start.
    next_in_lane: VecDeque<(T, Ticket<T>)>,
    /// Between two attempts. They keep their slots.
    naps: Naps<T>,
    attempts: A,
    running: FuturesUnordered<A::Job>,
    /// Results that have not gone on. Ordered, each element has its place from its start on, which
    /// is `None` until it has finished.
    places: VecDeque<Option<(Ticket<T>, Slot<U>)>>,
    /// The number of the first place. It wraps.
    first: usize,
    /// How many places from the first one on have finished: only room downstream keeps them here.
    due: usize,
    pressure: Pressure,
    closing: bool,
    passed: u64,
    /// When the last future finished, or one was started where none was under way.
    moved: Time,
    next: Tail<U>,
}

impl<T, U, A> InFlight<T, U, A>
where
    T: InGraph,
    U: InGraph,
    A: Attempts<T, Job: Future<Output = Finished<T, U>> + InGraph> + InGraph,
{
    /// What counts against the limit. Who waits for an earlier one does not, as far as that is
    /// allowed, unless it would have to wait for room as well.
    fn load(&self, cx: &mut Cx) -> usize {
        let allowed = match cx.gated(self.label.id()) {
            true => 0,
            false => self.limits.reorder,
        };
        self.waiting.len() + self.started() + self.early().saturating_sub(allowed)
    }

    /// Those that have a slot: under way, between two attempts, or about to go on.
    fn started(&self) -> usize {
        self.running.len() + self.naps.len() + self.due
    }

    /// Those that wait for an earlier one: in order, results; by key, elements.
    fn early(&self) -> usize {
        match &self.lanes {
            Some(lanes) => lanes.waiting() + self.next_in_lane.len(),
            None if self.limits.ordered => self.places.len() - self.started(),
            None => 0,
        }
    }

    fn held(&self) -> usize {
        self.waiting.len() + self.started() + self.early()
    }

    fn may_start(&self, cx: &mut Cx) -> bool {
        let some = !self.next_in_lane.is_empty()
            || (!self.waiting.is_empty() && self.early() < self.limits.reorder);
        // Whoever is full downstream would only have us keep the results.
        (some && self.started() < self.limits.at_once || self.naps.is_rested(cx))
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
            if let Some(ticket) = self.naps.wake(cx) {
                self.attempt_again(ticket);
            } else if let Some((item, ticket)) = self.next_in_lane.pop_front() {
                self.attempt(item, ticket);
            } else {
                self.start_next();
            }
        }
    }

    fn start_next(&mut self) {
        let Some((slot, token)) = self.waiting.pop() else {
            return;
        };
        let mut ticket = Ticket {
            place: self.first.wrapping_add(self.places.len()),
            pledge: Pledge::new(token),
            spare: None,
        };
        match slot {
            Slot::Item(mut item) => {
                if self.limits.ordered {
                    self.places.push_back(None);
                }
                if let Some(lanes) = &mut self.lanes {
                    match lanes.enter(item, ticket) {
                        Some(free) => (item, ticket) = free,
                        None => return,
                    }
                }
                self.attempt(item, ticket);
            }
            Slot::Failure(failure) => {
                let slot = Slot::Failure(failure);
                self.places.push_back(Some((ticket, slot)));
            }
            Slot::Hole => self.places.push_back(Some((ticket, Slot::Hole))),
        }
        self.count_due();
    }

    fn attempt(&mut self, item: T, ticket: Ticket<T>) {
        let job = self.attempts.first(item, ticket, self.naps.again());
        self.running.push(job);
    }

    #[cold]
    fn attempt_again(&mut self, mut ticket: Ticket<T>) {
        if let (Some(spare), Some(again)) = (ticket.spare.take(), self.naps.again()) {
            let job = self.attempts.next(spare, ticket, again);
            self.running.extend(job);
        }
    }

    /// Takes the next result of a future, if there is any.
    fn finish(&mut self, cx: &mut Cx, waker: &Waker) -> bool {
        let mut task = Context::from_waker(waker);
        let Poll::Ready(Some((mut ticket, result))) = self.running.poll_next_unpin(&mut task)
        else {
            return false;
        };
        let slot = match result {
            Ok(item) => Slot::Item(item),
            Err(error) => {
                match self.naps.keep(ticket, &error, cx) {
                    Some(given_up) => ticket = given_up,
                    None => return true,
                }
                Slot::Failure(match ticket.spare.take() {
                    Some(spare) => Failure::with_element(&self.label, error, spare.element),
                    None => Failure::new(&self.label, error),
                })
            }
        };
        ticket.spare = None;
        if let Some(lanes) = &mut self.lanes {
            self.next_in_lane.extend(lanes.leave(ticket.place));
        }
        if self.limits.ordered {
            let at = ticket.place.wrapping_sub(self.first);
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
            self.first = self.first.wrapping_add(1);
            self.due -= 1;
            let token = ticket.pledge.redeem();
            cx.with_token(token, |cx| slot.pass(&mut self.next, cx));
        }
    }

    fn census(&mut self, cx: &mut Cx) {
        let holding = Holding {
            passed: self.passed,
            held: self.held(),
            capacity: self.limits.at_once,
            blocked_since: self.pressure.since(),
        };
        let out_of_turn = match cx.gated(self.label.id()) {
            // They count against the limit, and may be more than that since before.
            true => self.held().saturating_sub(self.limits.at_once),
            false => self.early().min(self.limits.reorder),
        } as u64;
        let retried = self.naps.begun();
        cx.take_census(self.label.id(), |node| {
            node.counts.out_of_turn = out_of_turn;
            node.counts.retried = retried;
        });
        holding.tell(self.label.id(), &mut self.next, cx);
    }

    fn kept(&mut self, cx: &mut Cx) {
        if self.load(cx) >= self.limits.at_once {
            self.pressure.hold(cx);
        }
        cx.wake(self.label.id());
    }
}

impl<T, U, A> Entry<T> for InFlight<T, U, A>
where
    T: InGraph,
    U: InGraph,
    A: Attempts<T, Job: Future<Output = Finished<T, U>> + InGraph> + InGraph,
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

impl<T, U, A> Node for InFlight<T, U, A>
where
    T: InGraph,
    U: InGraph,
    A: Attempts<T, Job: Future<Output = Finished<T, U>> + InGraph> + InGraph,
{
    fn tick(&mut self, cx: &mut Cx) {
        self.naps.rang(cx);
        // The futures want the waker that only a poll has.
        cx.wake(self.label.id());
    }

    fn poll(&mut self, cx: &mut Cx, waker: &Waker) {
        for turn in 1.. {
            let idle = self.running.is_empty();
            self.naps.look();
            self.start(cx);
            let finished = self.finish(cx, waker);
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
        self.naps.set_alarm(self.label.id(), cx);
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
