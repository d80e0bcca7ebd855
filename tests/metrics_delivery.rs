//! The way of elements to a sink: how many may wait, what is tried again, what is told of failures, and
//! how it ends. Time is virtual.

mod virtual_time;
mod watched;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use headwater::metrics::{
    Delivery, Element, ExpositionFormat, Kind, Metric, MetricError, MetricSink, MetricsPipeline,
    SinkError, SinkOptions,
};
use headwater::prelude::*;
use headwater::{OnFull, Retry};
use virtual_time::in_virtual_time;
use watched::watched;

const WINDOW: Duration = Duration::from_secs(10);

fn every_value() -> Metric {
    Metric::new("m").agg("v", Last).batch(1)
}

/// Adds up what comes.
#[derive(Clone, Default)]
struct Added(Arc<AtomicU64>);

impl MetricSink for Added {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        self.0.fetch_add(batch.len() as u64, SeqCst);
        Ok(())
    }
}

// How many may wait.

/// A value for each of so many sets of tags.
async fn send_to_sets(metrics: &MetricsPipeline, sets: usize) {
    for set in 0..sets {
        while metrics.send_tagged("m", 1, [("set", set)]).is_err() {
            metrics.flush().await.unwrap();
        }
    }
    metrics.flush().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_window_of_many_series_and_aggregators_fits_into_a_sinks_default_buffer() {
    const SETS: usize = 10_000;
    let added = Added::default();
    let metric = Metric::new("m").kind(Kind::Histogram).window(WINDOW);
    let metric = metric.agg("sum", Sum).agg("count", Count).agg("min", Min);
    let metrics = MetricsPipeline::builder()
        .metric(metric.agg("max", Max).agg("mean", Mean))
        .sink(added.clone())
        .spawn()
        .unwrap();
    for _ in 0..3 {
        send_to_sets(&metrics, SETS).await;
        tokio::time::sleep(WINDOW).await;
    }
    let report = metrics.shutdown().await.unwrap();
    let sink = report.sink("Added").unwrap();
    assert_eq!(sink.overflow, 0, "{report}");
    assert_eq!(sink.delivered, 3 * 5 * SETS as u64, "{report}");
    assert_eq!(added.0.load(SeqCst), sink.delivered);
}

#[test]
fn what_waits_in_a_full_default_buffer_takes_as_much_memory_as_its_docs_say() {
    assert_eq!(size_of::<Element>() * 262_144, 12 << 20);
}

#[tokio::test(start_paused = true)]
async fn prometheus_gets_all_of_a_burst_whatever_its_size() {
    const SETS: u64 = 9_000;
    let sum = Metric::new("m").kind(Kind::Counter).agg("sum", Sum);
    let sum = sum.window(WINDOW);
    let metrics = MetricsPipeline::builder().metric(sum).spawn().unwrap();
    let exposition = metrics.prometheus().unwrap();
    // Fewer than what comes at once: it holds more than that for a moment, and drops nothing.
    let little = SinkOptions::default().name("little").buffer(100);
    let little = metrics.prometheus_with(little.on_full(OnFull::Wait));
    let little = little.unwrap();
    for _ in 0..3 {
        send_to_sets(&metrics, SETS as usize).await;
        tokio::time::sleep(WINDOW).await;
    }
    let report = metrics.shutdown().await.unwrap();
    for (sink, exposition) in [("PrometheusSink", exposition), ("little", little)] {
        assert_eq!(report.sink(sink).unwrap().delivered, 3 * SETS, "{report}");
        assert_eq!(exposition.counts().taken, 3 * SETS);
        let text = exposition.render(ExpositionFormat::Text);
        assert!(text.contains("m_total{set=\"8999\"} 3\n"));
    }
    let again = metrics.prometheus_with(SinkOptions::default());
    assert_eq!(again.unwrap_err(), MetricError::Closed);
}

// What is tried again, and when.

/// Does as it is told, and notes what it was given.
#[derive(Clone, Default)]
struct Scripted {
    answers: Arc<Mutex<VecDeque<Result<(), SinkError>>>>,
    /// What the last answer of the script is followed by.
    then: Option<SinkError>,
    calls: Arc<Mutex<Vec<(tokio::time::Duration, usize)>>>,
    began: Arc<OnceLock<tokio::time::Instant>>,
    close: Option<SinkError>,
    closes: Arc<AtomicUsize>,
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Result<(), SinkError>>) -> Scripted {
        let answers: VecDeque<_> = answers.into_iter().collect();
        Scripted {
            answers: Arc::new(Mutex::new(answers)),
            ..Scripted::default()
        }
    }

    fn calls(&self) -> Vec<(Duration, usize)> {
        self.calls.lock().unwrap().clone()
    }
}

impl MetricSink for Scripted {
    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let now = tokio::time::Instant::now();
        let since = now - *self.began.get_or_init(|| now);
        self.calls.lock().unwrap().push((since, batch.len()));
        let answer = self.answers.lock().unwrap().pop_front();
        answer.unwrap_or(self.then.clone().map_or(Ok(()), Err))
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        self.closes.fetch_add(1, SeqCst);
        self.close.clone().map_or(Ok(()), Err)
    }
}

fn with_sink(sink: &Scripted, options: SinkOptions) -> MetricsPipeline {
    let pipeline = MetricsPipeline::builder().metric(every_value());
    let options = options.name("scripted");
    pipeline.sink_with(sink.clone(), options).spawn().unwrap()
}

/// Sends values that become one batch.
async fn send(metrics: &MetricsPipeline, values: usize) {
    for n in 0..values {
        metrics.send("m", n).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn down() -> SinkError {
    SinkError::retry("down")
}

#[tokio::test(start_paused = true)]
async fn sinks_whose_receiver_was_down_do_not_all_come_back_at_once() {
    let sinks = [Scripted::default(), Scripted::default()].map(|sink| Scripted {
        then: Some(down()),
        ..sink
    });
    let pipelines = sinks
        .each_ref()
        .map(|sink| with_sink(sink, SinkOptions::default()));
    for metrics in &pipelines {
        metrics.send("m", 1).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    let [some, others] = sinks.each_ref().map(|sink| sink.calls());
    assert!(some.len() > 20, "{}", some.len());
    assert_ne!(some, others);
    // Nor do they come more rarely: delays are shortened, to the half of 30 s at the most.
    let delays = some.windows(2).map(|two| two[1].0 - two[0].0);
    assert!(delays.max().unwrap() <= Duration::from_secs(31));
}

#[tokio::test(start_paused = true)]
async fn a_users_say_in_what_is_tried_again_holds_beside_the_sinks() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let retry = Retry::attempts(10).when(move |error| {
        counted.fetch_add(1, SeqCst);
        error.to_string() != "wrong password"
    });
    let options = SinkOptions::default().retry(retry);
    let wrong = || Err(SinkError::retry("wrong password"));
    let never = || Err(SinkError::fatal("gone"));
    let sink = Scripted::new([wrong(), Err(down()), Ok(()), never()]);
    let metrics = with_sink(&sink, options);
    for _ in 0..3 {
        send(&metrics, 1).await;
    }
    let report = metrics.shutdown().await.unwrap();
    let scripted = report.sink("scripted").unwrap();
    // The first was given up at once, the second tried again, the third given up by the sink.
    assert_eq!((scripted.given_up, scripted.delivered), (2, 1), "{report}");
    assert_eq!(sink.calls().len(), 4);
    assert!(asked.load(SeqCst) >= 2);
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_is_never_delivered() {
    let sink = Scripted::new([Err(down().done(3)), Err(down().done(1))]);
    let metrics = with_sink(&sink, SinkOptions::default());
    send(&metrics, 3).await;
    send(&metrics, 2).await;
    let report = metrics.shutdown().await.unwrap();
    let sizes: Vec<_> = sink.calls().iter().map(|(_, size)| *size).collect();
    assert_eq!(sizes, [3, 2, 1]);
    assert_eq!(report.sink("scripted").unwrap().delivered, 5);
}

// What is told of failures.

#[tokio::test(start_paused = true)]
async fn a_sink_that_rejects_some_elements_works_and_one_that_takes_none_fails() {
    let rejected = |done, rejected| {
        let error = SinkError::fatal("NaN");
        Err(error.done(done).rejected(rejected))
    };
    let batches = [(3, 1), (3, 3), (3, 1), (3, 0)].map(|(done, some)| rejected(done, some));
    let sink = Scripted::new(batches);
    let metrics = with_sink(&sink, SinkOptions::default());
    let now = || metrics.snapshot().sink("scripted").unwrap().clone();

    send(&metrics, 3).await;
    let fine = now();
    assert_eq!((fine.delivered, fine.rejected, fine.failures), (2, 1, 0));
    assert_eq!(fine.failing_since, None);
    assert_eq!(fine.last_error.as_deref(), Some("NaN"));

    send(&metrics, 3).await;
    assert_eq!((now().rejected, now().failures), (4, 1));
    assert!(now().failing_since.is_some());

    // It works again.
    send(&metrics, 3).await;
    assert_eq!((now().delivered, now().rejected, now().failures), (4, 5, 1));
    assert_eq!(now().failing_since, None);

    // An error that is not about what was rejected: the connection broke behind the last element.
    send(&metrics, 3).await;
    assert_eq!((now().delivered, now().rejected, now().failures), (7, 5, 2));
    assert!(now().failing_since.is_some());
}

/// Looks at the pipeline when it is shown, as who adds figures to an error might.
#[derive(Debug)]
struct Curious(Arc<OnceLock<MetricsPipeline>>);

impl fmt::Display for Curious {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metrics = self.0.get().expect("it was spawned before");
        let delivered = metrics.snapshot().sinks[0].delivered;
        write!(f, "failed after {delivered} elements")
    }
}

impl std::error::Error for Curious {}

#[test]
fn an_error_may_look_at_the_pipeline_as_it_is_shown() {
    watched(|| {
        in_virtual_time(async {
            let pipeline = Arc::new(OnceLock::new());
            let sink = Scripted::new([Ok(()), Err(SinkError::fatal(Curious(pipeline.clone())))]);
            let metrics = with_sink(&sink, SinkOptions::default());
            pipeline.set(metrics.clone()).ok();
            send(&metrics, 2).await;
            send(&metrics, 1).await;
            let report = metrics.shutdown().await.unwrap();
            let last = report.sink("scripted").unwrap().last_error.clone();
            assert_eq!(last.unwrap(), "failed after 2 elements");
        });
    });
}

// How it ends.

#[tokio::test(start_paused = true)]
async fn a_sink_that_never_closes_is_asked_a_few_times_and_the_shutdown_ends() {
    let sink = Scripted {
        close: Some(SinkError::retry("the disk is full")),
        ..Scripted::default()
    };
    let metrics = with_sink(&sink, SinkOptions::default());
    send(&metrics, 3).await;
    let shutdown = tokio::time::timeout(Duration::from_secs(86_400), metrics.shutdown());
    let report = shutdown.await.expect("it ends").unwrap();
    assert_eq!(sink.closes.load(SeqCst), 5);
    let told = report.sink("scripted").unwrap();
    assert_eq!((told.delivered, told.failures), (3, 5));
    assert_eq!(told.last_error.as_deref(), Some("the disk is full"));
}

#[tokio::test(start_paused = true)]
async fn a_sink_is_closed_once_if_that_succeeds_or_never_can() {
    for close in [None, Some(SinkError::fatal("gone"))] {
        let sink = Scripted {
            close,
            ..Scripted::default()
        };
        let metrics = with_sink(&sink, SinkOptions::default());
        send(&metrics, 1).await;
        metrics.shutdown().await.unwrap();
        assert_eq!(sink.closes.load(SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_shutdown_there_are_no_further_metrics_and_sinks() {
    let metrics = with_sink(&Scripted::default(), SinkOptions::default());
    metrics.shutdown().await.unwrap();
    let late = Metric::new("late").agg("sum", Sum).batch(1);
    assert_eq!(metrics.add_metric(late), Err(MetricError::Closed));
    assert_eq!(metrics.add_sink(Added::default()), Err(MetricError::Closed));
    assert_eq!(metrics.prometheus().unwrap_err(), MetricError::Closed);
    let report = metrics.snapshot();
    assert_eq!((report.metrics.len(), report.sinks.len()), (1, 1));
    let told = MetricError::Closed.to_string();
    assert!(told.contains("build another one"), "{told}");
}

// What is said of options.

struct NoBatch;

impl MetricSink for NoBatch {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    fn max_batch(&self) -> usize {
        0
    }

    async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn options_that_are_zero_are_told_of_when_they_are_used() {
    let metrics = MetricsPipeline::builder().spawn().unwrap();
    let options = SinkOptions::default;
    for (options, expected) in [
        (
            options().buffer(0),
            "sink \"Added\": `buffer` is zero: let it hold 1 element at least",
        ),
        (
            options().max_age(Duration::ZERO),
            "sink \"Added\": `max_age` is zero: give it a longer time, so that batches can form",
        ),
        (
            options().name("x").rate_limit(Duration::ZERO),
            "sink \"x\": `rate_limit` is zero: leave it out to limit nothing",
        ),
    ] {
        let error = metrics.add_sink_with(Added::default(), options.clone());
        assert_eq!(error.unwrap_err().to_string(), expected);
        let error = MetricsPipeline::builder().sink_with(Added::default(), options);
        assert_eq!(error.spawn().unwrap_err().to_string(), expected);
    }
    assert_eq!(
        metrics.add_sink(NoBatch).unwrap_err().to_string(),
        "sink \"NoBatch\": `max_batch` is zero: let a batch have 1 element at least"
    );
    for (metric, expected) in [
        (
            every_value().max_values(0),
            "metric \"m\": `max_values` is zero: let 1 value be kept at least",
        ),
        (
            every_value().max_tag_sets(0),
            "metric \"m\": `max_tag_sets` is zero: let there be 1 set of tags at least, or send \
             values without tags",
        ),
    ] {
        let error = metrics.add_metric(metric).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let report = metrics.shutdown().await.unwrap();
    assert!(report.metrics.is_empty() && report.sinks.is_empty());
}
