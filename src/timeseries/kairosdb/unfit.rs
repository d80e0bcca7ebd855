//! Points that the store would refuse, or take for something else.

use std::error::Error;
use std::fmt;

use crate::metrics::{Tags, Value};
use crate::timeseries::PointValue;

/// Why a point can't be stored.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Unfit {
    /// The metric's name is empty.
    NoName,
    /// It has no tag, and the client has none for all points.
    NoTags,
    /// A tag's name is empty.
    EmptyTagName,
    /// This tag's value is empty.
    EmptyTagValue(String),
    /// A number that JSON has no word for: an infinity or a NaN.
    NotFinite(f64),
    /// A text without letters.
    EmptyText,
    /// A gap: no value at all.
    NoValue,
}

impl Unfit {
    /// What is wrong with a name.
    pub(super) fn name(name: &str) -> Result<(), Unfit> {
        match name.is_empty() {
            true => Err(Unfit::NoName),
            false => Ok(()),
        }
    }

    /// What is wrong with the tags.
    pub(super) fn tags(tags: &Tags) -> Result<(), Unfit> {
        if tags.is_empty() {
            return Err(Unfit::NoTags);
        }
        for (name, value) in tags.iter() {
            if name.is_empty() {
                return Err(Unfit::EmptyTagName);
            }
            if matches!(value, crate::metrics::TagValue::Str(text) if text.is_empty()) {
                return Err(Unfit::EmptyTagValue(name.to_owned()));
            }
        }
        Ok(())
    }

    /// What is wrong with a value.
    #[inline]
    pub(super) fn value(value: &PointValue) -> Result<(), Unfit> {
        match value {
            PointValue::Number(Value::Float(float)) if !float.is_finite() => {
                Err(Unfit::NotFinite(*float))
            }
            PointValue::Text(text) if text.is_empty() => Err(Unfit::EmptyText),
            PointValue::Null => Err(Unfit::NoValue),
            PointValue::Number(_) | PointValue::Text(_) => Ok(()),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::NoName => f.write_str("the metric has an empty name"),
            Unfit::NoTags => f.write_str(
                "KairosDB asks for one tag at least: tag the point, or give the client a tag for all points",
            ),
            Unfit::EmptyTagName => f.write_str("a tag has an empty name"),
            Unfit::EmptyTagValue(tag) => write!(f, "the value of tag {tag:?} is empty: leave it out"),
            Unfit::NotFinite(float) => {
                write!(f, "{float} is no number that JSON has: leave the point out")
            }
            Unfit::EmptyText => f.write_str("an empty text is none to KairosDB: leave the point out"),
            Unfit::NoValue => f.write_str("it has no value: leave it out"),
        }
    }
}

impl Error for Unfit {}
