//! What is logged of losses, and how often.

mod hung_sink;
mod listener;

use std::time::Duration;

use headwater::metrics::{Delivery, Late, Metric, MetricsPipeline, SinkOptions};
use headwater::prelude::*;
use headwater::{OnFull, Shards};
use hung_sink::Hung;
use listener::Listener;
use tracing::Level;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Keeps what this thread warns of.
fn warnings() -> Listener {
    Listener::to(|metadata| *metadata.level() <= Level::WARN)
}

/// The only test here of senders that are not told: their warning is one for the program.
#[tokio::test(start_paused = true)]
async fn each_sort_of_loss_is_logged_once_and_again_when_it_goes_on_for_a_minute() {
    let warnings = warnings();
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
        .sink_with(
            Hung(Delivery::AtLeastOnce),
            SinkOptions::default().buffer(5),
        )
        .intake(Shards::default().capacity(600))
        .spawn()
        .unwrap();
    for n in 0..10 {
        metrics.send_tagged("m", 1, [("n", n)]).unwrap();
    }
    let told = warnings.take_texts();
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
    let told = warnings.take_texts();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("late"), "{told:?}");

    // One batch is with the sink, which may have 512.
    for _ in 0..30 {
        for _ in 0..50 {
            metrics.send("each", 1).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = warnings.take_texts();
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
    assert_eq!(warnings.take_texts().len(), 1);
    let _ = metrics.shutdown_within(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_is_not_told_of_a_drop_is_logged_of_once() {
    let warnings = warnings();
    let _logs = warnings.listen();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(1))
        .sink_with(
            Hung(Delivery::AtLeastOnce),
            SinkOptions::default().buffer(5).on_full(OnFull::Wait),
        )
        .intake(Shards::default().capacity(4))
        .spawn()
        .unwrap();
    let handle = metrics.handle("m", ()).unwrap();
    for _ in 0..5_000 {
        handle.send(1);
    }
    let told = warnings.take_texts();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("blocking_send"), "{told:?}");
    assert!(metrics.snapshot().overflow > 0);
}
