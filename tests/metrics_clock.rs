//! The system's clock is put forward and back, while a pipeline runs.

mod virtual_time;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use headwater::List;
use headwater::metrics::{Element, Late, Metric, MetricsPipeline, MetricsPipelineBuilder};
use headwater::prelude::*;
use proptest::prelude::*;
use tokio::time::{Instant, sleep};
use virtual_time::in_virtual_time;

type Tested = Result<(), Box<dyn std::error::Error>>;

const START: i64 = 1_700_000_000_000;

/// A clock that runs with the runtime's, and can be put.
#[derive(Clone)]
struct Wall {
    begin: Instant,
    put: Arc<AtomicI64>,
}

impl Wall {
    fn new() -> Wall {
        Wall {
            begin: Instant::now(),
            put: Arc::default(),
        }
    }

    fn put(&self, millis: i64) {
        self.put.fetch_add(millis, Relaxed);
    }

    /// In milliseconds since the start.
    fn millis(&self) -> i64 {
        self.begin.elapsed().as_millis() as i64 + self.put.load(Relaxed)
    }

    fn now(&self) -> SystemTime {
        let millis = u64::try_from(START + self.millis()).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn windows() -> Metric {
    Metric::new("w").agg("n", Count).window(millis(10_000))
}

fn started(builder: MetricsPipelineBuilder) -> (MetricsPipeline, Wall, List<Element>) {
    let wall = Wall::new();
    let clock = wall.clone();
    let metrics = builder.system_clock(move || clock.now()).spawn().unwrap();
    let elements = metrics.elements().sink_to_list();
    (metrics, wall, elements)
}

/// In milliseconds since the start.
fn times(elements: &List<Element>) -> Vec<i64> {
    let time = |element: &Element| element.millis() as i64 - START;
    elements.take().iter().map(time).collect()
}

#[tokio::test(start_paused = true)]
async fn times_of_windows_follow_a_clock_that_is_put_and_their_lengths_do_not() -> Tested {
    let (metrics, wall, elements) = started(MetricsPipeline::builder().metric(windows()));
    for put in [0, 3_600_000, 0, -7_200_000, 500] {
        metrics.send("w", 1)?;
        sleep(millis(5_000)).await;
        wall.put(put);
        sleep(millis(5_000)).await;
    }
    sleep(millis(1)).await;
    let hour = 3_600_000;
    // Half a second is left to who keeps clocks correct.
    assert_eq!(
        times(&elements),
        [
            10_000,
            hour + 20_000,
            hour + 30_000,
            40_000 - hour,
            50_000 - hour
        ]
    );
    let w = metrics.shutdown().await?.metrics.remove(0);
    assert_eq!((w.values, w.elements, w.late), (5, 5, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_the_time_of_its_latest_value_by_the_clock_as_it_is_put() -> Tested {
    let batches = Metric::new("b").agg("n", Count).batch(2);
    let (metrics, wall, elements) = started(MetricsPipeline::builder().metric(batches));
    let pair = async |at: i64| {
        metrics.send("b", 1).unwrap();
        let at = SystemTime::UNIX_EPOCH + millis((START + at) as u64);
        metrics.send_at("b", 1, (), at).unwrap();
        metrics.flush().await.unwrap();
        sleep(millis(2_000)).await;
        times(&elements)
    };
    assert_eq!(pair(-1).await, [0]);
    wall.put(60_000);
    assert_eq!(pair(-1).await, [62_000]);
    assert_eq!(pair(-1).await, [64_000]);
    assert_eq!(pair(70_000).await, [70_000]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_late_is_said_by_the_clock_as_it_is_put() -> Tested {
    let metric = windows().late(Late::Drop, Duration::ZERO);
    let (metrics, wall, elements) = started(MetricsPipeline::builder().metric(metric));
    metrics.send("w", 1)?;
    sleep(millis(12_000)).await;
    wall.put(-3_600_000);
    metrics.send("w", 1)?;
    sleep(millis(10_000)).await;
    // In the third window, an hour before the start.
    metrics.send_at("w", 1, (), wall.now())?;
    metrics.send_at("w", 1, (), wall.now() - millis(5_000))?;
    metrics.send("w", 1)?;
    metrics.flush().await?;
    let w = metrics.snapshot().metrics.remove(0);
    assert_eq!((w.values, w.late, w.dropped), (5, 1, 1));
    sleep(millis(10_000)).await;
    let counts: Vec<_> = elements.take().iter().map(Element::value).collect();
    assert_eq!(counts, [1.into(), 1.into(), 2.into()]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn where_the_start_is_said_nobody_looks_at_a_clock() -> Tested {
    let metrics = MetricsPipeline::builder()
        .metric(windows())
        .system_clock(|| panic!("nobody asks"))
        .epoch(Time::from_millis(START as u64))
        .spawn()?;
    let elements = metrics.elements().sink_to_list();
    metrics.send("w", 1)?;
    sleep(millis(11_000)).await;
    assert_eq!(times(&elements), [10_000]);
    Ok(())
}

/// The system's own clock runs in real time, and the runtime's may be paused: that is no step.
#[tokio::test(start_paused = true)]
async fn a_runtime_whose_time_is_paused_is_not_taken_for_a_clock_that_was_put() -> Tested {
    let before = SystemTime::now();
    let metrics = MetricsPipeline::builder().metric(windows()).spawn()?;
    let elements = metrics.elements().sink_to_list();
    for _ in 0..3 {
        metrics.send("w", 1)?;
        sleep(millis(10_000_000)).await;
    }
    let elements = elements.take();
    assert_eq!(elements.len(), 3);
    let last = elements[2].system_time().duration_since(before)?;
    // Its window began when two sleeps were over.
    let least = millis(20_000_000);
    assert!(
        (least..least + millis(3_600_000)).contains(&last),
        "{last:?}"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_a_clock_is_put_each_window_is_of_the_time_that_it_says(
        steps in prop::collection::vec((1_000_u64..30_000, -100_000_i64..100_000), 1..20),
    ) {
        in_virtual_time(async {
            let (metrics, wall, _) = started(MetricsPipeline::builder().metric(windows()));
            let clock = wall.clone();
            // What the clock says as an element is made, and what that is told to be.
            let apart = metrics.elements().map(move |element| {
                clock.millis() - (element.millis() as i64 - START)
            });
            let apart = apart.sink_to_list();
            let values = steps.len();
            for (wait, put) in steps {
                metrics.send("w", 1).unwrap();
                sleep(millis(wait)).await;
                wall.put(put);
            }
            let report = metrics.shutdown().await.unwrap();
            let counts = &report.metrics[0];
            assert_eq!((counts.values, counts.late), (values as u64, 0));
            let apart = apart.take();
            assert_eq!(apart.len() as u64, counts.elements);
            for apart in apart {
                assert!(apart.abs() < 1_000, "{apart} ms");
            }
        });
    }
}
