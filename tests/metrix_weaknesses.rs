//! What a metrics pipeline in the manner of metrix mixes up, stamps wrongly or has no means for: how it is
//! here. That nothing is lost at the end, that an error of an aggregator or a sink stays where it is, that
//! tags are escaped, bounded and keep their kinds, and that points are sent in batches and again, is tested
//! with the other behaviour of these parts.

mod memory_sink;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use headwater::BoxError;
use headwater::metrics::{Element, FnSink, Metric, MetricsPipeline, SinkOptions};
use headwater::prelude::*;
use memory_sink::Memory;
use tokio::time::Instant;

type Tested = Result<(), BoxError>;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn metrics_with_the_same_tags_stay_apart() -> Tested {
    let sink = Memory::default();
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("in").agg("sum", Sum).window(seconds(1)))
        .metric(Metric::new("out").agg("sum", Sum).window(seconds(1)))
        .sink(sink.clone())
        .spawn()?;
    for n in 0..100 {
        let tags = [("route", n % 2)];
        metrics.send_tagged("in", 1, tags)?;
        metrics.send_tagged("out", 10, tags)?;
    }
    metrics.shutdown().await?;
    let mut came = sink.take();
    came.sort();
    let expected = [
        "in.sum{route=0} 50",
        "in.sum{route=1} 50",
        "out.sum{route=0} 500",
        "out.sum{route=1} 500",
    ];
    assert_eq!(came, expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_waited_for_a_rate_limit_has_the_time_of_its_window() -> Tested {
    type Delivered = Vec<(Instant, Element)>;
    let delivered: Arc<Mutex<Delivered>> = Arc::default();
    let keep = delivered.clone();
    let sink = FnSink::new(move |element: &Element| {
        let now = Instant::now();
        keep.lock().unwrap().push((now, element.clone()));
        Ok::<(), BoxError>(())
    });
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("sum", Sum).window(seconds(1)))
        .sink_with(sink, SinkOptions::default().rate_limit(seconds(10)))
        .spawn()?;
    for n in 0..4 {
        metrics.send("m", n)?;
        tokio::time::sleep(seconds(1)).await;
    }
    tokio::time::sleep(seconds(60)).await;
    let delivered = std::mem::take(&mut *delivered.lock().unwrap());
    assert_eq!(delivered.len(), 4);
    for pair in delivered.windows(2) {
        let [(then, one), (now, other)] = pair else {
            unreachable!("pairs")
        };
        assert!(*now - *then >= seconds(9), "{:?}", *now - *then);
        assert_eq!(
            other.time() - one.time(),
            headwater::Time::from(seconds(1)) - headwater::Time::ZERO
        );
    }
    Ok(())
}

/// Hours pass by the graph's clock, and a moment by the wall clock.
#[tokio::test(start_paused = true)]
async fn windows_and_limits_know_no_wall_clock() -> Tested {
    let (wall, sink) = (SystemTime::now(), Memory::default());
    let metrics = MetricsPipeline::builder()
        .metric(Metric::new("m").agg("count", Count).window(seconds(3600)))
        .sink_with(
            sink.clone(),
            SinkOptions::default().rate_limit(seconds(7200)),
        )
        .spawn()?;
    for hour in 1..=6 {
        for _ in 0..hour {
            metrics.send("m", 1)?;
        }
        tokio::time::sleep(seconds(3600)).await;
    }
    tokio::time::sleep(seconds(6 * 7200)).await;
    let expected: Vec<_> = (1..=6).map(|hour| format!("m.count {hour}")).collect();
    assert_eq!(sink.take(), expected);
    assert!(wall.elapsed()? < seconds(3600));
    Ok(())
}

#[test]
fn sessions_rolling_quantiles_and_deltas_of_elements_are_a_graph_of_ones_own() -> Tested {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let elements = graph.source::<Element>();
    let sessions = elements.fold_session(seconds(5), Count).sink_to_list();
    let medians = elements
        .map(|element: Element| element.value().as_f64())
        .rolling(3, Quantile::new(0.5))
        .sink_to_list();
    let deltas = elements
        .map(|element: Element| element.value().as_f64())
        .pairwise()
        .map(|(before, after)| after - before)
        .sink_to_list();
    for (pause, total) in [(0, 10.0), (1, 13.0), (2, 14.0), (60, 20.0), (1, 25.0)] {
        time.advance(seconds(pause));
        elements.emit(Element::new("requests", total))?;
    }
    time.advance(seconds(5));
    assert_eq!(sessions.take(), [3, 2]);
    assert_eq!(medians.take(), [10.0, 11.5, 13.0, 14.0, 20.0]);
    assert_eq!(deltas.take(), [3.0, 1.0, 6.0, 5.0]);
    Ok(())
}
