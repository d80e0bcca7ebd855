//! A hundred elements become one batch, and each batch is summed.

use headwater::prelude::*;

use crate::outbox::outbox;
use crate::workload::{Variant, Workload};
use crate::workloads::partition::{BATCH, total_of};

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload.variant(Variant::ours("headwater partition", partition))
}

fn partition(n: u64) -> u64 {
    let (mut out, total) = outbox();
    let source = Source::<u64>::new();
    source
        .partition(BATCH)
        .sink(move |batch| out.mix(total_of(&batch)));
    // A last, shorter batch would come with the close: the loop has none, so it is left unclosed.
    source.emit_all(0..n).expect("nothing fails");
    drop(source);
    total.take()
}
