//! The straight run, fed one element at a time from outside.

use headwater::prelude::*;

use crate::outbox::{Inbox, outbox};
use crate::steps::{first, keep, running, second};
use crate::workload::{Variant, Workload};

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload
        .variant(Variant::ours("headwater lock", lock))
        .variant(Variant::ours("headwater emit", emit))
}

fn run() -> (Source<u64>, Inbox) {
    let (mut out, total) = outbox();
    let source = Source::new();
    source
        .map(first)
        .filter(keep)
        .map(second)
        .accumulate(0, running)
        .sink(move |x| out.add(x));
    (source, total)
}

fn lock(n: u64) -> u64 {
    let (source, total) = run();
    let mut emitter = source.lock();
    for x in 0..n {
        emitter.emit(x).expect("nothing fails");
    }
    drop(emitter);
    drop(source);
    total.take()
}

fn emit(n: u64) -> u64 {
    let (source, total) = run();
    for x in 0..n {
        source.emit(x).expect("nothing fails");
    }
    drop(source);
    total.take()
}
