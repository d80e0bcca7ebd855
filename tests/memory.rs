//! A stalled sink does not make a graph grow: ten million emits, refused or accepted, through each
//! holding operator.

mod resident;

use std::future::pending;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{EmitError, Manual, OnFull, combine_latest, zip};
use resident::resident;

const FIRST: u64 = 100_000;
const ALL: u64 = 10_000_000;
/// Enough for what is slow and holds no more than what ten million are tried at.
const MANY: u64 = 1_000_000;
const MIB: usize = 1 << 20;

/// How many of ten million were accepted, while memory stayed within 1 MiB of what it was after the
/// first hundred thousand.
fn stays_flat(what: &str, emit: impl FnMut(u64) -> bool) -> u64 {
    stays_flat_for(ALL, what, emit)
}

/// As [`stays_flat`], for `all` elements.
fn stays_flat_for(all: u64, what: &str, mut emit: impl FnMut(u64) -> bool) -> u64 {
    let mut count = |range: std::ops::Range<u64>| range.filter(|x| emit(*x)).count() as u64;
    let began = std::time::Instant::now();
    let first = count(0..FIRST);
    let before = resident();
    let rest = count(FIRST..all);
    let grown = resident().saturating_sub(before);
    eprintln!("{what}: {} KiB, {:.1?}", grown >> 10, began.elapsed());
    assert!(grown <= MIB, "{what} grew by {grown} bytes");
    first + rest
}

/// A graph whose time stands still, and a source of it.
fn stalled() -> (Graph, Manual, Source<u64>) {
    let graph = Graph::new();
    // A failure of each of ten million elements is not for the log.
    graph.on_error(headwater::OnError::call(|_| {}));
    let time = graph.drive_manually();
    let source = graph.source();
    (graph, time, source)
}

/// Whether the element was accepted; else it must have been given back since somebody is full.
fn accepted(outcome: Result<(), EmitError<u64>>) -> bool {
    match outcome {
        Ok(()) | Err(EmitError::Failed(_)) => true,
        Err(EmitError::Full(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

/// Ten million at `source`: how many it accepted.
fn feed(what: &str, source: &Source<u64>) -> u64 {
    stays_flat(what, |x| accepted(source.emit(x)))
}

/// One test, since all share the process whose memory is measured.
#[test]
fn ten_million_emits_at_a_stalled_sink_grow_no_holding_operator() {
    buffers();
    joins();
    in_flight();
    ends();
    groups();
    queues();
    sharded();
    acknowledged();
    endings();
}

fn sharded() {
    let (graph, _time, _) = stalled();
    let values = graph.sharded(Shards::default());
    let _stream = values.into_stream(1000);
    let accepted = stays_flat("sharded, stalled", |x| values.send_or_drop(x));
    assert_eq!(accepted, 1000 + 8192);

    let (graph, _time, _) = stalled();
    let values = graph.sharded(Shards::default());
    values.sink(drop);
    let accepted = stays_flat("sharded", |x| values.send_or_drop(x));
    assert_eq!(accepted, ALL);
}

fn buffers() {
    for (policy, expected) in [
        (OnFull::Wait, 1000),
        (OnFull::DropOldest, ALL),
        (OnFull::DropNewest, ALL),
        (OnFull::Fail, ALL),
    ] {
        let (_graph, _time, source) = stalled();
        source.buffer(1000).on_full(policy).sink(drop);
        assert_eq!(feed(&format!("buffer {policy:?}"), &source), expected);
    }

    // Failures and the places of failures take room too.
    for policy in [OnFull::Wait, OnFull::DropOldest, OnFull::DropNewest] {
        let (_graph, _time, source) = stalled();
        let even = source.try_filter(|x| match x % 2 {
            0 => Ok(true),
            _ => Err("unfit".into()),
        });
        even.buffer(1000).on_full(policy).sink(drop);
        feed(&format!("failures in a buffer {policy:?}"), &source);

        let (_graph, _time, source) = stalled();
        let even = source.try_filter(|x| match x / FIRST % 2 {
            0 => Ok(true),
            _ => Err("unfit".into()),
        });
        even.share().buffer(1000).on_full(policy).sink(drop);
        feed(&format!("holes in a buffer {policy:?}"), &source);
    }

    let (_graph, _time, source) = stalled();
    source.buffer(1000).on_full(OnFull::DropOldest).sink(drop);
    stays_flat_for(MANY, "receipts", |x| source.emit_tracked(x).is_ok());
}

fn joins() {
    for (policy, expected) in [
        (OnFull::Wait, 1024),
        (OnFull::DropOldest, ALL),
        (OnFull::DropNewest, ALL),
        (OnFull::Fail, ALL),
    ] {
        let (graph, _time, fed) = stalled();
        let starved = graph.source::<u64>();
        zip((&fed, &starved)).on_full(policy).sink(drop);
        assert_eq!(feed(&format!("zip {policy:?}"), &fed), expected);
    }

    let (_graph, _time, source) = stalled();
    source.filter(|_| false).zip(&source).sink(drop);
    assert_eq!(feed("a zip that starves", &source), ALL);

    let (graph, _time, failing) = stalled();
    let starved = graph.source::<u64>();
    let never = failing.try_filter(|_| Err("unfit".into()));
    never.zip(&starved).sink(drop);
    feed("failures that wait for mates", &failing);

    let (graph, _time, fed) = stalled();
    let starved = graph.source::<u64>();
    combine_latest((&fed, &starved)).sink(drop);
    assert_eq!(feed("combine_latest", &fed), ALL);
}

fn in_flight() {
    for ordered in [true, false] {
        let (_graph, time, source) = stalled();
        let flow = source.map_async(10, |_| pending::<u64>());
        if ordered {
            flow.sink(drop);
        } else {
            flow.unordered().sink(drop);
        }
        assert_eq!(feed("map_async", &source), 10);
        time.settle();
        assert_eq!(feed("map_async in flight", &source), 0);
    }

    // Only the first never ends: results wait for it.
    let (_graph, time, source) = stalled();
    let first = |x| async move { if x == 0 { pending().await } else { x } };
    source.map_async(10, first).reorder(100).sink(drop);
    stays_flat("results that wait for an earlier one", |x| {
        if x % 100 == 0 {
            time.settle();
        }
        accepted(source.emit(x))
    });

    for end in [false, true] {
        let (_graph, _time, source) = stalled();
        let (held, release) = mpsc::channel::<()>();
        let release = Mutex::new(release);
        let block = move |_| drop(release.lock().map(|r| r.recv()));
        if end {
            source.sink_blocking(2, block);
        } else {
            source.map_blocking(2, block).sink(drop);
        }
        assert_eq!(feed("closures that block", &source), 2);
        drop(held);
    }
}

fn ends() {
    let (_graph, time, source) = stalled();
    source.sink_async(10, |_| pending::<()>());
    assert_eq!(feed("sink_async", &source), 10);
    time.settle();
    assert_eq!(feed("sink_async in flight", &source), 0);

    let (_graph, time, source) = stalled();
    let (sink, _never_read) = futures::channel::mpsc::channel::<u64>(10);
    source.forward(sink);
    feed("forward", &source);
    time.settle();
    assert_eq!(feed("forward to a full channel", &source), 0);

    let (_graph, _time, source) = stalled();
    let stream = source.into_stream(100);
    assert_eq!(feed("into_stream", &source), 100);
    drop(stream);
    assert_eq!(feed("into_stream that was dropped", &source), ALL);
}

fn groups() {
    let second = Duration::from_secs(1);

    let (_graph, _time, source) = stalled();
    source.timed_window(second).buffer(1).sink(drop);
    feed("timed_window", &source);

    let (_graph, _time, source) = stalled();
    source.timed_window(second).max_len(100).sink(drop);
    assert_eq!(feed("timed_window that goes early", &source), ALL);

    let (_graph, _time, source) = stalled();
    source.fold_window(second, (Count, Mean, Max)).sink(drop);
    assert_eq!(feed("fold_window", &source), ALL);

    let (_graph, _time, source) = stalled();
    source.partition(10).max_age(second).buffer(2).sink(drop);
    assert_eq!(feed("partition with an age", &source), 20);

    let (_graph, _time, source) = stalled();
    let groups = source.partition(10).max_age(second);
    groups.by_key(|x| *x).buffer(2).sink(drop);
    assert_eq!(feed("partition by key", &source), 10_002);

    let (_graph, _time, source) = stalled();
    let groups = source.partition(10).by_key(|x| *x).max_groups(100);
    groups.sink(drop);
    stays_flat_for(MANY, "groups that are evicted", |x| {
        accepted(source.emit(x))
    });

    let (_graph, _time, source) = stalled();
    source.sliding_window(10).sink(drop);
    assert_eq!(feed("sliding_window", &source), ALL);

    let (_graph, _time, source) = stalled();
    source.rolling(100, Max).sink(drop);
    assert_eq!(feed("rolling", &source), ALL);

    let (_graph, _time, source) = stalled();
    source.unique().sink(drop);
    assert_eq!(feed("unique", &source), ALL);
}

fn queues() {
    let (graph, _time, source) = stalled();
    let back = graph.source::<u64>();
    source.connect(&back);
    back.buffer(100).sink(drop);
    feed("connect", &source);

    let (graph, _time, source) = stalled();
    let back = graph.source::<u64>();
    source
        .union(back.filter(|x| x % 2 == 0).map(|x| x + 1))
        .connect(&back);
    feed("a cycle", &source);

    let (graph, _time, source) = stalled();
    let target = graph.source::<u64>();
    target.sink(drop);
    source.sink(move |x| {
        for _ in 0..2 {
            drop(target.emit(x));
        }
    });
    stays_flat_for(MANY, "emits from a closure", |x| accepted(source.emit(x)));

    // Inside of one closure, and into the graph of somebody who does not let go.
    for foreign in [false, true] {
        let (graph, _time, source) = stalled();
        source.sink(drop);
        let (other, into) = (graph.source::<u64>(), source.clone());
        let outer = if foreign { Source::new() } else { other };
        let (fed, done) = std::sync::mpsc::channel();
        outer.sink(move |_| {
            assert_eq!(feed("a queue", &into), 65_536);
            fed.send(()).unwrap();
        });
        if foreign {
            let guard = source.lock();
            std::thread::scope(|scope| {
                scope.spawn(|| outer.emit(0).unwrap());
                done.recv().unwrap();
                // Once out of its own graph the thread looks after the one it left elements at.
                drop(guard);
            });
        } else {
            outer.emit(0).unwrap();
        }
    }
}

fn acknowledged() {
    let (graph, time, _source) = stalled();
    let endless = futures::stream::iter((0_u64..).map(|x| (x, x)));
    let flow = graph.from_acked_stream(endless, |_, _| {});
    flow.buffer(100).sink_async(2, |_| pending::<()>());
    stays_flat("an acked stream at a stalled sink", |x| {
        if x % 100 == 0 {
            time.settle();
        }
        true
    });

    let (graph, time, _source) = stalled();
    let (items, stream) = futures::channel::mpsc::unbounded::<(u64, u64)>();
    let flow = graph.from_acked_stream(stream, |_, _| {});
    flow.buffer(100).partition(7).sink(drop);
    stays_flat("an acked stream", |x| {
        items.unbounded_send((x, x)).unwrap();
        if x % 100 == 0 {
            time.settle();
        }
        true
    });
}

fn endings() {
    let (_graph, time, source) = stalled();
    let (groups, _flush) = source.collect();
    groups.buffer(2).sink(drop);
    assert_eq!(feed("collect", &source), 2 * 65_536);
    time.settle();

    let (graph, _time, source) = stalled();
    let first = graph.source::<u64>();
    first.chain(&source).sink(drop);
    assert_eq!(feed("chain", &source), 1024);

    let (_graph, _time, source) = stalled();
    source.fold(0, |sum, x| sum + x).sink(drop);
    assert_eq!(feed("fold", &source), ALL);

    let (_graph, _time, source) = stalled();
    source.take(10).buffer(4).take(2).sink(drop);
    feed("take", &source);
}
