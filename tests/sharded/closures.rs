//! Closures that send, and graphs that are held for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use headwater::prelude::*;
use headwater::{Loss, SendError};

use super::{MS, by_hand};
use crate::watched::watched;

#[test]
fn a_closure_may_send_into_its_own_graph_and_flush() {
    watched(|| {
        let (time, sharded) = by_hand::<u32>(Shards::default());
        let graph = sharded.graph();
        let words = graph.source::<u32>();
        let list = sharded.sink_to_list();
        let weak = sharded.clone();
        words.sink(move |n| {
            for i in 0..n {
                weak.send(i).unwrap();
            }
            weak.flush().unwrap();
            assert!(matches!(weak.blocking_flush(), Err(GraphError::Inside)));
        });
        words.emit(3).unwrap();
        // Flushed once the closure had finished, and before the emit returned.
        assert_eq!(list.take(), [0, 1, 2]);
        words.emit(1_000).unwrap();
        assert_eq!(list.take(), (0..1_000).collect::<Vec<_>>());
        let _ = time;
    });
}

#[test]
fn a_sink_that_sends_into_its_own_source_goes_on_for_as_long_as_it_does() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let (weak, list) = (sharded.downgrade(), sharded.sink_to_list());
    sharded
        .filter(|n| *n < 10)
        .sink(move |n| weak.send(n + 1).unwrap());
    sharded.send(0).unwrap();
    time.advance(20 * MS);
    assert_eq!(list.take(), (0..=10).collect::<Vec<_>>());
    drop(sharded);
}

#[test]
fn two_graphs_that_send_into_each_other_from_two_threads_neither_block_nor_lose() {
    watched(|| {
        const EACH: u64 = 20_000;
        let graphs = [Graph::new(), Graph::new()];
        let drivers = graphs.each_ref().map(Graph::spawn_thread);
        let sources = graphs
            .each_ref()
            .map(|graph| graph.sharded::<(usize, u64)>(Shards::default().capacity(1 << 20)));
        let seen: [Arc<AtomicU64>; 2] = Default::default();
        for at in 0..2 {
            let (to, seen) = (sources[1 - at].downgrade(), seen[at].clone());
            sources[at].sink(move |(origin, n)| {
                if origin == at {
                    to.send((origin, n)).unwrap();
                    if n % 100 == 0 {
                        to.upgrade().unwrap().flush().unwrap();
                    }
                } else {
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::scope(|scope| {
            for (at, sharded) in sources.iter().enumerate() {
                scope.spawn(move || (0..EACH).for_each(|n| sharded.send((at, n)).unwrap()));
            }
        });
        // Twice, as what the first sets off lies in the other's shards.
        for _ in 0..2 {
            sources
                .iter()
                .for_each(|source| source.blocking_flush().unwrap());
        }
        while seen.iter().any(|seen| seen.load(Ordering::Relaxed) < EACH) {
            std::thread::yield_now();
        }
        sources.iter().for_each(Sharded::close);
        for driver in drivers {
            driver.join().unwrap();
        }
        assert_eq!(seen.map(|seen| seen.load(Ordering::Relaxed)), [EACH; 2]);
    });
}

#[test]
fn who_holds_the_graph_for_long_blocks_no_sender() {
    watched(|| {
        let graph = Graph::new();
        let driver = graph.spawn_thread();
        let sharded = graph.sharded::<u32>(Shards::default());
        let list = sharded.sink_to_list();
        let other = graph.source::<u32>();
        let (inside, go_on) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (says, waits) = (inside.clone(), go_on.clone());
        other.sink(move |_| {
            says.store(true, Ordering::Release);
            while !waits.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
        });
        let blocker = std::thread::spawn(move || other.emit(1).unwrap());
        while !inside.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        // The graph is held, and goes on being so until this thread has sent.
        for n in 0..8_192 {
            sharded.send(n).unwrap();
        }
        assert!(matches!(sharded.send(0), Err(SendError::Full(0))));
        assert!(!sharded.send_or_drop(0));
        go_on.store(true, Ordering::Release);
        blocker.join().unwrap();
        sharded.close();
        driver.join().unwrap();
        assert_eq!(list.take(), (0..8_192).collect::<Vec<_>>());
        assert_eq!(graph.snapshot().unwrap().lost(Loss::Overflow), 1);
    });
}
