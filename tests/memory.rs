//! A stalled sink does not make a graph grow: ten million emits, accepted or refused, through each
//! holding operator.

use std::future::pending;
use std::time::Duration;

use headwater::prelude::*;
use headwater::{OnFull, combine_latest, zip};

const FIRST: u64 = 100_000;
const ALL: u64 = 10_000_000;
const MIB: usize = 1 << 20;

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    memory_stats::memory_stats()
        .expect("the system tells resident memory")
        .physical_mem
}

fn stays_flat(what: &str, mut emit: impl FnMut(u64)) {
    (0..FIRST).for_each(&mut emit);
    let before = resident();
    (FIRST..ALL).for_each(&mut emit);
    let grown = resident().saturating_sub(before);
    assert!(grown <= MIB, "{what} grew by {grown} bytes");
}

/// One test, since all share the process whose memory is measured.
#[test]
fn ten_million_emits_at_a_stalled_sink_grow_no_holding_operator() {
    for policy in [
        OnFull::Wait,
        OnFull::DropOldest,
        OnFull::DropNewest,
        OnFull::Fail,
    ] {
        let graph = Graph::new();
        graph.on_error(headwater::OnError::call(|_| {}));
        let _time = graph.drive_manually();
        let source = graph.source::<u64>();
        source.buffer(1000).on_full(policy).sink(drop);
        stays_flat("buffer", |x| drop(source.emit(x)));
    }

    let graph = Graph::new();
    let _time = graph.drive_manually();
    let (fed, starved) = (graph.source::<u64>(), graph.source::<u64>());
    zip((&fed, &starved)).sink(drop);
    stays_flat("zip", |x| drop(fed.emit(x)));

    let graph = Graph::new();
    let source = graph.source::<u64>();
    source.filter(|_| false).zip(&source).sink(drop);
    stays_flat("a zip that starves", |x| drop(source.emit(x)));

    let graph = Graph::new();
    let (fed, starved) = (graph.source::<u64>(), graph.source::<u64>());
    combine_latest((&fed, &starved)).sink(drop);
    stays_flat("combine_latest", |x| drop(fed.emit(x)));

    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    source.map_async(10, |_| pending::<u64>()).sink(drop);
    stays_flat("map_async", |x| drop(source.emit(x)));
    time.settle();
    stays_flat("map_async in flight", |x| drop(source.emit(x)));

    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    source.sink_async(10, |_| pending::<()>());
    stays_flat("sink_async", |x| drop(source.emit(x)));
    time.settle();
    stays_flat("sink_async in flight", |x| drop(source.emit(x)));

    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u64>();
    let (held, release) = std::sync::mpsc::channel::<()>();
    let release = std::sync::Mutex::new(release);
    source.sink_blocking(2, move |_| drop(release.lock().map(|r| r.recv())));
    stays_flat("sink_blocking", |x| drop(source.emit(x)));
    drop(held);

    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u64>();
    let (sink, _never_read) = futures::channel::mpsc::channel::<u64>(10);
    source.forward(sink);
    stays_flat("forward", |x| drop(source.emit(x)));

    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u64>();
    let stream = source.into_stream(100);
    stays_flat("into_stream", |x| drop(source.emit(x)));
    drop(stream);
    stays_flat("into_stream that was dropped", |x| drop(source.emit(x)));

    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u64>();
    source
        .timed_window(Duration::from_secs(1))
        .buffer(2)
        .sink(drop);
    stays_flat("timed_window", |x| drop(source.emit(x)));

    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u64>();
    source
        .partition(10)
        .by_key(|x| *x)
        .max_age(Duration::from_secs(1))
        .buffer(2)
        .sink(drop);
    stays_flat("partition by key", |x| drop(source.emit(x)));

    let graph = Graph::new();
    let source = graph.source::<u64>();
    source.unique().sink(drop);
    stays_flat("unique", |x| drop(source.emit(x)));

    let graph = Graph::new();
    let source = graph.source::<u64>();
    let back = graph.source::<u64>();
    let target = back.downgrade();
    back.sink(drop);
    source.sink(move |x| {
        for _ in 0..2 {
            drop(target.emit(x));
        }
    });
    stays_flat("emits from a closure", |x| drop(source.emit(x)));
}
