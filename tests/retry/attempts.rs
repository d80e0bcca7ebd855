//! What is tried again, in whose place, and side by side with what.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use headwater::Retry;
use headwater::prelude::*;

use super::{Flaky, MS};
use crate::words::quiet;

#[test]
fn only_errors_that_the_predicate_holds_for_are_tried_again() {
    let (graph, time) = quiet();
    let source = graph.source::<&str>();
    let tries = Arc::new(AtomicU32::new(0));
    let count = tries.clone();
    source
        .try_map_async(1, move |text| {
            count.fetch_add(1, Ordering::Relaxed);
            async move {
                if text.is_empty() {
                    return Err("empty".into());
                }
                Ok(text.parse::<u32>()?)
            }
        })
        .retry(Retry::attempts(3).when(|error| error.is::<std::num::ParseIntError>()))
        .sink(drop);
    source.emit("").unwrap();
    time.settle();
    assert_eq!(tries.swap(0, Ordering::Relaxed), 1);
    source.emit("x").unwrap();
    time.settle();
    assert_eq!(tries.load(Ordering::Relaxed), 3);
}

#[test]
fn one_that_waits_for_its_next_attempt_keeps_its_place_and_its_slot() {
    for ordered in [true, false] {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(0, 1)]);
        let flow = source
            .try_map_async(2, flaky.step())
            .retry(Retry::attempts(2).fixed(10 * MS));
        let seen = if ordered {
            flow.reorder(1).sink_to_list()
        } else {
            flow.unordered().sink_to_list()
        };
        source.emit_all([0, 1]).unwrap();
        time.settle();
        let early: &[u32] = if ordered { &[] } else { &[1] };
        assert_eq!(seen.get(), early);
        // One slot is taken; in order, the result that waits fills the place for early ones.
        source.emit(2).unwrap();
        time.settle();
        assert_eq!(flaky.attempts_at(2), usize::from(!ordered));
        assert_eq!(source.emit(3).is_err(), ordered);
        time.advance(10 * MS);
        let expected: &[u32] = if ordered { &[0, 1, 2] } else { &[1, 2, 3, 0] };
        assert_eq!(seen.take(), expected);
    }
}

#[test]
fn with_one_at_a_time_nobody_passes_one_that_is_tried_again() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 2)]);
    let flow = source.try_map_async(1, flaky.step());
    let seen = flow
        .retry(Retry::attempts(3).fixed(10 * MS))
        .unordered()
        .sink_to_list();
    source.emit(0).unwrap();
    assert!(matches!(source.emit(1), Err(EmitError::Full(1))));
    time.advance(19 * MS);
    assert!(source.emit(1).is_err());
    assert_eq!(graph.snapshot().unwrap().held(), 1);
    time.advance(MS);
    source.emit(1).unwrap();
    time.settle();
    assert_eq!(seen.take(), [0, 1]);
}

#[test]
fn the_last_failure_says_why_and_brings_the_element_along() {
    let (graph, time) = quiet();
    let failures = Arc::new(Mutex::new(Vec::new()));
    let told = failures.clone();
    graph.on_error(OnError::call(move |f| told.lock().unwrap().push(f.clone())));
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(7, 9)]);
    let step = flaky.step();
    source
        .try_map_async(1, step)
        .retry(Retry::attempts(3))
        .named("write")
        .sink(drop);
    source.emit(7).unwrap();
    time.settle();
    let failures = std::mem::take(&mut *failures.lock().unwrap());
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].node(), "write");
    assert_eq!(failures[0].error().to_string(), "attempt 3 at 7");
    assert_eq!(failures[0].element::<String>(), None);
    assert_eq!(failures[0].element::<u32>(), Some(7));
    assert_eq!(failures[0].take_element::<u32>(), Some(7));
    assert_eq!(failures[0].element::<u32>(), None);
}

#[test]
fn one_that_is_tried_again_at_once_and_often_starves_nobody() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let driving = graph.attach_driver(None);
    let source = graph.source::<u32>();
    let flaky = Arc::new(AtomicU32::new(0));
    let count = flaky.clone();
    source
        .try_map_async(1, move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Err::<u32, _>("no".into()) }
        })
        .retry(Retry::attempts(u32::MAX))
        .sink(drop);
    let other = source.buffer(4).sink_to_list();
    source.emit(1).unwrap();
    driving.turn(std::task::Waker::noop()).unwrap();
    assert_eq!(other.take(), [1]);
    assert!((100..1_000_000).contains(&flaky.load(Ordering::Relaxed)));
}

#[test]
fn threads_that_send_through_retries_lose_nothing_and_keep_their_order() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let dead = graph.source::<Failure>();
    let letters = dead
        .map(|failure| failure.element::<u32>().unwrap())
        .sink_to_list();
    let source = graph.source::<u32>();
    // Every third fails once, every seventh for good.
    let flaky = Flaky::new((0..1_000).map(|x| match (x % 7, x % 3) {
        (0, _) => (x, u32::MAX),
        (_, 0) => (x, 1),
        _ => (x, 0),
    }));
    let seen = source
        .try_map_async(5, flaky.step())
        .retry(
            Retry::attempts(3)
                .fixed(Duration::from_micros(50))
                .jitter(1),
        )
        .by_key(|x| x / 250)
        .dead_letter(&dead)
        .sink_to_list();
    let senders: Vec<_> = (0..4u32)
        .map(|thread| {
            let source = source.clone();
            std::thread::spawn(move || {
                (0..250)
                    .map(|x| block_on(source.send_tracked(250 * thread + x)).unwrap())
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let receipts: Vec<_> = senders
        .into_iter()
        .flat_map(|sender| sender.join().unwrap())
        .collect();
    assert!(block_on(graph.shutdown()).unwrap().complete);
    let (seen, mut letters) = (seen.take(), letters.take());
    for thread in 0..4 {
        assert!(seen.iter().filter(|x| *x / 250 == thread).is_sorted());
    }
    letters.sort_unstable();
    assert!(
        letters
            .iter()
            .copied()
            .eq((0..1_000).filter(|x| x % 7 == 0))
    );
    assert_eq!(seen.len() + letters.len(), 1_000);
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.outcome() == Some(Ok(())))
    );
    drop(driver);
}
