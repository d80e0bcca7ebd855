//! `zip_latest`: every element of the main flows, with the latest of the others.

use headwater::prelude::*;
use headwater::{Loss, Lost, OnFull, Overflow, Starved, zip, zip_all, zip_latest, zip_latest_all};

use super::{DISCARDED, DONE, Unique, held, lost, outcomes, unless};

#[test]
fn zip_latest_does_not_copy_lossless_elements() {
    let graph = Graph::new();
    let (main, flow) = graph.pipe::<Unique>();
    let other = graph.source::<u32>();
    let rows = flow.zip_latest(&other).sink_to_list();
    main.emit(Unique(1)).unwrap();
    other.emit(7).unwrap();
    main.emit(Unique(2)).unwrap();
    assert_eq!(rows.take(), [(Unique(1), 7), (Unique(2), 7)]);
}

#[test]
fn lossless_elements_that_waited_all_get_the_first_of_the_others() {
    for batch in [false, true] {
        let graph = Graph::new();
        let [a, b, c] = [(); 3].map(|()| graph.source::<u32>());
        let rows = zip_latest(&a, (&b, &c)).sink_to_list();
        a.emit_all([1, 2]).unwrap();
        b.emit_all([10, 20]).unwrap();
        if batch {
            c.emit_all([100, 200]).unwrap();
        } else {
            c.emit(100).unwrap();
            c.emit(200).unwrap();
        }
        a.emit(3).unwrap();
        assert_eq!(rows.take(), [(1, 20, 100), (2, 20, 100), (3, 20, 200)]);
        assert_eq!(lost(&graph, "zip_latest", Loss::Superseded), 1);
    }
}

#[test]
fn several_lossless_flows_are_paired_by_position() {
    let graph = Graph::new();
    let [a, b, c, d] = [(); 4].map(|()| graph.source::<u32>());
    let rows = zip_latest((&a, &b), (&c, d.map(|x| x + 1))).sink_to_list();
    let all = zip_latest_all(zip_all([&a, &b]), [&c, &d]).sink_to_list();
    let named = zip_latest(zip((&a, &b)).capacity(1).named("pairs"), &c);
    let named = named.sink_to_list();
    a.emit(1).unwrap();
    c.emit(100).unwrap();
    b.emit(10).unwrap();
    d.emit(1000).unwrap();
    a.emit(2).unwrap();
    b.emit(20).unwrap();
    assert_eq!(rows.take(), [((1, 10), 100, 1001), ((2, 20), 100, 1001)]);
    assert_eq!(
        all.take(),
        [
            (vec![1, 10], vec![100, 1000]),
            (vec![2, 20], vec![100, 1000])
        ]
    );
    assert_eq!(named.take(), [((1, 10), 100), ((2, 20), 100)]);
}

#[test]
fn zip_latest_takes_up_to_seven_others_and_any_number_in_a_vec() {
    let graph = Graph::new();
    let s: Vec<_> = (0..8).map(|_| graph.source::<u32>()).collect();
    let rows = zip_latest(&s[0], (&s[1], &s[2], &s[3], &s[4], &s[5], &s[6], &s[7]));
    let rows = rows.sink_to_list();
    let all = zip_latest_all(&s[0], &s[1..]).sink_to_list();
    for (i, source) in (0..).zip(&s) {
        source.emit(i).unwrap();
    }
    assert_eq!(rows.take(), [(0, 1, 2, 3, 4, 5, 6, 7)]);
    assert_eq!(all.take(), [(0, (1..8).collect::<Vec<_>>())]);
}

#[test]
fn zip_latest_finds_the_other_flow_of_the_same_source_up_to_date() {
    for batch in [false, true] {
        let source = Source::<u32>::new();
        let rows = source.zip_latest(source.map(|x| 10 * x)).sink_to_list();
        if batch {
            source.emit_all([1, 2]).unwrap();
        } else {
            source.emit(1).unwrap();
            source.emit(2).unwrap();
        }
        assert_eq!(rows.take(), [(1, 10), (2, 20)]);
    }
}

#[test]
fn a_full_zip_latest_makes_its_source_wait_until_the_others_have_come() {
    for capacity in [1, 3] {
        let graph = Graph::new();
        let (a, b) = (graph.source::<usize>(), graph.source::<usize>());
        let rows = a.zip_latest(&b).capacity(capacity).sink_to_list();
        let error = a.emit_all(0..10).unwrap_err();
        assert_eq!((error.accepted, error.cause.is_full()), (capacity, true));
        assert_eq!(held(&graph, "zip_latest"), capacity as u64);
        b.emit(7).unwrap();
        assert_eq!(a.emit_all(capacity..2000).unwrap(), 2000 - capacity);
        assert_eq!(rows.take(), (0..2000).map(|x| (x, 7)).collect::<Vec<_>>());
    }
}

#[test]
fn a_zip_latest_with_a_part_of_itself_fails_with_what_it_holds_instead_of_waiting() {
    for batch in [false, true] {
        let source = Source::<u32>::new();
        let tens = source.filter(|x| x % 10 == 0);
        let rows = source.zip_latest(tens).capacity(3).sink_to_list();
        let failed = if batch {
            source.emit_all(1..15).unwrap_err().others + 1
        } else {
            let outcomes: Vec<_> = (1..15).map(|x| source.emit(x)).collect();
            let failed = outcomes.into_iter().filter_map(Result::err);
            let failures: Vec<_> = failed
                .map(|error| match error {
                    EmitError::Failed(failure) => failure,
                    other => panic!("{other}"),
                })
                .collect();
            let starved = failures[0].error().downcast_ref::<Starved>().unwrap();
            assert_eq!(starved.held, [3, 0]);
            assert_eq!(failures[0].kind(), "zip_latest");
            assert_eq!(failures[0].take_element::<u32>(), Some(4));
            failures.len()
        };
        assert_eq!(failed, 6);
        let first = [1, 2, 3, 10, 11, 12, 13, 14];
        assert_eq!(rows.take(), first.map(|x| (x, 10)));
    }
}

#[test]
fn what_a_full_zip_latest_drops_leaves_its_place_empty() {
    for (policy, kept) in [
        (OnFull::DropOldest, [3, 4]),
        (OnFull::DropNewest, [1, 2]),
        (OnFull::Fail, [1, 2]),
    ] {
        let graph = Graph::new();
        let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
        let rows = a
            .zip_latest(&b)
            .capacity(2)
            .on_full(policy)
            .zip(&a)
            .sink_to_list();
        for x in 1..=4 {
            match a.emit(x) {
                Ok(()) => {}
                Err(EmitError::Failed(f)) if policy == OnFull::Fail => {
                    assert_eq!(f.error().downcast_ref(), Some(&Overflow { capacity: 2 }));
                }
                Err(other) => panic!("{other}"),
            }
        }
        b.emit(9).unwrap();
        a.emit(5).unwrap();
        let expected: Vec<_> = kept.into_iter().chain([5]).map(|x| ((x, 9), x)).collect();
        assert_eq!(rows.take(), expected, "{policy:?}");
    }
}

#[test]
fn zip_latest_closes_with_its_lossless_flow_once_nothing_of_that_waits() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let list = a.zip_latest(&b).partition(10).sink_to_list();
    let one = a.emit_tracked(1).unwrap();
    a.close();
    assert!(list.is_empty());
    let two = b.emit_tracked(2).unwrap();
    assert_eq!(list.take(), [vec![(1, 2)]]);
    assert_eq!(outcomes([&one, &two]), [DONE; 2]);
    b.emit(3).unwrap();
    assert_eq!(lost(&graph, "zip_latest", Loss::Unheard), 1);
    assert_eq!(held(&graph, "zip_latest"), 0);
}

#[test]
fn zip_latest_closes_with_another_flow_that_never_had_an_element() {
    let graph = Graph::new();
    let [a, b, c] = [(); 3].map(|()| graph.source::<u32>());
    let list = zip_latest(&a, (&b, &c)).partition(10).sink_to_list();
    let waiting = a.emit_tracked(1).unwrap();
    let latest = b.emit_tracked(2).unwrap();
    b.close();
    assert_eq!(outcomes([&waiting, &latest]), [None; 2]);
    c.close();
    assert_eq!(outcomes([&waiting, &latest]), [DISCARDED; 2]);
    let late = a.emit_tracked(4).unwrap();
    assert_eq!(late.outcome(), DISCARDED);
    assert_eq!(lost(&graph, "zip_latest", Loss::Unpaired), 3);
    assert_eq!(held(&graph, "zip_latest"), 0);
    assert!(list.is_empty());
}

#[test]
fn zip_latest_goes_on_with_the_last_element_of_a_closed_flow() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = a.zip_latest(&b).sink_to_list();
    let kept = b.emit_tracked(1).unwrap();
    b.close();
    a.emit_all([2, 3]).unwrap();
    assert_eq!(kept.outcome(), None);
    a.close();
    assert_eq!(kept.outcome(), DONE);
    assert_eq!(rows.take(), [(2, 1), (3, 1)]);
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
}

#[test]
fn failures_keep_their_place_in_zip_latest_waiting_or_not() {
    let source = Source::<u32>::new();
    let other = source.graph().source::<u32>();
    let rows = source
        .try_filter(|x| unless(x % 2 == 1))
        .zip_latest(other.try_filter(|x| unless(*x > 5)))
        .zip(&source)
        .buffer(100)
        .sink_to_list();
    let time = source.graph().drive_manually();
    // Failures that wait are nobody's error yet.
    let two: Vec<_> = (1..=4).map(|x| source.emit_tracked(x).unwrap()).collect();
    other.emit(5).unwrap_err();
    other.emit(6).unwrap();
    other.emit(4).unwrap_err();
    let five = source.emit_tracked(5).unwrap();
    let six = source.emit_tracked(6).unwrap();
    let seven = source.emit_tracked(7).unwrap();
    time.settle();
    assert_eq!(
        rows.take(),
        [((1, 6), 1), ((3, 6), 3), ((5, 6), 5), ((7, 6), 7)]
    );
    assert!(matches!(two[1].outcome(), Some(Err(_))));
    assert!(matches!(six.outcome(), Some(Err(_))));
    assert_eq!(outcomes([&five, &seven]), [DONE; 2]);
}

#[test]
fn a_zip_latest_that_is_torn_down_fails_what_it_held() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let c = graph.source::<u32>();
    let list = zip_latest(&a, (&b, &c)).sink_to_list();
    let (waiting, latest) = (a.emit_tracked(1).unwrap(), b.emit_tracked(2).unwrap());
    drop((a, b, c, list, graph));
    assert_eq!(
        outcomes([&waiting, &latest]),
        [Some(Err(Lost::TornDown)); 2]
    );
}

#[test]
#[should_panic(expected = "`capacity(0)` could hold nothing")]
fn zip_latest_needs_room() {
    let source = Source::<u32>::new();
    let _ = source.zip_latest(&source).capacity(0);
}

#[test]
#[should_panic(expected = "`zip_latest` combines flows of two graphs")]
fn zip_latest_of_two_graphs_panics() {
    let _ = Source::<u32>::new().zip_latest(&Source::<u32>::new());
}

#[test]
#[should_panic(expected = "`zip_latest_all` of no flows")]
fn zip_latest_all_of_no_others_panics() {
    let source = Source::<u32>::new();
    let _ = zip_latest_all(&source, Vec::<&Source<u32>>::new());
}
