//! Branches, cycles and threads; what is counted and allocated.

use std::time::Duration;

use futures::executor::block_on;
use headwater::prelude::*;

use crate::naps::Night;
use crate::words::{ms, node};

#[test]
fn on_idle_holds_its_tongue_while_somebody_is_full_and_counts_what_it_skips() {
    let graph = Graph::new();
    let night = Night::new(graph.drive_manually());
    let source = graph.source::<u32>();
    let clock = night.clock.clone();
    let list = source
        .on_idle(ms(10), || 99)
        .filter(|x| *x == 99)
        .map_async(1, move |x| {
            let work = clock.sleep(30);
            async move {
                work.await;
                x
            }
        })
        .sink_to_list();
    let until = |at: u64| (night.clock.now()..at).for_each(|_| night.advance(1));
    until(12);
    source.emit(1).unwrap();
    // Idle again from 22 on, and the consumer is busy.
    until(29);
    source.emit(2).unwrap();
    assert_eq!(node(&graph, "on_idle").counts.skipped, 1);
    until(39);
    assert_eq!(list.get(), [99]);
    until(100);
    assert_eq!(list.get(), [99, 99]);
}

#[test]
fn a_branch_that_is_taken_off_drains_at_its_time() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.delay(ms(10)).sink_to_list();
    source.emit(1).unwrap();
    list.branch().clone().disconnect();
    source.emit(2).unwrap();
    assert_eq!(node(&graph, "delay").counts.held, 1);
    time.advance(ms(10));
    assert_eq!(list.take(), [1]);
}

#[test]
fn a_delayed_element_may_come_round_again() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let again = source.downgrade();
    let list = source
        .delay(ms(10))
        .inspect(move |x| {
            if *x < 3 {
                again.emit(x + 1).unwrap();
            }
        })
        .sink_to_list();
    source.emit(0).unwrap();
    time.advance(ms(25));
    assert_eq!(list.get(), [0, 1]);
    time.advance(ms(100));
    assert_eq!(list.take(), [0, 1, 2, 3]);
}

#[test]
fn four_threads_lose_nothing_in_what_loses_nothing() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let delayed = source.delay(ms(1)).capacity(64).sink_to_list();
    let limited = source
        .rate_limit(Duration::from_micros(1))
        .at_most(3)
        .sink_to_list();
    let merged = source
        .map(|x| vec![x])
        .conflate(|waiting, mut more| waiting.append(&mut more))
        .sink_to_list();
    let newest = source.latest().sink_to_list();
    let senders: Vec<_> = (0..4)
        .map(|thread| {
            let source = source.clone();
            std::thread::spawn(move || {
                for x in 0..500 {
                    source.blocking_send(thread * 1000 + x).unwrap();
                }
            })
        })
        .collect();
    senders
        .into_iter()
        .for_each(|sender| sender.join().unwrap());
    let report = block_on(graph.shutdown()).unwrap();
    assert!(report.complete);
    let all = delayed.take();
    assert_eq!(all.len(), 2000);
    for thread in 0..4 {
        let own = all.iter().filter(|x| **x / 1000 == thread);
        assert!(own.copied().eq(thread * 1000..thread * 1000 + 500));
    }
    assert_eq!(limited.take(), all);
    assert_eq!(merged.take().concat(), all);
    let newest = newest.take();
    assert_eq!(newest.last(), all.last());
    let lost = report.snapshot.named("latest").unwrap().counts.dropped();
    assert_eq!(newest.len() as u64 + lost, 2000);
    drop(driver);
}

#[test]
fn a_branch_of_latest_that_is_taken_off_lets_the_newest_go() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.latest().sink_to_list();
    source.emit_all([1, 2]).unwrap();
    list.branch().clone().disconnect();
    source.emit(3).unwrap();
    time.settle();
    assert_eq!(list.take(), [2]);
}

#[test]
fn nothing_is_allocated_for_an_element_that_waits_or_gives_way() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    source.delay(ms(2)).sink(drop);
    source.rate_limit(ms(1)).at_most(50).sink(drop);
    source.pace(|x| Time::from_millis(x / 40), 1.0).sink(drop);
    source.throttle(ms(3)).sink(drop);
    source.sample(ms(3)).sink(drop);
    source.debounce(ms(1)).sink(drop);
    source.latest().sink(drop);
    source.conflate(|sum, x| *sum += x).sink(drop);
    source.on_idle(ms(1), || 0).sink(drop);
    let mut next = 0;
    let mut play = |steps: u64| {
        for _ in 0..steps {
            for _ in 0..40 {
                source.emit(next).unwrap();
                next += 1;
            }
            time.advance(ms(1));
        }
    };
    play(50);
    let allocated = allocation_counter::measure(|| play(100));
    // A turn of the driver has its wakers, and there were forty elements to each.
    assert!(allocated.count_total <= 4 * 100, "{allocated:?}");
}
