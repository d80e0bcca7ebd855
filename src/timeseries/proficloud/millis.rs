//! Times: text, milliseconds and `SystemTime`.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use chrono::{DateTime, Datelike};

use crate::timeseries::calendar;
use crate::timeseries::kairosdb::When;
use crate::timeseries::unix::{system_time, unix_millis};

/// A time in milliseconds since the Unix epoch, as points have it; made of text, of numbers and of a
/// `SystemTime`.
///
/// | of | by |
/// | --- | --- |
/// | milliseconds | [`Millis::from`]`(1_700_000_000_000)` |
/// | seconds with a fraction | [`Millis::from_secs`]`(1.7e9)` |
/// | `SystemTime` | [`Millis::from`], [`Millis::now`] |
/// | `2023-11-14 22:13:20.5`, `2023-11-14T23:13:20.5+01:00`, `2023-11-14` | `text.parse()` |
/// | text of another form | [`Millis::parse`] |
///
/// Text without an offset is in UTC, wherever the program runs; white space around it is no part of it. Of text and
/// `SystemTime` what is finer than a millisecond is cut off, towards the past.
///
/// ```
/// use headwater::timeseries::kairosdb::Query;
/// use headwater::timeseries::proficloud::Millis;
///
/// let time: Millis = "2023-11-14 22:13:20.123".parse()?;
/// assert_eq!(i64::from(time), 1_700_000_000_123);
/// assert_eq!(time.to_string(), "2023-11-14T22:13:20.123Z");
/// assert_eq!(Millis::parse("14.11.2023 22:13", "%d.%m.%Y %H:%M")?, 1_699_999_980_000.into());
/// let query = Query::between(time, Millis::now()).metric("m");
/// # drop(query);
/// # Ok::<(), headwater::timeseries::proficloud::TimeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "datetimeToTimestampMs", alias = "timestampMsToDatetime")]
pub struct Millis(i64);

/// A text, or a number, is no time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeError {
    what: String,
    why: String,
}

impl TimeError {
    fn new(what: impl fmt::Debug, why: impl fmt::Display) -> TimeError {
        TimeError {
            what: format!("{what:?}"),
            why: why.to_string(),
        }
    }
}

impl Millis {
    /// What this computer's clock shows.
    #[must_use]
    pub fn now() -> Millis {
        SystemTime::now().into()
    }

    /// Of seconds since the Unix epoch, rounded to the nearest millisecond: hardly one is a double exactly.
    ///
    /// # Errors
    /// If that is no number, or beyond what 64 bits hold.
    pub fn from_secs(secs: f64) -> Result<Millis, TimeError> {
        /// 2⁶³, the first that is too large.
        const BOUND: f64 = 9_223_372_036_854_775_808.0;
        let millis = (secs * 1e3).round();
        match (-BOUND..BOUND).contains(&millis) {
            true => Ok(Millis(millis as i64)),
            false => Err(TimeError::new(secs, "it is no time in milliseconds")),
        }
    }

    /// Of a text in a form that is [described](chrono::format::strftime) as for `strptime`: `%Y-%m-%d %H:%M:%S%.f`, for
    /// example; the `.%f` of Python is understood too. In UTC, unless there is an offset (`%z`). Without a time of day,
    /// it is midnight.
    ///
    /// # Errors
    /// If the text is not of that form, or is no time.
    pub fn parse(text: &str, format: &str) -> Result<Millis, TimeError> {
        let wrong = |error: chrono::ParseError| {
            TimeError::new(text, format_args!("not as {format:?} says: {error}"))
        };
        let form = format.replace(".%f", "%.f");
        calendar::millis_as(text, &form).map(Millis).map_err(wrong)
    }

    /// As `SystemTime`; `None` where this system has no such time.
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        system_time(self.0)
    }

    /// As RFC 3339 writes it, in UTC; `None` for years beyond 0 to 9999, which that can't write.
    pub(super) fn to_text(self) -> Option<String> {
        let time = DateTime::from_timestamp_millis(self.0)?;
        let written = (0..=9999).contains(&time.year());
        written.then(|| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
    }
}

impl From<i64> for Millis {
    fn from(millis: i64) -> Millis {
        Millis(millis)
    }
}

/// What is finer is cut off.
impl From<SystemTime> for Millis {
    fn from(time: SystemTime) -> Millis {
        Millis(unix_millis(time))
    }
}

impl From<Millis> for i64 {
    fn from(time: Millis) -> i64 {
        time.0
    }
}

impl From<Millis> for When {
    fn from(time: Millis) -> When {
        When::At(time.0)
    }
}

#[cfg(feature = "tables")]
impl crate::timeseries::Moment for Millis {
    fn moment(&self) -> Result<i64, crate::timeseries::MomentError> {
        Ok(self.0)
    }
}

impl FromStr for Millis {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Millis, TimeError> {
        let why = "write it as 2023-11-14 22:13:20.5 (which is UTC), or with an offset, such as \
                   2023-11-14T23:13:20.5+01:00";
        let time = calendar::millis(text).map(Millis);
        time.ok_or_else(|| TimeError::new(text, why))
    }
}

/// In UTC: `2023-11-14T22:13:20.123Z`. Years beyond 0 to 9999 are shown as milliseconds.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_text() {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} ms", self.0),
        }
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no time: {}", self.what, self.why)
    }
}

impl Error for TimeError {}
