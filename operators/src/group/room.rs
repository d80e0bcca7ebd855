//! How much may come to a group whose emission no other room stands for.

use crate::engine::{Cx, Push, Signal};

/// Lowers `room` to the `own` of a group. A batch of that many ends one group at the most: those below
/// need room for one, and where they have none, elements come one by one.
pub(super) fn of_group<T: 'static>(
    own: usize,
    room: &mut usize,
    next: &mut impl Push<T>,
    cx: &mut Cx,
) {
    // No number of elements ends it.
    if own == usize::MAX {
        return;
    }
    let mut below = usize::MAX;
    next.signal(Signal::Room(&mut below), cx);
    let at_once = if below == 0 { own.min(1) } else { own };
    *room = (*room).min(at_once);
}
