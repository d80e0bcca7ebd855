//! The coarse clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headwater::prelude::*;

use super::MS;
use crate::watched::watched;

#[test]
fn the_coarse_time_is_exact_by_hand_and_goes_on_where_the_clock_before_stood() {
    let graph = Graph::new();
    let sharded = graph.sharded::<u32>(Shards::default());
    let before = sharded.now();
    let time = graph.drive_manually();
    let start = sharded.now();
    assert!(start >= before);
    assert_eq!(start, time.now());
    sharded.send(1).unwrap();
    for _ in 0..50 {
        time.advance(MS / 3);
        assert_eq!(sharded.now(), time.now());
    }
    drop(time);
    let driver = graph.spawn_thread();
    assert!(sharded.now() >= start + 16 * MS);
    sharded.close();
    driver.join().unwrap();
}

#[test]
fn after_a_pause_the_coarse_time_is_that_of_the_clock() {
    let graph = Graph::new();
    let _driver = graph.spawn_thread();
    let sharded = graph.sharded::<u32>(Shards::default());
    sharded.sink(drop);
    sharded.send(1).unwrap();
    while graph.snapshot().unwrap().next_deadline.is_some() {
        std::thread::yield_now();
    }
    let before = sharded.now();
    std::thread::sleep(20 * MS);
    assert!(sharded.now() - before >= 20 * MS);
}

#[test]
fn the_coarse_time_runs_backwards_for_nobody() {
    watched(|| {
        let graph = Graph::new();
        let driver = graph.spawn_thread();
        let sharded = graph.sharded::<Time>(Shards::default().max_age(MS / 10));
        sharded.sink(drop);
        let latest = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for n in 0..20_000 {
                        let seen = latest.load(Ordering::Acquire);
                        let now = sharded.now();
                        assert!(now.as_nanos() >= seen);
                        latest.fetch_max(now.as_nanos(), Ordering::AcqRel);
                        sharded.send_or_drop(now);
                        if n % 1_000 == 0 {
                            // Long enough for the source to come to rest.
                            std::thread::sleep(10 * MS);
                        }
                    }
                });
            }
        });
        sharded.close();
        driver.join().unwrap();
    });
}

#[tokio::test(start_paused = true)]
async fn a_driver_on_a_runtime_drains_on_its_clock() {
    let graph = Graph::new();
    let _driver = graph.spawn();
    let sharded = graph.sharded::<(Time, u32)>(Shards::default());
    let list = sharded.sink_to_list();
    tokio::time::sleep(Duration::from_secs(5)).await;
    sharded.send((sharded.now(), 1)).unwrap();
    assert!(list.is_empty());
    tokio::time::sleep(20 * MS).await;
    assert_eq!(list.take(), [(Time::from_millis(5_000), 1)]);
    sharded.send((sharded.now(), 2)).unwrap();
    sharded.flushed().await.unwrap();
    assert_eq!(list.take(), [(Time::from_millis(5_020), 2)]);
}
