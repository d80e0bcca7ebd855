//! What is asked for.

use std::time::{Duration, SystemTime};

use reqwest::Url;

use super::influx::Question;
use crate::timeseries::Range;
use crate::timeseries::kairosdb::Order;
use crate::timeseries::proficloud::Millis;

/// What proficloud.io is asked for: the points of some metrics of an endpoint, in a stretch of time.
///
/// ```
/// use headwater::timeseries::proficloud::IoQuery;
/// use std::time::Duration;
///
/// let query = IoQuery::new("7d0e").metrics(["temperature", "pressure"]).last(Duration::from_secs(600));
/// assert_eq!(query.asked_metrics(), ["temperature", "pressure"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a query does nothing until a client is given it"]
pub struct IoQuery {
    uuid: String,
    metrics: Vec<String>,
    time: Option<Stretch>,
    order: Order,
    aggregate: Option<(String, Duration)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stretch {
    Between(Millis, Millis),
    Last(Duration),
}

impl IoQuery {
    /// Of this endpoint.
    pub fn new(uuid: impl Into<String>) -> IoQuery {
        IoQuery {
            uuid: uuid.into(),
            metrics: Vec::new(),
            time: None,
            order: Order::Ascending,
            aggregate: None,
        }
    }

    /// One metric more.
    pub fn metric(self, name: impl Into<String>) -> IoQuery {
        self.metrics([name])
    }

    /// More metrics.
    pub fn metrics<M: Into<String>>(mut self, names: impl IntoIterator<Item = M>) -> IoQuery {
        self.metrics.extend(names.into_iter().map(Into::into));
        self
    }

    /// Between two times: milliseconds since the Unix epoch, a `SystemTime`, or text that is
    /// [parsed](Millis). Whether a point at an end itself is part of it is the service's choice.
    pub fn between(mut self, start: impl Into<Millis>, end: impl Into<Millis>) -> IoQuery {
        self.time = Some(Stretch::Between(start.into(), end.into()));
        self
    }

    /// The last minutes, by this computer's clock when it is sent.
    pub fn last(mut self, time: Duration) -> IoQuery {
        self.time = Some(Stretch::Last(time));
        self
    }

    /// The same for another stretch of time, whose ends are part of it. What is aggregated is asked for as a whole,
    /// also where the stretch begins or ends in its midst.
    pub(super) fn range(self, range: Range) -> IoQuery {
        let every = self.aggregate.as_ref().map_or(1, |(_, every)| {
            i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1)
        });
        let begin = |millis: i64| millis.saturating_sub(millis.rem_euclid(every));
        // Should the end itself not be part of it to the service, it still is.
        self.between(begin(range.from), begin(range.to).saturating_add(every))
    }

    /// In this order of time.
    pub fn order(mut self, order: Order) -> IoQuery {
        self.order = order;
        self
    }

    /// One point for each so many milliseconds, made by a function of InfluxQL: `mean`, `max`, `min`, `sum`, `count`,
    /// `first`, `last`, `median`, `spread`, `stddev`. Its time is the beginning of its stretch; stretches without
    /// points have none. By a client that asks [in InfluxQL](super::ProficloudIoBuilder::influx) alone.
    ///
    /// Such points change while their stretch is not over: when it is polled, as
    /// [revisions](crate::timeseries::Polling::revised).
    #[doc(alias = "groupIntervalMs", alias = "aggregator")]
    pub fn aggregate(mut self, function: impl Into<String>, every: Duration) -> IoQuery {
        self.aggregate = Some((function.into(), every));
        self
    }

    /// The endpoint.
    #[must_use]
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// The metrics.
    #[must_use]
    pub fn asked_metrics(&self) -> &[String] {
        &self.metrics
    }

    pub(super) fn asked_order(&self) -> Order {
        self.order
    }

    /// What it asks for in general, or why it can't be asked: beginning and end, as text.
    fn checked(&self) -> Result<(String, String), String> {
        if self.uuid.is_empty() {
            return Err(
                "the uuid is empty: it is that of the endpoint whose points are asked for".into(),
            );
        }
        if self.metrics.is_empty() {
            return Err("no metric is asked for: name one by `metric`".into());
        }
        if self.metrics.iter().any(String::is_empty) {
            return Err("the name of a metric is empty".into());
        }
        let (start, end) = match self.time {
            Some(Stretch::Between(start, end)) => (start, end),
            Some(Stretch::Last(time)) => {
                let now = SystemTime::now();
                let start = now.checked_sub(time).ok_or_else(|| {
                    format!("{time:?} ago there was no time that this computer knows")
                })?;
                (start.into(), now.into())
            }
            None => return Err("no time is asked for: say which by `between` or `last`".into()),
        };
        if end < start {
            return Err(format!("the end {end} is before the start {start}"));
        }
        let text = |time: Millis| {
            time.to_text().ok_or_else(|| {
                format!("{time} can't be asked for: the service takes years up to 9999")
            })
        };
        Ok((text(start)?, text(end)?))
    }

    /// Where it is asked, or why it can't be.
    pub(super) fn url(&self, data: &Url) -> Result<Url, String> {
        let (start, end) = self.checked()?;
        if let Some(name) = self.metrics.iter().find(|name| name.contains(',')) {
            return Err(format!(
                "{name:?} can't be asked for: the service takes names that are separated by commas"
            ));
        }
        if self.aggregate.is_some() {
            return Err(
                "points are aggregated in InfluxQL alone: let the builder be `influx`".into(),
            );
        }
        let sort = match self.order {
            Order::Ascending => "ASC",
            Order::Descending => "DESC",
        };
        let mut url = data.clone();
        url.query_pairs_mut()
            .append_pair("timeSeriesName", &self.metrics.join(","))
            .append_pair("uuid", &self.uuid)
            .append_pair("fromDate", &start)
            .append_pair("toDate", &end)
            .append_pair("sort", sort);
        Ok(url)
    }

    /// What is asked in InfluxQL, metric by metric, or why it can't be.
    pub(super) fn questions(&self) -> Result<Vec<Question<'_>>, String> {
        let (from, to) = self.checked()?;
        let aggregate = match &self.aggregate {
            None => None,
            Some((function, _)) if !is_word(function) => {
                return Err(format!(
                    "{function:?} is no function of InfluxQL: take `mean`, for example"
                ));
            }
            Some((_, every)) if every.as_millis() == 0 => {
                return Err(format!(
                    "points can't be aggregated over {every:?}: let it be 1 ms at least"
                ));
            }
            Some((function, every)) => Some((&**function, *every)),
        };
        let question = |metric| Question {
            uuid: &self.uuid,
            metric,
            aggregate,
            order: self.order,
            from: from.clone(),
            to: to.clone(),
        };
        Ok(self.metrics.iter().map(|metric| question(metric)).collect())
    }
}

fn is_word(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.bytes().all(letter)
}
