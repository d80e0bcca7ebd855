//! Whatever holds elements in front is let go, and its origins go on.

use std::future::pending;
use std::sync::{Arc, Mutex};

use headwater::prelude::*;
use headwater::{BoxFlow, Lost, Retry};

use super::SECOND;
use crate::cuts::nodes;

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
