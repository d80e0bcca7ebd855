//! The durations of `tracing` spans become values: which spans, how much of them, with which tags.

#![cfg(feature = "spans")]

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use headwater::List;
use headwater::metrics::{
    Delivery, Element, Metric, MetricSink, MetricsPipeline, SendError, SinkError, SpanTimer, Spent,
    TagValue, Unit,
};
use headwater::prelude::*;
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Instrument, Level, Subscriber, event_enabled, field, info_span, warn_span};
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, registry};

async fn millis(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// With a metric `t`, whose values come out one by one as `t.v`.
fn pipeline() -> (MetricsPipeline, List<Element>) {
    let pipeline = MetricsPipeline::builder()
        .metric(Metric::new("t").agg("v", Last).batch(1))
        .spawn()
        .unwrap();
    let elements = pipeline.elements().sink_to_list();
    (pipeline, elements)
}

/// A timer that counts milliseconds.
fn timer() -> SpanTimer {
    SpanTimer::new("t").unit(Unit::Millis)
}

/// For this thread, until the guard is dropped.
fn install(
    pipeline: &MetricsPipeline,
    timers: impl IntoIterator<Item = SpanTimer>,
) -> DefaultGuard {
    set_default(registry().with(pipeline.time_spans(timers).unwrap()))
}

/// What has come out by now, as text.
async fn texts(elements: &List<Element>) -> Vec<String> {
    millis(10).await;
    elements.take().iter().map(Element::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn a_span_sends_its_duration_when_it_is_over() {
    let (pipeline, elements) = pipeline();
    let _guard = install(&pipeline, [timer().named("request")]);
    let span = info_span!("request");
    millis(100).await;
    let other = span.clone();
    drop(span);
    assert!(texts(&elements).await.is_empty());
    millis(90).await;
    drop(other);
    assert_eq!(texts(&elements).await, ["t.v 200.0"]);
}

#[tokio::test(start_paused = true)]
async fn fields_are_tags_that_keep_their_types_also_those_that_are_recorded_later() {
    let (pipeline, elements) = pipeline();
    let timer = timer()
        .named("request")
        .field("route")
        .field("code")
        .field("cached")
        .field("share")
        .field_as("user.name", "user")
        .field("never")
        .tag("service", "shop")
        .tag("route", "unknown");
    let _guard = install(&pipeline, [timer]);
    {
        let span = info_span!(
            "request",
            route = "/home",
            code = field::Empty,
            cached = true,
            share = 0.5,
            user.name = %"Zoë",
            never = field::Empty,
            other = 7,
        );
        span.record("code", 500);
        span.record("code", 200);
    }
    info_span!("request");
    millis(10).await;
    let elements = elements.take();
    let tags = elements[0].tags();
    assert_eq!(tags.get("route"), Some(&TagValue::from("/home")));
    assert_eq!(tags.get("code"), Some(&TagValue::Int(200)));
    assert_eq!(tags.get("cached"), Some(&TagValue::Bool(true)));
    assert_eq!(tags.get("share"), Some(&TagValue::Float(0.5)));
    assert_eq!(tags.get("user"), Some(&TagValue::from("Zoë")));
    assert_eq!(tags.get("service"), Some(&TagValue::from("shop")));
    assert_eq!(tags.len(), 6);
    assert_eq!(
        elements[1].to_string(),
        "t.v{route=unknown service=shop} 0.0"
    );
}

#[tokio::test(start_paused = true)]
async fn busy_is_the_time_within_and_total_the_time_from_beginning_to_end() {
    let (pipeline, elements) = pipeline();
    let total = timer().named("work").tag("spent", "total");
    let busy = timer()
        .named("work")
        .tag("spent", "busy")
        .spent(Spent::Busy);
    let _guard = install(&pipeline, [total, busy]);
    {
        let span = info_span!("work");
        millis(5).await;
        let entered = span.enter();
        millis(100).await;
        // Within itself it is not busy twice.
        span.in_scope(|| ());
        let again = span.enter();
        millis(10).await;
        drop(again);
        millis(10).await;
        drop(entered);
        millis(1_000).await;
        let entered = span.enter();
        millis(3).await;
        drop(entered);
    }
    let texts = texts(&elements).await;
    assert_eq!(texts, ["t.v{spent=total} 1128.0", "t.v{spent=busy} 123.0"]);
}

#[tokio::test(start_paused = true)]
async fn a_span_that_several_threads_are_in_sends_one_value() {
    let (pipeline, elements) = pipeline();
    let _guard = install(&pipeline, [timer().named("work").spent(Spent::Busy)]);
    let span = info_span!("work");
    let here = span.enter();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            // A span belongs to the subscriber that it was made by, in any thread.
            scope.spawn(|| span.in_scope(|| ()));
        }
    });
    millis(40).await;
    drop(here);
    drop(span);
    assert_eq!(texts(&elements).await, ["t.v 40.0"]);
}

#[tokio::test(start_paused = true)]
async fn a_span_that_a_panic_ends_sends_its_duration() {
    let (pipeline, elements) = pipeline();
    let _guard = install(&pipeline, [timer().named("work")]);
    let work = tokio::spawn(
        async {
            millis(30).await;
            panic!("the work fails");
        }
        .instrument(info_span!("work")),
    );
    assert!(work.await.is_err());
    let entered = catch_unwind(|| {
        let _entered = info_span!("work").entered();
        panic!("this does, too");
    });
    assert!(entered.is_err());
    assert_eq!(texts(&elements).await, ["t.v 30.0", "t.v 0.0"]);
}

#[tokio::test(start_paused = true)]
async fn conditions_are_names_targets_and_functions_and_each_has_to_hold() {
    let (pipeline, elements) = pipeline();
    let timers = [
        timer().tag("by", "name").named("query"),
        timer().tag("by", "target").target("shop::db"),
        timer()
            .tag("by", "both")
            .named("query")
            .target("shop::db::pool"),
        timer()
            .tag("by", "level")
            .matching(|metadata| *metadata.level() <= Level::WARN),
    ];
    let _guard = install(&pipeline, timers);
    let by = async |make: &dyn Fn() -> tracing::Span| -> Vec<String> {
        drop(make());
        let tags = texts(&elements).await.into_iter();
        tags.map(|text| text["t.v{by=".len()..].replace("} 0.0", ""))
            .collect()
    };
    assert_eq!(by(&|| info_span!("query")).await, ["name"]);
    assert_eq!(
        by(&|| info_span!(target: "shop::db", "x")).await,
        ["target"]
    );
    assert_eq!(
        by(&|| info_span!(target: "shop::db::pool", "query")).await,
        ["name", "target", "both"]
    );
    assert_eq!(
        by(&|| info_span!(target: "shop::dbase", "x")).await,
        [""; 0]
    );
    assert_eq!(by(&|| warn_span!("x")).await, ["level"]);
}

#[tokio::test(start_paused = true)]
async fn spans_that_no_timer_wants_and_events_are_switched_off() {
    let (pipeline, _) = pipeline();
    let _guard = install(&pipeline, [timer().named("wanted")]);
    assert!(!info_span!("wanted").is_disabled());
    assert!(info_span!("not wanted").is_disabled());
    assert!(!event_enabled!(Level::ERROR));
}

/// Counts the spans that it sees.
#[derive(Clone, Default)]
struct Seen(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Seen {
    fn on_new_span(
        &self,
        _: &tracing::span::Attributes<'_>,
        _: &tracing::span::Id,
        _: Context<'_, S>,
    ) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn other_layers_see_what_they_saw_and_two_pipelines_share_a_subscriber() {
    let (one, of_one) = pipeline();
    let (two, of_two) = pipeline();
    let seen = Seen::default();
    let subscriber = registry()
        .with(
            one.time_spans([timer().named("a"), timer().named("b")])
                .unwrap(),
        )
        .with(seen.clone())
        .with(
            two.time_spans([timer().named("b").spent(Spent::Busy)])
                .unwrap(),
        );
    let _guard = set_default(subscriber);
    for _ in 0..2 {
        let a = info_span!("a").entered();
        let b = info_span!("b").entered();
        let c = info_span!("c").entered();
        millis(5).await;
        drop((c, b, a));
    }
    assert_eq!(texts(&of_one).await, ["t.v 5.0"; 4]);
    assert_eq!(texts(&of_two).await, ["t.v 5.0"; 2]);
    assert_eq!(seen.0.load(Relaxed), 6);
}

#[tokio::test(start_paused = true)]
async fn a_metric_that_is_not_there_is_an_error() {
    let (pipeline, _) = pipeline();
    let timers = [timer(), SpanTimer::new("u").named("x")];
    let error = pipeline.time_spans::<registry::Registry>(timers);
    let Err(SendError::Unknown { metric, known }) = error else {
        panic!("it has to be unknown");
    };
    assert_eq!((metric.as_str(), &*known), ("u", &["t".into()][..]));
}

#[tokio::test(start_paused = true)]
async fn a_span_may_end_within_the_pipelines_own_graph() {
    // The aggregator opens a span that is timed, for values that are not of a span.
    let pipeline = MetricsPipeline::builder()
        .metric(Metric::new("t").agg("v", Last).batch(1))
        .metric(
            Metric::new("outer")
                .agg_values("n", |values| {
                    let _span = info_span!("aggregate", n = values.len()).entered();
                    values.len() as u32
                })
                .batch(2),
        )
        .spawn()
        .unwrap();
    let elements = pipeline.elements().sink_to_list();
    let _guard = install(&pipeline, [timer().named("aggregate").field("n")]);
    // Enough that this thread hands batches over itself.
    for n in 0..1_000 {
        pipeline.send("outer", n).unwrap();
    }
    pipeline.flush().await.unwrap();
    millis(20).await;
    let texts = texts(&elements).await;
    let count = |wanted: &str| texts.iter().filter(|text| *text == wanted).count();
    assert_eq!(count("outer.n 2"), 500);
    assert_eq!(count("t.v{n=2} 0.0"), 500);
}

/// Never delivers anything.
struct Broken;

impl MetricSink for Broken {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    async fn deliver(&mut self, _: &[Element]) -> Result<(), SinkError> {
        Err(SinkError::retry("it is down"))
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_pipeline_itself_reports_makes_no_values_even_if_all_spans_are_timed() {
    let (pipeline, elements) = pipeline();
    pipeline.add_sink(Broken).unwrap();
    let _guard = install(&pipeline, [timer()]);
    pipeline.send("t", 1).unwrap();
    millis(100_000).await;
    assert!(pipeline.snapshot().sink("Broken").unwrap().failures > 3);
    assert_eq!(texts(&elements).await, ["t.v 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_field_whose_debug_opens_spans_does_not_deadlock() {
    /// Opens a span of its own while it is shown.
    struct Chatty(Arc<OnceLock<()>>);

    impl std::fmt::Debug for Chatty {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let _ = self.0.set(());
            tracing::Span::current().record("late", 1);
            info_span!("inner").in_scope(|| f.write_str("chatty"))
        }
    }

    let (pipeline, elements) = pipeline();
    let _guard = install(&pipeline, [timer().field("who").field("late")]);
    let shown = Arc::default();
    let outer = info_span!("outer", who = ?Chatty(Arc::clone(&shown)), late = field::Empty);
    outer.in_scope(|| outer.record("who", field::debug(Chatty(shown.clone()))));
    drop(outer);
    assert!(shown.get().is_some());
    let texts = texts(&elements).await;
    assert_eq!(
        texts.last().map(String::as_str),
        Some("t.v{late=1 who=chatty} 0.0")
    );
}
