//! map, filter, map, running sum: as a pumped iterator, and emitted in bulk.

use headwater::prelude::*;

use crate::outbox::outbox;
use crate::steps::{first, keep, running, second};
use crate::workload::{Variant, Workload};

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload
        .variant(Variant::ours("headwater from_iter", from_iter))
        .variant(Variant::ours("headwater emit_all", emit_all))
}

fn from_iter(n: u64) -> u64 {
    let (mut out, total) = outbox();
    let graph = Graph::new();
    graph
        .from_iter(0..n)
        .map(first)
        .filter(keep)
        .map(second)
        .accumulate(0, running)
        .sink(move |x| out.add(x));
    graph.run().expect("nothing fails");
    drop(graph);
    total.take()
}

fn emit_all(n: u64) -> u64 {
    let (mut out, total) = outbox();
    let source = Source::<u64>::new();
    source
        .map(first)
        .filter(keep)
        .map(second)
        .accumulate(0, running)
        .sink(move |x| out.add(x));
    source.emit_all(0..n).expect("nothing fails");
    drop(source);
    total.take()
}
