//! What stands in for KairosDB where time is virtual: its query call, over the points of a [`World`].

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::time::Duration;

use headwater::timeseries::{Point, PointValue, Range, Store};
use serde_json::{Value, json};

use crate::http_front::{Asked, Front, Reply};
use crate::world::World;

/// Lets virtual time pass in small steps, with time enough for sockets between them. Left to itself, a clock that
/// is paused moves on to the next timeout as soon as all wait for a socket, though what they wait for is there.
pub fn let_time_pass() {
    tokio::spawn(async {
        loop {
            // Each time, the sockets are looked at.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            tokio::time::advance(STEP).await;
        }
    });
}

const STEP: Duration = Duration::from_millis(500);

/// A server whose points are those of a world, with its faults and its latency.
pub async fn kairosdb_of(world: &World) -> Front {
    let world = world.clone();
    Front::waiting(move |_, asked| {
        let (asked, world) = (asked.clone(), world.clone());
        async move { answer(&world, &asked).await }
    })
    .await
}

async fn answer(world: &World, asked: &Asked) -> Reply {
    let query = asked.json();
    let time = |name: &str| query[name].as_i64().expect("an absolute time");
    let (from, to) = (time("start_absolute"), time("end_absolute"));
    if to < from {
        return Reply::errors(
            400,
            &["query.metric[0].end_time must be greater than the start time"],
        );
    }
    let fetched = match world.fetch(Range { from, to }).await {
        Ok(fetched) => fetched,
        Err(error) => return Reply::errors(503, &[&error.to_string()]),
    };
    let metrics = query["metrics"].as_array().expect("metrics").iter();
    let queries: Vec<Value> = metrics
        .map(|metric| results(metric, &fetched.points))
        .collect();
    let reply = Reply::ok(json!({ "queries": queries }).to_string());
    match fetched.server_time {
        Some(time) => reply.with("date", httpdate::fmt_http_date(time)),
        None => reply,
    }
}

type Group = (bool, Vec<String>);

/// Results of one metric: one for each kind of values and each group of tags, as KairosDB has them.
fn results(metric: &Value, points: &[Point]) -> Value {
    let group_by = metric["group_by"].as_array().into_iter().flatten();
    let names: Vec<&str> = group_by
        .flat_map(|group| group["tags"].as_array().expect("tags"))
        .map(|name| name.as_str().expect("a name"))
        .collect();
    let name = metric["name"].as_str().expect("a name");
    let mut groups: BTreeMap<Group, Vec<&Point>> = BTreeMap::new();
    let found = points.iter().filter(|point| point.metric() == name);
    for point in found {
        let tag = |name: &&str| point.tags().get(name).map(ToString::to_string);
        let tags = names.iter().map(|name| tag(name).unwrap_or_default());
        let text = matches!(point.value(), PointValue::Text(_));
        let group = groups.entry((text, tags.collect())).or_default();
        group.push(point);
    }
    let sample_size: usize = groups.values().map(Vec::len).sum();
    if groups.is_empty() {
        groups.insert((false, Vec::new()), Vec::new());
    }
    let results = groups.into_iter().map(|((text, values), points)| {
        let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in points.iter().flat_map(|point| point.tags().iter()) {
            let values = tags.entry(name.to_string()).or_default();
            let value = value.to_string();
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let group: BTreeMap<_, _> = names
            .iter()
            .zip(values)
            .filter(|(_, v)| !v.is_empty())
            .collect();
        let kind = if text { "text" } else { "number" };
        let mut group_by = vec![json!({"name": "type", "type": kind})];
        if !names.is_empty() {
            group_by.insert(0, json!({"name": "tag", "tags": names, "group": group}));
        }
        let values: Vec<Value> = points.iter().map(|point| pair(point)).collect();
        json!({"name": name, "group_by": group_by, "tags": tags, "values": values})
    });
    json!({"sample_size": sample_size, "results": results.collect::<Vec<_>>()})
}

fn pair(point: &Point) -> Value {
    match point.value() {
        PointValue::Number(headwater::metrics::Value::Int(int)) => json!([point.millis(), int]),
        PointValue::Number(number) => json!([point.millis(), number.as_f64()]),
        PointValue::Text(text) => json!([point.millis(), &**text]),
        other => panic!("KairosDB has no {other:?}"),
    }
}
