//! A counter that is told what it is at, and not by how much it grew.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The greatest total that a counter was said to be at, and what of it could not be sent.
///
/// The greatest is noted before the increase is sent, so that of many threads each sends its own part. A
/// part that then finds no room is owed, and goes with the next one.
#[derive(Debug, Default)]
pub(super) struct Total {
    greatest: AtomicU64,
    owed: AtomicU64,
}

impl Total {
    /// What is to be sent now: by how much this is greater than any that was told before, and what is owed.
    pub(super) fn grown(&self, total: u64) -> u64 {
        let more = total.saturating_sub(self.greatest.fetch_max(total, Relaxed));
        // Written where there is something only, as all threads read it.
        let owed = match self.owed.load(Relaxed) {
            0 => 0,
            _ => self.owed.swap(0, Relaxed),
        };
        // Both are parts of one total, which is a `u64`.
        more.saturating_add(owed)
    }

    /// So much could not be sent.
    pub(super) fn owe(&self, more: u64) {
        self.owed.fetch_add(more, Relaxed);
    }

    /// Whether it was told anything.
    pub(super) fn is_known(&self) -> bool {
        self.greatest.load(Relaxed) > 0
    }
}
