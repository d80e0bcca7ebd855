//! Threads that send: one value after the other, or in bursts.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

/// How many values a thread sends before it pauses: a busy service's, of a millisecond.
pub(crate) const BURST: u64 = 2_000;

/// More than the millisecond after which a pipeline's driver comes.
const PAUSE: Duration = Duration::from_micros(1_500);

/// How many bursts a thread has sent when the clock starts: of zeros, which add nothing to a sum. The first
/// bursts wait for memory and for threads to begin, which a service does once.
const BEFORE: u64 = 20;

/// What a thread is to send.
pub(crate) struct Values {
    numbers: Range<u64>,
    /// Which bits of the numbers: all or, for zeros, none.
    bits: u64,
}

impl Iterator for Values {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.numbers.next().map(|x| x & self.bits)
    }
}

fn all(numbers: Range<u64>) -> Values {
    let bits = u64::MAX;
    Values { numbers, bits }
}

fn zeros(n: u64) -> Values {
    let (numbers, bits) = (0..n, 0);
    Values { numbers, bits }
}

fn share(n: u64, thread: u64, threads: u64) -> Range<u64> {
    n * thread / threads..n * (thread + 1) / threads
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
    /// Has so many threads `send` the numbers up to `n`, each its share. Returns how long they were at it, where
    /// that is asked.
    pub(crate) fn run(self, n: u64, threads: u64, send: impl Fn(Values) + Sync) -> Duration {
        match self {
            Pace::AtOnce => {
                from_threads(n, threads, send);
                Duration::ZERO
            }
            Pace::InBursts => in_bursts(n, threads, send),
        }
    }
}

fn from_threads(n: u64, threads: u64, send: impl Fn(Values) + Sync) {
    if threads == 1 {
        return send(all(0..n));
    }
    thread::scope(|scope| {
        for thread in 0..threads {
            let send = &send;
            scope.spawn(move || send(all(share(n, thread, threads))));
        }
    });
}

/// As [`from_threads`], in bursts. Returns how long all threads were at it, added up, pauses left out: a
/// thread's time in a send is that by `n`.
fn in_bursts(n: u64, threads: u64, send: impl Fn(Values) + Sync) -> Duration {
    let burst = |values: Values| {
        let start = Instant::now();
        send(values);
        let took = start.elapsed();
        thread::sleep(PAUSE);
        took
    };
    let run = |mut left: Range<u64>| {
        for _ in 0..BEFORE {
            burst(zeros(BURST));
        }
        let mut took = Duration::ZERO;
        while !left.is_empty() {
            let end = left.end.min(left.start + BURST);
            took += burst(all(left.start..end));
            left.start = end;
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
