//! Joins that wait for each other.

use headwater::prelude::*;
use headwater::{List, Starved, zip_all};

type Crossed = (Source<u32>, List<(u32, u32)>);

/// Two sources; each is lined up with a rare part of the other.
fn crossed(graph: &Graph, capacity: usize) -> [Crossed; 2] {
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rare = |x: &u32| x.is_multiple_of(100);
    let first = a.zip(b.filter(rare)).capacity(capacity).named("first");
    let second = b.zip(a.filter(rare)).capacity(capacity).named("second");
    let lists = (first.sink_to_list(), second.sink_to_list());
    [(a, lists.0), (b, lists.1)]
}

#[test]
fn of_two_zips_that_wait_only_for_each_other_one_fails_and_says_so() {
    let graph = Graph::new();
    let [(a, first), (b, second)] = crossed(&graph, 3);
    a.emit_all([1, 2, 3]).unwrap();
    // It waits for `b`, which is free.
    assert!(matches!(a.emit(4), Err(EmitError::Full(4))));
    b.emit_all([1, 2, 3]).unwrap();
    // `b` would wait for `a`, and `a` for `b`.
    let Err(EmitError::Failed(failure)) = b.emit(4) else {
        panic!("it waits")
    };
    assert_eq!(failure.node(), "second");
    assert_eq!(
        failure.error().downcast_ref::<Starved>().unwrap().held,
        [3, 0]
    );
    assert!(matches!(a.emit(4), Err(EmitError::Full(4))));
    // The rare element of `b` lets `a` go on, and then that of `a` lets `b`.
    b.emit(100).unwrap_err();
    a.emit(200).unwrap();
    assert_eq!(first.take(), [(1, 100)]);
    assert_eq!(second.take(), [(1, 200)]);
    b.emit(5).unwrap();
}

#[test]
fn three_zips_that_wait_in_a_circle_are_found() {
    let graph = Graph::new();
    let s = [(); 3].map(|()| graph.source::<u32>());
    for i in 0..3 {
        let rare = s[(i + 1) % 3].filter(|x| x.is_multiple_of(100));
        s[i].zip(rare).capacity(2).named(format!("z{i}")).sink(drop);
    }
    for source in &s[..2] {
        let error = source.emit_all(1..9).unwrap_err();
        assert!(error.cause.is_full());
    }
    let error = s[2].emit_all(1..9).unwrap_err();
    let EmitError::Failed(failure) = error.cause else {
        panic!("it waits")
    };
    assert_eq!(failure.node(), "z2");
}

#[test]
fn a_zip_waits_for_another_that_waits_for_a_source_that_is_free() {
    let graph = Graph::new();
    let [a, b, c] = [(); 3].map(|()| graph.source::<u32>());
    let rows = a.zip(&c).capacity(2).sink_to_list();
    let rare = b.zip(a.filter(|x| x.is_multiple_of(100))).capacity(2);
    let rare = rare.sink_to_list();
    assert!(a.emit_all(1..9).unwrap_err().cause.is_full());
    // `b` waits for `a`, which waits for `c`.
    assert!(b.emit_all(1..9).unwrap_err().cause.is_full());
    c.emit_all(1..=3).unwrap();
    a.emit(100).unwrap();
    b.emit(3).unwrap();
    assert_eq!(rows.take(), [(1, 1), (2, 2), (100, 3)]);
    assert_eq!(rare.take(), [(1, 100)]);
}

#[test]
fn zips_that_come_to_wait_for_each_other_by_a_close_are_found_at_the_close() {
    let graph = Graph::new();
    let (a, b, c) = (
        graph.source::<u32>(),
        graph.source::<u32>(),
        graph.source::<u32>(),
    );
    let rare = |x: &u32| x.is_multiple_of(100);
    let first = a.zip(b.filter(rare).union(&c)).capacity(2).sink_to_list();
    let second = b.zip(a.filter(rare)).capacity(2).sink_to_list();
    assert!(a.emit_all(1..9).unwrap_err().cause.is_full());
    assert!(b.emit_all(1..9).unwrap_err().cause.is_full());
    // As long as `c` is open it could free them all.
    c.close();
    let failed = [a.emit(3), b.emit(3)].into_iter();
    assert!(
        failed
            .filter(|outcome| matches!(outcome, Err(EmitError::Failed(_))))
            .count()
            >= 1
    );
    drop((first, second));
}

#[test]
fn zips_that_wait_for_each_other_behind_buffers_are_found_by_the_driver() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rare = |x: &u32| x.is_multiple_of(100);
    let first = a.zip(b.filter(rare).buffer(4)).capacity(2).sink_to_list();
    let second = b.zip(a.filter(rare).buffer(4)).capacity(2).sink_to_list();
    for source in [&a, &b] {
        assert!(source.emit_all(1..9).unwrap_err().cause.is_full());
    }
    time.settle();
    let stuck = [a.emit(3), b.emit(3)].map(|o| matches!(o, Err(EmitError::Full(_))));
    assert_ne!(stuck, [true; 2], "both wait for ever");
    let (go, other) = if stuck[0] { (&b, &a) } else { (&a, &b) };
    let _ = go.emit(100);
    time.settle();
    other.emit(200).unwrap();
    time.settle();
    assert_eq!(first.take().len() + second.take().len(), 2);
}

#[test]
fn a_zip_latest_and_a_zip_that_wait_for_each_other_are_found() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rare = |x: &u32| x.is_multiple_of(100);
    a.zip_latest(b.filter(rare)).capacity(2).sink(drop);
    zip_all([b.into_run().boxed(), a.filter(rare).boxed()])
        .capacity(2)
        .sink(drop);
    assert!(a.emit_all(1..9).unwrap_err().cause.is_full());
    let error = b.emit_all(1..9).unwrap_err();
    let EmitError::Failed(failure) = error.cause else {
        panic!("it waits")
    };
    assert_eq!(failure.kind(), "zip_all");
}
