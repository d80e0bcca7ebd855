//! Metrics: what goes in, how it is grouped and aggregated, what comes out.

use std::time::Duration;

use headwater::metrics::{
    Aligned, Element, KeyError, Late, Metric, MetricError, TagValue, Tags, Value,
};
use headwater::prelude::*;
use proptest::prelude::*;

/// Ten values with tags, as metrix's tests have them.
fn ten() -> Vec<Element> {
    let none = Tags::new();
    let bar = Tags::from([("foo", "bar")]);
    let bat = Tags::from([("bat", "baz")]);
    let tags = [
        &none, &bar, &none, &bat, &bar, &none, &bar, &bar, &bat, &none,
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
        "m.sum 5",
        "m.sum{foo=bar} 2",
        "m.sum{bat=baz} 3",
    ];
    assert_eq!(
        results(Metric::new("m").agg("sum", Sum).batch(5), ten()),
        expected
    );
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

#[test]
fn a_metric_that_contradicts_itself_is_refused_with_a_sentence() {
    let source = Source::<Element>::new();
    let sum = || Metric::new("m").agg("sum", Sum);
    let second = Duration::from_secs(1);
    let cases = [
        (sum(), MetricError::NoGrouping("m".into())),
        (
            sum().batch(1).window(second),
            MetricError::TwoGroupings("m".into()),
        ),
        (
            sum().batch(1).batch(1),
            MetricError::TwoGroupings("m".into()),
        ),
        (sum().batch(0), MetricError::ZeroBatch("m".into())),
        (
            sum().window(Duration::ZERO),
            MetricError::ZeroWindow("m".into()),
        ),
        (
            Metric::new("m").batch(1),
            MetricError::NoAggregator("m".into()),
        ),
        (
            Metric::new("").agg("sum", Sum).batch(1),
            MetricError::NoName,
        ),
        (
            Metric::new(" \t").agg("sum", Sum).batch(1),
            MetricError::NoName,
        ),
        (
            Metric::new("two\nlines").agg("sum", Sum).batch(1),
            MetricError::LineBreak("two\nlines".into()),
        ),
        (
            sum().agg("", Count).batch(1),
            MetricError::AggregatorName {
                metric: "m".into(),
                aggregator: "".into(),
            },
        ),
        (
            sum().batch(1).aligned(Aligned::WallClock).epoch(Time::ZERO),
            MetricError::AlignedBatch("m".into()),
        ),
        (
            sum().agg("sum", Count).batch(1),
            MetricError::SameAggregator {
                metric: "m".into(),
                aggregator: "sum".into(),
            },
        ),
        (
            sum().window(second).aligned(Aligned::WallClock),
            MetricError::NoEpoch("m".into()),
        ),
    ];
    for (metric, expected) in cases {
        let error = metric.aggregate(&source).err();
        assert_eq!(error.as_ref(), Some(&expected));
        assert!(expected.to_string().len() > 40, "{expected}");
    }
}

#[test]
fn an_aggregator_that_fails_or_panics_neither_shifts_the_others_nor_stops_the_metric() {
    let metric = Metric::new("m")
        .agg("max", Max)
        .agg_values("picky", |values| match values[0].as_i64() {
            Some(1) => Err("one is not liked"),
            Some(5) => panic!("five"),
            _ => Ok(values.len()),
        })
        .batch(2);
    let values = [1, 2, 5, 6, 7, 8].map(|value| Element::new("m", value));
    let expected = ["m.max 2", "m.max 6", "m.max 8", "m.picky 2"];
    assert_eq!(results(metric, values.to_vec()), expected);
}

#[test]
fn the_same_values_twice_are_seen_by_every_aggregator_of_values() {
    let twice = |values: &[Value]| {
        let sum = || values.iter().filter_map(|v| v.as_i64()).sum::<i64>();
        (sum() == sum()).then(sum)
    };
    let metric = Metric::new("m").agg_values("twice", twice).batch(2);
    let values = vec![Element::new("m", 1), Element::new("m", 2)];
    assert_eq!(results(metric, values), ["m.twice 3"]);
}

#[test]
fn a_partial_batch_is_emitted_at_the_close() {
    let source = Source::<Element>::new();
    let metric = Metric::new("m").agg("count", Count).batch(100);
    let results = metric.aggregate(&source).unwrap().sink_to_list();
    source.emit(Element::new("m", 1)).unwrap();
    assert!(results.is_empty());
    source.close();
    assert_eq!(results.take()[0].value(), Value::Int(1));
}

#[test]
fn elements_of_other_names_are_left_out() {
    let metric = Metric::new("m").agg("count", Count).batch(1);
    let elements = vec![Element::new("n", 1), Element::new("m", 1)];
    assert_eq!(results(metric, elements), ["m.count 1"]);
}

#[test]
fn where_the_data_lead_the_clock_a_value_falls_into_the_window_of_its_time() {
    let graph = Graph::new();
    let source = graph.source::<Element>();
    source.lead_clock(Element::time);
    let metric = Metric::new("m")
        .agg("sum", Sum)
        .window(Duration::from_secs(60));
    let minutes = metric.aggregate(&source).unwrap().sink_to_list();
    let at = |second: u64| {
        Element::new("m", 1).at(Time::from_millis(1_700_000_000_000 + second * 1_000))
    };
    // 1 700 000 000 is 20 seconds past a full minute.
    source.emit_all([at(0), at(39), at(40), at(200)]).unwrap();
    source.close();
    let minutes: Vec<_> = minutes.take();
    let sums: Vec<_> = minutes.iter().map(Element::value).collect();
    assert_eq!(sums, [2.into(), 1.into(), 1.into()]);
    assert_eq!(minutes[0].millis(), 1_700_000_040_000);
    assert_eq!(minutes[1].millis(), 1_700_000_100_000);
}

#[test]
fn values_that_come_late_are_kept_or_dropped_as_the_metric_says() {
    for (late, expected) in [(Late::Keep, 3), (Late::Drop, 2)] {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<Element>();
        let epoch = Time::from_millis(1_700_000_000_000);
        let metric = Metric::new("m")
            .agg("count", Count)
            .window(Duration::from_secs(10))
            .epoch(epoch)
            .late(late, Duration::from_millis(10));
        let counts = metric.aggregate(&source).unwrap().sink_to_list();
        time.advance(Duration::from_secs(15));
        let at = |millis: u64| Element::new("m", 1).at(epoch + Duration::from_millis(millis));
        // Of the window before this one; within the tolerance; and in time, out of order.
        source.emit_all([at(9_980), at(9_995), at(12_000)]).unwrap();
        time.advance(Duration::from_secs(5));
        assert_eq!(counts.take()[0].value(), Value::Int(expected));
    }
}

/// When the elements are of that a metric makes of one value, in seconds. Its windows are of 10 s; the
/// value comes at 15 s and says `value_at`; at 17 s the source is closed, or not before 27 s.
fn times(metric: Metric, value_at: u64, close: bool) -> Vec<u64> {
    let epoch = Time::from_millis(1_700_000_000_000);
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<Element>();
    let metric = metric.window(Duration::from_secs(10)).epoch(epoch);
    let made = metric.aggregate(&source).unwrap().sink_to_list();
    time.advance(Duration::from_secs(15));
    let at = epoch + Duration::from_secs(value_at);
    source.emit(Element::new("m", 1).at(at)).unwrap();
    time.advance(Duration::from_secs(2));
    if close {
        source.close();
    } else {
        time.advance(Duration::from_secs(10));
    }
    let seconds = |element: &Element| (element.time() - epoch).as_secs();
    made.take().iter().map(seconds).collect()
}

#[test]
fn an_element_is_of_the_time_of_its_window_whatever_times_its_values_say() {
    let incremental = Metric::new("m").agg("f", Count);
    let keeping = Metric::new("m").agg("f", Median);
    // Late, in time, and in the future.
    for value_at in [3, 12, 40] {
        for metric in [&incremental, &keeping] {
            // Cut short by the close; and over.
            assert_eq!(times(metric.clone(), value_at, true), [17], "{value_at}");
            assert_eq!(times(metric.clone(), value_at, false), [20], "{value_at}");
        }
        // Full at once.
        let full = keeping.clone().max_values(1);
        assert_eq!(times(full, value_at, true), [15], "{value_at}");
    }
}

#[test]
fn windows_begin_at_full_minutes_where_they_are_aligned_to_the_wall_clock() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<Element>();
    let epoch = Time::from_millis(1_700_000_000_000);
    let metric = Metric::new("m")
        .agg("count", Count)
        .window(Duration::from_secs(60))
        .aligned(Aligned::WallClock)
        .epoch(epoch);
    let counts = metric.aggregate(&source).unwrap().sink_to_list();
    source.emit(Element::new("m", 1).at(epoch)).unwrap();
    time.advance(Duration::from_millis(39_999));
    assert!(counts.is_empty());
    time.advance(Duration::from_millis(1));
    assert_eq!(counts.take()[0].millis(), 1_700_000_040_000);
    source.emit(Element::new("m", 1).at(epoch)).unwrap();
    time.advance(Duration::from_secs(60));
    assert_eq!(counts.take()[0].millis(), 1_700_000_100_000);
}

#[test]
fn sets_of_tags_beyond_the_bound_are_aggregated_together() {
    let metric = Metric::new("m")
        .agg("sum", Sum)
        .batch(4)
        .max_tag_sets(2)
        .default_tag("host", "a");
    let elements = (0..4)
        .map(|n| Element::new("m", n).tagged([("user", n)]))
        .collect();
    let expected = [
        "m.sum{host=a user=0} 0",
        "m.sum{host=a user=1} 1",
        "m.sum{host=a overflow=true} 5",
    ];
    assert_eq!(results(metric, elements), expected);
}

#[test]
fn integers_stay_integers_and_mix_with_floats() {
    let metric = || {
        Metric::new("m")
            .agg("sum", Sum)
            .agg("min", Min)
            .agg("max", Max)
            .batch(2)
    };
    let of =
        |a: Value, b: Value| results(metric(), vec![Element::new("m", a), Element::new("m", b)]);
    let large = i64::MAX - 1;
    assert_eq!(
        of(large.into(), 1.into()),
        [
            format!("m.sum {}", i64::MAX),
            "m.min 1".into(),
            format!("m.max {large}")
        ]
    );
    assert_eq!(
        of(1.into(), 0.5.into()),
        ["m.sum 1.5", "m.min 0.5", "m.max 1"]
    );
}

#[test]
fn quantiles_and_functions_of_values_fold_windows_too() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<Element>();
    let metric = Metric::new("m")
        .agg("p50", Quantile::new(0.5))
        .agg_values("spread", |v| {
            v.iter().max().unwrap().as_f64() - v.iter().min().unwrap().as_f64()
        })
        .window(Duration::from_secs(1));
    let results = metric.aggregate(&source).unwrap().sink_to_list();
    source
        .emit_all((1..=9).map(|n| Element::new("m", n)))
        .unwrap();
    time.advance(Duration::from_secs(1));
    let results: Vec<_> = results.take().iter().map(Element::to_string).collect();
    assert_eq!(results, ["m.p50 5.0", "m.spread 8.0"]);
}

fn tag_value() -> impl Strategy<Value = TagValue> {
    prop_oneof![
        "[a-z0-9|:\\\\.\\-]{0,6}".prop_map(TagValue::from),
        any::<String>().prop_map(TagValue::from),
        any::<i64>().prop_map(TagValue::from),
        any::<f64>()
            .prop_filter("one NaN is as good as another", |f| !f.is_nan())
            .prop_map(TagValue::from),
        any::<bool>().prop_map(TagValue::from),
        prop_oneof!["NaN", "inf", "true", "1", "-1.5", "1e5", "\\\\"].prop_map(TagValue::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        (-3_i64..3).prop_map(|int| Value::from(int as f64)),
    ]
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    use std::hash::BuildHasher;
    std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(value)
}

proptest! {
    #[test]
    fn every_set_of_tags_survives_the_round_trip_through_its_key(
        pairs in proptest::collection::vec((any::<String>(), tag_value()), 0..5),
    ) {
        let tags: Tags = pairs.into_iter().collect();
        prop_assert_eq!(Tags::from_key(&tags.key()).unwrap(), tags);
    }

    #[test]
    fn no_text_makes_the_reading_of_a_key_panic(text in any::<String>()) {
        if let Ok(tags) = Tags::from_key(&text) {
            prop_assert_eq!(Tags::from_key(&tags.key()).unwrap(), tags);
        }
    }

    #[test]
    fn equal_tags_are_one_whatever_order_they_came_in(
        mut pairs in proptest::collection::vec(("[a-d]", any::<i64>()), 0..5),
    ) {
        pairs.sort();
        pairs.dedup_by(|a, b| a.0 == b.0);
        let tags: Tags = pairs.iter().cloned().collect();
        pairs.reverse();
        let again: Tags = pairs.iter().cloned().collect();
        prop_assert_eq!(hash(&tags), hash(&again));
        prop_assert_eq!(tags.cmp(&again), std::cmp::Ordering::Equal);
        prop_assert_eq!(&tags, &again);
        for (name, value) in pairs {
            prop_assert_eq!(tags.get(&name), Some(&value.into()));
        }
    }

    #[test]
    fn the_order_of_values_is_total_and_their_hashes_agree(a in value(), b in value(), c in value()) {
        use std::cmp::Ordering::{Equal, Greater};
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a.cmp(&b) != Greater && b.cmp(&c) != Greater {
            prop_assert!(a.cmp(&c) != Greater);
        }
        if a.cmp(&b) == Equal {
            prop_assert_eq!(hash(&a), hash(&b));
        }
    }

    #[test]
    fn batches_come_to_what_a_loop_over_them_comes_to(
        values in proptest::collection::vec((0_u8..4, -9_i64..9), 0..60),
        n in 1_usize..20,
        cut in 1_usize..20,
    ) {
        let element = |&(tag, value): &(u8, i64)| Element::new("m", value).tagged([("t", tag)]);
        let mut expected = Vec::new();
        for batch in values.chunks(n) {
            let mut tags: Vec<u8> = Vec::new();
            for (tag, _) in batch {
                if !tags.contains(tag) {
                    tags.push(*tag);
                }
            }
            let of = |tag: u8| batch.iter().filter(move |v| v.0 == tag).map(|v| v.1);
            expected.extend(tags.iter().map(|&t| format!("m.sum{{t={t}}} {}", of(t).sum::<i64>())));
            expected.extend(tags.iter().map(|&t| format!("m.max{{t={t}}} {}", of(t).max().unwrap())));
        }
        let source = Source::<Element>::new();
        let metric = Metric::new("m").agg("sum", Sum).agg("max", Max).batch(n);
        let results = metric.aggregate(&source).unwrap().sink_to_list();
        for part in values.chunks(cut) {
            source.emit_all(part.iter().map(element)).unwrap();
        }
        source.close();
        let results: Vec<_> = results.take().iter().map(Element::to_string).collect();
        prop_assert_eq!(results, expected);
    }
}

#[test]
fn what_is_no_key_is_refused_with_the_place() {
    let cases = [("a", 0), ("a:1|b", 4), ("a:1|a:2", 4), ("a:b\\", 3)];
    for (text, position) in cases {
        let error: KeyError = Tags::from_key(text).unwrap_err();
        assert_eq!(error.position(), position, "{error}");
    }
    let loose = Tags::from_key("|a:1||b:2|").unwrap();
    assert_eq!(loose, Tags::from([("a", 1), ("b", 2)]));
}

#[test]
fn elements_are_compared_by_name_value_tags_and_time() {
    let element = || Element::new("foo", 1);
    assert_eq!(element(), Element::new("foo", 1.0));
    assert_ne!(element(), Element::new("FOO", 1));
    assert_ne!(element(), element().tagged([("bat", "baz")]));
    assert_eq!(element(), element().tagged(()));
    assert_ne!(element(), element().at(Time::from_millis(1)));
    assert!(element() < Element::new("foo", 2));
}
