//! Closes, handles that go, and shutdowns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use headwater::prelude::*;
use headwater::{Loss, SendError};

use super::{MS, by_hand};
use crate::watched::watched;

#[test]
fn a_close_drains_and_then_refuses() {
    let (_time, sharded) = by_hand::<u32>(Shards::default());
    let sums = sharded.fold(0, |sum, n| sum + n).sink_to_list();
    for n in 0..300 {
        sharded.send(n).unwrap();
    }
    sharded.close();
    assert!(sharded.is_closed());
    assert_eq!(sums.take(), [300 * 299 / 2]);
    assert!(matches!(sharded.send(1), Err(SendError::Closed(1))));
    assert!(!sharded.send_or_drop(2));
    let snapshot = sharded.graph().snapshot().unwrap();
    assert_eq!(snapshot.lost(Loss::Unheard), 1);
    sharded.flush().unwrap();
}

#[test]
fn the_last_handle_closes_and_weak_ones_do_not_count() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let sharded = graph.sharded::<u32>(Shards::default());
    let list = sharded.sink_to_list();
    let weak = sharded.downgrade();
    let other = weak.upgrade().unwrap();
    drop(sharded);
    weak.send(1).unwrap();
    other.send(2).unwrap();
    drop(other);
    assert!(weak.upgrade().is_none());
    assert!(matches!(weak.send(3), Err(SendError::Closed(3))));
    driver.join().unwrap();
    assert_eq!(list.take(), [1, 2]);
    drop(graph);
    assert!(!weak.send_or_drop(4));
}

#[test]
fn a_close_among_senders_delivers_exactly_what_was_accepted() {
    watched(|| {
        for round in 0..30 {
            let graph = Graph::new();
            let driver = graph.spawn_thread();
            let sharded = graph.sharded::<u64>(Shards::default().capacity(1 << 20));
            let delivered = Arc::new(AtomicU64::new(0));
            let count = delivered.clone();
            sharded.sink(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            let accepted: u64 = std::thread::scope(|scope| {
                let senders: Vec<_> = (0..3)
                    .map(|_| {
                        scope.spawn(|| {
                            (0..).take_while(|n: &u64| sharded.send(*n).is_ok()).count() as u64
                        })
                    })
                    .collect();
                for _ in 0..round % 5 {
                    std::thread::yield_now();
                }
                sharded.close();
                senders.into_iter().map(|s| s.join().unwrap()).sum()
            });
            driver.join().unwrap();
            assert_eq!(delivered.load(Ordering::Relaxed), accepted);
        }
    });
}

#[test]
fn a_shutdown_reports_what_came_and_what_was_dropped() {
    let (_time, sharded) = by_hand::<u32>(Shards::default());
    let graph = sharded.graph();
    sharded.filter(|n| n % 2 == 0).sink(drop);
    for n in 0..1_000 {
        sharded.send(n).unwrap();
    }
    let report = futures::executor::block_on(graph.shutdown()).unwrap();
    assert_eq!((report.accepted, report.delivered), (1_000, 500));
    assert!(report.complete);
    assert!(matches!(sharded.send(1), Err(SendError::Closed(1))));
}

#[test]
fn a_shutdown_that_runs_out_of_time_counts_what_lay_in_the_shards() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let graph = sharded.graph();
    let _stream = sharded.into_stream(1);
    for n in 0..10 {
        sharded.send(n).unwrap();
    }
    let mut shutdown = Box::pin(graph.shutdown_within(10 * MS));
    assert!(shutdown.as_mut().now_or_never().is_none());
    assert!(matches!(sharded.send(1), Err(SendError::Closed(1))));
    time.advance(10 * MS);
    let report = shutdown.as_mut().now_or_never().unwrap().unwrap();
    assert!(!report.complete);
    assert_eq!(report.accepted, 10);
    assert_eq!(report.snapshot.named("sharded").unwrap().counts.held, 9);
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(snapshot.named("sharded").unwrap().counts.held, 0);
    assert!(matches!(sharded.send(1), Err(SendError::Closed(1))));
}
