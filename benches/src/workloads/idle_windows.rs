//! Ten thousand windows of 100 ms through which nothing flows: what does one tick cost?
//!
//! Time is virtual everywhere, so that ticks cost and waiting does not. A run of `n` steps is `n` ticks,
//! and its checksum is how many there were.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;

use tokio::time::{Instant, interval_at};

use crate::target::within;
use crate::workload::{Role, Variant, Workload};

/// Windows in the graph.
pub(crate) const WINDOWS: u64 = 10_000;
/// How long each window is.
pub(crate) const PERIOD: Duration = Duration::from_millis(100);
/// How much later than the one before each window starts: their deadlines lie evenly over a period, so
/// no tick shares its wake with many others.
pub(crate) const STAGGER: Duration = Duration::from_micros(10);

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "10 000 idle windows of 100 ms, virtual time";
    let heap = Variant::prepared("loop", Role::Hand, heap);
    let mut workload = Workload::new("idle_windows", what, heap)
        .variant(Variant::prepared("tokio intervals", Role::Peer, tokio))
        .target(within("headwater idle windows", 100.0));
    workload.unit = "tick";
    workload
}

/// A heap of deadlines.
fn heap(ticks: u64) -> impl FnOnce() -> u64 {
    let nanos = |time: Duration| time.as_nanos() as u64;
    let first = |window| Reverse((nanos(PERIOD) + window * nanos(STAGGER), window));
    let mut deadlines: BinaryHeap<_> = (0..WINDOWS).map(first).collect();
    move || {
        let mut ticked = 0;
        while ticked < ticks
            && let Some(Reverse((deadline, window))) = deadlines.pop()
        {
            black_box(window);
            ticked += 1;
            deadlines.push(Reverse((deadline + nanos(PERIOD), window)));
        }
        ticked
    }
}

/// A task with an interval for each window, on tokio's paused clock, which jumps from timer to timer.
fn tokio(ticks: u64) -> impl FnOnce() -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O always builds");
    let windows = runtime.block_on(async {
        let start = Instant::now() + PERIOD;
        let window = |at: u64| {
            let mut interval = interval_at(start + STAGGER * at as u32, PERIOD);
            let share = ticks / WINDOWS + u64::from(at < ticks % WINDOWS);
            tokio::spawn(async move {
                for _ in 0..share {
                    interval.tick().await;
                }
                share
            })
        };
        (0..WINDOWS).map(window).collect::<Vec<_>>()
    });
    move || {
        runtime.block_on(async {
            let mut ticked = 0;
            for window in windows {
                ticked += window.await.expect("no window panics");
            }
            ticked
        })
    }
}
