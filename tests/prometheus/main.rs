//! What Prometheus is shown: exact text, read back by a parser of somebody else, hostile names and
//! values, and what happens when there is too much of it.

mod formats;
mod hostile_input;
mod kinds;
mod names;
mod time_and_room;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use headwater::metrics::ExpositionFormat::{OpenMetrics, Text};
use headwater::metrics::{
    Element, ExpositionFormat, Kind, Metric, MetricSink, PrometheusSink, SinkError, Value,
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

/// Names and labels with few letters, so that many collide.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ab_.:0]{0,3}(|_sum|_count|_total|_created|_bucket|[.]sum|[.]max)",
        1 => any::<String>(),
    ]
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
    let name = name().prop_filter("metrics have names", |name| !name.trim().is_empty());
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
