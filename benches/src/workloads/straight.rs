//! map, filter, map, running sum: in bulk from an iterator.

use std::future::ready;

use futures::executor::block_on;
use futures::stream::{self, StreamExt};
use rxrust::prelude::{Local, Observable, ObservableFactory};
use timely::dataflow::operators::Inspect;
use timely::dataflow::operators::vec::{Filter, Map};

use crate::outbox::outbox;
use crate::steps::{first, keep, running, second};
use crate::target::{ahead_of_peers, at_most};
use crate::timely_run;
use crate::workload::{Variant, Workload};

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "map, filter, map, running sum, in bulk from an iterator";
    Workload::new("straight", what, Variant::hand("loop", by_hand))
        .variant(Variant::hand("std Iterator", std_iterator))
        .variant(Variant::peer("futures StreamExt", futures))
        .variant(Variant::peer("rxrust from_iter", rxrust))
        .variant(Variant::peer("timely to_stream", timely))
        .target(at_most("headwater from_iter", 0.8, "loop"))
        .target(ahead_of_peers("headwater from_iter"))
        .target(at_most("headwater emit_all", 1.1, "loop"))
        .target(ahead_of_peers("headwater emit_all"))
}

#[inline(never)]
fn by_hand(n: u64) -> u64 {
    let (mut sum, mut out) = (0, 0u64);
    for x in 0..n {
        let x = first(x);
        if keep(&x) {
            sum = running(sum, second(x));
            out = out.wrapping_add(sum);
        }
    }
    out
}

fn std_iterator(n: u64) -> u64 {
    let kept = (0..n).map(first).filter(keep).map(second);
    let sums = kept.scan(0, |sum, x| {
        *sum = running(*sum, x);
        Some(*sum)
    });
    sums.fold(0, u64::wrapping_add)
}

fn futures(n: u64) -> u64 {
    let kept = stream::iter(0..n)
        .map(first)
        .filter(|x| ready(keep(x)))
        .map(second);
    let sums = kept.scan(0, |sum, x| {
        *sum = running(*sum, x);
        ready(Some(*sum))
    });
    block_on(sums.fold(0u64, |out, x| ready(out.wrapping_add(x))))
}

fn rxrust(n: u64) -> u64 {
    let (mut out, total) = outbox();
    Local::from_iter(0..n)
        .map(first)
        .filter(keep)
        .map(second)
        .scan(0, running)
        .subscribe(move |x| out.add(x));
    total.take()
}

fn timely(n: u64) -> u64 {
    let (mut out, total) = outbox();
    timely_run::pulled(0..n, move |elements| {
        let mut sum = 0;
        let sums = elements.map(first).filter(keep).map(second).map(move |x| {
            sum = running(sum, x);
            sum
        });
        sums.inspect(move |x| out.add(*x));
    });
    total.take()
}
