//! The macros of the crate `metrics` feed a pipeline: counters, gauges and histograms, what is added on
//! first use, and what is refused.

#![cfg(feature = "facade")]

mod listener;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::time::Duration;

use headwater::List;
use headwater::metrics::{
    Delivery, Described, Element, ExpositionFormat, FacadeRecorder, FacadeRecorderBuilder, Kind,
    Metric, MetricSink, MetricsPipeline, SinkError, SinkOptions, Value,
};
use headwater::prelude::*;
use headwater::{OnFull, Shards};
use listener::Listener;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    with_local_recorder,
};
use tokio::sync::Semaphore;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Until a window of a second is over that is under way.
async fn a_window() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

fn pipeline() -> MetricsPipeline {
    listener::somebody_listens();
    MetricsPipeline::builder().spawn().unwrap()
}

/// What comes out, as text, in order.
fn elements(pipeline: &MetricsPipeline) -> List<String> {
    pipeline.elements().map(|e| e.to_string()).sink_to_list()
}

fn recorder(pipeline: &MetricsPipeline) -> FacadeRecorder {
    pipeline.recorder().window(seconds(1)).build()
}

#[tokio::test(start_paused = true)]
async fn a_counter_comes_to_the_sum_of_its_increments_in_each_window() {
    let pipeline = pipeline();
    let elements = elements(&pipeline);
    let recorder = recorder(&pipeline);
    with_local_recorder(&recorder, || {
        counter!("requests").increment(2);
        counter!("requests").increment(3);
        counter!("requests", "code" => "500").increment(1);
    });
    a_window().await;
    assert_eq!(
        elements.take(),
        ["requests.sum 5", "requests.sum{code=500} 1"]
    );
    with_local_recorder(&recorder, || counter!("requests").increment(4));
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(elements.take(), ["requests.sum 4"]);
    assert_eq!(recorder.snapshot().metrics, 1);
}

#[tokio::test(start_paused = true)]
async fn of_an_absolute_value_only_the_increase_counts_whichever_way_the_counter_is_named() {
    let pipeline = pipeline();
    let elements = elements(&pipeline);
    with_local_recorder(&recorder(&pipeline), || {
        counter!("packets", "nic" => "a", "way" => "in").absolute(100);
        // The same counter, as labels have no order.
        counter!("packets", "way" => "in", "nic" => "a").absolute(130);
        let kept = counter!("packets", "nic" => "a", "way" => "in");
        kept.absolute(130);
        kept.absolute(90);
        kept.absolute(135);
        // What is incremented comes on top.
        kept.increment(1);
    });
    pipeline.shutdown().await.unwrap();
    assert_eq!(elements.take(), ["packets.sum{nic=a way=in} 136"]);
    assert_eq!(pipeline.snapshot().metric("packets").unwrap().values, 4);
}

#[tokio::test(start_paused = true)]
async fn counts_beyond_the_integers_of_a_value_are_floats() {
    let pipeline = pipeline();
    let elements = elements(&pipeline);
    with_local_recorder(&recorder(&pipeline), || {
        counter!("big").increment(u64::MAX);
    });
    pipeline.shutdown().await.unwrap();
    assert_eq!(elements.take(), ["big.sum 1.8446744073709552e19"]);
}

#[tokio::test(start_paused = true)]
async fn a_gauge_keeps_its_value_across_macros_and_windows() {
    let pipeline = pipeline();
    let elements = elements(&pipeline);
    let recorder = recorder(&pipeline);
    with_local_recorder(&recorder, || {
        gauge!("open").increment(5);
        gauge!("open").decrement(2.5);
    });
    a_window().await;
    assert_eq!(elements.take(), ["open.last 2.5"]);
    // Nothing changes: it is what it was.
    tokio::time::sleep(seconds(5)).await;
    assert_eq!(elements.take(), ["open.last 2.5"; 5]);
    with_local_recorder(&recorder, || gauge!("open").increment(1));
    a_window().await;
    assert_eq!(elements.take(), ["open.last 3.5"]);
    with_local_recorder(&recorder, || {
        gauge!("open").set(10);
        gauge!("open").decrement(1);
    });
    pipeline.shutdown().await.unwrap();
    assert_eq!(elements.take(), ["open.last 9.0"]);
}

#[tokio::test(start_paused = true)]
async fn a_gauge_that_many_threads_change_ends_at_what_it_is() {
    let pipeline = pipeline();
    let elements = elements(&pipeline);
    let recorder = recorder(&pipeline);
    for _ in 0..50 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    with_local_recorder(&recorder, || {
                        for _ in 0..20 {
                            gauge!("under way").increment(1);
                            gauge!("under way").decrement(1);
                        }
                    });
                });
            }
        });
        a_window().await;
        // What is slept adds up to one window more now and then.
        let emitted = elements.take();
        assert!(!emitted.is_empty());
        assert!(
            emitted.iter().all(|e| e == "under way.last 0.0"),
            "{emitted:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_histogram_comes_to_count_sum_and_quantiles() {
    let pipeline = pipeline();
    let all = pipeline.elements().sink_to_list();
    with_local_recorder(&recorder(&pipeline), || {
        let latency = histogram!("latency", "route" => "/");
        for n in 1..=90 {
            latency.record(f64::from(n));
        }
        histogram!("latency", "route" => "/").record_many(100.0, 10);
        // A duration is its seconds.
        histogram!("waited").record(Duration::from_millis(250));
    });
    pipeline.shutdown().await.unwrap();
    let all = all.take();
    let of = |name: &str| {
        let found = all.iter().find(|element| element.name() == name).unwrap();
        found.value().as_f64()
    };
    assert_eq!(of("latency.count"), 100.0);
    assert_eq!(of("latency.sum"), 90.0 * 91.0 / 2.0 + 1_000.0);
    for (name, exact) in [("p50", 50.0), ("p90", 90.0), ("p99", 100.0)] {
        let approximate = of(&format!("latency.{name}"));
        assert!(
            (approximate - exact).abs() <= 0.01 * exact,
            "{name} {approximate}"
        );
    }
    assert_eq!(of("waited.sum"), 0.25);
}

/// Notes what it is told of metrics.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Arc<Described>>>>);

impl Told {
    fn of(&self, name: &str) -> Vec<(Kind, Option<String>, Option<String>)> {
        let all = self.0.lock().unwrap();
        let of = all.iter().filter(|described| described.name() == name);
        of.map(|d| {
            (
                d.kind(),
                d.unit().map(str::to_owned),
                d.help().map(str::to_owned),
            )
        })
        .collect()
    }
}

impl MetricSink for Told {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    fn describe(&mut self, metric: &Arc<Described>) {
        self.0.lock().unwrap().push(metric.clone());
    }

    async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn descriptions_and_units_reach_the_sinks_before_and_after_the_first_value() {
    let pipeline = pipeline();
    let told = Told::default();
    pipeline.add_sink(told.clone()).unwrap();
    let recorder = recorder(&pipeline);
    let text = |text: &str| Some(text.to_owned());
    with_local_recorder(&recorder, || {
        describe_counter!("bytes", Unit::Bytes, "bytes that were sent");
        describe_counter!("requests", Unit::Count, "requests that were answered");
        counter!("bytes").increment(1);
        histogram!("latency").record(1.0);
    });
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(
        told.of("bytes"),
        [(Kind::Counter, text("bytes"), text("bytes that were sent"))]
    );
    assert_eq!(
        told.of("requests"),
        [(Kind::Counter, None, text("requests that were answered"))]
    );
    assert_eq!(told.of("latency"), [(Kind::Histogram, None, None)]);
    with_local_recorder(&recorder, || {
        for _ in 0..3 {
            describe_histogram!("latency", Unit::Milliseconds, "how long it took");
        }
        // The first one holds.
        describe_histogram!("latency", Unit::Seconds, "something else");
        histogram!("latency").record(1.0);
    });
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(
        told.of("latency")[1..],
        [(
            Kind::Histogram,
            text("milliseconds"),
            text("how long it took")
        )]
    );
}

#[tokio::test(start_paused = true)]
async fn prometheus_gets_totals_that_go_on_when_a_description_comes_late() {
    let pipeline = pipeline();
    let exposition = pipeline.prometheus().unwrap();
    let recorder = recorder(&pipeline);
    with_local_recorder(&recorder, || {
        counter!("requests", "route" => "/").increment(3);
        histogram!("latency").record(0.5);
        gauge!("open").set(2);
    });
    a_window().await;
    with_local_recorder(&recorder, || {
        describe_counter!("requests", "requests that were answered");
        describe_gauge!("open", Unit::Count, "connections");
        counter!("requests", "route" => "/").increment(4);
        gauge!("open").increment(1);
    });
    pipeline.shutdown().await.unwrap();
    let text = exposition.render(ExpositionFormat::Text);
    for line in [
        "# HELP requests_total requests that were answered",
        "# TYPE requests_total counter",
        "requests_total{route=\"/\"} 7",
        "# TYPE latency summary",
        "latency_sum 0.5",
        "latency_count 1",
        "# HELP open_last connections (last)",
        "open_last 3",
    ] {
        let same = |found: &str| found.trim_end_matches(".0") == line;
        assert!(text.lines().any(same), "{line} is not in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_metric_that_the_pipeline_has_is_used_as_it_is() {
    let pipeline = MetricsPipeline::builder()
        .metric(Metric::new("latency").agg("max", Max).batch(2))
        .metric(
            Metric::new("requests")
                .kind(Kind::Counter)
                .agg("n", Count)
                .batch(1),
        )
        .spawn()
        .unwrap();
    let elements = elements(&pipeline);
    let recorder = recorder(&pipeline);
    with_local_recorder(&recorder, || {
        histogram!("latency").record(3.0);
        histogram!("latency").record(2.0);
        counter!("requests").increment(7);
        // It is said to be a counter.
        gauge!("requests").set(1);
    });
    pipeline.shutdown().await.unwrap();
    assert_eq!(elements.take(), ["latency.max 3.0", "requests.n 1"]);
    assert_eq!(recorder.snapshot().metrics, 0);
    assert_eq!(recorder.snapshot().clashed, 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_kinds_with_one_name_the_first_holds_and_the_other_is_counted() {
    let pipeline = pipeline();
    let elements = elements(&pipeline);
    let recorder = recorder(&pipeline);
    with_local_recorder(&recorder, || {
        counter!("x").increment(1);
        gauge!("x").set(5);
        gauge!("x").increment(5);
        gauge!("x").decrement(5);
        let kept = histogram!("x", "with" => "labels");
        kept.record(1.0);
        kept.record_many(1.0, 10);
        // A description is no value.
        describe_gauge!("x", "a gauge it is not");
        counter!("x").increment(1);
    });
    pipeline.shutdown().await.unwrap();
    assert_eq!(elements.take(), ["x.sum 2"]);
    assert_eq!(recorder.snapshot().clashed, 14);
    // The pipeline's own figures tell of them too.
    let snapshot = pipeline.snapshot();
    assert_eq!(snapshot.refused_by_facade, 14);
    assert!(
        snapshot
            .to_string()
            .contains("14 values were refused by the facade")
    );
    assert_eq!(recorder.snapshot().metrics, 1);
}

/// On so many threads at once, with their numbers.
fn on_threads(recorder: &FacadeRecorder, threads: usize, f: impl Fn(usize) + Sync) {
    let start = Barrier::new(threads);
    let (start, f) = (&start, &f);
    std::thread::scope(|scope| {
        for number in 0..threads {
            scope.spawn(move || {
                with_local_recorder(recorder, || {
                    start.wait();
                    f(number);
                });
            });
        }
    });
}

#[tokio::test(start_paused = true)]
async fn where_threads_race_for_a_name_one_kind_wins_and_all_of_the_other_is_counted() {
    for _ in 0..20 {
        let pipeline = pipeline();
        let recorder = recorder(&pipeline);
        on_threads(&recorder, 4, |number| {
            for _ in 0..100 {
                match number % 2 {
                    0 => counter!("x", "n" => number.to_string()).increment(1),
                    _ => histogram!("x", "n" => number.to_string()).record(1.0),
                }
            }
        });
        let report = pipeline.shutdown().await.unwrap();
        assert_eq!(report.metrics.len(), 1);
        assert_eq!(report.metric("x").unwrap().values, 200);
        assert_eq!(recorder.snapshot().clashed, 200);
        assert_eq!(recorder.snapshot().metrics, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn absolute_values_of_many_threads_add_up_to_the_greatest() {
    let pipeline = pipeline();
    let elements = elements(&pipeline);
    on_threads(&recorder(&pipeline), 4, |number| {
        for total in 0..1_000 {
            counter!("x").absolute(4 * total + number as u64);
        }
    });
    pipeline.shutdown().await.unwrap();
    assert_eq!(elements.take(), ["x.sum 3999"]);
}

/// Adds up what comes, when it is let.
struct Gated(Arc<Semaphore>, Arc<AtomicUsize>);

impl MetricSink for Gated {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let _open = self.0.acquire().await.unwrap();
        for element in batch {
            let Value::Int(more) = element.value() else {
                panic!("{element}");
            };
            self.1.fetch_add(usize::try_from(more).unwrap(), Relaxed);
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_increase_that_found_no_room_is_made_up_for_by_the_next_absolute_value() {
    let (gate, sum) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let little = SinkOptions::default().buffer(10).on_full(OnFull::Wait);
    let pipeline = MetricsPipeline::builder()
        .sink_with(Gated(gate.clone(), sum.clone()), little)
        .intake(Shards::default().capacity(16))
        .spawn()
        .unwrap();
    let recorder = pipeline.recorder().counters(|metric| metric.batch(1));
    let counter = with_local_recorder(&recorder.build(), || counter!("c"));
    for total in 1..=3_000 {
        counter.absolute(total);
        if total % 100 == 0 {
            tokio::time::sleep(seconds(1)).await;
        }
    }
    let lost = pipeline.snapshot().overflow;
    assert!(lost > 1_000, "{lost}");
    gate.add_permits(1);
    tokio::time::sleep(seconds(1)).await;
    // No more than it was told before.
    counter.absolute(3_000);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(sum.load(Relaxed), 3_000);
    counter.absolute(3_001);
    pipeline.shutdown().await.unwrap();
    assert_eq!(sum.load(Relaxed), 3_001);
    assert_eq!(pipeline.snapshot().overflow, lost);
}

#[tokio::test(start_paused = true)]
async fn absolute_values_with_labels_beyond_the_bound_are_refused_and_counted() {
    let pipeline = pipeline();
    let elements = elements(&pipeline);
    let recorder = pipeline
        .recorder()
        .counters(|metric| metric.max_tag_sets(1));
    let recorder = recorder.build();
    with_local_recorder(&recorder, || {
        counter!("c", "n" => "in").absolute(5);
        for n in ["a", "b"] {
            // Which total of the two is it that they share a series of?
            counter!("c", "n" => n).absolute(100);
            counter!("c", "n" => n).increment(1);
        }
    });
    pipeline.shutdown().await.unwrap();
    assert_eq!(elements.take(), ["c.sum{n=in} 5", "c.sum{overflow=true} 2"]);
    assert_eq!(recorder.snapshot().totals, 2);
}

#[tokio::test(start_paused = true)]
async fn new_names_are_bounded_and_what_is_beyond_is_counted() {
    let pipeline = pipeline();
    let recorder = pipeline.recorder().max_metrics(2).build();
    with_local_recorder(&recorder, || {
        for n in 0..5 {
            counter!(format!("c{n}")).increment(1);
            counter!(format!("c{n}")).absolute(1);
        }
        gauge!("g").set(1);
        histogram!("h").record_many(1.0, 3);
    });
    let report = pipeline.shutdown().await.unwrap();
    let names: Vec<_> = report.metrics.iter().map(|metric| &*metric.name).collect();
    assert_eq!(names, ["c0", "c1"]);
    assert_eq!(recorder.snapshot().metrics, 2);
    assert_eq!(recorder.snapshot().overflow, 6 + 1 + 3);
    assert_eq!(pipeline.snapshot().refused_by_facade, 6 + 1 + 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_logged_once_a_name_and_new_names_once_in_all() {
    let pipeline = pipeline();
    let recorder = pipeline
        .recorder()
        .gauges(|_| Metric::new("something else"))
        .max_metrics(3)
        .build();
    let events = Listener::to(|metadata| metadata.target().contains("facade"));
    let _guard = events.listen();
    let logged = |f: &dyn Fn()| {
        events.take();
        with_local_recorder(&recorder, || (0..3).for_each(|_| f()));
        events.take().len()
    };
    assert_eq!(logged(&|| counter!("a").increment(1)), 0);
    assert_eq!(logged(&|| histogram!("a").record(1.0)), 1);
    assert_eq!(logged(&|| counter!("b").increment(1)), 0);
    assert_eq!(logged(&|| histogram!("b", "n" => "1").record(1.0)), 1);
    assert_eq!(logged(&|| gauge!("renamed").set(1)), 1);
    assert_eq!(logged(&|| counter!("c").increment(1)), 1);
    assert_eq!(logged(&|| counter!("d").increment(1)), 0);
    let refused = recorder.snapshot();
    assert_eq!(
        (refused.clashed, refused.invalid, refused.overflow),
        (6, 3, 6)
    );
}

#[tokio::test(start_paused = true)]
async fn a_template_that_makes_no_complete_metric_has_its_values_refused() {
    let pipeline = pipeline();
    let recorder = pipeline
        .recorder()
        .counters(|metric| metric.window(seconds(1)).batch(3))
        .gauges(|_| Metric::new("something else"))
        .build();
    with_local_recorder(&recorder, || {
        counter!("two groupings").increment(1);
        counter!("two groupings").increment(1);
        gauge!("renamed").set(1);
        counter!("").increment(1);
        histogram!("fine").record(1.0);
    });
    assert_eq!(recorder.snapshot().invalid, 4);
    assert_eq!(recorder.snapshot().metrics, 1);
    assert_eq!(pipeline.snapshot().metrics.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_template_leaves_open_is_filled_in() {
    let pipeline = pipeline();
    let elements = elements(&pipeline);
    let recorder = pipeline
        .recorder()
        .counters(|metric| metric.default_tag("host", "a"))
        .gauges(|metric| metric.agg("min", Min).agg("last", Last).batch(3))
        .build();
    with_local_recorder(&recorder, || {
        counter!("c").increment(1);
        for value in [3, 1, 2] {
            gauge!("g").set(value);
        }
    });
    tokio::time::sleep(seconds(9)).await;
    assert_eq!(elements.take(), ["g.min 1.0", "g.last 2.0"]);
    a_window().await;
    assert_eq!(elements.take(), ["c.sum{host=a} 1"]);
}

/// A counter for each of so many labels.
fn count_many(recorder: &FacadeRecorder, labels: std::ops::Range<u32>) {
    with_local_recorder(recorder, || {
        for n in labels {
            counter!("c", "n" => n.to_string()).increment(1);
        }
    });
}

#[tokio::test(start_paused = true)]
async fn label_sets_are_bounded_and_those_that_nobody_uses_make_room() {
    let pipeline = pipeline();
    let elements = elements(&pipeline);
    let recorder = pipeline
        .recorder()
        .window(seconds(1))
        .counters(|metric| metric.max_tag_sets(3))
        .build();
    with_local_recorder(&recorder, || {
        counter!("c", "n" => "absolute").absolute(10);
    });
    let kept = with_local_recorder(&recorder, || counter!("c", "n" => "kept"));
    count_many(&recorder, 0..3);
    a_window().await;
    assert_eq!(
        elements.take(),
        [
            "c.sum{n=absolute} 10",
            "c.sum{n=0} 1",
            "c.sum{overflow=true} 2"
        ]
    );
    assert_eq!(pipeline.snapshot().metric("c").unwrap().overflow, 2);
    // The instrument that nobody keeps or asked for goes first, and then its series is idle for as long again:
    // who kept an instrument until a moment ago may have sent values that are in a window still.
    tokio::time::sleep(seconds(700)).await;
    count_many(&recorder, 6..7);
    a_window().await;
    assert_eq!(elements.take(), ["c.sum{overflow=true} 1"]);
    // Only the set of the middle was let go: one has a total, and one is kept.
    tokio::time::sleep(seconds(700)).await;
    count_many(&recorder, 7..9);
    kept.increment(1);
    with_local_recorder(&recorder, || {
        counter!("c", "n" => "absolute").absolute(11);
    });
    a_window().await;
    assert_eq!(
        elements.take(),
        [
            "c.sum{n=7} 1",
            "c.sum{overflow=true} 1",
            "c.sum{n=kept} 1",
            "c.sum{n=absolute} 1"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_aggregator_may_use_the_macros_itself() {
    let recorder: Arc<OnceLock<FacadeRecorder>> = Arc::default();
    let inside = recorder.clone();
    let pipeline = MetricsPipeline::builder()
        .metric(
            Metric::new("outer")
                .agg_values("sum", move |values| {
                    with_local_recorder(inside.get().unwrap(), || {
                        counter!("inner").increment(values.len() as u64);
                    });
                    values.len() as u32
                })
                .batch(2),
        )
        .spawn()
        .unwrap();
    let elements = elements(&pipeline);
    recorder
        .set(pipeline.recorder().window(seconds(1)).build())
        .unwrap();
    with_local_recorder(recorder.get().unwrap(), || {
        histogram!("outer").record(1.0);
        histogram!("outer").record(1.0);
    });
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(elements.take(), ["outer.sum 2", "inner.sum 2"]);
}

#[tokio::test(start_paused = true)]
async fn after_the_shutdown_values_are_dropped_and_macros_go_on() {
    let pipeline = pipeline();
    let recorder = recorder(&pipeline);
    let kept = with_local_recorder(&recorder, || counter!("c"));
    pipeline.shutdown().await.unwrap();
    kept.increment(1);
    with_local_recorder(&recorder, || {
        gauge!("new").set(1);
        counter!("c").increment(1);
    });
    assert_eq!(pipeline.snapshot().metric("c").unwrap().values, 0);
    assert_eq!(pipeline.snapshot().refused, 2);
    assert_eq!(recorder.snapshot().closed, 1);
    assert_eq!(recorder.snapshot().invalid, 0);
}

#[test]
fn recorders_go_to_any_thread() {
    fn anywhere<T: Send + Sync + Unpin + Clone + std::fmt::Debug + 'static>() {}
    anywhere::<FacadeRecorder>();
    anywhere::<FacadeRecorderBuilder>();
}
