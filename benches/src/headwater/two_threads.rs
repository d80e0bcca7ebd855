//! Two threads feed one graph: in batches of 256, and one element at a time.

use headwater::prelude::*;

use crate::outbox::{Inbox, outbox};
use crate::steps::{first, keep, second};
use crate::workload::{Variant, Workload};
use crate::workloads::two_threads::{cut, from_two_threads};

/// Adds headwater's row in batches.
pub(crate) fn add_batches(workload: Workload) -> Workload {
    workload.variant(Variant::ours("headwater emit_all", batches))
}

/// Adds headwater's row element by element.
pub(crate) fn add_one_by_one(workload: Workload) -> Workload {
    workload.variant(Variant::ours("headwater emit", one_by_one))
}

fn graph() -> (Source<u64>, Inbox) {
    let (mut out, total) = outbox();
    let source = Source::<u64>::new();
    source
        .map(first)
        .filter(keep)
        .map(second)
        .sink(move |x| out.add(x));
    (source, total)
}

fn batches(n: u64) -> u64 {
    let (source, total) = graph();
    let feed = |range| {
        for batch in cut(range) {
            source.emit_all(batch).expect("nothing fails");
        }
    };
    from_two_threads(n, feed, || {});
    drop(source);
    total.take()
}

fn one_by_one(n: u64) -> u64 {
    let (source, total) = graph();
    let feed = |range: std::ops::Range<u64>| {
        for x in range {
            source.emit(x).expect("nothing fails");
        }
    };
    from_two_threads(n, feed, || {});
    drop(source);
    total.take()
}
