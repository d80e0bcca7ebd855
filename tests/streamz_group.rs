//! The cases of streamz for partition, sliding_window and timed_window, with exact virtual times.

mod words;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{EmitError, Manual, OnFull};
use words::ms;

fn driven() -> (Graph, Manual, Source<u32>) {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source();
    (graph, time, source)
}

// case: core/test_partition_timeout
#[test]
fn a_short_group_is_flushed_when_its_first_element_is_old() {
    let (_graph, time, source) = driven();
    let groups = source.partition(10).max_age(ms(10)).sink_to_list();
    source.emit_all(0..5).unwrap();
    time.advance(ms(9));
    assert!(groups.is_empty());
    time.advance(ms(1));
    assert_eq!(groups.take(), [[0, 1, 2, 3, 4]]);
    time.advance(ms(90));
    assert!(groups.is_empty());
}

// case: core/test_partition_timeout_cancel
#[test]
fn a_full_group_cancels_its_timer() {
    let (_graph, time, source) = driven();
    let groups = source.partition(3).max_age(ms(100)).sink_to_list();
    source.emit_all([0, 1, 2]).unwrap();
    time.advance(ms(90));
    source.emit(3).unwrap();
    time.advance(ms(20));
    assert_eq!(groups.take(), [[0, 1, 2]]);
    time.advance(ms(79));
    assert!(groups.is_empty());
    time.advance(ms(1));
    assert_eq!(groups.take(), [[3]]);
}

// case: core/test_partition_key_callable, doc/partition_key
// The original never emits 8 and 9; here the close does (R6).
#[test]
fn groups_by_key_are_emitted_as_they_fill() {
    for count in [4, 10] {
        let (_graph, _time, source) = driven();
        let groups = source.partition(2).by_key(|x| x % 2).sink_to_list();
        source.emit_all(0..count).unwrap();
        let expected: &[[u32; 2]] = match count {
            4 => &[[0, 2], [1, 3]],
            _ => &[[0, 2], [1, 3], [4, 6], [5, 7]],
        };
        assert_eq!(groups.take(), expected);
        source.close();
        let rest: &[[u32; 1]] = if count == 4 { &[] } else { &[[8], [9]] };
        assert_eq!(groups.take(), rest);
    }
}

// case: core/test_partition_size_one
#[test]
fn groups_of_one_are_emitted_at_once_and_never_again() {
    let (_graph, time, source) = driven();
    let groups = source.partition(1).max_age(ms(10)).sink_to_list();
    source.emit_all(0..10).unwrap();
    let expected: Vec<_> = (0..10).map(|x| vec![x]).collect();
    assert_eq!(groups.take(), expected);
    time.advance(ms(100));
    assert!(groups.is_empty());
}

// case: core/test_partition_ref_counts
#[test]
fn an_element_is_done_when_its_group_is_emitted() {
    let (_graph, _time, source) = driven();
    let groups = source.partition(2).sink_to_list();
    for x in 0..5 {
        let first = source.emit_tracked(2 * x).unwrap();
        assert_eq!(first.outcome(), None);
        let second = source.emit_tracked(2 * x + 1).unwrap();
        assert_eq!(first.outcome(), Some(Ok(())));
        assert_eq!(second.outcome(), Some(Ok(())));
    }
    assert_eq!(groups.take(), [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]);
}

// case: doc/partition
// The original never emits 9; here the close does (R6).
#[test]
fn groups_of_three() {
    let (_graph, _time, source) = driven();
    let groups = source.partition(3).sink_to_list();
    source.emit_all(0..10).unwrap();
    assert_eq!(groups.take(), [[0, 1, 2], [3, 4, 5], [6, 7, 8]]);
    source.close();
    assert_eq!(groups.take(), [[9]]);
}

// case: probe/partition_timeout_per_key
#[test]
fn each_key_has_its_own_timer() {
    let (_graph, time, source) = driven();
    let groups = source
        .partition(3)
        .by_key(|x| x % 2)
        .max_age(ms(50))
        .sink_to_list();
    source.emit_all([0, 1, 2, 4, 3]).unwrap();
    assert_eq!(groups.take(), [[0, 2, 4]]);
    time.advance(ms(49));
    assert!(groups.is_empty());
    time.advance(ms(1));
    assert_eq!(groups.take(), [[1, 3]]);
}

// case: probe/error_spares_partition_timeout
#[test]
fn a_flush_that_fails_spares_the_next_and_the_emitter() {
    let (graph, time, source) = driven();
    let failed = Arc::new(Mutex::new(Vec::new()));
    graph.on_error(OnError::call({
        let failed = failed.clone();
        move |failure| {
            failed
                .lock()
                .unwrap()
                .extend(failure.take_element::<Vec<u32>>())
        }
    }));
    // Two groups grow old at once, and there is room for one.
    let groups = source
        .partition(10)
        .max_age(ms(10))
        .by_key(|x| *x)
        .buffer(1)
        .on_full(OnFull::Fail)
        .sink_to_list();
    source.emit(1).unwrap();
    source.emit(0).unwrap();
    time.advance(ms(30));
    for x in [2, 3] {
        source.emit(x).unwrap();
        time.advance(ms(30));
    }
    assert_eq!(groups.take(), [[1], [2], [3]]);
    assert_eq!(*failed.lock().unwrap(), [[0]]);
}

// case: core/test_timed_window_str
#[test]
fn a_window_shows_by_its_kind_or_its_name() {
    let (graph, _time, source) = driven();
    let _ = source.timed_window(ms(50)).sink(|_| {});
    let _ = source
        .timed_window(ms(50))
        .named("twenty a second")
        .sink(|_| {});
    let picture = graph.topology().to_string();
    assert!(picture.contains("source -> timed_window"));
    assert!(picture.contains("twenty a second -> sink"));
}

// case: core/test_sliding_window/partial, probe/sliding_window_partial_3, probe/sliding_window_1
#[test]
fn sliding_windows_start_short() {
    let (_graph, _time, source) = driven();
    let [one, two, three] = [1, 2, 3].map(|n| source.sliding_window(n).sink_to_list());
    source.emit_all(0..5).unwrap();
    assert_eq!(one.take(), [[0], [1], [2], [3], [4]]);
    let twos = [vec![0], vec![0, 1], vec![1, 2], vec![2, 3], vec![3, 4]];
    assert_eq!(two.take(), twos);
    let threes = [
        vec![0],
        vec![0, 1],
        vec![0, 1, 2],
        vec![1, 2, 3],
        vec![2, 3, 4],
    ];
    assert_eq!(three.take(), threes);
}

// case: core/test_sliding_window/full, doc/sliding_window
#[test]
fn full_sliding_windows_wait_for_the_last_element() {
    let (_graph, _time, source) = driven();
    let pairs = source.sliding_window(2).full().sink_to_list();
    let threes = source.sliding_window(3).full().sink_to_list();
    source.emit_all(0..8).unwrap();
    assert!(pairs.take().into_iter().eq((0..7).map(|x| [x, x + 1])));
    let expected = (0..6).map(|x| [x, x + 1, x + 2]);
    assert!(threes.take().into_iter().eq(expected));
}

// case: probe/sliding_window_0
// [bug] of the original, which accepts 0 and fails on the first element.
#[test]
#[should_panic(expected = "let it have at least 1 element")]
fn a_sliding_window_of_nothing_is_rejected_when_it_is_made() {
    let (_graph, _time, source) = driven();
    let _ = source.sliding_window(0);
}

// case: core/test_timed_window
// The original's windows drift, so that it can check properties only; here the times are exact.
#[test]
fn an_element_every_4_ms_in_windows_of_10_ms() {
    let (_graph, time, source) = driven();
    let windows = source.timed_window(ms(10)).keep_empty().sink_to_list();
    for x in 0..10 {
        source.emit(x).unwrap();
        time.advance(ms(4));
    }
    time.advance(ms(10));
    let windows = windows.take();
    let expected = [vec![0, 1, 2], vec![3, 4], vec![5, 6, 7], vec![8, 9], vec![]];
    assert_eq!(windows, expected);
}

// case: core/test_timed_window_ref_counts
#[test]
fn an_element_is_done_when_its_window_is_emitted() {
    let (_graph, time, source) = driven();
    let windows = source.timed_window(ms(10)).sink_to_list();
    let first = source.emit_tracked(1).unwrap();
    assert_eq!(first.outcome(), None);
    time.advance(ms(50));
    let second = source.emit_tracked(2).unwrap();
    assert_eq!((first.outcome(), second.outcome()), (Some(Ok(())), None));
    time.advance(ms(30));
    assert_eq!(second.outcome(), Some(Ok(())));
    assert_eq!(windows.take(), [[1], [2]]);
}

// case: core/test_timed_window_metadata
// The metadata of the original carry its reference counters: here, lineage of all in the window.
#[test]
fn a_window_carries_the_lineage_of_those_that_have_one() {
    let (_graph, time, source) = driven();
    let windows = source.timed_window(ms(60)).buffer(4).sink_to_list();
    source.emit(0).unwrap();
    let one = source.emit_tracked(1).unwrap();
    time.advance(ms(60));
    assert_eq!(one.outcome(), Some(Ok(())));
    let [two, three] = [2, 3].map(|x| source.emit_tracked(x).unwrap());
    assert_eq!((two.outcome(), three.outcome()), (None, None));
    time.advance(ms(60));
    assert_eq!(two.outcome(), Some(Ok(())));
    assert_eq!(three.outcome(), Some(Ok(())));
    assert_eq!(windows.take(), [[0, 1], [2, 3]]);
}

// case: core/test_timed_window_backpressure
// A reader takes one window each 100 ms: the windows wait for it, and then their source does.
#[test]
fn windows_wait_for_a_slow_reader_and_nothing_is_lost() {
    let (graph, time, source) = driven();
    let turns = graph.source::<()>();
    let read = source
        .timed_window(ms(10))
        .max_len(2)
        .zip(&turns)
        .capacity(1)
        .sink_to_list();
    let mut refused_at = None;
    let mut waiting: Vec<u32> = (0..5).rev().collect();
    for at in (0..600).step_by(10) {
        if at % 100 == 0 && at > 0 {
            turns.emit(()).unwrap();
            time.settle();
        }
        if let Some(x) = waiting.pop()
            && let Err(EmitError::Full(x)) = source.emit(x)
        {
            refused_at.get_or_insert(at);
            waiting.push(x);
        }
        time.advance(ms(10));
    }
    // 0 waits in the zip, 1 and 2 in the windows; 3 waits until the reader has taken one.
    assert_eq!(refused_at, Some(30));
    let read: Vec<u32> = read.take().into_iter().flat_map(|(w, ())| w).collect();
    assert_eq!(read, [0, 1, 2, 3, 4]);
}

// case: core/test_buffer_after_timed_window, core/test_buffer_after_sliding_window
#[test]
fn a_buffer_after_a_window_can_be_built() {
    let (_graph, time, source) = driven();
    let timed = source
        .timed_window(Duration::from_secs(1))
        .buffer(1)
        .sink_to_list();
    let sliding = source.sliding_window(1).buffer(1).sink_to_list();
    time.advance(Duration::from_secs(2));
    assert!(timed.is_empty() && sliding.is_empty());
}

// case: probe/timed_window_drift
// [bug] of the original, whose period is the interval and the work downstream.
#[test]
fn windows_do_not_drift_with_the_work_downstream() {
    let (_graph, time, source) = driven();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let clock = Arc::new(Mutex::new(0));
    let _ = source.timed_window(ms(50)).keep_empty().sink({
        let (seen, clock) = (seen.clone(), clock.clone());
        move |window| seen.lock().unwrap().push((*clock.lock().unwrap(), window))
    });
    for at in (10..=200).step_by(10) {
        *clock.lock().unwrap() = at;
        time.advance(ms(10));
    }
    let empty = Vec::<u32>::new;
    let expected = [50, 100, 150, 200].map(|at| (at, empty()));
    assert_eq!(*seen.lock().unwrap(), expected);
}
