//! How many are in flight, and who waits for room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::executor::block_on;
use headwater::Manual;
use headwater::prelude::*;

use super::Jobs;

#[test]
fn finished_results_that_wait_for_an_earlier_one_are_bounded() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let seen = source
        .map_async(2, move |x| start.start(x))
        .reorder(3)
        .sink_to_list();
    let mut accepted = 0;
    for _ in 0..20 {
        while source.emit(accepted).is_ok() {
            accepted += 1;
            time.settle();
        }
        if jobs.running() == 2 {
            jobs.finish(1, |x| x);
            time.settle();
        }
    }
    // The first one runs, three have finished, and with the first two in line that is all.
    assert_eq!(jobs.running(), 1);
    assert_eq!(accepted, 5);
    assert_eq!(graph.snapshot().unwrap().held(), 5);
    jobs.finish(0, |x| x);
    time.settle();
    assert_eq!(seen.take(), [0, 1, 2, 3]);
    assert_eq!(jobs.running(), 1);
}

#[test]
fn elements_beyond_the_limit_that_were_accepted_wait_in_order() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let out = source.map_async(2, move |x| start.start(x)).sink_to_list();
    // They were accepted, so they are not refused half-way.
    let many = graph.source::<u32>();
    let inner = source.downgrade();
    many.sink(move |to| (0..=to).for_each(|x| inner.emit(x).unwrap()));
    many.emit(10).unwrap();
    time.settle();
    while jobs.running() > 0 {
        assert!(jobs.running() <= 2);
        jobs.finish(0, |x| x);
        time.settle();
    }
    assert!(out.take().into_iter().eq(0..=10));
}

#[test]
fn nothing_is_started_while_somebody_downstream_is_full() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let started = Arc::new(AtomicUsize::new(0));
    let count = started.clone();
    let mut out = source
        .map_async(4, move |x| {
            count.fetch_add(1, Ordering::Relaxed);
            async move { x }
        })
        .into_stream(2);
    let mut accepted = 0;
    for _ in 0..100 {
        while source.emit(accepted).is_ok() {
            accepted += 1;
        }
        time.settle();
    }
    assert_eq!(accepted, 6, "2 in the stream, results of 2 more, 2 waiting");
    assert_eq!(started.load(Ordering::Relaxed), 4);
    source.close();
    let mut seen = Vec::new();
    while seen.len() < 6 {
        seen.push(block_on(out.next()).unwrap());
        time.settle();
    }
    assert_eq!(block_on(out.next()), None);
    assert!(seen.into_iter().eq(0..6));
}

/// Feeds `source` for as long as it takes elements, and settles until nothing moves.
fn feed(source: &Source<u32>, time: &Manual, next: &mut u32) {
    for _ in 0..50 {
        while source.emit(*next).is_ok() {
            *next += 1;
        }
        time.settle();
    }
}

#[test]
fn results_that_wait_for_a_slow_sink_count_so_that_the_sender_waits() {
    for ordered in [true, false] {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let flow = source.map_async(8, |x| async move { x });
        let jobs = Jobs::new();
        let start = jobs.clone();
        let write = move |x| start.start(x);
        if ordered {
            flow.sink_async(1, write);
        } else {
            flow.unordered().sink_async(1, write);
        }
        let mut next = 0;
        for written in 0..2_000 {
            feed(&source, &time, &mut next);
            // One is being written, and the map is full of results and of what waits.
            assert_eq!(next, written + 1 + 8);
            let snapshot = graph.snapshot().unwrap();
            let map = snapshot.named("map_async").unwrap();
            assert_eq!(map.counts.held, 8);
            assert_eq!((map.counts.capacity, map.counts.out_of_turn), (8, 0));
            assert!(map.blocked_since.is_some());
            let mut sent = Box::pin(source.send(next));
            assert!(futures::FutureExt::now_or_never(&mut sent).is_none());
            drop(sent);
            assert_eq!(
                jobs.finish(0, |_| ()),
                written,
                "in order, and none is lost"
            );
            time.settle();
        }
    }
}

#[test]
fn results_of_blocking_workers_that_wait_for_a_stalled_sink_count_too() {
    for ordered in [true, false] {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let worked = Arc::new(AtomicUsize::new(0));
        let count = worked.clone();
        let flow = source.map_blocking(4, move |x| {
            count.fetch_add(1, Ordering::Relaxed);
            x
        });
        let stalled = |_| futures::future::pending();
        if ordered {
            flow.sink_async(1, stalled);
        } else {
            flow.unordered().sink_async(1, stalled);
        }
        // The first one on its own, so that the sink is full before there is another.
        source.emit(0).unwrap();
        let patience = Instant::now() + Duration::from_secs(30);
        while graph
            .snapshot()
            .unwrap()
            .named("sink_async")
            .unwrap()
            .counts
            .held
            == 0
        {
            assert!(Instant::now() < patience);
            time.settle();
            std::thread::yield_now();
        }
        let mut next = 1;
        feed(&source, &time, &mut next);
        assert_eq!(next, 1 + 4);
        assert_eq!(worked.load(Ordering::Relaxed), 1, "nothing new was started");
        let snapshot = graph.snapshot().unwrap();
        let map = snapshot.named("map_blocking").unwrap();
        assert_eq!(map.counts.held, 4);
        assert_eq!((map.counts.capacity, map.counts.out_of_turn), (4, 0));
    }
}

#[test]
fn early_results_count_as_long_as_somebody_downstream_is_full() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let mut out = source.map_async(4, move |x| start.start(x)).into_stream(1);
    let mut next = 0;
    feed(&source, &time, &mut next);
    assert_eq!((next, jobs.running()), (4, 4));
    // The stream is full, and what finishes now is early: it has to wait for room anyway.
    jobs.finish(0, |x| x);
    time.settle();
    for _ in 0..2 {
        jobs.finish(1, |x| x);
        time.settle();
    }
    feed(&source, &time, &mut next);
    assert_eq!((next, jobs.running()), (5, 1));
    assert_eq!(
        graph
            .snapshot()
            .unwrap()
            .named("map_async")
            .unwrap()
            .counts
            .held,
        4
    );
    // With room, only the one that runs counts, and there are 4 in flight again.
    assert_eq!(block_on(out.next()), Some(0));
    feed(&source, &time, &mut next);
    assert_eq!((next, jobs.running()), (7, 4));
    jobs.finish(0, |x| x);
    time.settle();
    for x in 1..4 {
        assert_eq!(block_on(out.next()), Some(x));
        time.settle();
    }
}

#[test]
fn a_zip_that_would_wait_for_ever_behind_a_full_map_async_says_so() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let failures = Arc::new(AtomicUsize::new(0));
    let count = failures.clone();
    graph.on_error(OnError::call(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let source = graph.source::<u32>();
    let mapped = source.map_async(4, |x| async move { x });
    let rows = mapped
        .zip(source.filter(|_| false))
        .capacity(2)
        .sink_to_list();
    let mut next = 0;
    feed(&source, &time, &mut next);
    assert!(next > 2 + 4, "{next} accepted: nobody waits for ever");
    assert!(failures.load(Ordering::Relaxed) > 0);
    assert!(rows.is_empty());
}

#[test]
fn without_a_driver_futures_are_refused() {
    let source = Source::<u32>::new();
    let _ = source.map_async(1, |x| async move { x }).sink_to_list();
    assert!(matches!(source.emit(1), Err(EmitError::Undriven(1))));
}

#[test]
#[should_panic(expected = "let at least 1 element be in flight")]
fn zero_in_flight_is_rejected() {
    let _ = Source::<u32>::new().map_async(0, |x| async move { x });
}

#[test]
#[should_panic(expected = "let at least 1 finished result")]
fn zero_results_that_wait_are_rejected() {
    let _ = Source::<u32>::new()
        .map_async(1, |x| async move { x })
        .reorder(0);
}

#[test]
fn a_sender_waits_for_a_slot() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    source.sink_async(1, move |x| start.start(x));
    source.emit(1).unwrap();
    let mut waiting = Box::pin(source.send(2));
    assert!(futures::FutureExt::now_or_never(&mut waiting).is_none());
    time.settle();
    jobs.finish(0, |_| ());
    assert!(futures::FutureExt::now_or_never(&mut waiting).is_none());
    time.settle();
    assert!(futures::FutureExt::now_or_never(&mut waiting).is_some_and(|sent| sent.is_ok()));
    time.settle();
    assert_eq!(jobs.finish(0, |_| ()), 2);
}
