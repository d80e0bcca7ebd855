//! What a node lets go in the course of somebody else's push.

use crate::engine::{Cx, NodeId};

/// Lets `push` push what the node held. The push under way has no part in that: not its token, nor
/// its failures, nor is it its origin that waits where somebody is full.
pub(super) fn aside(id: NodeId, cx: &mut Cx, push: impl FnOnce(&mut Cx)) {
    let origin = std::mem::replace(&mut cx.origin, id);
    let token = std::mem::take(&mut cx.token);
    let emitting = std::mem::replace(&mut cx.faults.emitting, false);
    push(cx);
    cx.origin = origin;
    cx.token = token;
    cx.faults.emitting = emitting;
}
