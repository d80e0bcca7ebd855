//! The metrics of a query, to be polled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::answer::Answer;
use super::client::KairosDb;
use super::error::KairosError;
use super::group_by::GroupBy;
use super::polled::around;
use super::query::Query;
use crate::timeseries::{Fetched, Point, Range, Store, StoreError};

/// The metrics of a query as a store that can be polled; from [`KairosDb::store`]. The query's own times are
/// replaced by those that are asked for.
///
/// Each point comes with its own tags: metrics whose points come as they are stored are grouped by all their
/// tags. Which these are is learnt from answers; when a tag is seen for the first time, the same stretch of
/// time is asked for once more.
///
/// # Aggregates
///
/// Points of metrics with aggregators have the tags of their [group](GroupBy::tags), and those that the query
/// [asks for](super::QueryMetric::tag) with one value: not those that all of them happen to have.
///
/// Requests overlap, and one ends where the next one begins, in the midst of ranges. So that a range comes to the
/// same in each of them,
///
/// - requests begin and end earlier and later by the length of the ranges, and what is beside the stretch of time
///   that is asked for is left out;
/// - ranges of a [`RangeAggregator`](super::RangeAggregator) are counted from 1970 on, in its time zone, unless it
///   has a [`start_time`](super::RangeAggregator::start_time); those of [`gaps`](super::RangeAggregator::gaps) are
///   not.
///
/// With [`align_end_time`](super::RangeAggregator::align_end_time) a range comes when it is over. With
/// [`align_start_time`](super::RangeAggregator::align_start_time) it comes with its first point, and changes as long
/// as it lasts, which is a [revision](crate::timeseries::Polling::revised). With neither it has the time of its
/// first point: should an earlier one come late, it comes once more, at that time.
///
/// What looks at the points before ([`diff`](super::Aggregator::diff), [`rate`](super::Aggregator::rate),
/// [`sampler`](super::Aggregator::sampler), [`sma`](super::Aggregator::sma)) or at the ends of an answer
/// ([`trim`](super::Aggregator::trim), [`limit`](super::QueryMetric::limit)) leaves out points at the beginning or
/// the end of **each** request; poll the points and let a graph do that.
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

    /// The query that is sent for a stretch of time, as far as the tags are known; with aggregators, for what is
    /// around it too.
    pub fn query(&self, range: Range) -> Query {
        let tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let mut places = 0..;
        let asked = around(range, self.query.asked_metrics());
        let query = self.query.clone().range(asked);
        query.map_metrics(
            |metric| match places.next().and_then(|place| tags.get(&place)) {
                Some(tags) => metric.group_by(GroupBy::tags(tags)),
                None => metric.in_parts(asked),
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

    /// The points of a stretch of time, with tags that do not depend on which points there are.
    fn points(&self, answer: &Answer, range: Range) -> Vec<Point> {
        let mut points = Vec::new();
        let metrics = self.query.asked_metrics().iter().zip(&answer.queries);
        for (metric, answered) in metrics {
            for series in &answered.results {
                let tags = match metric.is_raw() {
                    // All are known, and told apart.
                    true => series.common_tags(),
                    false => metric.asked_tags().merged(&series.group_tags()),
                };
                let within = |point: &Point| (range.from..=range.to).contains(&point.millis());
                points.extend(series.points_with(tags).filter(within));
            }
        }
        points
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
        let answer = self.ask(range).await?;
        Ok(Fetched {
            points: self.points(&answer, range),
            server_time: answer.server_time,
        })
    }

    fn name(&self) -> String {
        format!("KairosDB at {}", self.client.url())
    }
}
