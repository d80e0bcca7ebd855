//! Pressure: who is full, and who waits for it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::clock::Time;
use super::context::Cx;
use super::inbox::{Entry, Inbox};
use super::topology::NodeId;

/// The origins that wait until this holder has room: sources, and holders that were draining into it.
///
/// A holder calls [`hold`](Pressure::hold) when a push fills it and [`release`](Pressure::release)
/// when it has room again. Elements that are in the graph already are never refused.
#[derive(Default)]
pub(crate) struct Pressure {
    blocked: SmallVec<[NodeId; 2]>,
    since: Option<Time>,
    /// Where word is left for the graph if the holder is dropped while somebody waits.
    inbox: Option<Arc<Inbox>>,
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
            self.inbox.get_or_insert_with(|| cx.inbox.clone());
            cx.hold_back(origin);
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
            cx.let_on(origin);
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

    /// Whether `origin` waits for this holder.
    pub(crate) fn blocks(&self, origin: NodeId) -> bool {
        self.blocked.contains(&origin)
    }
}

impl Drop for Pressure {
    /// A holder that is let go makes nobody wait any more.
    fn drop(&mut self) {
        if let (Some(inbox), false) = (self.inbox.take(), self.blocked.is_empty()) {
            let blocked = std::mem::take(&mut self.blocked);
            inbox.leave(Entry::Task(Box::new(move |cx| {
                blocked.into_iter().for_each(|origin| cx.let_on(origin));
            })));
        }
    }
}

impl std::fmt::Debug for Pressure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pressure")
            .field("blocked", &self.blocked)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
