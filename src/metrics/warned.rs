//! Losses are logged when they begin, and now and then while they go on: not each of them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Time;

/// How long nothing more is logged of a sort of loss.
const PAUSE: u64 = 60_000_000_000;

/// When something was logged last.
#[derive(Debug)]
pub(super) struct Warned(AtomicU64);

impl Warned {
    pub(super) const fn new() -> Warned {
        Warned(AtomicU64::new(u64::MAX))
    }

    /// Whether to log it now: once a minute. Of several threads one is told so.
    #[cold]
    pub(super) fn is_due(&self, now: Time) -> bool {
        let (now, last) = (now.as_nanos(), self.0.load(Relaxed));
        let is_due = last == u64::MAX || now.abs_diff(last) >= PAUSE;
        let take = || self.0.compare_exchange(last, now, Relaxed, Relaxed);
        is_due && take().is_ok()
    }
}

impl Default for Warned {
    fn default() -> Warned {
        Warned::new()
    }
}
