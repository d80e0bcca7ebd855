//! Points that were emitted, or are about to be, and that nobody has acknowledged yet.

use std::collections::{HashMap, HashSet};

use rustc_hash::{FxBuildHasher, FxHashSet};

/// The points under way, by number.
#[derive(Debug, Default)]
pub(super) struct Pending {
    next: u64,
    open: HashMap<u64, (usize, i64), FxBuildHasher>,
}

impl Pending {
    /// A point of the series at this place is on its way.
    pub(super) fn open(&mut self, place: usize, millis: i64) -> u64 {
        let id = self.next;
        self.next += 1;
        self.open.insert(id, (place, millis));
        id
    }

    /// Points are done with.
    pub(super) fn close(&mut self, ids: &[u64]) {
        for id in ids {
            self.open.remove(id);
        }
        // After many at once, such as those of a first poll, the room goes too.
        if self.open.capacity() > 4096 && self.open.len() < self.open.capacity() / 8 {
            self.open.shrink_to(self.open.len() * 2);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The earliest time under way.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.open.values().map(|&(_, millis)| millis).min()
    }

    /// Places and times of all.
    pub(super) fn all(&self) -> FxHashSet<(usize, i64)> {
        let mut all = HashSet::with_capacity_and_hasher(self.len(), FxBuildHasher);
        all.extend(self.open.values().copied());
        all
    }
}
