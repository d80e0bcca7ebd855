//! What a group that holds elements writes in a census.

use crate::engine::{Cx, Label};

/// Writes how many elements came, how much is held of them, and how much may be. A group `rests` if
/// it waits for elements only, and not for a time.
pub(super) fn take_census(
    label: &Label,
    passed: u64,
    held: usize,
    capacity: usize,
    rests: bool,
    cx: &mut Cx,
) {
    cx.take_census(label.id(), |node| {
        node.counts.passed = passed;
        node.counts.held = held as u64;
        node.counts.capacity = capacity as u64;
        node.rests = rests;
    });
}
