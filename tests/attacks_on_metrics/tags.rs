//! Series that go and come back.

use headwater::Time;
use headwater::metrics::{Element, Metric, MetricsPipeline, Value};
use headwater::prelude::*;

use super::seconds;
use crate::memory_sink::Memory;

/// The metric in a pipeline of its own, and what comes of it.
fn shown(metric: Metric) -> (MetricsPipeline, Memory) {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder();
    let metrics = metrics.metric(metric).sink(sink.clone()).spawn().unwrap();
    (metrics, sink)
}

/// Keeps the values until the window is over, and there is room for one series.
fn counted_by_the_hour() -> Metric {
    Metric::new("m")
        .agg_values("n", |values: &[Value]| values.len() as i64)
        .window(seconds(3600))
        .max_tag_sets(1)
}

#[tokio::test(start_paused = true)]
async fn a_set_of_tags_that_comes_back_within_a_window_is_one_row() {
    let (metrics, sink) = shown(
        Metric::new("m")
            .agg("sum", Sum)
            .window(seconds(3600))
            .max_tag_sets(2),
    );
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
    let (metrics, sink) = shown(Metric::new("m").agg("sum", Sum).batch(1000).max_tag_sets(1));
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
    let (metrics, sink) = shown(counted_by_the_hour());
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
    let (metrics, sink) = shown(counted_by_the_hour());
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
    let (metrics, sink) = shown(Metric::new("m").agg("sum", Sum).batch(3).max_tag_sets(2));
    metrics.send_tagged("m", 1, [("overflow", true)]).unwrap();
    metrics.send_tagged("m", 1, [("k", "a")]).unwrap();
    metrics.send_tagged("m", 1, [("k", "b")]).unwrap();
    metrics.send_tagged("m", 1, [("k", "c")]).unwrap();
    metrics.shutdown().await.unwrap();
    let came = sink.take();
    assert_eq!(came[0], "m.sum{overflow=true} 1", "{came:?}");
    let (metrics, sink) = shown(Metric::new("m").agg("sum", Sum).batch(4).max_tag_sets(2));
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
