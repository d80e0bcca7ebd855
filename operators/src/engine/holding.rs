//! What a holder answers in a census.

use super::context::Cx;
use super::pressure::Blocked;
use super::push::{Push, Signal, Tail};
use super::topology::NodeId;

/// How much a holder has seen and holds, and who waits for it.
pub(crate) struct Holding {
    pub(crate) passed: u64,
    pub(crate) held: usize,
    pub(crate) capacity: usize,
    pub(crate) blocked_since: Option<Blocked>,
}

impl Holding {
    /// Writes it into the node table, once a census, and sends the census on.
    pub(crate) fn tell<T: 'static>(self, id: NodeId, next: &mut Tail<T>, cx: &mut Cx) {
        if !cx.first_visit(id) {
            return;
        }
        cx.take_census(id, |node| {
            node.counts.passed = self.passed;
            node.counts.held = self.held as u64;
            node.counts.capacity = self.capacity as u64;
            node.blocked_since = self.blocked_since;
        });
        next.signal(Signal::Census, cx);
    }
}
