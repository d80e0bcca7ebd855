//! Receivers of changing moods: everything arrives or is counted.

use std::collections::HashSet;
use std::time::Duration;

use headwater::metrics::{Metric, MetricsPipeline};
use headwater::prelude::*;
use proptest::prelude::*;

use super::{Reply, Request, front, sink, status};
use crate::opentsdb::{Got, deliver, element, elements};

/// What a receiver does, by chance.
#[derive(Debug, Clone)]
enum Mood {
    Take,
    TakeAndReset,
    Trouble,
    Refuse,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The promise: what counts as delivered has arrived, what counts as rejected was refused, and there
    /// is nothing else.
    #[test]
    fn whatever_is_answered_everything_arrives_or_is_counted(
        moods in prop::collection::vec(
            prop_oneof![Just(Mood::Take), Just(Mood::TakeAndReset), Just(Mood::Trouble), Just(Mood::Refuse)],
            0..20,
        ),
        bad in prop::collection::hash_set(0_usize..60, 0..6),
        unfit in prop::collection::hash_set(0_usize..60, 0..6),
        max_points in 1_usize..40,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (got, stored) = (Got::default(), Got::default());
            let (mut moods, to_front) = (moods.into_iter(), stored.clone());
            let bad_names: HashSet<String> = bad.iter().map(|n| format!("m.{n}")).collect();
            let front = front(&got, move |request| {
                let names = request.names();
                let take = || names.iter().for_each(|name| to_front.push(name.clone()));
                match moods.next() {
                    Some(Mood::Trouble) => status(503),
                    Some(Mood::Refuse) if names.len() > 1 => status(413),
                    _ if names.iter().any(|name| bad_names.contains(name)) => status(400),
                    Some(Mood::TakeAndReset) => {
                        take();
                        Reply::Reset
                    }
                    _ => {
                        take();
                        status(204)
                    }
                }
            })
            .await;
            let mut batch = elements(60);
            for &at in &unfit {
                batch[at] = element("", 0, 0);
            }
            let fate = deliver(&mut sink(&front).max_points(max_points), &batch).await;
            let expected: HashSet<String> = (0..60)
                .filter(|n| !bad.contains(n) && !unfit.contains(n))
                .map(|n| format!("m.{n}"))
                .collect();
            let came: HashSet<String> = stored.take().into_iter().collect();
            prop_assert_eq!(fate.delivered, expected.len());
            prop_assert_eq!(fate.rejected, 60 - expected.len());
            prop_assert_eq!(came, expected);
            Ok(())
        })?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_delivers_by_it_through_a_receivers_troubles() {
    let got = Got::default();
    let mut count = 0;
    let front = front(&got, move |_| {
        count += 1;
        status(if count <= 2 { 503 } else { 204 })
    })
    .await;
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("requests").agg("sum", Sum).batch(2))
        .sink(sink(&front))
        .spawn()
        .unwrap();
    for value in 1..=6 {
        metrics.send("requests", value).unwrap();
    }
    let snapshot = metrics
        .shutdown_within(Duration::from_secs(20))
        .await
        .unwrap();
    let sink = snapshot.sink("OpenTsdbHttpSink").unwrap();
    assert_eq!((sink.delivered, sink.rejected), (3, 0));
    let requests = got.take();
    let values: Vec<i64> = requests[2..]
        .iter()
        .flat_map(Request::points)
        .map(|p| p["value"].as_i64().unwrap())
        .collect();
    assert_eq!(values, [3, 7, 11]);
}
