//! What holders of a single element share: one that waits, and what happens when another comes.

use std::sync::Arc;
use std::task::Waker;

use crate::engine::{
    Alarm, Cx, Entry, Label, Loss, Lost, Node, Plan, Port, Push, Role, Signal, Site, Tail, Time,
    Tokens,
};
use crate::flow::{InGraph, Run};

/// Says what becomes of the element that waits.
pub(super) trait Keep<T>: Send + 'static {
    /// Whether it goes on at a moment, and not with the driver's next turn.
    const TIMED: bool = false;
    /// Whether a newcomer becomes part of it. Else it takes its place, which is a loss.
    const MERGES: bool = false;

    /// When it goes on, an element having come at `now`. Only where it is `TIMED`.
    fn due(&mut self, _now: Time) -> Time {
        Time::ZERO
    }

    /// An element comes while it waits.
    fn meet(&mut self, waiting: &mut T, newcomer: T) {
        *waiting = newcomer;
    }
}

/// Builds a node that holds one element for as long as `keep` says, and `next` behind it.
pub(super) fn build<R: Run>(
    upstream: R,
    (keep, site): (impl Keep<R::Item>, Site),
    next: impl Push<R::Item>,
    plan: &mut Plan,
) {
    let label = plan.node(site, Role::Operator);
    let node = NewestNode {
        label: label.clone(),
        keep,
        waiting: None,
        tokens: Tokens::default(),
        due: Time::ZERO,
        alarm: Alarm::default(),
        closing: false,
        passed: 0,
        next: Box::new(next),
    };
    node.plan(plan);
    let cell = plan.cell(&label, node);
    upstream.build(Port::<_>(cell), plan);
}

struct NewestNode<T, K> {
    label: Arc<Label>,
    keep: K,
    waiting: Option<T>,
    /// Of all that the waiting element was made of.
    tokens: Tokens,
    /// When it goes on.
    due: Time,
    alarm: Alarm,
    closing: bool,
    passed: u64,
    next: Tail<T>,
}

impl<T: InGraph, K: Keep<T>> NewestNode<T, K> {
    fn plan(&self, plan: &mut Plan) {
        if K::TIMED {
            plan.has_timers();
        } else {
            plan.has_futures();
        }
    }

    /// Lets go what is due, unless somebody downstream is full; then closes, if that was asked for.
    fn look(&mut self, cx: &mut Cx) {
        let id = self.label.id();
        if self.due > cx.now() || cx.gated(id) {
            return;
        }
        cx.aside(id, |cx| {
            if let Some(item) = self.waiting.take() {
                cx.token = self.tokens.take();
                self.next.push(item, cx);
            }
            if std::mem::take(&mut self.closing) {
                self.next.signal(Signal::Close, cx);
            }
        });
    }

    /// Takes in elements that come together; there is at least one.
    fn take(&mut self, mut items: impl ExactSizeIterator<Item = T>, cx: &mut Cx) {
        let (id, count) = (self.label.id(), items.len());
        self.passed += count as u64;
        if K::TIMED && self.waiting.is_some() {
            // Its time may have come, and the driver not yet.
            self.look(cx);
        }
        let lost = count - usize::from(self.waiting.is_none());
        if !K::MERGES && lost > 0 {
            self.tokens.take().fail(Lost::Discarded);
            if count > 1 {
                cx.token.fail(Lost::Discarded);
            }
            cx.lose(id, Loss::Superseded, lost);
        }
        // Where one waits already, the driver knows, or somebody downstream is full.
        if self.waiting.is_none() && !K::TIMED {
            cx.wake(id);
        }
        let waiting = match &mut self.waiting {
            Some(waiting) => Some(waiting),
            none => items.next().map(|first| none.insert(first)),
        };
        if let Some(waiting) = waiting {
            items.for_each(|newcomer| self.keep.meet(waiting, newcomer));
        }
        self.tokens.note(cx);
        if K::TIMED {
            self.due = self.keep.due(cx.now());
            self.alarm.set(id, self.due, cx);
        }
    }

    fn close(&mut self, cx: &mut Cx) {
        self.closing = true;
        self.due = Time::ZERO;
        if K::TIMED || self.waiting.is_none() {
            self.look(cx);
        }
    }

    fn census(&mut self, cx: &mut Cx) {
        if !cx.first_visit(self.label.id()) {
            return;
        }
        let (passed, held) = (self.passed, self.waiting.is_some());
        cx.take_census(self.label.id(), |node| {
            node.counts.passed = passed;
            node.counts.held = u64::from(held);
            node.counts.capacity = 1;
        });
        self.next.signal(Signal::Census, cx);
    }
}

impl<T: InGraph, K: Keep<T>> Entry<T> for NewestNode<T, K> {
    fn enter(&mut self, item: T, cx: &mut Cx) {
        self.take(std::iter::once(item), cx);
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if !items.is_empty() {
            self.take(items.drain(..), cx);
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // Of many elements one goes on: the place of the others can't be empty.
            Signal::Hole => {}
            Signal::Close => self.close(cx),
            // There is always room, if only in the place of another.
            Signal::Room(_) => {}
            Signal::Census => self.census(cx),
            other @ (Signal::Fail(_) | Signal::Settle) => self.next.signal(other, cx),
        }
    }
}

impl<T: InGraph, K: Keep<T>> Node for NewestNode<T, K> {
    fn tick(&mut self, cx: &mut Cx) {
        let now = cx.now();
        self.alarm.rang(now);
        self.look(cx);
        if self.waiting.is_some() && self.due > now {
            // The alarm was for an earlier element.
            self.alarm.set(self.label.id(), self.due, cx);
        }
    }

    fn poll(&mut self, cx: &mut Cx, _waker: &Waker) {
        self.look(cx);
    }

    fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        // A branch that was taken off drains, and no flow asks it any more.
        if matches!(signal, Signal::Census) {
            self.census(cx);
        }
    }
}
