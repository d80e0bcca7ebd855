//! The rules of the engine, at the public API.

use headwater::prelude::*;
use headwater::{EmitError, zip};

#[test]
fn a_zip_of_two_branches_of_one_source_pairs_by_position() {
    let source = Source::<u64>::new();
    let shared = source.map(|x| x + 1).share();
    let rows = shared
        .map(|x| x * 2)
        .zip(shared.map(|x| x * 3))
        .sink_to_list();
    source.emit(1).unwrap();
    source.emit_all(2..1000).unwrap();
    let expected: Vec<_> = (1..1000).map(|x| (2 * (x + 1), 3 * (x + 1))).collect();
    assert_eq!(rows.take(), expected);
}

#[test]
fn an_element_emitted_from_a_closure_runs_after_the_current_one() {
    let source = Source::<u32>::new();
    let weak = source.downgrade();
    let seen = source.sink_to_list();
    let _ = source.sink(move |x| {
        if x < 100_000 {
            weak.emit(x + 1).unwrap();
        }
    });
    source.emit(0).unwrap();
    assert!(seen.take().into_iter().eq(0..=100_000));
}

#[test]
fn a_full_buffer_gives_the_element_back_and_opens_when_driven() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source.buffer(2).sink_to_list();
    assert!(matches!(source.emit(0), Err(EmitError::Undriven(0))));
    let time = graph.drive_manually();
    source.emit(1).unwrap();
    source.emit(2).unwrap();
    assert!(matches!(source.emit(3), Err(EmitError::Full(3))));
    time.settle();
    assert_eq!(list.take(), [1, 2]);
    source.emit(3).unwrap();
    source.close();
    time.settle();
    assert_eq!(list.take(), [3]);
}

#[test]
fn an_iterator_is_pumped_until_it_ends() {
    let graph = Graph::new();
    let list = graph
        .from_iter(0..100_000u64)
        .map(|x| x + 1)
        .buffer(10)
        .sink_to_list();
    graph.run().unwrap();
    assert!(list.take().into_iter().eq(1..=100_000));
    let a = graph.source::<u8>();
    let b = graph.source::<u8>();
    let c = zip((&a, &b, &a)).sink_to_list();
    let _time = graph.drive_manually();
    a.emit(1).unwrap();
    b.emit(2).unwrap();
    assert_eq!(c.take(), [(1, 2, 1)]);
    println!("{}", graph.snapshot().unwrap());
    println!("{}", graph.topology());
}

#[test]
fn a_snapshot_lists_nodes_in_the_order_in_which_elements_come_to_them() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let left = graph.source::<i32>().named("left");
    let shared = left.share().named("shared");
    let right = graph.source::<i32>().named("right");
    shared
        .buffer(2)
        .named("held")
        .zip(&right)
        .named("rows")
        .sink(drop)
        .named("end");
    let snapshot = graph.snapshot().unwrap();
    let titles: Vec<_> = snapshot
        .nodes
        .iter()
        .map(|node| node.label().title())
        .collect();
    assert_eq!(titles, ["left", "right", "shared", "held", "rows", "end"]);
    let printed = snapshot.to_string();
    assert!(
        printed.lines().all(|line| line == line.trim_end()),
        "{printed}"
    );
}
