//! What every join does alike: signals that come by several inputs go on once.

use crate::engine::{Cx, NodeId, NodeState, Push, Signal};

/// Passes on a signal that concerns neither elements nor the close, by whichever input it comes
/// first. In a census the node writes its counts.
pub(crate) fn pass_once<T: 'static>(
    id: NodeId,
    signal: Signal<'_>,
    next: &mut impl Push<T>,
    cx: &mut Cx,
    count: impl FnOnce(&mut NodeState),
) {
    if cx.first_visit(id) {
        if matches!(signal, Signal::Census) {
            cx.take_census(id, count);
        }
        next.signal(signal, cx);
    }
}

/// The room below a join whose inputs all lead on at once, as the query under way found it.
pub(crate) struct Below(usize);

impl Default for Below {
    fn default() -> Self {
        Below(usize::MAX)
    }
}

impl Below {
    /// Lowers `room` to what is left below.
    pub(crate) fn lower<T: 'static>(
        &mut self,
        id: NodeId,
        room: &mut usize,
        next: &mut impl Push<T>,
        cx: &mut Cx,
    ) {
        if self.look(id, next, cx) {
            *room = (*room).min(self.0);
        } else if self.0 < usize::MAX {
            // An element comes by several inputs: how much room it takes can't be told.
            *room = (*room).min(self.0.min(1));
        }
    }

    /// Lowers `room` for an element that may release `waiting` others.
    pub(crate) fn lower_for<T: 'static>(
        &mut self,
        waiting: usize,
        id: NodeId,
        room: &mut usize,
        next: &mut impl Push<T>,
        cx: &mut Cx,
    ) {
        self.look(id, next, cx);
        if self.0 < waiting {
            *room = (*room).min(1);
        }
    }

    /// Asks those below, once in a query. Returns whether this was that time.
    fn look<T: 'static>(&mut self, id: NodeId, next: &mut impl Push<T>, cx: &mut Cx) -> bool {
        let first = cx.first_visit(id);
        if first {
            self.0 = usize::MAX;
            next.signal(Signal::Room(&mut self.0), cx);
        }
        first
    }
}
