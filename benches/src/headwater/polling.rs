//! An answer of a polled store, of whose points 99 in 100 were in the answer before.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use headwater::metrics::Tags;
use headwater::timeseries::{Fetched, MetricsStream, Point, Polling, Range, Store, StoreError};
use tokio::runtime::Runtime;

use crate::workload::{Role, Variant, Workload};
use crate::workloads::polling::{SERIES, times};

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload
        .variant(Variant::prepared("headwater, by series", Role::Ours, |n| {
            poll(n, false)
        }))
        .variant(Variant::prepared("headwater, by time", Role::Ours, |n| {
            poll(n, true)
        }))
}

/// What it answers next.
#[derive(Clone, Default)]
struct Ready(Arc<Mutex<Option<Fetched>>>);

impl Store for Ready {
    async fn fetch(&self, _: Range) -> Result<Fetched, StoreError> {
        let mut next = self.0.lock().expect("nothing panics");
        Ok(next.take().unwrap_or_default())
    }
}

/// Within the buffer of what the clock shows, however many there are.
const EPOCH: u64 = 1_700_000_000_000;

fn answer(n: u64, answer: u64, by_time: bool) -> Fetched {
    let metric: Arc<str> = "power".into();
    let tags: Vec<_> = (0..SERIES).map(|n| Tags::from([("series", n)])).collect();
    let point = |series: u64, time: u64| {
        let millis = (EPOCH + time) as i64;
        Point::new(metric.clone(), millis, time as f64).tagged(&tags[series as usize])
    };
    match by_time {
        true => {
            let rows = times(n, answer);
            Fetched::new(
                rows.flat_map(|time| (0..SERIES).map(move |s| (s, time)))
                    .map(|(s, t)| point(s, t)),
            )
        }
        false => {
            let series = 0..SERIES;
            Fetched::new(
                series
                    .flat_map(|s| times(n, answer).map(move |t| (s, t)))
                    .map(|(s, t)| point(s, t)),
            )
        }
    }
}

/// The first answer is not timed. The second one is: from the request until all that is new was taken.
fn poll(n: u64, by_time: bool) -> impl FnOnce() -> u64 {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().expect("a runtime");
    let store = Ready::default();
    let clock = SystemTime::UNIX_EPOCH + Duration::from_millis(EPOCH) + 5 * HOUR;
    let put = {
        let store = store.clone();
        move |which| *store.0.lock().expect("nothing panics") = Some(answer(n, which, by_time))
    };
    put(0);
    let polling = Polling::new(store)
        .wall_clock(move || clock)
        .buffer(6 * HOUR)
        .chunk(24 * HOUR)
        .max_points(usize::MAX);
    let entered = runtime.enter();
    let mut stream = polling.every(24 * HOUR).start().expect("it makes sense");
    let first = SERIES * times(n, 0).count() as u64;
    runtime.block_on(take(&mut stream, first));
    put(1);
    drop(entered);
    move || timed(runtime, stream, n)
}

const HOUR: Duration = Duration::from_secs(3600);

fn timed(runtime: Runtime, mut stream: MetricsStream, n: u64) -> u64 {
    let new = SERIES * (times(n, 1).end - times(n, 0).end);
    let at_once = stream.control().change_interval(Duration::from_millis(1));
    at_once.expect("it is a millisecond");
    runtime.block_on(take(&mut stream, new))
}

/// Takes so many points; returns the sum of their times.
async fn take(stream: &mut MetricsStream, count: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..count {
        let polled = stream.next().await.expect("there are so many");
        sum += polled.point().millis() as u64 - EPOCH;
    }
    sum
}
