//! Cases of streamz: slice and collect.

use headwater::Receipt;
use headwater::prelude::*;

/// What `slice(range).step(step)` lets pass of `0..count`.
fn sliced(range: impl std::ops::RangeBounds<u64>, step: u64, count: u64) -> Vec<u64> {
    let source = Source::<u64>::new();
    let list = source.slice(range).step(step).sink_to_list();
    for x in 0..count {
        source.emit(x).unwrap();
    }
    list.take()
}

// case: core/test_slice/0
// case: core/test_slice/2
// case: core/test_slice/4
// case: core/test_slice/5
// case: doc/slice
#[test]
fn a_slice_is_what_that_of_a_list_would_be() {
    assert_eq!(sliced(.., 1, 6), [0, 1, 2, 3, 4, 5]);
    assert_eq!(sliced(1.., 1, 6), [1, 2, 3, 4, 5]);
    assert_eq!(sliced(..4, 2, 6), [0, 2]);
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "what is in it is the question"
    )]
    let reversed = 3..1;
    assert!(sliced(reversed, 1, 6).is_empty());
    assert_eq!(sliced(2..6, 2, 8), [2, 4]);
}

// case: probe/slice_step_is_absolute
// case: probe/slice_step_is_absolute_3
#[test]
fn a_step_is_counted_from_the_start_of_the_slice() {
    assert_eq!(sliced(1.., 2, 7), [1, 3, 5]);
    assert_eq!(sliced(1..6, 3, 9), [1, 4]);
}

// In streamz an end of 0 is no end.
#[test]
fn a_slice_that_ends_at_zero_is_empty() {
    assert!(sliced(..0, 1, 6).is_empty());
}

// case: probe/slice_step_zero
#[test]
#[should_panic(expected = "`step(0)` would not get on")]
fn a_step_of_zero_is_refused() {
    sliced(.., 0, 3);
}

// case: probe/slice_detaches
#[test]
fn a_slice_that_has_ended_is_taken_off() {
    let source = Source::<u32>::new();
    let list = source.slice(0..2).sink_to_list();
    for x in 0..5 {
        source.emit(x).unwrap();
    }
    assert_eq!(list.take(), [0, 1]);
    assert_eq!(source.graph().topology().nodes().len(), 1);
}

// case: probe/slice_refs
#[test]
fn elements_outside_of_the_slice_are_done_at_once() {
    let source = Source::<u32>::new();
    let list = source.slice(2..4).sink_to_list();
    for x in 0..6 {
        let receipt = source.emit_tracked(x).unwrap();
        assert_eq!(receipt.outcome(), Some(Ok(())), "{x}");
    }
    assert_eq!(list.take(), [2, 3]);
}

// case: core/test_collect_metadata
#[test]
fn the_lineage_of_a_collected_group_is_that_of_its_elements() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let (groups, flush) = source.collect();
    let list = groups.buffer(4).sink_to_list();
    let done = |receipts: &[Receipt], expected| receipts.iter().all(|r| r.outcome() == expected);
    source.emit(0).unwrap();
    let first = [1, 2].map(|x| source.emit_tracked(x).unwrap());
    flush.flush();
    let second = [3, 4].map(|x| source.emit_tracked(x).unwrap());
    assert!(done(&first, None) && done(&second, None));
    time.settle();
    assert!(done(&first, Some(Ok(()))) && done(&second, None));
    flush.flush();
    time.settle();
    assert!(done(&second, Some(Ok(()))));
    assert_eq!(list.take(), [vec![0, 1, 2], vec![3, 4]]);
}

// case: probe/async_sink_behind_collect
#[test]
fn an_asynchronous_sink_behind_collect_runs_and_is_waited_for() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let (groups, flush) = source.collect();
    let (done, list) = std::sync::mpsc::channel();
    groups.sink_async(1, move |group| {
        let done = done.clone();
        async move { done.send(group).unwrap() }
    });
    let receipt = source.emit_tracked(1).unwrap();
    flush.flush();
    assert_eq!(receipt.outcome(), None);
    time.settle();
    assert_eq!(receipt.outcome(), Some(Ok(())));
    assert_eq!(list.try_recv(), Ok(vec![1]));
}
