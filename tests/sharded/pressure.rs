//! Flushes, and senders that are faster than the graph.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{FutureExt, StreamExt};
use headwater::Loss;
use headwater::prelude::*;

use super::{MS, by_hand};
use crate::watched::watched;

#[test]
fn a_flush_has_everything_in_the_graph_whoever_sent_it() {
    let (_time, sharded) = by_hand::<u32>(Shards::default());
    let list = sharded.sink_to_list();
    sharded.flush().unwrap();
    std::thread::scope(|scope| {
        for n in 0..10 {
            let sharded = &sharded;
            scope.spawn(move || sharded.send(n).unwrap());
        }
    });
    assert_eq!(list.take(), [0; 0]);
    sharded.flush().unwrap();
    let mut all = list.take();
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
}

#[test]
fn under_pressure_shards_fill_and_what_is_beyond_comes_back_or_is_counted() {
    let (_time, sharded) = by_hand::<u32>(Shards::default().capacity(8));
    let sharded = sharded.named("hits");
    let graph = sharded.graph();
    let mut stream = sharded.into_stream(4);
    let mut accepted = 0;
    let refused = loop {
        match sharded.send(accepted) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(refused.is_full());
    assert_eq!(
        refused.to_string(),
        "not accepted: this thread's shard is full; send less, give it more room with \
         `Shards::capacity`, or see in `graph.snapshot()` who downstream is slow"
    );
    assert_eq!(refused.into_element(), accepted);
    for n in 0..100 {
        assert!(!sharded.send_or_drop(1_000 + n));
    }
    let held = match sharded.flush() {
        Err(GraphError::Full(held)) => held,
        other => panic!("{other:?}"),
    };
    assert_eq!(held, 8);
    let snapshot = graph.snapshot().unwrap();
    let node = snapshot.named("hits").unwrap();
    assert_eq!(node.counts.lost(Loss::Overflow), 100);
    assert_eq!((node.counts.held, node.counts.capacity), (8, 64 * 8));
    assert_eq!(node.counts.passed + node.counts.held, u64::from(accepted));
    assert_eq!(node.oldest, Some(Time::ZERO));
    assert_eq!(snapshot.waits[0].origin.title(), "hits");
    // Room again: everything that was accepted comes, in order, and nothing else.
    sharded.close();
    let rest: Vec<_> = futures::executor::block_on(async {
        let mut all = Vec::new();
        while let Some(n) = stream.next().await {
            all.push(n);
        }
        all
    });
    assert_eq!(rest, (0..accepted).collect::<Vec<_>>());
    let report = graph.close().unwrap();
    assert_eq!(report.accepted, u64::from(accepted));
    assert_eq!(report.snapshot.lost(Loss::Overflow), 100);
    assert_eq!(report.snapshot.held(), 0);
}

#[test]
fn a_long_stall_does_not_keep_the_driver_busy_and_ends_with_the_pressure() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let mut stream = sharded.into_stream(1);
    for n in 0..4 {
        sharded.send(n).unwrap();
    }
    time.advance(10 * MS);
    let graph = sharded.graph();
    assert_eq!(graph.snapshot().unwrap().next_deadline, None);
    for n in 0..4 {
        assert_eq!(stream.next().now_or_never(), Some(Some(n)));
        time.settle();
    }
    sharded.send(4).unwrap();
    time.advance(MS);
    assert_eq!(stream.next().now_or_never(), Some(Some(4)));
}

#[test]
fn a_flush_that_waits_ends_when_there_is_room() {
    watched(|| {
        let graph = Graph::new();
        let driver = graph.spawn_thread();
        let sharded = graph.sharded::<u32>(Shards::default());
        let mut stream = sharded.into_stream(2);
        for n in 0..100 {
            sharded.send(n).unwrap();
        }
        let flusher = {
            let sharded = sharded.clone();
            std::thread::spawn(move || sharded.blocking_flush())
        };
        let first: Vec<_> = futures::executor::block_on(stream.by_ref().take(98).collect());
        assert_eq!(first, (0..98).collect::<Vec<_>>());
        flusher.join().unwrap().unwrap();
        sharded.close();
        let rest: Vec<_> = futures::executor::block_on(stream.collect());
        assert_eq!(rest, [98, 99]);
        driver.join().unwrap();
    });
}

#[test]
fn a_flush_waits_for_what_was_sent_before_it_and_for_nothing_else() {
    let (_time, sharded) = by_hand::<u32>(Shards::default());
    let mut stream = sharded.into_stream(1);
    sharded.send(0).unwrap();
    sharded.send(1).unwrap();
    let mut flushed = Box::pin(sharded.flushed());
    assert!(flushed.as_mut().now_or_never().is_none());
    assert_eq!(
        sharded
            .graph()
            .snapshot()
            .unwrap()
            .named("sharded")
            .unwrap()
            .senders,
        1
    );
    sharded.send(2).unwrap();
    assert_eq!(stream.next().now_or_never(), Some(Some(0)));
    assert!(matches!(flushed.as_mut().now_or_never(), Some(Ok(()))));
    drop(flushed);
    let graph = sharded.graph();
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(snapshot.named("sharded").unwrap().senders, 0);
    assert_eq!(snapshot.named("sharded").unwrap().counts.held, 1);
}

#[test]
fn a_flush_that_would_wait_for_nobody_says_so() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let sharded = graph.sharded::<u32>(Shards::default());
    let _stream = sharded.into_stream(1);
    sharded.send(0).unwrap();
    sharded.send(1).unwrap();
    let mut flushed = Box::pin(sharded.flushed());
    assert!(flushed.as_mut().now_or_never().is_none());
    drop(time);
    assert!(matches!(
        flushed.as_mut().now_or_never(),
        Some(Err(GraphError::Undriven))
    ));
}

#[test]
fn a_flush_by_one_thread_waits_for_the_batch_that_another_has_under_way() {
    watched(|| {
        let graph = Graph::new();
        let driver = graph.spawn_thread();
        let sharded = graph.sharded::<u64>(Shards::default());
        let through = Arc::new(AtomicU64::new(0));
        let count = through.clone();
        sharded.sink(move |_| {
            std::hint::black_box((0..50).sum::<u32>());
            count.fetch_add(1, Ordering::Relaxed);
        });
        std::thread::scope(|scope| {
            let sent = Arc::new(AtomicU64::new(0));
            let (sender, said) = (sharded.clone(), sent.clone());
            scope.spawn(move || {
                for n in 1..=100_000 {
                    if sender.send(n).is_err() {
                        sender.flush().unwrap();
                        sender.send(n).unwrap();
                    }
                    said.store(n, Ordering::Release);
                }
            });
            let (sharded, through) = (sharded.clone(), through.clone());
            scope.spawn(move || {
                loop {
                    let before = sent.load(Ordering::Acquire);
                    sharded.blocking_flush().unwrap();
                    assert!(through.load(Ordering::Relaxed) >= before);
                    if before == 100_000 {
                        break;
                    }
                }
            });
        });
        sharded.close();
        driver.join().unwrap();
    });
}
