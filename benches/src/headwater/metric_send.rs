//! A value is sent to a metric of a pipeline.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use headwater::metrics::{
    Delivery, Element, Handle, Metric, MetricSink, MetricsPipeline, SinkError,
};
use headwater::prelude::*;
use tokio::runtime::Runtime;

use crate::workload::{Role, Variant, Workload};
use crate::workloads::metric_send::from_threads;

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload, threads: u64) -> Workload {
    workload
        .variant(Variant::with("headwater handle", Role::Ours, move |n| {
            through(n, threads, |_, handle, x| handle.try_send(x).is_ok())
        }))
        .variant(Variant::with("headwater by name", Role::Ours, move |n| {
            through(n, threads, |metrics, _, x| {
                metrics
                    .send_tagged("requests", x, [("route", "/home")])
                    .is_ok()
            })
        }))
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime")
});

/// Adds up what comes.
struct Total(Arc<AtomicU64>);

impl MetricSink for Total {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let sum: i64 = batch.iter().filter_map(|e| e.value().as_i64()).sum();
        self.0.fetch_add(sum as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Sends everything, aggregates it, and waits until the sum has arrived at a sink.
fn through(
    n: u64,
    threads: u64,
    send: impl Fn(&MetricsPipeline, &Handle, u64) -> bool + Sync,
) -> u64 {
    let total = Arc::new(AtomicU64::new(0));
    let _runtime = RUNTIME.enter();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("requests")
                .agg("sum", Sum)
                .window(std::time::Duration::from_secs(3)),
        )
        .sink(Total(total.clone()))
        .spawn()
        .expect("it is complete");
    let handle = metrics
        .handle("requests", [("route", "/home")])
        .expect("it is known");
    from_threads(n, threads, |x| {
        while !send(&metrics, &handle, x) {
            std::thread::yield_now();
        }
    });
    RUNTIME
        .block_on(metrics.shutdown())
        .expect("nothing panics");
    total.load(Ordering::Relaxed)
}
