//! Many elements become one: groups and windows, against naive oracles and in virtual time.

mod ways;
mod words;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use headwater::prelude::*;
use headwater::{EmitError, List, Lost, OnFull, Turn};
use proptest::prelude::*;
use ways::outputs;
use words::{ms, node};

/// A time in milliseconds, and a value.
type Timed = (u64, u32);

fn chunks(items: &[u32], n: usize) -> Vec<Vec<u32>> {
    items.chunks(n).map(<[u32]>::to_vec).collect()
}

fn slides(items: &[u32], n: usize, full: bool) -> Vec<Vec<u32>> {
    (1..=items.len())
        .filter(|end| !full || *end >= n)
        .map(|end| items[end.saturating_sub(n)..end].to_vec())
        .collect()
}

/// Groups by `x % modulus`, at most `open` of them; what is left in the order of first elements.
fn keyed(items: &[u32], n: usize, modulus: u32, open: usize) -> Vec<Vec<u32>> {
    let (mut groups, mut out) = (Vec::<Vec<u32>>::new(), Vec::new());
    for x in items {
        match groups.iter().position(|g| g[0] % modulus == x % modulus) {
            Some(at) => {
                groups[at].push(*x);
                if groups[at].len() == n {
                    out.push(groups.remove(at));
                }
            }
            None if n == 1 => out.push(vec![*x]),
            None => {
                if groups.len() == open {
                    out.push(groups.remove(0));
                }
                groups.push(vec![*x]);
            }
        }
    }
    out.extend(groups);
    out
}

/// Elements with their milliseconds, in windows of `every` milliseconds of at most `max` elements.
fn windows(items: &[(u64, u32)], every: u64, max: usize) -> Vec<Vec<(u64, u32)>> {
    items
        .chunk_by(|a, b| a.0 / every == b.0 / every)
        .flat_map(|window| window.chunks(max).map(<[_]>::to_vec))
        .collect()
}

/// Groups by `x % modulus` of up to n, each emitted when its first element is `age` old.
fn aged(items: &[(u64, u32)], n: usize, modulus: u32, age: u64) -> Vec<Vec<(u64, u32)>> {
    let (mut groups, mut out) = (Vec::<Vec<(u64, u32)>>::new(), Vec::new());
    for item in items {
        while groups.first().is_some_and(|g| g[0].0 + age <= item.0) {
            out.push(groups.remove(0));
        }
        let same = |g: &Vec<(u64, u32)>| g[0].1 % modulus == item.1 % modulus;
        let at = groups.iter().position(same).unwrap_or_else(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[at].push(*item);
        if groups[at].len() == n {
            out.push(groups.remove(at));
        }
    }
    out.extend(groups);
    out
}

fn recording() -> impl Strategy<Value = Vec<(u64, u32)>> {
    prop::collection::vec((0_u64..40, any::<u32>()), 0..60).prop_map(|steps| {
        let mut at = 0;
        let later = |(step, x): (u64, u32)| {
            at += step;
            (at, x)
        };
        steps.into_iter().map(later).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn partition_is_chunks(
        n in 1_usize..9,
        items in prop::collection::vec(any::<u32>(), 0..80),
        cuts in prop::collection::vec(0_usize..20, 0..8),
    ) {
        for out in outputs(&items, &cuts, |s| s.partition(n).sink_to_list()) {
            prop_assert_eq!(out, chunks(&items, n));
        }
        for out in outputs(&items, &cuts, |s| s.partition(n).max_age(ms(1)).sink_to_list()) {
            prop_assert_eq!(out, chunks(&items, n));
        }
        for out in outputs(&items, &cuts, |s| s.map(|x| x).partition(n).share().sink_to_list()) {
            prop_assert_eq!(out, chunks(&items, n));
        }
    }

    #[test]
    fn keyed_partition_is_chunks_of_each_key(
        n in 1_usize..5,
        modulus in 1_u32..8,
        open in 1_usize..9,
        items in prop::collection::vec(0_u32..100, 0..80),
        cuts in prop::collection::vec(0_usize..20, 0..8),
    ) {
        let build = |s: &Source<u32>| {
            let groups = s.partition(n).by_key(move |x| x % modulus).max_groups(open);
            groups.sink_to_list()
        };
        for out in outputs(&items, &cuts, build) {
            prop_assert_eq!(out, keyed(&items, n, modulus, open));
        }
    }

    #[test]
    fn sliding_window_is_the_last_n(
        n in 1_usize..9,
        items in prop::collection::vec(any::<u32>(), 0..60),
        cuts in prop::collection::vec(0_usize..20, 0..8),
    ) {
        for out in outputs(&items, &cuts, |s| s.sliding_window(n).sink_to_list()) {
            prop_assert_eq!(out, slides(&items, n, false));
        }
        for out in outputs(&items, &cuts, |s| s.sliding_window(n).full().sink_to_list()) {
            prop_assert_eq!(out, slides(&items, n, true));
        }
    }

    #[test]
    fn folds_are_folds_of_the_groups(
        n in 1_usize..9,
        items in prop::collection::vec(0_u32..1000, 0..80),
        cuts in prop::collection::vec(0_usize..20, 0..8),
    ) {
        let all = (Count, First, Last, Sum);
        let fold = |groups: Vec<Vec<u32>>| -> Vec<_> {
            groups.iter().map(|group| all.fold(group).unwrap()).collect()
        };
        for out in outputs(&items, &cuts, |s| s.fold_partition(n, all).sink_to_list()) {
            prop_assert_eq!(out, fold(chunks(&items, n)));
        }
        for full in [false, true] {
            let run = |s: &Source<u32>| {
                let rolling = s.rolling(n, all);
                if full { rolling.full() } else { rolling }
            };
            for out in outputs(&items, &cuts, |s| run(s).sink_to_list()) {
                prop_assert_eq!(out, fold(slides(&items, n, full)));
            }
            for out in outputs(&items, &cuts, |s| run(s).share().sink_to_list()) {
                prop_assert_eq!(out, fold(slides(&items, n, full)));
            }
        }
    }

    #[test]
    fn windows_of_time_are_the_same_live_and_led_by_the_data(
        items in recording(),
        every in 1_u64..60,
        max in 1_usize..12,
        keep in any::<bool>(),
    ) {
        let build = |source: &Source<(u64, u32)>| {
            let windows = source.timed_window(ms(every)).max_len(max);
            let windows = if keep { windows.keep_empty() } else { windows };
            let means = source.fold_window(ms(every), (Count, First.of(|r: &(u64, u32)| r.1)));
            (windows.sink_to_list(), means.sink_to_list())
        };
        let folded: Vec<_> = windows(&items, every, usize::MAX)
            .iter()
            .map(|w| (w.len() as u64, w[0].1))
            .collect();
        let check = |(list, folds): (List<Vec<Timed>>, List<Timed>)| {
            let mut got = list.take();
            if keep {
                got.retain(|window| !window.is_empty());
            }
            prop_assert_eq!(got, windows(&items, every, max));
            prop_assert_eq!(folds.take(), folded.clone());
            Ok(())
        };

        let source = Source::new();
        source.lead_clock(|(at, _)| Time::from_millis(*at));
        let led = build(&source);
        source.emit_all(items.iter().copied()).unwrap();
        source.close();
        check(led)?;

        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source();
        let live = build(&source);
        for item in &items {
            time.advance(Time::from_millis(item.0) - time.now());
            source.emit(*item).unwrap();
        }
        source.close();
        check(live)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn groups_that_grow_old_are_the_same_live_and_led_by_the_data(
        items in recording(),
        n in 1_usize..6,
        modulus in 1_u32..5,
        age in 1_u64..80,
    ) {
        let build = |source: &Source<(u64, u32)>| {
            let groups = source.partition(n).max_age(ms(age));
            let keyed = source.partition(n).max_age(ms(age)).by_key(move |r| r.1 % modulus);
            (groups.sink_to_list(), keyed.sink_to_list())
        };
        let check = |(groups, by_key): (List<Vec<Timed>>, List<Vec<Timed>>)| {
            prop_assert_eq!(groups.take(), aged(&items, n, 1, age));
            prop_assert_eq!(by_key.take(), aged(&items, n, modulus, age));
            Ok(())
        };

        let source = Source::new();
        source.lead_clock(|(at, _)| Time::from_millis(*at));
        let led = build(&source);
        source.emit_all(items.iter().copied()).unwrap();
        source.close();
        check(led)?;

        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source();
        let live = build(&source);
        for item in &items {
            time.advance(Time::from_millis(item.0) - time.now());
            source.emit(*item).unwrap();
        }
        source.close();
        check(live)?;
    }

    #[test]
    fn every_tracked_element_is_done_after_the_close_and_none_before_its_group(
        tracked in prop::collection::vec(any::<bool>(), 0..40),
        n in 1_usize..6,
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<usize>();
        let _ = source.partition(n).sink(|_| {});
        let _ = source.partition(n).max_age(ms(7)).sink(|_| {});
        let _ = source.partition(n).by_key(|_| ()).sink(|_| {});
        let _ = source.fold_partition(n, Sum).buffer(100).sink(|_| {});
        let _ = source.rolling(n, Sum).full().sink(|_| {});
        let mut receipts = Vec::new();
        for (x, tracked) in tracked.iter().enumerate() {
            if *tracked {
                receipts.push((x, source.emit_tracked(x).unwrap()));
            } else {
                source.emit(x).unwrap();
            }
            time.settle();
            for (at, receipt) in &receipts {
                let grouped = at / n < (x + 1) / n;
                prop_assert_eq!(receipt.outcome(), grouped.then_some(Ok(())));
            }
        }
        let _ = source.sliding_window(n).sink(|_| {});
        source.close();
        time.settle();
        prop_assert!(receipts.iter().all(|(_, r)| r.outcome() == Some(Ok(()))));
    }
}

#[test]
fn closing_at_every_point_emits_what_is_held_and_then_closes() {
    for count in 0..12_u32 {
        let items: Vec<u32> = (0..count).collect();
        for out in outputs(&items, &[], |s| s.partition(4).sink_to_list()) {
            assert_eq!(out.concat(), items);
        }
        for out in outputs(&items, &[], |s| {
            s.partition(4)
                .by_key(|x| x % 3)
                .max_age(ms(1))
                .sink_to_list()
        }) {
            assert_eq!(out, keyed(&items, 4, 3, usize::MAX));
        }
        for out in outputs(&items, &[], |s| s.timed_window(ms(5)).sink_to_list()) {
            assert_eq!(out.concat(), items);
        }
        for out in outputs(&items, &[], |s| s.fold_window(ms(5), Count).sink_to_list()) {
            assert_eq!(out.into_iter().sum::<u64>(), u64::from(count));
        }
        for out in outputs(&items, &[], |s| s.fold_partition(5, Sum).sink_to_list()) {
            assert_eq!(out.into_iter().sum::<u32>(), items.iter().sum::<u32>());
        }
    }
}

#[test]
fn a_branch_that_is_disconnected_emits_its_short_group() {
    let source = Source::<u32>::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let branch = source.partition(3).sink({
        let seen = seen.clone();
        move |group| seen.lock().unwrap().push(group)
    });
    source.emit(1).unwrap();
    branch.disconnect();
    assert_eq!(*seen.lock().unwrap(), [[1]]);
}

#[test]
fn a_group_that_fills_cancels_its_timer_and_the_next_gets_a_fresh_one() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let groups = source.partition(2).max_age(ms(10)).sink_to_list();
    source.emit(1).unwrap();
    time.advance(ms(9));
    source.emit_all([2, 3]).unwrap();
    assert_eq!(groups.take(), [[1, 2]]);
    time.advance(ms(9));
    assert!(groups.is_empty());
    time.advance(ms(1));
    assert_eq!(groups.take(), [[3]]);
    assert_eq!(time.now(), Time::from_millis(19));
    assert_eq!(node(&graph, "partition").counts.expired, 0);
}

#[test]
fn keyed_groups_age_one_by_one_and_are_counted() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let groups = source
        .partition(3)
        .max_age(ms(10))
        .by_key(|x| x % 2)
        .sink_to_list();
    source.emit(0).unwrap();
    time.advance(ms(4));
    source.emit_all([1, 2]).unwrap();
    time.advance(ms(5));
    assert!(groups.is_empty());
    time.advance(ms(1));
    assert_eq!(groups.take(), [[0, 2]]);
    assert_eq!(node(&graph, "partition").counts.held, 1);
    time.advance(ms(4));
    assert_eq!(groups.take(), [[1]]);
    let counts = node(&graph, "partition").counts;
    assert_eq!((counts.passed, counts.expired, counts.held), (3, 2, 0));
}

#[test]
fn one_key_too_many_emits_the_oldest_group() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let groups = source
        .partition(10)
        .by_key(|x| x % 10)
        .max_groups(2)
        .sink_to_list();
    source.emit_all([1, 2, 11, 3]).unwrap();
    assert_eq!(groups.take(), [[1, 11]]);
    assert_eq!(node(&graph, "partition").counts.expired, 1);
    source.close();
    assert_eq!(groups.take(), [[2], [3]]);
    // What is emitted because of the close has not expired.
    assert_eq!(node(&graph, "partition").counts.expired, 1);
}

#[test]
fn an_hour_of_recording_yields_its_windows_without_a_driver() {
    #[derive(Clone)]
    struct Reading {
        ms: u64,
        value: f64,
    }
    let source = Source::<Reading>::new();
    source.lead_clock(|r| Time::from_millis(r.ms));
    let minutes = source.timed_window(ms(60_000)).sink_to_list();
    let means = source
        .fold_window(ms(60_000), Mean.of(|r: &Reading| r.value))
        .sink_to_list();
    let hour = (0..36_000).map(|i| Reading {
        ms: i * 100,
        value: (i / 600) as f64,
    });
    source.emit_all(hour).unwrap();
    assert_eq!(minutes.len(), 59);
    source.close();
    let minutes = minutes.take();
    assert_eq!(minutes.len(), 60);
    for (k, minute) in minutes.iter().enumerate() {
        assert_eq!(minute.len(), 600);
        assert_eq!(minute[0].ms, k as u64 * 60_000);
    }
    assert!(means.take().into_iter().eq((0..60).map(f64::from)));
}

#[test]
fn windows_end_at_multiples_of_their_length_whenever_elements_come() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let ends = Arc::new(Mutex::new(Vec::new()));
    let now = Arc::new(AtomicU64::new(0));
    let _ = source.timed_window(ms(10)).sink({
        let (ends, now) = (ends.clone(), now.clone());
        move |window| {
            let entry = (now.load(Ordering::Relaxed), window);
            ends.lock().unwrap().push(entry);
        }
    });
    let advance = |millis| {
        for _ in 0..millis {
            now.fetch_add(1, Ordering::Relaxed);
            time.advance(ms(1));
        }
    };
    advance(7);
    source.emit(1).unwrap();
    advance(3);
    source.emit(2).unwrap();
    advance(9);
    source.emit(3).unwrap();
    advance(26);
    source.emit(4).unwrap();
    advance(10);
    let expected = [(10, vec![1]), (20, vec![2, 3]), (50, vec![4])];
    assert_eq!(*ends.lock().unwrap(), expected);
}

#[test]
fn ten_thousand_idle_windows_have_no_timers() {
    let graph = Graph::new();
    let now = Arc::new(AtomicU64::new(3));
    let driver = graph.attach_driver(Some(Box::new({
        let now = now.clone();
        move || ms(now.load(Ordering::Relaxed))
    })));
    let turn = || loop {
        match driver.turn(Waker::noop()).unwrap() {
            Turn::Again => {}
            turn => return turn,
        }
    };
    let sources: Vec<_> = (0..10_000)
        .map(|_| {
            let source = graph.source::<u32>();
            let _ = source.timed_window(ms(10)).sink(|_| {});
            source
        })
        .collect();
    assert_eq!(turn(), Turn::Idle);
    sources[77].emit(1).unwrap();
    assert_eq!(turn(), Turn::Until(Time::from_millis(10)));
    now.store(10, Ordering::Relaxed);
    assert_eq!(turn(), Turn::Idle);
}

#[test]
fn empty_windows_are_kept_on_demand_and_those_missed_are_skipped() {
    let graph = Graph::new();
    let now = Arc::new(AtomicU64::new(0));
    let driver = graph.attach_driver(Some(Box::new({
        let now = now.clone();
        move || ms(now.load(Ordering::Relaxed))
    })));
    let at = |millis| {
        now.store(millis, Ordering::Relaxed);
        while driver.turn(Waker::noop()).unwrap() == Turn::Again {}
    };
    let source = graph.source::<u32>();
    let windows = source.timed_window(ms(10)).keep_empty().sink_to_list();
    at(0);
    at(10);
    at(20);
    assert_eq!(windows.take(), [[], []] as [[u32; 0]; 2]);
    source.emit(1).unwrap();
    // The driver was away: the window of 1 and then three in which nothing came.
    at(65);
    assert_eq!(windows.take(), [[1]]);
    assert_eq!(node(&graph, "timed_window").counts.skipped, 3);
    at(70);
    assert_eq!(windows.take(), [[]] as [[u32; 0]; 1]);
    source.close();
    at(200);
    assert!(windows.is_empty());
}

#[test]
fn an_element_after_the_end_of_a_window_is_not_in_it_though_the_driver_is_late() {
    let graph = Graph::new();
    let now = Arc::new(AtomicU64::new(0));
    let _driver = graph.attach_driver(Some(Box::new({
        let now = now.clone();
        move || ms(now.load(Ordering::Relaxed))
    })));
    let source = graph.source::<u32>();
    let windows = source.timed_window(ms(10)).sink_to_list();
    source.emit(1).unwrap();
    now.store(12, Ordering::Relaxed);
    source.emit(2).unwrap();
    assert_eq!(windows.take(), [[1]]);
    source.close();
    assert_eq!(windows.take(), [[2]]);
}

#[test]
fn a_full_window_goes_early_and_is_counted() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let windows = source.timed_window(ms(10)).max_len(2).sink_to_list();
    source.emit_all([1, 2, 3]).unwrap();
    assert_eq!(windows.take(), [[1, 2]]);
    time.advance(ms(10));
    assert_eq!(windows.take(), [[3]]);
    let counts = node(&graph, "timed_window").counts;
    assert_eq!((counts.early, counts.capacity, counts.held), (1, 2, 0));
}

#[test]
fn windows_wait_while_somebody_downstream_is_full_and_then_their_origin_does() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let gate = graph.source::<char>();
    let rows = source
        .timed_window(ms(10))
        .max_len(3)
        .zip(&gate)
        .capacity(1)
        .sink_to_list();
    source.emit(1).unwrap();
    time.advance(ms(10));
    source.emit(2).unwrap();
    time.advance(ms(10));
    source.emit(3).unwrap();
    time.advance(ms(10));
    let held = node(&graph, "timed_window");
    assert_eq!((held.counts.held, held.blocked_since), (2, None));
    source.emit(4).unwrap();
    assert!(matches!(source.emit(5), Err(EmitError::Full(5))));
    let held = node(&graph, "timed_window");
    assert_eq!(held.blocked_since, Some(Time::from_millis(30)));

    gate.emit('a').unwrap();
    time.settle();
    gate.emit('b').unwrap();
    time.settle();
    source.emit(5).unwrap();
    gate.emit('c').unwrap();
    time.advance(ms(10));
    gate.emit('d').unwrap();
    time.settle();
    let expected = [
        (vec![1], 'a'),
        (vec![2], 'b'),
        (vec![3], 'c'),
        (vec![4, 5], 'd'),
    ];
    assert_eq!(rows.take(), expected);
    assert_eq!(node(&graph, "timed_window").counts.early, 0);
}

#[test]
fn a_window_that_filled_while_it_had_to_wait_goes_early_when_there_is_room() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let gate = graph.source::<char>();
    let rows = source
        .timed_window(ms(10))
        .max_len(2)
        .zip(&gate)
        .capacity(1)
        .sink_to_list();
    source.emit(1).unwrap();
    time.advance(ms(10));
    source.emit_all([2, 3]).unwrap();
    assert!(matches!(source.emit(4), Err(EmitError::Full(4))));
    gate.emit('a').unwrap();
    time.settle();
    source.emit(4).unwrap();
    source.close();
    for mate in ['b', 'c'] {
        gate.emit(mate).unwrap();
        time.settle();
    }
    assert_eq!(time.now(), Time::from_millis(10));
    let expected = [(vec![1], 'a'), (vec![2, 3], 'b'), (vec![4], 'c')];
    assert_eq!(rows.take(), expected);
    assert_eq!(node(&graph, "timed_window").counts.early, 1);
}

#[test]
fn windows_led_by_the_data_go_on_without_a_driver_when_there_is_room_again() {
    let graph = Graph::new();
    let source = graph.source::<u64>();
    source.lead_clock(|at| Time::from_millis(*at));
    let gate = graph.source::<char>();
    let rows = source
        .timed_window(ms(10))
        .max_len(2)
        .zip(&gate)
        .capacity(1)
        .sink_to_list();
    source.emit_all([5, 15, 25]).unwrap();
    assert!(matches!(source.emit(35), Err(EmitError::Full(35))));
    gate.emit('a').unwrap();
    source.emit(35).unwrap();
    source.close();
    gate.emit_all(['b', 'c', 'd']).unwrap();
    let expected = [
        (vec![5], 'a'),
        (vec![15], 'b'),
        (vec![25], 'c'),
        (vec![35], 'd'),
    ];
    assert_eq!(rows.take(), expected);
}

#[test]
fn a_folding_window_keeps_one_state_waiting_and_then_its_origin_waits() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let gate = graph.source::<char>();
    let rows = source
        .fold_window(ms(10), Sum)
        .zip(&gate)
        .capacity(1)
        .sink_to_list();
    for x in [1, 2] {
        source.emit(x).unwrap();
        time.advance(ms(10));
    }
    source.emit(3).unwrap();
    assert!(matches!(source.emit(4), Err(EmitError::Full(4))));
    gate.emit_all(['a', 'b']).unwrap();
    time.settle();
    source.emit(4).unwrap();
    source.close();
    gate.emit('c').unwrap();
    time.settle();
    assert_eq!(rows.take(), [(1, 'a'), (2, 'b'), (7, 'c')]);
}

#[test]
fn a_group_that_grew_old_waits_while_somebody_downstream_is_full() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let gate = graph.source::<char>();
    let rows = source
        .partition(3)
        .max_age(ms(10))
        .zip(&gate)
        .capacity(1)
        .sink_to_list();
    source.emit(1).unwrap();
    time.advance(ms(10));
    source.emit(2).unwrap();
    time.advance(ms(15));
    source.emit(3).unwrap();
    gate.emit_all(['a', 'b']).unwrap();
    time.settle();
    assert_eq!(rows.take(), [(vec![1], 'a'), (vec![2, 3], 'b')]);
}

#[test]
fn elements_of_a_group_are_done_when_the_group_is() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let _ = source.partition(2).sink(|_| {});
    let _ = source.fold_partition(3, Sum).sink(|_| {});
    let _ = source.timed_window(ms(10)).sink(|_| {});
    let _ = source.fold_window(ms(20), Sum).sink(|_| {});
    let _ = source.partition(2).by_key(|_| ()).sink(|_| {});
    let receipts = [1, 2, 3].map(|x| source.emit_tracked(x).unwrap());
    let outcomes = || receipts.each_ref().map(|receipt| receipt.outcome());
    time.advance(ms(10));
    assert_eq!(outcomes(), [None, None, None]);
    time.advance(ms(10));
    assert_eq!(outcomes(), [Some(Ok(())), Some(Ok(())), None]);
    source.close();
    assert_eq!(outcomes(), [Some(Ok(())); 3]);
}

#[test]
fn an_element_of_a_sliding_window_is_done_once_it_has_left() {
    let source = Source::<u32>::new();
    let _ = source.sliding_window(2).full().sink(|_| {});
    let [a, b] = [1, 2].map(|x| source.emit_tracked(x).unwrap());
    assert_eq!((a.outcome(), b.outcome()), (None, None));
    source.emit(3).unwrap();
    assert_eq!((a.outcome(), b.outcome()), (Some(Ok(())), None));
    source.close();
    assert_eq!(b.outcome(), Some(Ok(())));
}

#[test]
fn a_window_carries_the_lineage_of_all_its_elements() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let windows = source.sliding_window(2).buffer(8).sink_to_list();
    let receipts = [1, 2].map(|x| source.emit_tracked(x).unwrap());
    // 3 is not tracked; its window has 2, too.
    source.emit(3).unwrap();
    source.emit(4).unwrap();
    assert_eq!(receipts[0].outcome(), None);
    time.settle();
    assert_eq!(windows.len(), 4);
    assert_eq!(receipts.each_ref().map(|r| r.outcome()), [Some(Ok(())); 2]);
}

#[test]
fn an_element_that_rolls_is_done_with_its_own_output() {
    let source = Source::<u32>::new();
    let _ = source.rolling(10, Sum).sink(|_| {});
    let receipt = source.emit_tracked(1).unwrap();
    assert_eq!(receipt.outcome(), Some(Ok(())));
}

#[test]
fn what_is_held_at_a_teardown_is_lost_and_says_so() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let _ = source.partition(2).sink(|_| {});
    let weak = source.downgrade();
    let receipt = source.emit_tracked(1).unwrap();
    // Nobody is left who could run closures: what is held goes with the graph.
    drop((graph, time, source));
    assert!(weak.emit(2).is_err());
    assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
}

#[test]
fn a_failure_passes_at_once_ahead_of_the_group() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = |name: &'static str| {
        let events = events.clone();
        move |group: String| events.lock().unwrap().push(format!("{name} {group}"))
    };
    let failed = log("failed");
    graph.on_error(OnError::call(move |failure| {
        failed(
            failure
                .take_element::<u32>()
                .unwrap_or_default()
                .to_string(),
        );
    }));
    let source = graph.source::<u32>();
    let _ = source
        .buffer(2)
        .on_full(OnFull::Fail)
        .partition(3)
        .map(|group| format!("{group:?}"))
        .sink(log("group"));
    source.emit_all([1, 2, 3]).unwrap();
    time.settle();
    source.emit(4).unwrap();
    time.settle();
    assert_eq!(*events.lock().unwrap(), ["failed 3", "group [1, 2, 4]"]);
}

#[test]
fn holes_don_t_make_groups_short_and_keep_their_place_in_rolling() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    graph.on_error(OnError::call(|_| {}));
    let source = graph.source::<u32>();
    let shared = source.buffer(2).on_full(OnFull::Fail).share();
    let groups = shared.partition(2).sink_to_list();
    let slides = shared.sliding_window(2).full().sink_to_list();
    let windows = shared.timed_window(ms(1)).sink_to_list();
    let rows = shared.rolling(2, Sum).zip(&shared).sink_to_list();
    for batch in [[1, 2, 3], [4, 5, 6]] {
        source.emit_all(batch).unwrap();
        time.settle();
    }
    source.close();
    time.settle();
    assert_eq!(groups.take(), [[1, 2], [4, 5]]);
    assert_eq!(slides.take(), [[1, 2], [2, 4], [4, 5]]);
    assert_eq!(windows.take(), [[1, 2, 4, 5]]);
    assert_eq!(rows.take(), [(1, 1), (3, 2), (6, 4), (9, 5)]);
}

#[test]
fn a_run_ends_though_a_group_of_an_open_source_is_short() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let groups = source.partition(2).sink_to_list();
    source.emit(1).unwrap();
    let pairs = graph.from_iter(0..3).partition(2).sink_to_list();
    graph.run().unwrap();
    assert_eq!(pairs.take(), [vec![0, 1], vec![2]]);
    assert!(groups.is_empty());
}

#[test]
fn the_census_tells_what_groups_hold() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u32>();
    let _ = source.partition(4).named("four").sink(|_| {});
    let _ = source.sliding_window(2).sink(|_| {});
    let _ = source.timed_window(ms(1)).sink(|_| {});
    let _ = source.fold_window(ms(1), Sum).sink(|_| {});
    source.emit_all(0..3).unwrap();
    let held = |title| {
        let counts = node(&graph, title).counts;
        (counts.held, counts.capacity)
    };
    assert_eq!(held("four"), (3, 4));
    assert_eq!(held("sliding_window"), (2, 2));
    assert_eq!(held("timed_window"), (3, 65_536));
    assert_eq!(held("fold_window"), (1, 2));
}

#[test]
fn a_group_of_everything_does_not_ask_for_all_memory_at_once() {
    let source = Source::<u64>::new();
    let groups = source.partition(usize::MAX).sink_to_list();
    let slides = source.rolling(usize::MAX, Count).sink_to_list();
    source.emit_all(0..10).unwrap();
    source.close();
    assert!(groups.take().concat().into_iter().eq(0..10));
    assert!(slides.take().into_iter().eq(1..=10));
}
