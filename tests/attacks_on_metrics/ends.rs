//! Ends that meet: of handles, runtimes, threads and pipelines.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use headwater::GraphError;
use headwater::metrics::{
    Delivery, Element, Metric, MetricSink, MetricsPipeline, SendError, SinkError, SinkOptions,
    Timer,
};
use headwater::prelude::*;

use super::{every_value, seconds};
use crate::hung_sink::Hung;
use crate::memory_sink::Memory;
use crate::virtual_time::in_virtual_time;
use crate::watched::watched;

#[test]
fn a_handle_that_outlives_its_pipeline_says_that_nobody_listens() {
    watched(|| {
        in_virtual_time(async {
            let sink = Memory::default();
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .sink(sink.clone())
                .spawn()
                .unwrap();
            let handle = metrics.handle("m", ()).unwrap();
            handle.try_send(1).unwrap();
            drop(metrics);
            let mut accepted = 1;
            for n in 2..10 {
                accepted += usize::from(handle.try_send(n).is_ok());
                tokio::time::sleep(seconds(1)).await;
            }
            assert_eq!(sink.take().len(), accepted);
            drop(handle);
            tokio::time::sleep(seconds(1)).await;
        });
    });
}

#[test]
fn a_pipeline_whose_runtime_has_gone_ends() {
    watched(|| {
        let first = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let metrics = first.block_on(async {
            MetricsPipeline::builder()
                .metric(every_value())
                .sink(Memory::default())
                .sink_with(Hung(Delivery::AtMostOnce), SinkOptions::default())
                .spawn()
                .unwrap()
        });
        let handle = metrics.handle("m", ()).unwrap();
        for n in 0..1000 {
            handle.send(n);
        }
        drop(first);
        let mut refused = None;
        for n in 0..100_000 {
            if let Err(error) = handle.try_send(n) {
                refused = Some(error);
                break;
            }
        }
        let second = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let ended = second.block_on(metrics.shutdown_within(Duration::from_millis(300)));
        assert!(matches!(ended, Err(GraphError::Undriven)));
        assert!(matches!(refused, Some(SendError::Undriven(_))));
        drop(metrics);
        drop(handle);
    });
}

#[test]
fn the_last_handle_may_go_within_a_closure_of_the_graph() {
    watched(|| {
        in_virtual_time(async {
            let sink = Memory::default();
            let metrics = MetricsPipeline::builder()
                .metric(Metric::new("m").agg("v", Last).batch(1))
                .metric(Metric::new("w").agg("v", Sum).window(seconds(60)))
                .sink(sink.clone())
                .spawn()
                .unwrap();
            let slot = Arc::new(Mutex::new(Some(metrics.clone())));
            let inner = slot.clone();
            let _ = metrics
                .elements()
                .sink(move |_| drop(inner.lock().unwrap().take()));
            metrics.send("w", 7).unwrap();
            metrics.send("m", 1).unwrap();
            drop(metrics);
            tokio::time::sleep(seconds(1)).await;
            assert!(slot.lock().unwrap().is_none());
            assert_eq!(sink.take(), ["m.v 1", "w.v 7"]);
        });
    });
}

#[test]
fn a_shutdown_from_within_a_sink_ends_in_its_time() {
    struct Ends(Arc<OnceLock<MetricsPipeline>>);
    impl MetricSink for Ends {
        fn delivery(&self) -> Delivery {
            Delivery::AtMostOnce
        }
        async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
            let _ = self.0.get().unwrap().shutdown_within(seconds(1)).await;
            Ok(())
        }
    }
    watched(|| {
        in_virtual_time(async {
            let slot = Arc::new(OnceLock::new());
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .sink(Ends(slot.clone()))
                .spawn()
                .unwrap();
            let _ = slot.set(metrics.clone());
            metrics.send("m", 1).unwrap();
            tokio::time::sleep(seconds(10)).await;
            assert!(matches!(metrics.send("m", 1), Err(SendError::Closed(_))));
            let report = metrics.shutdown().await.unwrap();
            let sink = report.sink("Ends").unwrap();
            assert_eq!(
                (sink.elements, sink.delivered + sink.given_up, sink.held),
                (1, 1, 0)
            );
        });
    });
}

#[test]
fn a_timer_of_a_thread_that_ends_is_sent() {
    watched(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let metrics = MetricsPipeline::builder().metric(every_value()).spawn().unwrap();
            for extra in [0_u64, 254, 255, 256, 257] {
                let handle = metrics.handle("m", ()).unwrap();
                std::thread::spawn(move || {
                    thread_local! { static KEPT: std::cell::RefCell<Option<Timer>> = const { std::cell::RefCell::new(None) }; }
                    KEPT.set(Some(handle.timer()));
                    for _ in 0..extra { handle.send(1); }
                }).join().unwrap();
            }
            let report = metrics.shutdown().await.unwrap();
            assert_eq!(report.metric("m").unwrap().values, 254 + 255 + 256 + 257 + 5);
        });
    });
}

#[tokio::test(start_paused = true)]
async fn two_pipelines_that_report_to_each_other_end() {
    struct Into_(Arc<OnceLock<MetricsPipeline>>);
    impl MetricSink for Into_ {
        fn delivery(&self) -> Delivery {
            Delivery::AtMostOnce
        }
        async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
            for _ in batch {
                let _ = self.0.get().unwrap().send("m", 1);
            }
            Ok(())
        }
    }
    let slots = [Arc::new(OnceLock::new()), Arc::new(OnceLock::new())];
    let make = |other: &Arc<OnceLock<MetricsPipeline>>| {
        MetricsPipeline::builder()
            .metric(every_value())
            .sink(Into_(other.clone()))
            .spawn()
            .unwrap()
    };
    let (a, b) = (make(&slots[1]), make(&slots[0]));
    let _ = slots[0].set(a.clone());
    let _ = slots[1].set(b.clone());
    a.send("m", 1).unwrap();
    tokio::time::sleep(seconds(1)).await;
    let (a, b) = (
        a.shutdown_within(seconds(5)).await.unwrap(),
        b.shutdown_within(seconds(5)).await.unwrap(),
    );
    for s in [a, b] {
        assert_eq!(
            s.sink("Into_").unwrap().elements,
            s.metric("m").unwrap().values
        );
        assert_eq!(s.sink("Into_").unwrap().held, 0);
    }
}
