//! What happens at the bounds: what is counted and printed, and deliveries that take too long.

mod hung_sink;
mod memory_sink;

use std::time::Duration;

use headwater::metrics::{
    Delivery, Element, Late, Metric, MetricSink, MetricsPipeline, SinkError, SinkOptions, Unit,
};
use headwater::prelude::*;
use headwater::tags;
use hung_sink::Hung;
use memory_sink::Memory;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
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
        .sink(Hung(Delivery::AtLeastOnce))
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

/// What a sink's option says to zero.
fn of_zero<T>(option: impl FnOnce() -> T) -> String {
    let option = std::panic::AssertUnwindSafe(|| drop(option()));
    let panic = std::panic::catch_unwind(option).expect_err("zero makes no sense");
    panic.downcast_ref::<&str>().unwrap().to_string()
}

#[test]
fn a_sinks_option_that_makes_no_sense_is_refused_with_a_sentence() {
    use headwater::metrics::PrometheusSink;

    let sink = PrometheusSink::new;
    let zero = Duration::ZERO;
    let said = [
        of_zero(|| sink().stale_after(zero)),
        of_zero(|| sink().forget_totals_after(zero)),
        of_zero(|| sink().max_series(0)),
    ];
    assert!(said[0].starts_with("gauges that are stale at once"));
    assert!(said[1].starts_with("totals that are forgotten at once"));
    assert!(said[2].starts_with("a sink of 0 series"));
}

#[cfg(feature = "opentsdb")]
#[test]
fn an_option_of_opentsdbs_sinks_that_makes_no_sense_is_refused_with_a_sentence() {
    use headwater::metrics::{OpenTsdbHttpSink, OpenTsdbSink};

    let telnet = || OpenTsdbSink::connect("127.0.0.1:4242");
    let http = || OpenTsdbHttpSink::new("http://127.0.0.1:4242").unwrap();
    let zero = Duration::ZERO;
    for said in [
        of_zero(|| telnet().max_line(0)),
        of_zero(|| telnet().connect_timeout(zero)),
        of_zero(|| telnet().timeout(zero)),
        of_zero(|| http().timeout(zero)),
    ] {
        assert!(said.starts_with("no ") && said.contains(':'), "{said}");
    }
}
