//! A day of metrics with ten thousand sets of tags leaves nothing behind. Time is virtual.

mod resident;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headwater::metrics::{
    Delivery, Element, Handle, Metric, MetricSink, MetricsPipeline, SinkError,
};
use headwater::prelude::*;
use resident::resident;

const SETS: usize = 10_000;
const HOURS: usize = 24;
const MINUTE: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

/// Counts what comes.
struct Counted(Arc<AtomicU64>);

impl MetricSink for Counted {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    fn max_batch(&self) -> usize {
        4_096
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        self.0.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// One minute: a value for each set of tags, half of them by handles, half by name, with tags of
/// which some come and go with the hours.
async fn minute(metrics: &MetricsPipeline, handles: &[Handle], hour: usize) {
    for (n, handle) in handles.iter().enumerate() {
        while handle.try_send(n).is_err() {
            metrics.flush().await.unwrap();
        }
        let (host, pod) = (format!("host-{n}"), format!("pod-{}", hour * 50 + n % 100));
        let tags = [("host", &*host), ("pod", &*pod)];
        let tags = if n % 100 == 0 { &tags[..] } else { &tags[..1] };
        while metrics.send_tagged("requests", n, tags).is_err() {
            metrics.flush().await.unwrap();
        }
    }
    metrics.flush().await.unwrap();
    tokio::time::sleep(MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn a_day_with_ten_thousand_sets_of_tags_leaves_nothing_behind() {
    let delivered = Arc::new(AtomicU64::new(0));
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("latency")
                .agg("mean", Mean)
                .agg("max", Max)
                .window(MINUTE),
        )
        .metric(Metric::new("requests").agg("sum", Sum).window(MINUTE))
        .sink(Counted(delivered.clone()))
        .spawn()
        .unwrap();
    let handle = |n| metrics.handle("latency", [("host", n)]).unwrap();
    let handles: Vec<_> = (0..SETS / 2).map(handle).collect();
    let mut after_first = 0;
    for hour in 0..HOURS {
        for _ in 0..60 {
            minute(&metrics, &handles, hour).await;
        }
        match hour {
            0 => after_first = resident(),
            _ => eprintln!(
                "hour {hour}: {:+} KiB",
                (resident() as i64 - after_first as i64) >> 10
            ),
        }
    }
    let grown = resident().saturating_sub(after_first);
    let report = metrics.shutdown().await.unwrap();
    eprintln!("{report}");
    assert!(grown <= MIB, "memory grew by {grown} bytes");
    let sent = (HOURS * 60 * SETS) as u64;
    let values: u64 = report.metrics.iter().map(|metric| metric.values).sum();
    assert_eq!(values, sent);
    let sink = report.sink("Counted").unwrap();
    assert_eq!(sink.delivered, sink.elements);
    assert_eq!(sink.delivered, delivered.load(Ordering::Relaxed));
    assert_eq!(sink.delivered, sent / 2 * 2 + sent / 2);
}
