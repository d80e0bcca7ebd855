//! Elements not seen among the last thousand distinct ones.

use headwater::prelude::*;

use crate::outbox::outbox;
use crate::workload::{Variant, Workload};
use crate::workloads::unique_lru::{HISTORY, keys};

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload.variant(Variant::ours("headwater unique", unique))
}

fn unique(n: u64) -> u64 {
    let (mut out, total) = outbox();
    let source = Source::<u64>::new();
    source
        .unique()
        .history(HISTORY)
        .sink(move |key| out.mix(key));
    source.emit_all(keys(n)).expect("nothing fails");
    drop(source);
    total.take()
}
