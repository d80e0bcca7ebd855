//! Every value is counted where it ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use headwater::OnFull;
use headwater::metrics::{
    Delivery, Element, Metric, MetricSink, MetricsPipeline, SendError, SinkError, SinkOptions,
};
use headwater::prelude::*;

use super::{every_value, seconds};
use crate::hung_sink::Hung;
use crate::memory_sink::Memory;
use crate::watched::watched;

#[tokio::test(start_paused = true)]
async fn what_is_sent_after_the_shutdown_is_counted() {
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .spawn()
        .unwrap();
    let handle = metrics.handle("m", ()).unwrap();
    handle.send(1);
    metrics.shutdown().await.unwrap();
    for _ in 0..3 {
        handle.send(1);
    }
    assert_eq!(metrics.snapshot().refused, 3);
}

#[tokio::test(start_paused = true)]
async fn every_value_that_was_accepted_is_told_of_when_senders_wait_for_a_stuck_sink() {
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink_with(
            Hung(Delivery::AtMostOnce),
            SinkOptions::default().buffer(10).on_full(OnFull::Wait),
        )
        .spawn()
        .unwrap();
    let handle = metrics.handle("m", ()).unwrap();
    let mut accepted = 0;
    for n in 0..5_000 {
        accepted += u64::from(handle.try_send(n).is_ok());
    }
    tokio::time::sleep(seconds(1)).await;
    let before = metrics.snapshot();
    assert_eq!(
        before.metric("m").unwrap().values + before.waiting,
        accepted,
        "{before:?}"
    );
    let report = metrics.shutdown_within(seconds(5)).await.unwrap();
    let sink = report.sink("Hung").unwrap();
    let lost = sink.given_up + sink.unknown + sink.overflow;
    assert_eq!(sink.elements, lost, "{report:?}");
    let values = report.metric("m").unwrap().values;
    assert_eq!(values + report.given_up, accepted, "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn under_each_policy_what_came_is_delivered_dropped_or_held() {
    for policy in [
        OnFull::DropOldest,
        OnFull::DropNewest,
        OnFull::Fail,
        OnFull::Wait,
    ] {
        let slow = Slow(Duration::from_millis(100));
        let metrics = MetricsPipeline::builder()
            .metric(every_value())
            .sink_with(slow, SinkOptions::default().buffer(8).on_full(policy))
            .spawn()
            .unwrap();
        let handle = metrics.handle("m", ()).unwrap();
        for n in 0..50 {
            handle.send(n);
            tokio::time::sleep(Duration::from_millis(7)).await;
            let s = metrics.snapshot();
            let sink = s.sink("Slow").unwrap();
            assert_eq!(
                sink.elements,
                sink.delivered + sink.overflow + sink.held + sink.given_up + sink.rejected,
                "{policy:?} {s}"
            );
            assert!(sink.held <= 8 + 2 + 16, "{policy:?} {s}");
        }
        let report = metrics.shutdown().await.unwrap();
        let sink = report.sink("Slow").unwrap();
        assert_eq!(sink.elements, 50, "{policy:?}");
        assert_eq!(sink.delivered + sink.overflow, 50, "{policy:?} {report}");
        assert_eq!(sink.held, 0, "{policy:?} {report}");
    }
}

struct Slow(Duration);

impl MetricSink for Slow {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }
    fn max_batch(&self) -> usize {
        2
    }
    async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
        tokio::time::sleep(self.0).await;
        Ok(())
    }
}

#[test]
fn a_snapshot_never_tells_of_more_that_went_out_than_came_in() {
    watched(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .sink_with(
                    Memory::default(),
                    SinkOptions::default()
                        .buffer(100_000)
                        .max_age(Duration::from_millis(1)),
                )
                .spawn()
                .unwrap();
            let over = &AtomicBool::new(false);
            std::thread::scope(|scope| {
                let metrics = &metrics;
                scope.spawn(move || {
                    let handle = metrics.handle("m", ()).unwrap();
                    while !over.load(Ordering::Relaxed) {
                        for n in 0..100 {
                            handle.send(n);
                        }
                        std::thread::sleep(Duration::from_micros(200));
                    }
                });
                let wrong = (0..3_000).find_map(|_| {
                    let s = metrics.snapshot();
                    let sink = s.sink("Memory").unwrap();
                    let out = sink.delivered + sink.overflow + sink.held + sink.given_up;
                    (sink.elements != out).then(|| s.clone())
                });
                over.store(true, Ordering::Relaxed);
                assert!(wrong.is_none(), "{}", wrong.unwrap());
            });
            metrics.shutdown().await.unwrap();
        });
    });
}

#[test]
fn senders_and_a_shutdown_meet_and_every_accepted_value_is_counted() {
    watched(|| {
        for round in 0..5 {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let metrics = MetricsPipeline::builder()
                    .metric(
                        Metric::new("m")
                            .agg("n", Count)
                            .agg("s", Sum)
                            .window(Duration::from_millis(3)),
                    )
                    .sink(Memory::default())
                    .spawn()
                    .unwrap();
                let list = metrics.elements().sink_to_list();
                let accepted = Arc::new(AtomicU64::new(0));
                let senders: Vec<_> = (0..3)
                    .map(|_| {
                        let (handle, accepted) =
                            (metrics.handle("m", ()).unwrap(), accepted.clone());
                        std::thread::spawn(move || {
                            loop {
                                match handle.try_send(1) {
                                    Ok(()) => {
                                        accepted.fetch_add(1, Ordering::Relaxed);
                                    }
                                    Err(SendError::Full(_)) => std::thread::yield_now(),
                                    Err(_) => return,
                                }
                            }
                        })
                    })
                    .collect();
                tokio::time::sleep(Duration::from_millis(5 + round)).await;
                let report = metrics.shutdown().await.unwrap();
                for sender in senders {
                    sender.join().unwrap();
                }
                let accepted = accepted.load(Ordering::Relaxed);
                assert_eq!(report.metric("m").unwrap().values, accepted);
                let mut sums: HashMap<String, i64> = HashMap::new();
                for e in list.take() {
                    *sums.entry(e.name().to_owned()).or_default() += e.value().as_i64().unwrap();
                }
                assert_eq!(sums["m.n"], accepted as i64);
                assert_eq!(sums["m.s"], accepted as i64);
            });
        }
    });
}
