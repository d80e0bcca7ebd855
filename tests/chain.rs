//! Flows that end, begin or go on with another flow, or with all their elements at once: take_until,
//! start_with, chain, fold, collect.

mod cuts;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cuts::{emit_in, nodes};
use headwater::prelude::*;
use headwater::{EmitError, Lost, OnFull};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

// ---- until another flow emits ----

#[test]
fn a_flow_ends_when_the_other_emits_and_not_when_it_closes() {
    let graph = Graph::new();
    let (source, stop, other) = (
        graph.source::<u32>(),
        graph.source::<()>(),
        graph.source::<()>(),
    );
    let until = source.take_until(&stop).partition(10).sink_to_list();
    let never = source.take_until(&other).partition(10).sink_to_list();
    other.close();
    source.emit_all([1, 2]).unwrap();
    assert!(until.is_empty());
    stop.emit_all([(), ()]).unwrap();
    assert_eq!(until.take(), [[1, 2]]);
    source.emit(3).unwrap();
    source.close();
    assert_eq!(never.take(), [[1, 2, 3]]);
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
    assert!(graph.close().unwrap().complete);
}

#[test]
fn both_sides_are_let_go_whichever_ends_it() {
    for ended_by in ["other", "close"] {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let (source, stop) = (graph.source::<u32>(), graph.source::<u32>());
        let captured = Arc::new(());
        let (a, b) = (captured.clone(), captured.clone());
        let until = stop.buffer(9).filter(move |x| (&b, *x > 1).1);
        let list = source
            .buffer(2)
            .map(move |x| (&a, x).1)
            .take_until(until)
            .sink_to_list();
        source.emit(7).unwrap();
        stop.emit_all([0, 1]).unwrap();
        time.settle();
        let receipts = [8, 9].map(|x| source.emit_tracked(x).unwrap());
        let cause = match ended_by {
            "other" => {
                let last = stop.emit_tracked(2).unwrap();
                stop.emit(3).unwrap();
                time.settle();
                last
            }
            _ => {
                source.close();
                time.settle();
                stop.emit_tracked(9).unwrap()
            }
        };
        assert_eq!(cause.outcome(), Some(Ok(())), "{ended_by}");
        assert!(receipts.iter().all(|r| r.outcome() == Some(Ok(()))));
        assert_eq!(Arc::strong_count(&captured), 1, "{ended_by}");
        assert!(list.take().starts_with(&[7]));
        assert!(
            !nodes(&graph).contains(&"take_until".to_owned()),
            "{:?}",
            nodes(&graph)
        );
        assert_eq!(graph.snapshot().unwrap().dropped(), 0);
    }
}

#[test]
fn what_ends_a_flow_of_its_own_source_does_not_pass_however_elements_come() {
    for size in [0, 1, 3, 100] {
        let source = Source::<u64>::new();
        let list = source.take_until(source.filter(|x| *x == 5)).sink_to_list();
        let later = source.take_until(source.skip(2).take(1)).sink_to_list();
        emit_in(&source, &(0..20).collect::<Vec<_>>(), &[size]);
        assert_eq!(list.take(), [0, 1, 2, 3, 4]);
        assert_eq!(later.take(), [0, 1]);
    }
}

#[test]
fn failures_of_either_side_pass_until_the_end() {
    let graph = Graph::new();
    let (source, stop) = (graph.source::<i32>(), graph.source::<i32>());
    let fit = |x: i32| if x < 0 { Err("negative".into()) } else { Ok(x) };
    let list = source
        .try_map(fit)
        .take_until(stop.try_map(fit))
        .catch(|_| Some(-1))
        .sink_to_list();
    source.emit(1).unwrap();
    stop.emit(-1).unwrap();
    source.emit(-1).unwrap();
    source.emit(2).unwrap();
    stop.emit(0).unwrap();
    assert_eq!(list.take(), [1, -1, -1, 2]);
}

#[test]
#[should_panic(expected = "combines flows of two graphs")]
fn a_flow_is_not_ended_by_another_graph() {
    let _ = Source::<u32>::new().take_until(&Source::<u32>::new());
}

// ---- what goes before the first element ----

#[test]
fn items_pass_as_soon_as_the_flow_is_connected() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let flow = source.start_with([1, 2]).map(|x| 10 * x);
    let list = flow.sink_to_list();
    assert_eq!(list.take(), [10, 20]);
    source.emit(3).unwrap();
    assert_eq!(list.take(), [30]);
    source.close();
    let closed = source.start_with([1, 2]).partition(5).sink_to_list();
    assert_eq!(closed.take(), [[1, 2]]);
    assert!(graph.close().unwrap().complete);
}

#[test]
fn items_wait_for_a_driver_where_the_graph_needs_one() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let windows = source
        .start_with([1, 2])
        .timed_window(SECOND)
        .sink_to_list();
    assert!(matches!(source.emit(3), Err(EmitError::Undriven(3))));
    let time = graph.drive_manually();
    source.emit(3).unwrap();
    time.advance(SECOND);
    assert_eq!(windows.take(), [[1, 2, 3]]);
}

#[test]
fn items_wait_while_somebody_is_full_and_elements_behind_them() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.start_with(0..5).buffer(2).sink_to_list();
    let receipt = source.emit_tracked(5).unwrap();
    let held = graph.snapshot().unwrap();
    assert_eq!(held.named("start_with").unwrap().counts.held, 1);
    let mut accepted = 6;
    while source.emit(accepted).is_ok() {
        accepted += 1;
    }
    assert_eq!(accepted, 5 + 1024);
    assert_eq!(receipt.outcome(), None);
    source.close();
    time.settle();
    assert!(list.take().into_iter().eq(0..accepted));
    assert_eq!(receipt.outcome(), Some(Ok(())));
    assert!(graph.close().unwrap().complete);
}

#[test]
fn items_that_wait_for_mates_need_no_driver() {
    let graph = Graph::new();
    let (source, mates) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = source.start_with(0..).take(5000).zip(&mates).sink_to_list();
    mates.emit_all(0..5000).unwrap();
    assert!(rows.take().into_iter().eq((0..5000).map(|x| (x, x))));
    let endless = graph.source::<u32>();
    let few = endless.start_with(0..).take(3).sink_to_list();
    assert_eq!(few.take(), [0, 1, 2]);
    let none = endless.start_with(0..).take(0).sink_to_list();
    assert!(none.is_empty());
    assert_eq!(
        nodes(&graph).iter().filter(|n| *n == "start_with").count(),
        0
    );
}

#[test]
fn inputs_of_a_join_start_in_their_order() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let merged = a.start_with([1, 2]).union(b.start_with([3])).sink_to_list();
    let latest = a
        .start_with([1])
        .combine_latest(b.start_with([3]))
        .sink_to_list();
    let rows = a.start_with([1]).zip(b.start_with([3])).sink_to_list();
    assert_eq!(merged.take(), [1, 2, 3]);
    assert_eq!(latest.take(), [(1, 3)]);
    assert_eq!(rows.take(), [(1, 3)]);
}

#[test]
fn a_flow_connected_by_a_closure_starts_when_that_has_finished() {
    let graph = Graph::new();
    let (source, other) = (graph.source::<u32>(), graph.source::<u32>());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slot = seen.clone();
    source.take(1).sink(move |_| {
        let inner = slot.clone();
        other
            .start_with([1])
            .sink(move |x| inner.lock().unwrap().push(x));
        slot.lock().unwrap().push(0);
    });
    source.emit(9).unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1]);
}

// ---- one flow after another ----

#[test]
fn the_second_flow_is_held_until_the_first_has_closed() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let list = a.chain(&b).sink_to_list();
    let groups = a.chain(&b).partition(10).sink_to_list();
    b.emit(3).unwrap();
    let receipt = b.emit_tracked(4).unwrap();
    a.emit_all([1, 2]).unwrap();
    assert_eq!(list.take(), [1, 2]);
    assert_eq!(
        graph
            .snapshot()
            .unwrap()
            .named("chain")
            .unwrap()
            .counts
            .held,
        2
    );
    assert_eq!(receipt.outcome(), None);
    a.close();
    assert_eq!(list.take(), [3, 4]);
    b.emit_all([5, 6]).unwrap();
    assert_eq!(list.take(), [5, 6]);
    b.close();
    assert_eq!(groups.take(), [[1, 2, 3, 4, 5, 6]]);
    assert_eq!(receipt.outcome(), Some(Ok(())));
}

#[test]
fn chains_that_drain_at_the_same_moment_take_turns_and_each_keeps_its_order() {
    // With endless room below and next to none.
    for room in [None, Some(1)] {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
        let even = a.chain(b.map(|x| 2 * x));
        let both = even.union(a.chain(b.map(|x| 2 * x + 1)));
        let list = match room {
            Some(room) => both.buffer(room).sink_to_list(),
            None => both.sink_to_list(),
        };
        b.emit_all(0..1_000).unwrap();
        a.close();
        // Neither has all its elements out before the other begins.
        time.settle();
        let mut drained = list.take();
        let half = &drained[..1_000];
        assert!(half.contains(&0) && half.contains(&1), "room {room:?}");
        for x in 1_000..1_003 {
            b.emit(x).unwrap();
            time.settle();
        }
        b.close();
        time.settle();
        drained.extend(list.take());
        let (even, odd): (Vec<_>, Vec<_>) = drained.into_iter().partition(|x| x % 2 == 0);
        assert_eq!(even, (0..1_003).map(|x| 2 * x).collect::<Vec<_>>());
        assert_eq!(odd, (0..1_003).map(|x| 2 * x + 1).collect::<Vec<_>>());
        assert_eq!(graph.snapshot().unwrap().dropped(), 0);
    }
}

#[test]
fn the_second_flow_may_close_first() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let groups = a.chain(&b).partition(10).sink_to_list();
    b.emit(3).unwrap();
    b.close();
    a.emit(1).unwrap();
    assert!(groups.is_empty());
    a.close();
    assert_eq!(groups.take(), [[1, 3]]);
}

#[test]
fn a_source_is_cut_in_two_and_chained() {
    let source = Source::<u64>::new();
    let head = source.take(3).map(|x| 100 * x);
    let list = head
        .chain(source.skip(3))
        .chain(source.take(1))
        .sink_to_list();
    source.emit_all(0..6).unwrap();
    assert_eq!(list.take(), [0, 100, 200, 3, 4, 5]);
    source.close();
    assert_eq!(list.take(), [0]);
}

#[test]
fn the_origin_of_the_second_flow_waits_until_it_drains() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let list = a.chain(&b).capacity(3).buffer(2).sink_to_list();
    (0..3).for_each(|x| b.emit(x).unwrap());
    assert!(b.emit(3).unwrap_err().is_full());
    a.emit(9).unwrap();
    a.close();
    // One fits below, two are held still: there is room for one.
    b.emit(3).unwrap();
    assert!(b.emit(4).unwrap_err().is_full());
    time.settle();
    assert_eq!(list.take(), [9, 0, 1, 2, 3]);
    b.emit(4).unwrap();
    b.close();
    time.settle();
    assert_eq!(list.take(), [4]);
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
}

#[test]
fn a_flow_that_waits_for_itself_fails_and_says_so() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source.take(100).chain(&source).capacity(5).sink_to_list();
    for x in 0..5 {
        source.emit(x).unwrap();
    }
    let error = source.emit(5).unwrap_err();
    assert!(error.to_string().contains("`chain`"), "{error}");
    for x in 6..99 {
        assert!(matches!(source.emit(x), Err(EmitError::Failed(_))));
    }
    // The last of the first flow closes it, and the second sees it too.
    source.emit(99).unwrap();
    assert_eq!(list.take().len(), 100 + 5 + 1);
    source.emit(100).unwrap();
    assert_eq!(list.take(), [100]);
}

#[test]
fn what_a_full_chain_drops_is_counted() {
    for (policy, expected) in [
        (OnFull::DropOldest, vec![8, 9]),
        (OnFull::DropNewest, vec![0, 1]),
        (OnFull::Fail, vec![0, 1]),
    ] {
        let graph = Graph::new();
        let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
        let list = a.chain(&b).capacity(2).on_full(policy).sink_to_list();
        let receipts: Vec<_> = (0..10).flat_map(|x| b.emit_tracked(x)).collect();
        a.close();
        assert_eq!(list.take(), expected, "{policy:?}");
        let snapshot = graph.snapshot().unwrap();
        assert_eq!(snapshot.dropped() + snapshot.failed(), 8);
        let done = receipts.iter().filter(|r| r.outcome() == Some(Ok(())));
        assert_eq!(done.count(), 2);
    }
}

#[test]
fn failures_of_the_second_flow_keep_their_place() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<i32>(), graph.source::<i32>());
    let fit = |x: i32| if x < 0 { Err("negative".into()) } else { Ok(x) };
    let list = a
        .try_map(fit)
        .chain(b.try_map(fit))
        .catch(|_| Some(-1))
        .sink_to_list();
    b.emit_all([1, -1, 2]).unwrap();
    a.emit_all([-1, 0]).unwrap();
    assert_eq!(list.take(), [-1, 0]);
    a.close();
    assert_eq!(list.take(), [1, -1, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_chain_is_the_first_flow_and_then_the_second(
        script in prop::collection::vec((any::<bool>(), prop::collection::vec(0..1000u64, 0..20)), 0..12),
        sizes in prop::collection::vec(0..20usize, 1..5),
        close in 0..12usize,
        ends in any::<bool>(),
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let (a, b) = (graph.source::<u64>(), graph.source::<u64>());
        let plain = a.chain(&b).sink_to_list();
        let tight = a.chain(&b).buffer(3).sink_to_list();
        let (mut first, mut second) = (Vec::<u64>::new(), Vec::<u64>::new());
        let mut receipts = Vec::new();
        for (at, (which, items)) in script.iter().enumerate() {
            if at == close {
                a.close();
            }
            let source = if *which { &a } else { &b };
            if *which && at >= close {
                continue;
            }
            for batch in items.chunks(sizes[at % sizes.len()].max(1)) {
                match batch {
                    [x] => receipts.push(source.emit_tracked(*x).unwrap()),
                    _ => drop(source.emit_all(batch.iter().copied()).unwrap_or_else(|error| {
                        // Full below: the driver comes by, and the rest goes after.
                        time.settle();
                        let rest = &batch[error.accepted..];
                        for x in rest {
                            source.emit(*x).unwrap();
                            time.settle();
                        }
                        rest.len()
                    })),
                }
                time.settle();
            }
            if *which { &mut first } else { &mut second }.extend(items);
        }
        a.close();
        if ends {
            b.close();
        }
        time.settle();
        first.extend(second);
        prop_assert_eq!(plain.take(), first.clone());
        prop_assert_eq!(tight.take(), first);
        prop_assert!(receipts.iter().all(|r| r.outcome() == Some(Ok(()))));
    }

    // ---- one value of all, and groups on demand ----

    #[test]
    fn a_fold_emits_once_at_the_close(
        items in prop::collection::vec(0..1000u64, 0..40),
        sizes in prop::collection::vec(0..20usize, 1..5),
    ) {
        let graph = Graph::new();
        let source = graph.source::<u64>();
        let folded = source.fold(7, |sum, x| sum * 31 % 1009 + x).sink_to_list();
        let all = source.fold_all((Count, Sum, Max)).sink_to_list();
        let receipt = source.emit_tracked(1).unwrap();
        emit_in(&source, &items, &sizes);
        prop_assert!(folded.is_empty() && all.is_empty());
        prop_assert_eq!(receipt.outcome(), None);
        source.close();
        let mut seen = vec![1];
        seen.extend(&items);
        let naive = seen.iter().fold(7, |sum, x| sum * 31 % 1009 + x);
        prop_assert_eq!(folded.take(), [naive]);
        let naive = (seen.len() as u64, seen.iter().sum::<u64>(), *seen.iter().max().unwrap());
        prop_assert_eq!(all.take(), [naive]);
        prop_assert_eq!(receipt.outcome(), Some(Ok(())));
    }

    #[test]
    fn groups_on_demand_are_the_elements_between_two_calls(
        script in prop::collection::vec((prop::collection::vec(0..1000u64, 0..20), any::<bool>()), 0..12),
        sizes in prop::collection::vec(0..20usize, 1..5),
        max in 1..12usize,
    ) {
        let graph = Graph::new();
        let (source, ask) = (graph.source::<u64>(), graph.source::<()>());
        let (collect, flush) = source.collect();
        let flushed = collect.max_len(max).sink_to_list();
        let until = source.collect_until(&ask).max_len(max).sink_to_list();
        let (mut expected, mut open) = (Vec::new(), Vec::new());
        for (items, asks) in &script {
            emit_in(&source, items, &sizes);
            for x in items {
                open.push(*x);
                if open.len() == max {
                    expected.push(std::mem::take(&mut open));
                }
            }
            if *asks {
                ask.emit(()).unwrap();
                flush.flush();
                expected.push(std::mem::take(&mut open));
            }
        }
        source.close();
        if !open.is_empty() {
            expected.push(open);
        }
        ask.emit(()).unwrap();
        flush.flush();
        prop_assert_eq!(flushed.take(), expected.clone());
        prop_assert_eq!(until.take(), expected);
        prop_assert_eq!(nodes(&graph).iter().filter(|n| n.starts_with("collect_")).count(), 0);
    }
}

#[test]
fn a_fold_of_nothing_is_its_first_state_and_that_of_an_aggregate_is_nothing() {
    let source = Source::<u64>::new();
    let folded = source.fold(7, |sum, x| sum + x).sink_to_list();
    let all = source.fold_all(Sum).sink_to_list();
    let both = source.take(0).fold(1, |sum, x| sum + x).sink_to_list();
    assert_eq!(both.take(), [1]);
    source.close();
    assert_eq!(folded.take(), [7]);
    assert!(all.is_empty());
}

#[test]
fn a_fold_lets_failures_pass() {
    let source = Source::<i32>::new();
    let fit = |x: i32| if x < 0 { Err("negative".into()) } else { Ok(x) };
    let list = source
        .try_map(fit)
        .fold(0, |sum, x| sum + x)
        .catch(|_| Some(-1))
        .sink_to_list();
    source.emit_all([1, -1, 2]).unwrap();
    assert_eq!(list.take(), [-1]);
    source.close();
    assert_eq!(list.take(), [3]);
}

#[test]
fn a_group_that_is_full_goes_early_and_is_counted() {
    let source = Source::<u32>::new();
    let (groups, flush) = source.collect();
    let groups = groups.max_len(2).sink_to_list();
    source.emit_all(0..5).unwrap();
    assert_eq!(groups.take(), [[0, 1], [2, 3]]);
    flush.flush();
    flush.flush();
    assert_eq!(groups.take(), [vec![4], vec![]]);
    let snapshot = source.graph().snapshot().unwrap();
    let counts = snapshot.named("collect").unwrap().counts;
    assert_eq!((counts.passed, counts.early, counts.capacity), (5, 2, 2));
}

#[test]
fn receipts_of_collected_elements_wait_for_their_group_and_so_does_who_asked() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (source, ask) = (graph.source::<u32>(), graph.source::<()>());
    let groups = source.collect_until(&ask).buffer(4).sink_to_list();
    let receipts = [1, 2].map(|x| source.emit_tracked(x).unwrap());
    let asked = ask.emit_tracked(()).unwrap();
    let done = |expected| {
        let all = receipts.iter().chain([&asked]);
        all.map(|r| r.outcome()).all(|outcome| outcome == expected)
    };
    assert!(done(None));
    time.settle();
    assert!(done(Some(Ok(()))));
    assert_eq!(groups.take(), [[1, 2]]);
    // Torn down with its elements, it loses them.
    let lost = source.emit_tracked(3).unwrap();
    drop((graph, time, source, ask, groups));
    assert_eq!(lost.outcome(), Some(Err(Lost::TornDown)));
}

#[test]
fn a_flush_from_inside_comes_after_the_element_under_way() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let (groups, flush) = source.collect();
    let again = flush.clone();
    again.flush(); // Nothing is connected yet.
    // Before the element is collected, and yet after it.
    source.filter(|x| x % 3 == 0).sink(move |_| flush.flush());
    let groups = groups.sink_to_list();
    for x in 1..=7 {
        source.emit(x).unwrap();
    }
    assert_eq!(groups.take(), [vec![1, 2, 3], vec![4, 5, 6]]);
    // The handle in the closure keeps no graph alive.
    let weak = source.downgrade();
    drop((graph, source, groups));
    again.flush();
    assert!(matches!(weak.emit(8), Err(EmitError::Closed(8))));
}

#[test]
fn a_flush_is_put_off_while_somebody_downstream_is_full() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let (groups, flush) = source.collect();
    let groups = groups.buffer(1).sink_to_list();
    source.emit(1).unwrap();
    flush.flush();
    source.emit(2).unwrap();
    flush.flush();
    flush.flush();
    source.emit(3).unwrap();
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(snapshot.named("collect").unwrap().counts.held, 2);
    time.settle();
    assert_eq!(groups.take(), [vec![1], vec![2, 3]]);
}

#[test]
fn a_flush_of_what_has_gone_does_nothing() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let (groups, flush) = source.collect();
    let first = groups.take(1).sink_to_list();
    source.emit(1).unwrap();
    flush.flush();
    assert_eq!(first.take(), [[1]]);
    assert_eq!(nodes(&graph), ["source"]);
    source.emit(2).unwrap();
    flush.flush();
    assert!(first.is_empty());
}

#[test]
#[should_panic(expected = "let a group have at least 1 element")]
fn a_group_on_demand_may_hold_something() {
    let (groups, _) = Source::<u32>::new().collect();
    let _ = groups.max_len(0);
}
