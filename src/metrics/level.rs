//! A quantity that goes up and down, as it is at present.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// A quantity that many threads change, kept beside its series.
///
/// Values of several threads reach the graph in no particular order. So the one that came last need not
/// be what the quantity is in the end; where a level is kept it is read when the window is over.
#[derive(Debug, Default)]
pub(super) struct Level {
    bits: AtomicU64,
    /// Somebody has said what it is.
    is_known: AtomicBool,
}

impl Level {
    pub(super) fn get(&self) -> f64 {
        f64::from_bits(self.bits.load(Relaxed))
    }

    /// What it is, if anybody has said so.
    pub(super) fn known(&self) -> Option<f64> {
        self.is_known.load(Relaxed).then(|| self.get())
    }

    pub(super) fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Relaxed);
        self.note_known();
    }

    /// Adds, and says what it is then.
    pub(super) fn add(&self, more: f64) -> f64 {
        let mut before = self.bits.load(Relaxed);
        loop {
            let sum = f64::from_bits(before) + more;
            let changed =
                (self.bits).compare_exchange_weak(before, sum.to_bits(), Relaxed, Relaxed);
            match changed {
                Ok(_) => {
                    self.note_known();
                    return sum;
                }
                Err(meanwhile) => before = meanwhile,
            }
        }
    }

    /// Written once, as all who change it read it.
    fn note_known(&self) {
        if !self.is_known.load(Relaxed) {
            self.is_known.store(true, Relaxed);
        }
    }
}
