//! Programs with an end: what is sent by who waits for room is never lost.

mod hung_sink;
mod memory_sink;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use headwater::metrics::{
    Delivery, Element, FnSink, Late, Metric, MetricsPipeline, SendError, SinkOptions,
};
use headwater::prelude::*;
use headwater::{OnFull, Shards};
use hung_sink::Hung;
use memory_sink::Memory;

/// Small enough that senders outrun the pipeline at once.
fn small() -> Shards {
    Shards::default().capacity(64)
}

/// Adds up what it gets, through a buffer of a few elements.
fn adding() -> (FnSink, Arc<AtomicU64>) {
    let total = Arc::new(AtomicU64::new(0));
    let into = total.clone();
    let sink = FnSink::new(move |element: &Element| {
        let value = element.value().as_i64().expect("integers stay integers");
        into.fetch_add(value as u64, Relaxed);
    });
    (sink, total)
}

fn patient() -> SinkOptions {
    SinkOptions::default().buffer(4).on_full(OnFull::Wait)
}

#[tokio::test]
async fn on_the_only_thread_of_a_runtime_nothing_is_lost_by_who_waits_for_room() {
    let (sink, total) = adding();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(10))
        .sink_with(sink, patient())
        .intake(small())
        .spawn()
        .unwrap();
    let handle = metrics.handle("m", ()).unwrap();
    for n in 0..20_000_u64 {
        handle.send_async(n).await.unwrap();
    }
    let report = metrics.shutdown().await.unwrap();
    assert_eq!(total.load(Relaxed), 19_999 * 20_000 / 2, "{report}");
    assert_eq!((report.overflow, report.sinks[0].overflow), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_that_block_for_room_lose_nothing_either() {
    let (sink, total) = adding();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(10))
        .sink_with(sink, patient())
        .intake(small())
        .spawn()
        .unwrap();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let handle = metrics.handle("m", [("thread", thread)]).unwrap();
            std::thread::spawn(move || {
                for n in 0..20_000_u64 {
                    handle.blocking_send(n).unwrap();
                }
            })
        })
        .collect();
    tokio::task::spawn_blocking(move || {
        for thread in threads {
            thread.join().unwrap();
        }
    })
    .await
    .unwrap();
    let report = metrics.shutdown().await.unwrap();
    assert_eq!(total.load(Relaxed), 4 * (19_999 * 20_000 / 2), "{report}");
}

#[tokio::test]
async fn a_runtimes_only_thread_may_block_where_only_the_pipeline_itself_is_behind() {
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(1_000_000))
        .intake(small())
        .spawn()
        .unwrap();
    let handle = metrics.handle("m", ()).unwrap();
    for _ in 0..10_000 {
        handle.blocking_send(1).unwrap();
    }
    let report = metrics.shutdown().await.unwrap();
    assert_eq!(report.metric("m").unwrap().values, 10_000);
}

fn stuck() -> MetricsPipeline {
    MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(1))
        .sink_with(Hung(Delivery::AtMostOnce), patient())
        .intake(small())
        .spawn()
        .unwrap()
}

#[tokio::test]
#[should_panic(expected = "Cannot block the current thread from within a runtime")]
async fn who_would_block_the_thread_that_makes_room_is_told_by_a_panic_and_does_not_hang() {
    let metrics = stuck();
    let handle = metrics.handle("m", ()).unwrap();
    for _ in 0..10_000 {
        handle.blocking_send(1).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_hears_of_the_shutdown() {
    let metrics = stuck();
    let handle = metrics.handle("m", ()).unwrap();
    let sender = tokio::spawn(async move {
        loop {
            if let Err(error) = handle.send_async(1).await {
                return error;
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!sender.is_finished());
    let _ = metrics.shutdown_within(Duration::from_secs(1)).await;
    let error = sender.await.unwrap();
    assert!(matches!(error, SendError::Closed(_)), "{error}");
}

#[test]
fn who_blocks_when_the_runtime_has_gone_is_told_so() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let metrics = runtime.block_on(async { stuck() });
    let handle = metrics.handle("m", ()).unwrap();
    let sender = std::thread::spawn(move || {
        loop {
            if let Err(error) = handle.blocking_send(1) {
                return error;
            }
        }
    });
    drop(runtime);
    let error = sender.join().unwrap();
    assert!(matches!(error, SendError::Undriven(_)), "{error}");
    assert!(error.to_string().contains("runtime"), "{error}");
}

#[test]
fn a_sender_within_an_aggregator_gets_its_value_back_and_does_not_hang() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let given_back = Arc::new(AtomicU64::new(0));
        let count = given_back.clone();
        let metrics = MetricsPipeline::builder()
            .metric(Metric::new("inner").agg("sum", Sum).batch(1))
            .intake(small())
            .spawn()
            .unwrap();
        let inner = metrics.handle("inner", ()).unwrap();
        let outer = Metric::new("outer")
            .batch(1)
            .agg_values("n", move |values| {
                for _ in 0..1_000 {
                    match inner.blocking_send(1) {
                        Err(SendError::Full(_)) => _ = count.fetch_add(1, Relaxed),
                        sent => sent.unwrap(),
                    }
                }
                values.len() as f64
            });
        metrics.add_metric(outer).unwrap();
        metrics.send("outer", 1).unwrap();
        metrics.flush().await.unwrap();
        let report = metrics.shutdown().await.unwrap();
        let inner = report.metric("inner").unwrap().values;
        assert_eq!(inner + given_back.load(Relaxed), 1_000);
        assert!(inner >= 64);
    });
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_as_it_is_measured_is_never_late_and_what_has_a_time_of_its_own_may_be() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("m")
                .agg("sum", Sum)
                .window(Duration::from_millis(2))
                .late(Late::Drop, Duration::ZERO),
        )
        .sink(sink.clone())
        .epoch(Time::from_millis(1_000_000))
        .spawn()
        .unwrap();
    for _ in 0..50 {
        metrics.send("m", 1).unwrap();
        tokio::time::sleep(Duration::from_micros(700)).await;
    }
    metrics
        .send_at("m", 1_000, (), Time::from_millis(999_999))
        .unwrap();
    let report = metrics.shutdown().await.unwrap();
    let metric = report.metric("m").unwrap();
    assert_eq!((metric.values, metric.late, metric.dropped), (51, 1, 1));
    let sums = sink.take();
    let sums = sums.iter().map(|text| text.replace("m.sum ", ""));
    assert_eq!(sums.map(|sum| sum.parse::<u64>().unwrap()).sum::<u64>(), 50);
}
