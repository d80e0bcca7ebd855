//! Flows that have had enough before they are closed.

mod cuts;

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cuts::{emit_in, nodes};
use headwater::prelude::*;
use headwater::{BoxFlow, Lost, Retry, union, zip};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

// ---- what passes, against the operators of `Iterator` ----

type Cut = (
    &'static str,
    fn(BoxFlow<u64>, u64) -> BoxFlow<u64>,
    fn(Vec<u64>, u64) -> Vec<u64>,
);

const CUTS: [Cut; 8] = [
    (
        "take",
        |f, n| f.take(n).boxed(),
        |v, n| v.into_iter().take(n as usize).collect(),
    ),
    (
        "skip",
        |f, n| f.skip(n).boxed(),
        |v, n| v.into_iter().skip(n as usize).collect(),
    ),
    (
        "step_by",
        |f, n| f.step_by(n + 1).boxed(),
        |v, n| v.into_iter().step_by(n as usize + 1).collect(),
    ),
    (
        "take_while",
        |f, n| f.take_while(move |x| x % 17 != n).boxed(),
        |v, n| v.into_iter().take_while(|x| x % 17 != n).collect(),
    ),
    (
        "skip_while",
        |f, n| f.skip_while(move |x| x % 17 != n).boxed(),
        |v, n| v.into_iter().skip_while(|x| x % 17 != n).collect(),
    ),
    (
        "slice",
        |f, n| f.slice(n..2 * n).boxed(),
        |v, n| v.into_iter().skip(n as usize).take(n as usize).collect(),
    ),
    (
        "slice from",
        |f, n| f.slice(n..).step(n / 2 + 1).boxed(),
        |v, n| {
            v.into_iter()
                .skip(n as usize)
                .step_by(n as usize / 2 + 1)
                .collect()
        },
    ),
    (
        "slice through",
        |f, n| f.slice(2..=3 * n).step(n + 1).boxed(),
        |v, n| {
            let stretch = v.into_iter().take(3 * n as usize + 1).skip(2);
            stretch.step_by(n as usize + 1).collect()
        },
    ),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn cuts_let_pass_what_those_of_iterator_do_however_elements_come(
        items in prop::collection::vec(0..1000u64, 0..60),
        n in 0..20u64,
        cut in 0..CUTS.len(),
        then in 0..CUTS.len(),
        sizes in prop::collection::vec(0..20usize, 1..5),
        close in any::<bool>(),
    ) {
        let (name, first, naive_first) = CUTS[cut];
        let (_, second, naive_second) = CUTS[then];
        let graph = Graph::new();
        let source = graph.source::<u64>();
        // A run that ends in a closure loops at its head, others pass batches on.
        let fused = Arc::new(Mutex::new(Vec::new()));
        let slot = fused.clone();
        let before = Arc::new(AtomicUsize::new(0));
        let count = before.clone();
        let counted = source.inspect(move |_| { count.fetch_add(1, Ordering::Relaxed); }).boxed();
        first(counted, n).sink(move |x| slot.lock().unwrap().push(x));
        let list = first(source.into_run().boxed(), n).share().sink_to_list();
        let both = second(first(source.map(|x| x).boxed(), n).map(|x| x).boxed(), n).sink_to_list();
        let sums = first(source.into_run().boxed(), n).partition(3).sink_to_list();
        emit_in(&source, &items, &sizes);
        if close {
            source.close();
        }
        let expected = naive_first(items.clone(), n);
        prop_assert_eq!(&*fused.lock().unwrap(), &expected, "{}", name);
        prop_assert_eq!(list.take(), expected.clone(), "{}", name);
        prop_assert_eq!(both.take(), naive_second(expected.clone(), n));
        let mut groups: Vec<_> = expected.chunks(3).map(<[u64]>::to_vec).collect();
        let snapshot = graph.snapshot().unwrap();
        let ended = snapshot.named("partition").is_none_or(|n| n.counts.held == 0);
        if !ended {
            groups.pop();
        }
        prop_assert_eq!(sums.take(), groups, "{} {:?}", name, ended);
        prop_assert_eq!(snapshot.dropped(), 0);
        // In front, nothing beyond the end is seen where the end is known.
        if name == "take" {
            prop_assert_eq!(before.load(Ordering::Relaxed), items.len().min(n as usize));
        }
        if close {
            prop_assert!(graph.close().unwrap().complete);
        }
    }

    #[test]
    fn what_is_tracked_is_done_once_it_was_delivered_or_cut_off(
        count in 0..40u64,
        n in 0..20u64,
        cut in 0..CUTS.len(),
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u64>();
        let (_, operator, _) = CUTS[cut];
        let list = operator(source.buffer(64).boxed(), n).buffer(64).sink_to_list();
        let receipts: Vec<_> = (0..count).map(|x| source.emit_tracked(x).unwrap()).collect();
        time.settle();
        for receipt in receipts {
            prop_assert_eq!(receipt.outcome(), Some(Ok(())));
        }
        drop(list);
    }
}

// ---- what is let go ----

#[test]
fn with_its_last_element_a_flow_closes_what_is_below() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let groups = source.take(3).partition(2).sink_to_list();
    let windows = source.take(3).timed_window(SECOND).sink_to_list();
    let last = source.take(3).buffer(10).rolling(2, Sum).sink_to_list();
    source.emit_all([1, 2]).unwrap();
    assert_eq!(groups.take(), [[1, 2]]);
    assert!(windows.is_empty());
    source.emit(3).unwrap();
    assert_eq!(groups.take(), [[3]]);
    assert_eq!(windows.take(), [[1, 2, 3]]);
    time.settle();
    assert_eq!(last.take(), [1, 3, 5]);
    assert_eq!(nodes(&graph), ["source"], "all ends have closed");
    assert!(!source.is_closed());
    source.emit(4).unwrap();
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
}

#[test]
fn what_closures_captured_goes_with_the_end() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let captured = Arc::new(());
    let (a, b, c) = (captured.clone(), captured.clone(), captured.clone());
    source
        .map(move |x| drop((a.clone(), x)))
        .take(2)
        .map(move |()| drop(b.clone()))
        .sink(move |()| drop(c.clone()));
    source.emit(1).unwrap();
    assert_eq!(Arc::strong_count(&captured), 4);
    source.emit(2).unwrap();
    assert_eq!(Arc::strong_count(&captured), 1);
}

#[test]
fn siblings_go_on_and_no_element_is_missed_by_those_that_come_later() {
    let source = Source::<u32>::new();
    let all = source.sink_to_list();
    let firsts: Vec<_> = (0..5).map(|n| source.take(n).sink_to_list()).collect();
    source.emit_all(0..3).unwrap();
    let late = source.take(2).sink_to_list();
    source.emit_all(3..10).unwrap();
    assert_eq!(all.take(), (0..10).collect::<Vec<_>>());
    for (n, list) in (0..).zip(firsts) {
        assert_eq!(list.take(), (0..n).collect::<Vec<_>>());
    }
    assert_eq!(late.take(), [3, 4]);
}

#[test]
fn an_iterator_without_end_is_pumped_no_further_than_it_must() {
    for wide in [false, true] {
        let graph = Graph::new();
        let drawn = Arc::new(AtomicUsize::new(0));
        let count = drawn.clone();
        let numbers = (0..).inspect(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let flow = graph.from_iter(numbers).map(|x| x + 1).take(5);
        let list = match wide {
            false => flow.sink_to_list(),
            true => flow.share().sink_to_list(),
        };
        graph.run().unwrap();
        assert_eq!(list.take(), [1, 2, 3, 4, 5]);
        assert_eq!(drawn.load(Ordering::Relaxed), 5);
        let report = graph.close().unwrap();
        assert_eq!((report.accepted, report.delivered), (5, 5));
    }
}

#[test]
fn a_driver_finishes_once_the_only_flow_has_had_enough() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let list = graph
        .from_iter(0..)
        .buffer(4)
        .filter(|x| x % 2 == 0)
        .take(3)
        .sink_to_list();
    driver.join().unwrap();
    assert_eq!(list.take(), [0, 2, 4]);
    assert!(nodes(&graph).is_empty());
}

#[test]
fn a_stream_is_dropped_with_the_end() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let graph = Graph::new();
    let time = graph.drive_manually();
    let dropped = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = futures::channel::mpsc::unbounded::<u32>();
    let guard = Dropped(dropped.clone());
    let stream = futures::StreamExt::map(receiver, move |x| (&guard, x).1);
    let list = graph.from_stream(stream).take(2).sink_to_list();
    sender.unbounded_send(1).unwrap();
    time.settle();
    assert!(!dropped.load(Ordering::Relaxed));
    sender.unbounded_send(2).unwrap();
    sender.unbounded_send(3).unwrap();
    time.settle();
    assert!(dropped.load(Ordering::Relaxed));
    assert!(sender.unbounded_send(4).is_err(), "nobody listens");
    assert_eq!(list.take(), [1, 2]);
}

#[test]
fn what_was_pumped_is_acknowledged_after_the_end_too() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let acked = Arc::new(Mutex::new(Vec::new()));
    let slot = acked.clone();
    let items = futures::stream::iter((0..).map(|x| (x, x)));
    let flow = graph.from_acked_stream(items, move |x, outcome| {
        slot.lock().unwrap().push((x, outcome));
    });
    let (go, gate) = futures::channel::oneshot::channel::<()>();
    let gate = futures::FutureExt::shared(gate);
    let list = flow
        .buffer(4)
        .take(2)
        .map_async(2, move |x| {
            let gate = gate.clone();
            async move {
                let _ = gate.await;
                x
            }
        })
        .sink_to_list();
    time.settle();
    let beyond = acked.lock().unwrap().clone();
    assert!(
        beyond
            .iter()
            .all(|(x, outcome)| *x >= 2 && *outcome == Ok(())),
        "{beyond:?}"
    );
    go.send(()).unwrap();
    time.settle();
    assert_eq!(list.take(), [0, 1]);
    let mut all = acked.lock().unwrap().clone();
    all.sort_by_key(|(x, _)| *x);
    assert!(
        all.len() >= 2
            && (0..)
                .zip(&all)
                .all(|(i, (x, outcome))| i == *x && *outcome == Ok(()))
    );
    assert!(nodes(&graph).is_empty(), "{:?}", nodes(&graph));
}

#[test]
fn a_holder_in_front_is_let_go_and_its_elements_are_done() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.buffer(3).take(1).sink_to_list();
    let receipts: Vec<_> = (0..3).map(|x| source.emit_tracked(x).unwrap()).collect();
    assert!(source.emit(3).unwrap_err().is_full());
    time.settle();
    assert_eq!(list.take(), [0]);
    assert!(receipts.iter().all(|r| r.outcome() == Some(Ok(()))));
    source.emit(4).unwrap();
    let snapshot = graph.snapshot().unwrap();
    assert_eq!((snapshot.held(), snapshot.dropped()), (0, 0));
    assert_eq!(
        (snapshot.gone.nodes, snapshot.gone.delivered),
        (3, 1),
        "the counts stay: of the buffer, of what has had enough, and of the end"
    );
}

type Holder = (&'static str, fn(BoxFlow<u64>, &Source<u64>) -> BoxFlow<u64>);

/// All that may hold something when it is let go.
const HOLDERS: [Holder; 22] = [
    ("buffer", |f, _| f.buffer(3).boxed()),
    ("delay", |f, _| f.delay(SECOND).boxed()),
    ("rate_limit", |f, _| f.rate_limit(SECOND).boxed()),
    ("throttle", |f, _| f.throttle(SECOND).boxed()),
    ("debounce", |f, _| f.debounce(SECOND).boxed()),
    ("sample", |f, _| f.sample(SECOND).boxed()),
    ("latest", |f, _| f.latest().buffer(3).boxed()),
    ("conflate", |f, _| {
        f.conflate(|sum, x| *sum = sum.wrapping_add(x))
            .delay(SECOND)
            .boxed()
    }),
    ("on_idle", |f, _| f.on_idle(SECOND, || 7).boxed()),
    ("session", |f, _| {
        f.session(SECOND).map(|all| all[0]).boxed()
    }),
    ("timed_window", |f, _| {
        f.timed_window(SECOND).map(|_| 0).boxed()
    }),
    ("partition_aged", |f, _| {
        f.partition(9).max_age(SECOND).map(|all| all[0]).boxed()
    }),
    ("map_async", |f, _| f.map_async(2, |_| pending()).boxed()),
    ("map_async().unordered()", |f, _| {
        f.map_async(2, |_| pending()).unordered().boxed()
    }),
    ("try_map_async().retry()", |f, _| {
        let fails = |_| async { Err::<u64, _>("not yet".into()) };
        let often = Retry::attempts(9).fixed(SECOND);
        f.try_map_async(2, fails).retry(often).boxed()
    }),
    ("map_async().by_key()", |f, _| {
        f.map_async(2, |_| pending()).by_key(|x| x % 2).boxed()
    }),
    ("switch_map", |f, _| {
        f.switch_map(|_| futures::stream::pending()).boxed()
    }),
    ("flat_map_stream", |f, _| {
        f.flat_map_stream(2, |_| futures::stream::pending()).boxed()
    }),
    ("zip", |f, other| f.zip(other).map(|(x, _)| x).boxed()),
    ("zip_latest", |f, other| {
        f.zip_latest(other).map(|(x, _)| x).boxed()
    }),
    ("chain", |f, other| other.chain(f).boxed()),
    ("with_latest", |f, other| {
        other.delay(SECOND).with_latest(f, 0, |x, y| x + y).boxed()
    }),
];

#[test]
fn whatever_holds_in_front_is_let_go_and_its_elements_are_done() {
    for (name, holder) in HOLDERS {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let (source, other) = (graph.source::<u64>(), graph.source::<u64>());
        let stop = graph.source::<()>();
        let captured = Arc::new(());
        let guard = captured.clone();
        let flow = source.map(move |x| x * Arc::strong_count(&guard).min(1) as u64);
        let list = holder(flow.boxed(), &other)
            .take_until(&stop)
            .sink_to_list();
        let mut receipts = Vec::new();
        for x in 0..2_000 {
            match source.emit_tracked(x) {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => {
                    assert!(error.is_full(), "{name}: {error}");
                    break;
                }
            }
        }
        let passed = list.len();
        stop.emit(()).unwrap();
        time.settle();
        // What was superseded before is lost; all that was held is done.
        for receipt in &receipts {
            let outcome = receipt.outcome();
            assert!(
                matches!(outcome, Some(Ok(()) | Err(Lost::Discarded))),
                "{name}: {outcome:?}"
            );
        }
        // `throttle` holds nothing: it drops.
        let done = receipts.iter().any(|r| r.outcome() == Some(Ok(())));
        assert!(done, "{name}");
        assert_eq!(nodes(&graph), ["source"; 3], "{name}");
        assert_eq!(Arc::strong_count(&captured), 1, "{name}");
        // Nobody waits for it, and nothing of it happens later.
        source.emit(1).unwrap();
        other.emit(1).unwrap();
        time.advance(100 * SECOND);
        assert_eq!(list.len(), passed, "{name}");
        let snapshot = graph.snapshot().unwrap();
        assert_eq!((snapshot.held(), snapshot.waits.len()), (0, 0), "{name}");
        assert!(graph.close().unwrap().complete, "{name}");
    }
}

#[test]
fn blocking_work_under_way_is_let_go() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let (source, stop) = (graph.source::<u64>(), graph.source::<()>());
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let wait = move |x| {
        let _ = gate.lock().unwrap().recv();
        x
    };
    let list = source
        .map_blocking(2, wait)
        .take_until(&stop)
        .sink_to_list();
    let receipts: Vec<_> = (0..2).map(|x| source.emit_tracked(x).unwrap()).collect();
    stop.emit(()).unwrap();
    drop(open);
    for receipt in receipts {
        assert_eq!(futures::executor::block_on(receipt), Ok(()));
    }
    assert_eq!(nodes(&graph), ["source"; 2]);
    assert!(list.is_empty());
    assert!(graph.close().unwrap().complete);
    driver.join().unwrap();
}

#[test]
fn a_moved_branch_is_let_go_where_it_hangs() {
    let graph = Graph::new();
    let (old, new) = (graph.source::<u32>(), graph.source::<u32>());
    let list = old.buffer(9).map(|x| x).take(2).sink_to_list();
    let time = graph.drive_manually();
    old.emit(1).unwrap();
    list.branch().move_to(&new).unwrap();
    old.emit(2).unwrap();
    new.emit_all([3, 4]).unwrap();
    time.settle();
    assert_eq!(list.take(), [1, 3]);
    assert!(!list.branch().is_connected());
    assert_eq!(nodes(&graph), ["source"; 2]);
    let sated = new.emit_tracked(5).unwrap();
    assert_eq!(sated.outcome(), Some(Ok(())), "it has had enough");
    let unheard = old.emit_tracked(5).unwrap();
    assert_eq!(unheard.outcome(), Some(Err(Lost::Discarded)));
}

#[test]
fn a_branch_that_moves_as_it_has_had_enough_is_let_go_all_the_same() {
    let graph = Graph::new();
    let (old, new) = (graph.source::<u32>(), graph.source::<u32>());
    let branch = Arc::new(Mutex::new(None::<headwater::Branch>));
    let (moving, to) = (branch.clone(), new.clone());
    let list = old
        .inspect(move |_| {
            // Queued: the branch has had enough by then.
            moving
                .lock()
                .unwrap()
                .as_ref()
                .unwrap()
                .move_to(&to)
                .unwrap();
        })
        .take(1)
        .sink_to_list();
    *branch.lock().unwrap() = Some(list.branch().clone());
    old.emit(1).unwrap();
    new.emit(2).unwrap();
    assert_eq!(list.take(), [1]);
    assert_eq!(nodes(&graph), ["source"; 2]);
    assert!(graph.close().unwrap().complete);
}

#[test]
fn a_shared_node_that_nobody_can_see_goes_with_its_last_branch() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let shared = source.map(|x| x + 1).share();
    let (one, two) = (shared.take(1).sink_to_list(), shared.take(2).sink_to_list());
    drop(shared);
    source.emit(1).unwrap();
    assert_eq!(nodes(&graph).len(), 5, "{:?}", nodes(&graph));
    source.emit(2).unwrap();
    assert_eq!((one.take(), two.take()), (vec![2], vec![2, 3]));
    assert_eq!(nodes(&graph), ["source"]);
    let receipt = source.emit_tracked(3).unwrap();
    assert_eq!(receipt.outcome(), Some(Ok(())), "all have had enough");
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
}

#[test]
fn an_origin_that_waited_for_what_is_let_go_goes_on() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let list = source.buffer(1).take(10).sink_to_list();
    for x in 0..1000 {
        source.blocking_send(x).unwrap();
    }
    drop(source);
    driver.join().unwrap();
    assert!(list.take().into_iter().eq(0..10));
}

#[test]
fn every_kind_of_holder_in_front_lets_its_origin_go_on() {
    type Holder = (&'static str, fn(&Graph, &Source<u32>) -> BoxFlow<u32>);
    const HOLDERS: [Holder; 7] = [
        ("buffer", |_, s| s.buffer(4).boxed()),
        ("map_async", |_, s| {
            s.map_async(
                4,
                |x| async move { if x == 0 { x } else { pending().await } },
            )
            .boxed()
        }),
        ("timed_window", |_, s| {
            s.timed_window(SECOND).max_len(4).flatten().boxed()
        }),
        ("zip", |_, s| {
            s.buffer(2)
                .zip(s.filter(|x| x % 8 == 0))
                .capacity(4)
                .map(|(a, _)| a)
                .boxed()
        }),
        ("combine_latest", |_, s| {
            s.buffer(2).combine_latest(s).map(|(a, _)| a).boxed()
        }),
        ("partition", |_, s| {
            s.buffer(4).partition(2).max_age(SECOND).flatten().boxed()
        }),
        ("sliding_window", |_, s| {
            s.sliding_window(2).map(|w| w[0]).buffer(4).boxed()
        }),
    ];
    for (name, holder) in HOLDERS {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let list = holder(&graph, &source).take(1).sink_to_list();
        let mut receipts = Vec::new();
        for x in 0..100 {
            if let Ok(receipt) = source.emit_tracked(x) {
                receipts.push(receipt);
            }
        }
        for _ in 0..3 {
            time.advance(SECOND);
        }
        assert_eq!(list.take(), [0], "{name}");
        for x in 0..100 {
            source.emit(x).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        for receipt in receipts {
            // What these joins say of an element without a mate, or without use, is as ever.
            let expected = match (name, receipt.outcome()) {
                ("zip", Some(Err(Lost::Failed))) => true,
                ("combine_latest", Some(Err(Lost::Discarded))) => true,
                (_, outcome) => outcome == Some(Ok(())),
            };
            assert!(expected, "{name} {:?}", receipt.outcome());
        }
        assert_eq!(nodes(&graph), ["source"], "{name}");
        assert_eq!(graph.snapshot().unwrap().held(), 0, "{name}");
    }
}

#[test]
fn a_graph_captured_by_what_is_let_go_loses_what_it_holds() {
    let inner = Graph::new();
    let _ = inner.drive_manually();
    let (list, receipt) = {
        let time = inner.drive_manually();
        let source = inner.source::<u32>();
        let list = source.buffer(4).sink_to_list();
        let receipt = source.emit_tracked(1).unwrap();
        drop((time, source));
        (list, receipt)
    };
    drop(list);
    let outer = Source::<u32>::new();
    outer.map(move |x| (&inner, x).1).take(1).sink(drop);
    assert_eq!(receipt.outcome(), None);
    outer.emit(1).unwrap();
    assert_eq!(
        receipt.outcome(),
        Some(Err(Lost::TornDown)),
        "torn down, and not by wish"
    );
}

#[test]
fn take_nothing_closes_when_it_is_connected() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let captured = Arc::new(());
    let (a, b) = (captured.clone(), captured.clone());
    let flow = source.inspect(move |_| drop(a.clone())).take(0);
    flow.accumulate(0, |sum, x| sum + x)
        .sink(move |_| drop(b.clone()));
    assert_eq!(Arc::strong_count(&captured), 1);
    assert_eq!(nodes(&graph), ["source"]);
    source.slice(5..5).sink(drop);
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "that it is empty is the point"
    )]
    source.slice(5..2).sink(drop);
    assert_eq!(nodes(&graph), ["source"]);
    let pairs = source.zip(source.take(0)).sink_to_list();
    source.emit(1).unwrap();
    assert!(pairs.is_empty());
    // Nothing in front of it ever begins.
    let pumped = Graph::new();
    let list = pumped
        .from_iter((0..).inspect(|_| panic!("not asked")))
        .take(0)
        .sink_to_list();
    pumped.run().unwrap();
    assert!(list.is_empty());
    let shared = source.take(0).share();
    let late = shared.sink_to_list();
    source.emit(2).unwrap();
    assert!(late.is_empty());
    assert!(graph.close().unwrap().complete);
}

#[test]
fn take_nothing_may_be_connected_by_a_closure() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let inner = source.downgrade();
    let other = graph.source::<u32>();
    let late = other.clone();
    source.take(2).sink(move |_| {
        late.take(0).sink(drop);
        late.take(1).sink(drop);
        let _ = inner.emit(7);
    });
    source.emit(1).unwrap();
    // Each of the two elements connected both.
    assert_eq!(
        nodes(&graph),
        ["source", "source", "sink", "take", "sink", "take"]
    );
}

#[test]
fn a_join_closes_as_if_the_input_were_closed_from_above() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let pairs = a.take(2).zip(&b).partition(5).sink_to_list();
    let merged = a.take(1).union(b.take(1)).partition(5).sink_to_list();
    let latest = a
        .take(1)
        .combine_latest(b.take(2))
        .partition(5)
        .sink_to_list();
    a.emit_all([1, 2, 3]).unwrap();
    b.emit(10).unwrap();
    assert!(pairs.is_empty());
    assert_eq!(merged.take(), [[1, 10]]);
    b.emit(20).unwrap();
    assert_eq!(pairs.take(), [[(1, 10), (2, 20)]]);
    assert_eq!(latest.take(), [[(1, 10), (1, 20)]]);
}

#[test]
fn everything_in_front_of_a_join_is_let_go_with_it() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = zip((&a, b.map(|x| x + 1), a.skip(1)))
        .take(1)
        .sink_to_list();
    let merged = union((&a, &b, b.take(7))).take(3).sink_to_list();
    let receipts = [a.emit_tracked(1).unwrap(), a.emit_tracked(2).unwrap()];
    b.emit(10).unwrap();
    assert_eq!(rows.take(), [(1, 11, 2)]);
    assert_eq!(merged.take(), [1, 2, 10]);
    assert_eq!(nodes(&graph), ["source", "source"]);
    assert!(receipts.iter().all(|r| r.outcome() == Some(Ok(()))));
    a.emit_all(0..10_000).unwrap();
    b.emit_all(0..10_000).unwrap();
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
}

#[test]
fn takes_within_takes_end_in_any_order() {
    for (outer, inner) in [(1, 3), (2, 2), (3, 1), (5, 4)] {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let straight = source.take(inner).take(outer).sink_to_list();
        let held = source
            .take(inner)
            .buffer(2)
            .take(outer)
            .buffer(2)
            .sink_to_list();
        let joined = source
            .take(inner)
            .zip(source.take(outer))
            .take(1)
            .sink_to_list();
        for x in 0..10 {
            source.emit(x).unwrap();
            time.settle();
        }
        let n = inner.min(outer) as u32;
        assert_eq!(straight.take(), (0..n).collect::<Vec<_>>());
        assert_eq!(held.take(), (0..n).collect::<Vec<_>>());
        assert_eq!(joined.take(), [(0, 0)]);
        assert_eq!(nodes(&graph), ["source"]);
        assert!(graph.close().unwrap().complete);
    }
}

#[test]
fn failures_and_empty_places_pass_and_do_not_count() {
    let graph = Graph::new();
    graph.on_error(headwater::OnError::call(|_| {}));
    let source = graph.source::<i32>();
    let fit = |x: i32| if x < 0 { Err("negative".into()) } else { Ok(x) };
    let taken = source
        .try_map(fit)
        .take(2)
        .catch(|_| Some(-1))
        .sink_to_list();
    let skipped = source
        .try_map(fit)
        .skip(2)
        .catch(|_| Some(-1))
        .sink_to_list();
    let stepped = source
        .try_map(fit)
        .step_by(2)
        .catch(|_| Some(-1))
        .sink_to_list();
    let shared = source.try_map(fit).share();
    // An empty place drops its mate in a zip.
    let zipped = shared.take(2).zip(source.map(|x| 10 * x)).sink_to_list();
    for x in [-5, 1, -6, 2, -7, 3] {
        let _ = source.emit(x);
    }
    assert_eq!(taken.take(), [-1, 1, -1, 2]);
    assert_eq!(skipped.take(), [-1, -1, -1, 3]);
    assert_eq!(stepped.take(), [-1, 1, -1, -1, 3]);
    assert_eq!(zipped.take(), [(1, 10), (2, 20)]);
}

#[test]
fn a_failure_beyond_the_end_is_nobodys() {
    let source = Source::<i32>::new();
    let list = source
        .try_map(|x| if x < 0 { Err("negative".into()) } else { Ok(x) })
        .take_while(|x| *x < 10)
        .sink_to_list();
    // The rest of the batch passes the closure in front, and ends there.
    assert_eq!(source.emit_all([1, 2, 30, -1, 3]).unwrap(), 5);
    assert_eq!(list.take(), [1, 2]);
    source.emit(-1).unwrap();
}

#[test]
fn a_sink_that_feeds_its_own_source_may_reach_the_end() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let back = source.downgrade();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slot = seen.clone();
    source.take(5).sink(move |x| {
        slot.lock().unwrap().push(x);
        let _ = back.emit(x + 1);
    });
    source.emit(0).unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(nodes(&graph), ["source"]);
}

#[test]
fn a_guard_that_emits_many_sees_the_end_at_once() {
    let source = Source::<u32>::new();
    let captured = Arc::new(AtomicUsize::new(0));
    let seen = captured.clone();
    let list = source
        .inspect(move |_| {
            seen.fetch_add(1, Ordering::Relaxed);
        })
        .take(2)
        .sink_to_list();
    let mut guard = source.lock();
    (0..10).for_each(|x| guard.emit(x).unwrap());
    drop(guard);
    assert_eq!(list.take(), [0, 1]);
    assert_eq!(captured.load(Ordering::Relaxed), 2);
    assert_eq!(Arc::strong_count(&captured), 1);
}

#[test]
fn deadlines_of_what_is_let_go_are_forgotten() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .timed_window(1000 * SECOND)
        .max_len(2)
        .take(1)
        .sink_to_list();
    source.emit_all([1, 2, 3]).unwrap();
    assert_eq!(list.take(), [[1, 2]]);
    assert!(graph.close().unwrap().complete);
    assert!(
        time.now() < Time::from_millis(1000),
        "no deadline stood in the way: {:?}",
        time.now()
    );
}

#[test]
fn what_has_gone_is_counted_in_a_total() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    for n in 1..=4 {
        source
            .partition(2)
            .take(n)
            .named("enough")
            .sink(drop)
            .named("last");
    }
    source.emit_all(0..100).unwrap();
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(
        (snapshot.gone.nodes, snapshot.gone.delivered),
        (4 * 3, 1 + 2 + 3 + 4)
    );
    assert_eq!(nodes(&graph), ["source"]);
    let report = graph.close().unwrap();
    assert_eq!((report.accepted, report.delivered), (100, 10));
}

#[test]
fn a_disconnected_branch_stays_in_the_counts() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let branch = source.partition(2).sink(drop).named("gone");
    source.emit_all(0..5).unwrap();
    branch.disconnect();
    assert_eq!(nodes(&graph), ["source"]);
    let snapshot = graph.snapshot().unwrap();
    assert_eq!((snapshot.gone.nodes, snapshot.gone.delivered), (2, 3));
    assert_eq!(graph.close().unwrap().delivered, 3);
}

#[test]
fn a_shared_node_behind_the_end_tells_whoever_comes_late() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let shared = source.take(2).buffer(4).share();
    let early = shared.partition(5).sink_to_list();
    source.emit_all(0..5).unwrap();
    time.settle();
    assert_eq!(early.take(), [[0, 1]]);
    let late = shared.partition(5).sink_to_list();
    source.emit(9).unwrap();
    time.settle();
    assert!(late.is_empty());
    assert!(graph.close().unwrap().complete);
}

#[test]
fn nobody_is_unheard_who_was_heard_out() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    source.take(1).sink(drop);
    let [first, second] = [1, 2].map(|x| source.emit_tracked(x).unwrap());
    assert_eq!(
        (first.outcome(), second.outcome()),
        (Some(Ok(())), Some(Ok(())))
    );
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
    // A branch that was disconnected is another matter.
    let branch = source.sink(drop);
    branch.disconnect();
    let third = source.emit_tracked(3).unwrap();
    assert_eq!(third.outcome(), Some(Err(Lost::Discarded)));
    assert_eq!(graph.snapshot().unwrap().dropped(), 1);
}

#[test]
#[should_panic(expected = "step by at least 1 element")]
fn stepping_by_nothing_is_refused() {
    let _ = Source::<u32>::new().step_by(0);
}

#[test]
#[should_panic(expected = "step by at least 1 element")]
fn a_slice_steps_by_something() {
    let _ = Source::<u32>::new().slice(..).step(0);
}

#[test]
fn a_stream_out_of_the_graph_ends_with_the_flow() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let stream = source.take(3).into_stream(2);
    let driver = graph.spawn_thread();
    let emitter = std::thread::spawn({
        let source = source.clone();
        move || (0..10).for_each(|x| source.blocking_send(x).unwrap())
    });
    let all: Vec<_> = futures::executor::block_on(futures::StreamExt::collect(stream));
    assert_eq!(all, [0, 1, 2]);
    emitter.join().unwrap();
    drop(source);
    driver.join().unwrap();
    assert!(!nodes(&graph).contains(&"take".to_owned()));
}

#[test]
fn a_branch_may_be_disconnected_when_it_has_ended_or_is_about_to() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let ended = source.take(1).sink(drop);
    let slot = Arc::new(Mutex::new(None::<headwater::Branch>));
    let own = slot.clone();
    let ending = source.take(1).sink(move |_| {
        if let Some(branch) = own.lock().unwrap().take() {
            branch.disconnect();
        }
    });
    *slot.lock().unwrap() = Some(ending);
    source.emit(1).unwrap();
    ended.disconnect();
    assert_eq!(nodes(&graph), ["source"]);
    source.emit(2).unwrap();
    assert!(graph.close().unwrap().complete);
}

#[test]
fn branches_come_and_go_while_many_threads_emit() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u64>();
    let done = Arc::new(AtomicBool::new(false));
    let emitters: Vec<_> = (0..3)
        .map(|thread| {
            let (source, done) = (source.clone(), done.clone());
            std::thread::spawn(move || {
                let mut x = thread;
                while !done.load(Ordering::Relaxed) {
                    source.blocking_send(x).unwrap();
                    x += 3;
                }
            })
        })
        .collect();
    for round in 0..200 {
        let lists: Vec<_> = (0..3)
            .map(|which| match which {
                0 => source.take(5).sink_to_list(),
                1 => source.buffer(2).take(5).sink_to_list(),
                _ => source
                    .buffer(2)
                    .zip(&source)
                    .map(|(x, _)| x)
                    .take(5)
                    .sink_to_list(),
            })
            .collect();
        while lists.iter().any(|list| list.len() < 5) {
            std::thread::yield_now();
        }
        for list in lists {
            let mut list = list.take();
            assert_eq!(list.len(), 5, "{round}");
            // Of each thread, in order and without a gap.
            list.sort_by_key(|x| (x % 3, *x));
            let gapless = list
                .windows(2)
                .all(|w| w[0] % 3 != w[1] % 3 || w[0] + 3 == w[1]);
            assert!(gapless, "{list:?}");
        }
    }
    done.store(true, Ordering::Relaxed);
    emitters
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    drop(source);
    driver.join().unwrap();
    assert!(
        nodes(&graph).is_empty(),
        "the source went with its last handle"
    );
}

#[test]
fn very_many_branches_may_have_enough_at_once() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    for _ in 0..20_000 {
        source.take(1).sink(drop);
    }
    source.emit(1).unwrap();
    assert_eq!(nodes(&graph), ["source"]);
}
