//! The client of proficloud.io against a service that gives tokens which expire, are revoked, and can't be had.

#![cfg(feature = "proficloud")]

#[path = "../http_front/mod.rs"]
mod http_front;
#[path = "../proficloud_front/mod.rs"]
mod proficloud_front;

mod influxql;
mod polling;
mod questions;
mod tokens;

use std::time::Duration;

use headwater::timeseries::Point;
use headwater::timeseries::proficloud::{
    IoQuery, ProficloudError, ProficloudIo, ProficloudIoBuilder,
};
use http_front::{Front, Reply};
use proficloud_front::{Cloud, PASSWORD, Shared, USER, cloud_front};
use serde_json::json;

type Failed = Box<dyn std::error::Error>;

type Tested = Result<(), Failed>;

/// 2023-11-14T22:13:20Z
const THEN: i64 = 1_700_000_000_000;

fn builder(front: &Front) -> ProficloudIoBuilder {
    let short = Duration::from_millis(1);
    let builder = ProficloudIo::builder().backoff(short, short);
    builder.data_url(front.url()).auth_url(front.url())
}

fn query() -> IoQuery {
    IoQuery::new("7d0e")
        .metric("m")
        .between(THEN, THEN + 60_000)
}

/// A service with a point, and a client of its user.
async fn cloud() -> Result<(Shared, Front, ProficloudIo), Failed> {
    let cloud = Cloud::shared();
    let point = ("2023-11-14T22:13:21.500Z".to_owned(), json!(2.5));
    cloud
        .lock()
        .unwrap()
        .points
        .insert("m".to_owned(), vec![point]);
    let front = cloud_front(cloud.clone()).await;
    let client = builder(&front).user(USER, PASSWORD).build()?;
    Ok((cloud, front, client))
}

fn the_point() -> Point {
    Point::new("m", THEN + 1_500, 2.5).tagged([("uuid", "7d0e")])
}

async fn fails(client: &ProficloudIo) -> ProficloudError {
    client.query(&query()).await.expect_err("it should fail")
}

/// What stands in a question between these two.
fn between<'a>(question: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = question.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

/// A service that answers questions in InfluxQL from these points, in order of time, with so many in a page.
async fn influx(points: Vec<(String, f64)>) -> Result<(Front, ProficloudIo), Failed> {
    let front = Front::new(move |_, asked| {
        if asked.path == "/epts/token" {
            return Reply::ok(r#"{"access_token": "influx"}"#);
        }
        let question = proficloud_front::parameters(asked).remove("q").unwrap();
        let from = between(&question, "time >= '", "'").unwrap();
        let before = between(&question, "time < '", "'");
        let until = between(&question, "time <= '", "'");
        let within = |(time, _): &&(String, f64)| {
            **time >= *from
                && before.is_none_or(|end| **time < *end)
                && until.is_none_or(|end| **time <= *end)
        };
        let mut rows: Vec<_> = points.iter().filter(within).collect();
        if question.contains("ORDER BY time DESC") {
            rows.reverse();
        }
        rows.truncate(20_000);
        assert!(question.ends_with("LIMIT 20000"));
        if rows.is_empty() {
            return Reply::ok(r#"{"results":[{"statement_id":0}]}"#);
        }
        let series = json!([{"name": "m", "columns": ["time", "value"], "values": rows}]);
        Reply::ok(json!({"results": [{"statement_id": 0, "series": series}]}).to_string())
    })
    .await;
    let client = builder(&front).influx().user(USER, PASSWORD).build()?;
    Ok((front, client))
}
