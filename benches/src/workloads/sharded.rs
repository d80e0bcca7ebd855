//! Threads that each send small values at a high rate, all of which are summed: what instrumented code
//! does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::target::within;
use crate::workload::{Variant, Workload};

/// Elements of a batch.
const BATCH: usize = 256;

/// The workload without headwater's row, by how many threads send. Each sends all elements: a figure is
/// what one `send` costs its thread.
pub(crate) fn workloads() -> [Workload; 3] {
    let one = Workload::new(
        "sharded",
        "values from one thread into a sum",
        Variant::hand("loop", |n| atomic::<1>(n)),
    )
    .variant(Variant::hand("mutex and vec", |n| locked::<1>(n)))
    .target(within("headwater sharded", 10.0));
    let two = Workload::new(
        "sharded_two_threads",
        "values from two threads into a sum",
        Variant::hand("loop", |n| atomic::<2>(n)),
    )
    .variant(Variant::hand("mutex and vec", |n| locked::<2>(n)))
    .target(within("headwater sharded", 10.0));
    let four = Workload::new(
        "sharded_four_threads",
        "values from four threads into a sum",
        Variant::hand("loop", |n| atomic::<4>(n)),
    )
    .variant(Variant::hand("mutex and vec", |n| locked::<4>(n)));
    [one, two, four].map(|workload| Workload {
        unit: "send",
        countable: false,
        ..workload
    })
}

/// Runs `send` for each element on so many threads.
pub(crate) fn from_threads<const THREADS: usize>(n: u64, send: impl Fn(u64) + Sync) {
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..n).for_each(&send));
        }
    });
}

/// A counter that all threads add to: the least that can be done, and a cache line that all share.
fn atomic<const THREADS: usize>(n: u64) -> u64 {
    let sum = AtomicU64::new(0);
    from_threads::<THREADS>(n, |x| {
        sum.fetch_add(x, Ordering::Relaxed);
    });
    sum.into_inner()
}

/// A vector that all threads push to; who has filled it adds it up.
fn locked<const THREADS: usize>(n: u64) -> u64 {
    let batch = Mutex::new((Vec::with_capacity(BATCH), 0));
    let add_up = |batch: &mut (Vec<u64>, u64)| batch.1 += batch.0.drain(..).sum::<u64>();
    from_threads::<THREADS>(n, |x| {
        let mut batch = batch.lock().unwrap_or_else(PoisonError::into_inner);
        batch.0.push(x);
        if batch.0.len() >= BATCH {
            add_up(&mut batch);
        }
    });
    let mut batch = batch.into_inner().unwrap_or_else(PoisonError::into_inner);
    add_up(&mut batch);
    batch.1
}
