//! A quantity that goes up and down, as it is at present.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A quantity that many threads change, kept beside its series.
///
/// Values of several threads reach the graph in no particular order. So the one that came last need not
/// be what the quantity is in the end; where a level is kept it is read when the window is over.
#[derive(Debug, Default)]
pub(super) struct Level(AtomicU64);

impl Level {
    pub(super) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }

    pub(super) fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// Adds, and says what it is then.
    pub(super) fn add(&self, more: f64) -> f64 {
        let mut before = self.0.load(Relaxed);
        loop {
            let after = f64::from_bits(before) + more;
            match self
                .0
                .compare_exchange_weak(before, after.to_bits(), Relaxed, Relaxed)
            {
                Ok(_) => return after,
                Err(now) => before = now,
            }
        }
    }
}
