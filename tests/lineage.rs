//! Metadata that rides beside elements, and is read on the way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{BoxFlow, Keys, Lineage, Lost, Retry, Speed, Time, combine_latest, zip};

/// The numbers that ride beside an element.
fn numbers<T>(_: T, lineage: Lineage<'_>) -> Vec<u32> {
    lineage.all::<u32>().into_iter().copied().collect()
}

// case: core/test_unique_metadata
#[test]
fn what_rides_beside_an_element_passes_operators_of_all_kinds() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let seen = source
        .map(|x| x * 2)
        .filter(|_| true)
        .unique()
        .buffer(16)
        .share()
        .accumulate(0, |sum, x| sum + x)
        .map_async(2, |x| async move { x })
        .map_with_lineage(numbers)
        .sink_to_list();
    for n in 0..5 {
        source.emit_with(n, n + 10).unwrap();
        time.settle();
    }
    source.emit(5).unwrap();
    time.settle();
    assert_eq!(
        seen.take(),
        [vec![10], vec![11], vec![12], vec![13], vec![14], vec![]]
    );
}

// case: core/test_zip_metadata
#[test]
fn a_row_has_the_metadata_of_its_elements_in_the_order_of_the_inputs() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let seen = zip((&a, &b)).map_with_lineage(numbers).sink_to_list();
    a.emit_with(1, 1_u32).unwrap();
    b.emit_with(2, 2_u32).unwrap();
    a.emit(3).unwrap();
    b.emit_with(4, 4_u32).unwrap();
    assert_eq!(seen.take(), [vec![1, 2], vec![4]]);
}

// case: core/test_combine_latest_metadata
#[test]
fn a_combination_has_the_metadata_of_the_latest_elements() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let seen = combine_latest((&a, &b))
        .map_with_lineage(numbers)
        .sink_to_list();
    a.emit_with(1, 1_u32).unwrap();
    b.emit_with(2, 2_u32).unwrap();
    b.emit(3).unwrap();
    b.emit_with(4, 4_u32).unwrap();
    assert_eq!(seen.take(), [vec![1, 2], vec![1], vec![1, 4]]);
}

// case: core/test_zip_latest_metadata
#[test]
fn a_row_of_zip_latest_has_the_metadata_of_its_lossless_element_and_of_the_latest() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let seen = a.zip_latest(&b).map_with_lineage(numbers).sink_to_list();
    a.emit_with(1, 1_u32).unwrap();
    b.emit_with(2, 2_u32).unwrap();
    a.emit(3).unwrap();
    b.emit_with(4, 4_u32).unwrap();
    assert_eq!(seen.take(), [vec![1, 2], vec![2]]);
}

// case: core/test_collect_metadata
#[test]
fn a_collected_group_has_the_metadata_of_its_elements() {
    let source = Source::<u32>::new();
    let (groups, flush) = source.collect();
    let seen = groups.map_with_lineage(numbers).sink_to_list();
    source.emit(0).unwrap();
    source.emit_with(1, 1_u32).unwrap();
    source.emit_with(2, 2_u32).unwrap();
    flush.flush();
    source.emit_with(3, 3_u32).unwrap();
    source.emit_with(4, 4_u32).unwrap();
    flush.flush();
    assert_eq!(seen.take(), [vec![1, 2], vec![3, 4]]);
}

// case: core/test_timed_window_metadata
#[test]
fn a_window_has_the_metadata_of_all_its_elements() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let width = Duration::from_millis(60);
    let seen = source
        .timed_window(width)
        .map_with_lineage(numbers)
        .sink_to_list();
    source.emit(0).unwrap();
    source.emit_with(1, 1_u32).unwrap();
    time.advance(width);
    source.emit_with(2, 2_u32).unwrap();
    source.emit_with(3, 3_u32).unwrap();
    time.advance(width);
    assert_eq!(seen.take(), [vec![1], vec![2, 3]]);
}

// case: probe/flatten_metadata_last
// In streamz the metadata goes with the last item alone. Here each item was made of the element, and
// has what rides beside it; that of an empty one is dropped all the same.
#[test]
fn each_item_of_a_flattened_element_has_its_metadata() {
    let source = Source::<Vec<u32>>::new();
    let seen = source.flatten().map_with_lineage(numbers).sink_to_list();
    source.emit_with(vec![1, 2, 3], 1_u32).unwrap();
    source.emit_with(vec![], 2_u32).unwrap();
    assert_eq!(seen.take(), [[1], [1], [1]]);
}

#[test]
fn an_element_that_comes_by_several_ways_counts_once_and_nested_groups_keep_the_order() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let pairs = source.partition(2).share();
    let seen = zip((&pairs, pairs.map(|x| x), &source))
        .partition(2)
        .map_with_lineage(numbers)
        .sink_to_list();
    for n in 0..4_u32 {
        source.emit_with(n, n).unwrap();
    }
    assert_eq!(seen.take(), [[0, 1, 2, 3]]);
}

#[test]
fn metadata_is_read_by_its_type_and_others_are_left_out() {
    #[derive(Debug, PartialEq)]
    struct Offset(u64);
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let end = seen.clone();
    source
        .partition(3)
        .inspect_lineage(move |items, lineage| {
            let offsets: Vec<_> = lineage.all::<Offset>().iter().map(|o| o.0).collect();
            let name = lineage.first::<&str>().copied();
            end.lock()
                .unwrap()
                .push((items.clone(), offsets, name, lineage.metadata().len()));
        })
        .sink(drop);
    source.emit_with(1, Offset(7)).unwrap();
    source.emit_with(2, "two").unwrap();
    source.emit_with(3, Offset(9)).unwrap();
    source.emit_all([4, 5, 6]).unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            (vec![1, 2, 3], vec![7, 9], Some("two"), 3),
            (vec![4, 5, 6], vec![], None, 0)
        ]
    );
}

#[test]
fn metadata_crosses_a_connection_to_another_source_and_a_closure_that_queues() {
    let graph = Graph::new();
    let (first, second) = (graph.source::<u32>(), graph.source::<u32>());
    let _ = first.map(|x| x + 1).connect(&second);
    let seen = second
        .map_with_lineage(|x, l| (x, numbers((), l)))
        .sink_to_list();
    first.emit_with(1, 5_u32).unwrap();
    let again = second.clone();
    let _ = first
        .filter(|x| *x == 9)
        .sink(move |x| again.emit_with(x, 6_u32).unwrap());
    first.emit(9).unwrap();
    assert_eq!(seen.take(), [(2, vec![5]), (10, vec![]), (9, vec![6])]);
}

#[test]
fn a_receipt_with_metadata_resolves_once_after_asynchronous_sinks() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let dropped = Arc::new(AtomicUsize::new(0));
    let (send, receive) = tokio::sync::watch::channel(false);
    let both = source.map(|x| x).share();
    for _ in 0..2 {
        let gate = receive.clone();
        let _ = both.partition(2).sink_async(4, move |_| {
            let mut gate = gate.clone();
            async move {
                let _ = gate.wait_for(|open| *open).await;
            }
        });
    }
    let tagged = source.with_metadata(Counted(dropped.clone()));
    let receipts = [1, 2].map(|n| tagged.emit_tracked(n).unwrap());
    drop(tagged);
    time.settle();
    assert!(receipts.iter().all(|receipt| receipt.outcome().is_none()));
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    send.send(true).unwrap();
    time.settle();
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.outcome() == Some(Ok(())))
    );
    assert_eq!(
        dropped.load(Ordering::Relaxed),
        1,
        "gone with the last that rode beside it"
    );
}

#[test]
fn sending_with_metadata_waits_and_tells_as_sending_does() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.buffer(1).map_with_lineage(numbers).sink_to_list();
    let tagged = source.with_metadata(3_u32);
    futures::executor::block_on(tagged.send(1)).unwrap();
    assert!(tagged.emit(2).unwrap_err().is_full());
    time.settle();
    let receipt = futures::executor::block_on(tagged.send_tracked(2)).unwrap();
    list.branch().clone().discard();
    assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    assert_eq!(list.take(), [[3]]);
    source.close();
    assert!(matches!(tagged.emit(4), Err(EmitError::Closed(4))));
}

#[test]
fn metadata_comes_out_of_every_operator_that_holds_with_what_was_made_of_its_element() {
    const SECOND: Duration = Duration::from_secs(1);
    type Build = fn(&Source<u32>, &Source<u32>) -> BoxFlow<u64>;
    fn len<T>(all: Vec<T>) -> u64 {
        all.len() as u64
    }
    let each: &[&[u32]] = &[&[1], &[2], &[3]];
    let all: &[&[u32]] = &[&[1, 2, 3]];
    let last: &[&[u32]] = &[&[3]];
    let builds: [(&str, &[&[u32]], Build); 26] = [
        ("delay", each, |s, _| s.delay(SECOND).map(u64::from).boxed()),
        ("rate_limit", each, |s, _| {
            s.rate_limit(SECOND).map(u64::from).boxed()
        }),
        ("pace", each, |s, _| {
            let time = |x: &u32| Time::from_nanos(u64::from(*x) << 30);
            s.pace(time, Speed::Times(1.0)).map(u64::from).boxed()
        }),
        ("throttle", &[&[1]], |s, _| {
            s.throttle(SECOND).map(u64::from).boxed()
        }),
        ("debounce", last, |s, _| {
            s.debounce(SECOND).map(u64::from).boxed()
        }),
        ("sample", last, |s, _| {
            s.sample(SECOND).map(u64::from).boxed()
        }),
        // What is emitted into silence is made of nothing.
        ("on_idle", &[&[1], &[2], &[3], &[]], |s, _| {
            s.on_idle(SECOND, || 0).map(u64::from).boxed()
        }),
        ("session", all, |s, _| s.session(SECOND).map(len).boxed()),
        ("fold_session", all, |s, _| {
            s.fold_session(SECOND, Count).map(|n| n).boxed()
        }),
        ("fold_window", all, |s, _| {
            s.fold_window(SECOND, Count).boxed()
        }),
        ("timed_window_unique", all, |s, _| {
            s.timed_window_unique(SECOND, |x| *x).map(len).boxed()
        }),
        ("fold", all, |s, _| s.fold(0, |n, _| n + 1).boxed()),
        ("rolling", each, |s, _| s.rolling(2, Count).boxed()),
        ("rolling_time", each, |s, _| {
            s.rolling_time(SECOND, Count).boxed()
        }),
        ("pairwise", &[&[1, 2], &[2, 3]], |s, _| {
            s.pairwise().map(|(a, b)| u64::from(a + b)).boxed()
        }),
        ("collect_until", all, |s, o| {
            s.collect_until(o).map(len).boxed()
        }),
        ("chain", each, |s, o| o.chain(s).map(u64::from).boxed()),
        ("zip_latest", each, |s, o| {
            s.zip_latest(o).map(|(x, _)| u64::from(x)).boxed()
        }),
        ("with_latest", each, |s, o| {
            s.with_latest(o, 0, |x, _| u64::from(x)).boxed()
        }),
        ("retry", each, |s, _| {
            let tries = Arc::new(AtomicUsize::new(0));
            s.try_map_async(1, move |x| {
                let again = tries.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
                async move {
                    match again {
                        true => Err("not yet".into()),
                        false => Ok(u64::from(x)),
                    }
                }
            })
            .retry(Retry::attempts(3).fixed(SECOND / 10))
            .boxed()
        }),
        ("by_key", each, |s, _| {
            s.map_async(4, |x| async move { u64::from(x) })
                .by_key(|_| 0)
                .boxed()
        }),
        (
            "flat_map_stream",
            &[&[1], &[1], &[2], &[2], &[3], &[3]],
            |s, _| {
                s.flat_map_stream(1, |x| futures::stream::iter([u64::from(x); 2]))
                    .boxed()
            },
        ),
        (
            "switch_map",
            &[&[1], &[1], &[2], &[2], &[3], &[3]],
            |s, _| {
                s.switch_map(|x| futures::stream::iter([u64::from(x); 2]))
                    .boxed()
            },
        ),
        ("per_key map_async", each, |s, _| {
            s.per_key(
                |x| x % 2,
                Keys::max(2),
                |_, flow| flow.map_async(2, |x| async move { u64::from(x) }),
            )
            .boxed()
        }),
        ("per_key fold_window", &[&[2], &[1, 3]], |s, _| {
            let runs = s.per_key(
                |x| x % 2,
                Keys::max(2),
                |_, flow| flow.fold_window(SECOND, Count),
            );
            // Those that end at one moment end in any order.
            runs.partition(2)
                .map(|mut counts| {
                    counts.sort_unstable();
                    counts
                })
                .flatten()
                .boxed()
        }),
        ("map_with_state_by_key", each, |s, _| {
            s.map_with_state_by_key(|x| x % 2, Keys::max(2), |_| 0, |n, _| *n)
                .boxed()
        }),
    ];
    for (name, expected, build) in builds {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let other = graph.source::<u32>();
        let seen = build(&source, &other)
            .map_with_lineage(numbers)
            .sink_to_list();
        if name == "zip_latest" {
            other.emit(0).unwrap();
        }
        for n in 1..=3 {
            source.with_metadata(n).emit(n).unwrap();
            time.settle();
            if name == "retry" {
                time.advance(SECOND / 10);
            }
        }
        match name {
            "collect_until" => other.emit(0).unwrap(),
            "chain" => other.close(),
            "fold" => source.close(),
            _ => {}
        }
        for _ in 0..4 {
            time.advance(SECOND);
        }
        let mut seen = seen.take();
        match name {
            // Each window stands in a group of two, with the metadata of both.
            "per_key fold_window" => {
                assert_eq!(seen.len(), 2, "{name}");
                for numbers in &mut seen {
                    numbers.sort_unstable();
                    assert_eq!(*numbers, [1, 2, 3], "{name}");
                }
            }
            "on_idle" => assert_eq!(seen[..4], *expected, "{name}"),
            _ => assert_eq!(seen, expected, "{name}"),
        }
    }
}
