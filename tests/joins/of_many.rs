//! Joins of any number of flows, of any kind.

use headwater::prelude::*;
use headwater::{
    BoxFlow, Loss, Receipt, combine_latest, combine_latest_all, union, union_all, zip, zip_all,
    zip_latest_all,
};

use super::{DISCARDED, lost, unless};

#[test]
fn all_joins_of_many_take_sources_shared_nodes_and_runs() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let (shared, pipe) = (source.map(|x| x + 1).share(), graph.pipe::<u32>());
    let mixed = || -> Vec<BoxFlow<u32>> {
        vec![
            source.into_run().boxed(),
            shared.into_run().boxed(),
            source.map(|x| x + 2).boxed(),
        ]
    };
    let zipped = zip_all(mixed()).sink_to_list();
    let merged = union_all(mixed()).sink_to_list();
    let latest = combine_latest_all(mixed()).emit_on(2).sink_to_list();
    let lossless = zip_latest_all(&source, mixed()).sink_to_list();
    let tuple = zip((&source, &shared, source.map(|x| x + 2), pipe.1)).sink_to_list();
    let combined = combine_latest((&source, &shared, source.map(|x| x + 2).boxed()))
        .emit_on(2)
        .sink_to_list();
    let union_of = union((&source, &shared, source.map(|x| x + 2))).sink_to_list();
    source.emit(1).unwrap();
    pipe.0.emit(4).unwrap();
    assert_eq!(zipped.take(), [[1, 2, 3]]);
    let sorted = |mut list: Vec<u32>| {
        list.sort_unstable();
        list
    };
    assert_eq!(sorted(merged.take()), [1, 2, 3]);
    assert_eq!(sorted(union_of.take()), [1, 2, 3]);
    assert_eq!(latest.take().last().unwrap(), &[1, 2, 3]);
    assert_eq!(lossless.take(), [(1, vec![1, 2, 3])]);
    assert_eq!(tuple.take(), [(1, 2, 3, 4)]);
    assert_eq!(combined.take().last().unwrap(), &(1, 2, 3));
}

#[test]
fn combine_latest_all_emits_on_inputs_by_index() {
    let graph = Graph::new();
    let s: Vec<_> = (0..12).map(|_| graph.source::<u32>()).collect();
    let all = combine_latest_all(&s).sink_to_list();
    let some = combine_latest_all(&s).emit_on([0, 11]).sink_to_list();
    for (i, source) in (0..).zip(&s) {
        source.emit(i).unwrap();
    }
    s[5].emit(50).unwrap();
    s[0].emit(100).unwrap();
    let first: Vec<u32> = (0..12).collect();
    let row = |a, b| {
        let mut row = first.clone();
        (row[0], row[5]) = (a, b);
        row
    };
    assert_eq!(all.take(), [row(0, 5), row(0, 50), row(100, 50)]);
    assert_eq!(some.take(), [row(0, 5), row(100, 50)]);
}

#[test]
fn combine_latest_all_closes_like_combine_latest() {
    let graph = Graph::new();
    let s: Vec<_> = (0..3).map(|_| graph.source::<u32>()).collect();
    let rows = combine_latest_all(&s)
        .emit_on(1)
        .partition(9)
        .sink_to_list();
    let receipts: Vec<_> = s.iter().map(|s| s.emit_tracked(1).unwrap()).collect();
    s[1].close();
    assert!(rows.is_empty());
    let outcomes: Vec<_> = receipts.iter().map(Receipt::outcome).collect();
    assert_eq!(outcomes, [DISCARDED; 3]);
    s[0].emit(2).unwrap();
    assert_eq!(lost(&graph, "combine_latest_all", Loss::Unheard), 1);
    assert_eq!(lost(&graph, "combine_latest_all", Loss::Unpaired), 3);
}

#[test]
#[should_panic(
    expected = "`emit_on(3)` names no input: this `combine_latest_all` has inputs 0 to 2"
)]
fn combine_latest_all_has_no_more_inputs_than_flows() {
    let source = Source::<u32>::new();
    let _ = combine_latest_all([&source, &source, &source]).emit_on([0, 3]);
}

#[test]
#[should_panic(expected = "`combine_latest_all` of no flows")]
fn combine_latest_all_of_no_flows_panics() {
    let _ = combine_latest_all(Vec::<&Source<u32>>::new());
}

#[test]
fn a_failure_that_makes_no_tuple_takes_no_place_behind_combine_latest() {
    let source = Source::<u32>::new();
    let other = source.graph().source::<u32>();
    let rows = source
        .combine_latest(other.try_filter(|x| unless(*x < 10)))
        .emit_on(0)
        .zip(&source)
        .sink_to_list();
    other.emit(10).unwrap_err();
    other.emit(1).unwrap();
    source.emit(5).unwrap();
    other.emit(11).unwrap_err();
    source.emit(6).unwrap();
    assert_eq!(rows.take(), [((5, 1), 5), ((6, 1), 6)]);
}

#[test]
fn what_is_fed_back_comes_after_the_batch_that_it_came_of() {
    for batch in [false, true] {
        let graph = Graph::new();
        let (source, back) = (graph.source::<u32>(), graph.source::<u32>());
        source.map(|x| 10 * x).connect(&back);
        let merged = source.union(&back).sink_to_list();
        let paired = source.zip(&back).sink_to_list();
        if batch {
            source.emit_all([1, 2]).unwrap();
            assert_eq!(merged.take(), [1, 2, 10, 20]);
        } else {
            (1..=2).for_each(|x| source.emit(x).unwrap());
            assert_eq!(merged.take(), [1, 10, 2, 20]);
        }
        // Where order does not matter it is the same.
        assert_eq!(paired.take(), [(1, 10), (2, 20)]);
    }
}
