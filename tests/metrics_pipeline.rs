//! The metrics pipeline: from senders on many threads to sinks that are slow, fail, or panic.

mod memory_sink;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::metrics::{
    Delivery, Element, ExpositionFormat, FnSink, Metric, MetricError, MetricSink, MetricsPipeline,
    SendError, SinkError, SinkOptions, Unit,
};
use headwater::prelude::*;
use memory_sink::Memory;

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

/// Does with each batch what its closure says.
struct Scripted<F>(&'static str, F);

impl<F> MetricSink for Scripted<F>
where
    F: FnMut(&[Element]) -> Result<Duration, SinkError> + Send + 'static,
{
    fn name(&self) -> std::borrow::Cow<'static, str> {
        self.0.into()
    }

    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    fn max_batch(&self) -> usize {
        4
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        tokio::time::sleep((self.1)(batch)?).await;
        Ok(())
    }
}

fn every_value() -> Metric {
    Metric::new("m").agg("v", Last).batch(1)
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_delays_only_itself_and_loses_the_oldest_beyond_its_buffer() {
    let quick = Memory::default();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slow = seen.clone();
    let slow = Scripted("slow", move |batch: &[Element]| {
        slow.lock()
            .unwrap()
            .extend(batch.iter().map(Element::to_string));
        Ok(seconds(1))
    });
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink(quick.clone())
        .sink_with(slow, SinkOptions::default().buffer(8))
        .spawn()
        .unwrap();
    for n in 0..1000 {
        metrics.send("m", n).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(quick.take().len(), 1000);
    let report = metrics.shutdown().await.unwrap();
    let sink = report.sink("slow").unwrap();
    assert_eq!(sink.elements, 1000);
    assert_eq!(sink.delivered + sink.overflow, 1000);
    assert!(sink.overflow > 900, "{report}");
    assert_eq!(sink.held, 0);
    assert_eq!(seen.lock().unwrap().last().unwrap(), "m.v 999");
}

#[tokio::test(start_paused = true)]
async fn a_failing_sink_is_tried_again_until_it_delivers_and_says_since_when_it_fails() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (taken, mut attempts) = (seen.clone(), 0);
    let flaky = Scripted("flaky", move |batch: &[Element]| {
        attempts += 1;
        if attempts <= 3 {
            return Err(SinkError::retry("the peer is down"));
        }
        taken
            .lock()
            .unwrap()
            .extend(batch.iter().map(Element::to_string));
        Ok(Duration::ZERO)
    });
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink(flaky)
        .spawn()
        .unwrap();
    metrics.send("m", 1).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let sink = metrics.snapshot().sink("flaky").unwrap().clone();
    assert!(sink.failing_since.is_some());
    assert_eq!(sink.last_error.as_deref(), Some("the peer is down"));
    assert_eq!((sink.delivered, sink.held), (0, 1));
    tokio::time::sleep(seconds(2)).await;
    let sink = metrics.snapshot().sink("flaky").unwrap().clone();
    assert_eq!((sink.delivered, sink.failures, sink.held), (1, 3, 0));
    assert_eq!(sink.failing_since, None);
    assert_eq!(*seen.lock().unwrap(), ["m.v 1"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_done_of_a_batch_is_not_delivered_again() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (taken, mut attempts) = (seen.clone(), 0);
    let partial = Scripted("partial", move |batch: &[Element]| {
        attempts += 1;
        let mut taken = taken.lock().unwrap();
        if attempts == 1 {
            taken.extend(batch[..2].iter().map(Element::to_string));
            return Err(SinkError::retry("cut off").done(3).rejected(1));
        }
        taken.extend(batch.iter().map(Element::to_string));
        Ok(Duration::ZERO)
    });
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink(partial)
        .spawn()
        .unwrap();
    for n in 0..4 {
        metrics.send("m", n).unwrap();
    }
    let report = metrics.shutdown().await.unwrap();
    let sink = report.sink("partial").unwrap();
    assert_eq!((sink.delivered, sink.rejected, sink.given_up), (3, 1, 0));
    assert_eq!(*seen.lock().unwrap(), ["m.v 0", "m.v 1", "m.v 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_sink_loses_its_batch_and_goes_on() {
    let quick = Memory::default();
    let panics = Scripted("panics", |batch: &[Element]| {
        assert!(batch[0].value() > 3.into(), "not liked");
        Ok(Duration::ZERO)
    });
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink(panics)
        .sink(quick.clone())
        .spawn()
        .unwrap();
    for n in 0..8 {
        metrics.send("m", n).unwrap();
    }
    let report = metrics.shutdown().await.unwrap();
    let sink = report.sink("panics").unwrap();
    assert_eq!((sink.given_up, sink.delivered), (4, 4));
    assert_eq!(
        sink.last_error.as_deref(),
        Some("the sink panicked: not liked")
    );
    assert_eq!(quick.take().len(), 8);
}

/// The same sink, but it promises that nothing arrives twice.
struct Once<S>(S);

impl<S: MetricSink + Sync> MetricSink for Once<S> {
    fn name(&self) -> std::borrow::Cow<'static, str> {
        "once".into()
    }

    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    fn max_batch(&self) -> usize {
        self.0.max_batch()
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        self.0.deliver(batch).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_or_not_is_counted_as_that_and_not_as_rejected() {
    let breaks = || {
        let mut attempts = 0;
        Scripted("breaks", move |_: &[Element]| {
            attempts += 1;
            match attempts {
                1 => Err(SinkError::retry("cut off").done(3).rejected(1).unknown(1)),
                2 => panic!("half-way"),
                _ => Ok(Duration::ZERO),
            }
        })
    };
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink(breaks())
        .sink(Once(breaks()))
        .spawn()
        .unwrap();
    for n in 0..8 {
        metrics.send("m", n).unwrap();
    }
    let report = metrics.shutdown().await.unwrap();
    let fate = |name| {
        let sink = report.sink(name).unwrap();
        assert_eq!((sink.elements, sink.held), (8, 0), "{sink:?}");
        (sink.delivered, sink.rejected, sink.unknown, sink.given_up)
    };
    assert_eq!(fate("breaks"), (5, 1, 1, 1));
    // Nobody knows how far it had come when it panicked.
    assert_eq!(fate("once"), (5, 1, 2, 0));
    let text = report.to_string();
    assert!(text.contains("2 more may have arrived or not"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn at_most_once_what_was_under_way_at_the_end_of_a_shutdown_is_counted_once() {
    let stuck = Scripted("stuck", |_: &[Element]| Ok(seconds(1_000_000)));
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink(Once(stuck))
        .spawn()
        .unwrap();
    for n in 0..6 {
        metrics.send("m", n).unwrap();
    }
    let report = metrics.shutdown_within(seconds(2)).await.unwrap();
    let sink = report.sink("once").unwrap();
    let (lost, all) = (sink.unknown + sink.given_up, sink.elements);
    assert_eq!(
        (sink.delivered, sink.held, lost, all),
        (0, 0, 6, 6),
        "{sink:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_never_answers_is_given_up_at_the_shutdown_and_counted() {
    let stuck = Scripted("stuck", |_: &[Element]| Ok(seconds(1_000_000)));
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink_with(stuck, SinkOptions::default().buffer(10))
        .spawn()
        .unwrap();
    for n in 0..100 {
        metrics.send("m", n).unwrap();
    }
    let report = metrics.shutdown_within(seconds(5)).await.unwrap();
    let sink = report.sink("stuck").unwrap();
    assert_eq!(sink.delivered, 0);
    assert_eq!(sink.overflow + sink.given_up + sink.held, 100, "{report}");
    assert_eq!(sink.held, 0, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_limited_sink_gets_one_element_within_each_interval_and_all_of_them() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink_with(sink.clone(), SinkOptions::default().rate_limit(seconds(1)))
        .spawn()
        .unwrap();
    for n in 0..5 {
        metrics.send("m", n).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(sink.take(), ["m.v 0", "m.v 1", "m.v 2"]);
    metrics.shutdown().await.unwrap();
    assert_eq!(sink.take(), ["m.v 3", "m.v 4"]);
}

#[tokio::test(start_paused = true)]
async fn metrics_and_sinks_come_and_go_while_it_runs() {
    let (first, second) = (Memory::default(), Memory::default());
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink_with(first.clone(), SinkOptions::default().name("first"))
        .spawn()
        .unwrap();
    metrics.send("m", 1).unwrap();
    metrics.flush().await.unwrap();
    metrics
        .add_metric(Metric::new("n").agg("v", Last).batch(1))
        .unwrap();
    metrics
        .add_sink_with(second.clone(), SinkOptions::default().name("second"))
        .unwrap();
    assert!(
        metrics
            .add_sink_with(Memory::default(), SinkOptions::default().name("first"))
            .is_err()
    );
    metrics.send("n", 2).unwrap();
    tokio::time::sleep(seconds(1)).await;
    assert!(metrics.remove_sink("first"));
    assert!(!metrics.remove_sink("first"));
    metrics.send("m", 3).unwrap();
    metrics.shutdown().await.unwrap();
    assert_eq!(first.take(), ["m.v 1", "n.v 2"]);
    assert_eq!(second.take(), ["n.v 2", "m.v 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_with_four_threads_and_a_handle_for_all() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("m")
                .agg("sum", Sum)
                .agg("count", Count)
                .batch(1_000),
        )
        .sink(sink.clone())
        .spawn()
        .unwrap();
    let handle = metrics.handle("m", [("route", "/home")]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    while handle.try_send(1).is_err() {
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    let report = metrics.shutdown_within(seconds(30)).await.unwrap();
    assert_eq!(report.metric("m").unwrap().values, 20_000);
    let expected = ["m.sum{route=/home} 1000", "m.count{route=/home} 1000"].repeat(20);
    assert_eq!(sink.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_delivers_what_is_held() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).window(seconds(60)))
        .sink(sink.clone())
        .spawn()
        .unwrap();
    metrics.send("m", 5).unwrap();
    drop(metrics);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(sink.take(), ["m.sum 5"]);
}

#[tokio::test(start_paused = true)]
async fn sinks_are_told_of_each_metric_before_its_elements_and_closed_at_the_end() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);
    impl MetricSink for Log {
        fn delivery(&self) -> Delivery {
            Delivery::AtMostOnce
        }
        fn describe(&mut self, metric: &Arc<headwater::metrics::Described>) {
            self.0
                .lock()
                .unwrap()
                .push(format!("metric {}", metric.name()));
        }
        async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
            self.0
                .lock()
                .unwrap()
                .extend(batch.iter().map(Element::to_string));
            Ok(())
        }
        async fn close(&mut self) -> Result<(), SinkError> {
            self.0.lock().unwrap().push("closed".into());
            Ok(())
        }
    }
    let log = Log::default();
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink(log.clone())
        .spawn()
        .unwrap();
    metrics.send("m", 1).unwrap();
    tokio::time::sleep(seconds(1)).await;
    metrics
        .add_metric(Metric::new("n").agg("v", Last).batch(1))
        .unwrap();
    metrics.send("n", 2).unwrap();
    metrics.shutdown().await.unwrap();
    let expected = ["metric m", "m.v 1", "metric n", "n.v 2", "closed"];
    assert_eq!(*log.0.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn ten_mixed_values_of_two_metrics_come_to_the_same_at_both_sinks() {
    let sinks = [Memory::default(), Memory::default()];
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m1").agg("sum", Sum).batch(5))
        .metric(Metric::new("m2").agg("mean", Mean).batch(5))
        .sink_with(sinks[0].clone(), SinkOptions::default().name("one"))
        .sink_with(sinks[1].clone(), SinkOptions::default().name("two"))
        .spawn()
        .unwrap();
    let (none, foo, bat) = (&[][..], &[("foo", "bar")][..], &[("bat", "baz")][..]);
    let sends = [
        ("m1", 1, none),
        ("m2", 2, foo),
        ("m1", 3, none),
        ("m2", 1, bat),
        ("m2", 2, foo),
        ("m1", 3, none),
        ("m1", 1, foo),
        ("m2", 1, foo),
        ("m1", 3, bat),
        ("m2", 2, none),
    ];
    for (metric, value, tags) in sends {
        metrics.send_tagged(metric, value, tags).unwrap();
    }
    metrics.shutdown().await.unwrap();
    for sink in sinks {
        assert_eq!(
            sink.take(),
            [
                "m1.sum 7",
                "m1.sum{foo=bar} 1",
                "m1.sum{bat=baz} 3",
                "m2.mean{foo=bar} 1.6666666666666667",
                "m2.mean{bat=baz} 1.0",
                "m2.mean 2.0",
            ]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn tags_leave_with_the_types_they_came_with() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let sink = Scripted("typed", move |batch: &[Element]| {
        kept.lock().unwrap().extend(batch.iter().cloned());
        Ok(Duration::ZERO)
    });
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("max", Max).batch(2))
        .sink(sink)
        .spawn()
        .unwrap();
    let tags = headwater::metrics::Tags::new()
        .with("code", 200)
        .with("text", "200")
        .with("cut|here:", "a|b:c\\")
        .with("ok", true);
    metrics.send_tagged("m", 1, &tags).unwrap();
    metrics.send_tagged("m", 2, &tags).unwrap();
    metrics.shutdown().await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(*seen[0].tags(), tags);
    assert_eq!(seen[0].value().as_i64(), Some(2));
}

/// A thread that knows no runtime is nothing unusual: a main thread, or one of a library.
#[test]
fn a_thread_without_a_runtime_adds_metrics_and_sinks() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let metrics = runtime.block_on(async {
        MetricsPipeline::builder()
            .metric(every_value())
            .spawn()
            .unwrap()
    });
    let exposition = metrics.prometheus()?;
    metrics.add_metric(Metric::new("n").agg("n", Count).batch(1))?;
    let (sender, receiver) = std::sync::mpsc::channel();
    metrics.add_sink(FnSink::blocking(move |element: &Element| {
        sender.send(element.to_string())
    }))?;
    metrics.send("m", 1)?;
    metrics.send("n", 1)?;
    runtime.block_on(metrics.shutdown())?;
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["m.v 1", "n.n 1"]);
    let text = exposition.render(ExpositionFormat::Text);
    assert!(
        text.contains("m_v 1\n") && text.contains("n_n 1\n"),
        "{text}"
    );
    Ok(())
}
