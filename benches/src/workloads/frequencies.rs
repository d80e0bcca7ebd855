//! How often each key has come, told for each element, of keys as skewed as they are in practice.

use std::future::ready;

use futures::executor::block_on;
use futures::stream::{self, StreamExt};
use rustc_hash::FxHashMap;
use rxrust::prelude::{Local, Observable, ObservableFactory};

use crate::outbox::outbox;
use crate::target::at_most;
use crate::workload::{Variant, Workload};
use crate::workloads::unique_lru::keys;

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "frequencies: a count per key, told for each element, zipf keys";
    Workload::new("frequencies", what, Variant::hand("loop", by_hand))
        .variant(Variant::peer("futures map", futures))
        .variant(Variant::peer("rxrust map", rxrust))
        .target(at_most("headwater frequencies", 1.25, "loop"))
}

/// A map of counts.
#[derive(Default)]
struct Counts(FxHashMap<u64, u64>);

impl Counts {
    #[inline]
    fn count(&mut self, key: u64) -> u64 {
        let count = self.0.entry(key).or_insert(0);
        *count += 1;
        *count
    }
}

#[inline(never)]
fn by_hand(n: u64) -> u64 {
    let (mut counts, mut out) = (Counts::default(), 0u64);
    for key in keys(n) {
        out = out.rotate_left(1) ^ key ^ counts.count(key);
    }
    out
}

fn futures(n: u64) -> u64 {
    let mut counts = Counts::default();
    let told = stream::iter(keys(n)).map(move |key| (key, counts.count(key)));
    block_on(told.fold(0u64, |out, (key, count)| {
        ready(out.rotate_left(1) ^ key ^ count)
    }))
}

fn rxrust(n: u64) -> u64 {
    let (mut counts, (mut out, total)) = (Counts::default(), outbox());
    Local::from_iter(keys(n))
        .map(move |key| (key, counts.count(key)))
        .subscribe(move |(key, count)| out.mix(key ^ count));
    total.take()
}
