//! Quantities that go up and down: held, unchanged, given back.

mod memory_sink;
mod virtual_time;

use std::time::Duration;

use headwater::metrics::{Metric, MetricsPipeline, MetricsPipelineBuilder};
use headwater::prelude::*;
use memory_sink::Memory;
use virtual_time::in_virtual_time;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn under_way() -> (MetricsPipelineBuilder, Memory) {
    let sink = Memory::default();
    let metric = Metric::new("g")
        .agg("last", Last)
        .agg("max", Max)
        .agg("min", Min)
        .window(seconds(10));
    let builder = MetricsPipeline::builder().metric(metric).sink(sink.clone());
    (builder, sink)
}

#[tokio::test(start_paused = true)]
async fn a_gauge_that_does_not_change_is_in_each_window_as_long_as_somebody_holds_it() {
    let (builder, sink) = under_way();
    let metrics = builder.spawn().unwrap();
    let gauge = metrics.gauge("g", ()).unwrap();
    gauge.set(5.0);
    tokio::time::sleep(seconds(41)).await;
    assert_eq!(
        sink.take(),
        ["g.last 5.0", "g.max 5.0", "g.min 5.0"].repeat(4)
    );
    drop(gauge);
    tokio::time::sleep(seconds(10)).await;
    // This window began while it was held.
    assert_eq!(sink.take().len(), 3);
    tokio::time::sleep(seconds(60)).await;
    assert!(sink.take().is_empty());
    // It comes back as what it was.
    let gauge = metrics.gauge("g", ()).unwrap();
    tokio::time::sleep(seconds(20)).await;
    assert_eq!(sink.take(), ["g.last 5.0", "g.max 5.0", "g.min 5.0"]);
    drop(gauge);
    let report = metrics.shutdown().await.unwrap();
    assert_eq!(report.metric("g").unwrap().values, 1);
}

#[tokio::test(start_paused = true)]
async fn the_extremes_of_a_window_begin_with_the_level_that_is_carried_in() {
    let (builder, sink) = under_way();
    let metrics = builder.spawn().unwrap();
    let gauge = metrics.gauge("g", [("pool", 1)]).unwrap();
    gauge.set(5.0);
    tokio::time::sleep(seconds(15)).await;
    sink.take();
    gauge.set(1.0);
    tokio::time::sleep(seconds(10)).await;
    assert_eq!(
        sink.take(),
        [
            "g.last{pool=1} 1.0",
            "g.max{pool=1} 5.0",
            "g.min{pool=1} 1.0"
        ]
    );
    metrics.shutdown().await.unwrap();
    assert_eq!(
        sink.take(),
        [
            "g.last{pool=1} 1.0",
            "g.max{pool=1} 1.0",
            "g.min{pool=1} 1.0"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_gauge_that_nobody_has_set_says_nothing() {
    let (builder, sink) = under_way();
    let metrics = builder.spawn().unwrap();
    let gauge = metrics.gauge("g", ()).unwrap();
    tokio::time::sleep(seconds(25)).await;
    gauge.add(2.0);
    tokio::time::sleep(seconds(20)).await;
    assert_eq!(
        sink.take(),
        ["g.last 2.0", "g.max 2.0", "g.min 2.0"].repeat(2)
    );
    metrics.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn windows_that_are_aligned_to_the_wall_clock_carry_as_well() {
    let sink = Memory::default();
    let metric = Metric::new("g")
        .agg("last", Last)
        .window(seconds(60))
        .aligned(headwater::metrics::Aligned::WallClock);
    let metrics = MetricsPipeline::builder()
        .metric(metric)
        .sink(sink.clone())
        .epoch(Time::from_millis(1_000_030_000))
        .spawn()
        .unwrap();
    let gauge = metrics.gauge("g", ()).unwrap();
    gauge.set(3.0);
    tokio::time::sleep(seconds(4 * 60)).await;
    assert_eq!(sink.take(), ["g.last 3.0"; 4]);
    metrics.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn many_gauges_are_carried_even_where_the_senders_buffer_is_small() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("g").agg("last", Last).window(seconds(10)))
        .sink(sink.clone())
        .intake(headwater::Shards::default().capacity(8))
        .spawn()
        .unwrap();
    let gauges: Vec<_> = (0..100)
        .map(|n| metrics.gauge("g", [("n", n)]).unwrap())
        .collect();
    for (n, gauge) in gauges.iter().enumerate() {
        gauge.set(n as f64);
        metrics.flush().await.unwrap();
    }
    tokio::time::sleep(seconds(11)).await;
    sink.take();
    tokio::time::sleep(seconds(10)).await;
    let mut texts = sink.take();
    texts.sort_unstable();
    let mut expected: Vec<_> = (0..100).map(|n| format!("g.last{{n={n}}} {n}.0")).collect();
    expected.sort_unstable();
    assert_eq!(texts, expected);
    assert_eq!(metrics.snapshot().overflow, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_given_back_when_a_future_is_given_up_half_way() {
    let (builder, _) = under_way();
    let metrics = builder.spawn().unwrap();
    let gauge = metrics.gauge("g", ()).unwrap();
    let request = async {
        let _held = gauge.hold(1.0);
        std::future::pending::<()>().await;
    };
    let gone = tokio::time::timeout(seconds(1), request).await;
    assert!(gone.is_err());
    assert_eq!(gauge.get(), 0.0);
    let held = gauge.hold(2.5);
    assert_eq!(gauge.get(), 2.5);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _held = held;
        panic!("as planned");
    }));
    assert!(panicked.is_err());
    assert_eq!(gauge.get(), 0.0);
}

#[test]
fn a_pipeline_whose_gauges_are_held_ends_when_its_last_handle_goes() {
    in_virtual_time(async {
        let (builder, sink) = under_way();
        let metrics = builder.spawn().unwrap();
        let gauge = metrics.gauge("g", ()).unwrap();
        gauge.set(7.0);
        tokio::time::sleep(seconds(25)).await;
        sink.take();
        drop((metrics, gauge));
        tokio::time::sleep(seconds(1)).await;
        assert_eq!(sink.take(), ["g.last 7.0", "g.max 7.0", "g.min 7.0"]);
    });
}
