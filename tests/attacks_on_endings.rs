//! What somebody tried who wanted to break how things end, and where they begin: runs within keys that have had enough,
//! joins in front of them, items that begin in the middle of a push. Each test says what must hold all the same.

use std::sync::mpsc;
use std::time::Duration;

use headwater::prelude::*;
use headwater::{BoxFlow, Branch, KeyFlow, Keys, Loss, Receipt, Shared};

/// Runs `work` on a thread, and fails if it is not done in a minute.
fn watched(work: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    match wait.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => thread.join().unwrap(),
    }
}

fn all_done(receipts: &[Receipt]) -> bool {
    receipts.iter().all(|r| r.outcome() == Some(Ok(())))
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_key_that_wants_nothing_from_the_first_ends_like_any_other() {
    let source = Source::<u64>::new();
    let list = source
        .per_key(
            |x| x % 2,
            Keys::max(1),
            |key, flow| flow.take(u64::from(*key == 1)),
        )
        .sink_to_list();
    let receipts: Vec<_> = (0..6).map(|x| source.emit_tracked(x).unwrap()).collect();
    assert_eq!(list.take(), [1, 3, 5]);
    assert!(all_done(&receipts));
    assert!(source.graph().close().unwrap().complete);
}

#[test]
fn what_a_key_holds_in_front_of_who_has_had_enough_is_done_when_the_key_goes() {
    type Build = fn(KeyFlow<u64>, &Shared<u64>) -> BoxFlow<u64>;
    let builds: [Build; 4] = [
        |flow, _| {
            flow.flat_map_stream(4, |x| futures::stream::iter([x]))
                .take(0)
                .boxed()
        },
        |flow, _| flow.delay(SECOND).take(0).boxed(),
        |flow, other| flow.delay(SECOND).take_until(other).boxed(),
        // A join that hangs from a flow outside, too.
        |flow, other| flow.zip(other).map(|(x, _)| x).take(1).boxed(),
    ];
    for (n, build) in builds.into_iter().enumerate() {
        for expires in [false, true] {
            let graph = Graph::new();
            let time = graph.drive_manually();
            let source = graph.source::<u64>();
            let other = graph.source::<u64>();
            let shared = other.share();
            let keep = shared.sink_to_list();
            source
                .per_key(
                    |x| *x < 3,
                    Keys::max(1),
                    move |_, flow| build(flow, &shared),
                )
                .sink(drop);
            let receipts: Vec<_> = (0..3).map(|x| source.emit_tracked(x).unwrap()).collect();
            let others: Vec<_> = (0..3).map(|x| other.emit_tracked(x).unwrap()).collect();
            if expires {
                source.emit(3).unwrap();
                time.settle();
            } else {
                source.close();
                time.advance(SECOND * 9);
            }
            assert!(all_done(&receipts), "{n} {expires}: {receipts:?}");
            assert!(all_done(&others), "{n} {expires}: {others:?}");
            assert_eq!(keep.len(), 3);
        }
    }
}

#[test]
fn what_begins_within_a_key_goes_through_the_forks_of_its_run() {
    type Build = fn(KeyFlow<u64>) -> BoxFlow<u64>;
    // With what comes out, and how many find no mate.
    let builds: [(Build, &[u64], u64); 4] = [
        (
            |flow| flow.start_with([8, 9]).share().map(|x| x).boxed(),
            &[8, 9, 0, 8, 9, 1, 8, 9, 2],
            0,
        ),
        (
            |flow| {
                let shared = flow.start_with([8, 9]).share();
                shared.zip(shared.skip(1)).map(|(a, b)| a * b).boxed()
            },
            &[72, 0, 72, 9, 72, 18],
            3,
        ),
        (
            |flow| {
                let (items, failures) = flow.start_with([8, 9]).try_map(Ok).split_errors();
                items.union(failures.map(|_| 5)).boxed()
            },
            &[8, 9, 0, 8, 9, 1, 8, 9, 2],
            0,
        ),
        (
            |flow| {
                let (even, odd) = flow.start_with([8, 9]).split(|x| x % 2 == 0);
                even.union(odd.take(1)).boxed()
            },
            &[8, 9, 0, 8, 9, 8, 9, 2],
            0,
        ),
    ];
    for (n, (build, expected, unpaired)) in builds.into_iter().enumerate() {
        for batch in [false, true] {
            watched(move || {
                let source = Source::<u64>::new();
                let list = source
                    .per_key(|x| *x, Keys::max(1), move |_, flow| build(flow))
                    .sink_to_list();
                if batch {
                    source.emit_all(0..3).unwrap();
                } else {
                    (0..3).for_each(|x| source.emit(x).unwrap());
                }
                assert_eq!(list.take(), expected, "{n} {batch}");
                let report = source.graph().close().unwrap();
                assert!(report.complete);
                assert_eq!(report.snapshot.dropped(), unpaired, "{n} {batch}");
            });
        }
    }
}

#[test]
fn what_a_branch_that_was_taken_off_holds_for_a_join_that_has_closed_is_counted() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    let other = graph.source::<u64>();
    let branch = source.delay(SECOND).zip(&other).sink(drop);
    let receipts: Vec<_> = (0..2).map(|x| source.emit_tracked(x).unwrap()).collect();
    branch.disconnect();
    time.advance(SECOND * 9);
    assert!(receipts.iter().all(|r| matches!(r.outcome(), Some(Err(_)))));
    let report = graph.close().unwrap();
    assert!(report.complete);
    assert_eq!(report.snapshot.dropped(), 2);
}

#[test]
fn a_run_that_joins_the_flow_it_comes_from_gives_the_same_in_batches() {
    type Build = fn(KeyFlow<u64>, Shared<u64>) -> BoxFlow<(u64, u64)>;
    // What the runs join: the fork that feeds `per_key`, one above it, a side of a `split`, and from
    // within the runs of runs.
    let runs: [Build; 2] = [
        |flow, other| flow.with_latest(&other, 0, |x, &y| (x, y)).boxed(),
        |flow, other| {
            flow.filter(|x| *x != 0)
                .per_key(
                    |x| x % 2,
                    Keys::max(2),
                    move |_, flow| flow.with_latest(&other, 0, |x, &y| (x, y)),
                )
                .boxed()
        },
    ];
    type Place = fn(&Source<u64>) -> (BoxFlow<u64>, Shared<u64>);
    let places: [Place; 3] = [
        |source| {
            let shared = source.share();
            (shared.map(|x| x).boxed(), shared)
        },
        |source| {
            let above = source.share();
            (above.share().map(|x| x).boxed(), above)
        },
        |source| {
            let (small, large) = source.split(|x| *x < 3);
            (large.boxed(), small.share())
        },
    ];
    for (n, run) in runs.into_iter().enumerate() {
        for (m, place) in places.into_iter().enumerate() {
            let outputs = [false, true].map(|batch| {
                let source = Source::<u64>::new();
                let (flow, other) = place(&source);
                let list = flow
                    .per_key(|_| 0, Keys::max(1), move |_, flow| run(flow, other.clone()))
                    .sink_to_list();
                let items = [0, 1, 2, 3, 4, 1, 0, 2, 5, 6];
                if batch {
                    source.emit_all(items).unwrap();
                } else {
                    items.iter().for_each(|x| source.emit(*x).unwrap());
                }
                list.take()
            });
            assert_eq!(outputs[0], outputs[1], "{n} {m}");
            if (n, m) == (0, 0) {
                let first = [(0, 0), (1, 0), (2, 1), (3, 2), (4, 3)];
                assert_eq!(outputs[0][..5], first);
            }
        }
    }
}

#[test]
fn a_per_key_on_both_sides_of_a_fork_gives_the_same_in_batches_before_its_first_key() {
    let outputs = [false, true].map(|batch| {
        let source = Source::<u64>::new();
        let shared = source.share();
        let sums = shared.per_key(|_| 0, Keys::max(1), |_, flow| flow);
        let list = sums.union(shared.map(|x| x + 10)).sink_to_list();
        if batch {
            source.emit_all(0..4).unwrap();
        } else {
            (0..4).for_each(|x| source.emit(x).unwrap());
        }
        list.take()
    });
    assert_eq!(outputs[0], [0, 10, 1, 11, 2, 12, 3, 13]);
    assert_eq!(outputs[0], outputs[1]);
}

#[test]
fn forks_above_a_per_key_pass_batches_on_once_it_has_a_key() {
    let source = Source::<u64>::new();
    let shared = source.share();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (first, second) = (seen.clone(), seen.clone());
    shared
        .per_key(|_| 0, Keys::max(1), |_, flow| flow)
        .sink(move |x| first.lock().unwrap().push(x));
    shared.sink(move |x| second.lock().unwrap().push(x + 10));
    source.emit(0).unwrap();
    source.emit_all(1..3).unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 10, 1, 2, 11, 12]);
}

#[test]
fn what_a_discarded_branch_had_under_way_is_counted_wherever_receipts_fail() {
    type Build = fn(&Source<u64>, &Source<u64>) -> Branch;
    // With how much is lost of three elements: themselves, or the state that stands for them.
    let builds: [(&str, u64, Build); 20] = [
        ("fold", 1, |s, _| s.fold(0, |sum, x| sum + x).sink(drop)),
        ("fold_all", 1, |s, _| s.fold_all(Sum).sink(drop)),
        ("fold_window", 1, |s, _| {
            s.fold_window(SECOND, Sum).sink(drop)
        }),
        ("fold_partition", 1, |s, _| {
            s.fold_partition(5, Sum).sink(drop)
        }),
        ("conflate", 1, |s, _| {
            s.conflate(|sum, x| *sum += x).sink(drop)
        }),
        ("pairwise", 1, |s, _| s.pairwise().sink(drop)),
        ("partition", 3, |s, _| s.partition(5).sink(drop)),
        ("sliding_window", 3, |s, _| s.sliding_window(5).sink(drop)),
        ("timed_window", 3, |s, _| s.timed_window(SECOND).sink(drop)),
        ("session", 3, |s, _| s.session(SECOND).sink(drop)),
        ("collect_until", 3, |s, o| s.collect_until(o).sink(drop)),
        ("delay", 3, |s, _| s.delay(SECOND).sink(drop)),
        ("zip", 3, |s, o| s.zip(o).sink(drop)),
        ("per_key fold", 2, |s, _| {
            let sums = s.per_key(
                |x| x % 2,
                Keys::max(2),
                |_, flow| flow.fold(0, |sum, x| sum + x),
            );
            sums.sink(drop)
        }),
        ("fold behind a delay", 3, |s, _| {
            s.delay(SECOND).fold(0, |sum, x| sum + x).sink(drop)
        }),
        ("shared fold", 1, |s, _| {
            let shared = s.fold(0, |sum, x| sum + x).share();
            shared.sink(drop);
            shared.branch().clone()
        }),
        // Their elements have gone on, and only what is made of later ones needs them still.
        ("rolling", 0, |s, _| s.rolling(5, Sum).sink(drop)),
        ("rolling, full", 0, |s, _| {
            s.rolling(5, Sum).full().sink(drop)
        }),
        ("rolling_time", 0, |s, _| {
            s.rolling_time(SECOND, Sum).sink(drop)
        }),
        ("accumulate", 0, |s, _| {
            s.accumulate(0, |sum, x| sum + x).sink(drop)
        }),
    ];
    for (name, lost, build) in builds {
        let graph = Graph::new();
        let _time = graph.drive_manually();
        let source = graph.source::<u64>();
        let other = graph.source::<u64>();
        let branch = build(&source, &other);
        let receipts: Vec<_> = (0..3).map(|x| source.emit_tracked(x).unwrap()).collect();
        branch.discard();
        let failed = |r: &Receipt| matches!(r.outcome(), Some(Err(_)));
        assert_eq!(receipts.iter().any(failed), lost > 0, "{name}");
        assert!(receipts.iter().all(|r| r.outcome().is_some()), "{name}");
        let snapshot = graph.snapshot().unwrap();
        assert_eq!(snapshot.lost(Loss::Discarded), lost, "{name}");
        assert_eq!((snapshot.dropped(), snapshot.held()), (lost, 0), "{name}");
        let report = graph.close().unwrap();
        assert_eq!(
            (report.complete, report.snapshot.dropped()),
            (true, lost),
            "{name}"
        );
    }
}

#[test]
fn what_a_closed_branch_remembers_is_not_held() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u64>();
    source.rolling_time(SECOND, Sum).sink(drop);
    source.fold(0, |sum, x| sum + x).sink(drop);
    source.fold_all(Sum).sink(drop);
    source.emit_all(0..3).unwrap();
    let held: Vec<_> = ["rolling_time", "fold", "fold_all"]
        .map(|kind| graph.snapshot().unwrap().named(kind).unwrap().counts.held)
        .into();
    assert_eq!(held, [3, 1, 1]);
    let report = graph.close().unwrap();
    assert_eq!((report.snapshot.held(), report.delivered), (0, 5));
}
