//! Groups of distinct keys, sessions and windows of time, against naive oracles and in virtual time.

mod words;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use futures::StreamExt;
use headwater::aggregate::Aggregate;
use headwater::prelude::*;
use headwater::{EmitError, List, Lost, OnFull, Turn};
use proptest::prelude::*;
use words::{ms, node};

/// A time in milliseconds, and a value.
type Timed = (u64, u32);

/// A recording: many elements at one moment, short steps and long pauses.
fn recording() -> impl Strategy<Value = Vec<Timed>> {
    let step = prop_oneof![3 => Just(0_u64), 5 => 1..12_u64, 1 => 12..200_u64];
    prop::collection::vec((step, 0..12_u32), 0..60).prop_map(|steps| {
        let mut at = 0;
        let later = |(step, x): (u64, u32)| {
            at += step;
            (at, x)
        };
        steps.into_iter().map(later).collect()
    })
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..12, 0..12)
}

/// What comes out up to the close, for a clock led by the data and for a virtual one; for elements
/// one by one, all at once, and cut into batches. A virtual clock stands still within a batch.
fn played<O: Clone + Send + 'static>(
    items: &[Timed],
    cuts: &[usize],
    build: impl Fn(&Source<Timed>) -> List<O>,
) -> Vec<Vec<O>> {
    let led = |cut: &mut dyn FnMut(usize) -> usize| {
        let source = Source::<Timed>::new();
        source.lead_clock(|(at, _)| Time::from_millis(*at));
        let list = build(&source);
        let mut rest = items;
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(cut(rest.len()).min(rest.len()));
            source.emit_all(batch.iter().copied()).unwrap();
            rest = after;
        }
        source.close();
        list.take()
    };
    let by_hand = |cut: &mut dyn FnMut(usize) -> usize| {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<Timed>();
        let list = build(&source);
        for moment in items.chunk_by(|a, b| a.0 == b.0) {
            time.advance(Time::from_millis(moment[0].0) - time.now());
            let mut rest = moment;
            while !rest.is_empty() {
                let (batch, after) = rest.split_at(cut(rest.len()).min(rest.len()));
                source.emit_all(batch.iter().copied()).unwrap();
                rest = after;
            }
        }
        source.close();
        list.take()
    };
    let mut out = Vec::new();
    for play in [
        &led as &dyn Fn(&mut dyn FnMut(usize) -> usize) -> Vec<O>,
        &by_hand,
    ] {
        out.push(play(&mut |_| 1));
        out.push(play(&mut |len| len));
        let mut sizes = cuts.iter().copied().chain(std::iter::repeat(usize::MAX));
        out.push(play(&mut |_| sizes.next().unwrap_or(1)));
    }
    out
}

fn in_windows(items: &[Timed], every: u64) -> Vec<&[Timed]> {
    items.chunk_by(|a, b| a.0 / every == b.0 / every).collect()
}

fn in_sessions(items: &[Timed], gap: u64) -> Vec<&[Timed]> {
    items.chunk_by(|a, b| b.0 - a.0 < gap).collect()
}

/// Keeps one element a key; ends a group of `max` of them early.
fn distinct(items: &[Timed], max: usize, keep: Keep) -> Vec<Vec<Timed>> {
    let (mut group, mut out) = (Vec::<Timed>::new(), Vec::new());
    for item in items {
        match (group.iter().position(|kept| kept.1 == item.1), keep) {
            (Some(_), Keep::First) => {}
            (Some(at), Keep::Last) => {
                group.remove(at);
                group.push(*item);
            }
            (None, _) => group.push(*item),
        }
        if group.len() == max {
            out.push(std::mem::take(&mut group));
        }
    }
    if !group.is_empty() {
        out.push(group);
    }
    out
}

/// Shows what was merged, and in which order.
struct All;

impl Aggregate<Timed> for All {
    type State = Vec<Timed>;
    type Output = Vec<Timed>;

    fn lift(&self, item: &Timed) -> Vec<Timed> {
        vec![*item]
    }

    fn merge(&self, left: &mut Vec<Timed>, right: &Vec<Timed>) {
        left.extend(right);
    }

    fn finish(&self, state: &Vec<Timed>) -> Vec<Timed> {
        state.clone()
    }
}

fn keeps() -> impl Strategy<Value = Keep> {
    prop_oneof![Just(Keep::First), Just(Keep::Last)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn timed_windows_are_cut_at_multiples_of_their_length(
        items in recording(), cuts in cuts(), every in 1_u64..30, max in 1_usize..20,
    ) {
        let expected: Vec<Vec<Timed>> = in_windows(&items, every)
            .into_iter()
            .flat_map(|window| window.chunks(max).map(<[_]>::to_vec))
            .collect();
        for out in played(&items, &cuts, |s| {
            s.timed_window(ms(every)).max_len(max).sink_to_list()
        }) {
            prop_assert_eq!(&out, &expected);
        }
    }

    #[test]
    fn folding_windows_fold_what_timed_windows_hold(
        items in recording(), cuts in cuts(), every in 1_u64..30,
    ) {
        let expected: Vec<_> = in_windows(&items, every)
            .into_iter()
            .map(|window| (window.to_vec(), window.len() as u64))
            .collect();
        for out in played(&items, &cuts, |s| {
            s.fold_window(ms(every), (All, Count)).sink_to_list()
        }) {
            prop_assert_eq!(&out, &expected);
        }
    }

    #[test]
    fn timed_windows_of_distinct_keys_keep_one_element_a_key(
        items in recording(), cuts in cuts(), every in 1_u64..60, max in 1_usize..14, keep in keeps(),
    ) {
        let expected: Vec<Vec<Timed>> = in_windows(&items, every)
            .into_iter()
            .flat_map(|window| distinct(window, max, keep))
            .collect();
        for out in played(&items, &cuts, |s| {
            let windows = s.timed_window_unique(ms(every), |item| item.1);
            windows.keep(keep).max_len(max).sink_to_list()
        }) {
            prop_assert_eq!(&out, &expected);
        }
    }

    #[test]
    fn groups_of_distinct_keys_end_with_their_last_key(
        items in recording(), cuts in cuts(), n in 1_usize..14, keep in keeps(),
    ) {
        let expected = distinct(&items, n, keep);
        for out in played(&items, &cuts, |s| {
            s.partition_unique(n, |item| item.1).keep(keep).sink_to_list()
        }) {
            prop_assert_eq!(&out, &expected);
        }
    }

    #[test]
    fn sessions_end_where_nothing_came_for_as_long_as_the_gap(
        items in recording(), cuts in cuts(), gap in 1_u64..40, max in 1_usize..20,
    ) {
        let sessions = in_sessions(&items, gap);
        let folded: Vec<Vec<Timed>> = sessions.iter().map(|session| session.to_vec()).collect();
        let cut: Vec<Vec<Timed>> = sessions
            .into_iter()
            .flat_map(|session| session.chunks(max).map(<[_]>::to_vec))
            .collect();
        for out in played(&items, &cuts, |s| {
            s.session(ms(gap)).max_len(max).sink_to_list()
        }) {
            prop_assert_eq!(&out, &cut);
        }
        for out in played(&items, &cuts, |s| s.fold_session(ms(gap), All).sink_to_list()) {
            prop_assert_eq!(&out, &folded);
        }
    }

    #[test]
    fn a_window_that_rolls_in_time_sees_what_is_younger_than_its_length(
        items in recording(), cuts in cuts(), length in 1_u64..60, max in 1_usize..30,
    ) {
        let expected: Vec<(Vec<Timed>, f64)> = (0..items.len())
            .map(|last| {
                let young = |first: &usize| items[last].0 - items[*first].0 < length;
                let first = (0..=last).find(young).unwrap_or(last);
                let window = &items[first.max((last + 1).saturating_sub(max))..=last];
                let mut sorted: Vec<f64> = window.iter().map(|item| item.1.into()).collect();
                sorted.sort_by(f64::total_cmp);
                let (left, right) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
                (window.to_vec(), (left + right) / 2.0)
            })
            .collect();
        // The tuple slides as two windows, as the median has one of its own.
        for out in played(&items, &cuts, |s| {
            let all = (All, Median.of(|item: &Timed| item.1));
            s.rolling_time(ms(length), all).max_len(max).sink_to_list()
        }) {
            prop_assert_eq!(&out, &expected);
        }
        // Alone it merges states; behind a buffer it is given batches, and in front of one it fills one.
        let windows: Vec<_> = expected.into_iter().map(|(window, _)| window).collect();
        for out in played(&items, &cuts, |s| {
            let rolled = s.rolling_time(ms(length), All).max_len(max).share();
            let other = rolled.sink_to_list();
            let _ = rolled.map(|window| window.len()).sink(|_| {});
            other
        }) {
            prop_assert_eq!(&out, &windows);
        }
    }

    #[test]
    fn deadlines_of_many_lengths_come_in_order_and_at_one_moment_as_they_were_set(
        lengths in prop::collection::vec(1_u64..40, 1..12),
        steps in prop::collection::vec((1_u64..60, prop::option::of(0_usize..12)), 1..8),
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let ticks = Arc::new(Mutex::new(Vec::new()));
        let mut branches: Vec<_> = (0..lengths.len())
            .map(|at| {
                let ticks = ticks.clone();
                let window = source.timed_window(ms(lengths[at])).keep_empty();
                Some(window.sink(move |_| ticks.lock().unwrap().push(at)))
            })
            .collect();
        time.settle();
        // What is due, when, and as the how many-th it was set.
        let mut due: Vec<_> = (0..lengths.len()).map(|at| (lengths[at], at, at)).collect();
        let (mut now, mut set, mut expected) = (0, lengths.len(), Vec::new());
        for (step, gone) in steps {
            now += step;
            time.advance(ms(step));
            while let Some(next) = due.iter().min().copied().filter(|next| next.0 <= now) {
                let (then, _, at) = next;
                due.retain(|other| *other != next);
                due.push((then + lengths[at], set, at));
                set += 1;
                expected.push(at);
            }
            if let Some(branch) = gone.and_then(|at| branches.get_mut(at)?.take()) {
                branch.disconnect();
                due.retain(|(.., at)| Some(*at) != gone);
            }
        }
        prop_assert_eq!(&*ticks.lock().unwrap(), &expected);
    }
}

#[test]
fn a_window_tells_to_which_moment_it_reaches() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let windows = source.timed_window(ms(10)).max_len(3).keep_empty();
    let windows = windows.with_end().sink_to_list();
    let sums = source
        .fold_window(ms(10), Sum)
        .anchored(Time::from_millis(5));
    let sums = sums.with_end().sink_to_list();
    source.emit_all([1, 2]).unwrap();
    time.advance(ms(14));
    // Three of them are full; the fourth is the rest of that window.
    source.emit_all([3, 4, 5, 6]).unwrap();
    time.advance(ms(23));
    // Cut short.
    source.emit(7).unwrap();
    source.close();
    let at = Time::from_millis;
    let expected = [
        (at(10), vec![1, 2]),
        (at(14), vec![3, 4, 5]),
        (at(20), vec![6]),
        (at(30), vec![]),
        (at(37), vec![7]),
    ];
    assert_eq!(windows.take(), expected);
    assert_eq!(sums.take(), [(at(5), 3), (at(15), 18), (at(37), 7)]);
}

#[test]
fn a_window_that_had_to_wait_is_still_of_its_own_time() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let mut sums = source.fold_window(ms(10), Sum).with_end().into_stream(1);
    for n in 1..=3 {
        source.emit(n).unwrap();
        time.advance(ms(10));
    }
    source.close();
    time.advance(ms(100));
    let task = &mut std::task::Context::from_waker(Waker::noop());
    let mut came = Vec::new();
    while let std::task::Poll::Ready(Some(sum)) = sums.poll_next_unpin(task) {
        came.push(sum);
        time.settle();
    }
    let at = Time::from_millis;
    assert_eq!(came, [(at(10), 1), (at(20), 2), (at(30), 3)]);
}

#[test]
fn closing_emits_what_is_held_at_every_point() {
    let items: Vec<u32> = vec![1, 2, 1, 3, 3, 4];
    for end in 0..=items.len() {
        let graph = Graph::new();
        let _time = graph.drive_manually();
        let source = graph.source::<u32>();
        let unique = source.partition_unique(3, |x| *x).sink_to_list();
        let windows = source.timed_window_unique(ms(5), |x| *x).sink_to_list();
        let sessions = source.session(ms(5)).sink_to_list();
        let counts = source.fold_session(ms(5), Count).sink_to_list();
        let rolled = source.rolling_time(ms(5), Count).sink_to_list();
        source.emit_all(items[..end].iter().copied()).unwrap();
        source.close();
        let expected: &[&[u32]] = match end {
            0 => &[],
            1 => &[&[1]],
            2 | 3 => &[&[1, 2]],
            4 => &[&[1, 2, 3]],
            5 => &[&[1, 2, 3], &[3]],
            _ => &[&[1, 2, 3], &[3, 4]],
        };
        assert_eq!(unique.take(), expected);
        let some = usize::from(end > 0);
        let mut distinct = items[..end].to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(windows.take(), vec![distinct; some]);
        assert_eq!(sessions.take(), vec![items[..end].to_vec(); some]);
        assert_eq!(counts.take(), vec![end as u64; some]);
        assert!(rolled.take().into_iter().eq(1..=end as u64));
        assert!(source.emit(9).is_err());
    }
}

#[test]
fn each_element_puts_the_end_of_its_session_off() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let sessions = source.session(ms(10)).sink_to_list();
    for x in 0..5 {
        source.emit(x).unwrap();
        time.advance(ms(9));
    }
    assert!(sessions.is_empty());
    time.advance(ms(1));
    assert_eq!(sessions.take(), [[0, 1, 2, 3, 4]]);
    time.advance(ms(100));
    assert!(sessions.is_empty());
    source.emit(5).unwrap();
    time.advance(ms(10));
    assert_eq!(sessions.take(), [[5]]);
}

#[test]
fn an_element_at_the_very_end_of_the_gap_begins_another_session() {
    let source = Source::<u64>::new();
    source.lead_clock(|at| Time::from_millis(*at));
    let sessions = source.session(ms(10)).sink_to_list();
    source.emit_all([0, 9, 19, 28, 10_000_000]).unwrap();
    assert_eq!(sessions.take(), [vec![0, 9], vec![19, 28]]);
    source.close();
    assert_eq!(sessions.take(), [[10_000_000]]);
}

#[test]
fn a_session_that_is_full_goes_early_and_is_counted() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let sessions = source.session(ms(10)).max_len(2).sink_to_list();
    source.emit_all([1, 2, 3]).unwrap();
    assert_eq!(sessions.take(), [[1, 2]]);
    assert_eq!(node(&graph, "session").counts.early, 1);
    time.advance(ms(10));
    assert_eq!(sessions.take(), [[3]]);
    assert_eq!(node(&graph, "session").counts.early, 1);
}

#[test]
fn sessions_wait_while_somebody_downstream_is_full_and_then_their_origin_does() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let gate = graph.source::<char>();
    let rows = source
        .session(ms(10))
        .max_len(3)
        .zip(&gate)
        .capacity(1)
        .sink_to_list();
    for x in [1, 2, 3] {
        source.emit(x).unwrap();
        time.advance(ms(10));
    }
    source.emit(4).unwrap();
    assert!(matches!(source.emit(5), Err(EmitError::Full(5))));
    let held = node(&graph, "session");
    assert_eq!((held.counts.held, held.counts.capacity), (3, 3));
    assert_eq!(held.blocked_since, Some(Time::from_millis(30)));
    for mate in ['a', 'b'] {
        gate.emit(mate).unwrap();
        time.settle();
    }
    source.emit(5).unwrap();
    source.close();
    for mate in ['c', 'd'] {
        gate.emit(mate).unwrap();
        time.settle();
    }
    let expected = [
        (vec![1], 'a'),
        (vec![2], 'b'),
        (vec![3], 'c'),
        (vec![4, 5], 'd'),
    ];
    assert_eq!(rows.take(), expected);
}

#[test]
fn failures_pass_at_once_and_holes_leave_no_trace() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = events.clone();
    graph.on_error(OnError::call(move |failure| {
        let element = failure.take_element::<u32>().unwrap_or_default();
        log.lock().unwrap().push(element);
    }));
    let source = graph.source::<u32>();
    // Of three elements at once the third fails.
    let shared = source.buffer(2).on_full(OnFull::Fail).share();
    let unique = shared.partition_unique(3, |x| *x).sink_to_list();
    let windows = shared.timed_window_unique(ms(1), |x| *x).sink_to_list();
    let sessions = shared.session(ms(1)).sink_to_list();
    let rows = shared.rolling_time(ms(1), Sum).zip(&shared).sink_to_list();
    for batch in [[1, 2, 3], [4, 5, 6]] {
        source.emit_all(batch).unwrap();
        time.settle();
    }
    source.close();
    time.settle();
    assert_eq!(unique.take(), [vec![1, 2, 4], vec![5]]);
    assert_eq!(windows.take(), [[1, 2, 4, 5]]);
    assert_eq!(sessions.take(), [[1, 2, 4, 5]]);
    assert_eq!(rows.take(), [(1, 1), (3, 2), (7, 4), (12, 5)]);
    assert_eq!(*events.lock().unwrap(), [3, 6]);
}

#[test]
fn a_failure_does_not_prolong_a_session() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    graph.on_error(OnError::call(|_| {}));
    let source = graph.source::<u32>();
    let sessions = source
        .try_map(|x| if x > 0 { Ok(x) } else { Err("zero".into()) })
        .session(ms(10))
        .sink_to_list();
    source.emit(1).unwrap();
    time.advance(ms(6));
    assert!(matches!(source.emit(0), Err(EmitError::Failed(_))));
    time.advance(ms(4));
    assert_eq!(sessions.take(), [[1]]);
}

#[test]
fn elements_are_done_when_their_session_is() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let _ = source.session(ms(10)).buffer(4).sink(|_| {});
    let _ = source.fold_session(ms(10), Sum).sink(|_| {});
    let _ = source.rolling_time(ms(10), Sum).sink(|_| {});
    let receipts = [1, 2].map(|x| source.emit_tracked(x).unwrap());
    let outcomes = || receipts.each_ref().map(|receipt| receipt.outcome());
    time.advance(ms(9));
    assert_eq!(outcomes(), [None, None]);
    time.advance(ms(1));
    assert_eq!(outcomes(), [Some(Ok(())); 2]);
}

#[test]
fn an_element_that_rolls_in_time_is_done_with_its_own_output() {
    let source = Source::<u32>::new();
    let _ = source.rolling_time(ms(10), Sum).sink(|_| {});
    let receipt = source.emit_tracked(1).unwrap();
    assert_eq!(receipt.outcome(), Some(Ok(())));
}

#[test]
fn what_is_held_at_a_teardown_is_lost_and_what_was_replaced_is_not() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let _ = source
        .partition_unique(3, |x| *x)
        .keep(Keep::Last)
        .sink(|_| {});
    let weak = source.downgrade();
    let receipts = [1, 1, 2].map(|x| source.emit_tracked(x).unwrap());
    drop((graph, time, source));
    assert!(weak.emit(2).is_err());
    let torn = Some(Err(Lost::TornDown));
    let outcomes = receipts.each_ref().map(|receipt| receipt.outcome());
    assert_eq!(outcomes, [Some(Ok(())), torn, torn]);
}

#[test]
fn a_window_that_loses_its_sink_fails_those_it_kept_and_not_those_it_dropped() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    graph.on_error(OnError::call(|_| {}));
    let source = graph.source::<u32>();
    let _ = source
        .timed_window_unique(ms(1), |x| *x)
        .try_sink(|_| Err("no".into()));
    let receipts = [1, 1, 2].map(|x| source.emit_tracked(x).unwrap());
    time.advance(ms(1));
    let failed = Some(Err(Lost::Failed));
    let outcomes = receipts.each_ref().map(|receipt| receipt.outcome());
    assert_eq!(outcomes, [failed, Some(Ok(())), failed]);
}

#[test]
fn a_key_that_comes_for_ever_is_held_once() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    let sum = Arc::new(AtomicU64::new(0));
    let out = sum.clone();
    let _ = source
        .partition_unique(2, |_| ())
        .keep(Keep::Last)
        .sink(|_| {});
    let _ = source
        .timed_window_unique(ms(1), |_| ())
        .keep(Keep::Last)
        .sink(move |window| {
            out.fetch_add(window[0], Ordering::Relaxed);
        });
    source.emit_all(0..100_000).unwrap();
    for title in ["partition_unique", "timed_window_unique"] {
        let counts = node(&graph, title).counts;
        assert_eq!((counts.passed, counts.held), (100_000, 1));
    }
    time.advance(ms(1));
    assert_eq!(sum.load(Ordering::Relaxed), 99_999);
    assert_eq!(node(&graph, "partition_unique").counts.dropped(), 0);
}

#[test]
fn a_window_that_rolls_in_time_is_bounded_and_counts_who_had_to_leave_early() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let counts = source.rolling_time(ms(10), Count).max_len(3).sink_to_list();
    let receipts: Vec<_> = (0..5).map(|x| source.emit_tracked(x).unwrap()).collect();
    assert_eq!(counts.take(), [1, 2, 3, 3, 3]);
    let held = node(&graph, "rolling_time").counts;
    assert_eq!((held.held, held.capacity), (3, 3));
    assert_eq!((held.early, held.dropped()), (2, 0));
    // No element is lost.
    assert!(receipts.iter().all(|r| r.outcome() == Some(Ok(()))));
    // By time alone nothing is emitted, and nobody leaves early.
    time.advance(ms(10));
    assert!(counts.is_empty());
    source.emit(5).unwrap();
    assert_eq!(counts.take(), [1]);
    assert_eq!(node(&graph, "rolling_time").counts.early, 2);
    // In a batch it is the same.
    source.emit_all(6..10).unwrap();
    assert_eq!(counts.take(), [2, 3, 3, 3]);
    assert_eq!(node(&graph, "rolling_time").counts.early, 4);
}

#[test]
fn a_window_that_rolls_in_time_needs_no_driver() {
    let source = Source::<u32>::new();
    let counts = source
        .rolling_time(Duration::from_secs(3600), Count)
        .sink_to_list();
    source.emit_all([1, 2]).unwrap();
    assert_eq!(counts.take(), [1, 2]);
}

#[test]
fn a_leap_of_hours_is_skipped_and_counted_by_windows_that_keep_empty_ones() {
    let hours = 5 * 3_600_000;
    let graph = Graph::new();
    let source = graph.source::<Timed>();
    source.lead_clock(|(at, _)| Time::from_millis(*at));
    let windows = source
        .timed_window(ms(10))
        .keep_empty()
        .map(|window| window.len())
        .sink_to_list();
    let skipped = || node(&graph, "timed_window").counts.skipped;
    // A pause is filled.
    source.emit_all([(3, 0), (4, 0), (45, 0)]).unwrap();
    assert_eq!(windows.take(), [2, 0, 0, 0]);
    assert_eq!(skipped(), 0);
    // A leap is not: of all the windows that ended, the one that was under way is emitted.
    source.emit((hours + 5, 0)).unwrap();
    assert_eq!(windows.take(), [1]);
    assert_eq!(skipped(), hours / 10 - 5);
    // The windows that follow are where they always were.
    source.emit_all([(hours + 9, 0), (hours + 10, 0)]).unwrap();
    assert_eq!(windows.take(), [2]);
    // As long as can be without being a leap: 100 windows end, the first of which has an element.
    source.emit((hours + 1_010, 0)).unwrap();
    let filled = windows.take();
    assert_eq!((filled.len(), filled.iter().sum::<usize>()), (100, 1));
    let before = skipped();
    source.emit((hours + 2_030, 0)).unwrap();
    assert_eq!(windows.take(), [1]);
    assert_eq!(skipped(), before + 101);
    // To the end of time.
    source.emit((u64::MAX / 1_000_000, 0)).unwrap();
    source.close();
    assert_eq!(windows.take(), [1, 1]);
}

#[test]
fn windows_of_a_driver_that_is_always_late_do_not_drift() {
    let graph = Graph::new();
    let now = Arc::new(AtomicU64::new(0));
    let driver = graph.attach_driver(Some(Box::new({
        let now = now.clone();
        move || ms(now.load(Ordering::Relaxed))
    })));
    let source = graph.source::<u64>();
    let windows = source.timed_window(ms(10)).sink_to_list();
    let mut next = 0;
    for at in 0..1_000 {
        now.store(at, Ordering::Relaxed);
        // It comes 3 ms late to each end.
        if at >= next + 3 {
            next = loop {
                match driver.turn(Waker::noop()).unwrap() {
                    Turn::Until(time) => break time.elapsed().as_millis() as u64,
                    Turn::Again => {}
                    turn => panic!("{turn:?}"),
                }
            };
            assert_eq!(next % 10, 0);
        }
        source.emit(at).unwrap();
    }
    source.close();
    let windows = windows.take();
    assert_eq!(windows.len(), 100);
    for (k, window) in windows.iter().enumerate() {
        let start = k as u64 * 10;
        assert!(window.iter().copied().eq(start..start + 10));
    }
}

#[test]
fn the_census_tells_what_is_held() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u32>();
    let _ = source.partition_unique(4, |x| x % 2).sink(|_| {});
    let _ = source.timed_window_unique(ms(1), |x| x % 2).sink(|_| {});
    let _ = source.session(ms(1)).sink(|_| {});
    let _ = source.fold_session(ms(1), Sum).sink(|_| {});
    let _ = source.rolling_time(ms(1), Sum).sink(|_| {});
    source.emit_all(0..3).unwrap();
    let held = |title| {
        let counts = node(&graph, title).counts;
        assert_eq!(counts.passed, 3);
        (counts.held, counts.capacity)
    };
    assert_eq!(held("partition_unique"), (2, 4));
    assert_eq!(held("timed_window_unique"), (2, 65_536));
    assert_eq!(held("session"), (3, 65_536));
    assert_eq!(held("fold_session"), (1, 2));
    assert_eq!(held("rolling_time"), (3, 65_536));
}

#[test]
fn what_makes_no_sense_is_rejected_when_it_is_made() {
    let source = || Source::<u32>::new();
    let key = |x: &u32| *x;
    let zero = Duration::ZERO;
    type Make<'a> = Box<dyn Fn() + std::panic::UnwindSafe + 'a>;
    let cases: [(&str, Make<'_>); 10] = [
        (
            "`partition_unique(0, …)` would make empty groups",
            Box::new(move || drop(source().partition_unique(0, key))),
        ),
        (
            "`timed_window_unique` of zero would end at once for ever",
            Box::new(move || drop(source().timed_window_unique(zero, key))),
        ),
        (
            "`max_len(0)` could hold nothing",
            Box::new(move || drop(source().timed_window_unique(ms(1), key).max_len(0))),
        ),
        (
            "`session` with no gap would end with each element",
            Box::new(move || drop(source().session(zero))),
        ),
        (
            "`max_len(0)` could hold nothing",
            Box::new(move || drop(source().session(ms(1)).max_len(0))),
        ),
        (
            "`fold_session` with no gap would end with each element",
            Box::new(move || drop(source().fold_session(zero, Sum))),
        ),
        (
            "`rolling_time` over no time would see nothing",
            Box::new(move || drop(source().rolling_time(zero, Sum))),
        ),
        (
            "`max_len(0)` would see nothing",
            Box::new(move || drop(source().rolling_time(ms(1), Sum).max_len(0))),
        ),
        (
            "a quantile at 1.5 is not one",
            Box::new(|| _ = Quantile::new([0.5, 1.5])),
        ),
        (
            "a quantile at NaN is not one",
            Box::new(|| _ = Quantile::new(f64::NAN)),
        ),
    ];
    for (sentence, make) in cases {
        let panic = std::panic::catch_unwind(make).unwrap_err();
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap();
        assert!(message.starts_with(sentence), "{message}");
    }
}
