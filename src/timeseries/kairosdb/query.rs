//! A query: which metrics, of which time.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::query_metric::QueryMetric;
use super::relative::When;
use crate::timeseries::Range;

/// What the store is asked for: the points of some metrics in a stretch of time, both ends included.
///
/// All metrics go in one request. Without an end there is none: points in the future are answered too.
///
/// ```
/// use headwater::timeseries::kairosdb::{GroupBy, Query, QueryMetric, RangeAggregator, Relative};
/// use serde_json::json;
///
/// let query = Query::since(Relative::hours(1))
///     .until(1_700_000_000_000)
///     .metric("requests")
///     .metric(
///         QueryMetric::new("latency")
///             .tag("host", ["a", "b"])
///             .group_by(GroupBy::tags(["host"]))
///             .aggregate(RangeAggregator::max(Relative::minutes(1))),
///     );
/// let json = query.to_json();
/// assert_eq!(json["start_relative"], json!({"value": 1, "unit": "HOURS"}));
/// assert_eq!(json["metrics"][0], json!({"name": "requests"}));
/// assert_eq!(json["metrics"][1]["tags"], json!({"host": ["a", "b"]}));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a query does nothing until a client is given it"]
pub struct Query {
    fields: Map<String, Value>,
    metrics: Vec<QueryMetric>,
}

impl Query {
    /// Everything from a time on: milliseconds since the Unix epoch, a `SystemTime`, or so long ago.
    pub fn since(start: impl Into<When>) -> Query {
        let query = Query {
            fields: Map::new(),
            metrics: Vec::new(),
        };
        query.limited("start", start.into())
    }

    /// A stretch of time, both ends included.
    pub fn between(start: impl Into<When>, end: impl Into<When>) -> Query {
        Query::since(start).until(end)
    }

    /// Up to a time, which is included.
    pub fn until(self, end: impl Into<When>) -> Query {
        self.limited("end", end.into())
    }

    /// The same for another stretch of time.
    pub fn range(self, range: Range) -> Query {
        self.limited("start", When::At(range.from))
            .limited("end", When::At(range.to))
    }

    fn limited(mut self, side: &str, when: When) -> Query {
        // The store takes the absolute one where there are both.
        self.fields.remove(&format!("{side}_absolute"));
        self.fields.remove(&format!("{side}_relative"));
        match when {
            When::At(millis) => self.with(&format!("{side}_absolute"), millis),
            When::Ago(ago) => self.with(&format!("{side}_relative"), json!(ago)),
        }
    }

    /// The time zone of the calendar in which ranges of aggregators are aligned, such as `Europe/Berlin`;
    /// UTC by default.
    pub fn time_zone(self, id: impl Into<String>) -> Query {
        self.with("time_zone", id.into())
    }

    /// The store may answer from what it read for the same question so long ago, in whole seconds.
    pub fn cache_time(self, age: Duration) -> Query {
        self.with("cache_time", age.as_secs())
    }

    /// One metric more: by its name, or with what is to be done with it.
    pub fn metric(mut self, metric: impl Into<QueryMetric>) -> Query {
        self.metrics.push(metric.into());
        self
    }

    /// More metrics.
    pub fn metrics<M: Into<QueryMetric>>(mut self, metrics: impl IntoIterator<Item = M>) -> Query {
        self.metrics.extend(metrics.into_iter().map(Into::into));
        self
    }

    /// Any field that is not known here.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Query {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// The metrics, in the order in which they are answered.
    pub fn asked_metrics(&self) -> &[QueryMetric] {
        &self.metrics
    }

    /// The same with each metric changed.
    pub(super) fn map_metrics(mut self, change: impl FnMut(QueryMetric) -> QueryMetric) -> Query {
        self.metrics = self.metrics.into_iter().map(change).collect();
        self
    }

    /// As it is sent.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut fields = self.fields.clone();
        let metrics = self.metrics.iter().map(QueryMetric::to_json).collect();
        fields.insert("metrics".to_owned(), Value::Array(metrics));
        Value::Object(fields)
    }
}
