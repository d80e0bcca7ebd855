//! A hundred elements become one batch, and each batch is summed.

use std::future::ready;
use std::hint::black_box;

use futures::executor::block_on;
use futures::stream::{self, StreamExt};
use rxrust::prelude::{Local, Observable, ObservableFactory};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::{Inspect, Operator};

use crate::outbox::outbox;
use crate::target::at_most;
use crate::timely_run::{self, Time};
use crate::workload::{Variant, Workload};

/// Elements in a batch.
pub(crate) const BATCH: usize = 100;

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "partition(100), sum of each batch, in bulk from an iterator";
    Workload::new("partition100", what, Variant::hand("loop", by_hand))
        .variant(Variant::peer("futures chunks", futures))
        .variant(Variant::peer("rxrust buffer_count", rxrust))
        .variant(Variant::peer("timely unary", timely))
        .target(at_most("headwater partition", 1.0, "loop"))
}

/// What is done with a batch.
#[inline]
pub(crate) fn total_of(batch: &[u64]) -> u64 {
    batch.iter().fold(0, |sum, x| sum.wrapping_add(*x))
}

/// A new `Vec` a batch: what a closure that is handed batches it may keep comes down to.
#[inline(never)]
fn by_hand(n: u64) -> u64 {
    let mut out = 0u64;
    let mut batch = Vec::with_capacity(BATCH);
    for x in 0..n {
        batch.push(x);
        if batch.len() == BATCH {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            out = out.rotate_left(1) ^ total_of(&black_box(full));
        }
    }
    out
}

fn futures(n: u64) -> u64 {
    let batches = stream::iter(0..n).chunks(BATCH);
    let out = batches.fold(0u64, |out, batch| {
        ready(out.rotate_left(1) ^ total_of(&batch))
    });
    block_on(out)
}

fn rxrust(n: u64) -> u64 {
    let (mut out, total) = outbox();
    Local::from_iter(0..n)
        .buffer_count(BATCH)
        .subscribe(move |batch| out.mix(total_of(&batch)));
    total.take()
}

fn timely(n: u64) -> u64 {
    let (mut out, total) = outbox();
    timely_run::pulled(0..n, move |elements| {
        batches(elements).inspect(move |batch| out.mix(total_of(batch)));
    });
    total.take()
}

/// timely has no such operator; this is the one its users write.
fn batches(elements: StreamVec<'_, Time, u64>) -> StreamVec<'_, Time, Vec<u64>> {
    elements.unary(Pipeline, "partition", |_, _| {
        let mut batch = Vec::with_capacity(BATCH);
        move |input, output| {
            input.for_each_stamp(|capability, data| {
                let mut session = output.session(&capability);
                for x in data.flat_map(|data| data.drain(..)) {
                    batch.push(x);
                    if batch.len() == BATCH {
                        session.give(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
                    }
                }
            });
        }
    })
}
