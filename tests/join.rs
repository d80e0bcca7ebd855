//! What the joins do, at the public API: union, combine_latest, and the policies of zip.

use headwater::prelude::*;
use headwater::{
    Loss, Lost, OnFull, Overflow, Starved, combine_latest, union, union_all, zip, zip_all,
};

/// An element that does not fit is a failure.
fn unless(fits: bool) -> Result<bool, BoxError> {
    fits.then_some(true).ok_or_else(|| "unfit".into())
}

fn lost(graph: &Graph, node: &str, loss: Loss) -> u64 {
    graph
        .snapshot()
        .unwrap()
        .named(node)
        .unwrap()
        .counts
        .lost(loss)
}

fn held(graph: &Graph, node: &str) -> u64 {
    graph.snapshot().unwrap().named(node).unwrap().counts.held
}

// ---- union ----

#[test]
fn a_union_keeps_the_order_in_which_elements_come() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let merged = a.union(&b).sink_to_list();
    a.emit(1).unwrap();
    b.emit_all([2, 3]).unwrap();
    a.emit(4).unwrap();
    assert_eq!(merged.take(), [1, 2, 3, 4]);
}

#[test]
fn a_union_of_two_branches_of_one_source_is_the_same_in_batches() {
    let run = |batch: bool| {
        let source = Source::<u32>::new();
        let merged = source
            .map(|x| 2 * x)
            .union(&source)
            .union(source.map(|x| 3 * x));
        let list = merged.sink_to_list();
        if batch {
            source.emit_all(0..1000).unwrap();
        } else {
            (0..1000).for_each(|x| source.emit(x).unwrap());
        }
        list.take()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_union_closes_when_all_its_inputs_have() {
    let graph = Graph::new();
    let sources: Vec<_> = (0..9).map(|_| graph.source::<u32>()).collect();
    let list = union_all(&sources).buffer(4).sink_to_list();
    let time = graph.drive_manually();
    for (i, source) in sources.iter().enumerate() {
        source.emit(i as u32).unwrap();
        source.close();
        time.settle();
    }
    assert_eq!(list.take(), (0..9).collect::<Vec<_>>());
    assert!(held(&graph, "buffer") == 0);
}

#[test]
fn a_branch_that_is_disconnected_after_its_source_closed_does_not_close_the_union_twice() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let list = a.union(&b).sink_to_list();
    a.close();
    let other = a.sink(drop);
    other.disconnect();
    b.emit(1).unwrap();
    list.branch().clone().disconnect();
    b.emit(2).unwrap();
    b.close();
    assert_eq!(list.take(), [1]);
}

#[test]
fn failures_pass_a_union_and_keep_their_place() {
    let source = Source::<u32>::new();
    let (odd, even) = (
        source.try_filter(|x| unless(x % 2 == 1)),
        source.filter(|x| x % 2 == 0),
    );
    let rows = odd.union(even).zip(&source).sink_to_list();
    for x in 1..=3 {
        let outcome = source.emit(x);
        assert_eq!(outcome.is_err(), x == 2);
    }
    // 1 with 1; the failure of 2 drops its mate 2; 2 itself pairs with 3.
    assert_eq!(rows.take(), [(1, 1), (2, 3)]);
}

#[test]
fn a_full_buffer_below_a_union_makes_only_the_origin_that_filled_it_wait() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let list = union((&a, &b)).buffer(2).sink_to_list();
    let time = graph.drive_manually();
    let mut numbers = 0..10;
    let error = a.emit_all(numbers.by_ref()).unwrap_err();
    assert_eq!((error.accepted, error.cause.is_full()), (2, true));
    time.settle();
    b.emit(7).unwrap();
    time.settle();
    assert_eq!(list.take(), [0, 1, 7]);
}

#[test]
#[should_panic(expected = "`union` combines flows of two graphs")]
fn a_union_of_two_graphs_panics() {
    let _ = Source::<u32>::new().union(&Source::new()).sink_to_list();
}

// ---- combine_latest ----

#[test]
fn combine_latest_of_one_source_twice_emits_mixed_tuples_in_between() {
    let source = Source::<u32>::new();
    let rows = source.combine_latest(&source).sink_to_list();
    source.emit_all([1, 2]).unwrap();
    assert_eq!(rows.take(), [(1, 1), (2, 1), (2, 2)]);
}

#[test]
fn combine_latest_closes_when_an_input_closes_that_never_had_an_element() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = a.combine_latest(&b).sink_to_list();
    let receipt = a.emit_tracked(1).unwrap();
    b.close();
    assert_eq!(receipt.outcome(), Some(Err(Lost::Discarded)));
    assert_eq!(lost(&graph, "combine_latest", Loss::Unpaired), 1);
    a.emit(2).unwrap();
    assert_eq!(lost(&graph, "combine_latest", Loss::Unheard), 1);
    assert!(rows.is_empty());
}

#[test]
fn combine_latest_goes_on_with_the_last_element_of_a_closed_input() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = a.combine_latest(&b).sink_to_list();
    let kept = a.emit_tracked(1).unwrap();
    a.close();
    b.emit_all([2, 3]).unwrap();
    assert_eq!(kept.outcome(), None);
    b.close();
    assert_eq!(kept.outcome(), Some(Ok(())));
    assert_eq!(rows.take(), [(1, 2), (1, 3)]);
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
}

#[test]
fn combine_latest_closes_with_the_last_input_that_it_emits_on() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let _rows = a.combine_latest(&b).emit_on(0).sink_to_list();
    a.emit(1).unwrap();
    let unused = b.emit_tracked(2).unwrap();
    a.close();
    assert_eq!(unused.outcome(), Some(Err(Lost::Discarded)));
    assert_eq!(lost(&graph, "combine_latest", Loss::Unpaired), 2);
}

#[test]
fn an_element_that_no_tuple_had_is_counted_as_superseded() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = a.combine_latest(&b).emit_on(0).sink_to_list();
    let (first, second) = (b.emit_tracked(1).unwrap(), b.emit_tracked(2).unwrap());
    assert_eq!(first.outcome(), Some(Err(Lost::Discarded)));
    let trigger = a.emit_tracked(3).unwrap();
    assert_eq!((second.outcome(), trigger.outcome()), (None, None));
    b.emit(4).unwrap();
    a.emit(5).unwrap();
    assert_eq!(second.outcome(), Some(Ok(())));
    assert_eq!(trigger.outcome(), Some(Ok(())));
    assert_eq!(rows.take(), [(3, 2), (5, 4)]);
    assert_eq!(lost(&graph, "combine_latest", Loss::Superseded), 1);
}

#[test]
fn a_receipt_waits_for_the_tuples_that_are_held_further_down() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let _rows = a.combine_latest(&b).buffer(8).sink_to_list();
    let time = graph.drive_manually();
    let one = a.emit_tracked(1).unwrap();
    b.emit(2).unwrap();
    a.emit(3).unwrap();
    assert_eq!(one.outcome(), None);
    time.settle();
    assert_eq!(one.outcome(), Some(Ok(())));
}

#[test]
fn an_input_keeps_its_latest_element_when_the_next_one_fails() {
    let source = Source::<u32>::new();
    let small = source.try_filter(|x| unless(*x < 10));
    let rows = small.combine_latest(&source).sink_to_list();
    source.emit(1).unwrap();
    assert!(matches!(source.emit(10), Err(EmitError::Failed(_))));
    assert_eq!(rows.take(), [(1, 1), (1, 10)]);
}

#[test]
fn an_empty_place_goes_on_where_the_element_would_have_made_a_tuple() {
    let source = Source::<u32>::new();
    // Shared: the failure is reported at the fork, and only the empty place goes on.
    let small = source.try_filter(|x| unless(x % 3 != 0)).share();
    let constant = source.graph().source::<&str>();
    let pairs = small.combine_latest(&constant).zip(&source).sink_to_list();
    source.emit(3).unwrap_err();
    constant.emit("x").unwrap();
    for x in 4..=7 {
        let _ = source.emit(x);
    }
    // The first place of `source` is 3, which made no tuple and left no place: there was no "x" yet.
    assert_eq!(pairs.take(), [((4, "x"), 3), ((5, "x"), 4), ((7, "x"), 6)]);
}

#[test]
fn combine_latest_of_eight_emits_on_a_list_of_inputs() {
    let graph = Graph::new();
    let s: Vec<_> = (0..8).map(|_| graph.source::<u32>()).collect();
    let rows = combine_latest((&s[0], &s[1], &s[2], &s[3], &s[4], &s[5], &s[6], &s[7]))
        .emit_on([0, 7])
        .map(|r| [r.0, r.1, r.2, r.3, r.4, r.5, r.6, r.7])
        .sink_to_list();
    for (i, source) in (0..).zip(&s) {
        source.emit(i).unwrap();
    }
    s[3].emit(33).unwrap();
    s[0].emit(10).unwrap();
    assert_eq!(
        rows.take(),
        [[0, 1, 2, 3, 4, 5, 6, 7], [10, 1, 2, 33, 4, 5, 6, 7]]
    );
}

#[test]
#[should_panic(expected = "`emit_on(2)` names no input: this `combine_latest` has inputs 0 to 1")]
fn emitting_on_an_input_that_is_not_there_panics() {
    let source = Source::<u32>::new();
    let _ = source.combine_latest(&source).emit_on(2);
}

#[test]
#[should_panic(expected = "choose at least 1")]
fn emitting_on_no_input_panics() {
    let source = Source::<u32>::new();
    let _ = source.combine_latest(&source).emit_on([]);
}

#[test]
#[should_panic(expected = "`combine_latest` combines flows of two graphs")]
fn combine_latest_of_two_graphs_panics() {
    let _ = Source::<u32>::new()
        .combine_latest(&Source::<u32>::new())
        .sink(drop);
}

// ---- zip: what is full, and what starves ----

#[test]
fn a_full_input_of_a_zip_makes_its_source_wait_until_a_row_is_complete() {
    for capacity in [1, 2, 5] {
        let graph = Graph::new();
        let (a, b) = (graph.source::<usize>(), graph.source::<usize>());
        let rows = a.zip(&b).capacity(capacity).sink_to_list();
        for i in 0..capacity {
            a.emit(i).unwrap();
        }
        assert!(matches!(a.emit(9), Err(EmitError::Full(9))));
        b.emit(0).unwrap();
        a.emit(9).unwrap();
        assert_eq!(rows.take(), [(0, 0)]);
    }
}

#[test]
fn a_zip_of_a_flow_with_a_part_of_itself_fails_with_what_it_holds_instead_of_waiting() {
    let source = Source::<u32>::new();
    let rows = source
        .filter(|x| x % 100 == 0)
        .zip(&source)
        .capacity(10)
        .sink_to_list();
    for x in 1..=10 {
        source.emit(x).unwrap();
    }
    let Err(EmitError::Failed(failure)) = source.emit(11) else {
        panic!("it waits")
    };
    assert_eq!(failure.kind(), "zip");
    assert_eq!(failure.take_element::<u32>(), Some(11));
    let starved = failure.error().downcast_ref::<Starved>().unwrap();
    assert_eq!(starved.held, [0, 10]);
    assert!(failure.error().to_string().contains("raise the capacity"));
    source.emit_all(12..=99).unwrap_err();
    source.emit(100).unwrap();
    source.emit(200).unwrap();
    assert_eq!(rows.take(), [(100, 1), (200, 2)]);
}

#[test]
fn starving_is_the_same_in_batches() {
    let run = |batch: bool| {
        let source = Source::<u32>::new();
        let rows = source
            .filter(|x| x % 7 == 0)
            .zip(&source)
            .capacity(10)
            .sink_to_list();
        let mut failed = 0;
        if batch {
            let error = source.emit_all(1..1000).unwrap_err();
            failed = error.others + 1;
        } else {
            for x in 1..1000 {
                failed += usize::from(source.emit(x).is_err());
            }
        }
        (rows.take(), failed)
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_zip_that_starves_behind_a_buffer_is_found_when_the_driver_has_nothing_left_to_do() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let rows = source
        .filter(|x| x % 100 == 0)
        .buffer(5)
        .zip(&source)
        .capacity(3)
        .sink_to_list();
    for x in 1..=3 {
        source.emit(x).unwrap();
    }
    // The buffer might hold the mate: only the driver knows that it does not.
    assert!(matches!(source.emit(4), Err(EmitError::Full(4))));
    time.settle();
    assert!(matches!(source.emit(4), Err(EmitError::Failed(_))));
    source.emit(100).unwrap_err();
    time.settle();
    assert_eq!(rows.take(), [(100, 1)]);
}

#[test]
fn a_zip_of_three_does_not_starve_while_another_source_can_feed_it() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = a
        .filter(|_| false)
        .union(&b)
        .zip(&a)
        .capacity(2)
        .sink_to_list();
    a.emit_all([1, 2]).unwrap();
    assert!(matches!(a.emit(3), Err(EmitError::Full(3))));
    b.emit(10).unwrap();
    a.emit(3).unwrap();
    assert_eq!(rows.take(), [(10, 1)]);
    // Once the other source has closed, nobody can.
    b.close();
    assert!(matches!(a.emit(4), Err(EmitError::Failed(_))));
}

#[test]
fn a_zip_whose_other_input_closed_ends_and_counts_what_comes_later() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = a.zip(&b).sink_to_list();
    b.emit(1).unwrap();
    b.close();
    a.emit_all([1, 2, 3]).unwrap();
    assert_eq!(rows.take(), [(1, 1)]);
    assert_eq!(lost(&graph, "zip", Loss::Unpaired), 2);
}

#[test]
fn what_a_zip_drops_when_full_leaves_its_place_empty() {
    for (policy, expected) in [
        (OnFull::DropOldest, vec![(3, 30), (4, 40), (5, 50)]),
        (OnFull::DropNewest, vec![(1, 10), (2, 20), (5, 50)]),
        (OnFull::Fail, vec![(1, 10), (2, 20), (5, 50)]),
    ] {
        let graph = Graph::new();
        let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
        let rows = a.zip(&b).capacity(2).on_full(policy).sink_to_list();
        let receipts: Vec<_> = (1..=4).map(|x| a.emit_tracked(x)).collect();
        assert_eq!(held(&graph, "zip"), 2);
        if policy == OnFull::Fail {
            let Err(EmitError::Failed(failure)) = &receipts[3] else {
                panic!("it did not fail")
            };
            assert_eq!(
                failure.error().downcast_ref(),
                Some(&Overflow { capacity: 2 })
            );
        } else {
            assert_eq!(lost(&graph, "zip", Loss::Overflow), 2);
        }
        for x in [10, 20, 30, 40, 50] {
            b.emit(x).unwrap();
            if x == 40 {
                a.emit(5).unwrap();
            }
        }
        assert_eq!(rows.take(), expected, "{policy:?}");
        assert_eq!(lost(&graph, "zip", Loss::Unpaired), 2, "{policy:?}");
        let delivered = receipts.into_iter().flatten();
        let delivered: Vec<_> = delivered.map(|r| r.outcome().unwrap()).collect();
        let (ok, discarded) = (Ok(()), Err(Lost::Discarded));
        match policy {
            OnFull::DropOldest => assert_eq!(delivered, [discarded, discarded, ok, ok]),
            OnFull::DropNewest => assert_eq!(delivered, [ok, ok, discarded, discarded]),
            _ => assert_eq!(delivered, [ok, ok]),
        }
    }
}

#[test]
fn a_failure_in_one_branch_never_pairs_the_wrong_mates() {
    let source = Source::<u32>::new();
    let rows = zip((
        source.try_filter(|x| unless(x % 3 != 0)),
        &source,
        source.try_filter(|x| unless(x % 5 != 0)).share().map(|x| x),
    ));
    let rows = rows.sink_to_list();
    let fit = source.try_filter(|x| unless(x % 3 != 0)).boxed();
    let all = zip_all([fit, source.into_run().boxed()]).sink_to_list();
    let error = source.emit_all(0..1000).unwrap_err();
    assert_eq!(error.accepted, 1000);
    let fit = |x: &u32| !x.is_multiple_of(3) && !x.is_multiple_of(5);
    assert_eq!(
        rows.take(),
        (0..1000).filter(fit).map(|x| (x, x, x)).collect::<Vec<_>>()
    );
    assert_eq!(
        all.take(),
        (0..1000)
            .filter(|x| x % 3 != 0)
            .map(|x| [x, x])
            .collect::<Vec<_>>()
    );
}

#[test]
fn the_token_of_a_failed_place_does_not_stick_to_the_rows_after_it() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = a
        .try_filter(|x| unless(*x != 1))
        .zip(&b)
        .buffer(8)
        .sink_to_list();
    let time = graph.drive_manually();
    let one = a.emit_tracked(1).unwrap();
    let two = a.emit_tracked(2).unwrap();
    // The failure goes on in its place, and waits in the buffer; its mate is lost at once.
    let mate = b.emit_tracked(10).unwrap();
    assert_eq!(mate.outcome(), Some(Err(Lost::Discarded)));
    assert_eq!(one.outcome(), None);
    b.emit(20).unwrap();
    assert_eq!(two.outcome(), None);
    time.settle();
    assert_eq!(one.outcome(), Some(Err(Lost::Failed)));
    assert_eq!(two.outcome(), Some(Ok(())));
    assert_eq!(rows.take(), [(2, 20)]);
}
