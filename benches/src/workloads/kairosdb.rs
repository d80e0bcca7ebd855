//! Points written to KairosDB, and queried: what people write by hand with reqwest and serde_json.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::{Deserialize, Serialize};

use crate::kairosdb_server::{URL, answer, runtime};
use crate::target::at_most;
use crate::workload::{Role, Variant, Workload};

/// A metric, with a tag that tells its series apart.
pub(crate) const METRIC: &str = "power";
pub(crate) const TAG: &str = "device";
pub(crate) const SERIES: u64 = 100;
/// Points of a request.
pub(crate) const BATCH: usize = 10_000;
/// When the first points are.
pub(crate) const EPOCH: u64 = 1_700_000_000_000;

/// The baseline's name in all of these.
const LOOP: &str = "reqwest and serde_json";

/// A point as those have it who write the loop by hand: no names in it, but the number of a series.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) series: u64,
    pub(crate) millis: u64,
    pub(crate) value: f64,
}

/// In the order of time, as devices send them. Two digits behind the point.
pub(crate) fn readings(n: u64) -> impl Iterator<Item = Reading> {
    (0..n).map(|place| Reading {
        series: place % SERIES,
        millis: EPOCH + place / SERIES * 1000,
        value: (place.wrapping_mul(2_654_435_761) % 1_000_000) as f64 / 100.0,
    })
}

/// The tag's value of a series.
pub(crate) fn device(series: u64) -> String {
    format!("device-{series}")
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("there is memory");
    encoder.finish().expect("there is memory")
}

fn workload(name: &'static str, what: &'static str, by_hand: Variant) -> Workload {
    let mut workload = Workload::new(name, what, by_hand);
    // 0.8 of its points a second.
    workload = workload.target(at_most("headwater", 1.25, LOOP));
    (workload.unit, workload.countable) = ("point", false);
    workload
}

/// Writing, without headwater's rows.
pub(crate) fn writing() -> Workload {
    let by_hand = Variant::prepared(LOOP, Role::Hand, |n| write(&URL, n, false));
    workload(
        "kairosdb_write",
        "points written to a server that does nothing",
        by_hand,
    )
}

/// The same, compressed.
pub(crate) fn writing_gzip() -> Workload {
    let by_hand = Variant::prepared(LOOP, Role::Hand, |n| write(&URL, n, true));
    workload(
        "kairosdb_write_gzip",
        "the same, compressed by gzip",
        by_hand,
    )
}

/// Querying, without headwater's rows.
pub(crate) fn querying() -> Workload {
    let by_hand = Variant::prepared(LOOP, Role::Hand, |n| replayed(n, false));
    let what = "points queried from a server that has the answer ready";
    workload("kairosdb_query", what, by_hand).variant(by_value())
}

/// The same, compressed.
pub(crate) fn querying_gzip() -> Workload {
    let by_hand = Variant::prepared(LOOP, Role::Hand, |n| replayed(n, true));
    workload(
        "kairosdb_query_gzip",
        "the same, compressed by gzip",
        by_hand,
    )
}

/// What a request says of a series.
#[derive(Serialize)]
struct Metric<'a> {
    name: &'a str,
    tags: &'a BTreeMap<&'static str, String>,
    datapoints: &'a Vec<(u64, f64)>,
}

/// Writes readings by batches, each sorted to its series first.
pub(crate) fn write(url: &str, n: u64, packed: bool) -> impl FnOnce() -> u64 + use<> {
    let runtime = runtime();
    let client = reqwest::Client::new();
    let url = format!("{url}/api/v1/datapoints");
    let readings: Vec<Reading> = readings(n).collect();
    let tags: Vec<_> = (0..SERIES)
        .map(|s| BTreeMap::from([(TAG, device(s))]))
        .collect();
    let send = move |body: Vec<u8>| {
        let request = client.post(&url).header(CONTENT_TYPE, "application/json");
        let request = match packed {
            true => request.header(CONTENT_ENCODING, "gzip").body(gzip(&body)),
            false => request.body(body),
        };
        async move {
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), 204);
        }
    };
    // The connection is there before it is timed.
    runtime.block_on(send(b"[]".to_vec()));
    move || {
        runtime.block_on(async {
            let mut series: Vec<Vec<(u64, f64)>> = vec![Vec::new(); SERIES as usize];
            let mut written = 0;
            for batch in readings.chunks(BATCH) {
                for reading in batch {
                    series[reading.series as usize].push((reading.millis, reading.value));
                }
                let metrics = series
                    .iter()
                    .zip(&tags)
                    .filter(|(points, _)| !points.is_empty());
                let metrics = metrics.map(|(datapoints, tags)| Metric {
                    name: METRIC,
                    tags,
                    datapoints,
                });
                let body = serde_json::to_vec(&metrics.collect::<Vec<_>>()).expect("it is JSON");
                series.iter_mut().for_each(Vec::clear);
                send(body).await;
                written += batch.len() as u64;
            }
            written
        })
    }
}

/// An answer, as far as somebody reads it who knows that all values are numbers.
#[derive(Deserialize)]
struct Answer<V> {
    queries: Vec<Answered<V>>,
}

#[derive(Deserialize)]
struct Answered<V> {
    results: Vec<Series<V>>,
}

#[derive(Deserialize)]
struct Series<V> {
    name: String,
    tags: BTreeMap<String, Vec<String>>,
    values: Vec<(i64, V)>,
}

/// A server's answer of so many points.
pub(crate) fn ready(n: u64) {
    let mut series: Vec<Vec<(u64, f64)>> = vec![Vec::new(); SERIES as usize];
    for reading in readings(n) {
        series[reading.series as usize].push((reading.millis, reading.value));
    }
    let results = series.iter().enumerate().map(|(place, values)| {
        serde_json::json!({
            "name": METRIC,
            "group_by": [
                { "name": "type", "type": "number" },
                { "name": "tag", "tags": [TAG], "group": { TAG: device(place as u64) } },
            ],
            "tags": { TAG: [device(place as u64)] },
            "values": values,
        })
    });
    let results: Vec<_> = results.collect();
    let json = serde_json::json!({ "queries": [{ "sample_size": n, "results": results }] });
    answer(json.to_string().into_bytes());
}

/// The query that is sent: so many points from the first one on.
fn query(n: u64) -> String {
    let end = EPOCH + (n / SERIES).max(1) * 1000 - 1;
    let by = serde_json::json!([{ "name": "tag", "tags": [TAG] }]);
    let metrics = serde_json::json!([{ "name": METRIC, "group_by": by }]);
    serde_json::json!({ "start_absolute": EPOCH, "end_absolute": end, "metrics": metrics })
        .to_string()
}

fn replayed(n: u64, packed: bool) -> impl FnOnce() -> u64 {
    ready(n);
    ask(&URL, n, packed, |value: &f64| *value)
}

/// As those read it who don't know what the values are.
fn by_value() -> Variant {
    Variant::prepared("the same, values untyped", Role::Hand, |n| {
        ready(n);
        ask(&URL, n, false, |value: &serde_json::Value| {
            value.as_f64().unwrap_or_default()
        })
    })
}

/// Asks for so many points at once; returns what [`sum`] makes of them.
pub(crate) fn ask<V: serde::de::DeserializeOwned>(
    url: &str,
    n: u64,
    packed: bool,
    number: fn(&V) -> f64,
) -> impl FnOnce() -> u64 + use<V> {
    let runtime = runtime();
    let client = reqwest::Client::builder()
        .gzip(packed)
        .build()
        .expect("a client");
    let url = format!("{url}/api/v1/datapoints/query");
    let send = move |body: String| {
        let request = client.post(&url).header(CONTENT_TYPE, "application/json");
        async move {
            let answer = request.body(body).send().await.expect("an answer");
            assert_eq!(answer.status(), 200);
            answer.bytes().await.expect("all of the answer")
        }
    };
    let ask = move || -> Answer<V> {
        let body = runtime.block_on(send(query(n)));
        serde_json::from_slice(&body).expect("an answer as expected")
    };
    // The connection is there before it is timed, and memory that a process has had once.
    ask();
    move || {
        let answer = ask();
        let results = answer.queries.iter().flat_map(|query| &query.results);
        let results =
            results.filter(|series| series.name == METRIC && series.tags.contains_key(TAG));
        sum(results
            .flat_map(|series| &series.values)
            .map(|(millis, v)| (*millis, number(v))))
    }
}

/// What all variants return: of times and values.
pub(crate) fn sum(points: impl Iterator<Item = (i64, f64)>) -> u64 {
    points.fold(0, |sum, (millis, value)| {
        sum.wrapping_add((millis as u64).wrapping_mul(31))
            .wrapping_add(value.to_bits())
    })
}
