//! A stream shared, mapped twice, zipped and summed.

use headwater::prelude::*;

use crate::outbox::{Inbox, outbox};
use crate::workload::{Variant, Workload};
use crate::workloads::diamond::{left, right};

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload
        .variant(Variant::ours("headwater batches", batches))
        .variant(Variant::ours("headwater one by one", one_by_one))
}

fn diamond() -> (Source<u64>, Inbox) {
    let (mut out, total) = outbox();
    let source = Source::<u64>::new();
    source
        .map(left)
        .zip(source.map(right))
        .sink(move |(a, b)| out.add(a.wrapping_add(b)));
    (source, total)
}

fn batches(n: u64) -> u64 {
    let (source, total) = diamond();
    source.emit_all(0..n).expect("nothing fails");
    drop(source);
    total.take()
}

fn one_by_one(n: u64) -> u64 {
    let (source, total) = diamond();
    let mut emitter = source.lock();
    for x in 0..n {
        emitter.emit(x).expect("nothing fails");
    }
    drop(emitter);
    drop(source);
    total.take()
}
