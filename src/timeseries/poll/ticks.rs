//! When polls are due.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use tokio::time::Instant;

/// Times at a fixed rate, each put off by chance where that is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticks {
    /// When the last poll was due, without the chance.
    last: Instant,
    count: u64,
    jitter: Option<(Duration, u64)>,
}

impl Ticks {
    /// The first one is now.
    pub(super) fn new(jitter: Option<(Duration, u64)>) -> Ticks {
        Ticks {
            last: Instant::now(),
            count: 0,
            jitter,
        }
    }

    /// Passes over the times that have passed; returns how many those were.
    pub(super) fn skip(&mut self, interval: Duration) -> u64 {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let interval = nanos(interval).max(1);
        let skipped = nanos(self.last.elapsed()).saturating_sub(1) / interval;
        self.last += Duration::from_nanos(interval * skipped);
        skipped
    }

    /// When the next poll is due.
    pub(super) fn next(&self, interval: Duration) -> Instant {
        let chance = self.jitter.map_or(Duration::ZERO, |(up_to, seed)| {
            // The same everywhere, from one release of Rust to the next at least.
            let hasher = BuildHasherDefault::<DefaultHasher>::default();
            let share = (hasher.hash_one((seed, self.count)) >> 11) as f64 / (1u64 << 53) as f64;
            up_to.mul_f64(share)
        });
        later(self.last, interval.saturating_add(chance))
    }

    /// The next one has come.
    pub(super) fn tick(&mut self, interval: Duration) {
        self.last = later(self.last, interval);
        self.count += 1;
    }

    /// The next one has come, by an interval that is new. If that makes it come late, the rate begins with it: what
    /// would have been due before is nothing that was missed.
    pub(super) fn tick_anew(&mut self, interval: Duration) {
        self.tick(interval);
        if self.last.elapsed() >= interval {
            self.last = Instant::now();
        }
    }
}

/// So long after a time, or never, as far as anybody can tell.
pub(super) fn later(time: Instant, by: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 366 * 86_400);
    time + by.min(CENTURY)
}
