//! Failures, panics, closes, and branches that are taken off.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{Lost, WorkerPanicked, zip};

use super::Jobs;

#[test]
fn a_failure_in_one_branch_of_a_zip_pairs_no_wrong_mates() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let failed = Arc::new(Mutex::new(Vec::new()));
    let log = failed.clone();
    graph.on_error(OnError::call(move |failure| {
        log.lock().unwrap().push(failure.node().to_owned());
    }));
    let source = graph.source::<u32>();
    let odd = source
        .try_map_async(8, |x| async move {
            if x % 2 == 0 {
                Err("even".into())
            } else {
                Ok(x)
            }
        })
        .named("odd");
    // Behind another one: failures and holes pass it in their place.
    let odd = odd.map_async(8, |x| async move { x }).share();
    let odd = odd.map_async(8, |x| async move { x });
    let rows = zip((odd, &source)).sink_to_list();
    for x in 0..6 {
        source.emit(x).unwrap();
    }
    time.settle();
    assert_eq!(rows.take(), [(1, 1), (3, 3), (5, 5)]);
    assert_eq!(*failed.lock().unwrap(), ["odd", "odd", "odd"]);
}

#[test]
fn closing_awaits_what_is_in_flight() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let mut out = source.map_async(2, move |x| start.start(x)).into_stream(8);
    source.emit(1).unwrap();
    source.emit(2).unwrap();
    source.close();
    time.settle();
    jobs.finish(1, |x| x);
    time.settle();
    assert!(futures::FutureExt::now_or_never(out.next()).is_none());
    jobs.finish(0, |x| x);
    time.settle();
    assert_eq!(block_on(out.collect::<Vec<_>>()), [1, 2]);
}

#[test]
fn a_future_that_panics_poisons_the_graph_and_its_element_is_lost() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let out = source
        .map_async(2, |x| async move {
            assert!(x != 1, "one");
            x
        })
        .sink_to_list();
    let receipt = source.emit_tracked(1).unwrap();
    let driven = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| time.settle()));
    assert!(driven.is_err());
    assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
    assert!(matches!(receipt.outcome(), Some(Err(_))));
    assert!(out.is_empty());
}

#[test]
fn a_graph_that_is_dropped_tells_the_receipts_of_what_was_in_flight() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let branch = source.sink_async(1, |_| futures::future::pending());
    let running = source.emit_tracked(1).unwrap();
    time.settle();
    assert_eq!(running.outcome(), None);
    drop((branch, source, time, graph));
    assert_eq!(running.outcome(), Some(Err(Lost::TornDown)));
}

#[test]
fn a_branch_that_is_disconnected_finishes_what_is_in_flight() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let branch = source.sink_async(2, move |x| start.start(x));
    let receipt = source.emit_tracked(1).unwrap();
    time.settle();
    branch.disconnect();
    source.emit(2).unwrap();
    time.settle();
    assert_eq!(receipt.outcome(), None);
    assert_eq!(graph.snapshot().unwrap().held(), 1);
    assert_eq!(jobs.finish(0, |_| ()), 1);
    time.settle();
    assert_eq!(receipt.outcome(), Some(Ok(())));
    assert_eq!(graph.snapshot().unwrap().held(), 0);
    assert_eq!(jobs.running(), 0);
}

#[test]
fn a_zip_whose_empty_input_has_futures_in_flight_does_not_starve() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let slow = source.map_async(10, move |x| start.start(x));
    let rows = slow.zip(&source).capacity(2).sink_to_list();
    source.emit(1).unwrap();
    source.emit(2).unwrap();
    time.settle();
    // The other input is full, and what could feed the empty one is under way.
    assert!(matches!(source.emit(3), Err(EmitError::Full(3))));
    time.settle();
    assert!(matches!(source.emit(3), Err(EmitError::Full(3))));
    jobs.finish(0, |x| x);
    time.settle();
    assert_eq!(rows.take(), [(1, 1)]);
    source.emit(3).unwrap();
    time.settle();
    jobs.finish(0, |x| x);
    jobs.finish(0, |x| x);
    time.settle();
    assert_eq!(rows.take(), [(2, 2), (3, 3)]);
    assert_eq!(graph.snapshot().unwrap().failed(), 0);
}

#[test]
fn the_handles_go_where_tasks_go() {
    fn movable<T: Send + Sync + Unpin>() {}
    movable::<headwater::FlowStream<u32>>();
    movable::<headwater::SourceSink<u32>>();
    movable::<headwater::SinkBroken>();
    movable::<WorkerPanicked>();
}
