//! One metric of a query.

use serde_json::{Map, Value};

use super::aggregator::Aggregator;
use super::group_by::GroupBy;
use crate::metrics::Tags;

/// A metric that is asked for, and what is to be done with its points.
///
/// A string is one of that name, with all its points.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a metric does nothing until it is part of a query"]
pub struct QueryMetric {
    name: String,
    tags: Map<String, Value>,
    fields: Map<String, Value>,
    group_by: Vec<GroupBy>,
    aggregators: Vec<Aggregator>,
}

/// In which order points are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// The earliest first, which is the default.
    Ascending,
    /// The latest first.
    Descending,
}

impl QueryMetric {
    /// All points of a metric.
    pub fn new(name: impl Into<String>) -> QueryMetric {
        QueryMetric {
            name: name.into(),
            tags: Map::new(),
            fields: Map::new(),
            group_by: Vec::new(),
            aggregators: Vec::new(),
        }
    }

    /// Only points whose tag has one of these values. For several tags, all must match. What was said of the same tag
    /// before does not hold any more.
    ///
    /// From KairosDB 1.3 on, a value `regex:…` is a regular expression of Java that the whole value matches.
    /// The embedded H2 store cannot look for a quotation mark `'` in a value.
    pub fn tag<V: Into<String>>(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> QueryMetric {
        let values = values.into_iter().map(|value| Value::from(value.into()));
        self.tags
            .insert(name.into(), Value::Array(values.collect()));
        self
    }

    /// Without tags in the answer.
    pub fn exclude_tags(self) -> QueryMetric {
        self.with("exclude_tags", true)
    }

    /// At most so many points of each stored set of tags, and at most so many in each group, before
    /// aggregators.
    pub fn limit(self, points: u32) -> QueryMetric {
        self.with("limit", points)
    }

    /// In this order of time.
    pub fn order(self, order: Order) -> QueryMetric {
        self.with(
            "order",
            match order {
                Order::Ascending => "asc",
                Order::Descending => "desc",
            },
        )
    }

    /// Each group is a result of its own. Several are combined.
    pub fn group_by(mut self, by: GroupBy) -> QueryMetric {
        self.group_by.push(by);
        self
    }

    /// Points go through this aggregator, and then through the next one.
    pub fn aggregate(mut self, aggregator: impl Into<Aggregator>) -> QueryMetric {
        self.aggregators.push(aggregator.into());
        self
    }

    /// Any field that is not known here.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> QueryMetric {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its points come as they are stored.
    pub(super) fn is_raw(&self) -> bool {
        self.aggregators.is_empty()
    }

    pub(super) fn is_grouped_by_time(&self) -> bool {
        let by_time = |by: &GroupBy| matches!(by, GroupBy::Time { .. });
        self.group_by.iter().any(by_time)
    }

    /// The tags that all of its points have, as one value of them is wanted, and that is no pattern.
    pub(super) fn wanted_tags(&self) -> Tags {
        let tags = self.tags.iter().filter_map(|(name, values)| {
            let [Value::String(value)] = &values.as_array()?[..] else {
                return None;
            };
            (!value.starts_with("regex:")).then_some((name, &**value))
        });
        tags.collect()
    }

    /// Of how long a stretch of time, in milliseconds, one of its points can be made.
    pub(super) fn range_millis(&self) -> i64 {
        let ranges = self.aggregators.iter().map(Aggregator::range_millis);
        ranges.fold(0, i64::saturating_add)
    }

    /// With ranges of time that are the same in each query, wherever that begins.
    pub(super) fn counted_from_epoch(mut self) -> QueryMetric {
        let aggregators = self.aggregators.into_iter();
        self.aggregators = aggregators.map(Aggregator::counted_from_epoch).collect();
        self
    }

    /// As it is written in a query.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut json = self.fields.clone();
        json.insert("name".to_owned(), self.name.clone().into());
        if !self.tags.is_empty() {
            json.insert("tags".to_owned(), Value::Object(self.tags.clone()));
        }
        if !self.group_by.is_empty() {
            let group_by = self.group_by.iter().map(GroupBy::to_json).collect();
            json.insert("group_by".to_owned(), Value::Array(group_by));
        }
        if !self.aggregators.is_empty() {
            let aggregators = self.aggregators.iter().map(Aggregator::to_json).collect();
            json.insert("aggregators".to_owned(), Value::Array(aggregators));
        }
        Value::Object(json)
    }
}

impl From<&str> for QueryMetric {
    fn from(name: &str) -> QueryMetric {
        QueryMetric::new(name)
    }
}

impl From<String> for QueryMetric {
    fn from(name: String) -> QueryMetric {
        QueryMetric::new(name)
    }
}
