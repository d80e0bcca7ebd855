//! The client of KairosDB against KairosDB itself: every call, every aggregator, what goes wrong.
//!
//! One server is started for all of these tests; each has metrics of its own.

#![cfg(feature = "kairosdb")]

macro_rules! client {
    () => {
        match client().await {
            Some(client) => client,
            None => return Ok(()),
        }
    };
}

mod aggregators;
mod deleting;
mod errors;
mod polling;
mod queries;
mod writing;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use headwater::timeseries::kairosdb::{Answer, KairosDb, Query, QueryMetric};
use headwater::timeseries::{Point, PointValue};
use headwater_services::or_skip;

type Failed = Box<dyn std::error::Error>;

type Tested = Result<(), Failed>;

/// It goes with this process.
static SERVER: LazyLock<Option<headwater_services::KairosDb>> =
    LazyLock::new(|| or_skip(headwater_services::KairosDb::start()));

/// A client of the server, unless the machine has none.
async fn client() -> Option<KairosDb> {
    let server = tokio::task::spawn_blocking(|| SERVER.as_ref()).await;
    let server = server.expect("starting it does not panic")?;
    Some(KairosDb::new(server.url()).expect("a URL"))
}

/// Some time in 2023.
const THEN: i64 = 1_700_000_000_000;

/// A point of a host `a`.
fn point(metric: &str, millis: i64, value: impl Into<PointValue>) -> Point {
    Point::new(metric, millis, value).tagged([("host", "a")])
}

fn everything(metric: impl Into<QueryMetric>) -> Query {
    Query::since(-THEN).metric(metric)
}

/// Asks until so many points can be read: they are queued first.
async fn read(client: &KairosDb, query: &Query, points: u64) -> Result<Answer, Failed> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = client.query(query).await?;
        let sizes = answer.queries.iter().filter_map(|query| query.sample_size);
        let read: u64 = sizes.sum();
        if read >= points || Instant::now() > end {
            assert_eq!(read, points, "{answer:?}");
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Writes points, and waits until they can be read.
async fn written(client: &KairosDb, points: &[Point]) -> Tested {
    let queued = client.write(points).await?;
    assert_eq!(queued.points, points.len());
    let mut metrics: BTreeMap<&str, u64> = BTreeMap::new();
    for point in points {
        *metrics.entry(point.metric()).or_default() += 1;
    }
    for (metric, count) in metrics {
        read(client, &everything(metric), count).await?;
    }
    Ok(())
}

fn sorted(points: impl IntoIterator<Item = Point>) -> Vec<Point> {
    let mut points: Vec<Point> = points.into_iter().collect();
    points.sort();
    points
}
