//! What is logged of sinks and aggregators in trouble: that they are, and not each time.

mod listener;

use std::time::Duration;

use headwater::metrics::{Element, FnSink, Metric, MetricsPipeline, Value};
use headwater::prelude::*;
use listener::Listener;
use tracing::Level;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Keeps what this thread tells people.
fn for_people() -> Listener {
    Listener::to(|metadata| *metadata.level() <= Level::INFO)
}

fn of_each_value() -> Metric {
    Metric::new("m").agg("v", Last).batch(1)
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_fails_again_and_again_is_told_of_once() {
    let told = for_people();
    let _logs = told.listen();
    let mut attempts = 0;
    let flapping = FnSink::batches(move |_: &[Element]| {
        attempts += 1;
        match attempts % 2 {
            1 => Err("the peer is down"),
            _ => Ok(()),
        }
    });
    let metrics = MetricsPipeline::builder()
        .metric(of_each_value())
        .sink(flapping)
        .spawn()
        .unwrap();
    for n in 0..20 {
        metrics.send("m", n).unwrap();
        tokio::time::sleep(seconds(1)).await;
    }
    let sink = metrics.shutdown().await.unwrap().sinks.remove(0);
    assert_eq!((sink.failures, sink.delivered), (20, 20));
    let told = told.take_texts();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("the peer is down"), "{told:?}");
    assert!(told[1].contains("delivers again"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn an_aggregator_that_fails_is_told_of_once_a_minute() {
    let told = for_people();
    let _logs = told.listen();
    let picky = |_: &[Value]| Err::<f64, _>("no number for this");
    let metric = Metric::new("m").agg("sum", Sum).agg_values("picky", picky);
    let metrics = MetricsPipeline::builder()
        .metric(metric.window(seconds(1)))
        .spawn()
        .unwrap();
    for n in 0..100 {
        metrics.send("m", n).unwrap();
        tokio::time::sleep(seconds(1)).await;
    }
    let m = metrics.shutdown().await.unwrap().metrics.remove(0);
    assert_eq!((m.failed, m.elements), (100, 100));
    let told = told.take_texts();
    assert_eq!(told.len(), 2, "{told:?}");
    for told in told {
        assert!(
            told.contains("m.picky") && told.contains("no number"),
            "{told}"
        );
    }
}

#[cfg(feature = "opentsdb")]
#[tokio::test(start_paused = true)]
async fn points_that_are_rejected_batch_after_batch_are_told_of_once() {
    use headwater::metrics::{OpenTsdbHttpSink, OpenTsdbSink, SinkOptions};

    let told = for_people();
    let _logs = told.listen();
    // Nobody is there: what is not a point is not sent.
    let metrics = MetricsPipeline::builder()
        .metric(of_each_value())
        .sink(OpenTsdbSink::connect("127.0.0.1:1"))
        .sink_with(
            OpenTsdbHttpSink::new("http://127.0.0.1:1").unwrap(),
            SinkOptions::default().name("http"),
        )
        .spawn()
        .unwrap();
    for _ in 0..20 {
        metrics.send("m", f64::NAN).unwrap();
        tokio::time::sleep(seconds(1)).await;
    }
    let sinks = metrics.shutdown().await.unwrap().sinks;
    let rejected: Vec<u64> = sinks.iter().map(|sink| sink.rejected).collect();
    assert_eq!(rejected, [20, 20]);
    let told = told.take_texts();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|told| told.contains("NaN")), "{told:?}");
}
