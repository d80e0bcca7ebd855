//! Sinks that come and go, ask questions and panic.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::metrics::{
    Delivery, Described, Element, Metric, MetricSink, MetricsPipeline, SinkError, SinkOptions,
};
use headwater::prelude::*;

use super::{Nosy, every_value, seconds};
use crate::hung_sink::Hung;
use crate::memory_sink::Memory;
use crate::watched::watched;

#[tokio::test(start_paused = true)]
async fn a_sink_of_a_name_that_was_there_before_has_figures_of_its_own() {
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink_with(Hung(Delivery::AtMostOnce), SinkOptions::default().name("s"))
        .spawn()
        .unwrap();
    for n in 0..10 {
        metrics.send("m", n).unwrap();
    }
    tokio::time::sleep(seconds(1)).await;
    assert!(metrics.remove_sink("s"));
    let memory = Memory::default();
    metrics
        .add_sink_with(memory.clone(), SinkOptions::default().name("s"))
        .unwrap();
    metrics.send("m", 10).unwrap();
    tokio::time::sleep(seconds(1)).await;
    let sink = metrics.snapshot().sink("s").unwrap().clone();
    assert_eq!((sink.elements, sink.delivered, sink.held), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_sink_may_be_called_as_another_ones_buffer() {
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink_with(Memory::default(), SinkOptions::default().name("a: buffer"))
        .sink_with(Memory::default(), SinkOptions::default().name("a"))
        .sink_with(Memory::default(), SinkOptions::default().name("samples"))
        .spawn()
        .unwrap();
    for n in 0..10 {
        metrics.send("m", n).unwrap();
    }
    let report = metrics.shutdown().await.unwrap();
    for sink in &report.sinks {
        assert_eq!((sink.elements, sink.delivered), (10, 10), "{report}");
    }
}

#[test]
fn sinks_come_and_go_while_closures_of_the_graph_ask_for_snapshots() {
    watched(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .spawn()
                .unwrap();
            let inner = metrics.clone();
            let _branch = metrics.elements().sink(move |_| {
                let _ = inner.snapshot();
            });
            let over = &AtomicBool::new(false);
            std::thread::scope(|scope| {
                let metrics = &metrics;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let _ = metrics.send("m", 1);
                    }
                });
                let runtime = tokio::runtime::Handle::current();
                let changes = (0..2).map(|n| {
                    let runtime = runtime.clone();
                    scope.spawn(move || {
                        let _inside = runtime.enter();
                        for _ in 0..300 {
                            let options =
                                SinkOptions::default().buffer(8_192).name(format!("s{n}"));
                            metrics.add_sink_with(Memory::default(), options).unwrap();
                            assert!(metrics.remove_sink(&format!("s{n}")));
                        }
                    })
                });
                for change in changes.collect::<Vec<_>>() {
                    change.join().unwrap();
                }
                over.store(true, Ordering::Relaxed);
            });
            metrics.shutdown().await.unwrap();
        });
    });
}

#[test]
fn a_sink_may_use_the_pipeline_wherever_it_is_asked_something() {
    watched(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .metric(Metric::new("n").agg("v", Sum).batch(1))
                .spawn()
                .unwrap();
            let asked = Arc::new(Mutex::new(Vec::new()));
            let (inner, log) = (metrics.clone(), asked.clone());
            let nosy = Nosy(
                move |place: &'static str| {
                    log.lock().unwrap().push(place);
                    let _ = inner.snapshot();
                    let _ = inner.add_sink_with(
                        Memory::default(),
                        SinkOptions::default().name(format!("from {place}")),
                    );
                    inner.remove_sink(&format!("from {place}"));
                    let _ = inner.send("n", 1);
                },
                "nosy",
            );
            metrics.add_sink(nosy).unwrap();
            metrics.send("m", 1).unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            metrics.remove_sink("nosy");
            metrics.shutdown().await.unwrap();
            assert!(asked.lock().unwrap().contains(&"close"));
        });
    });
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_as_it_is_told_of_a_metric_hears_of_the_others() {
    #[derive(Clone, Default)]
    struct Picky(Arc<Mutex<Vec<String>>>);
    impl MetricSink for Picky {
        fn delivery(&self) -> Delivery {
            Delivery::AtMostOnce
        }
        fn describe(&mut self, metric: &Arc<Described>) {
            assert!(metric.name() != "bad", "not this one");
            self.0.lock().unwrap().push(metric.name().to_owned());
        }
        async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
            Ok(())
        }
    }
    let sink = Picky::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("bad").agg("v", Last).batch(1))
        .metric(every_value())
        .sink(sink.clone())
        .spawn()
        .unwrap();
    for _ in 0..3 {
        metrics.send("m", 1).unwrap();
        tokio::time::sleep(seconds(1)).await;
    }
    let report = metrics.shutdown().await.unwrap();
    let counts = report.sink("Picky").unwrap();
    assert_eq!((counts.delivered, counts.given_up), (2, 1));
    assert_eq!(*sink.0.lock().unwrap(), ["m"]);
}

#[test]
fn a_sink_that_panics_as_it_is_added_leaves_the_pipeline_as_it_was() {
    watched(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let sink = Memory::default();
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .sink(sink.clone())
                .spawn()
                .unwrap();
            for place in ["name", "delivery", "max_batch"] {
                let panics = Nosy(move |at: &'static str| assert!(at != place), "panics");
                let added = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    metrics.add_sink(panics)
                }));
                assert!(added.is_err());
            }
            metrics.send("m", 1).unwrap();
            let report = metrics.shutdown().await.unwrap();
            assert_eq!(report.sinks.len(), 1);
            assert_eq!(sink.take(), ["m.v 1"]);
        });
    });
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_fails_for_days_is_tried_again_and_loses_nothing() {
    struct Down(Arc<AtomicBool>, Memory);
    impl MetricSink for Down {
        fn delivery(&self) -> Delivery {
            Delivery::AtMostOnce
        }
        async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
            if self.0.load(Ordering::Relaxed) {
                return Err(SinkError::retry("down"));
            }
            self.1.deliver(batch).await
        }
        async fn close(&mut self) -> Result<(), SinkError> {
            Err(SinkError::fatal("never closes"))
        }
    }
    let (down, memory) = (Arc::new(AtomicBool::new(true)), Memory::default());
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink(Down(down.clone(), memory.clone()))
        .spawn()
        .unwrap();
    for n in 0..3 {
        metrics.send("m", n).unwrap();
    }
    tokio::time::sleep(seconds(86_400)).await;
    assert!(metrics.snapshot().sink("Down").unwrap().failures > 2_000);
    down.store(false, Ordering::Relaxed);
    let report = metrics.shutdown().await.unwrap();
    assert_eq!(memory.take(), ["m.v 0", "m.v 1", "m.v 2"]);
    assert_eq!(report.sink("Down").unwrap().delivered, 3);
}

#[tokio::test(start_paused = true)]
async fn a_removed_sink_is_given_all_that_came_before() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink_with(sink.clone(), SinkOptions::default().rate_limit(seconds(1)))
        .spawn()
        .unwrap();
    for n in 0..5 {
        metrics.send("m", n).unwrap();
    }
    metrics.flush().await.unwrap();
    metrics.remove_sink("Memory");
    metrics.send("m", 99).unwrap();
    metrics.shutdown().await.unwrap();
    assert_eq!(
        sink.take(),
        (0..5).map(|n| format!("m.v {n}")).collect::<Vec<_>>()
    );
}
