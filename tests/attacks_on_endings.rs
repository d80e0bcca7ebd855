//! What somebody tried who wanted to break how things end, and where they begin: runs within keys that have had enough,
//! joins in front of them, items that begin in the middle of a push. Each test says what must hold all the same.

mod watched;

use std::time::Duration;

use headwater::prelude::*;
use headwater::{
    BoxFlow, Branch, EmitError, GraphError, KeyFlow, Keys, Loss, Receipt, Retry, Shared,
};
use watched::watched;

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

/// Panics for 9.
fn fails<T: Into<u64> + Copy>(x: T) -> T {
    assert!(x.into() != 9, "as planned");
    x
}

#[test]
fn whichever_closure_of_a_holder_panics_everybody_learns_of_it_and_nobody_waits() {
    use headwater::{Speed, Time};
    use std::future::ready;
    // By the machine's clock, as a thread drives.
    const SOON: Duration = Duration::from_millis(20);
    type Build = fn(&Source<u64>) -> BoxFlow<u64>;
    type Fails = Result<u64, headwater::BoxError>;
    let builds: [(&str, Build); 19] = [
        ("map_async", |s| s.map_async(2, |x| ready(fails(x))).boxed()),
        ("its future", |s| {
            s.map_async(2, |x| async move { fails(x) }).boxed()
        }),
        ("its key", |s| {
            s.map_async(2, ready).by_key(|x| fails(*x)).boxed()
        }),
        ("retry", |s| {
            let asked = s.try_map_async(2, |x| ready(Fails::Err(x.to_string().into())));
            let retry =
                Retry::attempts(2).when(|error| fails(error.to_string().len() as u64 + 8) > 0);
            asked.retry(retry).boxed()
        }),
        ("conflate", |s| {
            let merged = s.conflate(|all, x| *all += fails(x));
            merged.map_async(1, |_| std::future::pending()).boxed()
        }),
        ("pace", |s| {
            s.pace(|x| Time::from_nanos(fails(*x)), Speed::Times(1.0))
                .boxed()
        }),
        ("on_idle", |s| s.on_idle(SOON, || fails(9)).boxed()),
        ("switch_map", |s| {
            s.switch_map(|x| futures::stream::iter([fails(x)])).boxed()
        }),
        ("its stream", |s| {
            s.switch_map(|x| futures::stream::once(async move { fails(x) }))
                .boxed()
        }),
        ("flat_map_stream", |s| {
            s.flat_map_stream(2, |x| futures::stream::iter([fails(x)]))
                .boxed()
        }),
        ("delay", |s| s.delay(SOON).map(fails).boxed()),
        ("rate_limit", |s| s.rate_limit(SOON).map(fails).boxed()),
        ("debounce", |s| s.debounce(SOON).map(fails).boxed()),
        ("sample", |s| s.sample(SOON).map(fails).boxed()),
        ("session", |s| {
            s.session(SOON).map(|all| fails(all[all.len() - 1])).boxed()
        }),
        ("buffer", |s| s.buffer(4).map(fails).boxed()),
        ("chain", |s| s.chain(s.map(fails)).boxed()),
        ("per_key", |s| {
            s.per_key(
                |x| x % 2,
                Keys::max(2),
                |_, flow| flow.map_async(4, |x| async move { fails(x) }),
            )
            .boxed()
        }),
        ("map_with_state_by_key", |s| {
            s.map_with_state_by_key(|x| x % 2, Keys::max(2), |_| 0, |_, x| fails(x))
                .boxed()
        }),
    ];
    for (name, build) in builds {
        watched(move || {
            let graph = Graph::new();
            let driver = graph.spawn_thread();
            let source = graph.source::<u64>();
            // Beside it, something that holds and is not at fault.
            let held = source.partition(100).into_stream(1);
            build(&source).sink(drop);
            let mut receipts = Vec::new();
            let work = std::panic::AssertUnwindSafe(|| {
                for x in [1, 9, 9] {
                    receipts.extend(source.emit_tracked(x));
                }
            });
            // It may be the driver that runs it.
            let _ = std::panic::catch_unwind(work);
            // Windows and delays come later, by the driver.
            while graph.snapshot().is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
            let refused = source.blocking_send(3).unwrap_err();
            assert!(
                matches!(refused, EmitError::Poisoned(3)),
                "{name}: {refused:?}"
            );
            assert!(
                matches!(graph.snapshot(), Err(GraphError::Poisoned)),
                "{name}"
            );
            assert!(matches!(graph.close(), Err(GraphError::Poisoned)), "{name}");
            let sent = futures::executor::block_on(source.send(4));
            assert!(matches!(sent, Err(EmitError::Poisoned(4))), "{name}");
            let late = futures::executor::block_on(graph.shutdown_within(SECOND));
            assert!(matches!(late, Err(GraphError::Poisoned)), "{name}");
            assert!(driver.join().is_err(), "{name}");
            assert!(receipts.iter().all(|r| r.outcome().is_some()), "{name}");
            assert!(matches!(receipts[0].outcome(), Some(Err(_))), "{name}");
            let rest: Vec<_> = futures::executor::block_on(futures::StreamExt::collect(held));
            assert!(rest.is_empty(), "{name}");
            assert!(graph.poisoned_below().is_some(), "{name}");
        });
    }
}

#[test]
fn what_a_shutdown_gives_up_is_counted_wherever_it_is_held() {
    use headwater::{Speed, Time};
    use std::future::pending;
    type Build = fn(&Source<u64>) -> BoxFlow<u64>;
    type Fails = Result<u64, headwater::BoxError>;
    let builds: [(&str, Build); 13] = [
        ("delay", |s| s.delay(SECOND).boxed()),
        ("rate_limit", |s| s.rate_limit(SECOND).boxed()),
        ("pace", |s| {
            let speed = Speed::Times(1.0);
            s.pace(|x| Time::from_nanos(*x << 30), speed).boxed()
        }),
        ("debounce", |s| s.debounce(SECOND).boxed()),
        ("session", |s| s.session(SECOND).flatten().boxed()),
        ("buffer behind", |s| s.delay(SECOND).buffer(1).boxed()),
        ("map_async", |s| s.map_async(2, |_| pending()).boxed()),
        ("by_key", |s| {
            s.map_async(9, |_| pending()).by_key(|_| 0).boxed()
        }),
        ("retry", |s| {
            let asked = s.try_map_async(4, |x| async move {
                match x {
                    0 => Fails::Ok(0),
                    _ => Fails::Err("not yet".into()),
                }
            });
            asked.retry(Retry::attempts(9).fixed(SECOND)).boxed()
        }),
        ("flat_map_stream", |s| {
            s.flat_map_stream(2, |_| futures::stream::pending()).boxed()
        }),
        ("switch_map", |s| {
            s.switch_map(|_| futures::stream::pending()).boxed()
        }),
        ("per_key map_async", |s| {
            s.per_key(
                |x| x % 2,
                Keys::max(2),
                |_, flow| flow.map_async(1, |_| pending()),
            )
            .boxed()
        }),
        ("per_key delay", |s| {
            s.per_key(|x| x % 2, Keys::max(1), |_, flow| flow.delay(SECOND))
                .boxed()
        }),
    ];
    for (name, build) in builds {
        for threads in [1, 4] {
            let graph = Graph::new();
            let time = graph.drive_manually();
            let source = graph.source::<u64>();
            let list = build(&source).sink_to_list();
            let receipts: Vec<_> = std::thread::scope(|scope| {
                let emitters: Vec<_> = (0..threads)
                    .map(|n| {
                        let emit = move |x| source_emit(n, x);
                        let source = source.clone();
                        scope.spawn(move || {
                            let tracked = (0..3).map(|x| source.emit_tracked(emit(x)));
                            tracked.filter_map(Result::ok).collect::<Vec<_>>()
                        })
                    })
                    .collect();
                emitters
                    .into_iter()
                    .flat_map(|thread| thread.join().unwrap())
                    .collect()
            });
            time.settle();
            let report = futures::executor::block_on(async {
                let shut = graph.shutdown_within(SECOND / 2);
                let mut shut = std::pin::pin!(shut);
                if let Some(report) = futures::FutureExt::now_or_never(&mut shut) {
                    return report;
                }
                time.advance(SECOND / 2);
                shut.await
            })
            .unwrap();
            let snapshot = &report.snapshot;
            assert_eq!(report.accepted, receipts.len() as u64, "{name}: {report}");
            assert_eq!(report.delivered, list.len() as u64, "{name}: {report}");
            let lost = snapshot.dropped() + snapshot.failed() + snapshot.held();
            assert_eq!(report.accepted, report.delivered + lost, "{name}: {report}");
            let done = receipts.iter().filter(|r| r.outcome() == Some(Ok(())));
            // What a stream is to emit is done when the stream has ended, and its element was replaced.
            if name != "switch_map" {
                assert_eq!(done.count(), list.len(), "{name}");
            }
            assert!(receipts.iter().all(|r| r.outcome().is_some()), "{name}");
            assert_eq!(report.complete, snapshot.held() == 0, "{name}: {report}");
            // Who asks later learns the same.
            let later = graph.snapshot().unwrap();
            assert_eq!(later.held(), snapshot.held(), "{name}: {later}");
            assert_eq!(later.dropped(), snapshot.dropped(), "{name}: {later}");
        }
    }
}

/// Different for each thread.
fn source_emit(thread: u64, x: u64) -> u64 {
    thread * 3 + x
}

#[test]
fn closures_of_a_keys_run_may_emit_into_the_graph_that_runs_them() {
    let graph = Graph::new();
    let source = graph.source::<u64>();
    let back = source.downgrade();
    let list = source
        .per_key(
            |x| x % 4,
            Keys::max(4),
            move |key, flow| {
                // While the run is built, and in it.
                let back = back.clone();
                if *key == 3 {
                    back.emit(100).unwrap();
                }
                flow.inspect(move |x| {
                    if *x < 8 {
                        back.emit(x + 4).unwrap();
                    }
                })
            },
        )
        .sink_to_list();
    assert_eq!(source.emit_all(0..4).unwrap(), 4);
    let mut all = list.take();
    // In the order in which they were emitted: those from inside behind the batch.
    assert_eq!(all[..4], [0, 1, 2, 3]);
    assert_eq!(all[4..], [4, 5, 6, 100, 7, 8, 9, 10, 11]);
    all.sort_unstable();
    assert_eq!(all.len(), 13);
    assert!(graph.close().unwrap().complete);
}

#[test]
fn a_flush_may_be_called_by_the_sink_that_it_feeds_and_from_four_threads() {
    watched(|| {
        let source = Source::<u64>::new();
        let (flow, flush) = source.collect();
        let (own, seen) = (
            flush.clone(),
            std::sync::Arc::new(std::sync::Mutex::new(Vec::new())),
        );
        let (log, back) = (seen.clone(), source.downgrade());
        flow.sink(move |all: Vec<u64>| {
            if all.len() == 1 && all[0] < 50 {
                // What comes from inside is collected after this, and flushed then.
                let _ = back.emit(all[0] + 10);
                own.flush();
            }
            log.lock().unwrap().push(all);
        });
        source.emit(1).unwrap();
        flush.flush();
        let first = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(first, [[1], [11], [21], [31], [41], [51]]);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (source, flush) = (source.clone(), flush.clone());
                scope.spawn(move || {
                    for x in 0..250 {
                        source.emit(1_000 + thread * 250 + x).unwrap();
                        flush.flush();
                    }
                });
            }
        });
        assert!(source.graph().close().unwrap().complete);
        let mut all: Vec<u64> = seen.lock().unwrap().iter().flatten().copied().collect();
        all.retain(|x| (1_000..2_000).contains(x));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 1_000);
    });
}
