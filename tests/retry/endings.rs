//! Closes, shutdowns and graphs that stop between two attempts.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{Lost, Retry};

use super::{Flaky, MS};
use crate::words::quiet;

#[test]
fn a_close_waits_for_all_attempts_wherever_it_comes() {
    for closed_at in 0..40 {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(0, 2), (1, 9), (2, 1)]);
        let mut out = source
            .try_map_async(2, flaky.step())
            .retry(Retry::attempts(3).fixed(10 * MS))
            .into_stream(10);
        let mut items = 0..4;
        let mut emitted = 0;
        for at in 0..=closed_at {
            if at == closed_at {
                source.close();
            } else if !items.is_empty() && source.emit(items.start).is_ok() {
                items.next();
                emitted += 1;
            }
            time.advance(MS);
        }
        time.advance(100 * MS);
        let seen: Vec<u32> = block_on(futures::StreamExt::collect(&mut out));
        assert!(seen.into_iter().eq((0..emitted).filter(|x| *x != 1)));
    }
}

#[test]
fn a_shutdown_waits_for_all_attempts_or_gives_up() {
    for (delay, limit) in [(10 * MS, None), (100_000 * MS, Some(15 * MS))] {
        let graph = Graph::new();
        graph.on_error(OnError::call(|_| {}));
        let driver = graph.spawn_thread();
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(0, 2)]);
        let seen = source
            .try_map_async(2, flaky.step())
            .retry(Retry::attempts(3).fixed(delay).max_delay(delay))
            .sink_to_list();
        let receipt = source.emit_tracked(0).unwrap();
        match limit {
            None => drop(block_on(graph.shutdown()).unwrap()),
            Some(limit) => drop(block_on(graph.shutdown_within(limit)).unwrap()),
        }
        let done = receipt.outcome().unwrap();
        match limit {
            None => assert_eq!((seen.take(), done), (vec![0], Ok(()))),
            Some(_) => assert_eq!((seen.take(), done), (vec![], Err(Lost::TornDown))),
        }
        drop(driver);
    }
}

#[test]
fn where_a_failure_stopped_the_graph_nothing_is_tried_again() {
    let graph = Graph::new();
    graph.on_error(OnError::Stop);
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 9), (1, 9)]);
    let flow = source.try_map_async(2, flaky.step());
    flow.retry(
        Retry::attempts(5)
            .fixed(MS)
            .when(|error| !error.to_string().ends_with("at 0")),
    )
    .sink(drop);
    let receipts = [
        source.emit_tracked(0).unwrap(),
        source.emit_tracked(1).unwrap(),
    ];
    time.advance(10 * MS);
    assert_eq!((flaky.attempts_at(0), flaky.attempts_at(1)), (1, 1));
    assert!(matches!(source.emit(2), Err(EmitError::Stopped(2, _))));
    for receipt in receipts {
        assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
    }
}

#[test]
fn a_graph_that_is_dropped_tells_the_receipts_of_those_between_two_attempts() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 2)]);
    let flow = source.try_map_async(2, flaky.step());
    flow.retry(Retry::attempts(3).fixed(MS)).sink(drop);
    let receipt = source.emit_tracked(0).unwrap();
    time.settle();
    assert_eq!(receipt.outcome(), None);
    drop((source, graph, time));
    assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
}

#[test]
fn a_branch_that_is_disconnected_makes_its_attempts() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 2)]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let branch = source
        .try_map_async(2, flaky.step())
        .retry(Retry::attempts(3).fixed(MS))
        .sink(move |x| told.lock().unwrap().push(x));
    source.emit(0).unwrap();
    time.settle();
    branch.disconnect();
    time.advance(10 * MS);
    assert_eq!(*seen.lock().unwrap(), [0]);
}
