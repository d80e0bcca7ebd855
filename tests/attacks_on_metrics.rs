//! Attacks on the metrics pipeline and the sharded source: closures that panic where a lock is held,
//! names and numbers that are odd, series that go and come back, ends that meet.

mod memory_sink;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, SystemTime};

use headwater::aggregate::Aggregate;
use headwater::metrics::{
    Aligned, AsTag, Delivery, Described, Element, Metric, MetricError, MetricSink, MetricsPipeline,
    SendError, SinkError, SinkOptions, TagRef, Timer, Value,
};
use headwater::prelude::*;
use headwater::{GraphError, OnFull, Shards, Time};
use memory_sink::Memory;

/// Never answers.
struct Stuck;

impl MetricSink for Stuck {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
        std::future::pending().await
    }
}

/// Fails where the work has not ended after a while: it hangs.
fn ends<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    let worker = std::thread::spawn(move || tell.send(work()));
    match told.recv_timeout(Duration::from_secs(120)) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(worker.join().unwrap_err())
        }
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn every_value() -> Metric {
    Metric::new("m").agg("v", Last).batch(1)
}

/// Panics where it is told to.
#[derive(Clone)]
struct Panics(&'static str);

impl Panics {
    fn at(&self, place: &str, value: i64) {
        assert!(!(self.0 == place && value == 13), "13 is bad luck");
    }
}

impl Aggregate<Value> for Panics {
    type State = i64;
    type Output = i64;

    fn lift(&self, value: &Value) -> i64 {
        let value = value.as_i64().unwrap();
        self.at("lift", value);
        value
    }

    fn add(&self, state: &mut i64, value: &Value) {
        let value = value.as_i64().unwrap();
        self.at("add", value);
        *state += value;
    }

    fn merge(&self, left: &mut i64, right: &i64) {
        self.at("merge", *right);
        *left += right;
    }

    fn finish(&self, state: &i64) -> i64 {
        self.at("finish", *state);
        *state
    }
}

async fn with_a_panicking_aggregate(place: &'static str, values: [i64; 4]) -> Vec<String> {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("m")
                .agg("own", Panics(place))
                .agg("count", Count)
                .batch(4),
        )
        .sink(sink.clone())
        .spawn()
        .unwrap();
    for value in values {
        let route = if value == 13 { "/bad" } else { "/good" };
        metrics.send_tagged("m", value, [("route", route)]).unwrap();
    }
    for _ in 0..4 {
        metrics.send("m", 1).unwrap();
    }
    let report = metrics.shutdown_within(seconds(5)).await.unwrap();
    assert_eq!(report.metric("m").unwrap().failed, 1, "{report}");
    sink.take()
}

#[tokio::test(start_paused = true)]
async fn an_aggregate_of_ones_own_that_panics_fails_for_its_tags_only() {
    for (place, values) in [
        ("lift", [1, 13, 2, 3]),
        ("add", [1, 13, 13, 3]),
        ("finish", [1, 13, 2, 3]),
    ] {
        let came = with_a_panicking_aggregate(place, values).await;
        let good: i64 = values.iter().filter(|v| **v != 13).sum();
        let of_good = values.iter().filter(|v| **v != 13).count();
        assert_eq!(
            came,
            [
                format!("m.own{{route=/good}} {good}"),
                format!("m.count{{route=/good}} {of_good}"),
                format!("m.count{{route=/bad}} {}", 4 - of_good),
                "m.own 4".into(),
                "m.count 4".into(),
            ],
            "{place}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_an_aggregator_that_cannot_be_shown_stops_nothing() {
    #[derive(Debug)]
    struct Unspeakable;
    impl std::fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no words")
        }
    }
    impl std::error::Error for Unspeakable {}
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("m")
                .agg_values("own", |_| Err::<i64, _>(Unspeakable))
                .agg("count", Count)
                .batch(1),
        )
        .sink(sink.clone())
        .spawn()
        .unwrap();
    metrics.send("m", 1).unwrap();
    metrics.send("m", 1).unwrap();
    let report = metrics.shutdown_within(seconds(5)).await.unwrap();
    assert_eq!(report.metric("m").unwrap().failed, 2);
    assert_eq!(sink.take(), ["m.count 1", "m.count 1"]);
}

/// A tag whose text is asked of a closure.
struct Asked<F>(F);

impl<F: Fn() -> &'static str> AsTag for Asked<F> {
    fn as_tag(&self) -> TagRef<'_> {
        TagRef::Str((self.0)())
    }
}

#[test]
fn tags_may_use_the_pipeline_while_they_are_read() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .spawn()
                .unwrap();
            let inner = metrics.clone();
            let tag = Asked(move || {
                inner
                    .add_metric(Metric::new("n").agg("v", Last).batch(1))
                    .unwrap();
                inner.send("n", 1).unwrap();
                "text"
            });
            metrics.send_tagged("m", 1, [("t", tag)]).unwrap();
            let panics = Asked(|| panic!("no tag"));
            let sent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                metrics.send_tagged("m", 1, [("t", panics)])
            }));
            assert!(sent.is_err());
            metrics.send("m", 2).unwrap();
            let report = metrics.shutdown().await.unwrap();
            assert_eq!(report.metric("m").unwrap().values, 2);
            assert_eq!(report.metric("n").unwrap().values, 1);
        });
    });
}

#[tokio::test(start_paused = true)]
async fn a_set_of_tags_that_comes_back_within_a_window_is_one_row() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("m")
                .agg("sum", Sum)
                .window(seconds(3600))
                .max_tag_sets(2),
        )
        .sink(sink.clone())
        .spawn()
        .unwrap();
    metrics.send_tagged("m", 1, [("k", "a")]).unwrap();
    metrics.send_tagged("m", 1, [("k", "b")]).unwrap();
    metrics.flush().await.unwrap();
    tokio::time::sleep(seconds(700)).await;
    // Room for these is made of the others.
    metrics.send_tagged("m", 1, [("k", "c")]).unwrap();
    metrics.flush().await.unwrap();
    metrics.send_tagged("m", 1, [("k", "a")]).unwrap();
    metrics.shutdown().await.unwrap();
    let mut came = sink.take();
    came.sort();
    let keys: Vec<_> = came
        .iter()
        .map(|text| text.split(' ').next().unwrap())
        .collect();
    let mut once = keys.clone();
    once.dedup();
    assert_eq!(keys, once, "{came:?}");
    let total: i64 = came
        .iter()
        .map(|text| text.rsplit(' ').next().unwrap().parse::<i64>().unwrap())
        .sum();
    assert_eq!(total, 4);
}

#[tokio::test(start_paused = true)]
async fn a_set_of_tags_that_comes_back_within_a_batch_is_one_row() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(1000).max_tag_sets(1))
        .sink(sink.clone())
        .spawn()
        .unwrap();
    metrics.send_tagged("m", 1, [("k", "a")]).unwrap();
    metrics.flush().await.unwrap();
    tokio::time::sleep(seconds(700)).await;
    metrics.send_tagged("m", 1, [("k", "b")]).unwrap();
    metrics.flush().await.unwrap();
    tokio::time::sleep(seconds(700)).await;
    metrics.send_tagged("m", 1, [("k", "a")]).unwrap();
    metrics.shutdown().await.unwrap();
    let came = sink.take();
    assert_eq!(
        came.iter()
            .filter(|text| text.starts_with("m.sum{k=a}"))
            .count(),
        1,
        "{came:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn values_that_a_window_keeps_have_their_tags_when_it_is_over() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("m")
                .agg_values("n", |values: &[Value]| values.len() as i64)
                .window(seconds(3600))
                .max_tag_sets(1),
        )
        .sink(sink.clone())
        .spawn()
        .unwrap();
    metrics.send_tagged("m", 1, [("k", "a")]).unwrap();
    metrics.flush().await.unwrap();
    tokio::time::sleep(seconds(700)).await;
    metrics.send_tagged("m", 1, [("k", "b")]).unwrap();
    metrics.shutdown().await.unwrap();
    let came = sink.take();
    assert!(came.contains(&"m.n{k=a} 1".to_owned()), "{came:?}");
}

/// The handle was made long before; what it sent last is young.
#[tokio::test(start_paused = true)]
async fn values_of_a_handle_that_is_dropped_have_their_tags_when_the_window_is_over() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(
            Metric::new("m")
                .agg_values("n", |values: &[Value]| values.len() as i64)
                .window(seconds(3600))
                .max_tag_sets(1),
        )
        .sink(sink.clone())
        .spawn()
        .unwrap();
    let handle = metrics.handle("m", [("k", "a")]).unwrap();
    tokio::time::sleep(seconds(2 * 3600)).await;
    handle.send(1);
    drop(handle);
    metrics.flush().await.unwrap();
    metrics.send_tagged("m", 1, [("k", "b")]).unwrap();
    metrics.shutdown().await.unwrap();
    let came = sink.take();
    assert!(came.contains(&"m.n{k=a} 1".to_owned()), "{came:?}");
}

#[tokio::test(start_paused = true)]
async fn who_calls_a_tag_overflow_shares_the_row_of_the_overflow() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(3).max_tag_sets(2))
        .sink(sink.clone())
        .spawn()
        .unwrap();
    metrics.send_tagged("m", 1, [("overflow", true)]).unwrap();
    metrics.send_tagged("m", 1, [("k", "a")]).unwrap();
    metrics.send_tagged("m", 1, [("k", "b")]).unwrap();
    metrics.send_tagged("m", 1, [("k", "c")]).unwrap();
    metrics.shutdown().await.unwrap();
    let came = sink.take();
    assert_eq!(came[0], "m.sum{overflow=true} 1", "{came:?}");
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).batch(4).max_tag_sets(2))
        .sink(sink.clone())
        .spawn()
        .unwrap();
    metrics.send_tagged("m", 1, [("overflow", true)]).unwrap();
    for k in ["a", "b", "c"] {
        metrics.send_tagged("m", 1, [("k", k)]).unwrap();
    }
    metrics.shutdown().await.unwrap();
    let came = sink.take();
    let overflow = came
        .iter()
        .filter(|text| text.starts_with("m.sum{overflow=true}"));
    assert_eq!(overflow.count(), 1, "{came:?}");
}

#[test]
fn one_element_of_the_far_future_does_not_keep_series_for_ever() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<Element>();
    let metric = Metric::new("m").agg("sum", Sum).batch(1).max_tag_sets(2);
    let list = metric
        .aggregate(&source)
        .unwrap()
        .map(|e| e.to_string())
        .sink_to_list();
    let emit = |key: &str, at: u64| {
        let element = Element::new("m", 1)
            .tagged([("k", key)])
            .at(Time::from_millis(at));
        source.emit(element).unwrap();
    };
    emit("a", 4_102_444_800_000);
    emit("b", 1_000);
    emit("c", 4_102_444_800_000);
    let _ = list.take();
    for minute in 1..60 {
        time.advance(seconds(60));
        emit("d", minute * 60_000);
    }
    assert_eq!(list.take().last().unwrap(), "m.sum{k=d} 1");
}

#[tokio::test(start_paused = true)]
async fn a_sink_of_a_name_that_was_there_before_has_figures_of_its_own() {
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink_with(Stuck, SinkOptions::default().name("s"))
        .spawn()
        .unwrap();
    for n in 0..10 {
        metrics.send("m", n).unwrap();
    }
    tokio::time::sleep(seconds(1)).await;
    assert!(metrics.remove_sink("s"));
    let memory = Memory::default();
    metrics
        .add_sink_with(memory.clone(), SinkOptions::default().name("s"))
        .unwrap();
    metrics.send("m", 10).unwrap();
    tokio::time::sleep(seconds(1)).await;
    let sink = metrics.snapshot().sink("s").unwrap().clone();
    assert_eq!((sink.elements, sink.delivered, sink.held), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_sink_may_be_called_as_another_ones_buffer() {
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink_with(Memory::default(), SinkOptions::default().name("a: buffer"))
        .sink_with(Memory::default(), SinkOptions::default().name("a"))
        .sink_with(Memory::default(), SinkOptions::default().name("samples"))
        .spawn()
        .unwrap();
    for n in 0..10 {
        metrics.send("m", n).unwrap();
    }
    let report = metrics.shutdown().await.unwrap();
    for sink in &report.sinks {
        assert_eq!((sink.elements, sink.delivered), (10, 10), "{report}");
    }
}

#[test]
fn sinks_come_and_go_while_closures_of_the_graph_ask_for_snapshots() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .spawn()
                .unwrap();
            let inner = metrics.clone();
            let _branch = metrics.elements().sink(move |_| {
                let _ = inner.snapshot();
            });
            let over = &AtomicBool::new(false);
            std::thread::scope(|scope| {
                let metrics = &metrics;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let _ = metrics.send("m", 1);
                    }
                });
                let runtime = tokio::runtime::Handle::current();
                let changes = (0..2).map(|n| {
                    let runtime = runtime.clone();
                    scope.spawn(move || {
                        let _inside = runtime.enter();
                        for _ in 0..300 {
                            let options =
                                SinkOptions::default().buffer(8_192).name(format!("s{n}"));
                            metrics.add_sink_with(Memory::default(), options).unwrap();
                            assert!(metrics.remove_sink(&format!("s{n}")));
                        }
                    })
                });
                for change in changes.collect::<Vec<_>>() {
                    change.join().unwrap();
                }
                over.store(true, Ordering::Relaxed);
            });
            metrics.shutdown().await.unwrap();
        });
    });
}

/// Calls a closure when asked for its properties.
struct Nosy<F>(F, &'static str);

impl<F: Fn(&'static str) + Send + 'static> MetricSink for Nosy<F> {
    fn name(&self) -> std::borrow::Cow<'static, str> {
        (self.0)("name");
        self.1.into()
    }
    fn delivery(&self) -> Delivery {
        (self.0)("delivery");
        Delivery::AtMostOnce
    }
    fn max_batch(&self) -> usize {
        (self.0)("max_batch");
        usize::MAX
    }
    fn describe(&mut self, _: &Arc<Described>) {
        (self.0)("describe");
    }
    async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
        (self.0)("deliver");
        Ok(())
    }
    async fn close(&mut self) -> Result<(), SinkError> {
        (self.0)("close");
        Ok(())
    }
}

#[test]
fn a_sink_may_use_the_pipeline_wherever_it_is_asked_something() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .metric(Metric::new("n").agg("v", Sum).batch(1))
                .spawn()
                .unwrap();
            let asked = Arc::new(Mutex::new(Vec::new()));
            let (inner, log) = (metrics.clone(), asked.clone());
            let nosy = Nosy(
                move |place: &'static str| {
                    log.lock().unwrap().push(place);
                    let _ = inner.snapshot();
                    let _ = inner.add_sink_with(
                        Memory::default(),
                        SinkOptions::default().name(format!("from {place}")),
                    );
                    inner.remove_sink(&format!("from {place}"));
                    let _ = inner.send("n", 1);
                },
                "nosy",
            );
            metrics.add_sink(nosy).unwrap();
            metrics.send("m", 1).unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            metrics.remove_sink("nosy");
            metrics.shutdown().await.unwrap();
            assert!(asked.lock().unwrap().contains(&"close"));
        });
    });
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_as_it_is_told_of_a_metric_hears_of_the_others() {
    #[derive(Clone, Default)]
    struct Picky(Arc<Mutex<Vec<String>>>);
    impl MetricSink for Picky {
        fn delivery(&self) -> Delivery {
            Delivery::AtMostOnce
        }
        fn describe(&mut self, metric: &Arc<Described>) {
            assert!(metric.name() != "bad", "not this one");
            self.0.lock().unwrap().push(metric.name().to_owned());
        }
        async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
            Ok(())
        }
    }
    let sink = Picky::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("bad").agg("v", Last).batch(1))
        .metric(every_value())
        .sink(sink.clone())
        .spawn()
        .unwrap();
    for _ in 0..3 {
        metrics.send("m", 1).unwrap();
        tokio::time::sleep(seconds(1)).await;
    }
    let report = metrics.shutdown().await.unwrap();
    let counts = report.sink("Picky").unwrap();
    assert_eq!((counts.delivered, counts.given_up), (2, 1));
    assert_eq!(*sink.0.lock().unwrap(), ["m"]);
}

#[test]
fn a_sink_that_panics_as_it_is_added_leaves_the_pipeline_as_it_was() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let sink = Memory::default();
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .sink(sink.clone())
                .spawn()
                .unwrap();
            for place in ["name", "delivery", "max_batch"] {
                let panics = Nosy(move |at: &'static str| assert!(at != place), "panics");
                let added = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    metrics.add_sink(panics)
                }));
                assert!(added.is_err());
            }
            metrics.send("m", 1).unwrap();
            let report = metrics.shutdown().await.unwrap();
            assert_eq!(report.sinks.len(), 1);
            assert_eq!(sink.take(), ["m.v 1"]);
        });
    });
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_after_the_shutdown_is_counted() {
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .spawn()
        .unwrap();
    let handle = metrics.handle("m", ()).unwrap();
    handle.send(1);
    metrics.shutdown().await.unwrap();
    for _ in 0..3 {
        handle.send(1);
    }
    assert_eq!(metrics.snapshot().refused, 3);
}

#[tokio::test(start_paused = true)]
async fn every_value_that_was_accepted_is_told_of_when_senders_wait_for_a_stuck_sink() {
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink_with(
            Stuck,
            SinkOptions::default().buffer(10).on_full(OnFull::Wait),
        )
        .spawn()
        .unwrap();
    let handle = metrics.handle("m", ()).unwrap();
    let mut accepted = 0;
    for n in 0..5_000 {
        accepted += u64::from(handle.try_send(n).is_ok());
    }
    tokio::time::sleep(seconds(1)).await;
    let before = metrics.snapshot();
    assert_eq!(
        before.metric("m").unwrap().values + before.waiting,
        accepted,
        "{before:?}"
    );
    let report = metrics.shutdown_within(seconds(5)).await.unwrap();
    let sink = report.sink("Stuck").unwrap();
    let lost = sink.given_up + sink.unknown + sink.overflow;
    assert_eq!(sink.elements, lost, "{report:?}");
    let values = report.metric("m").unwrap().values;
    assert_eq!(values + report.given_up, accepted, "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn under_each_policy_what_came_is_delivered_dropped_or_held() {
    for policy in [
        OnFull::DropOldest,
        OnFull::DropNewest,
        OnFull::Fail,
        OnFull::Wait,
    ] {
        let slow = Slow(Duration::from_millis(100));
        let metrics = MetricsPipeline::builder()
            .metric(every_value())
            .sink_with(slow, SinkOptions::default().buffer(8).on_full(policy))
            .spawn()
            .unwrap();
        let handle = metrics.handle("m", ()).unwrap();
        for n in 0..50 {
            handle.send(n);
            tokio::time::sleep(Duration::from_millis(7)).await;
            let s = metrics.snapshot();
            let sink = s.sink("Slow").unwrap();
            assert_eq!(
                sink.elements,
                sink.delivered + sink.overflow + sink.held + sink.given_up + sink.rejected,
                "{policy:?} {s}"
            );
            assert!(sink.held <= 8 + 2 + 16, "{policy:?} {s}");
        }
        let report = metrics.shutdown().await.unwrap();
        let sink = report.sink("Slow").unwrap();
        assert_eq!(sink.elements, 50, "{policy:?}");
        assert_eq!(sink.delivered + sink.overflow, 50, "{policy:?} {report}");
        assert_eq!(sink.held, 0, "{policy:?} {report}");
    }
}

struct Slow(Duration);

impl MetricSink for Slow {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }
    fn max_batch(&self) -> usize {
        2
    }
    async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
        tokio::time::sleep(self.0).await;
        Ok(())
    }
}

#[test]
fn a_snapshot_never_tells_of_more_that_went_out_than_came_in() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .sink_with(
                    Memory::default(),
                    SinkOptions::default()
                        .buffer(100_000)
                        .max_age(Duration::from_millis(1)),
                )
                .spawn()
                .unwrap();
            let over = &AtomicBool::new(false);
            std::thread::scope(|scope| {
                let metrics = &metrics;
                scope.spawn(move || {
                    let handle = metrics.handle("m", ()).unwrap();
                    while !over.load(Ordering::Relaxed) {
                        for n in 0..100 {
                            handle.send(n);
                        }
                        std::thread::sleep(Duration::from_micros(200));
                    }
                });
                let wrong = (0..3_000).find_map(|_| {
                    let s = metrics.snapshot();
                    let sink = s.sink("Memory").unwrap();
                    let out = sink.delivered + sink.overflow + sink.held + sink.given_up;
                    (sink.elements != out).then(|| s.clone())
                });
                over.store(true, Ordering::Relaxed);
                assert!(wrong.is_none(), "{}", wrong.unwrap());
            });
            metrics.shutdown().await.unwrap();
        });
    });
}

#[tokio::test(start_paused = true)]
async fn two_metrics_whose_elements_would_have_one_name_are_refused() {
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("a").agg("b.c", Sum).batch(1))
        .spawn()
        .unwrap();
    let second = metrics.add_metric(Metric::new("a.b").agg("c", Sum).batch(1));
    assert!(second.is_err());
}

#[tokio::test(start_paused = true)]
async fn options_and_metrics_of_the_greatest_numbers_work() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("w").agg("sum", Sum).window(Duration::MAX))
        .metric(
            Metric::new("wall")
                .agg("sum", Sum)
                .window(Duration::MAX)
                .aligned(Aligned::WallClock),
        )
        .metric(
            Metric::new("kept")
                .agg("q", Quantile::new(0.5))
                .window(Duration::MAX)
                .max_values(usize::MAX),
        )
        .metric(Metric::new("b").agg("sum", Sum).batch(usize::MAX))
        .metric(Metric::new("bq").agg("q", Median).batch(usize::MAX))
        .metric(
            Metric::new("ns")
                .agg("sum", Sum)
                .window(Duration::from_nanos(1)),
        )
        .metric(
            Metric::new("late")
                .agg("sum", Sum)
                .window(seconds(1))
                .late(headwater::metrics::Late::Drop, Duration::MAX),
        )
        .sink_with(
            sink.clone(),
            SinkOptions::default()
                .buffer(usize::MAX)
                .max_age(Duration::MAX),
        )
        .sink_with(
            Memory::default(),
            SinkOptions::default()
                .name("x")
                .rate_limit(Duration::MAX)
                .buffer(1),
        )
        .sink(Nosy(|_| (), "huge batches"))
        .intake(Shards::default())
        .spawn()
        .unwrap();
    for name in ["w", "wall", "kept", "b", "bq", "ns", "late"] {
        metrics.send(name, 1).unwrap();
        metrics
            .send_at(name, 2, (), SystemTime::UNIX_EPOCH - seconds(1_000))
            .unwrap();
        metrics
            .send_at(name, 3, (), Time::from_nanos(u64::MAX))
            .unwrap();
    }
    tokio::time::sleep(seconds(10)).await;
    let _ = metrics.shutdown_within(seconds(10)).await.unwrap();
    assert!(sink.take().len() >= 7);
}

#[tokio::test(start_paused = true)]
async fn names_of_any_text_reach_the_sinks() {
    let sink = Memory::default();
    let huge = "x".repeat(1 << 20);
    let names = ["\0", "🦀", "a|b:c\\", "\u{202e}", &huge];
    let metrics = MetricsPipeline::builder()
        .sink(sink.clone())
        .spawn()
        .unwrap();
    for name in names {
        metrics
            .add_metric(Metric::new(name).agg(name, Sum).agg("n", Count).batch(1))
            .unwrap();
        metrics
            .send_tagged(name, 1, [(name, name), ("", "")])
            .unwrap();
    }
    assert_eq!(
        metrics.add_metric(Metric::new("").agg("a", Sum).batch(1)),
        Err(MetricError::NoName)
    );
    let report = metrics.shutdown().await.unwrap();
    assert_eq!(report.sink("Memory").unwrap().delivered, 10);
    assert_eq!(sink.take().len(), 10);
    let _ = (report.to_string(), metrics.graph().topology().to_string());
}

#[tokio::test(start_paused = true)]
async fn odd_numbers_panic_in_no_aggregate() {
    let values = [
        Value::from(f64::NAN),
        Value::from(-f64::NAN),
        f64::INFINITY.into(),
        f64::NEG_INFINITY.into(),
        f64::MIN_POSITIVE.into(),
        5e-324.into(),
        (-0.0).into(),
        0.0.into(),
        f64::MAX.into(),
        f64::MIN.into(),
        i64::MIN.into(),
        i64::MAX.into(),
        u64::MAX.into(),
        0.into(),
        true.into(),
        Duration::MAX.into(),
    ];
    let every = |m: Metric| {
        m.agg("sum", Sum)
            .agg("mean", Mean)
            .agg("min", Min)
            .agg("max", Max)
            .agg("count", Count)
            .agg("first", First)
            .agg("last", Last)
            .agg("median", Median)
            .agg("q0", Quantile::new(0.0))
            .agg("q1", Quantile::new(1.0))
            .agg("aq", ApproxQuantile::new(0.99))
            .agg("var", Variance)
    };
    let metrics = MetricsPipeline::builder()
        .metric(every(Metric::new("w").window(seconds(1))))
        .metric(every(Metric::new("b").batch(3)))
        .metric(every(Metric::new("one").batch(1)))
        .spawn()
        .unwrap();
    for a in values {
        for b in values {
            for name in ["w", "b", "one"] {
                metrics.send(name, a).unwrap();
                metrics.send(name, b).unwrap();
            }
            metrics.flush().await.unwrap();
        }
    }
    let report = metrics.shutdown().await.unwrap();
    for m in &report.metrics {
        assert_eq!(m.failed, 0);
        assert_eq!(m.values, 512);
    }
}

#[tokio::test(start_paused = true)]
async fn sums_of_integers_that_leave_their_range_for_a_while_are_right() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).agg("mean", Mean).batch(4))
        .sink(sink.clone())
        .spawn()
        .unwrap();
    for v in [i64::MAX, i64::MAX, i64::MIN, i64::MIN] {
        metrics.send("m", v).unwrap();
    }
    for v in [i64::MIN, i64::MIN, i64::MIN, i64::MIN] {
        metrics.send("m", v).unwrap();
    }
    metrics.shutdown().await.unwrap();
    assert_eq!(
        sink.take(),
        [
            "m.sum -2",
            "m.mean -0.5",
            "m.sum -9223372036854775808",
            "m.mean -9.223372036854776e18"
        ]
    );
}

#[test]
fn a_handle_that_outlives_its_pipeline_says_that_nobody_listens() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let sink = Memory::default();
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .sink(sink.clone())
                .spawn()
                .unwrap();
            let handle = metrics.handle("m", ()).unwrap();
            handle.try_send(1).unwrap();
            drop(metrics);
            let mut accepted = 1;
            for n in 2..10 {
                accepted += usize::from(handle.try_send(n).is_ok());
                tokio::time::sleep(seconds(1)).await;
            }
            assert_eq!(sink.take().len(), accepted);
            drop(handle);
            tokio::time::sleep(seconds(1)).await;
        });
    });
}

#[test]
fn a_pipeline_whose_runtime_has_gone_ends() {
    ends(|| {
        let first = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let metrics = first.block_on(async {
            MetricsPipeline::builder()
                .metric(every_value())
                .sink(Memory::default())
                .sink_with(Stuck, SinkOptions::default())
                .spawn()
                .unwrap()
        });
        let handle = metrics.handle("m", ()).unwrap();
        for n in 0..1000 {
            handle.send(n);
        }
        drop(first);
        let mut refused = None;
        for n in 0..100_000 {
            if let Err(error) = handle.try_send(n) {
                refused = Some(error);
                break;
            }
        }
        let second = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let ended = second.block_on(metrics.shutdown_within(Duration::from_millis(300)));
        assert!(matches!(ended, Err(GraphError::Undriven)));
        assert!(matches!(refused, Some(SendError::Undriven(_))));
        drop(metrics);
        drop(handle);
    });
}

#[test]
fn the_last_handle_may_go_within_a_closure_of_the_graph() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let sink = Memory::default();
            let metrics = MetricsPipeline::builder()
                .metric(Metric::new("m").agg("v", Last).batch(1))
                .metric(Metric::new("w").agg("v", Sum).window(seconds(60)))
                .sink(sink.clone())
                .spawn()
                .unwrap();
            let slot = Arc::new(Mutex::new(Some(metrics.clone())));
            let inner = slot.clone();
            let _ = metrics
                .elements()
                .sink(move |_| drop(inner.lock().unwrap().take()));
            metrics.send("w", 7).unwrap();
            metrics.send("m", 1).unwrap();
            drop(metrics);
            tokio::time::sleep(seconds(1)).await;
            assert!(slot.lock().unwrap().is_none());
            assert_eq!(sink.take(), ["m.v 1", "w.v 7"]);
        });
    });
}

#[test]
fn a_shutdown_from_within_a_sink_ends_in_its_time() {
    struct Ends(Arc<OnceLock<MetricsPipeline>>);
    impl MetricSink for Ends {
        fn delivery(&self) -> Delivery {
            Delivery::AtMostOnce
        }
        async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
            let _ = self.0.get().unwrap().shutdown_within(seconds(1)).await;
            Ok(())
        }
    }
    ends(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let slot = Arc::new(OnceLock::new());
            let metrics = MetricsPipeline::builder()
                .metric(every_value())
                .sink(Ends(slot.clone()))
                .spawn()
                .unwrap();
            let _ = slot.set(metrics.clone());
            metrics.send("m", 1).unwrap();
            tokio::time::sleep(seconds(10)).await;
            assert!(matches!(metrics.send("m", 1), Err(SendError::Closed(_))));
            let report = metrics.shutdown().await.unwrap();
            let sink = report.sink("Ends").unwrap();
            assert_eq!(
                (sink.elements, sink.delivered + sink.given_up, sink.held),
                (1, 1, 0)
            );
        });
    });
}

#[test]
fn sends_from_closures_and_aggregators_are_taken() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let slot: Arc<OnceLock<MetricsPipeline>> = Arc::default();
            let inner = slot.clone();
            let metrics = MetricsPipeline::builder()
                .metric(
                    Metric::new("m")
                        .agg_values("v", move |values: &[Value]| {
                            let metrics = inner.get().unwrap();
                            for _ in 0..600 {
                                metrics.send("n", 1).unwrap();
                            }
                            let _ = metrics.snapshot();
                            let _ = metrics.add_metric(Metric::new("late").agg("v", Sum).batch(1));
                            metrics.send("late", 1).unwrap();
                            values.len() as i64
                        })
                        .batch(2),
                )
                .metric(Metric::new("n").agg("sum", Sum).batch(600))
                .spawn()
                .unwrap();
            let _ = slot.set(metrics.clone());
            for n in 0..1000 {
                metrics.send("m", n).unwrap();
                metrics.flush().await.unwrap();
            }
            let report = metrics.shutdown().await.unwrap();
            assert_eq!(report.metric("n").unwrap().values, 300_000);
            assert_eq!(report.metric("late").unwrap().values, 500);
        });
    });
}

#[test]
fn a_timer_of_a_thread_that_ends_is_sent() {
    ends(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let metrics = MetricsPipeline::builder().metric(every_value()).spawn().unwrap();
            for extra in [0_u64, 254, 255, 256, 257] {
                let handle = metrics.handle("m", ()).unwrap();
                std::thread::spawn(move || {
                    thread_local! { static KEPT: std::cell::RefCell<Option<Timer>> = const { std::cell::RefCell::new(None) }; }
                    KEPT.set(Some(handle.timer()));
                    for _ in 0..extra { handle.send(1); }
                }).join().unwrap();
            }
            let report = metrics.shutdown().await.unwrap();
            assert_eq!(report.metric("m").unwrap().values, 254 + 255 + 256 + 257 + 5);
        });
    });
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_fails_for_days_is_tried_again_and_loses_nothing() {
    struct Down(Arc<AtomicBool>, Memory);
    impl MetricSink for Down {
        fn delivery(&self) -> Delivery {
            Delivery::AtMostOnce
        }
        async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
            if self.0.load(Ordering::Relaxed) {
                return Err(SinkError::retry("down"));
            }
            self.1.deliver(batch).await
        }
        async fn close(&mut self) -> Result<(), SinkError> {
            Err(SinkError::fatal("never closes"))
        }
    }
    let (down, memory) = (Arc::new(AtomicBool::new(true)), Memory::default());
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink(Down(down.clone(), memory.clone()))
        .spawn()
        .unwrap();
    for n in 0..3 {
        metrics.send("m", n).unwrap();
    }
    tokio::time::sleep(seconds(86_400)).await;
    assert!(metrics.snapshot().sink("Down").unwrap().failures > 2_000);
    down.store(false, Ordering::Relaxed);
    let report = metrics.shutdown().await.unwrap();
    assert_eq!(memory.take(), ["m.v 0", "m.v 1", "m.v 2"]);
    assert_eq!(report.sink("Down").unwrap().delivered, 3);
}

#[test]
fn senders_and_a_shutdown_meet_and_every_accepted_value_is_counted() {
    ends(|| {
        for round in 0..5 {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let metrics = MetricsPipeline::builder()
                    .metric(
                        Metric::new("m")
                            .agg("n", Count)
                            .agg("s", Sum)
                            .window(Duration::from_millis(3)),
                    )
                    .sink(Memory::default())
                    .spawn()
                    .unwrap();
                let list = metrics.elements().sink_to_list();
                let accepted = Arc::new(AtomicU64::new(0));
                let senders: Vec<_> = (0..3)
                    .map(|_| {
                        let (handle, accepted) =
                            (metrics.handle("m", ()).unwrap(), accepted.clone());
                        std::thread::spawn(move || {
                            loop {
                                match handle.try_send(1) {
                                    Ok(()) => {
                                        accepted.fetch_add(1, Ordering::Relaxed);
                                    }
                                    Err(SendError::Full(_)) => std::thread::yield_now(),
                                    Err(_) => return,
                                }
                            }
                        })
                    })
                    .collect();
                tokio::time::sleep(Duration::from_millis(5 + round)).await;
                let report = metrics.shutdown().await.unwrap();
                for sender in senders {
                    sender.join().unwrap();
                }
                let accepted = accepted.load(Ordering::Relaxed);
                assert_eq!(report.metric("m").unwrap().values, accepted);
                let mut sums: HashMap<String, i64> = HashMap::new();
                for e in list.take() {
                    *sums.entry(e.name().to_owned()).or_default() += e.value().as_i64().unwrap();
                }
                assert_eq!(sums["m.n"], accepted as i64);
                assert_eq!(sums["m.s"], accepted as i64);
            });
        }
    });
}

#[tokio::test(start_paused = true)]
async fn two_pipelines_that_report_to_each_other_end() {
    struct Into_(Arc<OnceLock<MetricsPipeline>>);
    impl MetricSink for Into_ {
        fn delivery(&self) -> Delivery {
            Delivery::AtMostOnce
        }
        async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
            for _ in batch {
                let _ = self.0.get().unwrap().send("m", 1);
            }
            Ok(())
        }
    }
    let slots = [Arc::new(OnceLock::new()), Arc::new(OnceLock::new())];
    let make = |other: &Arc<OnceLock<MetricsPipeline>>| {
        MetricsPipeline::builder()
            .metric(every_value())
            .sink(Into_(other.clone()))
            .spawn()
            .unwrap()
    };
    let (a, b) = (make(&slots[1]), make(&slots[0]));
    let _ = slots[0].set(a.clone());
    let _ = slots[1].set(b.clone());
    a.send("m", 1).unwrap();
    tokio::time::sleep(seconds(1)).await;
    let (a, b) = (
        a.shutdown_within(seconds(5)).await.unwrap(),
        b.shutdown_within(seconds(5)).await.unwrap(),
    );
    for s in [a, b] {
        assert_eq!(
            s.sink("Into_").unwrap().elements,
            s.metric("m").unwrap().values
        );
        assert_eq!(s.sink("Into_").unwrap().held, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_removed_sink_is_given_all_that_came_before() {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(every_value())
        .sink_with(sink.clone(), SinkOptions::default().rate_limit(seconds(1)))
        .spawn()
        .unwrap();
    for n in 0..5 {
        metrics.send("m", n).unwrap();
    }
    metrics.flush().await.unwrap();
    metrics.remove_sink("Memory");
    metrics.send("m", 99).unwrap();
    metrics.shutdown().await.unwrap();
    assert_eq!(
        sink.take(),
        (0..5).map(|n| format!("m.v {n}")).collect::<Vec<_>>()
    );
}
