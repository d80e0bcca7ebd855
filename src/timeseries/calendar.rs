//! Times as people write them.

use chrono::format::{Parsed, StrftimeItems};
use chrono::{DateTime, NaiveTime, ParseError};

/// Besides that of RFC 3339, each with an offset or without.
const FORMS: [&str; 5] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
];

/// Milliseconds since the Unix epoch, cut towards the past; in UTC, unless there is an offset.
pub(super) fn millis(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    let with_and_without = |form: &str| {
        let plain = millis_as(text, form);
        plain.or_else(|_| millis_as(text, &format!("{form}%#z")))
    };
    FORMS.iter().find_map(|form| with_and_without(form).ok())
}

/// The same of a text in this form. Without a time of day, it is midnight.
pub(super) fn millis_as(text: &str, form: &str) -> Result<i64, ParseError> {
    let mut parsed = Parsed::new();
    chrono::format::parse(&mut parsed, text, StrftimeItems::new(form))?;
    let ahead = parsed.offset().unwrap_or(0);
    let timed = parsed.hour_div_12().is_some()
        || parsed.hour_mod_12().is_some()
        || parsed.minute().is_some()
        || parsed.timestamp().is_some();
    let time = match timed {
        true => parsed.to_naive_datetime_with_offset(ahead)?,
        false => parsed.to_naive_date()?.and_time(NaiveTime::MIN),
    };
    Ok(time.and_utc().timestamp_millis() - i64::from(ahead) * 1_000)
}
