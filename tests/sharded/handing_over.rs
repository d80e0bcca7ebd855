//! Many threads send, and those who have filled a batch, or the driver, bring it into the graph.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{Loss, SendError};

use super::{MS, by_hand};
use crate::watched::watched;

#[test]
fn four_threads_lose_nothing_and_each_keeps_its_order() {
    watched(|| {
        const EACH: u64 = 200_000;
        let graph = Graph::new();
        let driver = graph.spawn_thread();
        let sharded = graph.sharded::<(u64, u64)>(Shards::default());
        let next = Arc::new(Mutex::new([0; 4]));
        let seen = next.clone();
        sharded.sink(move |(thread, n)| {
            let next = &mut seen.lock().unwrap()[thread as usize];
            assert_eq!(n, *next, "of thread {thread}");
            *next += 1;
        });
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let sharded = sharded.clone();
                scope.spawn(move || {
                    for n in 0..EACH {
                        let mut next = Some((thread, n));
                        while let Some(item) = next.take() {
                            match sharded.send(item) {
                                Ok(()) => {}
                                Err(SendError::Full(item)) => {
                                    sharded.flush().unwrap();
                                    next = Some(item);
                                }
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                });
            }
        });
        sharded.close();
        driver.join().unwrap();
        assert_eq!(*next.lock().unwrap(), [EACH; 4]);
        let report = graph.close().unwrap();
        assert_eq!((report.accepted, report.delivered), (4 * EACH, 4 * EACH));
        assert_eq!(report.snapshot.dropped(), 0);
    });
}

#[test]
fn what_is_left_to_the_driver_is_never_run_by_those_who_send() {
    watched(|| {
        const EACH: u64 = 50_000;
        let graph = Graph::new();
        let driver = graph.spawn_thread();
        let shards = Shards::default().capacity(1_000).left_to_driver();
        let sharded = graph.sharded::<(u64, u64)>(shards);
        let seen = Arc::new(Mutex::new((vec![0; 3], Vec::new())));
        let see = seen.clone();
        sharded.sink(move |(thread, n)| {
            let (next, by) = &mut *see.lock().unwrap();
            assert_eq!(n, next[thread as usize], "of thread {thread}");
            next[thread as usize] += 1;
            by.push(std::thread::current().id());
        });
        let senders: Vec<_> = (0..3)
            .map(|thread| {
                let sharded = sharded.clone();
                std::thread::spawn(move || {
                    let mut refused = 0;
                    for n in 0..EACH {
                        let mut next = Some((thread, n));
                        while let Some(item) = next.take() {
                            if let Err(SendError::Full(item)) = sharded.send(item) {
                                refused += 1;
                                next = Some(item);
                                std::thread::yield_now();
                            }
                        }
                    }
                    (std::thread::current().id(), refused)
                })
            })
            .collect();
        let senders: Vec<_> = senders.into_iter().map(|s| s.join().unwrap()).collect();
        sharded.close();
        driver.join().unwrap();
        let (next, by) = &*seen.lock().unwrap();
        assert_eq!(*next, [EACH; 3]);
        // What is refused comes back: there was no room in 1 000 for 50 000 at once.
        assert!(senders.iter().any(|(_, refused)| *refused > 0));
        // The last of it is run by the close, which this thread may have done.
        assert!(
            by.iter()
                .all(|by| senders.iter().all(|(sender, _)| by != sender))
        );
    });
}

#[test]
fn what_is_left_to_the_driver_comes_in_time_and_what_does_not_fit_is_counted() {
    let (time, sharded) = by_hand::<u32>(Shards::default().capacity(300).left_to_driver());
    let list = sharded.sink_to_list();
    let accepted = (0..1_000).filter(|n| sharded.send_or_drop(*n)).count();
    assert_eq!((accepted, list.len()), (300, 0));
    let counts = sharded.graph().snapshot().unwrap();
    let counts = &counts.node(sharded.id()).unwrap().counts;
    assert_eq!(counts.lost(Loss::Overflow), 700);
    time.advance(MS);
    assert_eq!(list.take(), (0..300).collect::<Vec<_>>());
    // From idle again, and by whoever has the graph before its time.
    sharded.send(7).unwrap();
    assert!(list.is_empty());
    sharded.flush().unwrap();
    assert_eq!(list.take(), [7]);
}

#[test]
fn a_thread_hands_over_when_it_has_gathered_as_many_as_it_is_told_to() {
    let cases = [
        (10, 8_192, 8),
        (256, 8_192, 256),
        (1_000, 8_192, 768),
        (1_000, 100, 64),
    ];
    for (told, capacity, expected) in cases {
        let shards = Shards::default().hand_over(told).capacity(capacity);
        let (_time, sharded) = by_hand::<u32>(shards);
        let list = sharded.sink_to_list();
        for round in 0..3 {
            for n in 1..expected {
                sharded.send(n).unwrap();
            }
            assert!(list.is_empty(), "{told}, in round {round}");
            sharded.send(expected).unwrap();
            assert_eq!(list.take(), (1..=expected).collect::<Vec<_>>(), "{told}");
        }
    }
}

#[test]
fn a_driver_is_called_when_a_shard_that_is_left_to_it_is_half_full() {
    watched(|| {
        let graph = Graph::new();
        let driver = graph.spawn_thread();
        // Not before a century, were it not called.
        let century = Duration::from_secs(3_155_760_000);
        let shards = Shards::default().capacity(1_024).max_age(century);
        let sharded = graph.sharded::<u32>(shards.left_to_driver());
        let (came, comes) = mpsc::channel();
        sharded.sink(move |n| came.send(n).unwrap());
        // It is called for the first one, as nobody comes for it otherwise.
        sharded.send(0).unwrap();
        assert_eq!(comes.recv().unwrap(), 0);
        for n in 1..=512 {
            sharded.send(n).unwrap();
        }
        assert!(comes.iter().take(512).eq(1..=512));
        sharded.close();
        driver.join().unwrap();
    });
}

#[test]
fn more_threads_than_shards_share_them_and_keep_their_order() {
    let (time, sharded) = by_hand::<(u64, u64)>(Shards::default().count(2));
    let list = sharded.sink_to_list();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let sharded = &sharded;
            scope.spawn(move || (0..1_000).for_each(|n| sharded.send((thread, n)).unwrap()));
        }
    });
    time.advance(MS);
    let mut seen = HashMap::<u64, Vec<u64>>::new();
    for (thread, n) in list.take() {
        seen.entry(thread).or_default().push(n);
    }
    assert_eq!(seen.len(), 8);
    for numbers in seen.values() {
        assert_eq!(*numbers, (0..1_000).collect::<Vec<_>>());
    }
}
