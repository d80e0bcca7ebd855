//! Two threads feed one consumer: in batches of 256, and one element at a time.

use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::steps::{first, keep, second};
use crate::target::within;
use crate::workload::{Variant, Workload};

/// Elements in a batch.
pub(crate) const BATCH: usize = 256;
/// Room in the channels, in elements.
const ROOM: usize = 4096;

/// The workload in batches, without headwater's rows.
pub(crate) fn batches() -> Workload {
    let what = "two threads into one, in batches of 256";
    let mut workload = Workload::new("two_threads", what, Variant::hand("loop", locked_batches))
        .variant(Variant::peer("crossbeam", crossbeam_batches))
        .variant(Variant::peer("tokio mpsc", tokio_batches))
        .target(within("headwater emit_all", 2.0));
    workload.countable = false;
    workload
}

/// The workload element by element, without headwater's rows.
pub(crate) fn one_by_one() -> Workload {
    let what = "two threads into one, element by element";
    let mut workload = Workload::new(
        "two_threads_one_by_one",
        what,
        Variant::hand("loop", locked),
    )
    .variant(Variant::peer("crossbeam", crossbeam))
    .variant(Variant::peer("tokio mpsc", tokio));
    workload.countable = false;
    workload
}

/// What the consumer does with an element; a sum, since the order differs from run to run.
#[inline]
pub(crate) fn work(sum: &mut u64, x: u64) {
    let x = first(x);
    if keep(&x) {
        *sum = sum.wrapping_add(second(x));
    }
}

/// Runs `feed` on two threads, each over one half of the elements, and `consume` on this one.
pub(crate) fn from_two_threads<F: Fn(std::ops::Range<u64>) + Clone + Send>(
    n: u64,
    feed: F,
    consume: impl FnOnce(),
) {
    thread::scope(|scope| {
        let other = feed.clone();
        scope.spawn(move || other(0..n / 2));
        scope.spawn(move || feed(n / 2..n));
        consume();
    });
}

/// Cuts a range into batches of at most [`BATCH`].
pub(crate) fn cut(range: std::ops::Range<u64>) -> impl Iterator<Item = std::ops::Range<u64>> {
    let (start, end) = (range.start, range.end);
    let starts = (start..end).step_by(BATCH);
    starts.map(move |at| at..end.min(at + BATCH as u64))
}

/// A buffer filled outside the lock and worked off inside: the loop that a graph with one lock competes
/// with.
fn locked_batches(n: u64) -> u64 {
    let sum = Mutex::new(0);
    let feed = |range| {
        let mut batch = Vec::with_capacity(BATCH);
        for part in cut(range) {
            batch.extend(part);
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            batch.drain(..).for_each(|x| work(&mut sum, x));
        }
    };
    from_two_threads(n, feed, || ());
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn locked(n: u64) -> u64 {
    let sum = Mutex::new(0);
    let feed = |range: std::ops::Range<u64>| {
        for x in range {
            work(&mut sum.lock().unwrap_or_else(PoisonError::into_inner), x);
        }
    };
    from_two_threads(n, feed, || ());
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn crossbeam_batches(n: u64) -> u64 {
    let (into, from) = crossbeam_channel::bounded::<Vec<u64>>(ROOM / BATCH);
    let mut sum = 0;
    let feed = move |range| {
        for part in cut(range) {
            into.send(part.collect()).expect("the receiver lives");
        }
    };
    from_two_threads(n, feed, || {
        from.iter().flatten().for_each(|x| work(&mut sum, x));
    });
    sum
}

fn crossbeam(n: u64) -> u64 {
    let (into, from) = crossbeam_channel::bounded(ROOM);
    let mut sum = 0;
    let feed = move |mut range: std::ops::Range<u64>| {
        range
            .try_for_each(|x| into.send(x))
            .expect("the receiver lives");
    };
    from_two_threads(n, feed, || from.iter().for_each(|x| work(&mut sum, x)));
    sum
}

fn tokio_batches(n: u64) -> u64 {
    let (into, mut from) = tokio::sync::mpsc::channel::<Vec<u64>>(ROOM / BATCH);
    let mut sum = 0;
    let feed = move |range| {
        for part in cut(range) {
            into.blocking_send(part.collect())
                .expect("the receiver lives");
        }
    };
    from_two_threads(n, feed, || {
        while let Some(batch) = from.blocking_recv() {
            batch.into_iter().for_each(|x| work(&mut sum, x));
        }
    });
    sum
}

fn tokio(n: u64) -> u64 {
    let (into, mut from) = tokio::sync::mpsc::channel(ROOM);
    let mut sum = 0;
    let feed = move |mut range: std::ops::Range<u64>| {
        range
            .try_for_each(|x| into.blocking_send(x))
            .expect("the receiver lives");
    };
    from_two_threads(n, feed, || {
        while let Some(x) = from.blocking_recv() {
            work(&mut sum, x);
        }
    });
    sum
}
