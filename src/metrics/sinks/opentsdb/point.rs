//! An element as OpenTSDB knows it: a point.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::Serialize;

use super::Resolution;
use super::names::Sanitize;
use crate::metrics::{Element, TagValue, Value};
use crate::remote::host_tag;

/// How elements become points.
#[derive(Debug, Clone)]
pub(super) struct Format {
    pub(super) sanitize: Sanitize,
    pub(super) resolution: Resolution,
    /// For points that have no tags.
    pub(super) default_tag: (String, String),
}

/// Name and value, as they are sent.
type Tag<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A point, ready to be written.
#[derive(Debug, Serialize)]
pub(super) struct Point<'a> {
    pub(super) metric: Cow<'a, str>,
    pub(super) timestamp: u64,
    #[serde(serialize_with = "number")]
    pub(super) value: Value,
    #[serde(serialize_with = "map")]
    pub(super) tags: Vec<Tag<'a>>,
}

fn number<S: serde::Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    match *value {
        Value::Int(int) => serializer.serialize_i64(int),
        Value::Float(float) => serializer.serialize_f64(float),
    }
}

fn map<S: serde::Serializer>(tags: &[Tag<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tags.iter().map(|(name, value)| (name, value)))
}

/// Why an element cannot be a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    NotFinite(Value),
    NoName,
    NoTagName,
    EmptyTag(String),
    SameTag(String),
    Time(u64, Resolution),
    Long { length: usize, max: usize },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::NotFinite(value) => write!(f, "OpenTSDB has no {value}"),
            Unfit::NoName => f.write_str("the name is empty"),
            Unfit::NoTagName => f.write_str("a tag's name is empty"),
            Unfit::EmptyTag(name) => write!(f, "the value of tag {name:?} is empty"),
            Unfit::SameTag(name) => write!(
                f,
                "two tag names come to {name:?} when characters are replaced: use `Sanitize::escape`"
            ),
            Unfit::Time(millis, resolution) => {
                let unit = match resolution {
                    Resolution::Seconds => "seconds",
                    Resolution::Milliseconds => "milliseconds",
                };
                write!(
                    f,
                    "the time, {millis} ms since the Unix epoch, would not be read as {unit}"
                )
            }
            Unfit::Long { length, max } => {
                write!(f, "its line has {length} bytes, and {max} are the most")
            }
        }
    }
}

impl Format {
    pub(super) fn new(sanitize: Sanitize, resolution: Resolution) -> Format {
        let (name, host) = host_tag();
        Format {
            sanitize,
            resolution,
            default_tag: (name.to_owned(), host),
        }
    }

    /// The element as a point, or why it can't be one.
    pub(super) fn point<'a>(&'a self, element: &'a Element) -> Result<Point<'a>, Unfit> {
        let value = element.value();
        if !value.is_finite() {
            return Err(Unfit::NotFinite(value));
        }
        if element.name().is_empty() {
            return Err(Unfit::NoName);
        }
        Ok(Point {
            metric: self.sanitize.apply(element.name()),
            timestamp: self.timestamp(element)?,
            value,
            tags: self.tags(element)?,
        })
    }

    fn timestamp(&self, element: &Element) -> Result<u64, Unfit> {
        let millis = element.millis();
        let (time, bounds) = match self.resolution {
            Resolution::Seconds => (millis / 1000, 1..=u64::from(u32::MAX)),
            // 63 bits: receivers keep times in a signed number.
            Resolution::Milliseconds => (millis, 1 << 32..=i64::MAX.unsigned_abs()),
        };
        match bounds.contains(&time) {
            true => Ok(time),
            false => Err(Unfit::Time(millis, self.resolution)),
        }
    }

    fn tags<'a>(&'a self, element: &'a Element) -> Result<Vec<Tag<'a>>, Unfit> {
        let mut tags: Vec<Tag<'_>> = Vec::with_capacity(element.tags().len().max(1));
        for (name, value) in element.tags().iter() {
            let value = match value {
                TagValue::Str(text) => self.sanitize.apply(text),
                other => Cow::Owned(self.sanitize.apply(&other.to_string()).into_owned()),
            };
            self.tag(&mut tags, name, value)?;
        }
        if tags.is_empty() {
            let (name, value) = &self.default_tag;
            self.tag(&mut tags, name, self.sanitize.apply(value))?;
        }
        Ok(tags)
    }

    fn tag<'a>(
        &self,
        tags: &mut Vec<Tag<'a>>,
        name: &'a str,
        value: Cow<'a, str>,
    ) -> Result<(), Unfit> {
        if name.is_empty() {
            return Err(Unfit::NoTagName);
        }
        if value.is_empty() {
            return Err(Unfit::EmptyTag(name.to_owned()));
        }
        let name = self.sanitize.apply(name);
        if tags.iter().any(|(known, _)| *known == name) {
            return Err(Unfit::SameTag(name.into_owned()));
        }
        tags.push((name, value));
        Ok(())
    }
}

impl Point<'_> {
    /// The telnet line, with its line break.
    pub(super) fn line(&self, into: &mut String) {
        // Writing to a `String` does not fail.
        let _ = write!(into, "put {} {} ", self.metric, self.timestamp);
        match self.value {
            Value::Int(int) => {
                let _ = write!(into, "{int}");
            }
            Value::Float(float) => decimal(float, into),
        }
        for (name, value) in &self.tags {
            let _ = write!(into, " {name}={value}");
        }
        into.push('\n');
    }
}

/// With a point always, since a receiver may know a float by it: KairosDB does.
fn decimal(float: f64, into: &mut String) {
    let begin = into.len();
    let _ = write!(into, "{float:?}");
    if !into[begin..].contains('.') {
        match into[begin..].find('e') {
            Some(at) => into.insert_str(begin + at, ".0"),
            None => into.push_str(".0"),
        }
    }
}
