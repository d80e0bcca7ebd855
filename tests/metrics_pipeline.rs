//! The metrics pipeline: from senders on many threads to sinks that are slow, fail, or panic.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::metrics::{
    Delivery, Element, Metric, MetricError, MetricSink, MetricsPipeline, SendError, SinkError,
    SinkOptions, Unit,
};
use headwater::prelude::*;

/// Keeps what comes, as text.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<String>>>);

impl Memory {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl MetricSink for Memory {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let texts = batch.iter().map(Element::to_string);
        self.0.lock().unwrap().extend(texts);
        Ok(())
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn batches_of_two_metrics_reach_both_sinks_in_order() {
    let sinks = [Memory::default(), Memory::default()];
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m1").agg("sum", Sum).batch(5))
        .metric(Metric::new("m2").agg("mean", Mean).batch(5))
        .sink_with(sinks[0].clone(), SinkOptions::default().name("one"))
        .sink_with(sinks[1].clone(), SinkOptions::default().name("two"))
        .spawn()
        .unwrap();
    for value in [1, 2, 3, 4, 5] {
        metrics.send("m1", value).unwrap();
        metrics.send_tagged("m2", value, [("foo", "bar")]).unwrap();
    }
    tokio::time::sleep(seconds(1)).await;
    for sink in sinks {
        assert_eq!(sink.take(), ["m1.sum 15", "m2.mean{foo=bar} 3.0"]);
    }
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.metric("m1").unwrap().values, 5);
    assert_eq!(snapshot.sink("one").unwrap().delivered, 2);
}

#[tokio::test(start_paused = true)]
async fn in_batches_of_one_everything_comes_out_in_the_order_in_which_it_was_sent() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("a").agg("last", Last).batch(1))
        .metric(Metric::new("b").agg("last", Last).batch(1))
        .sink(sink.clone())
        .spawn()
        .unwrap();
    for n in 0..100 {
        metrics.send(if n % 3 == 0 { "a" } else { "b" }, n).unwrap();
    }
    metrics.shutdown().await.unwrap();
    let sent = (0..100).map(|n| format!("{}.last {n}", if n % 3 == 0 { "a" } else { "b" }));
    assert_eq!(sink.take(), sent.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_window_is_emitted_when_its_time_is_over_and_what_is_held_at_the_shutdown() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("requests").agg("sum", Sum).window(seconds(3)))
        .sink(sink.clone())
        .spawn()
        .unwrap();
    metrics.send("requests", 1).unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    metrics.send("requests", 2).unwrap();
    assert!(sink.take().is_empty());
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(sink.take(), ["requests.sum 3"]);
    metrics.send("requests", 4).unwrap();
    let report = metrics.shutdown_within(seconds(5)).await.unwrap();
    assert_eq!(sink.take(), ["requests.sum 4"]);
    assert_eq!(report.sink("Memory").unwrap().delivered, 2);
    assert!(matches!(
        metrics.send("requests", 1),
        Err(SendError::Closed(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_is_an_error_that_lists_those_that_are_known() {
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("b").agg("sum", Sum).batch(1))
        .metric(Metric::new("a").agg("sum", Sum).batch(1))
        .spawn()
        .unwrap();
    let error = metrics.send("c", 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no metric \"c\"; known are a, b"
    );
    let again = metrics.add_metric(Metric::new("a").agg("sum", Sum).batch(1));
    assert_eq!(again, Err(MetricError::SameMetric("a".into())));
}

#[tokio::test(start_paused = true)]
async fn a_timer_sends_how_long_it_took_even_when_the_work_panics() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("t").agg("min", Min).agg("max", Max).batch(2))
        .sink(sink.clone())
        .spawn()
        .unwrap();
    {
        let _timer = metrics.timer("t").unwrap().unit(Unit::Millis).start();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let work = metrics.clone();
    let panicked = tokio::spawn(async move {
        let _timer = work.timer("t").unwrap().start();
        tokio::time::sleep(Duration::from_millis(250)).await;
        panic!("the work fails");
    });
    assert!(panicked.await.is_err());
    metrics.timer("t").unwrap().start().discard();
    metrics.shutdown().await.unwrap();
    assert_eq!(sink.take(), ["t.min 0.25", "t.max 200.0"]);
}
