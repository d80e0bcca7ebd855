//! The cases of streamz for partition_unique and timed_window_unique, with exact virtual times.

mod words;

use headwater::prelude::*;
use headwater::{Manual, Receipt};
use words::ms;

fn driven<T: Clone + Send + 'static>() -> (Graph, Manual, Source<T>) {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source();
    (graph, time, source)
}

const NUMBERS: [u32; 8] = [1, 2, 1, 3, 1, 3, 3, 2];
const WORDS: [&str; 8] = ["f", "fo", "f", "foo", "f", "foo", "foo", "fo"];
const RECORDS: [(u32, &str); 3] = [(0, "bar"), (0, "baz"), (1, "bat")];

// case: core/test_partition_unique/0, core/test_partition_unique/1
#[test]
fn groups_of_distinct_numbers() {
    let (_graph, _time, source) = driven::<u32>();
    let first = source.partition_unique(3, |x| *x).sink_to_list();
    let last = source
        .partition_unique(3, |x| *x)
        .keep(Keep::Last)
        .sink_to_list();
    source.emit_all(NUMBERS).unwrap();
    assert_eq!(first.take(), [[1, 2, 3], [1, 3, 2]]);
    assert_eq!(last.take(), [[2, 1, 3], [1, 3, 2]]);
}

// case: core/test_partition_unique/2
#[test]
fn groups_of_words_of_distinct_lengths_keep_the_last() {
    let (_graph, _time, source) = driven::<&str>();
    let groups = source
        .partition_unique(3, |word| word.len())
        .keep(Keep::Last)
        .sink_to_list();
    source.emit_all(WORDS).unwrap();
    assert_eq!(groups.take(), [["fo", "f", "foo"], ["f", "foo", "fo"]]);
}

// case: core/test_partition_unique/3, core/test_partition_unique/4
#[test]
fn groups_of_records_with_distinct_fields() {
    let (_graph, _time, source) = driven::<(u32, &str)>();
    let first = source.partition_unique(2, |r| r.0).sink_to_list();
    let last = source
        .partition_unique(2, |r| r.0)
        .keep(Keep::Last)
        .sink_to_list();
    source.emit_all(RECORDS).unwrap();
    assert_eq!(first.take(), [[(0, "bar"), (1, "bat")]]);
    assert_eq!(last.take(), [[(0, "baz"), (1, "bat")]]);
}

// case: probe/partition_unique_1
#[test]
fn keys_are_distinct_only_within_a_group() {
    let (_graph, _time, source) = driven::<u32>();
    let groups = source.partition_unique(1, |x| *x).sink_to_list();
    source.emit_all([1, 1, 2]).unwrap();
    assert_eq!(groups.take(), [[1], [1], [2]]);
}

fn outcomes(receipts: &[Receipt]) -> Vec<bool> {
    let done = |r: &Receipt| r.outcome() == Some(Ok(()));
    receipts.iter().map(done).collect()
}

// case: probe/ref_partition_unique_leak_first
// streamz never releases any of them. Here a duplicate is done at once, and the others with their group.
#[test]
fn later_duplicates_are_done_at_once_and_the_group_when_it_is_emitted() {
    let (_graph, _time, source) = driven::<u32>();
    let groups = source.partition_unique(2, |x| *x).sink_to_list();
    let mut receipts = vec![source.emit_tracked(1).unwrap()];
    receipts.push(source.emit_tracked(1).unwrap());
    assert_eq!(outcomes(&receipts), [false, true]);
    receipts.push(source.emit_tracked(2).unwrap());
    assert_eq!(outcomes(&receipts), [true, true, true]);
    assert_eq!(groups.take(), [[1, 2]]);
}

// case: probe/ref_partition_unique_leak_last
#[test]
fn replaced_elements_are_done_when_they_are_replaced() {
    let (_graph, _time, source) = driven::<u32>();
    let groups = source
        .partition_unique(2, |x| *x)
        .keep(Keep::Last)
        .sink_to_list();
    let mut receipts = vec![source.emit_tracked(1).unwrap()];
    receipts.push(source.emit_tracked(1).unwrap());
    assert_eq!(outcomes(&receipts), [true, false]);
    receipts.push(source.emit_tracked(2).unwrap());
    assert_eq!(outcomes(&receipts), [true, true, true]);
    assert_eq!(groups.take(), [[1, 2]]);
}

// case: core/test_timed_window_unique/0, core/test_timed_window_unique/1
// streamz emits windows in which nothing came, too: here on demand.
#[test]
fn windows_of_distinct_numbers() {
    let (_graph, time, source) = driven::<u32>();
    let first = source.timed_window_unique(ms(50), |x| *x).sink_to_list();
    let kept = source
        .timed_window_unique(ms(50), |x| *x)
        .keep_empty()
        .sink_to_list();
    let last = source
        .timed_window_unique(ms(50), |x| *x)
        .keep(Keep::Last)
        .sink_to_list();
    time.settle();
    source.emit_all(NUMBERS).unwrap();
    time.advance(ms(50));
    assert_eq!(first.take(), [[1, 2, 3]]);
    assert_eq!(kept.take(), [[1, 2, 3]]);
    assert_eq!(last.take(), [[1, 3, 2]]);
    time.advance(ms(50));
    assert!(first.is_empty() && last.is_empty());
    assert_eq!(kept.take(), [vec![]] as [Vec<u32>; 1]);
}

// case: core/test_timed_window_unique/2
#[test]
fn windows_of_words_of_distinct_lengths_keep_the_last() {
    let (_graph, time, source) = driven::<&str>();
    let windows = source
        .timed_window_unique(ms(50), |word| word.len())
        .keep(Keep::Last)
        .sink_to_list();
    source.emit_all(WORDS).unwrap();
    time.advance(ms(50));
    assert_eq!(windows.take(), [["f", "foo", "fo"]]);
    time.advance(ms(50));
    assert!(windows.is_empty());
}

// case: core/test_timed_window_unique/3
#[test]
fn windows_of_records_with_distinct_fields_keep_the_first() {
    let (_graph, time, source) = driven::<(u32, &str)>();
    let windows = source.timed_window_unique(ms(50), |r| r.0).sink_to_list();
    source
        .emit_all([(0, "bar"), (1, "bat"), (0, "baz")])
        .unwrap();
    time.advance(ms(50));
    assert_eq!(windows.take(), [[(0, "bar"), (1, "bat")]]);
    time.advance(ms(50));
    assert!(windows.is_empty());
}

// As for partition_unique, streamz never releases the duplicates.
#[test]
fn duplicates_of_a_window_are_done_at_once() {
    for (keep, before) in [(Keep::First, [false, true]), (Keep::Last, [true, false])] {
        let (_graph, time, source) = driven::<u32>();
        let windows = source
            .timed_window_unique(ms(50), |x| *x)
            .keep(keep)
            .sink_to_list();
        let receipts = [1, 1].map(|x| source.emit_tracked(x).unwrap());
        assert_eq!(outcomes(&receipts), before);
        time.advance(ms(50));
        assert_eq!(outcomes(&receipts), [true, true]);
        assert_eq!(windows.take(), [[1]]);
    }
}
