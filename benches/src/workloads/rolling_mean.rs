//! The mean over the last hundred elements, for each element.

use std::future::ready;

use futures::executor::block_on;
use futures::stream::{self, StreamExt};
use rxrust::prelude::{Local, Observable, ObservableFactory};
use timely::dataflow::operators::Inspect;
use timely::dataflow::operators::vec::Map;

use crate::outbox::outbox_of;
use crate::target::at_most;
use crate::timely_run;
use crate::workload::{Variant, Workload};

/// Elements a mean looks back on.
pub(crate) const WIDTH: usize = 100;

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "mean over the last 100, in bulk from an iterator";
    Workload::new("rolling_mean100", what, Variant::hand("loop", by_hand))
        .variant(Variant::hand("naive window", naive))
        .variant(Variant::peer("futures scan", futures))
        .variant(Variant::peer("rxrust scan_map", rxrust))
        .variant(Variant::peer("timely map", timely))
        .target(at_most("headwater rolling", 1.25, "loop"))
}

/// The element at a place: whole numbers, so that sums are exact and means of all variants agree.
#[inline]
pub(crate) fn value(x: u64) -> f64 {
    (x & 1023) as f64
}

/// A checksum of all means that leaves room for another order of additions.
pub(crate) fn checksum(total: f64, n: u64) -> u64 {
    (total / n as f64 * 1000.0).round() as u64
}

/// A ring and a running sum.
struct Ring {
    last: [f64; WIDTH],
    at: usize,
    held: usize,
    sum: f64,
}

impl Ring {
    fn new() -> Self {
        Self {
            last: [0.0; WIDTH],
            at: 0,
            held: 0,
            sum: 0.0,
        }
    }

    #[inline]
    fn mean(&mut self, x: f64) -> f64 {
        self.sum += x;
        self.sum -= std::mem::replace(&mut self.last[self.at], x);
        self.at = if self.at + 1 == WIDTH { 0 } else { self.at + 1 };
        self.held = (self.held + 1).min(WIDTH);
        self.sum / self.held as f64
    }
}

#[inline(never)]
fn by_hand(n: u64) -> u64 {
    let (mut ring, mut total) = (Ring::new(), 0.0);
    for x in 0..n {
        total += ring.mean(value(x));
    }
    checksum(total, n)
}

/// The window added up anew for each element.
fn naive(n: u64) -> u64 {
    let mut window = std::collections::VecDeque::with_capacity(WIDTH);
    let mut total = 0.0;
    for x in 0..n {
        if window.len() == WIDTH {
            window.pop_front();
        }
        window.push_back(value(x));
        total += window.iter().sum::<f64>() / window.len() as f64;
    }
    checksum(total, n)
}

fn futures(n: u64) -> u64 {
    let means = stream::iter(0..n)
        .map(value)
        .scan(Ring::new(), |ring, x| ready(Some(ring.mean(x))));
    checksum(
        block_on(means.fold(0.0, |total, mean| ready(total + mean))),
        n,
    )
}

fn rxrust(n: u64) -> u64 {
    let (mut total, result) = outbox_of(0.0);
    Local::from_iter(0..n)
        .map(value)
        .scan_map(Ring::new(), |ring: &mut Ring, x| ring.mean(x))
        .subscribe(move |mean| total.add(mean));
    checksum(result.take(), n)
}

fn timely(n: u64) -> u64 {
    let (mut total, result) = outbox_of(0.0);
    timely_run::pulled(0..n, move |elements| {
        let mut ring = Ring::new();
        let means = elements.map(value).map(move |x| ring.mean(x));
        means.inspect(move |mean| total.add(*mean));
    });
    checksum(result.take(), n)
}
