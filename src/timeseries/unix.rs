//! Times of the system in milliseconds since the Unix epoch, before it too.

use std::time::{Duration, SystemTime};

/// What is finer is cut off, towards the past; what is beyond `i64` is at its end.
pub(super) fn unix_millis(time: SystemTime) -> i64 {
    let clamp = |millis: u128| i64::try_from(millis).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => clamp(after.as_millis()),
        Err(before) => -clamp(before.duration().as_nanos().div_ceil(1_000_000)),
    }
}

/// `None` where this system has no such time.
pub(super) fn system_time(millis: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(millis.unsigned_abs());
    match millis < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(distance),
        false => SystemTime::UNIX_EPOCH.checked_add(distance),
    }
}
