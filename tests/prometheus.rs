//! What Prometheus is shown: exact text, read back by a parser of somebody else, hostile names and
//! values, and what happens when there is too much of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use headwater::metrics::ExpositionFormat::{self, OpenMetrics, Text};
use headwater::metrics::{
    Delivery, Element, Exposition, Kind, Metric, MetricSink, MetricsPipeline, PrometheusSink,
    SinkError, SinkOptions, Tags, Value,
};
use headwater::prelude::*;
use nom_openmetrics::MetricDescriptor::{Help, Type, Unit};
use nom_openmetrics::{MetricType, parser};
use proptest::prelude::*;

fn sink() -> PrometheusSink {
    PrometheusSink::new().since(SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250))
}

/// A sink that was told of metrics.
fn told(metrics: &[Metric]) -> PrometheusSink {
    let mut sink = sink();
    for metric in metrics {
        sink.describe(&metric.described().unwrap());
    }
    sink
}

fn take(sink: &mut PrometheusSink, elements: &[Element]) -> Result<(), SinkError> {
    futures::executor::block_on(sink.deliver(elements))
}

fn element(name: &str, value: impl Into<Value>) -> Element {
    Element::new(name, value)
}

fn requests() -> Metric {
    Metric::new("http.requests")
        .kind(Kind::Counter)
        .help("Requests\nthat were \"served\" \\ done.")
        .agg("sum", Sum)
        .agg("max", Max)
        .batch(1)
}

fn latency() -> Metric {
    Metric::new("latency")
        .kind(Kind::Histogram)
        .unit("seconds")
        .help("How long it took.")
        .agg("p99", Quantile::new(0.99))
        .agg("median", Median)
        .agg("sum", Sum)
        .agg("count", Count)
        .agg("mean", Mean)
        .batch(1)
}

fn filled() -> PrometheusSink {
    let mut sink = told(&[requests(), latency()]);
    let home = Tags::from([("route", "/home")]).with("code", 200);
    let hostile = Tags::from([("route", "a\\b\"c\nd")]);
    let all = [
        element("http.requests.sum", 3).tagged(&home),
        element("http.requests.sum", 1).tagged(&hostile),
        element("http.requests.max", 2.5).tagged(&home),
        element("latency.p99", 0.5),
        element("latency.median", 0.25),
        element("latency.sum", 1.5),
        element("latency.count", 4),
        element("latency.mean", 0.375),
        element("http.requests.sum", 4).tagged(&home),
        element("latency.p99", 1),
        element("latency.sum", 1.25),
        element("latency.count", 2),
        element("9 lives", f64::NAN),
        element("infinite", f64::NEG_INFINITY).tagged([("overflow", true)]),
        element("infinite", f64::INFINITY),
    ];
    take(&mut sink, &all).unwrap();
    sink
}

#[test]
fn the_text_format_is_as_prometheus_documents_it() {
    let expected = r#"# TYPE _9_lives gauge
_9_lives NaN
# HELP http_requests_total Requests\nthat were "served" \\ done.
# TYPE http_requests_total counter
http_requests_total{code="200",route="/home"} 7
http_requests_total{route="a\\b\"c\nd"} 1
# HELP http_requests_max Requests\nthat were "served" \\ done. (max)
# TYPE http_requests_max gauge
http_requests_max{code="200",route="/home"} 2.5
# TYPE infinite gauge
infinite +Inf
infinite{overflow="true"} -Inf
# HELP latency_mean How long it took. (mean of values in seconds)
# TYPE latency_mean gauge
latency_mean 0.375
# HELP latency_seconds How long it took.
# TYPE latency_seconds summary
latency_seconds{quantile="0.5"} 0.25
latency_seconds{quantile="0.99"} 1
latency_seconds_sum 2.75
latency_seconds_count 6
"#;
    assert_eq!(filled().exposition().render(Text), expected);
}

#[test]
fn openmetrics_tells_units_and_when_totals_began() {
    let expected = r#"# TYPE _9_lives gauge
_9_lives NaN
# HELP http_requests Requests\nthat were \"served\" \\ done.
# TYPE http_requests counter
http_requests_total{code="200",route="/home"} 7
http_requests_created{code="200",route="/home"} 1700000000.25
http_requests_total{route="a\\b\"c\nd"} 1
http_requests_created{route="a\\b\"c\nd"} 1700000000.25
# HELP http_requests_max Requests\nthat were \"served\" \\ done. (max)
# TYPE http_requests_max gauge
http_requests_max{code="200",route="/home"} 2.5
# TYPE infinite gauge
infinite +Inf
infinite{overflow="true"} -Inf
# HELP latency_mean How long it took. (mean of values in seconds)
# TYPE latency_mean gauge
latency_mean 0.375
# HELP latency_seconds How long it took.
# TYPE latency_seconds summary
# UNIT latency_seconds seconds
latency_seconds{quantile="0.5"} 0.25
latency_seconds{quantile="0.99"} 1
latency_seconds_sum 2.75
latency_seconds_count 6
latency_seconds_created 1700000000.25
# EOF
"#;
    assert_eq!(filled().exposition().render(OpenMetrics), expected);
}

/// Samples by their names and labels, as a parser of somebody else reads them. Sees to what that parser
/// does not look at: types, names that fit them, values that their type allows, nothing twice.
fn read(text: &str, format: ExpositionFormat) -> Result<BTreeMap<Labelled, f64>, TestCaseError> {
    let (rest, families) = match format {
        Text => parser::prometheus(text),
        OpenMetrics => parser::openmetrics(text),
    }
    .map_err(|error| TestCaseError::fail(format!("{error:?} in\n{text}")))?;
    prop_assert_eq!(rest, "");
    let (mut samples, mut names) = (BTreeMap::new(), BTreeSet::new());
    for family in families {
        let name = family.descriptors[0].metric();
        prop_assert!(names.insert(name.to_owned()), "{} twice in\n{}", name, text);
        prop_assert!(family.descriptors.iter().all(|d| d.metric() == name));
        let mut types = family.descriptors.iter().filter_map(|d| match d {
            Type { r#type, .. } => Some(r#type),
            Help { .. } => None,
            Unit { metric, unit } => {
                assert!(metric.ends_with(&format!("_{unit}")), "{metric} in {unit}");
                None
            }
        });
        let suffixes: &[&str] = match (types.next(), format) {
            (Some(MetricType::Gauge), _) => &[""],
            (Some(MetricType::Counter), Text) => &[""],
            (Some(MetricType::Counter), OpenMetrics) => &["_total", "_created"],
            (Some(MetricType::Summary), Text) => &["", "_sum", "_count"],
            (Some(MetricType::Summary), OpenMetrics) => &["", "_sum", "_count", "_created"],
            other => return Err(TestCaseError::fail(format!("{other:?} in\n{text}"))),
        };
        prop_assert_eq!(types.next(), None);
        for sample in &family.samples {
            let suffix = sample.name().strip_prefix(name);
            prop_assert!(
                suffix.is_some_and(|s| suffixes.contains(&s)),
                "{:?} of {}",
                sample,
                name
            );
            let labels: BTreeMap<String, String> = sample
                .labels()
                .iter()
                .map(|label| (label.name.to_owned(), label.value.clone()))
                .collect();
            prop_assert_eq!(labels.len(), sample.labels().len(), "{:?}", sample);
            let is_figure = matches!(family.descriptors.last(), Some(Type { r#type, .. }) if *r#type == MetricType::Gauge);
            prop_assert!(is_figure || sample.number() >= 0.0 || sample.number().is_nan());
            let identity = (sample.name().to_owned(), labels);
            let twice = samples.insert(identity, sample.number());
            prop_assert_eq!(twice, None, "{:?} in\n{}", sample, text);
        }
    }
    Ok(samples)
}

/// A sample's name and labels.
type Labelled = (String, BTreeMap<String, String>);

#[test]
fn a_parser_of_somebody_else_reads_both_formats() {
    let exposition = filled().exposition();
    let labelled = |name: &str, labels: &[(&str, &str)]| {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        (name.to_owned(), labels.collect::<BTreeMap<_, _>>())
    };
    let both = [
        (
            labelled(
                "http_requests_total",
                &[("code", "200"), ("route", "/home")],
            ),
            7.0,
        ),
        (
            labelled("http_requests_total", &[("route", "a\\b\"c\nd")]),
            1.0,
        ),
        (
            labelled("http_requests_max", &[("code", "200"), ("route", "/home")]),
            2.5,
        ),
        (labelled("infinite", &[]), f64::INFINITY),
        (
            labelled("infinite", &[("overflow", "true")]),
            f64::NEG_INFINITY,
        ),
        (labelled("latency_mean", &[]), 0.375),
        (labelled("latency_seconds", &[("quantile", "0.5")]), 0.25),
        (labelled("latency_seconds", &[("quantile", "0.99")]), 1.0),
        (labelled("latency_seconds_sum", &[]), 2.75),
        (labelled("latency_seconds_count", &[]), 6.0),
    ];
    let created = [
        labelled(
            "http_requests_created",
            &[("code", "200"), ("route", "/home")],
        ),
        labelled("http_requests_created", &[("route", "a\\b\"c\nd")]),
        labelled("latency_seconds_created", &[]),
    ];
    for format in [Text, OpenMetrics] {
        let mut samples = read(&exposition.render(format), format).unwrap();
        // It equals nothing.
        assert!(samples.remove(&labelled("_9_lives", &[])).unwrap().is_nan());
        let mut expected = BTreeMap::from(both.clone());
        if format == OpenMetrics {
            expected.extend(created.clone().map(|sample| (sample, 1_700_000_000.25)));
        }
        assert_eq!(samples, expected);
    }
}

/// What a metric becomes, as the names of its families with their types.
fn families(metric: Metric) -> Vec<String> {
    let mut sink = told(std::slice::from_ref(&metric));
    let described = metric.described().unwrap();
    let all: Vec<Element> = described
        .outputs()
        .iter()
        .map(|output| element(output.name(), 1))
        .collect();
    take(&mut sink, &all).unwrap();
    let text = sink.exposition().render(OpenMetrics);
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(str::to_owned).collect()
}

#[test]
fn each_kind_of_metric_becomes_what_it_is() {
    let metric = |kind| Metric::new("m").kind(kind).batch(1);
    let counter = || metric(Kind::Counter);
    let cases: [(Metric, &[&str]); 10] = [
        (counter().agg("sum", Sum), &["m counter"]),
        (counter().agg("n", Count), &["m counter"]),
        (
            counter().agg("n", Count).agg("sum", Sum),
            &["m counter", "m_n counter"],
        ),
        (counter().agg("last", Last).unit("bytes"), &["m_last gauge"]),
        (
            counter().agg("n", Count).agg("sum", Sum).unit("bytes"),
            &["m_bytes counter", "m_n counter"],
        ),
        (counter().agg("n", Count).unit("bytes"), &["m counter"]),
        (
            metric(Kind::Gauge).agg("sum", Sum).agg("n", Count),
            &["m_n gauge", "m_sum gauge"],
        ),
        (metric(Kind::Histogram).agg("mean", Mean), &["m_mean gauge"]),
        (
            metric(Kind::Histogram)
                .agg("a", Median)
                .agg("b", Quantile::new(0.5))
                .agg("c", Quantile::new(0.9)),
            &["m summary", "m_b gauge"],
        ),
        (
            metric(Kind::Histogram).agg("n", Count).unit("%"),
            &["m summary"],
        ),
    ];
    for (metric, expected) in cases {
        assert_eq!(families(metric), expected);
    }
    let total = |name, unit: &str| {
        let metric = Metric::new(name)
            .kind(Kind::Counter)
            .agg("sum", Sum)
            .batch(1);
        families(metric.unit(unit))
    };
    assert_eq!(total("bytes.total", ""), ["bytes counter"]);
    assert_eq!(total("sent_bytes_total", "bytes"), ["sent_bytes counter"]);
    assert_eq!(total("bytes", "bytes"), ["bytes counter"]);
}

#[test]
fn labels_are_legal_and_never_twice_the_same() {
    let mut sink = told(&[latency()]);
    let hostile = Tags::from([
        ("__name__", "a"),
        ("quantile", "b"),
        ("le", "c"),
        ("é:9", ""),
    ]);
    let hostile = hostile.with("9é:", "d").with("", "e");
    let all = [
        element("latency.p99", 1).tagged(&hostile),
        element("gauge", 1).tagged([("quantile", "x")]),
    ];
    take(&mut sink, &all).unwrap();
    assert_eq!(
        sink.exposition().render(Text),
        "# TYPE gauge gauge\n\
         gauge{quantile=\"x\"} 1\n\
         # HELP latency_seconds How long it took.\n\
         # TYPE latency_seconds summary\n\
         latency_seconds{_=\"e\",_9__=\"d\",_name__=\"a\",exported_quantile=\"b\",le=\"c\",\
         quantile=\"0.99\"} 1\n"
    );
    let twice = element("gauge", 1).tagged([("a.b", "x"), ("a_b", "y")]);
    let error = take(&mut sink, &[twice]).unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (1, 1));
    assert_eq!(
        error.to_string(),
        "the tags {a.b=x a_b=y} of \"gauge\" would give two labels \"a_b\": rename one"
    );
    assert_eq!(sink.exposition().counts().collided, 1);
}

#[test]
fn two_sets_of_tags_with_the_same_labels_are_not_mixed() {
    let mut sink = told(&[requests()]);
    let name = "http.requests.sum";
    let all = [
        element(name, 1).tagged([("code", 200)]),
        element(name, 10).tagged([("code", "200")]),
        element(name, 100),
        element(name, 1000).tagged([("empty", "")]),
        element(name, 2).tagged([("code", 200)]),
    ];
    let error = take(&mut sink, &all).unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (5, 2));
    assert!(!error.can_retry());
    let exposition = sink.exposition();
    let text = exposition.render(Text);
    assert!(
        text.contains("http_requests_total{code=\"200\"} 3\n"),
        "{text}"
    );
    assert!(text.contains("http_requests_total 100\n"), "{text}");
    let counts = exposition.counts();
    assert_eq!((counts.taken, counts.collided, counts.series), (3, 2, 2));
    assert_eq!(
        exposition.problems(),
        [
            "the tags {\"code\": \"200\"} of \"http_requests\" would give the same labels as \
             {\"code\": 200}: one of the two has to change",
            "the tags {\"empty\": \"\"} of \"http_requests\" would give the same labels as {}: one of \
             the two has to change",
        ]
    );
}

#[test]
fn two_metrics_with_the_same_names_are_not_mixed() {
    let gauge = |name: &str, agg: &str| Metric::new(name).agg(agg, Last).batch(1);
    let mut sink = told(&[
        latency(),
        // Legal only as the names that others have.
        gauge("a.b", "last"),
        gauge("a_b", "last"),
        // A sample of the summary's.
        gauge("latency_seconds", "sum"),
        gauge("c", "x.y").agg("x_y", Max),
    ]);
    let all = [
        element("a.b.last", 1),
        element("a_b.last", 2),
        element("latency_seconds.sum", 3),
        element("latency.sum", 4),
        element("c.x.y", 5),
        element("c.x_y", 6),
        // Not described, and called as what is.
        element("latency_seconds_created", 7),
        element("d.e", 8),
        element("d_e", 9),
    ];
    let error = take(&mut sink, &all).unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (9, 5));
    let exposition = sink.exposition();
    let text = exposition.render(Text);
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        samples,
        ["a_b_last 1", "c_x_y 5", "d_e 8", "latency_seconds_sum 4"]
    );
    assert_eq!(exposition.counts().collided, 5);
    assert_eq!(exposition.problems().len(), 5);
    assert_eq!(
        exposition.problems()[4],
        "what is called \"latency_seconds_created\" and not described would have samples called \
         \"latency_seconds_created\", as the metric \"latency\" has: they are rejected; give one of \
         them another name"
    );

    // Who is described later goes before who is not.
    sink.describe(&gauge("d", "e").described().unwrap());
    take(&mut sink, &[element("d.e", 10)]).unwrap();
    assert!(exposition.render(Text).contains("\nd_e 10\n"));
}

#[test]
fn a_metric_that_is_described_again_goes_on_and_another_one_of_its_name_begins_anew() {
    let mut sink = told(&[requests()]);
    let exposition = sink.exposition();
    take(&mut sink, &[element("http.requests.sum", 3)]).unwrap();
    sink.describe(&requests().described().unwrap());
    take(&mut sink, &[element("http.requests.sum", 3)]).unwrap();
    assert!(exposition.render(Text).contains("http_requests_total 6\n"));
    sink.describe(&requests().kind(Kind::Gauge).described().unwrap());
    assert_eq!(exposition.render(Text), "");
    take(&mut sink, &[element("http.requests.sum", 3)]).unwrap();
    assert!(exposition.render(Text).contains("\nhttp_requests_sum 3\n"));
    assert_eq!(exposition.counts().series, 1);
}

#[test]
fn a_unit_that_is_said_late_changes_no_total_unless_it_changes_the_name() {
    let metric = |name, unit| {
        let metric = Metric::new(name).kind(Kind::Counter).agg("sum", Sum);
        let metric = match unit {
            Some(unit) => metric.unit(unit),
            None => metric,
        };
        metric.batch(1)
    };
    let mut sink = told(&[metric("bytes", None), metric("sent", None)]);
    let elements = [element("bytes.sum", 100), element("sent.sum", 100)];
    take(&mut sink, &elements).unwrap();
    for name in ["bytes", "sent"] {
        let late = metric(name, Some("bytes"));
        sink.describe(&late.described().unwrap());
    }
    take(&mut sink, &elements).unwrap();
    let text = sink.exposition().render(OpenMetrics);
    assert!(text.contains("# UNIT bytes bytes\n"), "{text}");
    assert!(text.contains("\nbytes_total 200\n"), "{text}");
    assert!(text.contains("\nbytes_created 1700000000.25\n"), "{text}");
    assert!(text.contains("\nsent_bytes_total 100\n"), "{text}");
    // It begins when it was called so, and not with the sink.
    assert!(text.contains("\nsent_bytes_created 1"), "{text}");
    let old = "sent_bytes_created 1700000000.25\n";
    assert!(!text.contains(old), "{text}");
}

#[test]
fn what_only_grows_takes_nothing_that_would_make_it_fall() {
    let mut sink = told(&[requests(), latency()]);
    let all = [
        element("http.requests.sum", 5),
        element("http.requests.sum", -1),
        element("http.requests.sum", f64::NAN),
        element("http.requests.sum", f64::INFINITY),
        element("latency.p99", -1),
        element("latency.p99", f64::NAN),
        element("latency.sum", 2),
        element("latency.count", 2),
    ];
    let error = take(&mut sink, &all).unwrap_err();
    assert_eq!((error.done_count(), error.rejected_count()), (8, 4));
    let exposition = sink.exposition();
    let samples = |format| {
        let text = exposition.render(format);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = [
        "http_requests_total 5",
        "latency_seconds{quantile=\"0.99\"} NaN",
        "latency_seconds_sum 2",
        "latency_seconds_count 2",
    ];
    assert_eq!(samples(Text), expected);
    // A sum with something missing would be no sum.
    let all = [
        element("latency.sum", -0.5),
        element("latency.count", 1),
        element("latency.sum", 1),
    ];
    take(&mut sink, &all).unwrap_err();
    assert_eq!(samples(Text)[2..], ["latency_seconds_count 3"]);
    assert_eq!(exposition.counts().refused, 5);
    read(&exposition.render(OpenMetrics), OpenMetrics).unwrap();
}

#[test]
fn totals_of_integers_are_exact_and_of_floats_as_good_as_floats_are() {
    let mut sink = told(&[requests()]);
    let tenth = || element("http.requests.sum", 0.1).tagged([("sort", "float")]);
    let big = |value: i64| element("http.requests.sum", value).tagged([("sort", "int")]);
    let mut all: Vec<Element> = (0..10).map(|_| tenth()).collect();
    all.extend([big(1 << 53), big(1), big(1)]);
    take(&mut sink, &all).unwrap();
    let text = sink.exposition().render(Text);
    let float = text
        .lines()
        .find_map(|line| line.strip_prefix("http_requests_total{sort=\"float\"} "));
    let float: f64 = float.unwrap().parse().unwrap();
    assert!((float - 1.0).abs() < 1e-15, "{float}");
    assert!(text.contains("{sort=\"int\"} 9007199254740994\n"), "{text}");
}

// Time and room.

#[tokio::test(start_paused = true)]
async fn figures_go_stale_and_totals_stay() {
    let mut sink = told(&[requests(), latency()]);
    let exposition = sink.exposition();
    let home = Tags::from([("route", "/home")]);
    let all = [
        element("http.requests.sum", 3),
        element("http.requests.max", 3),
        element("latency.p99", 1),
        element("latency.count", 1),
        element("latency.p99", 1).tagged(&home),
        element("nobody's", 1),
    ];
    sink.deliver(&all).await.unwrap();
    let samples = || {
        let text = exposition.render(Text);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(str::to_owned).collect::<Vec<_>>()
    };
    tokio::time::advance(Duration::from_secs(299)).await;
    assert_eq!(samples().len(), 6);
    sink.deliver(&[element("http.requests.max", 4)])
        .await
        .unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    let left = [
        "http_requests_total 3",
        "http_requests_max 4",
        "latency_seconds_count 1",
    ];
    assert_eq!(samples(), left);
    tokio::time::advance(Duration::from_secs(299)).await;
    assert_eq!(
        samples(),
        ["http_requests_total 3", "latency_seconds_count 1"]
    );
    // A day later it goes on where it stood.
    tokio::time::advance(Duration::from_secs(86_400)).await;
    sink.deliver(&[element("http.requests.sum", 1)])
        .await
        .unwrap();
    assert_eq!(
        samples(),
        ["http_requests_total 4", "latency_seconds_count 1"]
    );
    assert_eq!(exposition.counts().forgotten, 0);
    // The name of what went away is free again.
    sink.deliver(&[element("nobody_s", 2)]).await.unwrap();
    assert_eq!(samples()[2], "nobody_s 2");
}

#[tokio::test(start_paused = true)]
async fn totals_are_forgotten_where_that_is_wanted_and_begin_later_then() {
    let mut sink = told(&[requests()])
        .stale_after(Duration::from_secs(60))
        .forget_totals_after(Duration::from_secs(600));
    let exposition = sink.exposition();
    let name = "http.requests.sum";
    sink.deliver(&[element(name, 3)]).await.unwrap();
    tokio::time::advance(Duration::from_secs(599)).await;
    assert!(
        exposition
            .render(OpenMetrics)
            .contains("_created 1700000000.25\n")
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(exposition.render(Text), "");
    assert_eq!(exposition.counts().forgotten, 1);
    sink.deliver(&[element(name, 1)]).await.unwrap();
    let text = exposition.render(OpenMetrics);
    assert!(text.contains("http_requests_total 1\n"), "{text}");
    let created = text.lines().find(|line| line.contains("_created"));
    let created: f64 = created
        .unwrap()
        .rsplit_once(' ')
        .unwrap()
        .1
        .parse()
        .unwrap();
    assert!(created > 1_700_000_000.25);
}

#[tokio::test(start_paused = true)]
async fn memory_is_given_back_when_nobody_scrapes() {
    let mut sink = PrometheusSink::new().stale_after(Duration::from_secs(60));
    let exposition = sink.exposition();
    for minute in 0..10 {
        let one = |n: i32| element("gauge", n).tagged([("id", minute * 100 + n)]);
        let batch: Vec<Element> = (0..100).map(one).collect();
        sink.deliver(&batch).await.unwrap();
        assert!(exposition.counts().series <= 200);
        tokio::time::advance(Duration::from_secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_totals_are_added_up_together_and_figures_rejected() {
    let mut sink = told(&[requests()]).max_series(10);
    let exposition = sink.exposition();
    let hit = |id: i32| element("http.requests.sum", 1).tagged([("id", id)]);
    let hits: Vec<Element> = (0..100).map(hit).collect();
    sink.deliver(&hits).await.unwrap();
    let counts = exposition.counts();
    assert_eq!(
        (counts.series, counts.overflowed, counts.taken),
        (11, 90, 100)
    );
    let text = exposition.render(Text);
    assert!(
        text.contains("http_requests_total{overflow=\"true\"} 90\n"),
        "{text}"
    );
    let error = sink.deliver(&[element("figure", 1)]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there are 10 series, and no room for figure 1"
    );
    assert_eq!((error.done_count(), error.rejected_count()), (1, 1));
    assert_eq!(exposition.counts().overflowed, 91);

    // What was idle for longest makes room. The first four, and the overflow, are not.
    tokio::time::advance(Duration::from_secs(200)).await;
    sink.deliver(&hits[..4]).await.unwrap();
    sink.deliver(&hits[50..51]).await.unwrap();
    tokio::time::advance(Duration::from_secs(100)).await;
    sink.deliver(&[hit(200), hit(201)]).await.unwrap();
    let counts = exposition.counts();
    assert_eq!(counts.forgotten, 2);
    let text = exposition.render(Text);
    for (id, total) in [(0, 2), (3, 2), (200, 1)] {
        let sample = format!("http_requests_total{{id=\"{id}\"}} {total}\n");
        assert!(text.contains(&sample), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn totals_make_room_however_often_somebody_scrapes() {
    let mut sink = told(&[requests()]).max_series(4);
    let exposition = sink.exposition();
    let hit = |id: i32| element("http.requests.sum", 1).tagged([("id", id)]);
    sink.deliver(&[hit(0), hit(1), hit(2), hit(3)])
        .await
        .unwrap();
    // Four times a second, and between two scrapes somebody asks for room.
    for second in 0..301 {
        for _ in 0..4 {
            tokio::time::advance(Duration::from_millis(250)).await;
            let _ = exposition.render(Text);
        }
        if second % 100 == 0 {
            sink.deliver(&[hit(0)]).await.unwrap();
        }
    }
    sink.deliver(&[hit(4)]).await.unwrap();
    let text = exposition.render(Text);
    assert!(text.contains("http_requests_total{id=\"4\"} 1\n"), "{text}");
    assert!(text.contains("http_requests_total{id=\"0\"} 5\n"), "{text}");
    assert_eq!(exposition.counts().forgotten, 1);
}

#[tokio::test]
async fn a_flood_of_names_and_tags_stays_within_the_bound() {
    let mut sink = PrometheusSink::new().max_series(100);
    for n in 0..10_000 {
        let _ = sink
            .deliver(&[element(&format!("name{n}"), 1).tagged([("n", n)])])
            .await;
    }
    let counts = sink.exposition().counts();
    assert_eq!((counts.series, counts.overflowed), (100, 9_900));
    assert!(sink.exposition().problems().len() <= 100);
}

// Hostile input.

/// Names and labels with few letters, so that many collide.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ab_.:0]{0,3}(|_sum|_count|_total|_created|_bucket|[.]sum|[.]max)",
        1 => any::<String>(),
    ]
}

fn tags() -> impl Strategy<Value = Tags> {
    let names =
        prop_oneof![3 => "[ab_.0]{0,2}", 1 => Just("quantile".to_owned()), 1 => any::<String>()];
    let texts = prop_oneof![
        Just(String::new()),
        "[ab\\\\\"\n{}=,#]{0,4}",
        any::<String>()
    ];
    prop::collection::vec((names, texts), 0..4).prop_map(|pairs| pairs.into_iter().collect())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-5_i64..100).prop_map(Value::from),
    ]
}

fn metric() -> impl Strategy<Value = Metric> {
    let kinds = prop_oneof![
        Just(Kind::Gauge),
        Just(Kind::Counter),
        Just(Kind::Histogram)
    ];
    let units = prop::option::of(prop_oneof![Just("seconds"), Just("%"), Just("é s")]);
    let name = name().prop_filter("metrics have names", |name| !name.is_empty());
    (name, kinds, units, prop::option::of(any::<String>())).prop_map(|(name, kind, unit, help)| {
        let mut metric = Metric::new(name).kind(kind).batch(1);
        metric = metric.agg("sum", Sum).agg("count", Count).agg("max", Max);
        metric = metric.agg("p50", Median).agg("p99", Quantile::new(0.99));
        metric = unit
            .into_iter()
            .fold(metric, |metric, unit| metric.unit(unit));
        help.into_iter()
            .fold(metric, |metric, help| metric.help(help))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_comes_can_be_read_and_no_series_is_there_twice(
        metrics in prop::collection::vec(metric(), 0..4),
        sent in prop::collection::vec((0_usize..5, 0_usize..5, name(), tags(), value()), 1..40),
    ) {
        let mut sink = told(&metrics);
        let all: Vec<Element> = sent
            .into_iter()
            .map(|(metric, output, name, tags, value)| {
                let described = metrics.get(metric).map(|metric| metric.described().unwrap());
                let name = described.map_or(name, |d| d.outputs()[output].name().to_owned());
                Element::new(name, value).tagged(tags)
            })
            .collect();
        let rejected = take(&mut sink, &all).map_or_else(|error| error.rejected_count(), |()| 0);
        let exposition = sink.exposition();
        let counts = exposition.counts();
        prop_assert_eq!(counts.taken as usize + rejected, all.len());
        prop_assert_eq!((counts.refused + counts.collided) as usize, rejected);

        for format in [Text, OpenMetrics] {
            let text = exposition.render(format);
            let samples = read(&text, format)?;
            prop_assert!(counts.series == 0 || !samples.is_empty() || counts.refused > 0);
        }
    }

    #[test]
    fn totals_are_what_was_sent_and_figures_the_last_of_it(
        sent in prop::collection::vec((0_usize..5, 0_u8..4, 0_i64..1000), 0..200),
    ) {
        let names = ["http.requests.sum", "latency.sum", "latency.count", "http.requests.max", "latency.p99"];
        let shown = [
            "http_requests_total",
            "latency_seconds_sum",
            "latency_seconds_count",
            "http_requests_max",
            "latency_seconds",
        ];
        let mut sink = told(&[requests(), latency()]);
        let (mut all, mut expected) = (Vec::new(), BTreeMap::new());
        for (at, id, value) in sent {
            all.push(element(names[at], value).tagged([("id", id)]));
            let mut labels = BTreeMap::from([("id".to_owned(), id.to_string())]);
            if at == 4 {
                labels.insert("quantile".to_owned(), "0.99".to_owned());
            }
            let known = expected.entry((shown[at].to_owned(), labels)).or_insert(0.0);
            *known = if at < 3 { *known } else { 0.0 } + value as f64;
        }
        take(&mut sink, &all).unwrap();
        let text = sink.exposition().render(Text);
        prop_assert_eq!(read(&text, Text)?, expected);
    }

    #[test]
    fn a_label_says_what_the_tag_said(texts in prop::collection::btree_set("(?s).{1,6}", 1..6)) {
        let mut sink = sink();
        let all: Vec<Element> =
            texts.iter().map(|text| element("gauge", 1).tagged([("text", text)])).collect();
        take(&mut sink, &all).unwrap();
        for format in [Text, OpenMetrics] {
            let text = sink.exposition().render(format);
            let samples = read(&text, format)?;
            let labels: BTreeSet<String> =
                samples.into_keys().map(|(_, mut labels)| labels.remove("text").unwrap()).collect();
            prop_assert_eq!(&labels, &texts);
        }
    }
}

// Which format.

#[test]
fn the_format_is_what_the_accept_header_wants_most() {
    // What Prometheus 2.42 and 3 send, and what browsers send.
    let prometheus = "application/openmetrics-text;version=1.0.0,\
                      application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let third = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let cases = [
        (prometheus, OpenMetrics),
        (third, OpenMetrics),
        (browser, Text),
        ("", Text),
        ("*/*", Text),
        ("text/*", Text),
        ("text/plain", Text),
        ("application/openmetrics-text", OpenMetrics),
        (
            "Application/OpenMetrics-Text; Version=\"1.0.0\"",
            OpenMetrics,
        ),
        ("application/openmetrics-text;version=2.0.0", Text),
        (
            "application/openmetrics-text;version=0.0.1,text/plain;q=0.1",
            Text,
        ),
        ("application/openmetrics-text;q=0", Text),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.5", Text),
        (
            "application/openmetrics-text;q=0.5, text/plain;q=0.4",
            OpenMetrics,
        ),
        ("application/openmetrics-text, */*", OpenMetrics),
        ("application/openmetrics-text;q=0, application/*", Text),
        ("application/json", Text),
        (";;=,q", Text),
        ("application/openmetrics-text;q=NaN", Text),
        ("application/openmetrics-text;q=inf, text/plain", Text),
    ];
    for (accept, format) in cases {
        assert_eq!(
            ExpositionFormat::negotiate(Some(accept)),
            format,
            "{accept}"
        );
    }
    let (content_type, body) = sink().exposition().answer(Some(prometheus));
    assert_eq!(content_type, OpenMetrics.content_type());
    assert_eq!(body, "# EOF\n");
}

// In a pipeline.

#[tokio::test(start_paused = true)]
async fn a_pipeline_is_shown_by_the_handle_of_its_sink() {
    let sink = sink();
    let exposition: Exposition = sink.exposition();
    assert_eq!(sink.delivery(), Delivery::AtMostOnce);
    let metrics = MetricsPipeline::builder()
        .metric(requests())
        .sink_with(sink, SinkOptions::default().name("scraped"))
        .spawn()
        .unwrap();
    let other = metrics.prometheus().unwrap();
    let metrics = Arc::new(metrics);
    for n in 1..=100 {
        metrics
            .send_tagged("http.requests", n, [("even", n % 2 == 0)])
            .unwrap();
    }
    metrics.flush().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for exposition in [&exposition, &other] {
        let text = exposition.render(Text);
        assert!(
            text.contains("http_requests_total{even=\"true\"} 2550\n"),
            "{text}"
        );
        assert!(
            text.contains("http_requests_total{even=\"false\"} 2500\n"),
            "{text}"
        );
    }
    let end = metrics.shutdown().await.unwrap();
    assert_eq!(end.sink("scraped").unwrap().delivered, 200);
    assert_eq!(end.sink("PrometheusSink").unwrap().delivered, 200);
    assert!(exposition.render(Text).contains("2550\n"), "it goes on");
}
