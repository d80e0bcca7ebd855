//! Points of a time series, as tests compare them, and how they are written to Prometheus.

use std::collections::BTreeMap;

use prost::Message;
use serde_json::Value;

use crate::{Answer, Error, Http};

/// The points of one metric with one set of tags.
#[derive(Debug, Clone, PartialEq, PartialOrd, Default)]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// Its tags, without the name.
    pub tags: BTreeMap<String, String>,
    /// Milliseconds since the Unix epoch, and values, in the order of the store.
    pub points: Vec<(i64, f64)>,
}

impl Series {
    /// A series of a name, tags and points.
    pub fn new<const T: usize>(
        name: &str,
        tags: [(&str, &str); T],
        points: impl IntoIterator<Item = (i64, f64)>,
    ) -> Self {
        let tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            name: name.to_owned(),
            tags: tags.into(),
            points: points.into_iter().collect(),
        }
    }

    /// A series without points, from labels as Prometheus writes them in JSON.
    pub(crate) fn of_labels(labels: &Value) -> Option<Self> {
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.into()));
        let mut tags: BTreeMap<String, String> = labels
            .as_object()?
            .iter()
            .map(text)
            .collect::<Option<_>>()?;
        let name = tags.remove("__name__")?;
        let points = Vec::new();
        Some(Self { name, tags, points })
    }

    /// In order of names and tags, as stores promise no order.
    pub(crate) fn sorted(mut all: Vec<Self>) -> Vec<Self> {
        all.sort_by(|one, other| (&one.name, &one.tags).cmp(&(&other.name, &other.tags)));
        all
    }

    fn message(&self) -> TimeSeries {
        let tags = self.tags.iter();
        let label = |name: &str, value: &str| Label {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let mut labels: Vec<Label> = tags.map(|(name, value)| label(name, value)).collect();
        labels.push(label("__name__", &self.name));
        // The protocol asks for labels in the order of their names.
        labels.sort_by(|one, other| one.name.cmp(&other.name));
        let sample = |&(timestamp, value): &(i64, f64)| Sample { value, timestamp };
        let samples = self.points.iter().map(sample).collect();
        TimeSeries { labels, samples }
    }
}

/// Writes series by Prometheus' remote-write protocol, version 0.1.0
/// (<https://prometheus.io/docs/specs/prw/remote_write_spec/>): protobuf, compressed by snappy's block format.
pub(crate) fn remote_write(http: &Http, series: &[Series]) -> Result<Answer, Error> {
    let timeseries = series.iter().map(Series::message).collect();
    let plain = WriteRequest { timeseries }.encode_to_vec();
    let body = snap::raw::Encoder::new()
        .compress_vec(&plain)
        .map_err(Error::at("compressing points"))?;
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ];
    http.post_with("/api/v1/write", &headers, body)
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}
