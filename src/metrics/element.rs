//! A measured or aggregated value, with its name, tags and time.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::shown::Shown;
use super::tags::{IntoTags, Tags};
use super::value::Value;
use crate::Time;

/// One value of a metric: what goes into a [`Metric`](super::Metric), what comes out of it, and what
/// [sinks](super::MetricSink) get.
///
/// A clone counts two references, of the name and of the tags, and copies 40 bytes.
///
/// Two elements are equal if name, value, tags and time are, and they are ordered by these, in this
/// order. Shown by `{}`, an element is `name{tag=value other=value} 12.5`, without the time, and always one
/// line: control characters in names and tags are escaped.
///
/// ```
/// use headwater::metrics::Element;
///
/// let element = Element::new("latency", 12.5).tagged([("route", "/home"), ("host", "a")]);
/// assert_eq!(element.to_string(), "latency{host=a route=/home} 12.5");
/// assert_eq!(element.clone(), element);
/// ```
#[doc(alias = "MElement")]
#[doc(alias = "sample")]
#[doc(alias = "point")]
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element {
    name: Arc<str>,
    value: Value,
    tags: Tags,
    time: Time,
}

impl Element {
    /// An element without tags, at the Unix epoch.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, value: impl Into<Value>) -> Element {
        Element {
            name: name.into(),
            value: value.into(),
            tags: Tags::new(),
            time: Time::ZERO,
        }
    }

    /// What an aggregator made.
    pub(super) fn made(name: &Arc<str>, value: Value, tags: &Tags, time: Time) -> Element {
        Element {
            name: name.clone(),
            value,
            tags: tags.clone(),
            time,
        }
    }

    /// The same with these tags instead of those it has.
    #[must_use]
    pub fn tagged(self, tags: impl IntoTags) -> Element {
        Element {
            tags: tags.into_tags(),
            ..self
        }
    }

    /// The same at this time: a `SystemTime`, or a [`Time`] since the Unix epoch.
    #[must_use]
    pub fn at(self, time: impl Into<Time>) -> Element {
        Element {
            time: time.into(),
            ..self
        }
    }

    /// What was measured, such as `latency`; behind an aggregator, `latency.mean`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Most elements of a metric share the name itself, and not only its letters.
    #[inline]
    pub(super) fn is_named(&self, name: &Arc<str>) -> bool {
        Arc::ptr_eq(&self.name, name) || self.name == *name
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> Value {
        self.value
    }

    /// The tags.
    #[must_use]
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// When it was, since the Unix epoch. Of what an aggregator made it is the end of the window, or
    /// the time of the last value of the batch.
    #[must_use]
    pub fn time(&self) -> Time {
        self.time
    }

    /// When it was, as the system's clock says it.
    #[must_use]
    pub fn system_time(&self) -> SystemTime {
        self.time.into()
    }

    /// When it was, in whole milliseconds since the Unix epoch.
    #[must_use]
    pub fn millis(&self) -> u64 {
        u64::try_from(self.since_epoch().as_millis()).unwrap_or(u64::MAX)
    }

    /// When it was, since the Unix epoch.
    #[must_use]
    pub fn since_epoch(&self) -> Duration {
        self.time.elapsed()
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Shown(&self.name))?;
        if !self.tags.is_empty() {
            write!(f, "{{{}}}", self.tags)?;
        }
        write!(f, " {}", self.value)
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Element")
            .field("name", &self.name)
            .field("value", &self.value)
            .field("tags", &self.tags)
            .field("time", &self.time)
            .finish()
    }
}
