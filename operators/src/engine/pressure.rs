//! Pressure: who is full, and who waits for it.

use smallvec::SmallVec;

use super::clock::Time;
use super::context::Cx;
use super::topology::NodeId;

/// The origins that wait until this holder has room: sources, and holders that were draining into it.
///
/// A holder calls [`hold`](Pressure::hold) when a push fills it and [`release`](Pressure::release)
/// when it has room again. Elements that are in the graph already are never refused.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    blocked: SmallVec<[NodeId; 2]>,
    since: Option<Time>,
}

impl Pressure {
    /// Makes the origin of the current push wait.
    #[cold]
    #[inline(never)]
    pub(crate) fn hold(&mut self, cx: &mut Cx) {
        let origin = cx.origin;
        if !self.blocked.contains(&origin) {
            self.blocked.push(origin);
            self.since.get_or_insert_with(|| cx.now());
            cx.close_gate(origin);
        }
    }

    /// Lets all who waited for this holder go on.
    #[inline]
    pub(crate) fn release(&mut self, cx: &mut Cx) {
        if !self.blocked.is_empty() {
            self.release_all(cx);
        }
    }

    #[cold]
    #[inline(never)]
    fn release_all(&mut self, cx: &mut Cx) {
        self.since = None;
        for origin in self.blocked.drain(..) {
            cx.open_gate(origin);
        }
    }

    /// Whether nobody waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.blocked.is_empty()
    }

    /// Since when somebody waits.
    pub(crate) fn since(&self) -> Option<Time> {
        self.since
    }

    /// Who waits for this holder.
    pub(crate) fn origins(&self) -> &[NodeId] {
        &self.blocked
    }
}

/// What a join at which origins wait, waits for itself.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    pub(crate) join: NodeId,
    /// The origins that wait there.
    pub(crate) origins: SmallVec<[NodeId; 2]>,
    /// The inputs that hold nothing: all of them have to be fed.
    pub(crate) empty: SmallVec<[u32; 2]>,
}
