//! Elements not seen among the last thousand distinct ones, of keys as skewed as they are in practice.

use std::future::ready;
use std::num::NonZero;
use std::sync::OnceLock;

use futures::executor::block_on;
use futures::stream::{self, StreamExt};
use lru::LruCache;
use rustc_hash::FxBuildHasher;
use rxrust::prelude::{Local, Observable, ObservableFactory};
use timely::dataflow::operators::Inspect;
use timely::dataflow::operators::vec::Filter;

use crate::outbox::outbox;
use crate::target::at_most;
use crate::timely_run;
use crate::workload::{Variant, Workload};

/// Keys remembered.
pub(crate) const HISTORY: usize = 1000;
const DISTINCT: usize = 10_000;
/// Keys drawn beforehand, since drawing one costs about as much as looking one up; a power of two, and
/// few enough to stay in the cache beside what is measured.
const DRAWN: usize = 1 << 15;

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "unique, LRU history of 1000, zipf keys";
    Workload::new("unique_lru", what, Variant::hand("loop", by_hand))
        .variant(Variant::peer("futures filter", futures))
        .variant(Variant::peer("rxrust filter", rxrust))
        .variant(Variant::peer("timely filter", timely))
        .target(at_most("headwater unique", 1.1, "loop"))
}

/// `n` keys, the same for every variant. From an array, so that to look one up costs next to nothing.
pub(crate) fn keys(n: u64) -> impl Iterator<Item = u64> + Send + Sync + 'static {
    static KEYS: OnceLock<Box<[u64; DRAWN]>> = OnceLock::new();
    let keys: &'static [u64; DRAWN] = KEYS.get_or_init(|| {
        let drawn = drawn().try_into();
        drawn.unwrap_or_else(|_| unreachable!("so many are drawn"))
    });
    (0..n).map(|at| keys[at as usize & (DRAWN - 1)])
}

/// Key of rank `r` with weight `1 / r`, from a fixed seed.
fn drawn() -> Vec<u64> {
    let mut total = 0.0;
    let weights = (1..=DISTINCT).map(|rank| {
        total += 1.0 / rank as f64;
        total
    });
    let summed: Vec<f64> = weights.collect();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let at = (seed >> 11) as f64 / (1u64 << 53) as f64 * total;
        summed.partition_point(|upto| *upto < at) as u64
    };
    (0..DRAWN).map(|_| draw()).collect()
}

/// The keys seen last; seeing one again makes it recent.
struct Seen(LruCache<u64, (), FxBuildHasher>);

impl Seen {
    fn new() -> Self {
        let history = NonZero::new(HISTORY).unwrap_or(NonZero::<usize>::MIN);
        Self(LruCache::with_hasher(history, FxBuildHasher))
    }

    #[inline]
    fn is_new(&mut self, key: u64) -> bool {
        self.0.put(key, ()).is_none()
    }
}

#[inline(never)]
fn by_hand(n: u64) -> u64 {
    let (mut seen, mut out) = (Seen::new(), 0u64);
    for key in keys(n) {
        if seen.is_new(key) {
            out = out.rotate_left(1) ^ key;
        }
    }
    out
}

fn futures(n: u64) -> u64 {
    let mut seen = Seen::new();
    let unique = stream::iter(keys(n)).filter(move |key| ready(seen.is_new(*key)));
    block_on(unique.fold(0u64, |out, key| ready(out.rotate_left(1) ^ key)))
}

fn rxrust(n: u64) -> u64 {
    let (mut seen, (mut out, total)) = (Seen::new(), outbox());
    Local::from_iter(keys(n))
        .filter(move |key| seen.is_new(*key))
        .subscribe(move |key| out.mix(key));
    total.take()
}

fn timely(n: u64) -> u64 {
    let (mut out, total) = outbox();
    timely_run::pulled(keys(n), move |keys| {
        let mut seen = Seen::new();
        keys.filter(move |key| seen.is_new(*key))
            .inspect(move |key| out.mix(*key));
    });
    total.take()
}
