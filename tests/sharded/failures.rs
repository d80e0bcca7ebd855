//! Panics, failures, and graphs that nobody drives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use headwater::prelude::*;
use headwater::{Loss, SendError};

use super::{MS, by_hand};
use crate::watched::watched;

#[test]
fn a_panic_below_poisons_and_everybody_learns_of_it() {
    let (_time, sharded) = by_hand::<u32>(Shards::default());
    let graph = sharded.graph();
    sharded.sink(|n| assert!(n != 300, "a sink panics"));
    for n in 0..301 {
        sharded.send(n).unwrap();
    }
    assert!(catch_unwind(AssertUnwindSafe(|| sharded.flush())).is_err());
    assert!(matches!(sharded.send(1), Err(SendError::Poisoned(1))));
    assert!(!sharded.send_or_drop(1));
    assert!(matches!(sharded.flush(), Err(GraphError::Poisoned)));
    assert!(matches!(
        sharded.blocking_flush(),
        Err(GraphError::Poisoned)
    ));
    assert!(graph.snapshot().is_err());
    sharded.close();
}

#[test]
fn a_flush_that_waits_learns_that_the_graph_is_poisoned() {
    watched(|| {
        let (_time, sharded) = by_hand::<u32>(Shards::default());
        let graph = sharded.graph();
        let _stream = sharded.into_stream(1);
        let other = graph.source::<u32>();
        other.sink(|_| panic!("a sink panics"));
        sharded.send(0).unwrap();
        sharded.send(1).unwrap();
        let flusher = {
            let sharded = sharded.clone();
            std::thread::spawn(move || sharded.blocking_flush())
        };
        while graph
            .snapshot()
            .is_ok_and(|s| s.named("sharded").unwrap().senders == 0)
        {
            std::thread::yield_now();
        }
        assert!(catch_unwind(AssertUnwindSafe(|| other.emit(1))).is_err());
        assert!(matches!(flusher.join().unwrap(), Err(GraphError::Poisoned)));
    });
}

#[test]
fn a_guard_that_sends_while_its_thread_unwinds_runs_no_closure_there() {
    struct Guard(Sharded<u32>);
    impl Drop for Guard {
        fn drop(&mut self) {
            for n in 0..300 {
                self.0.send(n).unwrap();
            }
        }
    }
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let list = sharded.sink_to_list();
    let unwinding = Arc::new(AtomicBool::new(false));
    let seen = unwinding.clone();
    sharded.sink(move |_| {
        seen.fetch_or(std::thread::panicking(), Ordering::Relaxed);
    });
    let guard = Guard(sharded.clone());
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        let _guard = guard;
        panic!("of its own");
    }));
    assert!(outcome.is_err());
    assert!(!unwinding.load(Ordering::Relaxed));
    time.advance(MS);
    assert_eq!(list.take(), (0..300).collect::<Vec<_>>());
}

#[test]
fn without_a_driver_sends_are_refused_and_nothing_that_was_accepted_is_lost() {
    let graph = Graph::new();
    let sharded = graph.sharded::<u32>(Shards::default());
    let list = sharded.sink_to_list();
    let error = sharded.send(1).unwrap_err();
    assert!(matches!(error, SendError::Undriven(1)));
    assert_eq!(
        error.to_string(),
        "not accepted: a sharded source is drained by the graph's driver and there is none; call \
         `spawn`, `spawn_thread` or `drive_manually` on the graph first"
    );
    let time = graph.drive_manually();
    sharded.send(2).unwrap();
    drop(time);
    assert!(matches!(sharded.send(3), Err(SendError::Undriven(3))));
    let time = graph.drive_manually();
    time.advance(MS);
    assert_eq!(list.take(), [2]);
    sharded.send(4).unwrap();
    drop(time);
    // Whoever flushes needs no driver.
    sharded.flush().unwrap();
    assert_eq!(list.take(), [4]);
}

#[test]
fn failures_go_to_the_graphs_handler_and_the_rest_goes_on() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let graph = sharded.graph();
    let failures = Arc::new(AtomicU64::new(0));
    let count = failures.clone();
    graph.on_error(OnError::call(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let list = sharded
        .try_map(|n| {
            if n % 100 == 7 {
                Err("odd one".into())
            } else {
                Ok(n)
            }
        })
        .sink_to_list();
    for n in 0..400 {
        sharded.send(n).unwrap();
    }
    time.advance(MS);
    assert_eq!(failures.load(Ordering::Relaxed), 4);
    assert_eq!(list.take().len(), 396);
}

#[test]
fn a_graph_that_a_failure_stopped_refuses_and_counts_what_was_left() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let graph = sharded.graph();
    graph.on_error(OnError::Stop);
    let other = graph.source::<u32>();
    other
        .try_map(|_| Err::<(), BoxError>("stop".into()))
        .sink(drop);
    let list = sharded.sink_to_list();
    sharded.send(1).unwrap();
    sharded.send(2).unwrap();
    other.emit(1).unwrap_err();
    match sharded.send(3) {
        Err(SendError::Stopped(3, cause)) => assert_eq!(cause.kind(), "try_map"),
        other => panic!("{other:?}"),
    }
    time.advance(MS);
    assert_eq!(list.take(), [0; 0]);
    assert!(matches!(sharded.flush(), Err(GraphError::Stopped(_))));
    assert!(matches!(
        sharded.blocking_flush(),
        Err(GraphError::Stopped(_))
    ));
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(snapshot.lost(Loss::Unheard), 2);
    assert_eq!(snapshot.held(), 0);
}
