//! Points written to KairosDB and queried by headwater's client.

use std::cell::RefCell;

use headwater::metrics::Tags;
use headwater::timeseries::kairosdb::{GroupBy, Gzip, KairosDb, Query, QueryMetric};
use headwater::timeseries::{Point, PointValue};

use crate::kairosdb_server::{URL, runtime};
use crate::workload::{Role, Variant, Workload};
use crate::workloads::kairosdb::{BATCH, EPOCH, METRIC, SERIES, TAG, device, readings, ready, sum};

/// Adds headwater's row.
pub(crate) fn add_writing(workload: Workload) -> Workload {
    workload
        .variant(Variant::prepared("headwater", Role::Ours, |n| {
            write(&URL, n, Gzip::Off)
        }))
        .variant(Variant::prepared(
            "headwater, all in one call",
            Role::Ours,
            |n| write_all(&URL, n),
        ))
}

/// Adds headwater's row.
pub(crate) fn add_writing_gzip(workload: Workload) -> Workload {
    let run = |n| write(&URL, n, Gzip::ContentEncoding);
    workload.variant(Variant::prepared("headwater", Role::Ours, run))
}

/// Adds headwater's rows.
pub(crate) fn add_querying(workload: Workload) -> Workload {
    workload
        .variant(Variant::prepared("headwater", Role::Ours, |n| {
            ready(n);
            ask(&URL, n, false)
        }))
        .variant(Variant::prepared("headwater, as points", Role::Ours, |n| {
            ready(n);
            ask_for_points(&URL, n)
        }))
}

/// Adds headwater's row.
pub(crate) fn add_querying_gzip(workload: Workload) -> Workload {
    workload.variant(Variant::prepared("headwater", Role::Ours, |n| {
        ready(n);
        ask(&URL, n, true)
    }))
}

/// Requests as large as those by hand.
fn client(url: &str, gzip: Gzip, unpack: bool) -> KairosDb {
    let builder = KairosDb::builder(url).max_points(BATCH).max_bytes(64 << 20);
    builder
        .gzip(gzip)
        .gzip_answers(unpack)
        .build()
        .expect("a client")
}

pub(crate) fn write(url: &str, n: u64, gzip: Gzip) -> impl FnOnce() -> u64 + use<> {
    let (runtime, client, points) = (runtime(), client(url, gzip, true), points(n));
    runtime.block_on(client.write_raw("[]")).expect("an answer");
    move || {
        let batches = points.chunks(BATCH);
        let write = |batch| {
            let queued = runtime.block_on(client.write(batch)).expect("it takes all");
            queued.points as u64
        };
        let written = batches.map(write).sum();
        give_back(points);
        written
    }
}

/// What was written is not for the client to drop: that is done when the next run is prepared.
fn give_back(points: Vec<Point>) {
    GIVEN_BACK.with_borrow_mut(|given| *given = points);
}

thread_local! {
    static GIVEN_BACK: RefCell<Vec<Point>> = const { RefCell::new(Vec::new()) };
}

/// All at once, which the client cuts to requests: it looks at all of them before it sends the first one.
fn write_all(url: &str, n: u64) -> impl FnOnce() -> u64 + use<> {
    let (runtime, client, points) = (runtime(), client(url, Gzip::Off, true), points(n));
    runtime.block_on(client.write_raw("[]")).expect("an answer");
    move || {
        let queued = runtime
            .block_on(client.write(&points))
            .expect("it takes all");
        give_back(points);
        queued.points as u64
    }
}

/// The readings, as points.
fn points(n: u64) -> Vec<Point> {
    give_back(Vec::new());
    let tags: Vec<_> = (0..SERIES)
        .map(|s| Tags::from([(TAG, device(s))]))
        .collect();
    let metric: std::sync::Arc<str> = METRIC.into();
    readings(n)
        .map(|reading| {
            let point = Point::new(metric.clone(), reading.millis as i64, reading.value);
            point.tagged(&tags[reading.series as usize])
        })
        .collect()
}

fn query(n: u64) -> Query {
    let end = EPOCH + (n / SERIES).max(1) * 1000 - 1;
    let metric = QueryMetric::new(METRIC).group_by(GroupBy::tags([TAG]));
    Query::between(EPOCH as i64, end as i64).metric(metric)
}

pub(crate) fn ask(url: &str, n: u64, unpack: bool) -> impl FnOnce() -> u64 + use<> {
    let (runtime, client) = (runtime(), client(url, Gzip::Off, unpack));
    runtime
        .block_on(client.query(&query(n)))
        .expect("an answer");
    move || {
        let answer = runtime
            .block_on(client.query(&query(n)))
            .expect("an answer");
        let values = answer.series().flat_map(|series| &series.values);
        let number = |value: &PointValue| match value {
            PointValue::Number(number) => number.as_f64(),
            PointValue::Text(_) | PointValue::Null => 0.0,
        };
        sum(values.map(|(millis, value)| (*millis, number(value))))
    }
}

/// Each of them with its metric and its tags.
fn ask_for_points(url: &str, n: u64) -> impl FnOnce() -> u64 + use<> {
    let (runtime, client) = (runtime(), client(url, Gzip::Off, false));
    runtime
        .block_on(client.query(&query(n)))
        .expect("an answer");
    move || {
        let answer = runtime
            .block_on(client.query(&query(n)))
            .expect("an answer");
        let points: Vec<Point> = answer.points().collect();
        let number = |point: &Point| point.number().map_or(0.0, |number| number.as_f64());
        sum(points.iter().map(|point| (point.millis(), number(point))))
    }
}

/// How many of the first so many points can be read.
pub(crate) fn stored(url: &str, n: u64) -> u64 {
    let (runtime, client) = (runtime(), client(url, Gzip::Off, false));
    let answer = runtime
        .block_on(client.query(&query(n)))
        .expect("an answer");
    answer.points().count() as u64
}
