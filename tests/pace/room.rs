//! Full holders, and who waits for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{Loss, Lost};

use crate::naps::Night;
use crate::words::{ms, node};

/// A consumer that is busy for as long as the test likes.
fn stuck<T: Send + 'static>(flow: impl Flow<Item = T>) -> Arc<AtomicUsize> {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    flow.sink_async(1, move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        futures::future::pending()
    });
    taken
}

#[test]
fn a_full_delay_makes_the_origin_wait_until_the_first_has_gone() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.delay(ms(10)).capacity(2).sink_to_list();
    let error = source.emit_all(0..3).unwrap_err();
    assert_eq!(error.accepted, 2);
    let held = node(&graph, "delay");
    assert_eq!((held.counts.held, held.counts.capacity), (2, 2));
    assert_eq!(held.blocked_since, Some(Time::ZERO));
    time.advance(ms(10));
    assert_eq!(list.take(), [0, 1]);
    assert_eq!(node(&graph, "delay").blocked_since, None);
    source.emit(2).unwrap();
    time.advance(ms(10));
    assert_eq!(list.take(), [2]);
}

#[test]
fn whoever_waits_in_front_of_a_rate_limit_gets_in_one_by_one() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.rate_limit(ms(10)).capacity(1).sink_to_list();
    let sender = std::thread::spawn(move || {
        for x in 0..5 {
            source.blocking_send(x).unwrap();
        }
    });
    while list.len() < 5 {
        time.advance(ms(10));
        std::thread::yield_now();
    }
    sender.join().unwrap();
    assert!(time.now() >= Time::from_millis(40));
    assert_eq!(list.take(), [0, 1, 2, 3, 4]);
}

#[test]
fn an_iterator_in_front_of_pace_is_asked_for_no_more_than_may_wait() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let recording = (0u64..).inspect(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let list = graph
        .from_iter(recording)
        .pace(|x| Time::from_millis(100 * x), 1.0)
        .capacity(8)
        .sink_to_list();
    time.settle();
    assert_eq!(list.len(), 1);
    assert!(asked.load(Ordering::Relaxed) <= 9);
    time.advance(ms(10_000));
    assert_eq!(list.len(), 101);
    assert!(asked.load(Ordering::Relaxed) <= 109);
}

#[test]
fn what_waits_for_its_time_keeps_it_when_the_source_closes() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let delayed = source.delay(ms(50)).sink_to_list();
    let limited = source.rate_limit(ms(30)).sink_to_list();
    let paced = source
        .pace(|x| Time::from_millis(40 * u64::from(*x)), 1.0)
        .sink_to_list();
    source.emit_all([0, 1]).unwrap();
    source.close();
    assert!(delayed.is_empty());
    assert_eq!((limited.len(), paced.len()), (1, 1));
    time.advance(ms(29));
    assert_eq!(limited.len(), 1);
    time.advance(ms(1));
    assert_eq!((limited.len(), paced.len()), (2, 1));
    time.advance(ms(10));
    assert_eq!((delayed.len(), paced.len()), (0, 2));
    time.advance(ms(10));
    assert_eq!(delayed.take(), [0, 1]);
    assert!(block_on(graph.shutdown()).unwrap().complete);
}

#[test]
fn a_shutdown_waits_for_what_is_delayed_and_one_with_a_limit_does_not() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.delay(ms(50)).sink_to_list();
    let receipt = source.emit_tracked(1).unwrap();
    let report = graph.close().unwrap();
    assert!(report.complete);
    assert_eq!(report.snapshot.at, Time::from_millis(50));
    assert_eq!(list.take(), [1]);
    assert_eq!(receipt.outcome(), Some(Ok(())));

    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let list = source.delay(Duration::from_secs(3600)).sink_to_list();
    let receipt = source.emit_tracked(1).unwrap();
    let report = block_on(graph.shutdown_within(ms(5))).unwrap();
    assert!(!report.complete);
    assert_eq!(report.snapshot.named("delay").unwrap().counts.held, 1);
    assert!(list.is_empty());
    assert_eq!(block_on(receipt), Err(Lost::TornDown));
    drop(driver);
}

#[test]
fn the_newest_element_outlives_a_close_while_somebody_is_full() {
    let graph = Graph::new();
    let night = Night::new(graph.drive_manually());
    let source = graph.source::<u32>();
    let slow = |flow: headwater::BoxFlow<u32>| {
        let clock = night.clock.clone();
        let list = Arc::new(Mutex::new(Vec::new()));
        let writer = list.clone();
        flow.sink_async(1, move |x| {
            let (work, list) = (clock.sleep(1000), writer.clone());
            async move {
                work.await;
                list.lock().unwrap().push(x);
            }
        });
        list
    };
    let lists = [
        slow(source.latest().boxed()),
        slow(source.sample(ms(10)).boxed()),
        slow(source.debounce(ms(10)).boxed()),
    ];
    for x in 0..4 {
        night.emit_waiting(&source, x);
        night.advance(10);
    }
    source.close();
    night.advance(500);
    assert_eq!(graph.snapshot().unwrap().held(), 6);
    night.advance(3000);
    for list in lists {
        assert_eq!(*list.lock().unwrap(), [0, 3]);
    }
    assert!(block_on(graph.shutdown()).unwrap().complete);
}

#[test]
fn where_much_comes_and_nothing_goes_one_element_is_held() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let taken = [
        stuck(source.latest()),
        stuck(source.conflate(|sum, x| *sum = sum.wrapping_add(x))),
        stuck(source.sample(ms(1))),
        stuck(source.debounce(ms(1))),
    ];
    for x in 0..1000 {
        source.emit(x).unwrap();
        time.advance(ms(1));
    }
    let snapshot = graph.snapshot().unwrap();
    for (kind, lost) in [
        ("latest", 998),
        ("conflate", 0),
        ("sample", 998),
        ("debounce", 998),
    ] {
        let counts = snapshot.named(kind).unwrap().counts;
        assert_eq!((counts.held, counts.capacity), (1, 1), "{kind}");
        assert_eq!(counts.passed, 1000, "{kind}");
        assert_eq!(counts.lost(Loss::Superseded), lost, "{kind}");
    }
    assert!(taken.iter().all(|taken| taken.load(Ordering::Relaxed) == 1));
}

#[test]
fn throttle_counts_what_it_drops_and_needs_no_driver() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source.throttle(Duration::from_secs(3600)).sink_to_list();
    let first = source.emit_tracked(0).unwrap();
    let second = source.emit_tracked(1).unwrap();
    assert_eq!(source.emit_all(2..10).unwrap(), 8);
    assert_eq!(list.take(), [0]);
    assert_eq!(first.outcome(), Some(Ok(())));
    assert_eq!(second.outcome(), Some(Err(Lost::Discarded)));
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(
        snapshot
            .named("throttle")
            .unwrap()
            .counts
            .lost(Loss::Excess),
        9
    );
    assert!(snapshot.to_string().contains("9 excess"), "{snapshot}");
}

#[test]
fn what_is_due_together_goes_in_turns_that_others_share() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let order = Arc::new(Mutex::new(Vec::new()));
    let (first, second) = (order.clone(), order.clone());
    source
        .delay(ms(10))
        .sink(move |_| first.lock().unwrap().push('a'));
    source
        .delay(ms(10))
        .sink(move |_| second.lock().unwrap().push('b'));
    source.emit_all(0..1000).unwrap();
    time.advance(ms(10));
    let order = order.lock().unwrap();
    assert_eq!(order.len(), 2000);
    assert!(order[..600].contains(&'b'));
    assert!(order[1500..].contains(&'a'));
}

#[test]
fn a_zip_that_waits_for_what_is_delayed_does_not_starve() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let pairs = source.zip(source.delay(ms(10))).capacity(2).sink_to_list();
    source.emit(0).unwrap();
    source.emit(1).unwrap();
    time.advance(ms(5));
    assert!(source.emit(2).unwrap_err().is_full());
    time.advance(ms(5));
    assert_eq!(pairs.take(), [(0, 0), (1, 1)]);
    source.emit(2).unwrap();
    source.close();
    time.advance(ms(10));
    assert_eq!(pairs.take(), [(2, 2)]);
}
