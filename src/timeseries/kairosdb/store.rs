//! The metrics of a query, to be polled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::answer::Answer;
use super::client::KairosDb;
use super::error::KairosError;
use super::group_by::GroupBy;
use super::query::Query;
use super::query_metric::QueryMetric;
use crate::timeseries::{Fetched, Point, Range, Store, StoreError};

/// The metrics of a query as a store that can be polled; from [`KairosDb::store`]. The query's own times are
/// replaced by those that are asked for.
///
/// Each point comes with its own tags: metrics whose points come as they are stored are grouped by all their
/// tags. Which these are is learnt from answers; when a tag is seen for the first time, the same stretch of
/// time is asked for once more. Metrics with aggregators stay as they are: their points have the tags of their
/// group, and those for which the query wants one value. What other tags the points behind an answer have in common is
/// left out, as it changes from one answer to the next, and the points would be taken for others. Of what is made
/// of [ranges of values](GroupBy::value) and [bins](GroupBy::bins) each has the tag `value_group` or `bin`, with its
/// number, and of what is made of other points than numbers `type`, with their kind. [Groups of
/// time](GroupBy::time) can't be polled with aggregators: they are counted from where a query begins.
///
/// # Ranges of time
///
/// What is made of [ranges of time](super::RangeAggregator) is asked for as a whole, so long before and after a stretch
/// of time as a range may be long: one that a stretch cuts through does not come as a part of itself. Ranges are
/// counted from 1970 on, in their time zone, unless they have a [`start_time`](super::RangeAggregator::start_time):
/// from where a query begins, ranges of seven minutes, or of two days, would be others in each query. Those of
/// [`gaps`](super::RangeAggregator::gaps) are not, nor are any of points before 1970.
///
/// With [`align_end_time`](super::RangeAggregator::align_end_time) a range comes once, when it is over. With
/// [`align_start_time`](super::RangeAggregator::align_start_time) it comes with its first point. While it is not over
/// its point changes, as [revisions](crate::timeseries::Polling::revised), if the
/// [buffer](crate::timeseries::Polling::buffer) is longer than the range. With neither it has the time of its first
/// point: should an earlier one come late, it comes once more.
///
/// What looks at points before ([`diff`](super::Aggregator::diff), [`rate`](super::Aggregator::rate),
/// [`sampler`](super::Aggregator::sampler), [`sma`](super::Aggregator::sma)) or at the ends of an answer
/// ([`trim`](super::Aggregator::trim), [`limit`](super::QueryMetric::limit)) leaves out points at the beginning or
/// the end of **each** query: poll the points themselves, and let a graph do that.
///
/// ```
/// use headwater::timeseries::kairosdb::{KairosDb, Query};
/// use headwater::timeseries::{Point, Range, Store};
/// # mod stand_in { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/timeseries/kairosdb/in_memory.rs")); }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let url = stand_in::kairosdb_in_memory()?;
/// let client = KairosDb::new(url)?; // "http://127.0.0.1:8080"
/// let point = Point::new("m", 1_000, 1).tagged([("host", "a")]);
/// client.write(&[point.clone()]).await?;
/// let store = client.store(Query::since(0).metric("m"));
/// let fetched = store.fetch(Range { from: 0, to: 2_000 }).await?;
/// assert_eq!(fetched.points, [point]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct KairosStore {
    client: KairosDb,
    query: Query,
    /// By the place of the metric in the query.
    tags: Mutex<BTreeMap<usize, BTreeSet<String>>>,
}

impl KairosStore {
    pub(super) fn new(client: KairosDb, query: Query) -> KairosStore {
        KairosStore {
            client,
            query,
            tags: Mutex::default(),
        }
    }

    /// Of how long a stretch of time, in milliseconds, a point can be made.
    fn longest(&self) -> i64 {
        let metrics = self.query.asked_metrics().iter();
        metrics.map(QueryMetric::range_millis).max().unwrap_or(0)
    }

    fn grouped_by_time(&self) -> Option<&str> {
        let mut metrics = self.query.asked_metrics().iter();
        let grouped = metrics.find(|metric| !metric.is_raw() && metric.is_grouped_by_time());
        grouped.map(QueryMetric::name)
    }

    /// The query that is sent for a stretch of time, as far as the tags are known.
    pub fn query(&self, range: Range) -> Query {
        let tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let mut places = 0..;
        let longest = self.longest();
        let from = range.from.saturating_sub(longest);
        let to = range.to.saturating_add(longest);
        let query = self.query.clone().range(Range { from, to });
        query.map_metrics(
            |metric| match places.next().and_then(|place| tags.get(&place)) {
                Some(tags) => metric.group_by(GroupBy::tags(tags)),
                // The store counts forward alone.
                None if from >= 0 => metric.counted_from_epoch(),
                None => metric,
            },
        )
    }

    /// Learns which tags there are; says whether some were not known.
    fn learn(&self, answer: &Answer) -> bool {
        let mut known = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = false;
        let metrics = self.query.asked_metrics().iter().zip(&answer.queries);
        for (place, (metric, answered)) in metrics.enumerate() {
            if !metric.is_raw() {
                continue;
            }
            for name in answered
                .results
                .iter()
                .flat_map(|series| series.tags.keys())
            {
                let tags = known.entry(place).or_default();
                new |= tags.insert(name.clone());
            }
        }
        new
    }

    async fn ask(&self, range: Range) -> Result<Answer, KairosError> {
        loop {
            let answer = self.client.query(&self.query(range)).await?;
            // Ends: each time there is a tag more, of those that are stored.
            if !self.learn(&answer) {
                return Ok(answer);
            }
        }
    }
}

impl Store for KairosStore {
    async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
        if range.is_empty() {
            return Ok(Fetched::default());
        }
        if let Some(metric) = self.grouped_by_time() {
            return Err(StoreError::fatal(format!(
                "aggregates of `{metric}` are grouped by time, which is counted from where a query begins: in \
                 each poll its groups would be others; poll without, and let a graph group them"
            )));
        }
        let answer = self.ask(range).await?;
        let metrics = self.query.asked_metrics().iter().zip(&answer.queries);
        let points = metrics.flat_map(|(metric, answered)| {
            let series = answered.results.iter();
            series.flat_map(|series| match metric.is_raw() {
                true => series.points_tagged(series.common_tags()),
                false => series.points_tagged({
                    let tags = series.own_tags().merged(&metric.wanted_tags());
                    tags.merged(&series.group_tags())
                }),
            })
        });
        // Beside what was asked for as a part of the whole.
        let all = self.longest() == 0;
        let within = |point: &Point| all || (range.from..=range.to).contains(&point.millis());
        Ok(Fetched {
            points: points.filter(within).collect(),
            server_time: answer.server_time,
        })
    }

    fn name(&self) -> String {
        format!("KairosDB at {}", self.client.url())
    }
}
