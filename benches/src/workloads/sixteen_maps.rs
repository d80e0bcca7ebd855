//! Sixteen maps in a row, in bulk: does the run fuse and vectorise?

use futures::executor::block_on;
use futures::stream::{self, StreamExt};
use rxrust::prelude::{Local, Observable, ObservableFactory};
use timely::dataflow::operators::Inspect;
use timely::dataflow::operators::vec::Map;

use crate::outbox::outbox;
use crate::steps::{even, odd};
use crate::target::at_most;
use crate::timely_run;
use crate::workload::{Variant, Workload};

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "sixteen maps in a row, in bulk from an iterator";
    Workload::new("sixteen_maps", what, Variant::hand("loop", by_hand))
        .variant(Variant::peer("futures StreamExt", futures))
        .variant(Variant::peer("rxrust from_iter", rxrust))
        .variant(Variant::peer("timely to_stream", timely))
        .target(at_most("headwater emit_all", 1.15, "loop"))
}

#[inline(never)]
fn by_hand(n: u64) -> u64 {
    let mut out = 0u64;
    for mut x in 0..n {
        for _ in 0..8 {
            x = even(odd(x));
        }
        out = out.wrapping_add(x);
    }
    out
}

fn futures(n: u64) -> u64 {
    let mapped = sixteen!(stream::iter(0..n));
    block_on(mapped.fold(0u64, |out, x| std::future::ready(out.wrapping_add(x))))
}

fn rxrust(n: u64) -> u64 {
    let (mut out, total) = outbox();
    sixteen!(Local::from_iter(0..n)).subscribe(move |x| out.add(x));
    total.take()
}

fn timely(n: u64) -> u64 {
    let (mut out, total) = outbox();
    timely_run::pulled(0..n, move |elements| {
        sixteen!(elements).inspect(move |x| out.add(*x));
    });
    total.take()
}
