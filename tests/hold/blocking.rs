//! Closures that block, on threads of their own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use headwater::WorkerPanicked;
use headwater::prelude::*;

#[test]
fn blocking_closures_run_side_by_side_and_their_results_in_order() {
    let graph = Graph::new();
    let all_at_once = Arc::new(Barrier::new(4));
    let out = graph
        .from_iter(0..400u32)
        .map_blocking(4, move |x| {
            // Passes only if four elements are at work together.
            all_at_once.wait();
            x * 2
        })
        .sink_to_list();
    graph.run().unwrap();
    assert!(out.take().into_iter().eq((0..400).map(|x| x * 2)));
}

#[test]
fn blocking_closures_are_never_more_than_n() {
    let graph = Graph::new();
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let peak = most.clone();
    let out = graph
        .from_iter(0..200u32)
        .map_blocking(3, move |x| {
            peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
            x
        })
        .unordered()
        .sink_to_list();
    graph.run().unwrap();
    let mut out = out.take();
    out.sort_unstable();
    assert!(out.into_iter().eq(0..200));
    assert!(most.load(Ordering::SeqCst) <= 3);
}

#[test]
fn a_blocking_closure_that_panics_fails_its_element_only() {
    let graph = Graph::new();
    let failures = Arc::new(Mutex::new(Vec::new()));
    let log = failures.clone();
    graph.on_error(OnError::call(move |failure| {
        let panicked = failure.error().downcast_ref::<WorkerPanicked>().unwrap();
        log.lock()
            .unwrap()
            .push((failure.node().to_owned(), panicked.message.clone()));
    }));
    let out = graph
        .from_iter(0..5)
        .map_blocking(2, |x| {
            assert!(x != 2, "not {x}");
            x
        })
        .named("halve")
        .sink_to_list();
    graph.run().unwrap();
    assert_eq!(out.take(), [0, 1, 3, 4]);
    assert_eq!(
        *failures.lock().unwrap(),
        [("halve".to_owned(), "not 2".to_owned())]
    );
}

#[test]
fn worker_threads_end_with_the_node() {
    let alive = Arc::new(());
    let watch = Arc::downgrade(&alive);
    let graph = Graph::new();
    let out = graph
        .from_iter(0..10)
        .map_blocking(2, move |x| {
            let _ = &alive;
            x
        })
        .sink_to_list();
    graph.run().unwrap();
    assert!(watch.upgrade().is_some());
    drop((graph, out));
    let patience = Instant::now() + Duration::from_secs(10);
    while watch.upgrade().is_some() {
        assert!(Instant::now() < patience, "a worker thread still lives");
        std::thread::yield_now();
    }
}

#[test]
fn threads_that_send_through_blocking_workers_lose_nothing() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.map_blocking(3, |x| x).unordered().sink_to_list();
    let done = Arc::new(AtomicUsize::new(0));
    let through = done.clone();
    let driver = std::thread::spawn(move || {
        while through.load(Ordering::Acquire) == 0 {
            time.settle();
            std::thread::yield_now();
        }
    });
    let senders: Vec<_> = (0..4u32)
        .map(|thread| {
            let source = source.clone();
            std::thread::spawn(move || {
                for x in 0..250 {
                    source.blocking_send(thread * 250 + x).unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    let patience = Instant::now() + Duration::from_secs(30);
    while list.len() < 1_000 {
        assert!(Instant::now() < patience, "{} of 1000", list.len());
        std::thread::yield_now();
    }
    done.store(1, Ordering::Release);
    driver.join().unwrap();
    let mut seen = list.take();
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..1_000));
}
