//! Aggregators: what the store makes of points before it answers.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::range_aggregator::RangeAggregator;
use super::relative::{Relative, TimeUnit};
use crate::metrics::{IntoTags, Tags};

/// What the store makes of a metric's points before it answers. Several are applied one after the other.
///
/// Those that work on ranges of time, such as the mean of every five minutes, are
/// [`RangeAggregator`]s; the others are made here. One whose kind of value does not fit, such as a sum of
/// texts, is left out by the store without a word.
///
/// Names, parameters and results are those of KairosDB 1.3.0.
///
/// ```
/// use headwater::timeseries::kairosdb::{Aggregator, RangeAggregator, Relative, TimeUnit};
/// use serde_json::json;
///
/// let rate = Aggregator::rate(TimeUnit::Seconds);
/// assert_eq!(rate.to_json(), json!({"name": "rate", "unit": "SECONDS"}));
///
/// let mean = Aggregator::from(RangeAggregator::avg(Relative::minutes(5)).align_start_time());
/// assert_eq!(mean.to_json()["sampling"], json!({"value": 5, "unit": "MINUTES"}));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregator {
    fields: Map<String, Value>,
    /// Whether it is one of [`RangeAggregator`]'s.
    of_ranges: bool,
}

/// Which points [`Aggregator::filter`] takes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Those below the threshold.
    Less,
    /// Those below the threshold, or at it.
    LessOrEqual,
    /// Those above the threshold.
    Greater,
    /// Those above the threshold, or at it.
    GreaterOrEqual,
    /// Those at the threshold.
    Equal,
    /// Those not at the threshold.
    NotEqual,
}

/// Which points [`Aggregator::trim`] takes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trim {
    /// The first one.
    First,
    /// The last one.
    Last,
    /// Both.
    Both,
}

/// A step of [`Aggregator::score`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Where it is.
    pub value: f64,
    /// Whether a value right at the threshold belongs above it; if not, below.
    pub included: bool,
}

/// A float as JSON; what JSON cannot say becomes `null`, and is found when the query is checked.
pub(super) fn number(float: f64) -> Value {
    Value::from(float)
}

impl Aggregator {
    fn named(name: &str, fields: impl IntoIterator<Item = (&'static str, Value)>) -> Aggregator {
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let name = ("name".to_owned(), Value::from(name));
        Aggregator {
            fields: [name].into_iter().chain(fields).collect(),
            of_ranges: false,
        }
    }

    /// The difference of each value to the one before: one point less.
    pub fn diff() -> Aggregator {
        Aggregator::named("diff", [])
    }

    /// How fast values change from point to point, per unit of time. Two points at the same time make the
    /// query fail with status 500: put another aggregator in front.
    pub fn rate(per: TimeUnit) -> Aggregator {
        Aggregator::named("rate", [("unit", per.as_str().into())])
    }

    /// How fast values change from point to point, per any length of time.
    pub fn rate_per(per: Relative) -> Aggregator {
        Aggregator::named("rate", [("sampling", json!(per))])
    }

    /// Each value divided by the time since the point before, per unit of time.
    pub fn sampler(per: TimeUnit) -> Aggregator {
        Aggregator::named("sampler", [("unit", per.as_str().into())])
    }

    /// Each value divided by a number, which the store refuses if it is 0.
    pub fn div(divisor: f64) -> Aggregator {
        Aggregator::named("div", [("divisor", number(divisor))])
    }

    /// Each value times a number.
    pub fn scale(factor: f64) -> Aggregator {
        Aggregator::named("scale", [("factor", number(factor))])
    }

    /// The mean of the last `size` points, from the point on that is number `size`.
    pub fn sma(size: u32) -> Aggregator {
        Aggregator::named("sma", [("size", size.into())])
    }

    /// Without the first point, the last, or both.
    pub fn trim(which: Trim) -> Aggregator {
        let which = match which {
            Trim::First => "FIRST",
            Trim::Last => "LAST",
            Trim::Both => "BOTH",
        };
        Aggregator::named("trim", [("trim", which.into())])
    }

    /// **Without** the points for which the comparison holds.
    pub fn filter(without: Comparison, threshold: f64) -> Aggregator {
        let operation = match without {
            Comparison::Less => "LT",
            Comparison::LessOrEqual => "LTE",
            Comparison::Greater => "GT",
            Comparison::GreaterOrEqual => "GTE",
            Comparison::Equal => "EQUAL",
            Comparison::NotEqual => "NE",
        };
        let threshold = ("threshold", number(threshold));
        Aggregator::named("filter", [("filter_op", operation.into()), threshold])
    }

    /// How many thresholds each value is above; they are given in ascending order.
    pub fn score(thresholds: impl IntoIterator<Item = Threshold>) -> Aggregator {
        Aggregator::scored(thresholds, "ascending")
    }

    /// How many thresholds each value is below; they are given in descending order.
    pub fn score_descending(thresholds: impl IntoIterator<Item = Threshold>) -> Aggregator {
        Aggregator::scored(thresholds, "descending")
    }

    fn scored(thresholds: impl IntoIterator<Item = Threshold>, order: &str) -> Aggregator {
        let thresholds = thresholds.into_iter().map(|threshold| {
            // The store names the class whose bound it is: the upper ("inferior") or the lower one.
            let boundary = match threshold.included {
                true => "inferior",
                false => "superior",
            };
            json!({"value": number(threshold.value), "boundary": boundary})
        });
        let thresholds = Value::Array(thresholds.collect());
        Aggregator::named(
            "score",
            [("thresholds", thresholds), ("order", order.into())],
        )
    }

    /// Passes the points on, and writes them to another metric: with the tags of the group (if the query
    /// groups), and a tag `saved_from` of the metric that was read.
    pub fn save_as(metric: impl Into<String>) -> Aggregator {
        Aggregator::save_as_with(metric, Tags::new(), None, true)
    }

    /// The same with more tags, a time in seconds after which the store forgets what was saved, and a
    /// choice whether there is a tag `saved_from`.
    pub fn save_as_with(
        metric: impl Into<String>,
        tags: impl IntoTags,
        ttl: Option<u32>,
        saved_from: bool,
    ) -> Aggregator {
        let tags = tags.into_tags();
        let tags: Map<String, Value> = tags
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_string().into()))
            .collect();
        let metric = ("metric_name", metric.into().into());
        let saved_from = ("add_saved_from", saved_from.into());
        let mut saved = Aggregator::named("save_as", [metric, saved_from, ("tags", tags.into())]);
        if let Some(ttl) = ttl {
            saved = saved.with("ttl", ttl);
        }
        saved
    }

    /// One that is not known here, with its parameters: `json!({"size": 3})`; an empty object, or a null, where it
    /// has none. A query with anything else in their place is not sent: that is
    /// [`Reason::BadQuery`](super::Reason::BadQuery).
    pub fn raw(name: &str, parameters: Value) -> Aggregator {
        let mut raw = Aggregator::named(name, []);
        match parameters {
            Value::Object(parameters) => raw.fields.extend(parameters),
            Value::Null => {}
            // Found when the query is checked, as numbers are.
            _ => raw = raw.with("parameters", Value::Null),
        }
        raw
    }

    /// How long the ranges of time are that it makes a point of, at most, in milliseconds; 0 if there are none.
    pub(super) fn range_millis(&self) -> i64 {
        let sampling = self.fields.get("sampling").map(Relative::deserialize);
        let sampling = sampling.and_then(Result::ok);
        sampling.map_or(0, Relative::at_most_millis)
    }

    /// As it is written in a query.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    /// With ranges that are counted from 1970, if that is not said otherwise, and not from where a query begins.
    pub(super) fn counted_from_epoch(self) -> Aggregator {
        // It would begin with a null for each range since.
        let fills_up = self.fields["name"] == "gaps";
        match self.of_ranges && !fills_up && !self.fields.contains_key("start_time") {
            true => self.with("start_time", 0),
            false => self,
        }
    }

    fn with(mut self, parameter: &str, value: impl Into<Value>) -> Aggregator {
        self.fields.insert(parameter.to_owned(), value.into());
        self
    }
}

impl From<RangeAggregator> for Aggregator {
    fn from(aggregator: RangeAggregator) -> Aggregator {
        Aggregator {
            fields: aggregator.into_fields(),
            of_ranges: true,
        }
    }
}
