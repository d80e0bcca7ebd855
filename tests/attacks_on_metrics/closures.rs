//! Closures that panic, and closures that use the pipeline.

use std::sync::{Arc, OnceLock};

use headwater::aggregate::Aggregate;
use headwater::metrics::{AsTag, Metric, MetricsPipeline, TagRef, Value};
use headwater::prelude::*;

use super::{every_value, seconds};
use crate::memory_sink::Memory;
use crate::virtual_time::in_virtual_time;
use crate::watched::watched;

/// Panics where it is told to.
#[derive(Clone)]
struct Panics(&'static str);

impl Panics {
    fn at(&self, place: &str, value: i64) {
        assert!(!(self.0 == place && value == 13), "13 is bad luck");
    }
}

impl Aggregate<Value> for Panics {
    type State = i64;
    type Output = i64;

    fn lift(&self, value: &Value) -> i64 {
        let value = value.as_i64().unwrap();
        self.at("lift", value);
        value
    }

    fn add(&self, state: &mut i64, value: &Value) {
        let value = value.as_i64().unwrap();
        self.at("add", value);
        *state += value;
    }

    fn merge(&self, left: &mut i64, right: &i64) {
        self.at("merge", *right);
        *left += right;
    }

    fn finish(&self, state: &i64) -> i64 {
        self.at("finish", *state);
        *state
    }
}

async fn with_a_panicking_aggregate(place: &'static str, values: [i64; 4]) -> Vec<String> {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("m")
                .agg("own", Panics(place))
                .agg("count", Count)
                .batch(4),
        )
        .sink(sink.clone())
        .spawn()
        .unwrap();
    for value in values {
        let route = if value == 13 { "/bad" } else { "/good" };
        metrics.send_tagged("m", value, [("route", route)]).unwrap();
    }
    for _ in 0..4 {
        metrics.send("m", 1).unwrap();
    }
    let report = metrics.shutdown_within(seconds(5)).await.unwrap();
    assert_eq!(report.metric("m").unwrap().failed, 1, "{report}");
    sink.take()
}

#[tokio::test(start_paused = true)]
async fn an_aggregate_of_ones_own_that_panics_fails_for_its_tags_only() {
    for (place, values) in [
        ("lift", [1, 13, 2, 3]),
        ("add", [1, 13, 13, 3]),
        ("finish", [1, 13, 2, 3]),
    ] {
        let came = with_a_panicking_aggregate(place, values).await;
        let good: i64 = values.iter().filter(|v| **v != 13).sum();
        let of_good = values.iter().filter(|v| **v != 13).count();
        assert_eq!(
            came,
            [
                format!("m.own{{route=/good}} {good}"),
                format!("m.count{{route=/good}} {of_good}"),
                format!("m.count{{route=/bad}} {}", 4 - of_good),
                "m.own 4".into(),
                "m.count 4".into(),
            ],
            "{place}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_an_aggregator_that_cannot_be_shown_stops_nothing() {
    #[derive(Debug)]
    struct Unspeakable;
    impl std::fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no words")
        }
    }
    impl std::error::Error for Unspeakable {}
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("m")
                .agg_values("own", |_| Err::<i64, _>(Unspeakable))
                .agg("count", Count)
                .batch(1),
        )
        .sink(sink.clone())
        .spawn()
        .unwrap();
    metrics.send("m", 1).unwrap();
    metrics.send("m", 1).unwrap();
    let report = metrics.shutdown_within(seconds(5)).await.unwrap();
    assert_eq!(report.metric("m").unwrap().failed, 2);
    assert_eq!(sink.take(), ["m.count 1", "m.count 1"]);
}

/// A tag whose text is asked of a closure.
struct Asked<F>(F);

impl<F: Fn() -> &'static str> AsTag for Asked<F> {
    fn as_tag(&self) -> TagRef<'_> {
        TagRef::Str((self.0)())
    }
}

#[test]
fn tags_may_use_the_pipeline_while_they_are_read() {
    watched(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .spawn()
                .unwrap();
            let inner = metrics.clone();
            let tag = Asked(move || {
                inner
                    .add_metric(Metric::new("n").agg("v", Last).batch(1))
                    .unwrap();
                inner.send("n", 1).unwrap();
                "text"
            });
            metrics.send_tagged("m", 1, [("t", tag)]).unwrap();
            let panics = Asked(|| panic!("no tag"));
            let sent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                metrics.send_tagged("m", 1, [("t", panics)])
            }));
            assert!(sent.is_err());
            metrics.send("m", 2).unwrap();
            let report = metrics.shutdown().await.unwrap();
            assert_eq!(report.metric("m").unwrap().values, 2);
            assert_eq!(report.metric("n").unwrap().values, 1);
        });
    });
}

#[test]
fn sends_from_closures_and_aggregators_are_taken() {
    watched(|| {
        in_virtual_time(async {
            let slot: Arc<OnceLock<MetricsPipeline>> = Arc::default();
            let inner = slot.clone();
            let metrics = MetricsPipeline::builder()
                .metric(
                    Metric::new("m")
                        .agg_values("v", move |values: &[Value]| {
                            let metrics = inner.get().unwrap();
                            for _ in 0..600 {
                                metrics.send("n", 1).unwrap();
                            }
                            let _ = metrics.snapshot();
                            let _ = metrics.add_metric(Metric::new("late").agg("v", Sum).batch(1));
                            metrics.send("late", 1).unwrap();
                            values.len() as i64
                        })
                        .batch(2),
                )
                .metric(Metric::new("n").agg("sum", Sum).batch(600))
                .spawn()
                .unwrap();
            let _ = slot.set(metrics.clone());
            for n in 0..1000 {
                metrics.send("m", n).unwrap();
                metrics.flush().await.unwrap();
            }
            let report = metrics.shutdown().await.unwrap();
            assert_eq!(report.metric("n").unwrap().values, 300_000);
            assert_eq!(report.metric("late").unwrap().values, 500);
        });
    });
}
