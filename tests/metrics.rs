//! Metrics: what goes in, how it is grouped and aggregated, what comes out.

use std::time::Duration;

use headwater::metrics::{Element, KeyError, Late, Metric, MetricError, TagValue, Tags, Value};
use headwater::prelude::*;
use proptest::prelude::*;

/// Ten values with tags, as metrix's tests have them.
fn ten() -> Vec<Element> {
    let none = Tags::new();
    let foo = Tags::from([("foo", "bar")]);
    let bat = Tags::from([("bat", "baz")]);
    let tags = [
        &none, &foo, &none, &bat, &foo, &none, &foo, &foo, &bat, &none,
    ];
    let values = [1, 2, 3, 1, 2, 3, 1, 1, 3, 2];
    let element = |(value, tags): (i32, &Tags)| Element::new("m", value).tagged(tags);
    values.into_iter().zip(tags).map(element).collect()
}

fn mean(values: &[Value]) -> f64 {
    values.iter().map(|v| v.as_f64()).sum::<f64>() / values.len() as f64
}

/// What a metric makes of elements, as text.
fn results(metric: Metric, elements: Vec<Element>) -> Vec<String> {
    let source = Source::<Element>::new();
    let results = metric.aggregate(&source).unwrap().sink_to_list();
    source.emit_all(elements).unwrap();
    results.take().iter().map(Element::to_string).collect()
}

#[test]
fn a_batch_is_summed_for_each_set_of_tags_in_the_order_in_which_they_came() {
    let expected = [
        "m.sum 4",
        "m.sum{foo=bar} 4",
        "m.sum{bat=baz} 1",
        "m.sum{foo=bar} 2",
        "m.sum 5",
        "m.sum{bat=baz} 3",
    ];
    let results = results(Metric::new("m").agg("sum", Sum).batch(5), ten());
    assert_eq!(&results[..3], &expected[..3]);
    let mut second = results[3..].to_vec();
    second.sort();
    let mut wanted = expected[3..].to_vec();
    wanted.sort_unstable();
    assert_eq!(second, wanted);
}

#[test]
fn several_aggregators_come_one_after_the_other() {
    let metric = Metric::new("m").agg("min", Min).agg("max", Max).batch(10);
    let expected = [
        "m.min 1",
        "m.min{foo=bar} 1",
        "m.min{bat=baz} 1",
        "m.max 3",
        "m.max{foo=bar} 2",
        "m.max{bat=baz} 3",
    ];
    assert_eq!(results(metric, ten()), expected);
}

#[test]
fn default_tags_are_merged_and_an_elements_own_win() {
    let metric = |value: &str| Metric::new("m").batch(10).default_tag("foo", value);
    let means = metric("bar").agg("avg", Mean);
    let expected = ["m.avg{foo=bar} 1.875", "m.avg{bat=baz foo=bar} 2.0"];
    assert_eq!(results(means, ten()), expected);
    let sums = metric("BAR").agg("sum", Sum);
    let expected = [
        "m.sum{foo=BAR} 9",
        "m.sum{foo=bar} 6",
        "m.sum{bat=baz foo=BAR} 4",
    ];
    assert_eq!(results(sums, ten()), expected);
    let slices = metric("bar").agg_values("avg", mean);
    assert_eq!(results(slices, ten()).len(), 2);
}
