//! Lengths of time as KairosDB counts them, and points of time relative to its clock.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::timeseries::unix::unix_millis;

/// A unit of time. Weeks and longer ones go by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TimeUnit {
    /// Thousandths of a second.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days.
    Days,
    /// Weeks, which begin on Monday.
    Weeks,
    /// Months of the calendar.
    Months,
    /// Years of the calendar.
    Years,
}

impl TimeUnit {
    /// As it is written in requests: `MILLISECONDS` to `YEARS`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TimeUnit::Milliseconds => "MILLISECONDS",
            TimeUnit::Seconds => "SECONDS",
            TimeUnit::Minutes => "MINUTES",
            TimeUnit::Hours => "HOURS",
            TimeUnit::Days => "DAYS",
            TimeUnit::Weeks => "WEEKS",
            TimeUnit::Months => "MONTHS",
            TimeUnit::Years => "YEARS",
        }
    }
}

/// So many units of time: how long a range of an aggregator is, or how long ago a query begins.
///
/// ```
/// use headwater::timeseries::kairosdb::{Relative, TimeUnit};
/// use std::time::Duration;
///
/// assert_eq!(Relative::minutes(10), Relative::new(10, TimeUnit::Minutes));
/// assert_eq!(Relative::from(Duration::from_secs(90)), Relative::seconds(90));
/// assert_eq!(Relative::months(3).to_string(), "3 MONTHS");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Relative {
    value: u64,
    unit: TimeUnit,
}

macro_rules! units {
    ($($function:ident $unit:ident)+) => {$(
        #[doc = concat!("So many ", stringify!($function), ".")]
        #[must_use]
        pub const fn $function(value: u64) -> Relative {
            Relative::new(value, TimeUnit::$unit)
        }
    )+};
}

impl Relative {
    /// So many of a unit.
    #[must_use]
    pub const fn new(value: u64, unit: TimeUnit) -> Relative {
        Relative { value, unit }
    }

    units! {
        milliseconds Milliseconds
        seconds Seconds
        minutes Minutes
        hours Hours
        days Days
        weeks Weeks
        months Months
        years Years
    }

    /// How many.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.value
    }

    /// As many milliseconds as it can have, whatever the calendar says: days may have an hour more.
    pub(super) fn at_most_millis(self) -> i64 {
        const HOUR: i64 = 3_600_000;
        let one = match self.unit {
            TimeUnit::Milliseconds => 1,
            TimeUnit::Seconds => 1_000,
            TimeUnit::Minutes => 60_000,
            TimeUnit::Hours => HOUR,
            TimeUnit::Days => 25 * HOUR,
            TimeUnit::Weeks => (7 * 24 + 1) * HOUR,
            TimeUnit::Months => (31 * 24 + 1) * HOUR,
            TimeUnit::Years => (366 * 24 + 1) * HOUR,
        };
        i64::try_from(self.value).map_or(i64::MAX, |value| value.saturating_mul(one))
    }

    /// Of what.
    #[must_use]
    pub const fn unit(self) -> TimeUnit {
        self.unit
    }
}

/// In seconds where it is a whole number of them, else in milliseconds, rounded up.
impl From<Duration> for Relative {
    fn from(duration: Duration) -> Relative {
        match duration.subsec_nanos() {
            0 => Relative::seconds(duration.as_secs()),
            _ => {
                let millis = duration.as_nanos().div_ceil(1_000_000);
                Relative::milliseconds(u64::try_from(millis).unwrap_or(u64::MAX))
            }
        }
    }
}

impl fmt::Display for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value, self.unit.as_str())
    }
}

/// A point of time: where a query begins or ends.
///
/// Made by `into()` from an `i64` of milliseconds since the Unix epoch, from a `SystemTime`, and, for
/// "so long ago", from a [`Relative`] or a `Duration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// Milliseconds since the Unix epoch, which may be negative.
    At(i64),
    /// So long before the time that the **server's** clock shows when it reads the query.
    Ago(Relative),
}

#[cfg(feature = "tables")]
impl When {
    /// At a time that is [text, a number or a datetime](crate::timeseries::Moment).
    ///
    /// ```
    /// use headwater::timeseries::kairosdb::{Query, When};
    ///
    /// let query = Query::since(When::at("2024-03-01 12:00")?).metric("temperature");
    /// assert_eq!(query.to_json()["start_absolute"], 1_709_294_400_000_i64);
    /// # Ok::<(), headwater::timeseries::MomentError>(())
    /// ```
    ///
    /// # Errors
    /// If it is no time.
    pub fn at(
        moment: impl crate::timeseries::Moment,
    ) -> Result<When, crate::timeseries::MomentError> {
        moment.moment().map(When::At)
    }
}

impl From<i64> for When {
    fn from(millis: i64) -> When {
        When::At(millis)
    }
}

/// Cut to whole milliseconds, towards the past.
impl From<SystemTime> for When {
    fn from(time: SystemTime) -> When {
        When::At(unix_millis(time))
    }
}

impl From<Relative> for When {
    fn from(ago: Relative) -> When {
        When::Ago(ago)
    }
}

impl From<Duration> for When {
    fn from(ago: Duration) -> When {
        When::Ago(ago.into())
    }
}
