//! The entry of a node that a timer enters, or not: as it was told at construction.

use std::sync::Arc;

use crate::engine::{Cx, Entry, Label, Node, Plan, Port, Push, Signal};

/// Where nothing grows old no timer enters the node, so that it needs no cell. One type for both
/// ways, since the run above is compiled once for each.
pub(super) enum TimedPush<Inner> {
    Inline(Box<Inner>),
    Timed(Port<Inner>),
}

impl<Inner: Node> TimedPush<Inner> {
    /// What pushes into `node`; `timed` says whether a timer enters it, too.
    pub(super) fn new(node: Inner, timed: bool, label: &Arc<Label>, plan: &mut Plan) -> Self {
        if timed {
            plan.has_timers();
            TimedPush::Timed(Port(plan.cell(label, node)))
        } else {
            TimedPush::Inline(Box::new(node))
        }
    }
}

impl<T: 'static, Inner: Entry<T>> Push<T> for TimedPush<Inner> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        match self {
            TimedPush::Inline(node) => node.enter(item, cx),
            TimedPush::Timed(port) => port.push(item, cx),
        }
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        match self {
            TimedPush::Inline(node) => node.enter_batch(items, cx),
            TimedPush::Timed(port) => port.push_batch(items, cx),
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match self {
            TimedPush::Inline(node) => node.enter_signal(signal, cx),
            TimedPush::Timed(port) => port.signal(signal, cx),
        }
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}
