//! How often each key has come.

use headwater::prelude::*;

use crate::outbox::outbox;
use crate::workload::{Variant, Workload};
use crate::workloads::unique_lru::keys;

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload.variant(Variant::ours("headwater frequencies", frequencies))
}

fn frequencies(n: u64) -> u64 {
    let (mut out, total) = outbox();
    let source = Source::<u64>::new();
    source
        .frequencies()
        .sink(move |(key, count)| out.mix(key ^ count));
    source.emit_all(keys(n)).expect("nothing fails");
    drop(source);
    total.take()
}
