//! A store that speaks as much of KairosDB's REST API as this example asks for: points are written, and asked
//! for by metric and stretch of time, grouped by tags. It keeps them in memory, and is out of order at times.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use headwater::BoxError;
use serde_json::{Value, json};

use crate::options::Pace;

/// What is older than the newest point by so many milliseconds is forgotten.
const KEPT: i64 = 600_000;

/// The store, for as long as the runtime lives.
#[derive(Clone)]
struct Store {
    series: Arc<Mutex<BTreeMap<Series, BTreeMap<i64, Value>>>>,
    started: Instant,
    outages: [Duration; 3],
}

/// Metric and tags.
type Series = (String, BTreeMap<String, String>);

/// Starts a store on loopback; returns its URL.
pub async fn start(pace: &Pace) -> Result<String, BoxError> {
    let store = Store {
        series: Arc::default(),
        started: Instant::now(),
        outages: pace.outages,
    };
    let routes = Router::new()
        .route("/api/v1/datapoints", post(write))
        .route("/api/v1/datapoints/query", post(query))
        .route("/api/v1/metricnames", get(names))
        .layer(middleware::from_fn_with_state(store.clone(), in_order))
        .with_state(store);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(url)
}

/// As KairosDB says what was wrong.
fn complaint(status: StatusCode, why: impl Into<String>) -> Response {
    answer(status, json!({ "errors": [why.into()] }))
}

fn answer(status: StatusCode, body: Value) -> Response {
    (
        status,
        [(CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}

/// Nothing is answered during an outage.
async fn in_order(State(store): State<Store>, request: Request, next: Next) -> Response {
    let [every, from, length] = store.outages.map(|length| length.as_nanos());
    let now = store.started.elapsed().as_nanos() % every;
    match (from..from + length).contains(&now) {
        true => complaint(StatusCode::SERVICE_UNAVAILABLE, "out of order"),
        false => next.run(request).await,
    }
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Series, BTreeMap<i64, Value>>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn names(State(store): State<Store>) -> Response {
    let series = store.lock();
    let names: BTreeSet<&String> = series.keys().map(|(metric, _)| metric).collect();
    answer(StatusCode::OK, json!({ "results": names }))
}

async fn write(State(store): State<Store>, body: Bytes) -> Response {
    match written(&mut store.lock(), &body) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => complaint(StatusCode::BAD_REQUEST, why),
    }
}

/// `[{"name": "m", "tags": {"host": "a"}, "datapoints": [[1700000000000, 21.5]]}]`
fn written(store: &mut BTreeMap<Series, BTreeMap<i64, Value>>, body: &[u8]) -> Result<(), String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    for one in body.as_array().ok_or("a list of metrics is expected")? {
        let metric = one["name"].as_str().ok_or("a metric without a name")?;
        let tags = one["tags"].as_object().ok_or("a metric without tags")?;
        let tags = tags.iter().map(|(name, value)| {
            let value = value.as_str().ok_or("a tag that is no text")?;
            Ok((name.clone(), value.to_owned()))
        });
        let tags = tags.collect::<Result<_, &str>>()?;
        let points = store.entry((metric.to_owned(), tags)).or_default();
        for point in one["datapoints"].as_array().ok_or("no datapoints")? {
            let millis = point[0].as_i64().ok_or("a point without a time")?;
            points.insert(millis, point[1].clone());
        }
        if let Some((&newest, _)) = points.last_key_value() {
            *points = points.split_off(&(newest - KEPT));
        }
    }
    Ok(())
}

async fn query(State(store): State<Store>, body: Bytes) -> Response {
    match queried(&store.lock(), &body) {
        Ok(results) => answer(StatusCode::OK, results),
        Err(why) => complaint(StatusCode::BAD_REQUEST, why),
    }
}

fn queried(store: &BTreeMap<Series, BTreeMap<i64, Value>>, body: &[u8]) -> Result<Value, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let time = |name: &str| body[name].as_i64().ok_or(format!("{name} is missing"));
    let (from, to) = (time("start_absolute")?, time("end_absolute")?);
    let metrics = body["metrics"].as_array().ok_or("metrics are missing")?;
    let queries = metrics.iter().map(|metric| asked(store, metric, from, to));
    Ok(json!({ "queries": queries.collect::<Result<Vec<_>, _>>()? }))
}

/// The answer for one metric: a result for each group.
fn asked(
    store: &BTreeMap<Series, BTreeMap<i64, Value>>,
    metric: &Value,
    from: i64,
    to: i64,
) -> Result<Value, String> {
    let known = |field: &&String| !["name", "group_by"].contains(&field.as_str());
    if let Some(other) = metric.as_object().and_then(|m| m.keys().find(known)) {
        return Err(format!("there is no {other} in this store"));
    }
    let name = metric["name"].as_str().ok_or("a metric without a name")?;
    let by = metric["group_by"].as_array().into_iter().flatten();
    let by = by.flat_map(|by| by["tags"].as_array().into_iter().flatten());
    let by: Vec<&str> = by.filter_map(Value::as_str).collect();

    let mut groups: BTreeMap<Vec<&str>, Vec<_>> = BTreeMap::new();
    for ((metric, tags), points) in store {
        if metric == name && from <= to && points.range(from..=to).next().is_some() {
            let group = by.iter().map(|tag| tags.get(*tag).map_or("", |v| v));
            groups
                .entry(group.collect())
                .or_default()
                .push((tags, points));
        }
    }
    let mut size = 0;
    let results = groups.into_iter().map(|(group, series)| {
        let mut tags: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut values = Vec::new();
        for (own, points) in series {
            for (name, value) in own {
                tags.entry(name).or_default().insert(value);
            }
            values.extend(points.range(from..=to));
        }
        values.sort_by_key(|(millis, _)| **millis);
        size += values.len();
        let mut groups = vec![json!({ "name": "type", "type": "number" })];
        if !by.is_empty() {
            let group: BTreeMap<_, _> = by.iter().zip(group).collect();
            groups.push(json!({ "name": "tag", "tags": by, "group": group }));
        }
        json!({ "name": name, "group_by": groups, "tags": tags, "values": values })
    });
    let results: Vec<_> = results.collect();
    Ok(json!({ "sample_size": size, "results": results }))
}
