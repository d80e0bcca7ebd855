//! How a flow ends below: takes of nothing, joins, failures, cycles.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use headwater::prelude::*;
use headwater::{union, zip};

use crate::cuts::nodes;

#[test]
fn take_nothing_closes_when_it_is_connected() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let captured = Arc::new(());
    let (a, b) = (captured.clone(), captured.clone());
    let flow = source.inspect(move |_| drop(a.clone())).take(0);
    flow.accumulate(0, |sum, x| sum + x)
        .sink(move |_| drop(b.clone()));
    assert_eq!(Arc::strong_count(&captured), 1);
    assert_eq!(nodes(&graph), ["source"]);
    source.slice(5..5).sink(drop);
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "that it is empty is the point"
    )]
    source.slice(5..2).sink(drop);
    assert_eq!(nodes(&graph), ["source"]);
    let pairs = source.zip(source.take(0)).sink_to_list();
    source.emit(1).unwrap();
    assert!(pairs.is_empty());
    // Nothing in front of it ever begins.
    let pumped = Graph::new();
    let list = pumped
        .from_iter((0..).inspect(|_| panic!("not asked")))
        .take(0)
        .sink_to_list();
    pumped.run().unwrap();
    assert!(list.is_empty());
    let shared = source.take(0).share();
    let late = shared.sink_to_list();
    source.emit(2).unwrap();
    assert!(late.is_empty());
    assert!(graph.close().unwrap().complete);
}

#[test]
fn take_nothing_may_be_connected_by_a_closure() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let inner = source.downgrade();
    let other = graph.source::<u32>();
    let late = other.clone();
    source.take(2).sink(move |_| {
        late.take(0).sink(drop);
        late.take(1).sink(drop);
        let _ = inner.emit(7);
    });
    source.emit(1).unwrap();
    // Each of the two elements connected both.
    assert_eq!(
        nodes(&graph),
        ["source", "source", "sink", "take", "sink", "take"]
    );
}

#[test]
fn a_join_closes_as_if_the_input_were_closed_from_above() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let pairs = a.take(2).zip(&b).partition(5).sink_to_list();
    let merged = a.take(1).union(b.take(1)).partition(5).sink_to_list();
    let latest = a
        .take(1)
        .combine_latest(b.take(2))
        .partition(5)
        .sink_to_list();
    a.emit_all([1, 2, 3]).unwrap();
    b.emit(10).unwrap();
    assert!(pairs.is_empty());
    assert_eq!(merged.take(), [[1, 10]]);
    b.emit(20).unwrap();
    assert_eq!(pairs.take(), [[(1, 10), (2, 20)]]);
    assert_eq!(latest.take(), [[(1, 10), (1, 20)]]);
}

#[test]
fn everything_in_front_of_a_join_is_let_go_with_it() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = zip((&a, b.map(|x| x + 1), a.skip(1)))
        .take(1)
        .sink_to_list();
    let merged = union((&a, &b, b.take(7))).take(3).sink_to_list();
    let receipts = [a.emit_tracked(1).unwrap(), a.emit_tracked(2).unwrap()];
    b.emit(10).unwrap();
    assert_eq!(rows.take(), [(1, 11, 2)]);
    assert_eq!(merged.take(), [1, 2, 10]);
    assert_eq!(nodes(&graph), ["source", "source"]);
    assert!(receipts.iter().all(|r| r.outcome() == Some(Ok(()))));
    a.emit_all(0..10_000).unwrap();
    b.emit_all(0..10_000).unwrap();
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
}

#[test]
fn takes_within_takes_end_in_any_order() {
    for (outer, inner) in [(1, 3), (2, 2), (3, 1), (5, 4)] {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let straight = source.take(inner).take(outer).sink_to_list();
        let held = source
            .take(inner)
            .buffer(2)
            .take(outer)
            .buffer(2)
            .sink_to_list();
        let joined = source
            .take(inner)
            .zip(source.take(outer))
            .take(1)
            .sink_to_list();
        for x in 0..10 {
            source.emit(x).unwrap();
            time.settle();
        }
        let n = inner.min(outer) as u32;
        assert_eq!(straight.take(), (0..n).collect::<Vec<_>>());
        assert_eq!(held.take(), (0..n).collect::<Vec<_>>());
        assert_eq!(joined.take(), [(0, 0)]);
        assert_eq!(nodes(&graph), ["source"]);
        assert!(graph.close().unwrap().complete);
    }
}

#[test]
fn failures_and_empty_places_pass_and_do_not_count() {
    let graph = Graph::new();
    graph.on_error(headwater::OnError::call(|_| {}));
    let source = graph.source::<i32>();
    let fit = |x: i32| if x < 0 { Err("negative".into()) } else { Ok(x) };
    let taken = source
        .try_map(fit)
        .take(2)
        .catch(|_| Some(-1))
        .sink_to_list();
    let skipped = source
        .try_map(fit)
        .skip(2)
        .catch(|_| Some(-1))
        .sink_to_list();
    let stepped = source
        .try_map(fit)
        .step_by(2)
        .catch(|_| Some(-1))
        .sink_to_list();
    let shared = source.try_map(fit).share();
    // An empty place drops its mate in a zip.
    let zipped = shared.take(2).zip(source.map(|x| 10 * x)).sink_to_list();
    for x in [-5, 1, -6, 2, -7, 3] {
        let _ = source.emit(x);
    }
    assert_eq!(taken.take(), [-1, 1, -1, 2]);
    assert_eq!(skipped.take(), [-1, -1, -1, 3]);
    assert_eq!(stepped.take(), [-1, 1, -1, -1, 3]);
    assert_eq!(zipped.take(), [(1, 10), (2, 20)]);
}

#[test]
fn a_failure_beyond_the_end_is_nobodys() {
    let source = Source::<i32>::new();
    let list = source
        .try_map(|x| if x < 0 { Err("negative".into()) } else { Ok(x) })
        .take_while(|x| *x < 10)
        .sink_to_list();
    // The rest of the batch passes the closure in front, and ends there.
    assert_eq!(source.emit_all([1, 2, 30, -1, 3]).unwrap(), 5);
    assert_eq!(list.take(), [1, 2]);
    source.emit(-1).unwrap();
}

#[test]
fn a_sink_that_feeds_its_own_source_may_reach_the_end() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let back = source.downgrade();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slot = seen.clone();
    source.take(5).sink(move |x| {
        slot.lock().unwrap().push(x);
        let _ = back.emit(x + 1);
    });
    source.emit(0).unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(nodes(&graph), ["source"]);
}

#[test]
fn a_guard_that_emits_many_sees_the_end_at_once() {
    let source = Source::<u32>::new();
    let captured = Arc::new(AtomicUsize::new(0));
    let seen = captured.clone();
    let list = source
        .inspect(move |_| {
            seen.fetch_add(1, Ordering::Relaxed);
        })
        .take(2)
        .sink_to_list();
    let mut guard = source.lock();
    (0..10).for_each(|x| guard.emit(x).unwrap());
    drop(guard);
    assert_eq!(list.take(), [0, 1]);
    assert_eq!(captured.load(Ordering::Relaxed), 2);
    assert_eq!(Arc::strong_count(&captured), 1);
}

#[test]
#[should_panic(expected = "step by at least 1 element")]
fn stepping_by_nothing_is_refused() {
    let _ = Source::<u32>::new().step_by(0);
}

#[test]
#[should_panic(expected = "step by at least 1 element")]
fn a_slice_steps_by_something() {
    let _ = Source::<u32>::new().slice(..).step(0);
}

#[test]
fn a_stream_out_of_the_graph_ends_with_the_flow() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let stream = source.take(3).into_stream(2);
    let driver = graph.spawn_thread();
    let emitter = std::thread::spawn({
        let source = source.clone();
        move || (0..10).for_each(|x| source.blocking_send(x).unwrap())
    });
    let all: Vec<_> = futures::executor::block_on(futures::StreamExt::collect(stream));
    assert_eq!(all, [0, 1, 2]);
    emitter.join().unwrap();
    drop(source);
    driver.join().unwrap();
    assert!(!nodes(&graph).contains(&"take".to_owned()));
}
