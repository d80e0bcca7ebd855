//! A branch of one's own breaks a pipeline: who is told, and how.

use std::time::Duration;

use headwater::metrics::{Element, Metric, MetricsPipeline, PipelineSnapshot, SendError};
use headwater::prelude::*;
use headwater::{GraphError, OnError};

type Tested = Result<(), Box<dyn std::error::Error>>;

fn of_each_value() -> MetricsPipeline {
    let metric = Metric::new("m").agg("v", Last).batch(1);
    MetricsPipeline::builder().metric(metric).spawn().unwrap()
}

async fn a_while() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_branch_of_ones_own_is_told_to_everybody_who_asks() -> Tested {
    let metrics = of_each_value();
    let handle = metrics.handle("m", ())?;
    let picky = |element: &Element| assert!(element.value() < 2.into(), "not that many");
    metrics.elements().inspect(picky).sink(drop);
    for n in 0..3 {
        handle.try_send(n)?;
    }
    a_while().await;
    let error = handle.try_send(3).unwrap_err();
    assert_eq!(error, SendError::Poisoned(3.into()));
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!(metrics.send("m", 4), Err(SendError::Poisoned(4.into())));
    let waited = handle.send_async(5).await;
    assert_eq!(waited, Err(SendError::Poisoned(5.into())));
    let snapshot = metrics.snapshot();
    assert!(matches!(snapshot.broken, Some(GraphError::Poisoned)));
    assert!(snapshot.to_string().contains("poisoned"), "{snapshot}");
    assert!(matches!(metrics.flush().await, Err(GraphError::Poisoned)));
    let ended = metrics.shutdown_within(Duration::from_secs(1)).await;
    assert!(matches!(ended, Err(GraphError::Poisoned)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_stops_the_graph_is_told_to_everybody_who_asks() -> Tested {
    let metrics = of_each_value();
    metrics.graph().on_error(OnError::Stop);
    metrics
        .elements()
        .try_map(|element: Element| match element.value() < 2.into() {
            true => Ok(element),
            false => Err("not that many".into()),
        })
        .sink(drop);
    for n in 0..3 {
        metrics.send("m", n)?;
    }
    a_while().await;
    let error = metrics.send("m", 3).unwrap_err();
    assert_eq!(error, SendError::Stopped(3.into()));
    assert!(error.to_string().contains("a failure stopped"), "{error}");
    let snapshot = metrics.snapshot();
    assert!(matches!(snapshot.broken, Some(GraphError::Stopped(_))));
    assert!(snapshot.to_string().contains("not that many"), "{snapshot}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_asked_for_within_the_graph_says_what_it_cannot_tell() -> Tested {
    let metrics = of_each_value();
    let nosy = metrics.clone();
    let seen = metrics
        .elements()
        .map(move |_| nosy.snapshot())
        .sink_to_list();
    metrics.send("m", 1)?;
    a_while().await;
    let seen: Vec<PipelineSnapshot> = seen.take();
    assert!(
        matches!(seen[0].broken, Some(GraphError::Inside)),
        "{seen:?}"
    );
    assert_eq!(seen[0].metric("m").unwrap().values, 1);
    assert!(metrics.snapshot().broken.is_none());
    Ok(())
}

#[test]
fn a_snapshot_says_that_the_runtime_has_gone() -> Tested {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let metrics = runtime.block_on(async { of_each_value() });
    assert!(metrics.snapshot().broken.is_none());
    drop(runtime);
    let snapshot = metrics.snapshot();
    assert!(
        matches!(snapshot.broken, Some(GraphError::Undriven)),
        "{snapshot:?}"
    );
    assert!(
        snapshot.to_string().contains("nothing drives it"),
        "{snapshot}"
    );
    assert_eq!(metrics.send("m", 1), Err(SendError::Undriven(1.into())));
    Ok(())
}
