//! The median of the last hundred elements, for each element.

use headwater::prelude::*;

use crate::outbox::outbox_of;
use crate::workload::{Variant, Workload};
use crate::workloads::rolling_median::{WIDTH, checksum, value};

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload.variant(Variant::ours("headwater rolling", rolling))
}

fn rolling(n: u64) -> u64 {
    let (mut out, total) = outbox_of(0.0);
    let source = Source::<u64>::new();
    source
        .map(value)
        .rolling(WIDTH, Median)
        .sink(move |median| out.add(median));
    source.emit_all(0..n).expect("nothing fails");
    drop(source);
    checksum(total.take())
}
