//! A million keys that pass through a few leave nothing behind.

mod resident;

use std::time::Duration;

use headwater::EmitError;
use headwater::prelude::*;
use resident::resident;

const FIRST: u64 = 100_000;
const MANY: u64 = 1_000_000;
const MIB: usize = 1 << 20;

/// Emits `all` keys, each once; memory is to stay within 1 MiB of what it was after the first tenth.
fn stays_flat(what: &str, all: u64, source: &Source<u64>, settle: impl Fn()) {
    let emit = |range: std::ops::Range<u64>| {
        for key in range {
            while let Err(refused) = source.emit(key) {
                assert!(matches!(refused, EmitError::Full(_)), "{refused}");
                settle();
            }
        }
    };
    let began = std::time::Instant::now();
    let first = FIRST.min(all / 10);
    emit(0..first);
    let before = resident();
    emit(first..all);
    let grown = resident().saturating_sub(before);
    eprintln!("{what}: {} KiB, {:.1?}", grown >> 10, began.elapsed());
    assert!(grown <= MIB, "{what} grew by {grown} bytes");
}

/// One test, since all share the process whose memory is measured.
#[test]
fn a_million_keys_pass_through_a_hundred_and_leave_nothing() {
    let graph = || {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u64>();
        (graph, time, source)
    };
    let keys = Keys::max(100);

    let (_graph, _time, source) = graph();
    source
        .map_with_state_by_key(|x| *x, keys, |_| 0, |n, x| *n + x)
        .sink(drop);
    stays_flat("map_with_state_by_key", MANY, &source, || {});

    let (_graph, _time, source) = graph();
    source
        .per_key(|x| *x, keys, |_, flow| flow.rolling(10, Mean))
        .sink(drop);
    stays_flat("rolling", MANY, &source, || {});

    let (_graph, time, source) = graph();
    source
        .per_key(
            |x| *x,
            keys,
            |_, flow| flow.timed_window(Duration::from_secs(3600)).buffer(10),
        )
        .sink(drop);
    stays_flat("timed_window, buffer", MANY / 10, &source, || time.settle());

    let (_graph, _time, source) = graph();
    source
        .per_key(
            |x| *x,
            keys,
            |_, flow| {
                let flow = flow.share();
                flow.sink(drop);
                flow.zip(flow.map(|x| x + 1))
            },
        )
        .sink(drop);
    stays_flat("share, sink, zip", MANY / 10, &source, || {});

    let (graph_, _time, source) = graph();
    let limits = graph_.source::<u64>();
    let shared = limits.share();
    source
        .per_key(|x| *x, keys, move |_, flow| flow.combine_latest(&shared))
        .sink(drop);
    stays_flat("a join with a flow from outside", MANY / 50, &source, || {});

    // The last element of each key fills somebody behind, who makes the key's run wait.
    let (_graph, time, source) = graph();
    source
        .per_key(|x| *x, keys, |_, flow| flow.buffer(10))
        .buffer(1)
        .sink(drop);
    stays_flat("a full buffer behind", MANY / 20, &source, || time.settle());

    let (_graph, _time, source) = graph();
    source
        .per_key(
            |x| *x,
            keys,
            |_, flow| flow.per_key(|x| x % 3, Keys::max(2), |_, flow| flow.partition(2)),
        )
        .sink(drop);
    stays_flat("keys within keys", MANY / 20, &source, || {});
}
