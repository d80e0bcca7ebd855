//! Pumps: what `from_iter`, `from_stream` and `from_acked_stream` share.

use std::sync::Arc;

use crate::engine::{Cx, Label, Node, NodeId, Plan, Push, Role, Signal, Site, Time};
use crate::flow::InGraph;

/// Tells the time from an element.
pub(super) type Lead<T> = Box<dyn Fn(&T) -> Time + Send>;

/// What the driver pumps into the graph, and where it enters.
pub(super) struct Pump<I, T, N> {
    label: Arc<Label>,
    /// `None` once it has ended.
    pub(super) input: Option<I>,
    pub(super) lead: Option<Lead<T>>,
    pub(super) passed: u64,
    pub(super) next: N,
}

/// Adds the node that pumps `input`, and has the driver begin with it.
pub(super) fn build<I, T, N, P: Node>(
    (input, lead, site): (I, Option<Lead<T>>, Site),
    next: N,
    node: impl FnOnce(Pump<I, T, N>) -> P,
    plan: &mut Plan,
) {
    let label = plan.node(site, Role::Source);
    plan.has_futures();
    plan.pump();
    if lead.is_some() {
        plan.led();
    }
    let pump = Pump {
        label: label.clone(),
        input: Some(input),
        lead,
        passed: 0,
        next,
    };
    let _ = plan.cell(&label, node(pump));
    plan.start(&label);
}

impl<I, T, N> Pump<I, T, N>
where
    T: InGraph,
    N: Push<T>,
{
    pub(super) fn id(&self) -> NodeId {
        self.label.id()
    }

    /// Whether nothing is to be pumped now: it has ended, somebody downstream is full, or a failure
    /// stopped the graph.
    pub(super) fn rests(&self, cx: &mut Cx) -> bool {
        self.input.is_none() || cx.gated(self.id()) || cx.is_stopped()
    }

    /// The clock goes on to the time of the element that is pushed next.
    pub(super) fn lead_to(&mut self, time: Time, cx: &mut Cx) {
        if time > cx.now() {
            cx.advance_led(time);
            cx.begin(self.label.id());
        }
    }

    /// Pushes an element, whose time comes before it where it leads the clock.
    pub(super) fn push_led(&mut self, item: T, cx: &mut Cx) {
        if let Some(lead) = &self.lead {
            let time = lead(&item);
            self.lead_to(time, cx);
        }
        self.next.push(item, cx);
    }

    pub(super) fn end(&mut self, cx: &mut Cx) {
        if self.input.take().is_some() {
            cx.open_pumps -= 1;
            self.next.signal(Signal::Close, cx);
            self.count(cx);
        }
    }

    /// Whoever is below has had enough: as [`Node::let_go`].
    pub(super) fn let_go(&mut self, cx: &mut Cx) -> bool
    where
        I: Send + 'static,
    {
        if let Some(input) = self.input.take() {
            cx.open_pumps -= 1;
            cx.let_go.push(Box::new(input));
        }
        true
    }

    /// What a pump does with signals of the graph: as [`Node::root`].
    pub(super) fn root(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        cx.begin(self.id());
        match signal {
            Signal::Close => self.end(cx),
            Signal::Census => {
                self.count(cx);
                self.next.signal(Signal::Census, cx);
            }
            other => self.next.signal(other, cx),
        }
    }

    fn count(&mut self, cx: &mut Cx) {
        let passed = self.passed;
        cx.take_census(self.id(), |node| node.counts.passed = passed);
    }
}
