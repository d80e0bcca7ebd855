//! What is sent by name is looked up once a thread and remembered: it reaches the same series as what is
//! looked up each time.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater::metrics::{AsTag, Element, Metric, MetricsPipeline, SendError, TagValue};
use headwater::prelude::*;
use proptest::prelude::*;

const PIPELINES: usize = 3;
const METRICS: [&str; 3] = ["m", "mm", "n"];

/// Tags as they are given: in any order, names twice, kinds mixed.
type Given = Vec<(&'static str, TagValue)>;

fn value() -> impl Strategy<Value = TagValue> {
    let texts = prop::sample::select(vec!["", "1", "true", "a", "ab"]);
    prop_oneof![
        texts.prop_map(TagValue::from),
        (0_i64..3).prop_map(TagValue::from),
        prop::sample::select(vec![0.0, -0.0, 1.0]).prop_map(TagValue::from),
        any::<bool>().prop_map(TagValue::from),
    ]
}

fn given() -> impl Strategy<Value = Given> {
    let name = prop::sample::select(vec!["a", "b", "ab"]);
    prop::collection::vec((name, value()), 0..4)
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

fn pipeline() -> MetricsPipeline {
    let metric = |name| {
        Metric::new(name)
            .agg("sum", Sum)
            .window(Duration::from_secs(1))
    };
    let builder = MetricsPipeline::builder().metric(metric("m"));
    let builder = builder.metric(metric("mm")).metric(metric("n"));
    builder.spawn().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// More series than a thread remembers, and several pipelines with metrics of the same names.
    #[test]
    fn each_value_reaches_its_own_series(
        sent in prop::collection::vec((0..PIPELINES, 0..METRICS.len(), given(), 1_i64..100), 1..600),
    ) {
        runtime().block_on(async {
            let pipelines = [pipeline(), pipeline(), pipeline()];
            let sums = pipelines.each_ref().map(|p| p.elements().sink_to_list());
            let mut expected: [BTreeMap<String, i64>; PIPELINES] = Default::default();
            for (pipeline, metric, tags, value) in &sent {
                let (pipeline, metric) = (*pipeline, METRICS[*metric]);
                // The last of a name holds.
                let tags_by_name: BTreeMap<_, _> = tags.iter().cloned().collect();
                let key = format!("{metric}.sum {tags_by_name:?}");
                *expected[pipeline].entry(key).or_default() += value;
                pipelines[pipeline].send_tagged(metric, *value, tags.clone()).unwrap();
            }
            for pipeline in pipelines {
                pipeline.shutdown().await.unwrap();
            }
            for (sums, expected) in sums.iter().zip(expected) {
                let sums = sums.take().into_iter().map(|sum| {
                    let tags: BTreeMap<_, _> = sum.tags().iter().collect();
                    (format!("{} {tags:?}", sum.name()), sum.value().as_i64().unwrap())
                });
                assert_eq!(sums.collect::<BTreeMap<_, _>>(), expected);
            }
        });
    }
}

#[test]
fn a_pipeline_that_comes_after_another_is_not_taken_for_it() {
    runtime().block_on(async {
        for round in 0..50 {
            let metrics = MetricsPipeline::builder();
            // The metric has another number each time.
            let before =
                (0..round % 3).map(|n| Metric::new(format!("before{n}")).agg("n", Count).batch(9));
            let metrics = before.fold(metrics, |metrics, metric| metrics.metric(metric));
            let metric = Metric::new("m").agg("sum", Sum).batch(1);
            let metrics = metrics.metric(metric).spawn().unwrap();
            let sums = metrics.elements().map(|sum| sum.to_string()).sink_to_list();
            metrics.send_tagged("m", round, [("a", 1)]).unwrap();
            metrics.shutdown().await.unwrap();
            assert_eq!(sums.take(), [format!("m.sum{{a=1}} {round}")]);
        }
    });
}

#[test]
fn a_metric_that_was_unknown_is_known_once_it_is_added() {
    runtime().block_on(async {
        let metrics = pipeline();
        let unknown = metrics.send("later", 1).unwrap_err();
        assert!(matches!(unknown, SendError::Unknown { .. }), "{unknown}");
        let later = Metric::new("later").agg("sum", Sum).batch(1);
        metrics.add_metric(later).unwrap();
        metrics.send("later", 1).unwrap();
        let report = metrics.shutdown().await.unwrap();
        assert_eq!(report.metric("later").unwrap().values, 1);
        assert!(matches!(
            metrics.send("later", 2),
            Err(SendError::Closed(_))
        ));
    });
}

/// What is remembered of the overflow is forgotten within a second.
#[test]
fn a_series_that_had_no_room_gets_it_when_another_has_been_idle() {
    runtime().block_on(async {
        let metric = Metric::new("m")
            .agg("sum", Sum)
            .window(Duration::from_secs(1));
        let metrics = MetricsPipeline::builder().metric(metric.max_tag_sets(1));
        let metrics = metrics.spawn().unwrap();
        let sums = metrics.elements().map(|sum| sum.to_string()).sink_to_list();
        metrics.send_tagged("m", 1, [("room", "old")]).unwrap();
        for _ in 0..620 {
            metrics.send_tagged("m", 1, [("room", "new")]).unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let sums = sums.take();
        assert_eq!(sums.first().unwrap(), "m.sum{room=old} 1");
        assert_eq!(sums[1], "m.sum{overflow=true} 1");
        assert_eq!(sums.last().unwrap(), "m.sum{room=new} 1");
        metrics.shutdown().await.unwrap();
    });
}

/// Tags of one's own kind are looked up by what they become.
#[test]
fn values_that_can_be_tags_keep_their_kind() {
    struct Code(u16);

    impl AsTag for Code {
        fn as_tag(&self) -> headwater::metrics::TagRef<'_> {
            headwater::metrics::TagRef::Int(self.0.into())
        }
    }

    runtime().block_on(async {
        let metrics = pipeline();
        let of_sum = |sum: Element| (sum.tags().get("code").cloned(), sum.value().as_i64());
        let sums = metrics.elements().map(of_sum).sink_to_list();
        for code in [200, 404, 200] {
            metrics.send_tagged("m", 1, [("code", Code(code))]).unwrap();
        }
        metrics.send_tagged("m", 1, [("code", "200")]).unwrap();
        metrics.shutdown().await.unwrap();
        let sum = |code: TagValue, sum| (Some(code), Some(sum));
        let expected = [sum(200.into(), 2), sum(404.into(), 1), sum("200".into(), 1)];
        assert_eq!(sums.take(), expected);
    });
}
