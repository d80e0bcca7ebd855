//! What is let go with the last element.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use headwater::prelude::*;

use super::SECOND;
use crate::cuts::nodes;

#[test]
fn with_its_last_element_a_flow_closes_what_is_below() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let groups = source.take(3).partition(2).sink_to_list();
    let windows = source.take(3).timed_window(SECOND).sink_to_list();
    let last = source.take(3).buffer(10).rolling(2, Sum).sink_to_list();
    source.emit_all([1, 2]).unwrap();
    assert_eq!(groups.take(), [[1, 2]]);
    assert!(windows.is_empty());
    source.emit(3).unwrap();
    assert_eq!(groups.take(), [[3]]);
    assert_eq!(windows.take(), [[1, 2, 3]]);
    time.settle();
    assert_eq!(last.take(), [1, 3, 5]);
    assert_eq!(nodes(&graph), ["source"], "all ends have closed");
    assert!(!source.is_closed());
    source.emit(4).unwrap();
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
}

#[test]
fn what_closures_captured_goes_with_the_end() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let captured = Arc::new(());
    let (a, b, c) = (captured.clone(), captured.clone(), captured.clone());
    source
        .map(move |x| drop((a.clone(), x)))
        .take(2)
        .map(move |()| drop(b.clone()))
        .sink(move |()| drop(c.clone()));
    source.emit(1).unwrap();
    assert_eq!(Arc::strong_count(&captured), 4);
    source.emit(2).unwrap();
    assert_eq!(Arc::strong_count(&captured), 1);
}

#[test]
fn siblings_go_on_and_no_element_is_missed_by_those_that_come_later() {
    let source = Source::<u32>::new();
    let all = source.sink_to_list();
    let firsts: Vec<_> = (0..5).map(|n| source.take(n).sink_to_list()).collect();
    source.emit_all(0..3).unwrap();
    let late = source.take(2).sink_to_list();
    source.emit_all(3..10).unwrap();
    assert_eq!(all.take(), (0..10).collect::<Vec<_>>());
    for (n, list) in (0..).zip(firsts) {
        assert_eq!(list.take(), (0..n).collect::<Vec<_>>());
    }
    assert_eq!(late.take(), [3, 4]);
}

#[test]
fn an_iterator_without_end_is_pumped_no_further_than_it_must() {
    for wide in [false, true] {
        let graph = Graph::new();
        let drawn = Arc::new(AtomicUsize::new(0));
        let count = drawn.clone();
        let numbers = (0..).inspect(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let flow = graph.from_iter(numbers).map(|x| x + 1).take(5);
        let list = match wide {
            false => flow.sink_to_list(),
            true => flow.share().sink_to_list(),
        };
        graph.run().unwrap();
        assert_eq!(list.take(), [1, 2, 3, 4, 5]);
        assert_eq!(drawn.load(Ordering::Relaxed), 5);
        let report = graph.close().unwrap();
        assert_eq!((report.accepted, report.delivered), (5, 5));
    }
}

#[test]
fn a_driver_finishes_once_the_only_flow_has_had_enough() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let list = graph
        .from_iter(0..)
        .buffer(4)
        .filter(|x| x % 2 == 0)
        .take(3)
        .sink_to_list();
    driver.join().unwrap();
    assert_eq!(list.take(), [0, 2, 4]);
    assert!(nodes(&graph).is_empty());
}

#[test]
fn a_stream_is_dropped_with_the_end() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let graph = Graph::new();
    let time = graph.drive_manually();
    let dropped = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = futures::channel::mpsc::unbounded::<u32>();
    let guard = Dropped(dropped.clone());
    let stream = futures::StreamExt::map(receiver, move |x| (&guard, x).1);
    let list = graph.from_stream(stream).take(2).sink_to_list();
    sender.unbounded_send(1).unwrap();
    time.settle();
    assert!(!dropped.load(Ordering::Relaxed));
    sender.unbounded_send(2).unwrap();
    sender.unbounded_send(3).unwrap();
    time.settle();
    assert!(dropped.load(Ordering::Relaxed));
    assert!(sender.unbounded_send(4).is_err(), "nobody listens");
    assert_eq!(list.take(), [1, 2]);
}

#[test]
fn what_was_pumped_is_acknowledged_after_the_end_too() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let acked = Arc::new(Mutex::new(Vec::new()));
    let slot = acked.clone();
    let items = futures::stream::iter((0..).map(|x| (x, x)));
    let flow = graph.from_acked_stream(items, move |x, outcome| {
        slot.lock().unwrap().push((x, outcome));
    });
    let (go, gate) = futures::channel::oneshot::channel::<()>();
    let gate = futures::FutureExt::shared(gate);
    let list = flow
        .buffer(4)
        .take(2)
        .map_async(2, move |x| {
            let gate = gate.clone();
            async move {
                let _ = gate.await;
                x
            }
        })
        .sink_to_list();
    time.settle();
    let beyond = acked.lock().unwrap().clone();
    assert!(
        beyond
            .iter()
            .all(|(x, outcome)| *x >= 2 && *outcome == Ok(())),
        "{beyond:?}"
    );
    go.send(()).unwrap();
    time.settle();
    assert_eq!(list.take(), [0, 1]);
    let mut all = acked.lock().unwrap().clone();
    all.sort_by_key(|(x, _)| *x);
    assert!(
        all.len() >= 2
            && (0..)
                .zip(&all)
                .all(|(i, (x, outcome))| i == *x && *outcome == Ok(()))
    );
    assert!(nodes(&graph).is_empty(), "{:?}", nodes(&graph));
}

#[test]
fn deadlines_of_what_is_let_go_are_forgotten() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .timed_window(1000 * SECOND)
        .max_len(2)
        .take(1)
        .sink_to_list();
    source.emit_all([1, 2, 3]).unwrap();
    assert_eq!(list.take(), [[1, 2]]);
    assert!(graph.close().unwrap().complete);
    assert!(
        time.now() < Time::from_millis(1000),
        "no deadline stood in the way: {:?}",
        time.now()
    );
}

#[test]
fn what_has_gone_is_counted_in_a_total() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    for n in 1..=4 {
        source
            .partition(2)
            .take(n)
            .named("enough")
            .sink(drop)
            .named("last");
    }
    source.emit_all(0..100).unwrap();
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(
        (snapshot.gone.nodes, snapshot.gone.delivered),
        (4 * 3, 1 + 2 + 3 + 4)
    );
    assert_eq!(nodes(&graph), ["source"]);
    let report = graph.close().unwrap();
    assert_eq!((report.accepted, report.delivered), (100, 10));
}
