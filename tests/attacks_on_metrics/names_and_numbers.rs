//! Names and numbers that are odd.

use std::time::{Duration, SystemTime};

use headwater::metrics::{Aligned, Metric, MetricError, MetricsPipeline, SinkOptions, Value};
use headwater::prelude::*;
use headwater::{Shards, Time};

use super::{Nosy, seconds};
use crate::memory_sink::Memory;

#[tokio::test(start_paused = true)]
async fn two_metrics_whose_elements_would_have_one_name_are_refused() {
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("a").agg("b.c", Sum).batch(1))
        .spawn()
        .unwrap();
    let second = metrics.add_metric(Metric::new("a.b").agg("c", Sum).batch(1));
    assert!(second.is_err());
}

#[tokio::test(start_paused = true)]
async fn options_and_metrics_of_the_greatest_numbers_work() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("w").agg("sum", Sum).window(Duration::MAX))
        .metric(
            Metric::new("wall")
                .agg("sum", Sum)
                .window(Duration::MAX)
                .aligned(Aligned::WallClock),
        )
        .metric(
            Metric::new("kept")
                .agg("q", Quantile::new(0.5))
                .window(Duration::MAX)
                .max_values(usize::MAX),
        )
        .metric(Metric::new("b").agg("sum", Sum).batch(usize::MAX))
        .metric(Metric::new("bq").agg("q", Median).batch(usize::MAX))
        .metric(
            Metric::new("ns")
                .agg("sum", Sum)
                .window(Duration::from_nanos(1)),
        )
        .metric(
            Metric::new("late")
                .agg("sum", Sum)
                .window(seconds(1))
                .late(headwater::metrics::Late::Drop, Duration::MAX),
        )
        .sink_with(
            sink.clone(),
            SinkOptions::default()
                .buffer(usize::MAX)
                .max_age(Duration::MAX),
        )
        .sink_with(
            Memory::default(),
            SinkOptions::default()
                .name("x")
                .rate_limit(Duration::MAX)
                .buffer(1),
        )
        .sink(Nosy(|_| (), "huge batches"))
        .intake(Shards::default())
        .spawn()
        .unwrap();
    for name in ["w", "wall", "kept", "b", "bq", "ns", "late"] {
        metrics.send(name, 1).unwrap();
        metrics
            .send_at(name, 2, (), SystemTime::UNIX_EPOCH - seconds(1_000))
            .unwrap();
        metrics
            .send_at(name, 3, (), Time::from_nanos(u64::MAX))
            .unwrap();
    }
    tokio::time::sleep(seconds(10)).await;
    let _ = metrics.shutdown_within(seconds(10)).await.unwrap();
    assert!(sink.take().len() >= 7);
}

#[tokio::test(start_paused = true)]
async fn names_of_any_text_reach_the_sinks() {
    let sink = Memory::default();
    let huge = "x".repeat(1 << 20);
    let names = ["\0", "🦀", "a|b:c\\", "\u{202e}", &huge];
    let metrics = MetricsPipeline::builder()
        .sink(sink.clone())
        .spawn()
        .unwrap();
    for name in names {
        metrics
            .add_metric(Metric::new(name).agg(name, Sum).agg("n", Count).batch(1))
            .unwrap();
        metrics
            .send_tagged(name, 1, [(name, name), ("", "")])
            .unwrap();
    }
    assert_eq!(
        metrics.add_metric(Metric::new("").agg("a", Sum).batch(1)),
        Err(MetricError::NoName)
    );
    let report = metrics.shutdown().await.unwrap();
    assert_eq!(report.sink("Memory").unwrap().delivered, 10);
    assert_eq!(sink.take().len(), 10);
    let _ = (report.to_string(), metrics.graph().topology().to_string());
}

#[tokio::test(start_paused = true)]
async fn odd_numbers_panic_in_no_aggregate() {
    let values = [
        Value::from(f64::NAN),
        Value::from(-f64::NAN),
        f64::INFINITY.into(),
        f64::NEG_INFINITY.into(),
        f64::MIN_POSITIVE.into(),
        5e-324.into(),
        (-0.0).into(),
        0.0.into(),
        f64::MAX.into(),
        f64::MIN.into(),
        i64::MIN.into(),
        i64::MAX.into(),
        u64::MAX.into(),
        0.into(),
        true.into(),
        Duration::MAX.into(),
    ];
    let every = |m: Metric| {
        m.agg("sum", Sum)
            .agg("mean", Mean)
            .agg("min", Min)
            .agg("max", Max)
            .agg("count", Count)
            .agg("first", First)
            .agg("last", Last)
            .agg("median", Median)
            .agg("q0", Quantile::new(0.0))
            .agg("q1", Quantile::new(1.0))
            .agg("aq", ApproxQuantile::new(0.99))
            .agg("var", Variance)
    };
    let metrics = MetricsPipeline::builder()
        .metric(every(Metric::new("w").window(seconds(1))))
        .metric(every(Metric::new("b").batch(3)))
        .metric(every(Metric::new("one").batch(1)))
        .spawn()
        .unwrap();
    for a in values {
        for b in values {
            for name in ["w", "b", "one"] {
                metrics.send(name, a).unwrap();
                metrics.send(name, b).unwrap();
            }
            metrics.flush().await.unwrap();
        }
    }
    let report = metrics.shutdown().await.unwrap();
    for m in &report.metrics {
        assert_eq!(m.failed, 0);
        assert_eq!(m.values, 512);
    }
}

#[tokio::test(start_paused = true)]
async fn sums_of_integers_that_leave_their_range_for_a_while_are_right() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).agg("mean", Mean).batch(4))
        .sink(sink.clone())
        .spawn()
        .unwrap();
    for v in [i64::MAX, i64::MAX, i64::MIN, i64::MIN] {
        metrics.send("m", v).unwrap();
    }
    for v in [i64::MIN, i64::MIN, i64::MIN, i64::MIN] {
        metrics.send("m", v).unwrap();
    }
    metrics.shutdown().await.unwrap();
    assert_eq!(
        sink.take(),
        [
            "m.sum -2",
            "m.mean -0.5",
            "m.sum -9223372036854775808",
            "m.mean -9.223372036854776e18"
        ]
    );
}
