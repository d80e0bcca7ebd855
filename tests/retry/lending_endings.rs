//! Closes, shutdowns, panics and discards while an element is lent: it is dropped once, and its receipt told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{Loss, Lost, Retry};

use super::{Flaky, MS};
use crate::words::quiet;

/// Counts how many of its kind are alive.
struct Counted {
    x: u32,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    fn new(x: u32, alive: &Arc<AtomicUsize>) -> Counted {
        alive.fetch_add(1, Ordering::Relaxed);
        Counted {
            x,
            alive: alive.clone(),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_close_waits_for_all_attempts_wherever_it_comes_and_leaves_no_element() {
    for closed_at in 0..40 {
        let (graph, time) = quiet();
        let (source, flow) = graph.pipe::<Counted>();
        let alive = Arc::default();
        let flaky = Flaky::new([(0, 2), (1, 9), (2, 1)]);
        let mut step = flaky.lent();
        let mut out = flow
            .try_map_async_ref(2, move |counted| step(&counted.x))
            .retry(Retry::attempts(3).fixed(10 * MS))
            .into_stream(10);
        let mut items = 0..4;
        let mut emitted = 0;
        for at in 0..=closed_at {
            if at == closed_at {
                source.close();
            } else if !items.is_empty() && source.emit(Counted::new(items.start, &alive)).is_ok() {
                items.next();
                emitted += 1;
            }
            time.advance(MS);
        }
        time.advance(100 * MS);
        let seen: Vec<u32> = block_on(futures::StreamExt::collect(&mut out));
        assert!(seen.into_iter().eq((0..emitted).filter(|x| *x != 1)));
        assert_eq!(alive.load(Ordering::Relaxed), 0);
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
            .try_map_async_ref(2, flaky.lent())
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
    let policy = Retry::attempts(5).fixed(MS);
    source
        .try_map_async_ref(2, flaky.lent())
        .retry(policy.when(|error| !error.to_string().ends_with("at 0")))
        .sink(drop);
    let receipts = [0, 1].map(|x| source.emit_tracked(x).unwrap());
    time.advance(10 * MS);
    assert_eq!((flaky.attempts_at(0), flaky.attempts_at(1)), (1, 1));
    assert!(matches!(source.emit(2), Err(EmitError::Stopped(2, _))));
    for receipt in receipts {
        assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
    }
}

#[test]
fn an_element_is_dropped_as_soon_as_it_has_succeeded() {
    let (graph, time) = quiet();
    let (source, flow) = graph.pipe::<Counted>();
    let alive = Arc::default();
    let flaky = Flaky::new([(0, 1), (1, 0)]);
    let mut step = flaky.lent();
    let seen = flow
        .try_map_async_ref(2, move |counted| step(&counted.x))
        .retry(Retry::attempts(2).fixed(10 * MS))
        .sink_to_list();
    source.emit(Counted::new(0, &alive)).unwrap();
    source.emit(Counted::new(1, &alive)).unwrap();
    time.settle();
    // The second one's result waits for the first one's.
    assert_eq!((seen.len(), alive.load(Ordering::Relaxed)), (0, 1));
    time.advance(10 * MS);
    assert_eq!((seen.len(), alive.load(Ordering::Relaxed)), (2, 0));
}

/// Three elements: one under way, one between two attempts, one that waits to start.
fn in_the_midst(
    alive: &Arc<AtomicUsize>,
) -> (Graph, headwater::Manual, Branch, [headwater::Receipt; 3]) {
    let (graph, time) = quiet();
    let (source, flow) = graph.pipe::<Counted>();
    let branch = flow
        .buffer(1)
        .try_map_async_ref(2, |counted| {
            Box::pin(async move {
                match counted.x {
                    0 => std::future::pending().await,
                    x => Err::<(), _>(format!("{x}").into()),
                }
            })
        })
        .retry(Retry::attempts(9).fixed(10 * MS))
        .sink(drop);
    let receipts = [0, 1, 2].map(|x| {
        let receipt = source.emit_tracked(Counted::new(x, alive)).unwrap();
        time.settle();
        receipt
    });
    time.advance(15 * MS);
    assert_eq!(graph.snapshot().unwrap().held(), 3);
    assert_eq!(alive.load(Ordering::Relaxed), 3);
    (graph, time, branch, receipts)
}

#[test]
fn a_branch_that_is_discarded_drops_what_is_lent_and_counts_it() {
    let alive = Arc::default();
    let (graph, time, branch, receipts) = in_the_midst(&alive);
    branch.discard();
    time.settle();
    assert_eq!(alive.load(Ordering::Relaxed), 0);
    assert_eq!(
        graph.snapshot().unwrap().gone.counts.lost(Loss::Discarded),
        3
    );
    for receipt in receipts {
        assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    }
}

#[test]
fn a_graph_that_is_dropped_drops_what_is_lent_and_tells_the_receipts() {
    let alive = Arc::default();
    let (graph, time, branch, receipts) = in_the_midst(&alive);
    drop((graph, time, branch));
    assert_eq!(alive.load(Ordering::Relaxed), 0);
    for receipt in receipts {
        assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    }
}

#[test]
fn a_panic_of_the_closure_its_future_or_the_predicate_poisons_the_graph() {
    for (place, attempts) in [
        ("closure", 0),
        ("closure", 1),
        ("future", 0),
        ("future", 1),
        ("predicate", 0),
    ] {
        let (graph, time) = quiet();
        let (source, flow) = graph.pipe::<Counted>();
        let alive = Arc::default();
        let mut made = 0;
        flow.try_map_async_ref(1, move |_| {
            let now = made == attempts;
            made += 1;
            assert!(!(now && place == "closure"), "in the closure");
            Box::pin(async move {
                assert!(!(now && place == "future"), "in the future");
                Err::<u32, _>("no".into())
            })
        })
        .retry(Retry::attempts(3).fixed(MS).when(move |_| {
            assert_ne!(place, "predicate", "judged");
            true
        }))
        .sink(drop);
        let receipt = source.emit_tracked(Counted::new(1, &alive)).unwrap();
        let fatal = catch_unwind(AssertUnwindSafe(|| time.advance(MS)));
        assert!(fatal.is_err(), "{place}");
        assert!(receipt.outcome().unwrap().is_err());
        let refused = source.emit(Counted::new(2, &alive));
        assert!(matches!(&refused, Err(EmitError::Poisoned(_))));
        drop((refused, source, graph, time));
        assert_eq!(alive.load(Ordering::Relaxed), 0);
    }
}
