//! What proficloud.io answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::query::IoQuery;
use crate::metrics::Tags;
use crate::timeseries::kairosdb::{AnyValue, Order};
use crate::timeseries::proficloud::{Millis, TimeError};
use crate::timeseries::{Point, PointValue};

/// What proficloud.io answered.
///
/// An endpoint, or a metric, without points in the time asked for has no series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IoAnswer {
    /// In the order in which metrics were asked for.
    pub series: Vec<IoSeries>,
    /// What time the server's clock showed, to the second.
    pub server_time: Option<SystemTime>,
}

/// The points of one metric of an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct IoSeries {
    /// The endpoint.
    pub uuid: String,
    /// The metric's name.
    pub metric: String,
    /// Which of the values it is, where the points have several; the one is called `value`, and so is what is
    /// made of it.
    pub field: String,
    /// Times in milliseconds since the Unix epoch, and values, in the order of time that was asked for.
    pub values: Vec<(i64, PointValue)>,
}

impl IoAnswer {
    /// All points. They have the tag `uuid`; and `field`, unless that is `value`.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.series.iter().flat_map(IoSeries::points)
    }
}

impl IoSeries {
    /// The points, with the tag `uuid`; and `field`, unless that is `value`.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        let (metric, tags) = (Arc::<str>::from(&*self.metric), self.tags());
        self.values.iter().map(move |(millis, value)| {
            Point::new(metric.clone(), *millis, value.clone()).tagged(&tags)
        })
    }

    /// The tags of its points.
    pub(super) fn tags(&self) -> Tags {
        let tags = Tags::new().with("uuid", &*self.uuid);
        match &*self.field {
            "value" => tags,
            field => tags.with("field", field),
        }
    }
}

/// As it comes: endpoints, their metrics, points with times and named values.
#[derive(Deserialize)]
pub(super) struct Wire(Vec<BTreeMap<String, BTreeMap<String, Vec<Sample>>>>);

#[derive(Deserialize)]
struct Sample {
    #[serde(deserialize_with = "time")]
    timestamp: i64,
    values: BTreeMap<String, AnyValue>,
}

pub(super) fn read_time(text: &str) -> Result<i64, TimeError> {
    text.parse::<Millis>().map(i64::from)
}

/// Text, or milliseconds.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct Time;

    impl<'de> Visitor<'de> for Time {
        type Value = i64;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a time, as text such as 2023-11-14T22:13:20.123Z, or in milliseconds")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
            read_time(text).map_err(E::custom)
        }

        fn visit_i64<E>(self, millis: i64) -> Result<i64, E> {
            Ok(millis)
        }

        fn visit_u64<E: Error>(self, millis: u64) -> Result<i64, E> {
            i64::try_from(millis).map_err(E::custom)
        }

        /// A number, where another crate of the program wants `serde_json` to keep its digits.
        fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<i64, M::Error> {
            let number = serde_json::Number::deserialize(MapAccessDeserializer::new(map))?;
            let millis = number.as_i64();
            millis.ok_or_else(|| {
                M::Error::custom(format_args!("{number} is no time in milliseconds"))
            })
        }
    }

    deserializer.deserialize_any(Time)
}

impl Wire {
    /// In the order of the query.
    pub(super) fn sorted(self, query: &IoQuery, server_time: Option<SystemTime>) -> IoAnswer {
        let asked = query.asked_metrics();
        let place = |metric: &String| {
            let place = asked.iter().position(|asked| asked == metric);
            place.unwrap_or(asked.len())
        };
        type Values = Vec<(i64, PointValue)>;
        let mut all: BTreeMap<(usize, String, String, bool, String), Values> = BTreeMap::new();
        for (uuid, metrics) in self.0.into_iter().flatten() {
            for (metric, samples) in metrics {
                let place = place(&metric);
                // By field first: the keys are made once for each series.
                let mut fields: BTreeMap<String, Values> = BTreeMap::new();
                for Sample { timestamp, values } in samples {
                    for (field, AnyValue(value)) in values {
                        match fields.get_mut(&field) {
                            Some(values) => values.push((timestamp, value)),
                            None => drop(fields.insert(field, vec![(timestamp, value)])),
                        }
                    }
                }
                for (field, values) in fields {
                    let other = field != "value";
                    let key = (place, metric.clone(), uuid.clone(), other, field);
                    all.entry(key).or_default().extend(values);
                }
            }
        }
        let series = all
            .into_iter()
            .map(|((_, metric, uuid, _, field), mut values)| {
                // Parts of an answer need not be in order.
                match query.asked_order() {
                    Order::Ascending => values.sort_by_key(|(millis, _)| *millis),
                    Order::Descending => {
                        values.sort_by_key(|(millis, _)| std::cmp::Reverse(*millis))
                    }
                }
                IoSeries {
                    uuid,
                    metric,
                    field,
                    values,
                }
            });
        IoAnswer {
            series: series.collect(),
            server_time,
        }
    }
}
