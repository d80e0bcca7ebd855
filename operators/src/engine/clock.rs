//! Time of a graph: what the clock says.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A moment on a graph's clock, in nanoseconds since that clock's zero.
///
/// The zero of a real or virtual clock is when the graph was made. A clock led by the data counts
/// from where the data does: for a `SystemTime`, from the Unix epoch.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::Time;
/// use std::time::{Duration, SystemTime};
///
/// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(43_200);
/// let time = Time::from(noon);
/// assert_eq!((time.as_millis(), time), (43_200_000, Time::from_millis(43_200_000)));
/// assert_eq!(SystemTime::from(time), noon);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The clock's zero.
    pub const ZERO: Time = Time(0);

    /// `millis` milliseconds after the clock's zero.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Time {
        Time(millis.saturating_mul(1_000_000))
    }

    /// `nanos` nanoseconds after the clock's zero.
    #[inline]
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// Nanoseconds since the clock's zero.
    #[inline]
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Milliseconds since the clock's zero; what is finer is cut off.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time since the clock's zero.
    #[must_use]
    pub const fn elapsed(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The first moment after `self` that lies a whole number of `period`s after `anchor`.
    #[inline]
    #[must_use]
    pub fn next_boundary(self, anchor: Time, period: Duration) -> Time {
        if self < anchor {
            return anchor;
        }
        let period = nanos(period).max(1);
        let passed = (self.0 - anchor.0) / period;
        Time(
            anchor
                .0
                .saturating_add(passed.saturating_add(1).saturating_mul(period)),
        )
    }
}

#[inline]
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Time({:?})", self.elapsed())
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    #[inline]
    fn add(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(nanos(duration)))
    }
}

/// The time from `other` to `self`; zero where `other` is later.
impl Sub for Time {
    type Output = Duration;

    fn sub(self, other: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(other.0))
    }
}

impl From<Duration> for Time {
    /// The moment that long after the clock's zero.
    fn from(duration: Duration) -> Time {
        Time(nanos(duration))
    }
}

impl From<SystemTime> for Time {
    /// Since the Unix epoch; times before it count as the epoch.
    fn from(time: SystemTime) -> Time {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .into()
    }
}

impl From<Time> for SystemTime {
    /// Of a clock that counts from the Unix epoch, as one does that is led by the data.
    fn from(time: Time) -> SystemTime {
        SystemTime::UNIX_EPOCH + time.elapsed()
    }
}

/// Who says what time it is.
#[derive(Clone)]
pub(crate) enum Clock {
    /// The machine's monotonic clock.
    Real(Instant),
    /// A driver's clock, for example tokio's, which tests can pause.
    Driver(Arc<dyn Fn() -> Time + Send + Sync>),
    /// Moves when somebody says so: by hand.
    Virtual(Time),
    /// Moves when an element says so.
    Led(Time),
}

impl Clock {
    pub(crate) fn read(&self) -> Time {
        match self {
            Clock::Real(start) => start.elapsed().into(),
            Clock::Driver(read) => read(),
            Clock::Virtual(now) | Clock::Led(now) => *now,
        }
    }
}
