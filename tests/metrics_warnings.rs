//! What is logged of losses, and how often.

use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use headwater::metrics::{
    Delivery, Element, Late, Metric, MetricSink, MetricsPipeline, SinkError, SinkOptions,
};
use headwater::prelude::*;
use headwater::{OnFull, Shards};
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
    /// The first thing that each test here does, and there is somebody who hears of everything from then on: where
    /// one thread is the first to log at a place, at the moment at which another begins to listen, `tracing` may
    /// take that place for one of no interest to anybody.
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
    let _logs = warnings.listen();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(1))
        .sink_with(Hung, SinkOptions::default().buffer(5).on_full(OnFull::Wait))
        .intake(Shards::default().capacity(4))
        .spawn()
        .unwrap();
    let handle = metrics.handle("m", ()).unwrap();
    for _ in 0..5_000 {
        handle.send(1);
    }
    let told = warnings.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("blocking_send"), "{told:?}");
    assert!(metrics.snapshot().overflow > 0);
}
