//! The cases of streamz for zip, combine_latest and union.

use headwater::prelude::*;
use headwater::{combine_latest, literal, union, zip};

// case: core/test_zip/two
#[test]
fn zip_pairs_by_position() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<i32>(), graph.source::<&str>());
    let rows = zip((&a, &b)).sink_to_list();
    a.emit(1).unwrap();
    b.emit("a").unwrap();
    a.emit(2).unwrap();
    b.emit("b").unwrap();
    assert_eq!(rows.take(), [(1, "a"), (2, "b")]);
}

// case: core/test_zip/three
#[test]
fn zip_joins_three() {
    let graph = Graph::new();
    let (a, b, c) = (graph.source(), graph.source(), graph.source());
    let rows = zip((&a, &b, &c)).sink_to_list();
    a.emit(1).unwrap();
    b.emit(2).unwrap();
    c.emit(3).unwrap();
    assert_eq!(rows.take(), [(1, 2, 3)]);
}

// case: core/test_zip_literals
#[test]
fn a_literal_is_in_each_row_at_its_place() {
    let graph = Graph::new();
    let (a, b) = (graph.source(), graph.source());
    let rows = zip((&a, literal(123), &b)).sink_to_list();
    for (x, y) in [(1, 2), (4, 5)] {
        a.emit(x).unwrap();
        b.emit(y).unwrap();
    }
    assert_eq!(rows.take(), [(1, 123, 2), (4, 123, 5)]);
}

// case: probe/zip_literals_everywhere
#[test]
fn literals_may_stand_at_all_places_of_a_row() {
    let graph = Graph::new();
    let (a, b) = (graph.source(), graph.source());
    let rows = zip((literal(7), &a, literal(8), literal(9), &b, literal(10)));
    let rows = rows.sink_to_list();
    a.emit(1).unwrap();
    b.emit(2).unwrap();
    assert_eq!(rows.take(), [(7, 1, 8, 9, 2, 10)]);
}

// case: core/test_zip_timeout
#[tokio::test]
async fn a_send_into_a_full_zip_waits_until_a_row_is_complete() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<i32>(), graph.source::<&str>());
    let rows = a.zip(&b).capacity(2).sink_to_list();
    a.send(1).await.unwrap();
    a.send(2).await.unwrap();
    let mut third = std::pin::pin!(a.send(3));
    assert!(futures::poll!(&mut third).is_pending());
    b.emit("a").unwrap();
    third.await.unwrap();
    assert_eq!(rows.take(), [(1, "a")]);
}

// case: core/test_zip_ref_counts, core/test_zip_metadata
#[test]
fn receipts_of_what_a_zip_holds_stay_open() {
    let graph = Graph::new();
    let (a, b) = (graph.source(), graph.source());
    let rows = a.zip(&b).sink_to_list();
    let r1 = a.emit_tracked(1).unwrap();
    assert_eq!(r1.outcome(), None);
    let r2 = a.emit_tracked(2).unwrap();
    assert_eq!((r1.outcome(), r2.outcome()), (None, None));
    let r3 = b.emit_tracked(3).unwrap();
    assert_eq!(r1.outcome(), Some(Ok(())));
    assert_eq!(r2.outcome(), None);
    assert_eq!(r3.outcome(), Some(Ok(())));
    assert_eq!(rows.take(), [(1, 3)]);
}

// case: core/test_zip_metadata
#[test]
fn a_row_carries_the_tokens_of_all_that_it_is_made_of() {
    let graph = Graph::new();
    let (a, b) = (graph.source(), graph.source());
    let _rows = a.zip(&b).buffer(4).sink_to_list();
    let time = graph.drive_manually();
    let r1 = a.emit_tracked(1).unwrap();
    let r2 = b.emit_tracked(2).unwrap();
    a.emit(3).unwrap();
    let r4 = b.emit_tracked(4).unwrap();
    assert_eq!([r1.outcome(), r2.outcome(), r4.outcome()], [None; 3]);
    time.settle();
    let done = Some(Ok(()));
    assert_eq!([r1.outcome(), r2.outcome(), r4.outcome()], [done; 3]);
}

// case: probe/zip_over_maxsize_keeps_data
#[test]
fn a_full_zip_gives_elements_back_and_loses_none() {
    let graph = Graph::new();
    let (a, b) = (graph.source(), graph.source());
    let rows = a.zip(&b).capacity(2).sink_to_list();
    let mut next = 0;
    for x in [0, 10, 20, 30, 40, 50] {
        while next < 6 && a.emit(next).is_ok() {
            next += 1;
        }
        b.emit(x).unwrap();
    }
    assert_eq!(
        rows.take(),
        [(0, 0), (1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]
    );
}

// case: core/test_combine_latest_emit_on_stream, probe/combine_latest_emit_on_waits
#[test]
fn combine_latest_emits_on_the_chosen_input() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<i32>(), graph.source::<&str>());
    let rows = a.combine_latest(&b).emit_on(0).sink_to_list();
    a.emit(1).unwrap();
    b.emit("a").unwrap();
    a.emit(2).unwrap();
    a.emit(3).unwrap();
    b.emit("b").unwrap();
    a.emit(4).unwrap();
    assert_eq!(rows.take(), [(2, "a"), (3, "a"), (4, "b")]);
}

// case: core/test_zip_latest/combine_latest
#[test]
fn combine_latest_loses_what_came_before_the_other_input() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<i32>(), graph.source::<&str>());
    let rows = a.combine_latest(&b).emit_on(0).sink_to_list();
    a.emit(1).unwrap();
    a.emit(2).unwrap();
    b.emit("a").unwrap();
    b.emit("b").unwrap();
    a.emit(3).unwrap();
    assert_eq!(rows.take(), [(3, "b")]);
}

// case: probe/combine_latest_emit_on_list
#[test]
fn combine_latest_emits_on_several_inputs() {
    let graph = Graph::new();
    let (a, b, c) = (graph.source(), graph.source(), graph.source());
    let rows = combine_latest((&a, &b, &c)).emit_on([0, 2]).sink_to_list();
    a.emit(1).unwrap();
    b.emit(2).unwrap();
    c.emit(3).unwrap();
    b.emit(4).unwrap();
    a.emit(5).unwrap();
    c.emit(6).unwrap();
    assert_eq!(rows.take(), [(1, 2, 3), (5, 4, 3), (5, 4, 6)]);
}

// case: probe/combine_latest_emit_on_waits
#[test]
fn an_input_that_is_not_chosen_completes_the_set_silently() {
    let graph = Graph::new();
    let (a, b) = (graph.source(), graph.source());
    let rows = a.combine_latest(&b).emit_on(1).sink_to_list();
    b.emit(1).unwrap();
    a.emit(2).unwrap();
    b.emit(3).unwrap();
    assert_eq!(rows.take(), [(2, 3)]);
}

// case: probe/combine_latest_same_stream ([bug]: a type error there)
#[test]
fn combine_latest_takes_the_same_flow_twice() {
    let a = Source::new();
    let rows = a.combine_latest(&a).sink_to_list();
    a.emit(1).unwrap();
    assert_eq!(rows.take(), [(1, 1)]);
}

// case: core/test_combine_latest_metadata
#[test]
fn a_held_element_is_done_when_it_is_replaced() {
    let graph = Graph::new();
    let (a, b) = (graph.source(), graph.source());
    let rows = a.combine_latest(&b).sink_to_list();
    let r1 = a.emit_tracked(1).unwrap();
    let r2 = b.emit_tracked(2).unwrap();
    b.emit(3).unwrap();
    assert_eq!((r1.outcome(), r2.outcome()), (None, Some(Ok(()))));
    let r4 = b.emit_tracked(4).unwrap();
    assert_eq!((r1.outcome(), r4.outcome()), (None, None));
    a.close();
    b.close();
    assert_eq!((r1.outcome(), r4.outcome()), (Some(Ok(())), Some(Ok(()))));
    assert_eq!(rows.take(), [(1, 2), (1, 3), (1, 4)]);
}

// case: doc/inc_dec_zip_sum
#[test]
fn two_branches_of_one_source_are_summed() {
    let source = Source::new();
    let sums = source.map(|x| x + 1).zip(source.map(|x| x - 1));
    let sums = sums.map(|(a, b)| a + b).sink_to_list();
    source.emit(10).unwrap();
    assert_eq!(sums.take(), [20]);
}

// no case of its own: union, in spec/streamz.md section 3 "merges in arrival order; metadata kept"
#[test]
fn union_merges_in_arrival_order_and_keeps_receipts() {
    let graph = Graph::new();
    let (a, b) = (graph.source(), graph.source());
    let list = union((&a, &b)).buffer(4).sink_to_list();
    let time = graph.drive_manually();
    let r1 = a.emit_tracked(1).unwrap();
    let r2 = b.emit_tracked(2).unwrap();
    a.emit(3).unwrap();
    assert_eq!((r1.outcome(), r2.outcome()), (None, None));
    time.settle();
    assert_eq!((r1.outcome(), r2.outcome()), (Some(Ok(())), Some(Ok(()))));
    assert_eq!(list.take(), [1, 2, 3]);
}
