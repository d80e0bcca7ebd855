//! Times as people give them: text, numbers, datetimes.

use std::error::Error;
use std::fmt;
use std::time::SystemTime;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};

use crate::timeseries::calendar;
use crate::timeseries::unix::unix_millis;

/// A point of time: text, a number, or a datetime.
///
/// | type | which time |
/// | --- | --- |
/// | `i64` | milliseconds since the Unix epoch |
/// | `&str`, `String` | [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), `2024-03-01T12:00:00.5+01:00`; a space instead of the `T`, no seconds, no time of day and no offset will do: `2024-03-01 12:00`, `2024-03-01`; white space around it is no part of it |
/// | `SystemTime`, `chrono`'s `DateTime`, `NaiveDateTime` and `NaiveDate` | that one |
///
/// What has no offset is in **UTC**, wherever the program runs. Fractions of a millisecond are cut off.
///
/// ```
/// use headwater::timeseries::Moment;
///
/// assert_eq!("2024-03-01 12:00".moment()?, 1_709_294_400_000);
/// assert_eq!("2024-03-01T12:00:00+01:00".moment()?, 1_709_290_800_000);
/// assert_eq!((-1).moment()?, -1);
/// assert!("yesterday".moment().is_err());
/// # Ok::<(), headwater::timeseries::MomentError>(())
/// ```
pub trait Moment {
    /// In milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// If it is no time.
    fn moment(&self) -> Result<i64, MomentError>;
}

/// A text is no time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MomentError {
    text: String,
}

impl MomentError {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for MomentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no time: write it like \"2024-03-01T12:00:00Z\" or \"2024-03-01 12:00\" (which is UTC)",
            self.text
        )
    }
}

impl Error for MomentError {}

impl Moment for i64 {
    fn moment(&self) -> Result<i64, MomentError> {
        Ok(*self)
    }
}

impl Moment for str {
    fn moment(&self) -> Result<i64, MomentError> {
        calendar::millis(self).ok_or_else(|| MomentError {
            text: self.to_owned(),
        })
    }
}

impl Moment for String {
    fn moment(&self) -> Result<i64, MomentError> {
        self.as_str().moment()
    }
}

impl Moment for SystemTime {
    fn moment(&self) -> Result<i64, MomentError> {
        Ok(unix_millis(*self))
    }
}

impl<Z: TimeZone> Moment for DateTime<Z> {
    fn moment(&self) -> Result<i64, MomentError> {
        Ok(self.timestamp_millis())
    }
}

impl Moment for NaiveDateTime {
    fn moment(&self) -> Result<i64, MomentError> {
        Ok(self.and_utc().timestamp_millis())
    }
}

impl Moment for NaiveDate {
    fn moment(&self) -> Result<i64, MomentError> {
        self.and_time(NaiveTime::MIN).moment()
    }
}

impl<M: Moment + ?Sized> Moment for &M {
    fn moment(&self) -> Result<i64, MomentError> {
        (**self).moment()
    }
}

/// A time as it is printed: `2024-03-01 12:00:00`, in UTC, with milliseconds where they are wanted; a bare
/// number beyond the years that a calendar has.
pub(super) fn printed(millis: i64, with_millis: bool) -> String {
    let form = match with_millis {
        true => "%Y-%m-%d %H:%M:%S%.3f",
        false => "%Y-%m-%d %H:%M:%S",
    };
    match DateTime::from_timestamp_millis(millis) {
        Some(time) => time.format(form).to_string(),
        None => millis.to_string(),
    }
}
