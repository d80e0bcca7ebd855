//! What is asked for.

use std::time::{Duration, SystemTime};

use reqwest::Url;

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

    /// The same for another stretch of time, whose ends are part of it.
    pub(super) fn range(self, range: Range) -> IoQuery {
        // Should the end itself not be part of it to the service, it still is.
        self.between(range.from, range.to.saturating_add(1))
    }

    /// In this order of time.
    pub fn order(mut self, order: Order) -> IoQuery {
        self.order = order;
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

    /// Where it is asked, or why it can't be.
    pub(super) fn url(&self, data: &Url) -> Result<Url, String> {
        if self.uuid.is_empty() {
            return Err(
                "the uuid is empty: it is that of the endpoint whose points are asked for".into(),
            );
        }
        if self.metrics.is_empty() {
            return Err("no metric is asked for: name one by `metric`".into());
        }
        let odd = |name: &&String| name.is_empty() || name.contains(',');
        if let Some(name) = self.metrics.iter().find(odd) {
            return Err(format!(
                "{name:?} can't be asked for: the service takes names that are separated by commas"
            ));
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
        let sort = match self.order {
            Order::Ascending => "ASC",
            Order::Descending => "DESC",
        };
        let mut url = data.clone();
        url.query_pairs_mut()
            .append_pair("timeSeriesName", &self.metrics.join(","))
            .append_pair("uuid", &self.uuid)
            .append_pair("fromDate", &text(start)?)
            .append_pair("toDate", &text(end)?)
            .append_pair("sort", sort);
        Ok(url)
    }
}
