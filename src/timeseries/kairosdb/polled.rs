//! Aggregates that are polled: the same, wherever a request begins and ends.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::aggregator::Aggregator;
use super::query_metric::QueryMetric;
use super::relative::{Relative, TimeUnit};
use crate::metrics::Tags;
use crate::timeseries::Range;

const HOUR: u64 = 3_600_000;

/// How many milliseconds that is at most: a day on which clocks are put back, the longest month.
fn longest(length: Relative) -> i64 {
    let unit = match length.unit() {
        TimeUnit::Milliseconds => 1,
        TimeUnit::Seconds => 1_000,
        TimeUnit::Minutes => 60_000,
        TimeUnit::Hours => HOUR,
        TimeUnit::Days => 25 * HOUR,
        TimeUnit::Weeks => (7 * 24 + 1) * HOUR,
        TimeUnit::Months => (31 * 24 + 1) * HOUR,
        TimeUnit::Years => (366 * 24 + 1) * HOUR,
    };
    i64::try_from(length.value().saturating_mul(unit)).unwrap_or(i64::MAX)
}

/// How long the ranges of an aggregator are. The store's own, where none is named, is a millisecond.
fn sampling(fields: &Map<String, Value>) -> i64 {
    let sampling = fields.get("sampling").map(Relative::deserialize);
    sampling.and_then(Result::ok).map_or(0, longest)
}

/// Whether the store answers a null for each empty range from the first one on.
fn fills_up(fields: &Map<String, Value>) -> bool {
    fields.get("name").and_then(Value::as_str) == Some("gaps")
}

impl Aggregator {
    /// With ranges that are counted from 1970, and not from where a request begins.
    fn counted_from_epoch(self) -> Aggregator {
        match self.of_ranges() {
            Some(fields) if !fields.contains_key("start_time") && !fills_up(fields) => {
                self.with("start_time", 0)
            }
            _ => self,
        }
    }
}

impl QueryMetric {
    /// How far beyond a stretch of time there can be points that aggregates in it are made of.
    fn reaches(&self) -> i64 {
        let ranges = self.aggregators().iter().filter_map(Aggregator::of_ranges);
        ranges.map(sampling).fold(0, i64::saturating_add)
    }

    /// As it is asked for a part of all time, when other parts are asked for by other requests.
    pub(super) fn in_parts(self, asked: Range) -> QueryMetric {
        // The store counts forward alone.
        match asked.from < 0 {
            true => self,
            false => self.map_aggregators(Aggregator::counted_from_epoch),
        }
    }

    /// The tags that all its points have as it asks for no others.
    pub(super) fn asked_tags(&self) -> Tags {
        let one = |values: &Value| match &values.as_array()?[..] {
            [Value::String(value)] if !value.starts_with("regex:") => Some(value.clone()),
            _ => None,
        };
        let tags = self.asked_values().iter();
        tags.filter_map(|(name, values)| Some((name, one(values)?)))
            .collect()
    }
}

/// The stretch of time that the aggregates in a range are made of, and what may be beside it.
pub(super) fn around(range: Range, metrics: &[QueryMetric]) -> Range {
    let reaches = metrics.iter().map(QueryMetric::reaches).max().unwrap_or(0);
    Range {
        from: range.from.saturating_sub(reaches),
        to: range.to.saturating_add(reaches),
    }
}
