//! Joins with the latest elements, joins of any number of flows, and joins that wait for each other.

use headwater::prelude::*;
use headwater::{
    BoxFlow, List, Loss, Lost, OnFull, Overflow, Receipt, Starved, combine_latest,
    combine_latest_all, union, union_all, zip, zip_all, zip_latest, zip_latest_all,
};
use proptest::prelude::*;

/// An element that does not fit is a failure.
fn unless(fits: bool) -> Result<bool, BoxError> {
    fits.then_some(true).ok_or_else(|| "unfit".into())
}

fn lost(graph: &Graph, node: &str, loss: Loss) -> u64 {
    let snapshot = graph.snapshot().unwrap();
    snapshot.named(node).unwrap().counts.lost(loss)
}

fn held(graph: &Graph, node: &str) -> u64 {
    graph.snapshot().unwrap().named(node).unwrap().counts.held
}

fn outcomes<const N: usize>(receipts: [&Receipt; N]) -> [Option<Result<(), Lost>>; N] {
    receipts.map(Receipt::outcome)
}

const DONE: Option<Result<(), Lost>> = Some(Ok(()));
const DISCARDED: Option<Result<(), Lost>> = Some(Err(Lost::Discarded));

/// Can be neither copied nor cloned.
#[derive(Debug, PartialEq)]
struct Unique(u32);

// ---- with_latest ----

#[test]
fn with_latest_copies_nothing() {
    let graph = Graph::new();
    let (main, flow) = graph.pipe::<Unique>();
    let (config, settings) = graph.pipe::<Unique>();
    let sums = flow
        .with_latest(settings, Unique(100), |x, c| Unique(x.0 + c.0))
        .sink_to_list();
    main.emit(Unique(1)).unwrap();
    config.emit(Unique(200)).unwrap();
    main.emit(Unique(2)).unwrap();
    assert_eq!(sums.take(), [Unique(101), Unique(202)]);
}

#[test]
fn with_latest_emits_for_the_main_flow_only_and_makes_nobody_wait() {
    let graph = Graph::new();
    let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
    let list = main.with_latest(&config, 0, |x, c| (x, *c)).sink_to_list();
    assert_eq!(main.emit_all(0..5000).unwrap(), 5000);
    assert_eq!(list.take().len(), 5000);
    assert_eq!(config.emit_all(0..5000).unwrap(), 5000);
    assert!(list.is_empty());
    assert_eq!(held(&graph, "with_latest"), 1);
    assert_eq!(lost(&graph, "with_latest", Loss::Superseded), 4999);
}

#[test]
fn with_latest_finds_the_other_flow_of_the_same_source_up_to_date() {
    for batch in [false, true] {
        let source = Source::<u32>::new();
        let list = source
            .map(|x| x)
            .with_latest(source.map(|x| 10 * x), 0, |x, ten| (x, *ten));
        let list = list.sink_to_list();
        if batch {
            source.emit_all([1, 2, 3]).unwrap();
        } else {
            (1..=3).for_each(|x| source.emit(x).unwrap());
        }
        assert_eq!(list.take(), [(1, 10), (2, 20), (3, 30)]);
    }
}

#[test]
fn with_latest_of_two_shared_flows_follows_the_order_in_which_they_were_connected() {
    let source = Source::<u32>::new();
    let early = source.map(|x| x).share();
    let late = source.map(|x| 10 * x).share();
    let behind = early.with_latest(&late, 0, |x, c| (x, *c)).sink_to_list();
    let abreast = late.with_latest(&early, 0, |x, c| (x, *c)).sink_to_list();
    source.emit_all([1, 2]).unwrap();
    assert_eq!(behind.take(), [(1, 0), (2, 10)]);
    assert_eq!(abreast.take(), [(10, 1), (20, 2)]);
}

#[test]
fn with_latest_goes_on_after_the_other_flow_closed_and_ends_with_the_main_flow() {
    let graph = Graph::new();
    let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
    let list = main
        .with_latest(&config, 0, |x, c| x + c)
        .partition(10)
        .sink_to_list();
    let used = config.emit_tracked(10).unwrap();
    config.close();
    main.emit(1).unwrap();
    assert_eq!(used.outcome(), None);
    main.close();
    assert_eq!(used.outcome(), DONE);
    assert_eq!(list.take(), [vec![11]]);
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
}

#[test]
fn with_latest_counts_what_its_closure_never_saw() {
    let graph = Graph::new();
    let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
    let list = main.with_latest(&config, 0, |x, c| x + c).sink_to_list();
    let [superseded, used, unpaired] = [
        config.emit_tracked(1).unwrap(),
        config.emit_tracked(2).unwrap(),
        {
            main.emit(10).unwrap();
            config.emit_tracked(3).unwrap()
        },
    ];
    assert_eq!(
        outcomes([&superseded, &used, &unpaired]),
        [DISCARDED, DONE, None]
    );
    main.close();
    let unheard = config.emit_tracked(4).unwrap();
    assert_eq!(outcomes([&unpaired, &unheard]), [DISCARDED; 2]);
    for loss in [Loss::Superseded, Loss::Unpaired, Loss::Unheard] {
        assert_eq!(lost(&graph, "with_latest", loss), 1, "{loss:?}");
    }
    assert_eq!(held(&graph, "with_latest"), 0);
    assert_eq!(list.take(), [12]);
}

#[test]
fn the_receipt_of_a_latest_element_waits_for_all_that_was_made_of_it() {
    for batch in [false, true] {
        let graph = Graph::new();
        let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
        let list = main
            .with_latest(&config, 0, |x, c| x + c)
            .buffer(9)
            .sink_to_list();
        let time = graph.drive_manually();
        let config_1 = config.emit_tracked(1).unwrap();
        if batch {
            main.emit_all([10, 20]).unwrap();
        } else {
            main.emit(10).unwrap();
            main.emit(20).unwrap();
        }
        let main_3 = main.emit_tracked(30).unwrap();
        config.emit(2).unwrap();
        assert_eq!(outcomes([&config_1, &main_3]), [None; 2]);
        time.settle();
        assert_eq!(outcomes([&config_1, &main_3]), [DONE; 2]);
        assert_eq!(list.take(), [11, 21, 31]);
    }
}

#[test]
fn failures_keep_their_place_in_with_latest_and_those_of_the_other_flow_take_none() {
    let source = Source::<u32>::new();
    let config = source.graph().source::<u32>();
    let fit = config.try_filter(|c| unless(*c < 100));
    let rows = source
        .try_filter(|x| unless(*x != 2))
        .with_latest(fit, 0, |x, c| x + c)
        .zip(&source)
        .sink_to_list();
    config.emit(10).unwrap();
    source.emit(1).unwrap();
    assert!(matches!(config.emit(100), Err(EmitError::Failed(_))));
    assert!(matches!(source.emit(2), Err(EmitError::Failed(_))));
    source.emit(3).unwrap();
    assert_eq!(rows.take(), [(11, 1), (13, 3)]);
}

#[test]
fn a_full_holder_below_with_latest_stops_the_main_flow_and_not_the_other() {
    let graph = Graph::new();
    let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
    let list = main
        .with_latest(&config, 0, |x, c| x + c)
        .buffer(2)
        .sink_to_list();
    let time = graph.drive_manually();
    let error = main.emit_all(0..10).unwrap_err();
    assert_eq!((error.accepted, error.cause.is_full()), (2, true));
    assert_eq!(config.emit_all([5, 6, 7]).unwrap(), 3);
    time.settle();
    main.emit(2).unwrap();
    time.settle();
    assert_eq!(list.take(), [0, 1, 9]);
}

#[test]
fn a_closure_of_with_latest_may_feed_its_own_other_flow() {
    let graph = Graph::new();
    let (main, config) = (graph.source::<u32>(), graph.source::<u32>());
    let back = config.downgrade();
    let list = main.with_latest(&config, 0, move |x, c| {
        back.emit(x + c).unwrap();
        *c
    });
    let list = list.sink_to_list();
    (1..=3).for_each(|x| main.emit(x).unwrap());
    assert_eq!(list.take(), [0, 1, 3]);
}

#[test]
#[should_panic(expected = "`with_latest` combines flows of two graphs")]
fn with_latest_of_two_graphs_panics() {
    let other = Source::<u32>::new();
    let _ = Source::<u32>::new().with_latest(&other, 0, |x, _| x);
}

// ---- zip_latest ----

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

// ---- any number of flows, of any kind ----

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

// ---- zips of three to seven ----

#[derive(Clone, Debug)]
enum Event {
    Emit(usize, Vec<u32>),
    Close(usize),
}

/// Rows of `n` inputs by position, and how many elements were left without mates.
fn naive_zip(n: usize, events: &[Event]) -> (Vec<Vec<u32>>, u64) {
    let (mut queues, mut closed) = (vec![Vec::new(); n], vec![false; n]);
    let (mut taken, mut late, mut finished) = (0, 0, false);
    let mut rows = Vec::new();
    for event in events {
        match event {
            Event::Emit(i, items) if *i < n && !closed[*i] => {
                for x in items {
                    if finished {
                        late += 1;
                        continue;
                    }
                    queues[*i].push(*x);
                    if queues.iter().all(|queue| queue.len() > taken) {
                        rows.push(queues.iter().map(|queue| queue[taken]).collect());
                        taken += 1;
                        finished = (0..n).any(|p| closed[p] && queues[p].len() == taken);
                    }
                }
            }
            Event::Close(i) if *i < n => {
                closed[*i] = true;
                finished |= queues[*i].len() == taken;
            }
            _ => {}
        }
    }
    let left: usize = queues.iter().map(|queue| queue.len() - taken).sum();
    let unpaired = if finished { left as u64 + late } else { 0 };
    (rows, unpaired)
}

/// A zip of `n` sources, whose rows are vectors.
fn zip_of(n: usize, s: &[Source<u32>]) -> BoxFlow<Vec<u32>> {
    match n {
        2 => s[0].zip(&s[1]).map(|(a, b)| vec![a, b]).boxed(),
        3 => zip((&s[0], &s[1], &s[2]))
            .map(|r| vec![r.0, r.1, r.2])
            .boxed(),
        4 => zip((&s[0], &s[1], &s[2], &s[3]))
            .map(|r| vec![r.0, r.1, r.2, r.3])
            .boxed(),
        5 => zip((&s[0], &s[1], &s[2], &s[3], &s[4]))
            .map(|r| vec![r.0, r.1, r.2, r.3, r.4])
            .boxed(),
        6 => zip((&s[0], &s[1], &s[2], &s[3], &s[4], &s[5]))
            .map(|r| vec![r.0, r.1, r.2, r.3, r.4, r.5])
            .boxed(),
        7 => zip((&s[0], &s[1], &s[2], &s[3], &s[4], &s[5], &s[6]))
            .map(|r| vec![r.0, r.1, r.2, r.3, r.4, r.5, r.6])
            .boxed(),
        8 => zip((&s[0], &s[1], &s[2], &s[3], &s[4], &s[5], &s[6], &s[7]))
            .map(|r| vec![r.0, r.1, r.2, r.3, r.4, r.5, r.6, r.7])
            .boxed(),
        _ => unreachable!("no such arity"),
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let items = prop::collection::vec(0..100u32, 0..12);
    let event = prop_oneof![
        15 => (0..8usize, items).prop_map(|(i, items)| Event::Emit(i, items)),
        1 => (0..8usize).prop_map(Event::Close),
    ];
    prop::collection::vec(event, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn zips_of_every_arity_pair_by_position(
        n in 2..=8usize,
        events in events(),
        tracked in any::<bool>(),
        (batch, all) in any::<(bool, bool)>(),
    ) {
        let graph = Graph::new();
        let sources: Vec<_> = (0..8).map(|_| graph.source::<u32>()).collect();
        let rows = if all {
            zip_all(&sources[..n]).named("zip").sink_to_list()
        } else {
            // Not named: the name would go to the map behind it.
            zip_of(n, &sources).sink_to_list()
        };
        let mut receipts = Vec::new();
        for event in &events {
            match event {
                Event::Emit(i, items) if tracked => {
                    receipts.extend(items.iter().filter_map(|x| sources[*i].emit_tracked(*x).ok()));
                }
                Event::Emit(i, items) if batch => {
                    let _ = sources[*i].emit_all(items.iter().copied());
                }
                Event::Emit(i, items) => {
                    items.iter().for_each(|x| drop(sources[*i].emit(*x)));
                }
                Event::Close(i) => sources[*i].close(),
            }
        }
        let (expected, unpaired) = naive_zip(n, &events);
        prop_assert_eq!(rows.take(), expected);
        prop_assert_eq!(lost(&graph, "zip", Loss::Unpaired), unpaired);
        sources.iter().for_each(Source::close);
        prop_assert_eq!(held(&graph, "zip"), 0);
        prop_assert!(receipts.iter().all(|receipt| receipt.outcome().is_some()));
    }
}

#[test]
fn a_failure_that_waits_for_its_mate_at_the_close_is_reported() {
    let graph = Graph::new();
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = seen.clone();
    graph.on_error(OnError::Call(Box::new(move |_| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    })));
    let [a, b, c] = [(); 3].map(|()| graph.source::<u32>());
    zip((a.try_filter(|_| unless(false)), &b)).sink(drop);
    zip_all([
        a.try_filter(|_| unless(false)).boxed(),
        b.into_run().boxed(),
    ])
    .sink(drop);
    a.try_filter(|_| unless(false)).zip_latest(&c).sink(drop);
    let receipt = a.emit_tracked(1).unwrap();
    assert_eq!(receipt.outcome(), None);
    b.close();
    c.close();
    assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
    assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[test]
fn a_failure_that_comes_to_a_zip_that_has_ended_takes_no_place_below() {
    let graph = Graph::new();
    let (ended, source) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = ended
        .zip(source.try_filter(|x| unless(x % 3 != 0)))
        .map(|(a, _)| a)
        .union(&source)
        .zip(&source)
        .sink_to_list();
    ended.close();
    assert!(matches!(source.emit(3), Err(EmitError::Failed(_))));
    source.emit(4).unwrap();
    assert_eq!(rows.take(), [(3, 3), (4, 4)]);
}

// ---- joins that wait for each other ----

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
