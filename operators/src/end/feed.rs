//! A way back into the graph at one of its sources: what `connect` and `dead_letter` share.

use std::sync::{Arc, Weak};

use crate::engine::{Cx, Label, Loss, Plan, SourceCell};
use crate::flow::InGraph;

/// Emits into a source of the graph that it is part of. It does not keep the source open, but at a
/// shutdown the source closes after it.
pub(super) struct Feed<T> {
    node: Arc<Label>,
    /// Weak, as in a cycle the source's cell owns who feeds it.
    target: Weak<SourceCell<T>>,
    closed: bool,
    /// Whether elements come back here from the target, found at this state of the structure.
    cycle: Option<(u32, bool)>,
}

impl<T: InGraph> Feed<T> {
    pub(super) fn new(node: &Arc<Label>, target: &Arc<SourceCell<T>>, plan: &mut Plan) -> Feed<T> {
        target.add_feed();
        plan.feedback(node.id(), target.id());
        Feed {
            node: node.clone(),
            target: Arc::downgrade(target),
            closed: false,
            cycle: None,
        }
    }

    /// Leaves the element at the source, with the token of the element under way beside it.
    #[inline]
    pub(super) fn give(&mut self, item: T, cx: &mut Cx) -> Result<(), Loss> {
        let Some(target) = self.target.upgrade() else {
            return Err(Loss::Unheard);
        };
        let in_cycle = target.queue_room() <= 1 && self.in_cycle(&target, cx);
        target.feed(item, in_cycle, cx)
    }

    #[cold]
    #[inline(never)]
    fn in_cycle(&mut self, target: &SourceCell<T>, cx: &Cx) -> bool {
        match self.cycle {
            Some((epoch, cycle)) if epoch == cx.epoch => cycle,
            _ => {
                let cycle = cx
                    .topology
                    .lock()
                    .is_ok_and(|topology| topology.reaches(target.id(), self.node.shown_id()));
                self.cycle = Some((cx.epoch, cycle));
                cycle
            }
        }
    }

    /// How many more elements the source has room for.
    pub(super) fn room(&self) -> usize {
        let target = self.target.upgrade();
        target.map_or(usize::MAX, |target| target.queue_room())
    }

    /// Nothing more comes from here.
    pub(super) fn close(&mut self, cx: &mut Cx) {
        if !std::mem::replace(&mut self.closed, true)
            && let Some(target) = self.target.upgrade()
        {
            target.end_feed(cx);
        }
    }
}

impl<T> Drop for Feed<T> {
    /// Discarded, and not closed.
    fn drop(&mut self) {
        if let (false, Some(target)) = (self.closed, self.target.upgrade()) {
            target.lose_feed();
        }
    }
}
