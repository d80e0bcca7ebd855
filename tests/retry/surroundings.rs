//! What surrounds attempts: pressure, failures, panics, blocking closures, sinks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{Retry, WorkerPanicked};

use super::{Flaky, MS};
use crate::words::quiet;

#[test]
fn nothing_is_tried_again_while_somebody_downstream_is_full() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(1, 1)]);
    let mut out = source
        .try_map_async(2, flaky.step())
        .retry(Retry::attempts(2).fixed(10 * MS))
        .unordered()
        .into_stream(1);
    source.emit_all([0, 1]).unwrap();
    time.advance(50 * MS);
    assert_eq!(flaky.attempts_at(1), 1);
    assert_eq!(block_on(futures::StreamExt::next(&mut out)), Some(0));
    time.settle();
    assert_eq!(flaky.attempts_at(1), 2);
    assert_eq!(block_on(futures::StreamExt::next(&mut out)), Some(1));
}

#[test]
fn failures_from_above_keep_their_place_and_are_not_tried_again() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 1)]);
    let seen = source
        .try_map(|x| if x == 1 { Err("one".into()) } else { Ok(x) })
        .try_map_async(4, flaky.step())
        .retry(Retry::attempts(2).fixed(10 * MS))
        .catch(|failure| {
            Some(if failure.kind() == "try_map" {
                100
            } else {
                200
            })
        })
        .sink_to_list();
    source.emit_all([0, 1, 2]).unwrap();
    time.advance(9 * MS);
    assert!(seen.is_empty());
    time.advance(MS);
    assert_eq!(seen.take(), [0, 100, 2]);
}

#[test]
fn an_attempt_that_panics_poisons_the_graph_and_its_element_is_lost() {
    for in_predicate in [false, true] {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let mut tried = false;
        source
            .try_map_async(1, move |_| {
                assert!(!std::mem::replace(&mut tried, true), "again");
                async { Err::<u32, _>("no".into()) }
            })
            .retry(Retry::attempts(2).fixed(MS).when(move |_| {
                assert!(!in_predicate, "judged");
                true
            }))
            .sink(drop);
        let receipt = source.emit_tracked(1).unwrap();
        let fatal = catch_unwind(AssertUnwindSafe(|| time.advance(MS)));
        assert!(fatal.is_err());
        assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
        assert!(receipt.outcome().unwrap().is_err());
    }
}

#[test]
fn an_element_that_is_no_clone_is_tried_again_in_an_arc() {
    struct Request(u32);
    let (graph, time) = quiet();
    let (source, requests) = graph.pipe::<Request>();
    let flaky = Flaky::new([(7, 1)]);
    let seen = requests
        .map(Arc::new)
        .try_map_async(1, move |request: Arc<Request>| {
            futures::future::ready(flaky.attempt(request.0))
        })
        .retry(Retry::attempts(2))
        .sink_to_list();
    source.emit(Request(7)).unwrap();
    time.settle();
    assert_eq!(seen.take(), [7]);
}

#[test]
fn blocking_closures_are_tried_again_panics_included() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let flaky = Flaky::new([(1, 2), (2, 9)]);
    let panicked = AtomicBool::new(false);
    let attempts = flaky.clone();
    let seen =
        graph
            .from_iter(0..4)
            .try_map_blocking(2, move |x| {
                if x == 3 && !panicked.swap(true, Ordering::Relaxed) {
                    std::panic::resume_unwind(Box::new("once"));
                }
                attempts.attempt(x)
            })
            .retry(Retry::attempts(3).fixed(MS).when(|error| {
                error.is::<WorkerPanicked>() || error.to_string().contains("attempt")
            }))
            .sink_to_list();
    graph.run().unwrap();
    assert_eq!(seen.take(), [0, 1, 3]);
    assert_eq!(flaky.attempts_at(2), 3);
}

#[test]
fn where_the_data_lead_the_clock_attempts_wait_for_them() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    source.lead_clock(|x| Time::from_millis(u64::from(*x)));
    let flaky = Flaky::new([(0, 1), (9, 1)]);
    let seen = source
        .try_map_async(4, flaky.step())
        .retry(Retry::attempts(2).fixed(10 * MS))
        .unordered()
        .sink_to_list();
    for x in [0, 9] {
        source.emit(x).unwrap();
        time.settle();
    }
    assert!(seen.is_empty());
    source.emit(10).unwrap();
    time.settle();
    assert_eq!(seen.take(), [0, 10]);
    source.close();
    time.settle();
    assert_eq!(seen.take(), [9]);
}

#[test]
fn a_sink_that_tries_again_is_done_when_its_write_is() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(7, 2)]);
    source
        .try_map_async(1, flaky.step())
        .retry(Retry::attempts(3).fixed(MS))
        .unordered()
        .sink(drop);
    let receipt = source.emit_tracked(7).unwrap();
    time.advance(MS);
    assert_eq!(receipt.outcome(), None);
    time.advance(MS);
    assert_eq!(receipt.outcome(), Some(Ok(())));
}

#[test]
fn a_policy_goes_where_tasks_go_and_serves_several_operators() {
    fn movable<T: Send + Sync + Unpin + Clone + std::fmt::Debug>(_: &T) {}
    movable(&Retry::attempts(2).when(|_| true));
}
