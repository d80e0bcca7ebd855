//! A value is sent to a metric of a pipeline.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use headwater::metrics::{
    Delivery, Element, Handle, Metric, MetricSink, MetricsPipeline, SinkError,
};
use headwater::prelude::*;
use tokio::runtime::Runtime;

use crate::workload::{Role, Variant, Workload};
use crate::workloads::senders::Pace;

/// Adds headwater's rows, of everything: who sends runs what it sent through the graph, too.
pub(crate) fn add(workload: Workload, threads: u64) -> Workload {
    let shards = Shards::default;
    workload
        .variant(Variant::with("headwater handle", Role::Ours, move |n| {
            through(shards(), Pace::AtOnce, n, threads, by_handle).0
        }))
        .variant(Variant::with("headwater by name", Role::Ours, move |n| {
            through(shards(), Pace::AtOnce, n, threads, by_name).0
        }))
}

/// Adds headwater's rows, of what the sender sees: the driver of the pipeline does the rest.
pub(crate) fn add_of_the_sender(workload: Workload, threads: u64) -> Workload {
    let shards = || Shards::default().left_to_driver();
    workload
        .variant(Variant::clocked("headwater handle", Role::Ours, move |n| {
            through(shards(), Pace::InBursts, n, threads, by_handle)
        }))
        .variant(Variant::clocked(
            "headwater by name",
            Role::Ours,
            move |n| through(shards(), Pace::InBursts, n, threads, by_name),
        ))
}

// In the loop, as the calls of the other rows are, and those of a service.
#[inline(always)]
fn by_handle(_: &MetricsPipeline, handle: &Handle, x: u64) -> bool {
    handle.try_send(x).is_ok()
}

fn by_name(metrics: &MetricsPipeline, _: &Handle, x: u64) -> bool {
    let tags = [("route", "/home")];
    metrics.send_tagged("requests", x, tags).is_ok()
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
    shards: Shards,
    pace: Pace,
    n: u64,
    threads: u64,
    send: impl Fn(&MetricsPipeline, &Handle, u64) -> bool + Sync,
) -> (u64, Duration) {
    let total = Arc::new(AtomicU64::new(0));
    let _runtime = RUNTIME.enter();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("requests")
                .agg("sum", Sum)
                .window(Duration::from_secs(3)),
        )
        .intake(shards)
        .sink(Total(total.clone()))
        .spawn()
        .expect("it is complete");
    let handle = metrics
        .handle("requests", [("route", "/home")])
        .expect("it is known");
    let took = pace.run(n, threads, |values| {
        for x in values {
            while !send(&metrics, &handle, x) {
                std::thread::yield_now();
            }
        }
    });
    RUNTIME
        .block_on(metrics.shutdown())
        .expect("nothing panics");
    (total.load(Ordering::Relaxed), took)
}
