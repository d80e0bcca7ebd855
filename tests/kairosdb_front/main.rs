//! The client of KairosDB against a server that fails in all the ways that networks and gateways have.

#![cfg(feature = "kairosdb")]

#[path = "../http_front/mod.rs"]
mod http_front;

mod answers;
mod attempts;
mod limits;
mod requests;
mod ways;
mod writes;

use std::io::Write;
use std::time::Duration;

use headwater::timeseries::Point;
use headwater::timeseries::kairosdb::{KairosDb, KairosDbBuilder, KairosError, Query};
use http_front::{Front, Reply};

type Failed = Box<dyn std::error::Error>;

type Tested = Result<(), Failed>;

/// One point, as it is answered.
const ONE: &str = r#"{"queries":[{"sample_size":1,"results":[{"name":"m",
    "group_by":[{"name":"type","type":"number"}],"tags":{"host":["a"]},"values":[[1,2.5]]}]}]}"#;

/// A client that does not wait long.
fn quick(url: &str) -> KairosDbBuilder {
    let short = Duration::from_millis(1);
    KairosDb::builder(url).backoff(short, short)
}

fn query() -> Query {
    Query::since(0).metric("m")
}

fn points(count: i64) -> Vec<Point> {
    let point = |n| Point::new("m", n, n).tagged([("host", "a")]);
    (0..count).map(point).collect()
}

/// Answers so once, and then well.
async fn once(reply: Reply) -> Front {
    Front::new(move |n, _| {
        if n == 0 {
            reply.clone()
        } else {
            Reply::ok(ONE)
        }
    })
    .await
}

/// Answers so always.
async fn always(reply: Reply) -> Front {
    Front::new(move |_, _| reply.clone()).await
}

async fn fails(builder: KairosDbBuilder) -> Result<KairosError, Failed> {
    Ok(builder
        .build()?
        .query(&query())
        .await
        .expect_err("it should fail"))
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}
