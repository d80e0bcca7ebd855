//! An element as a JSON object.

use std::fmt::Display;

use crate::metrics::{Element, TagRef, Value};

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum JsonTime {
    /// Whole milliseconds since the Unix epoch, as a number.
    #[default]
    Millis,
    /// As RFC 3339 has it, in UTC and to the nanosecond: `"2023-11-14T22:13:20.000000001Z"`.
    Rfc3339,
}

/// How NaN and the infinities are written, which JSON has no numbers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NonFinite {
    /// As `null`.
    #[default]
    Null,
    /// As the texts `"NaN"`, `"Infinity"` and `"-Infinity"`.
    Text,
}

/// How elements are written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct JsonStyle {
    pub(super) time: JsonTime,
    pub(super) non_finite: NonFinite,
}

impl JsonStyle {
    /// Appends an element: an object on one line.
    pub(super) fn write(self, element: &Element, line: &mut Vec<u8>) {
        line.extend_from_slice(b"{\"name\":");
        text(element.name(), line);
        line.extend_from_slice(b",\"value\":");
        match element.value() {
            Value::Int(int) => shown(int, line),
            Value::Float(float) => self.float(float, line),
        }
        line.extend_from_slice(b",\"tags\":{");
        for (at, (name, value)) in element.tags().iter().enumerate() {
            if at > 0 {
                line.push(b',');
            }
            text(name, line);
            line.push(b':');
            match value.as_ref() {
                TagRef::Str(value) => text(value, line),
                TagRef::Int(int) => shown(int, line),
                TagRef::Float(float) => self.float(float, line),
                TagRef::Bool(truth) => shown(truth, line),
            }
        }
        line.extend_from_slice(b"},\"time\":");
        match self.time {
            JsonTime::Millis => shown(element.millis(), line),
            JsonTime::Rfc3339 => {
                line.push(b'"');
                shown(humantime::format_rfc3339_nanos(element.system_time()), line);
                line.push(b'"');
            }
        }
        line.push(b'}');
    }

    fn float(self, float: f64, line: &mut Vec<u8>) {
        match self.non_finite {
            // JSON reads what `Debug` writes: `1.0`, `1e300`.
            _ if float.is_finite() => line.extend_from_slice(format!("{float:?}").as_bytes()),
            NonFinite::Null => line.extend_from_slice(b"null"),
            NonFinite::Text if float.is_nan() => text("NaN", line),
            NonFinite::Text if float > 0.0 => text("Infinity", line),
            NonFinite::Text => text("-Infinity", line),
        }
    }
}

fn text(text: &str, line: &mut Vec<u8>) {
    // A text can always be JSON, and a `Vec` takes whatever comes.
    let _ = serde_json::to_writer(line, text);
}

fn shown(value: impl Display, line: &mut Vec<u8>) {
    line.extend_from_slice(value.to_string().as_bytes());
}
