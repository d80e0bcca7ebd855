//! `SpanTimer`: which spans are timed, and what becomes of their durations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracing::Metadata;

use super::timing::Values;
use crate::metrics::tags::{AsTag, IntoTags, Tags};
use crate::metrics::timer::Unit;

/// What of a span is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Spent {
    /// From when it was made until its last handle is dropped.
    #[default]
    Total,
    /// As long as somebody is in it: of the span of a future, while the future is polled. Entered in two
    /// threads at once, it is busy once.
    Busy,
}

/// Sends the durations of some spans to a metric: see
/// [`MetricsPipeline::time_spans`](crate::metrics::MetricsPipeline::time_spans).
///
/// Of all conditions that are given, each has to hold; without any, every span of the program is timed.
///
/// ```
/// use headwater::metrics::{SpanTimer, Spent, Unit};
///
/// let requests = SpanTimer::new("latency").named("request").field("route").unit(Unit::Millis);
/// let queries = SpanTimer::new("query.cpu")
///     .target("my_service::db")
///     .matching(|metadata| metadata.fields().field("statement").is_some())
///     .spent(Spent::Busy)
///     .field_as("db.table", "table")
///     .tag("service", "shop");
/// # let _ = (requests, queries);
/// ```
#[derive(Clone)]
#[must_use = "a timer does nothing until it is given to `MetricsPipeline::time_spans`"]
pub struct SpanTimer {
    metric: String,
    conditions: Vec<Condition>,
    spent: Spent,
    unit: Option<Unit>,
    tags: Tags,
    fields: Vec<(String, String)>,
}

#[derive(Clone)]
enum Condition {
    Name(String),
    Target(String),
    Function(Arc<dyn Fn(&Metadata<'_>) -> bool + Send + Sync>),
}

impl Condition {
    fn holds(&self, metadata: &Metadata<'_>) -> bool {
        match self {
            Condition::Name(name) => metadata.name() == name,
            Condition::Target(target) => {
                let rest = metadata.target().strip_prefix(&**target);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            }
            Condition::Function(function) => function(metadata),
        }
    }
}

impl SpanTimer {
    /// Sends to the metric of this name.
    pub fn new(metric: impl Into<String>) -> SpanTimer {
        SpanTimer {
            metric: metric.into(),
            conditions: Vec::new(),
            spent: Spent::default(),
            unit: None,
            tags: Tags::new(),
            fields: Vec::new(),
        }
    }

    /// Spans of this name.
    pub fn named(self, name: impl Into<String>) -> SpanTimer {
        self.when(Condition::Name(name.into()))
    }

    /// Spans of this target or of what lies below it: by default, a module and its children.
    pub fn target(self, target: impl Into<String>) -> SpanTimer {
        self.when(Condition::Target(target.into()))
    }

    /// Spans for whose metadata this holds. Metadata are what is known of a place in the code: the function
    /// is asked seldom, and should always say the same of the same place.
    pub fn matching(
        self,
        condition: impl Fn(&Metadata<'_>) -> bool + Send + Sync + 'static,
    ) -> SpanTimer {
        self.when(Condition::Function(Arc::new(condition)))
    }

    fn when(mut self, condition: Condition) -> SpanTimer {
        self.conditions.push(condition);
        self
    }

    /// What is measured: the total time, if this is not called.
    pub fn spent(self, spent: Spent) -> SpanTimer {
        SpanTimer { spent, ..self }
    }

    /// What the duration is counted in. If this is not called it is the metric's
    /// [unit](crate::metrics::Metric::unit), and seconds if that is none of time.
    pub fn unit(self, unit: Unit) -> SpanTimer {
        let unit = Some(unit);
        SpanTimer { unit, ..self }
    }

    /// One more tag, which all values have.
    pub fn tag(self, name: impl AsRef<str>, value: impl AsTag) -> SpanTimer {
        let tags = self.tags.with(name, value);
        SpanTimer { tags, ..self }
    }

    /// More tags, which all values have.
    pub fn tags(self, tags: impl IntoTags) -> SpanTimer {
        let tags = self.tags.merged(&tags.into_tags());
        SpanTimer { tags, ..self }
    }

    /// This field of the span is a tag of the same name.
    ///
    /// A field that spans don't have is no error, as others may: its tag is missing then.
    /// It holds what was recorded last, and is left out where nothing was. Integers, floats and truth values
    /// stay what they are. Fields are often without number, such as identities: the metric's
    /// [`max_tag_sets`](crate::metrics::Metric::max_tag_sets) bounds what becomes of them.
    pub fn field(self, field: impl Into<String>) -> SpanTimer {
        let field = field.into();
        self.field_as(field.clone(), field)
    }

    /// This field of the span is a tag of another name.
    pub fn field_as(mut self, field: impl Into<String>, tag: impl Into<String>) -> SpanTimer {
        self.fields.push((field.into(), tag.into()));
        self
    }

    pub(super) fn metric(&self) -> &str {
        &self.metric
    }

    pub(super) fn constant_tags(&self) -> &Tags {
        &self.tags
    }

    pub(super) fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    pub(super) fn is_busy(&self) -> bool {
        self.spent == Spent::Busy
    }

    pub(super) fn wants(&self, metadata: &Metadata<'_>) -> bool {
        self.conditions.iter().all(|c| c.holds(metadata))
    }

    /// A duration, in the metric's unit if no other was given.
    pub(super) fn value(&self, duration: Duration, own: Unit) -> f64 {
        self.unit.unwrap_or(own).of(duration)
    }

    /// The tags of a span that had these values in its fields.
    pub(super) fn tags_of(&self, values: Values) -> Tags {
        let values = values.iter();
        let named = values.map(|(place, value)| (&self.fields[*place].1, value));
        let fields: Tags = named.collect();
        self.tags.merged(&fields)
    }
}

impl fmt::Debug for SpanTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanTimer")
            .field("metric", &self.metric)
            .field("conditions", &self.conditions)
            .field("spent", &self.spent)
            .field("unit", &self.unit)
            .field("tags", &self.tags)
            .field("fields", &self.fields)
            .finish()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Name(name) => write!(f, "named {name:?}"),
            Condition::Target(target) => write!(f, "target {target:?}"),
            Condition::Function(_) => f.write_str("a function"),
        }
    }
}
