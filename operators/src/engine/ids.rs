//! Who is who in the node table: identities are never used twice, places in the table are.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::topology::NodeId;

/// Hands out identities, without the graph's lock.
#[derive(Default)]
pub(crate) struct Ids {
    /// Runs around where runs within nodes come and go for days: nobody remembers one of four thousand
    /// million nodes ago, at the same place.
    made: AtomicU32,
    slots: AtomicU32,
    free: Mutex<Vec<u32>>,
}

impl Ids {
    /// An identity that no node had before, at a place in the table that nobody has now.
    pub(crate) fn fresh(&self) -> NodeId {
        let free = self.free.lock().ok().and_then(|mut free| free.pop());
        NodeId {
            serial: self.made.fetch_add(1, Ordering::Relaxed),
            slot: free.unwrap_or_else(|| self.slots.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// The node has gone: another may have its place in the table.
    pub(crate) fn release(&self, id: NodeId) {
        if let Ok(mut free) = self.free.lock() {
            free.push(id.slot);
        }
    }
}
