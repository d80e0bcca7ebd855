//! Pressure: who is full, and who waits for it.

use std::sync::{Arc, Weak};

use smallvec::SmallVec;

use super::clock::Time;
use super::context::Cx;
use super::inbox::{Entry, Inbox};
use super::topology::NodeId;

/// What an origin waits for: one holder that is full. Never used twice in a graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct WaitKey(pub(super) u64);

/// Origins, and since when each of them waits.
type Origins = SmallVec<[(NodeId, Time); 2]>;

/// The origins that wait until this holder has room: sources, and holders that were draining into it.
///
/// A holder calls [`hold`](Pressure::hold) when a push fills it and [`release`](Pressure::release)
/// when it has room again. Elements that are in the graph already are never refused. A holder that
/// is discarded lets them go on too.
#[derive(Default)]
pub(crate) struct Pressure {
    blocked: Origins,
    key: WaitKey,
    /// Where the holder leaves word when it is dropped. Set once somebody waits. Weak, as what lies in
    /// the inbox may own the holder.
    inbox: Option<Weak<Inbox>>,
}

/// Who waits for a holder, as its census writes it.
#[derive(Clone, Debug)]
pub(crate) struct Blocked {
    pub(super) key: WaitKey,
    pub(super) origins: Origins,
}

impl Blocked {
    pub(super) fn each_origin(&self) -> impl Iterator<Item = (NodeId, Time)> + '_ {
        self.origins.iter().copied()
    }
}

impl Pressure {
    /// Makes the origin of the current push wait.
    #[cold]
    #[inline(never)]
    pub(crate) fn hold(&mut self, cx: &mut Cx) {
        let origin = cx.origin;
        if self.inbox.is_none() {
            self.inbox = Some(Arc::downgrade(&cx.inbox));
            self.key = cx.fresh_wait_key();
        }
        if !cx.hold_back(origin, self.key) {
            return;
        }
        // One that was let go on when its flow was taken off may have come back.
        self.blocked.retain(|(other, _)| *other != origin);
        self.blocked.push((origin, cx.now()));
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
        for (origin, _) in self.blocked.drain(..) {
            cx.let_on(origin, self.key);
        }
    }

    /// Whether nobody waits.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.blocked.is_empty()
    }

    /// Who waits, and since when.
    pub(crate) fn since(&self) -> Option<Blocked> {
        match self.blocked.is_empty() {
            true => None,
            false => Some(Blocked {
                key: self.key,
                origins: self.blocked.clone(),
            }),
        }
    }

    /// Who waits for this holder.
    pub(crate) fn origins(&self) -> impl Iterator<Item = NodeId> {
        self.blocked.iter().map(|(origin, _)| *origin)
    }
}

impl Drop for Pressure {
    fn drop(&mut self) {
        if self.blocked.is_empty() {
            return;
        }
        if let Some(inbox) = self.inbox.as_ref().and_then(Weak::upgrade) {
            let (origins, key) = (std::mem::take(&mut self.blocked), self.key);
            inbox.leave(Entry::Task(Box::new(move |cx| {
                for (origin, _) in origins {
                    cx.let_on(origin, key);
                }
            })));
        }
    }
}

impl std::fmt::Debug for Pressure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pressure")
            .field("blocked", &self.blocked)
            .finish_non_exhaustive()
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
