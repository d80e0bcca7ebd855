//! Sixteen maps in a row, in bulk.

use headwater::prelude::*;

use crate::outbox::outbox;
use crate::workload::{Variant, Workload};

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload.variant(Variant::ours("headwater emit_all", emit_all))
}

fn emit_all(n: u64) -> u64 {
    use crate::steps::{even, odd};
    let (mut out, total) = outbox();
    let source = Source::<u64>::new();
    let flow = source.map(odd).map(even).map(odd).map(even);
    let flow = flow.map(odd).map(even).map(odd).map(even);
    let flow = flow.map(odd).map(even).map(odd).map(even);
    let flow = flow.map(odd).map(even).map(odd).map(even);
    flow.sink(move |x| out.add(x));
    source.emit_all(0..n).expect("nothing fails");
    drop(source);
    total.take()
}
