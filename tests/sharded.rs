//! The sharded source: what many threads send is gathered, drained in time, and never lost in silence.

mod watched;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use headwater::prelude::*;
use headwater::{Loss, Role, SendError};
use proptest::prelude::*;
use watched::watched;

const MS: Duration = Duration::from_millis(1);

/// A sharded source on a graph that is driven by hand.
fn by_hand<T: Clone + Send + 'static>(shards: Shards) -> (headwater::Manual, Sharded<T>) {
    let graph = Graph::new();
    let time = graph.drive_manually();
    (time, graph.sharded(shards))
}

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
#[should_panic(expected = "`hand_over(0)` leaves nothing to hand over")]
fn nothing_cannot_be_handed_over() {
    let _ = Shards::default().hand_over(0);
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

#[test]
fn what_was_sent_is_in_the_graph_when_its_age_is_over_and_not_before() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let list = sharded.sink_to_list();
    sharded.send(1).unwrap();
    time.advance(MS / 2);
    sharded.send(2).unwrap();
    assert_eq!(list.take(), [0; 0]);
    time.advance(MS / 2);
    assert_eq!(list.take(), [1, 2]);
    // While elements flow the driver comes each millisecond.
    sharded.send(3).unwrap();
    time.advance(MS / 2);
    assert_eq!(list.take(), [0; 0]);
    time.advance(MS / 2);
    assert_eq!(list.take(), [3]);
}

#[test]
fn a_thread_that_has_filled_a_batch_hands_it_over() {
    let (_time, sharded) = by_hand::<u32>(Shards::default());
    let list = sharded.sink_to_list();
    for n in 0..600 {
        sharded.send(n).unwrap();
    }
    assert_eq!(list.take(), (0..512).collect::<Vec<_>>());
}

#[test]
fn nobody_has_to_come_once_nothing_is_sent_any_more() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let _list = sharded.sink_to_list();
    let graph = sharded.graph();
    assert_eq!(graph.snapshot().unwrap().next_deadline, None);
    sharded.send(1).unwrap();
    assert_eq!(
        graph.snapshot().unwrap().next_deadline,
        Some(Time::from_millis(1))
    );
    time.advance(10 * MS);
    assert_eq!(graph.snapshot().unwrap().next_deadline, None);
    // And then somebody does again.
    sharded.send(2).unwrap();
    assert_eq!(
        graph.snapshot().unwrap().next_deadline,
        Some(Time::from_millis(11))
    );
}

#[test]
fn a_window_that_ends_has_all_that_was_sent_before_its_end() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let windows = sharded.timed_window(Duration::from_secs(3)).sink_to_list();
    sharded.send(1).unwrap();
    time.advance(Duration::from_micros(2_999_500));
    sharded.send(2).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| sharded.send(3).unwrap());
    });
    // The drain itself would be due half a millisecond after the end.
    time.advance(Duration::from_micros(500));
    let mut window = windows.take().remove(0);
    window.sort_unstable();
    assert_eq!(window, [1, 2, 3]);
    // At the very end, and so in the next one.
    sharded.send(4).unwrap();
    time.advance(Duration::from_secs(3));
    assert_eq!(windows.take(), [[4]]);
}

#[test]
fn one_step_over_a_whole_window_drains_first() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let windows = sharded.timed_window(Duration::from_secs(3)).sink_to_list();
    sharded.send(1).unwrap();
    time.advance(Duration::from_secs(3));
    assert_eq!(windows.take(), [[1]]);
}

#[test]
fn an_element_that_waits_below_is_let_go_at_its_own_moment() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let graph = sharded.graph();
    let list = sharded.delay(MS / 4).sink_to_list();
    let log = Arc::new(Mutex::new(Vec::new()));
    let (seen, weak) = (log.clone(), sharded.downgrade());
    sharded.delay(MS / 4).sink(move |n| {
        let now = weak.upgrade().map(|sharded| sharded.now());
        seen.lock().unwrap().push((n, now.unwrap()));
    });
    sharded.send(1).unwrap();
    time.advance(2 * MS);
    assert_eq!(list.take(), [1]);
    assert_eq!(
        *log.lock().unwrap(),
        [(1, Time::from(Duration::from_micros(250)))]
    );
    assert_eq!(graph.snapshot().unwrap().held(), 0);
}

#[test]
fn a_clock_that_the_data_lead_drains_before_a_window_ends() {
    let graph = Graph::new();
    let records = graph.source::<u64>();
    records.lead_clock(|ms| Time::from_millis(*ms));
    let sharded = graph.sharded::<u64>(Shards::default());
    let windows = sharded.timed_window(10 * MS).sink_to_list();
    records.sink(drop);
    // The elements bring the time along, so that nobody has to drive.
    records.emit(5).unwrap();
    sharded.send(1).unwrap();
    assert_eq!(sharded.now(), Time::from_millis(5));
    records.emit_all([6, 7]).unwrap();
    sharded.send(2).unwrap();
    assert_eq!(sharded.now(), Time::from_millis(7));
    records.emit(10).unwrap();
    assert_eq!(windows.take(), [[1, 2]]);
    sharded.send(3).unwrap();
    records.emit(25).unwrap();
    assert_eq!(windows.take(), [[3]]);
    sharded.send(4).unwrap();
    drop(sharded);
    drop(records);
    graph.close().unwrap();
    assert_eq!(windows.take(), [[4]]);
}

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

#[test]
fn it_shows_in_the_topology_with_its_name_and_place() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let sharded = graph.sharded::<u32>(Shards::default()).named("hits");
    let line = line!() - 1;
    sharded.sink(drop);
    let topology = graph.topology();
    let node = topology
        .nodes()
        .iter()
        .find(|n| n.label().kind() == "sharded")
        .unwrap();
    assert_eq!(node.role(), Role::Source);
    assert_eq!(node.label().title(), "hits");
    assert_eq!(node.label().location().file(), file!());
    assert_eq!(node.label().location().line(), line);
    assert_eq!(node.label().id(), sharded.id());
    assert_eq!(topology.downstreams(sharded.id()).count(), 1);
    sharded.send(1).unwrap();
    let snapshot = graph.snapshot().unwrap();
    let node = snapshot.named("hits").unwrap();
    assert_eq!((node.counts.held, node.counts.passed), (1, 0));
    assert_eq!(node.oldest, Some(Time::ZERO));
}

#[test]
fn what_is_destroyed_drains_and_goes() {
    let (_time, sharded) = by_hand::<u32>(Shards::default());
    let graph = sharded.graph();
    let list = sharded.sink_to_list();
    sharded.send(1).unwrap();
    sharded.destroy();
    assert_eq!(list.take(), [1]);
    assert!(graph.topology().nodes().is_empty());
    let snapshot = graph.snapshot().unwrap();
    assert!(snapshot.nodes.is_empty());
    assert_eq!((snapshot.gone.accepted, snapshot.gone.delivered), (1, 1));
    assert_eq!(snapshot.dropped(), 0);
    assert!(matches!(sharded.send(2), Err(SendError::Closed(2))));
    // The graph has no timer any more, and so needs no driver.
    let plain = graph.source::<u32>();
    drop(_time);
    plain.sink(drop);
    plain.emit(1).unwrap();
}

#[test]
fn a_run_of_pumps_takes_along_what_was_sent() {
    let graph = Graph::new();
    let sharded = graph.sharded::<u32>(Shards::default());
    let list = sharded.sink_to_list();
    let weak = sharded.downgrade();
    graph.from_iter(0..3).sink(move |n| weak.send(n).unwrap());
    graph.run().unwrap();
    assert_eq!(list.take(), [0, 1, 2]);
}

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
                            std::thread::sleep(MS);
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
    tokio::time::sleep(5 * MS).await;
    assert_eq!(list.take(), [(Time::from_millis(5_000), 1)]);
    sharded.send((sharded.now(), 2)).unwrap();
    sharded.flushed().await.unwrap();
    assert_eq!(list.take(), [(Time::from_millis(5_005), 2)]);
}

#[test]
#[should_panic(expected = "`capacity(0)` could hold nothing")]
fn no_capacity_is_no_shard() {
    let _ = Shards::default().capacity(0);
}

#[test]
#[should_panic(expected = "has 1 shard at least")]
fn no_shard_is_no_source() {
    let _ = Shards::default().count(0);
}

#[test]
#[should_panic(expected = "leaves no time to gather a batch")]
fn no_age_is_no_batch() {
    let _ = Shards::default().max_age(Duration::ZERO);
}

/// What happens to the source, in any order.
#[derive(Clone, Debug)]
enum Op {
    Send(usize),
    /// As many, from another thread.
    SendElsewhere(usize),
    Flush,
    Advance(u64),
    Close,
    Undrive,
    Drive,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1..40_usize).prop_map(Op::Send),
        3 => (1..40_usize).prop_map(Op::SendElsewhere),
        2 => Just(Op::Flush),
        8 => (0..3_000_u64).prop_map(Op::Advance),
        1 => Just(Op::Close),
        1 => Just(Op::Undrive),
        2 => Just(Op::Drive),
    ]
}

/// Another thread, always the same one.
struct Elsewhere {
    jobs: mpsc::Sender<Box<dyn FnOnce() -> u64 + Send>>,
    counts: mpsc::Receiver<u64>,
}

impl Elsewhere {
    fn new() -> Elsewhere {
        let (jobs, to_do) = mpsc::channel::<Box<dyn FnOnce() -> u64 + Send>>();
        let (done, counts) = mpsc::channel();
        std::thread::spawn(move || {
            to_do
                .iter()
                .map(|job| job())
                .try_for_each(|count| done.send(count))
        });
        Elsewhere { jobs, counts }
    }

    fn run(&self, job: impl FnOnce() -> u64 + Send + 'static) -> u64 {
        self.jobs.send(Box::new(job)).unwrap();
        self.counts.recv().unwrap()
    }
}

proptest! {
    #[test]
    fn whatever_happens_each_accepted_element_comes_once_in_order_and_in_its_window(
        ops in prop::collection::vec(op(), 1..60),
        capacity in 1..50_usize,
        age in 1..1_500_u64,
    ) {
        const WINDOW: u64 = 2_000;
        let age = Duration::from_micros(age);
        let graph = Graph::new();
        let mut time = Some(graph.drive_manually());
        let sharded = graph.sharded::<(bool, u64, Time)>(
            Shards::default().count(2).capacity(capacity).max_age(age),
        );
        let list = sharded.sink_to_list();
        let windows = sharded.timed_window(Duration::from_micros(WINDOW)).sink_to_list();
        let other = Elsewhere::new();
        let (mut sent, mut delivered) = ([0; 2], [0; 2]);
        let (mut open, mut in_graph) = (true, [0; 2]);
        for op in ops {
            let now = graph.snapshot().unwrap().at;
            prop_assert_eq!(sharded.now(), now);
            match &op {
                Op::Send(n) | Op::SendElsewhere(n) => {
                    let elsewhere = matches!(op, Op::SendElsewhere(_));
                    let first = sent[usize::from(elsewhere)];
                    let (closed, undriven) = (!open, time.is_none());
                    let (sharded, n) = (sharded.clone(), *n as u64);
                    let send = move || (first..first + n).take_while(|next| {
                        match sharded.send((elsewhere, *next, sharded.now())) {
                            Ok(()) => true,
                            Err(SendError::Closed(_)) if closed => false,
                            Err(SendError::Undriven(_)) if undriven => false,
                            Err(other) => panic!("{other}"),
                        }
                    }).count() as u64;
                    let count = match elsewhere {
                        true => other.run(send),
                        false => send(),
                    };
                    prop_assert_eq!(count, if closed || undriven { 0 } else { n });
                    sent[usize::from(elsewhere)] += count;
                }
                Op::Flush => sharded.flush().unwrap(),
                Op::Advance(micros) => {
                    let by = Duration::from_micros(*micros);
                    if let Some(time) = &time {
                        time.advance(by);
                        if by >= age {
                            in_graph = sent;
                        }
                    }
                }
                Op::Close => {
                    sharded.close();
                    open = false;
                }
                Op::Undrive => time = None,
                Op::Drive => {
                    if time.is_none() {
                        time = Some(graph.drive_manually());
                    }
                }
            }
            if matches!(op, Op::Flush | Op::Close) {
                in_graph = sent;
            }
            for (elsewhere, n, _) in list.take() {
                prop_assert_eq!(n, delivered[usize::from(elsewhere)]);
                delivered[usize::from(elsewhere)] += 1;
            }
            for at in 0..2 {
                prop_assert!(delivered[at] >= in_graph[at], "{:?}: {:?}", op, delivered);
                prop_assert!(delivered[at] <= sent[at]);
            }
            let held = graph.snapshot().unwrap().named("sharded").unwrap().counts.held;
            let (sent, delivered): (u64, u64) = (sent.iter().sum(), delivered.iter().sum());
            prop_assert_eq!(held, sent - delivered);
        }
        sharded.close();
        graph.close().unwrap();
        for (elsewhere, n, _) in list.take() {
            prop_assert_eq!(n, delivered[usize::from(elsewhere)]);
            delivered[usize::from(elsewhere)] += 1;
        }
        prop_assert_eq!(delivered, sent);
        // Each in a window that it may belong to, given the age that it may have there.
        let mut counted = 0;
        for window in windows.take() {
            let spans = |at: Time| {
                let at = at.as_nanos() / 1_000;
                let age = age.as_micros() as u64;
                at.saturating_sub(age) / WINDOW..=(at + age) / WINDOW
            };
            counted += window.len() as u64;
            let first = window.iter().map(|(.., at)| *spans(*at).start()).max().unwrap();
            let last = window.iter().map(|(.., at)| *spans(*at).end()).min().unwrap();
            prop_assert!(first <= last, "{:?}", window);
        }
        prop_assert_eq!(counted, sent.iter().sum::<u64>());
    }
}

/// What happens to a source whose consumer is slow.
#[derive(Clone, Debug)]
enum Slow {
    Send(u64),
    Take(usize),
    Flush,
    Advance(u64),
    Settle,
}

fn slow() -> impl Strategy<Value = Slow> {
    prop_oneof![
        6 => (1..100_u64).prop_map(Slow::Send),
        6 => (1..60_usize).prop_map(Slow::Take),
        1 => Just(Slow::Flush),
        3 => (0..3_000_u64).prop_map(Slow::Advance),
        2 => Just(Slow::Settle),
    ]
}

proptest! {
    #[test]
    fn whatever_a_slow_consumer_does_what_was_accepted_comes_in_order_and_the_rest_is_counted(
        ops in prop::collection::vec(slow(), 1..80),
        capacity in 1..300_usize,
        room in 1..300_usize,
        ends in prop::bool::ANY,
    ) {
        let (time, sharded) = by_hand::<u64>(Shards::default().capacity(capacity));
        let graph = sharded.graph();
        let mut stream = sharded.into_stream(room);
        let (mut next, mut refused) = (0, 0);
        let (mut accepted, mut came) = (Vec::new(), Vec::new());
        for op in ops {
            match op {
                Slow::Send(n) => for _ in 0..n {
                    match sharded.send_or_drop(next) {
                        true => accepted.push(next),
                        false => refused += 1,
                    }
                    next += 1;
                },
                Slow::Take(n) => for _ in 0..n {
                    came.extend(stream.next().now_or_never().flatten());
                },
                Slow::Flush => {
                    let full = match sharded.flush() {
                        Err(GraphError::Full(held)) => held,
                        other => {
                            other.unwrap();
                            0
                        }
                    };
                    let held = graph.snapshot().unwrap().named("sharded").unwrap().counts.held;
                    prop_assert_eq!(full as u64, held);
                }
                Slow::Advance(micros) => time.advance(Duration::from_micros(micros)),
                Slow::Settle => time.settle(),
            }
            let snapshot = graph.snapshot().unwrap();
            let counts = &snapshot.named("sharded").unwrap().counts;
            prop_assert_eq!(counts.lost(Loss::Overflow), refused);
            prop_assert_eq!(counts.passed + counts.held, accepted.len() as u64);
            prop_assert!(counts.held <= capacity as u64);
            prop_assert!(counts.passed <= (came.len() + room + 1) as u64);
        }
        if ends {
            sharded.close();
        } else {
            // Somebody comes for the rest by itself.
            while came.len() < accepted.len() {
                let before = came.len();
                time.advance(2 * MS);
                while let Some(Some(n)) = stream.next().now_or_never() {
                    came.push(n);
                }
                prop_assert!(came.len() > before, "{} of {}", before, accepted.len());
            }
            drop(sharded);
            time.settle();
        }
        while let Some(n) = stream.next().now_or_never() {
            time.settle();
            match n {
                Some(n) => came.push(n),
                None => break,
            }
        }
        prop_assert_eq!(came, accepted);
        prop_assert_eq!(graph.snapshot().unwrap().held(), 0);
    }
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
