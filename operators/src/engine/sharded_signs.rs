//! What senders see of a sharded source, beside their shard: what speaks against sending, and whether
//! anybody comes for what they send.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use super::clock::Time;

/// What every sender reads. Written rarely, and on cache lines of its own.
#[repr(align(128))]
pub(super) struct Signs {
    pub(super) state: AtomicU8,
    /// Whether the driver comes within the age that elements may have, so that the coarse clock is
    /// fresh. Not while the source is under pressure and nobody sends.
    pub(super) beats: AtomicBool,
    /// No element that lies in a shard was sent before this, in nanoseconds of the graph's clock; or
    /// [`NOBODY`].
    ///
    /// Who sends into an empty shard and finds `NOBODY` puts the time there and has the driver come.
    /// All else is written under the graph's lock.
    since: AtomicU64,
}

/// All shards are empty, or were when somebody looked last, and nobody comes.
const NOBODY: u64 = u64::MAX;

impl Signs {
    pub(super) fn new() -> Signs {
        Signs {
            state: AtomicU8::new(0),
            beats: AtomicBool::new(false),
            since: AtomicU64::new(NOBODY),
        }
    }

    #[inline]
    pub(super) fn beats(&self) -> bool {
        self.beats.load(Ordering::Acquire)
    }

    /// See [`since`](Signs::since).
    pub(super) fn is_idle(&self) -> bool {
        self.since.load(Ordering::Acquire) == NOBODY
    }

    pub(super) fn since(&self) -> Option<Time> {
        let since = self.since.load(Ordering::Acquire);
        (since != NOBODY).then(|| Time::from_nanos(since))
    }

    /// Nobody comes, and somebody is to from now on. Returns whether it was not so before.
    pub(super) fn awake(&self, since: Time) -> bool {
        let order = (Ordering::AcqRel, Ordering::Acquire);
        let since = since.as_nanos().min(NOBODY - 1);
        let was_idle = self
            .since
            .compare_exchange(NOBODY, since, order.0, order.1)
            .is_ok();
        if was_idle {
            self.beats.store(true, Ordering::Release);
        }
        was_idle
    }

    /// All that was sent before `now` is in the graph. Only under the graph's lock.
    pub(super) fn drained(&self, now: Time) {
        if !self.is_idle() {
            self.since
                .store(now.as_nanos().min(NOBODY - 1), Ordering::Release);
        }
    }

    /// Nobody comes any more. Returns since when elements could lie there, unless nobody came before.
    /// Only under the graph's lock.
    pub(super) fn rest(&self) -> Option<Time> {
        let since = self.since()?;
        self.since.store(NOBODY, Ordering::Release);
        Some(since)
    }
}
