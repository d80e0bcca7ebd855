//! `take_until`: a flow ends with the first element of another.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::engine::{Cx, Entry, Graph, Label, Node, Plan, Port, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Lets elements pass until another flow emits its first: see
/// [`Flow::take_until`](crate::Flow::take_until).
///
/// With that the flow closes, and lets go of all that is in front of it, on both sides, as
/// [`take`](crate::Take) does.
///
/// - **Emits** each element, at once, until then. Where both flows hang from one source, an element
///   that ends it does not pass.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** of the first flow it closes. The close of the other flow alone changes nothing.
/// - **Drops** the other flow's element, and what comes after. That is no loss: it is not counted, and
///   a tracked element that is dropped here, or held in front, is done. Failures of either flow pass
///   until the end.
/// - **Panics** at construction if the flows belong to two graphs.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let (readings, stop) = (graph.source::<f64>(), graph.source::<()>());
/// let means = readings.take_until(&stop).fold_all(Mean).sink_to_list();
/// readings.emit_all([1.0, 3.0])?;
/// stop.emit(())?;
/// readings.emit(5.0)?;
/// assert_eq!(means.take(), [2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct TakeUntil<R, U> {
    upstream: R,
    until: U,
    site: Site,
}

impl<R: Run, U: Run> TakeUntil<R, U> {
    #[track_caller]
    pub(crate) fn new(upstream: R, until: U) -> Self {
        upstream.graph().assert_same(until.graph(), "take_until");
        TakeUntil {
            upstream,
            until,
            site: Site::new("take_until"),
        }
    }
}

impl<R: Run, U: Run> Run for TakeUntil<R, U> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::OrderedJoin);
        let node = UntilNode {
            label: label.clone(),
            ended: false,
            passed: 0,
            next,
            _items: PhantomData,
        };
        let cell = plan.cell(&label, node);
        plan.in_front_of(&label, |plan| {
            // The other flow first: what ends this one is not to pass before it does.
            plan.at_port(&label, 1);
            self.until.build(Port::<_, 1>(cell.clone()), plan);
            plan.at_port(&label, 0);
            self.upstream.build(Port::<_, 0>(cell), plan);
        });
    }
}

struct UntilNode<T, N> {
    label: Arc<Label>,
    ended: bool,
    passed: u64,
    next: N,
    _items: PhantomData<fn(T)>,
}

impl<T: InGraph, N: Push<T>> UntilNode<T, N> {
    /// Once, from whichever side it comes first.
    fn end(&mut self, cx: &mut Cx) {
        if !std::mem::replace(&mut self.ended, true) {
            self.next.signal(Signal::Close, cx);
            cx.finish(self.label.id());
        }
    }

    /// What comes by both sides, and does not concern where it comes.
    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Fail(_) if self.ended => {}
            Signal::Fail(_) => self.next.signal(signal, cx),
            other => {
                if cx.first_visit(self.label.id()) {
                    if matches!(other, Signal::Census) {
                        let passed = self.passed;
                        cx.take_census(self.label.id(), |node| node.counts.passed = passed);
                    }
                    self.next.signal(other, cx);
                }
            }
        }
    }
}

impl<T: InGraph, N: Push<T>> Node for UntilNode<T, N> {}

impl<T: InGraph, N: Push<T>> Entry<T, 0> for UntilNode<T, N> {
    #[inline]
    fn enter(&mut self, item: T, cx: &mut Cx) {
        if !self.ended {
            self.passed += 1;
            self.next.push(item, cx);
        }
    }

    fn enter_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if self.ended {
            items.clear();
        } else {
            self.passed += items.len() as u64;
            self.next.push_batch(items, cx);
        }
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => self.end(cx),
            Signal::Hole | Signal::Room(_) if self.ended => {}
            Signal::Hole | Signal::Room(_) => self.next.signal(signal, cx),
            other => self.signal(other, cx),
        }
    }
}

impl<T: InGraph, U: InGraph, N: Push<T>> Entry<U, 1> for UntilNode<T, N> {
    fn enter(&mut self, _item: U, cx: &mut Cx) {
        self.end(cx);
    }

    fn enter_signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close | Signal::Hole | Signal::Room(_) => {}
            other => self.signal(other, cx),
        }
    }
}

impl<R, U> std::fmt::Debug for TakeUntil<R, U> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TakeUntil").finish_non_exhaustive()
    }
}
