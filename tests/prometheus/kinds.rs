//! What a metric becomes.

use std::sync::Arc;
use std::time::Duration;

use headwater::metrics::ExpositionFormat::{OpenMetrics, Text};
use headwater::metrics::{
    Delivery, Element, Exposition, Kind, Metric, MetricSink, MetricsPipeline, SinkOptions,
};
use headwater::prelude::*;

use super::{element, families, latency, read, requests, sink, take, told};

#[test]
fn each_kind_of_metric_becomes_what_it_is() {
    let metric = |kind| Metric::new("m").kind(kind).batch(1);
    let counter = || metric(Kind::Counter);
    let cases: [(Metric, &[&str]); 10] = [
        (counter().agg("sum", Sum), &["m counter"]),
        (counter().agg("n", Count), &["m counter"]),
        (
            counter().agg("n", Count).agg("sum", Sum),
            &["m counter", "m_n counter"],
        ),
        (counter().agg("last", Last).unit("bytes"), &["m_last gauge"]),
        (
            counter().agg("n", Count).agg("sum", Sum).unit("bytes"),
            &["m_bytes counter", "m_n counter"],
        ),
        (counter().agg("n", Count).unit("bytes"), &["m counter"]),
        (
            metric(Kind::Gauge).agg("sum", Sum).agg("n", Count),
            &["m_n gauge", "m_sum gauge"],
        ),
        (metric(Kind::Histogram).agg("mean", Mean), &["m_mean gauge"]),
        (
            metric(Kind::Histogram)
                .agg("a", Median)
                .agg("b", Quantile::new(0.5))
                .agg("c", Quantile::new(0.9)),
            &["m summary", "m_b gauge"],
        ),
        (
            metric(Kind::Histogram).agg("n", Count).unit("%"),
            &["m summary"],
        ),
    ];
    for (metric, expected) in cases {
        assert_eq!(families(metric), expected);
    }
    let total = |name, unit: &str| {
        let metric = Metric::new(name)
            .kind(Kind::Counter)
            .agg("sum", Sum)
            .batch(1);
        families(metric.unit(unit))
    };
    assert_eq!(total("bytes.total", ""), ["bytes counter"]);
    assert_eq!(total("sent_bytes_total", "bytes"), ["sent_bytes counter"]);
    assert_eq!(total("bytes", "bytes"), ["bytes counter"]);
}

#[test]
fn what_only_grows_takes_nothing_that_would_make_it_fall() {
    let mut sink = told(&[requests(), latency()]);
    let all = [
        element("http.requests.sum", 5),
        element("http.requests.sum", -1),
        element("http.requests.sum", f64::NAN),
        element("http.requests.sum", f64::INFINITY),
        element("latency.p99", -1),
        element("latency.p99", f64::NAN),
        element("latency.sum", 2),
        element("latency.count", 2),
    ];
    let error = take(&mut sink, &all).unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (8, 4));
    let exposition = sink.exposition();
    let samples = |format| {
        let text = exposition.render(format);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = [
        "http_requests_total 5",
        "latency_seconds{quantile=\"0.99\"} NaN",
        "latency_seconds_sum 2",
        "latency_seconds_count 2",
    ];
    assert_eq!(samples(Text), expected);
    // A sum with something missing would be no sum.
    let all = [
        element("latency.sum", -0.5),
        element("latency.count", 1),
        element("latency.sum", 1),
    ];
    take(&mut sink, &all).unwrap_err();
    assert_eq!(samples(Text)[2..], ["latency_seconds_count 3"]);
    assert_eq!(exposition.counts().refused, 5);
    read(&exposition.render(OpenMetrics), OpenMetrics).unwrap();
}

#[test]
fn totals_of_integers_are_exact_and_of_floats_as_good_as_floats_are() {
    let mut sink = told(&[requests()]);
    let tenth = || element("http.requests.sum", 0.1).tagged([("sort", "float")]);
    let big = |value: i64| element("http.requests.sum", value).tagged([("sort", "int")]);
    let mut all: Vec<Element> = (0..10).map(|_| tenth()).collect();
    all.extend([big(1 << 53), big(1), big(1)]);
    take(&mut sink, &all).unwrap();
    let text = sink.exposition().render(Text);
    let float = text
        .lines()
        .find_map(|line| line.strip_prefix("http_requests_total{sort=\"float\"} "));
    let float: f64 = float.unwrap().parse().unwrap();
    assert!((float - 1.0).abs() < 1e-15, "{float}");
    assert!(text.contains("{sort=\"int\"} 9007199254740994\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_is_shown_by_the_handle_of_its_sink() {
    let sink = sink();
    let exposition: Exposition = sink.exposition();
    assert_eq!(sink.delivery(), Delivery::AtMostOnce);
    let metrics = MetricsPipeline::builder()
        .metric(requests())
        .sink_with(sink, SinkOptions::default().name("scraped"))
        .spawn()
        .unwrap();
    let other = metrics.prometheus().unwrap();
    let metrics = Arc::new(metrics);
    for n in 1..=100 {
        metrics
            .send_tagged("http.requests", n, [("even", n % 2 == 0)])
            .unwrap();
    }
    metrics.flush().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for exposition in [&exposition, &other] {
        let text = exposition.render(Text);
        assert!(
            text.contains("http_requests_total{even=\"true\"} 2550\n"),
            "{text}"
        );
        assert!(
            text.contains("http_requests_total{even=\"false\"} 2500\n"),
            "{text}"
        );
    }
    let end = metrics.shutdown().await.unwrap();
    assert_eq!(end.sink("scraped").unwrap().delivered, 200);
    assert_eq!(end.sink("PrometheusSink").unwrap().delivered, 200);
    assert!(exposition.render(Text).contains("2550\n"), "it goes on");
}
