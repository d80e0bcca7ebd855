//! A value is sent to a metric on a kept handle, and by name, from one thread or several at once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use metrics::{CounterFn, HistogramFn, Key, Label};
use metrics_util::registry::{AtomicStorage, Registry};

use crate::target::within;
use crate::workload::{Role, Variant, Workload};

/// The workload on so many threads, without headwater's rows: everything counts, up to a sum. Whoever sends
/// does that work, too, and the time is that of all threads together.
pub(crate) fn workload(threads: u64) -> Workload {
    let (name, what) = match threads {
        1 => (
            "metric_send",
            "a value to a metric, and all that comes of it, from one thread",
        ),
        2 => (
            "metric_send_two_threads",
            "a value to a metric, and all that comes of it, from two threads at once",
        ),
        _ => (
            "metric_send_four_threads",
            "a value to a metric, and all that comes of it, from four threads at once",
        ),
    };
    let loops = Variant::with("loop", Role::Hand, move |n| {
        atomic(Pace::AtOnce, n, threads).0
    });
    let mut workload = Workload::new(name, what, loops)
        .variant(Variant::with(
            "mutex and map, by name",
            Role::Hand,
            move |n| mutex_and_map(Pace::AtOnce, n, threads).0,
        ))
        .variant(Variant::with("metrics counter", Role::Peer, move |n| {
            counter(Pace::AtOnce, n, threads).0
        }))
        .variant(Variant::with(
            "metrics counter, by name",
            Role::Peer,
            move |n| counter_by_name(Pace::AtOnce, n, threads).0,
        ))
        .variant(Variant::with("metrics histogram", Role::Peer, move |n| {
            histogram(Pace::AtOnce, n, threads).0
        }))
        .target(within("headwater handle", 10.0));
    workload.countable = threads == 1;
    workload
}

/// What a thread of a service sees of it: the time that it spends in a send, where somebody else makes
/// something of what was sent. It sends [`BURST`] values, and pauses.
pub(crate) fn of_the_sender(threads: u64) -> Workload {
    let (name, what) = match threads {
        1 => (
            "metric_sender",
            "a thread's time in a send, while another one aggregates: one thread",
        ),
        2 => (
            "metric_sender_two_threads",
            "a thread's time in a send, while another one aggregates: two threads",
        ),
        _ => (
            "metric_sender_four_threads",
            "a thread's time in a send, while another one aggregates: four threads",
        ),
    };
    let loops = Variant::clocked("loop", Role::Hand, move |n| {
        atomic(Pace::InBursts, n, threads)
    });
    let mut workload = Workload::new(name, what, loops)
        .variant(Variant::clocked(
            "mutex and map, by name",
            Role::Hand,
            move |n| mutex_and_map(Pace::InBursts, n, threads),
        ))
        .variant(Variant::clocked("metrics counter", Role::Peer, move |n| {
            counter(Pace::InBursts, n, threads)
        }))
        .variant(Variant::clocked(
            "metrics counter, by name",
            Role::Peer,
            move |n| counter_by_name(Pace::InBursts, n, threads),
        ))
        .variant(Variant::clocked(
            "metrics histogram",
            Role::Peer,
            move |n| histogram(Pace::InBursts, n, threads),
        ))
        .target(within("headwater handle", 10.0));
    // The pauses would be counted, too, and the other thread.
    workload.countable = false;
    workload
}

fn share(n: u64, thread: u64, threads: u64) -> Range<u64> {
    n * thread / threads..n * (thread + 1) / threads
}

/// Runs `send` for each of `n` values, on so many threads, each with its share.
fn from_threads(n: u64, threads: u64, send: impl Fn(u64) + Sync) {
    if threads == 1 {
        return share(n, 0, 1).for_each(send);
    }
    thread::scope(|scope| {
        for thread in 0..threads {
            let send = &send;
            scope.spawn(move || share(n, thread, threads).for_each(send));
        }
    });
}

/// How many values a thread sends before it pauses: a busy service's, of a millisecond.
const BURST: u64 = 2_000;

/// More than the millisecond after which a pipeline's driver comes.
const PAUSE: Duration = Duration::from_micros(1_500);

/// How many bursts a thread has sent when the clock starts: of zeros, which add nothing to a sum. The first
/// bursts wait for memory and for threads to begin, which a service does once.
const BEFORE: u64 = 20;

/// As [`from_threads`], in bursts. Returns how long all threads were at it, added up, pauses left out: a
/// thread's time in a send is that by `n`.
fn in_bursts(n: u64, threads: u64, send: impl Fn(u64) + Sync) -> Duration {
    let run = |mut left: Range<u64>| {
        for _ in 0..BEFORE {
            (0..BURST).for_each(|_| send(0));
            thread::sleep(PAUSE);
        }
        let mut took = Duration::ZERO;
        while !left.is_empty() {
            let burst = left.start..left.end.min(left.start + BURST);
            left.start = burst.end;
            let start = Instant::now();
            burst.for_each(&send);
            took += start.elapsed();
            thread::sleep(PAUSE);
        }
        took
    };
    thread::scope(|scope| {
        let run = &run;
        let threads = (0..threads).map(|at| share(n, at, threads));
        let threads: Vec<_> = threads
            .map(|share| scope.spawn(move || run(share)))
            .collect();
        let took = threads.into_iter().map(|thread| thread.join());
        took.map(|took| took.expect("nothing panics")).sum()
    })
}

/// How values are sent.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// One after the other.
    AtOnce,
    /// With pauses, which are not timed.
    InBursts,
}

impl Pace {
    /// Runs `send` for each of `n` values. Returns how long the threads were at it, where that is asked.
    pub(crate) fn run(self, n: u64, threads: u64, send: impl Fn(u64) + Sync) -> Duration {
        match self {
            Pace::AtOnce => {
                from_threads(n, threads, send);
                Duration::ZERO
            }
            Pace::InBursts => in_bursts(n, threads, send),
        }
    }
}

/// One counter for all: the least that can be done, and what it costs that it is shared.
fn atomic(pace: Pace, n: u64, threads: u64) -> (u64, Duration) {
    let sum = AtomicU64::new(0);
    let took = pace.run(n, threads, |x| {
        sum.fetch_add(x, Ordering::Relaxed);
    });
    (sum.into_inner(), took)
}

/// As text: what many small libraries look values up by.
type NameAndTags = (String, Vec<(String, String)>);

/// Values by name and tags behind a lock, in the manner of many small libraries.
fn mutex_and_map(pace: Pace, n: u64, threads: u64) -> (u64, Duration) {
    let sums: Mutex<HashMap<NameAndTags, u64>> = Mutex::default();
    let took = pace.run(n, threads, |x| {
        let tags = vec![("route".to_owned(), "/home".to_owned())];
        let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
        *sums.entry(("requests".to_owned(), tags)).or_default() += x;
    });
    let sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    (sums.values().sum(), took)
}

fn key() -> Key {
    Key::from_parts("requests", vec![Label::new("route", "/home")])
}

/// Adds up at once, in one place: there is nothing left to do.
fn counter(pace: Pace, n: u64, threads: u64) -> (u64, Duration) {
    let registry = Registry::new(AtomicStorage);
    let counter = registry.get_or_create_counter(&key(), Arc::clone);
    let took = pace.run(n, threads, |x| counter.increment(x));
    (counter.load(Ordering::Relaxed), took)
}

fn counter_by_name(pace: Pace, n: u64, threads: u64) -> (u64, Duration) {
    let registry = Registry::new(AtomicStorage);
    let took = pace.run(n, threads, |x| {
        registry.get_or_create_counter(&key(), |counter| counter.increment(x));
    });
    let counter = registry.get_or_create_counter(&key(), Arc::clone);
    (counter.load(Ordering::Relaxed), took)
}

/// Keeps all values until somebody comes for them, which is here at the end.
fn histogram(pace: Pace, n: u64, threads: u64) -> (u64, Duration) {
    let registry = Registry::new(AtomicStorage);
    let histogram = registry.get_or_create_histogram(&key(), Arc::clone);
    let took = pace.run(n, threads, |x| histogram.record(x as f64));
    let mut sum = 0.0;
    histogram.clear_with(|values| sum += values.iter().sum::<f64>());
    (sum as u64, took)
}
