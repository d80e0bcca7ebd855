//! A web service that measures itself while it is under load.
//!
//! An axum service and its clients run in this process and talk HTTP over loopback. What the service
//! measures goes through a metrics pipeline: a handle and a timer in a middleware, macros of the crate
//! `metrics` in a cache that knows nothing of this library, and `tracing` spans around queries. A line is
//! printed each second, and in the end a table, whose figures must add up to what the clients have counted:
//! otherwise the exit code is 1. As long as it runs, Prometheus can scrape it at `/metrics`.
//!
//! ```sh
//! cargo run --release --example web_service_metrics --features axum,facade,spans -- --seconds 10
//! ```

mod check;
mod clients;
mod ledger;
mod service;

use std::process::ExitCode;
use std::time::Duration;

use headwater::aggregate::ApproxQuantile;
use headwater::metrics::{Kind, Metric, MetricError, MetricsPipeline, SpanTimer, Unit};
use headwater::prelude::*;
use tracing_subscriber::prelude::*;

use ledger::Ledger;

const WINDOW: Duration = Duration::from_secs(1);

fn pipeline(ledger: &Ledger) -> Result<MetricsPipeline, MetricError> {
    MetricsPipeline::builder()
        .metric(
            Metric::new("requests")
                .kind(Kind::Counter)
                .help("requests that were answered")
                .agg("sum", Sum)
                .window(WINDOW),
        )
        .metric(
            Metric::new("latency")
                .kind(Kind::Histogram)
                .unit(Unit::Millis)
                .agg("count", Count)
                .agg("sum", Sum)
                .agg("p99", ApproxQuantile::new(0.99))
                .agg("max", Max)
                .window(WINDOW),
        )
        .metric(
            Metric::new("query")
                .kind(Kind::Histogram)
                .unit(Unit::Millis)
                .agg("count", Count)
                .agg("sum", Sum)
                .window(WINDOW),
        )
        .metric(
            Metric::new("under_way")
                .agg("last", Last)
                .agg("max", Max)
                .window(WINDOW),
        )
        .sink(ledger.clone())
        .spawn()
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let seconds = seconds(std::env::args().skip(1))?;
    let ledger = Ledger::default();
    let metrics = pipeline(&ledger)?;
    // What libraries measure by the facade, and queries by their spans.
    let recorder = metrics.recorder().window(WINDOW).install()?;
    let queries = SpanTimer::new("query").named("query").field("table");
    let spans = metrics.time_spans([queries])?;
    tracing_subscriber::registry().with(spans).init();

    let service = service::start(&metrics).await?;
    println!(
        "serving http://{} for {seconds} s; metrics at /metrics\n",
        service.address
    );
    println!("{}", ledger::HEADING);
    let answers = clients::run(service.address, Duration::from_secs(seconds)).await;
    let scraped = clients::scrape(service.address).await?;
    service.stop().await?;

    let report = metrics.shutdown_within(Duration::from_secs(5)).await?;
    ledger.print_totals();
    println!("\n{report}");
    let faults = check::faults(&ledger, &answers, &report, &recorder.snapshot());
    let faults: Vec<_> = faults
        .into_iter()
        .chain(check::scrape_faults(&scraped))
        .collect();
    for fault in &faults {
        eprintln!("does not add up: {fault}");
    }
    if !faults.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let requests: u64 = answers.values().sum();
    println!("all adds up: the clients counted the same {requests} answers");
    Ok(ExitCode::SUCCESS)
}

/// How long to run, in seconds: 10 unless said otherwise.
fn seconds(mut arguments: impl Iterator<Item = String>) -> Result<u64, String> {
    const USAGE: &str = "usage: web_service_metrics [--seconds N], of 1 at least";
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(10),
        (Some("--seconds"), Some(n)) => match n.parse() {
            Ok(seconds) if seconds > 0 => Ok(seconds),
            _ => Err(USAGE.to_owned()),
        },
        _ => Err(USAGE.to_owned()),
    }
}
