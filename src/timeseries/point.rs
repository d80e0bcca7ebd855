//! A point of a time series.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

use super::unix::system_time;
use crate::Time;
use crate::metrics::{Element, IntoTags, Tags, Value};

/// One point of a time series, as a store has it.
///
/// Two points are equal if metric, tags, time and value are. They are ordered by time first.
///
/// ```
/// use headwater::timeseries::Point;
///
/// let point = Point::new("temperature", 1_700_000_000_000, 21.5).tagged([("room", "hall")]);
/// assert_eq!(point.to_string(), "temperature{room=hall} 21.5 @ 1700000000000");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Point {
    millis: i64,
    metric: Arc<str>,
    tags: Tags,
    value: PointValue,
}

/// The value of a point: stores hold text too.
///
/// ```
/// use headwater::timeseries::PointValue;
///
/// assert_eq!(PointValue::from(21).number().map(|number| number.as_f64()), Some(21.0));
/// assert_eq!(PointValue::from("ajar").text(), Some("ajar"));
/// assert_eq!((PointValue::from("21").number(), PointValue::Null.text()), (None, None));
/// assert!(PointValue::Null.is_null());
/// ```
#[derive(Clone)]
pub enum PointValue {
    /// A number.
    Number(Value),
    /// Text.
    Text(Arc<str>),
    /// No value: a gap that was asked for.
    Null,
}

impl Point {
    /// A point without tags at a time in milliseconds since the Unix epoch, which may be before it.
    #[must_use]
    pub fn new(metric: impl Into<Arc<str>>, millis: i64, value: impl Into<PointValue>) -> Point {
        Point {
            millis,
            metric: metric.into(),
            tags: Tags::new(),
            value: value.into(),
        }
    }

    /// A point of which all is known.
    #[cfg(feature = "kairosdb")]
    pub(super) fn of(metric: Arc<str>, tags: Tags, millis: i64, value: PointValue) -> Point {
        Point {
            millis,
            metric,
            tags,
            value,
        }
    }

    /// The same with these tags instead of those it has.
    #[must_use]
    pub fn tagged(self, tags: impl IntoTags) -> Point {
        Point {
            tags: tags.into_tags(),
            ..self
        }
    }

    /// The metric's name.
    #[inline]
    #[must_use]
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The tags.
    #[inline]
    #[must_use]
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// The time, in milliseconds since the Unix epoch.
    #[inline]
    #[must_use]
    pub fn millis(&self) -> i64 {
        self.millis
    }

    /// The time since the Unix epoch, for a [clock led by the data](crate::Source::lead_clock); times
    /// before the epoch count as the epoch.
    #[must_use]
    pub fn time(&self) -> Time {
        Time::from_millis(u64::try_from(self.millis).unwrap_or(0))
    }

    /// The value.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &PointValue {
        &self.value
    }

    #[inline]
    pub(super) fn metric_arc(&self) -> &Arc<str> {
        &self.metric
    }

    /// The number, if the value is one.
    #[inline]
    #[must_use]
    pub fn number(&self) -> Option<Value> {
        self.value.number()
    }

    /// As an element of the metrics pipeline, if the value is a number.
    #[must_use]
    pub fn to_element(&self) -> Option<Element> {
        let element = Element::new(self.metric.clone(), self.number()?);
        Some(element.tagged(&self.tags).at(self.time()))
    }
}

impl From<&Element> for Point {
    /// With the time cut to whole milliseconds.
    fn from(element: &Element) -> Point {
        let millis = i64::try_from(element.millis()).unwrap_or(i64::MAX);
        Point::new(element.name(), millis, element.value()).tagged(element.tags())
    }
}

impl From<Element> for Point {
    /// With the time cut to whole milliseconds: `aggregated.map(Point::from)`.
    fn from(element: Element) -> Point {
        Point::from(&element)
    }
}

/// The point's time, before the epoch too; the epoch where this system has no such time.
impl From<Point> for SystemTime {
    fn from(point: Point) -> SystemTime {
        system_time(point.millis).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

impl<V: Into<Value>> From<V> for PointValue {
    fn from(value: V) -> PointValue {
        PointValue::Number(value.into())
    }
}

impl From<&str> for PointValue {
    fn from(text: &str) -> PointValue {
        PointValue::Text(text.into())
    }
}

impl From<String> for PointValue {
    fn from(text: String) -> PointValue {
        PointValue::Text(text.into())
    }
}

impl PointValue {
    /// The number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<Value> {
        match self {
            PointValue::Number(number) => Some(*number),
            PointValue::Text(_) | PointValue::Null => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            PointValue::Text(text) => Some(text),
            PointValue::Number(_) | PointValue::Null => None,
        }
    }

    /// Whether it is a gap.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, PointValue::Null)
    }

    /// Which kind comes first in the order of values.
    pub(super) fn rank(&self) -> u8 {
        match self {
            PointValue::Null => 0,
            PointValue::Number(_) => 1,
            PointValue::Text(_) => 2,
        }
    }
}

/// Gaps before numbers before text.
impl Ord for PointValue {
    fn cmp(&self, other: &PointValue) -> std::cmp::Ordering {
        match (self, other) {
            (PointValue::Number(left), PointValue::Number(right)) => left.cmp(right),
            (PointValue::Text(left), PointValue::Text(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for PointValue {
    fn partial_cmp(&self, other: &PointValue) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PointValue {
    fn eq(&self, other: &PointValue) -> bool {
        self.cmp(other) == std::cmp::Ordering::Equal
    }
}

impl Eq for PointValue {}

impl Hash for PointValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            PointValue::Number(number) => number.hash(state),
            PointValue::Text(text) => text.hash(state),
            PointValue::Null => {}
        }
    }
}

impl fmt::Display for PointValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PointValue::Number(number) => fmt::Display::fmt(number, f),
            PointValue::Text(text) => fmt::Debug::fmt(text, f),
            PointValue::Null => f.write_str("null"),
        }
    }
}

impl fmt::Debug for PointValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.metric)?;
        if !self.tags.is_empty() {
            write!(f, "{{{}}}", self.tags)?;
        }
        write!(f, " {} @ {}", self.value, self.millis)
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
