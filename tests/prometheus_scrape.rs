//! A real Prometheus scrapes a pipeline's route of axum, in both formats, and answers queries about it.
//!
//! That takes real time: it waits for somebody else's program.

#![cfg(feature = "axum")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use headwater::metrics::{
    Element, Exposition, ExpositionFormat, Kind, Metric, MetricSink, MetricsPipeline,
    PrometheusSink, Tags,
};
use headwater::prelude::*;
use headwater_services::{Prometheus, Series, or_skip};
use tokio::net::TcpListener;

type Failed = Box<dyn Error>;

/// For a server on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Serves both formats: the one that is asked for, and always the text format.
async fn serve(exposition: &Exposition) -> Result<SocketAddr, Failed> {
    let text = exposition.clone();
    let text = get(async move || {
        let format = ExpositionFormat::Text;
        ([(CONTENT_TYPE, format.content_type())], text.render(format))
    });
    let app = Router::new()
        .route("/metrics", exposition.route())
        .route("/text", text);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

/// Two jobs that scrape every second.
fn config(target: SocketAddr) -> String {
    let job = |name: &str, path: &str| {
        format!(
            "  - job_name: {name}\n    metrics_path: {path}\n    static_configs:\n      - targets: \
             [\"{target}\"]\n"
        )
    };
    let jobs = job("openmetrics", "/metrics") + &job("text", "/text");
    format!("global:\n  scrape_interval: 1s\nscrape_configs:\n{jobs}")
}

/// The names and labels of a series, without those that Prometheus adds.
type Labelled = (String, BTreeMap<String, String>);

/// The last values that Prometheus has of a job's series, but for its own (`up`, `scrape_…`).
fn last_values(store: &Prometheus, job: &str) -> Result<BTreeMap<Labelled, f64>, Failed> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let selector = format!("{{job={job:?},__name__!~\"up|scrape_.*\"}}");
    let all: Vec<Series> = store.read(&selector, 600, i64::try_from(now)? + 1)?;
    let last = all.into_iter().map(|mut series| {
        series.tags.remove("job");
        series.tags.remove("instance");
        let (_, value) = series.points[series.points.len() - 1];
        ((series.name, series.tags), value)
    });
    Ok(last.collect())
}

/// Waits until Prometheus says of both jobs what is expected.
fn eventually(store: &Prometheus, expected: &BTreeMap<Labelled, f64>) -> Result<(), Failed> {
    let begin = Instant::now();
    loop {
        let read = |job| -> Result<_, Failed> {
            let mut values = last_values(store, job)?;
            values.retain(|(name, _), _| !name.ends_with("_created"));
            Ok(values)
        };
        let both = (read("openmetrics")?, read("text")?);
        if (&both.0, &both.1) == (expected, expected) {
            return Ok(());
        }
        if begin.elapsed() > PATIENCE {
            assert_eq!(&both.0, expected, "as OpenMetrics");
            assert_eq!(&both.1, expected, "as text");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn labelled(name: &str, labels: &[(&str, &str)]) -> Labelled {
    let labels = labels.iter();
    let labels = labels.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    (name.to_owned(), labels.collect())
}

/// What Prometheus was told of a metric: job, type, help, unit.
fn told(store: &Prometheus, metric: &str) -> Result<BTreeSet<[String; 4]>, Failed> {
    let path = format!("/api/v1/targets/metadata?metric={metric}");
    let answer = store.http().get(&path)?.json()?;
    let all = answer["data"].as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let one = |told: &serde_json::Value| {
        [
            text(&told["target"]["job"]),
            text(&told["type"]),
            text(&told["help"]),
            text(&told["unit"]),
        ]
    };
    Ok(all.iter().map(one).collect())
}

/// An answer to a request by HTTP/1.1, head and body.
fn ask(address: SocketAddr, request: &str) -> Result<(String, String), std::io::Error> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{request}\r\nHost: here\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.to_ascii_lowercase(), body.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_route_answers_in_the_format_that_is_asked_for() -> Result<(), Failed> {
    let mut sink = PrometheusSink::new();
    let address = serve(&sink.exposition()).await?;
    sink.deliver(&[Element::new("load", 0.5)]).await?;
    let ask = async |request: &'static str| {
        tokio::task::spawn_blocking(move || ask(address, request)).await
    };

    let (head, body) = ask("GET /metrics HTTP/1.1").await??;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(
        head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
        "{head}"
    );
    assert_eq!(body, "# TYPE load gauge\nload 0.5\n");

    let two = "GET /metrics HTTP/1.1\r\nAccept: text/plain;q=0.5\r\n\
               Accept: application/openmetrics-text;version=1.0.0";
    let (head, body) = ask(two).await??;
    let content_type = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.contains(content_type), "{head}");
    assert_eq!(body, "# TYPE load gauge\nload 0.5\n# EOF\n");

    let (head, body) = ask("HEAD /metrics HTTP/1.1").await??;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body, "");
    let (head, _) = ask("POST /metrics HTTP/1.1\r\nContent-Length: 0").await??;
    assert!(head.starts_with("http/1.1 405"), "{head}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_gauges_and_summaries_arrive_in_both_formats() -> Result<(), Failed> {
    let sink = PrometheusSink::new();
    let exposition = sink.exposition();
    let address = serve(&exposition).await?;
    let config = config(address);
    let started = tokio::task::spawn_blocking(move || or_skip(Prometheus::start(&config))).await?;
    let Some(store) = started else {
        return Ok(());
    };

    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("http.requests")
                .kind(Kind::Counter)
                .help("Requests that were \"served\".")
                .agg("sum", Sum)
                .window(Duration::from_millis(50)),
        )
        .metric(
            Metric::new("latency")
                .kind(Kind::Histogram)
                .unit("seconds")
                .help("How long\nit \\ took.")
                .agg("p99", Quantile::new(0.99))
                .agg("median", Median)
                .agg("sum", Sum)
                .agg("count", Count)
                .agg("max", Max)
                .batch(100),
        )
        .metric(Metric::new("températur").agg("last", Last).batch(1))
        .sink(sink)
        .spawn()?;
    // Labels that are hard to read: all of these must come back as they are.
    let hostile = [
        "a\\b\"c\nd",
        "{},=# ",
        "\r\t\u{0}",
        "ünï\u{2028}",
        "\\n",
        "200",
    ];
    for round in 1..=10 {
        for n in 0..100_i32 {
            metrics.send_tagged("http.requests", 1, [("route", hostile[n as usize % 6])])?;
            metrics.send("latency", f64::from(n * round) / 128.0)?;
        }
        metrics.send_tagged(
            "températur",
            f64::from(round) / 4.0,
            Tags::new().with("9.raum", 7),
        )?;
        metrics.flush().await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let mut expected: BTreeMap<Labelled, f64> = hostile
        .iter()
        .enumerate()
        .map(|(at, text)| {
            // 100 values among six routes: the first four get one more.
            let total = if at < 4 { 170.0 } else { 160.0 };
            (labelled("http_requests_total", &[("route", text)]), total)
        })
        .collect();
    let sum: f64 = (1..=10)
        .map(|round| f64::from(99 * 50 * round) / 128.0)
        .sum();
    expected.extend([
        (
            labelled("latency_seconds", &[("quantile", "0.5")]),
            495.0 / 128.0,
        ),
        (labelled("latency_seconds_sum", &[]), sum),
        (labelled("latency_seconds_count", &[]), 1000.0),
        (labelled("latency_max", &[]), 990.0 / 128.0),
        (labelled("temp_ratur_last", &[("_9_raum", "7")]), 2.5),
    ]);
    let p99 = labelled("latency_seconds", &[("quantile", "0.99")]);
    let shown = exposition.render(ExpositionFormat::Text);
    let shown = shown
        .lines()
        .find_map(|line| line.strip_prefix("latency_seconds{quantile=\"0.99\"} "));
    expected.insert(p99, shown.ok_or("no quantile")?.parse()?);

    tokio::task::spawn_blocking(move || {
        eventually(&store, &expected).map_err(|error| error.to_string())?;
        let created = |job| -> Result<usize, Failed> {
            let all = last_values(&store, job)?;
            Ok(all
                .keys()
                .filter(|(name, _)| name.ends_with("_created"))
                .count())
        };
        let check = || -> Result<(), Failed> {
            // Which shows which format was read: only OpenMetrics tells when totals began, and units.
            assert_eq!((created("openmetrics")?, created("text")?), (7, 0));
            let help = "How long\nit \\ took.";
            let of = |job: &str, unit: &str| [job, "summary", help, unit].map(str::to_owned);
            let summaries = [of("openmetrics", "seconds"), of("text", "")];
            assert_eq!(told(&store, "latency_seconds")?, summaries.into());
            let of = |job: &str, help: &str| [job, "counter", help, ""].map(str::to_owned);
            let help = "Requests that were \"served\".";
            assert_eq!(
                told(&store, "http_requests")?,
                [of("openmetrics", help)].into()
            );
            assert_eq!(
                told(&store, "http_requests_total")?,
                [of("text", help)].into()
            );
            Ok(())
        };
        check().map_err(|error| error.to_string())
    })
    .await??;
    metrics.shutdown().await?;
    Ok(())
}
