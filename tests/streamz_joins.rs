//! The cases of streamz for zip_latest.

use headwater::prelude::*;
use headwater::zip_latest;

// case: core/test_zip_latest/zip_latest
#[test]
fn what_waited_is_paired_with_the_first_element_of_the_other() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<i32>(), graph.source::<&str>());
    let rows = a.zip_latest(&b).sink_to_list();
    a.emit(1).unwrap();
    a.emit(2).unwrap();
    b.emit("a").unwrap();
    b.emit("b").unwrap();
    a.emit(3).unwrap();
    assert_eq!(rows.take(), [(1, "a"), (2, "a"), (3, "b")]);
}

// case: core/test_zip_latest_ref_counts
#[test]
fn a_lossless_element_is_held_only_while_it_waits_and_the_latest_one_until_it_is_replaced() {
    let graph = Graph::new();
    let (a, b) = (graph.source(), graph.source());
    let rows = a.zip_latest(&b).sink_to_list();
    let done = Some(Ok(()));
    let r1 = a.emit_tracked(1).unwrap();
    assert_eq!(r1.outcome(), None);
    let r2 = b.emit_tracked(2).unwrap();
    assert_eq!((r1.outcome(), r2.outcome()), (done, None));
    let r3 = b.emit_tracked(3).unwrap();
    assert_eq!((r2.outcome(), r3.outcome()), (done, None));
    let r4 = a.emit_tracked(3).unwrap();
    assert_eq!((r3.outcome(), r4.outcome()), (None, done));
    assert_eq!(rows.take(), [(1, 2), (3, 3)]);
}

// case: core/test_zip_latest_metadata
#[test]
fn a_row_carries_the_token_of_the_lossless_element_and_of_the_latest() {
    let graph = Graph::new();
    let (a, b) = (graph.source(), graph.source());
    let rows = a.zip_latest(&b).buffer(4).sink_to_list();
    let time = graph.drive_manually();
    let r1 = a.emit_tracked(1).unwrap();
    let r2 = b.emit_tracked(2).unwrap();
    a.emit(3).unwrap();
    let r4 = b.emit_tracked(4).unwrap();
    assert_eq!([r1.outcome(), r2.outcome(), r4.outcome()], [None; 3]);
    time.settle();
    let done = Some(Ok(()));
    assert_eq!(
        [r1.outcome(), r2.outcome(), r4.outcome()],
        [done, done, None]
    );
    assert_eq!(rows.take(), [(1, 2), (3, 2)]);
}

// no case of its own: an issue of streamz asks for several lossless inputs (spec/streamz.md, wishes)
#[test]
fn several_inputs_may_be_lossless() {
    let graph = Graph::new();
    let (a, b, c) = (graph.source(), graph.source(), graph.source());
    let rows = zip_latest((&a, &b), &c).sink_to_list();
    a.emit(1).unwrap();
    a.emit(2).unwrap();
    c.emit("x").unwrap();
    b.emit(10).unwrap();
    c.emit("y").unwrap();
    b.emit(20).unwrap();
    assert_eq!(rows.take(), [((1, 10), "x"), ((2, 20), "y")]);
}
