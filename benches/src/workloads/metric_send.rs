//! A value is sent to a metric on a kept handle, and by name, from one thread or several at once.

use std::collections::HashMap;
use std::hint::black_box;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use metrics::{CounterFn, HistogramFn, Key, Label};
use metrics_util::registry::{AtomicStorage, Registry};

use crate::target::within;
use crate::workload::{Role, Variant, Workload};
use crate::workloads::senders::{BURST, Pace};

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
/// something of what was sent. It sends [some](crate::workloads::senders) values, and pauses.
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
        .variant(Variant::clocked(
            "buffers and a thread",
            Role::Hand,
            move |n| buffers(n, threads),
        ))
        .variant(Variant::clocked("nothing shared", Role::Hand, move |n| {
            nothing_shared(n, threads)
        }))
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

/// One counter for all: the least that can be done, and what it costs that it is shared.
fn atomic(pace: Pace, n: u64, threads: u64) -> (u64, Duration) {
    let sum = AtomicU64::new(0);
    let took = pace.run(n, threads, |values| {
        values.for_each(|x| _ = sum.fetch_add(x, Ordering::Relaxed));
    });
    (sum.into_inner(), took)
}

/// As text: what many small libraries look values up by.
type NameAndTags = (String, Vec<(String, String)>);

/// Values by name and tags behind a lock, in the manner of many small libraries.
fn mutex_and_map(pace: Pace, n: u64, threads: u64) -> (u64, Duration) {
    let sums: Mutex<HashMap<NameAndTags, u64>> = Mutex::default();
    let took = pace.run(n, threads, |values| {
        for x in values {
            let tags = vec![("route".to_owned(), "/home".to_owned())];
            let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
            *sums.entry(("requests".to_owned(), tags)).or_default() += x;
        }
    });
    let sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    (sums.values().sum(), took)
}

/// A number, whose it is, and when it was sent.
type Entry = (u64, u64, u64);

/// A thread's buffer, on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Buffer(Mutex<Vec<Entry>>);

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a buffer takes before its sender has to wait.
const ROOM: usize = 16_384;

/// A buffer for each thread that sends, and one more thread, which empties them each millisecond and keeps the
/// time: the least of work for a sender whose values are aggregated by somebody else.
fn buffers(n: u64, threads: u64) -> (u64, Duration) {
    thread_local! {
        static SLOT: u64 = {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            NEXT.fetch_add(1, Ordering::Relaxed)
        };
    }
    let buffers: Vec<Buffer> = (0..threads).map(|_| Buffer::default()).collect();
    let (now, done) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let drain = scope.spawn(|| {
            let (mut sum, mut batch) = (0, Vec::new());
            loop {
                let last = done.load(Ordering::Acquire);
                for buffer in &buffers {
                    mem::swap(&mut *buffer.lock(), &mut batch);
                    sum += batch.drain(..).map(|(x, ..)| x).sum::<u64>();
                }
                if last {
                    return sum;
                }
                thread::sleep(Duration::from_millis(1));
                now.fetch_add(1, Ordering::Relaxed);
            }
        });
        let took = Pace::InBursts.run(n, threads, |values| {
            let buffer = &buffers[(SLOT.with(|slot| *slot) % threads) as usize];
            for x in values {
                let entry = (x, 1, now.load(Ordering::Relaxed));
                loop {
                    let mut entries = buffer.lock();
                    if entries.len() < ROOM {
                        entries.push(entry);
                        break;
                    }
                    drop(entries);
                    thread::yield_now();
                }
            }
        });
        done.store(true, Ordering::Release);
        (drain.join().expect("nothing panics"), took)
    })
}

/// A locked buffer for each thread, which empties it itself: nothing of a send is shared with anybody. What this
/// costs more from two threads than from one is the machine's doing, and nobody's who sends.
fn nothing_shared(n: u64, threads: u64) -> (u64, Duration) {
    let sum = AtomicU64::new(0);
    let took = Pace::InBursts.run(n, threads, |values| {
        // One burst of a thread's.
        let buffer = black_box(Buffer::default());
        buffer.lock().reserve(BURST as usize);
        for x in values {
            black_box(&buffer).lock().push((x, 1, 0));
        }
        let entries = buffer.lock();
        sum.fetch_add(entries.iter().map(|(x, ..)| x).sum(), Ordering::Relaxed);
    });
    (sum.into_inner(), took)
}

fn key() -> Key {
    Key::from_parts("requests", vec![Label::new("route", "/home")])
}

/// Adds up at once, in one place: there is nothing left to do.
fn counter(pace: Pace, n: u64, threads: u64) -> (u64, Duration) {
    let registry = Registry::new(AtomicStorage);
    let counter = registry.get_or_create_counter(&key(), Arc::clone);
    let took = pace.run(n, threads, |values| {
        values.for_each(|x| counter.increment(x));
    });
    (counter.load(Ordering::Relaxed), took)
}

fn counter_by_name(pace: Pace, n: u64, threads: u64) -> (u64, Duration) {
    let registry = Registry::new(AtomicStorage);
    let took = pace.run(n, threads, |values| {
        for x in values {
            registry.get_or_create_counter(&key(), |counter| counter.increment(x));
        }
    });
    let counter = registry.get_or_create_counter(&key(), Arc::clone);
    (counter.load(Ordering::Relaxed), took)
}

/// Keeps all values until somebody comes for them, which is here at the end.
fn histogram(pace: Pace, n: u64, threads: u64) -> (u64, Duration) {
    let registry = Registry::new(AtomicStorage);
    let histogram = registry.get_or_create_histogram(&key(), Arc::clone);
    let took = pace.run(n, threads, |values| {
        values.for_each(|x| histogram.record(x as f64));
    });
    let mut sum = 0.0;
    histogram.clear_with(|values| sum += values.iter().sum::<f64>());
    (sum as u64, took)
}
