//! A value is sent to a metric on a kept handle, and by name, from one thread or several at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use metrics::{CounterFn, HistogramFn, Key, Label};
use metrics_util::registry::{AtomicStorage, Registry};

use crate::target::within;
use crate::workload::{Role, Variant, Workload};

/// The workload on so many threads, without headwater's rows.
pub(crate) fn workload(threads: u64) -> Workload {
    let (name, what) = match threads {
        1 => ("metric_send", "a value to a metric, from one thread"),
        2 => (
            "metric_send_two_threads",
            "a value to a metric, from two threads at once",
        ),
        _ => (
            "metric_send_four_threads",
            "a value to a metric, from four threads at once",
        ),
    };
    let loops = Variant::with("loop", Role::Hand, move |n| atomic(n, threads));
    let mut workload = Workload::new(name, what, loops)
        .variant(Variant::with(
            "mutex and map, by name",
            Role::Hand,
            move |n| mutex_and_map(n, threads),
        ))
        .variant(Variant::with("metrics counter", Role::Peer, move |n| {
            counter(n, threads)
        }))
        .variant(Variant::with(
            "metrics counter, by name",
            Role::Peer,
            move |n| counter_by_name(n, threads),
        ))
        .variant(Variant::with("metrics histogram", Role::Peer, move |n| {
            histogram(n, threads)
        }))
        .target(within("headwater handle", 10.0));
    workload.countable = threads == 1;
    workload
}

/// Runs `send` for each of `n` values, on so many threads, each with its share.
pub(crate) fn from_threads(n: u64, threads: u64, send: impl Fn(u64) + Sync) {
    let share = |thread: u64| n * thread / threads..n * (thread + 1) / threads;
    if threads == 1 {
        return share(0).for_each(send);
    }
    thread::scope(|scope| {
        for thread in 0..threads {
            let send = &send;
            scope.spawn(move || share(thread).for_each(send));
        }
    });
}

/// One counter for all: the least that can be done, and what it costs that it is shared.
fn atomic(n: u64, threads: u64) -> u64 {
    let sum = AtomicU64::new(0);
    from_threads(n, threads, |x| {
        sum.fetch_add(x, Ordering::Relaxed);
    });
    sum.into_inner()
}

/// Values by name and tags behind a lock, in the manner of many small libraries.
fn mutex_and_map(n: u64, threads: u64) -> u64 {
    let sums: Mutex<HashMap<(String, Vec<(String, String)>), u64>> = Mutex::default();
    from_threads(n, threads, |x| {
        let tags = vec![("route".to_owned(), "/home".to_owned())];
        let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
        *sums.entry(("requests".to_owned(), tags)).or_default() += x;
    });
    let sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    sums.values().sum()
}

fn key() -> Key {
    Key::from_parts("requests", vec![Label::new("route", "/home")])
}

fn counter(n: u64, threads: u64) -> u64 {
    let registry = Registry::new(AtomicStorage);
    let counter = registry.get_or_create_counter(&key(), Arc::clone);
    from_threads(n, threads, |x| counter.increment(x));
    counter.load(Ordering::Relaxed)
}

fn counter_by_name(n: u64, threads: u64) -> u64 {
    let registry = Registry::new(AtomicStorage);
    from_threads(n, threads, |x| {
        registry.get_or_create_counter(&key(), |counter| counter.increment(x));
    });
    let counter = registry.get_or_create_counter(&key(), Arc::clone);
    counter.load(Ordering::Relaxed)
}

fn histogram(n: u64, threads: u64) -> u64 {
    let registry = Registry::new(AtomicStorage);
    let histogram = registry.get_or_create_histogram(&key(), Arc::clone);
    from_threads(n, threads, |x| histogram.record(x as f64));
    let mut sum = 0.0;
    histogram.clear_with(|values| sum += values.iter().sum::<f64>());
    sum as u64
}
