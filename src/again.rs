//! What is tried again by default, and when: a receiver or a store that is down is asked until it is back.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::Retry;

/// A seed for [`Retry::jitter`] that no other policy has, in this process or in another one.
///
/// With the same seed everywhere, all instances of a service whose store went down would come back in
/// lockstep, which is what the jitter is there to avoid.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// For as long as it takes: after a tenth of a second, and then after twice as long each time, up to half
/// a minute. Each delay is shortened by chance.
pub(crate) fn for_ever() -> Retry {
    Retry::attempts(u32::MAX)
        .exponential(Duration::from_millis(100))
        .max_delay(Duration::from_secs(30))
        .jitter(seed())
}
