//! What happens at the bounds: what is logged, counted and printed, and deliveries that take too long.

mod memory_sink;

use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use headwater::metrics::{
    Delivery, Element, Late, Metric, MetricSink, MetricsPipeline, SinkError, SinkOptions, Unit,
};
use headwater::prelude::*;
use headwater::{OnFull, Shards, tags};
use memory_sink::Memory;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, span};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Keeps what is warned of.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Hears of what this thread warns of.
    ///
    /// Somebody hears of everything, from the first test on: where one thread is the first to log at a place, at
    /// the moment at which another begins to listen, `tracing` may take that place for one of no interest.
    fn listen(&self) -> DefaultGuard {
        static SOMEBODY: Once = Once::new();
        SOMEBODY.call_once(|| {
            let somebody = tracing::subscriber::set_global_default(Warnings::default());
            somebody.expect("nobody else does in this program");
        });
        tracing::subscriber::set_default(self.clone())
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The only test here of senders that are not told: their warning is one for the program.
#[tokio::test(start_paused = true)]
async fn each_sort_of_loss_is_logged_once_and_again_when_it_goes_on_for_a_minute() {
    let warnings = Warnings::default();
    let _logs = warnings.listen();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("m")
                .agg("sum", Sum)
                .window(seconds(1))
                .max_tag_sets(2)
                .late(Late::Drop, Duration::ZERO),
        )
        .metric(Metric::new("each").agg("sum", Sum).batch(1))
        .sink_with(Hung, SinkOptions::default().buffer(5))
        .intake(Shards::default().capacity(600))
        .spawn()
        .unwrap();
    for n in 0..10 {
        metrics.send_tagged("m", 1, [("n", n)]).unwrap();
    }
    let told = warnings.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("overflow=true") && told[0].contains("max=2"),
        "{told:?}"
    );
    metrics.flush().await.unwrap();
    // At once, and not only when the window is over.
    assert_eq!(metrics.snapshot().metric("m").unwrap().overflow, 8);

    for _ in 0..10 {
        metrics.send_at("m", 1, (), Time::ZERO).unwrap();
    }
    metrics.flush().await.unwrap();
    let told = warnings.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("late"), "{told:?}");

    // One batch is with the sink, which may have 512.
    for _ in 0..30 {
        for _ in 0..50 {
            metrics.send("each", 1).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = warnings.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("Hung") && told[0].contains("capacity=5"),
        "{told:?}"
    );
    let lost = metrics.snapshot().sink("Hung").unwrap().overflow;
    assert!(lost > 0);

    tokio::time::sleep(seconds(61)).await;
    for n in 0..10 {
        metrics.send_tagged("m", 1, [("o", n)]).unwrap();
    }
    assert_eq!(warnings.take().len(), 1);
    let _ = metrics.shutdown_within(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_is_not_told_of_a_drop_is_logged_of_once() {
    let warnings = Warnings::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(1))
        .sink_with(Hung, SinkOptions::default().buffer(5).on_full(OnFull::Wait))
        .intake(Shards::default().capacity(4))
        .spawn()
        .unwrap();
    let handle = metrics.handle("m", ()).unwrap();
    let _logs = warnings.listen();
    for _ in 0..5_000 {
        handle.send(1);
    }
    let told = warnings.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("blocking_send"), "{told:?}");
    assert!(metrics.snapshot().overflow > 0);
}

/// Never answers.
struct Hung;

impl MetricSink for Hung {
    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_what_is_held_dropped_early_and_fails() {
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("kept")
                .agg("median", Median)
                .window(seconds(10))
                .max_values(3),
        )
        .metric(
            Metric::new("late")
                .agg("sum", Sum)
                .window(seconds(10))
                .late(Late::Drop, Duration::ZERO),
        )
        .sink(Memory::default())
        .spawn()
        .unwrap();
    for n in 0..8 {
        metrics.send("kept", n).unwrap();
    }
    metrics.send_at("late", 1, (), Time::ZERO).unwrap();
    metrics.flush().await.unwrap();
    let snapshot = metrics.snapshot();
    let kept = snapshot.metric("kept").unwrap();
    assert_eq!((kept.values, kept.held, kept.early), (8, 2, 2));
    let late = snapshot.metric("late").unwrap();
    assert_eq!((late.values, late.dropped, late.held), (1, 1, 0));
    let text = snapshot.to_string();
    for column in ["held", "dropped", "early", "failures"] {
        assert!(text.contains(column), "{text}");
    }
    let report = metrics.shutdown().await.unwrap();
    let kept = report.metric("kept").unwrap();
    assert_eq!((kept.held, kept.early, kept.elements), (0, 2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_was_removed_and_hangs_does_not_keep_a_shutdown_for_ever() {
    let memory = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(1))
        .sink(Hung)
        .sink(memory.clone())
        .spawn()
        .unwrap();
    metrics.send("m", 1).unwrap();
    tokio::time::sleep(seconds(1)).await;
    assert!(metrics.remove_sink("Hung"));
    metrics.send("m", 2).unwrap();
    let ended = tokio::time::timeout(seconds(60), metrics.shutdown()).await;
    assert!(ended.expect("it ends").is_ok());
    assert_eq!(memory.take(), ["m.sum 1", "m.sum 2"]);
}

/// Takes an hour for the first delivery, and no time for those after it.
struct SlowAtFirst(Delivery, bool, Memory);

impl MetricSink for SlowAtFirst {
    fn delivery(&self) -> Delivery {
        self.0
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        if !std::mem::replace(&mut self.1, true) {
            tokio::time::sleep(seconds(3_600)).await;
        }
        self.2.deliver(batch).await
    }
}

async fn after_a_hung_delivery(delivery: Delivery) -> (u64, u64, u64, usize) {
    let memory = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(1))
        .sink_with(
            SlowAtFirst(delivery, false, memory.clone()),
            SinkOptions::default().timeout(seconds(2)),
        )
        .spawn()
        .unwrap();
    metrics.send("m", 1).unwrap();
    tokio::time::sleep(seconds(1)).await;
    metrics.send("m", 2).unwrap();
    tokio::time::sleep(seconds(10)).await;
    let snapshot = metrics.snapshot();
    let sink = snapshot.sink("SlowAtFirst").unwrap();
    assert!(
        sink.last_error.as_deref().unwrap().contains("2s"),
        "{sink:?}"
    );
    let delivered = memory.take().len();
    metrics.shutdown().await.unwrap();
    (sink.failures, sink.delivered, sink.unknown, delivered)
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_takes_too_long_fails_and_is_tried_again_or_of_unknown_fate_as_the_sink_promises()
 {
    assert_eq!(
        after_a_hung_delivery(Delivery::AtLeastOnce).await,
        (1, 2, 0, 2)
    );
    assert_eq!(
        after_a_hung_delivery(Delivery::AtMostOnce).await,
        (1, 1, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn timers_count_in_the_unit_of_their_metric_unless_they_are_told_another_one() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("ms")
                .unit(Unit::Millis)
                .agg("max", Max)
                .batch(1),
        )
        .metric(Metric::new("us").unit("us").agg("max", Max).batch(1))
        .metric(Metric::new("bytes").unit("bytes").agg("max", Max).batch(1))
        .sink(sink.clone())
        .spawn()
        .unwrap();
    for name in ["ms", "us", "bytes"] {
        let (by_name, by_handle) = (metrics.timer(name).unwrap(), metrics.handle(name, ()));
        let timers = [by_name.start(), by_handle.unwrap().timer()];
        tokio::time::sleep(Duration::from_millis(250)).await;
        drop(timers);
    }
    let told = metrics.timer("ms").unwrap().unit(Unit::Seconds).start();
    tokio::time::sleep(Duration::from_millis(250)).await;
    drop(told);
    metrics.shutdown().await.unwrap();
    let expected = ["ms.max 250.0", "us.max 250000.0", "bytes.max 0.25"];
    let expected: Vec<_> = expected.iter().flat_map(|text| [*text; 2]).collect();
    let all = sink.take();
    assert_eq!(all[..6], expected);
    assert_eq!(all[6..], ["ms.max 0.25"]);
}

#[test]
fn tags_of_any_kinds_are_written_together() {
    let code = 200_u16;
    let tags = tags!["code" => code, "route" => "/", "ok" => true, "share" => 0.5];
    assert_eq!(tags.to_string(), "code=200 ok=true route=/ share=0.5");
}
