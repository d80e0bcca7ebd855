//! Polling streams remember what they must, at 24 bytes a point and a little. Time is virtual.

mod world;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use headwater::timeseries::{Fetched, MetricsStream, Point, Polling, Range, Store, StoreError};
use world::{NOON, secs, unix};

const POINTS: i64 = 1_000_000;
const SERIES: i64 = 10;
/// Of a hundred points that come, 99 were seen.
const NEW: i64 = POINTS / 100;

/// A store with a point of each series a millisecond, that moves on by one in a hundred with each answer.
#[derive(Clone, Default)]
struct Dense {
    next: Arc<Mutex<Option<Fetched>>>,
}

impl Dense {
    /// Makes the answer in front of time.
    fn prepare(&self, poll: i64, by_time: bool) {
        let metric: Arc<str> = "m".into();
        let tags: Vec<_> = (0..SERIES)
            .map(|n| headwater::metrics::Tags::from([("series", n)]))
            .collect();
        let first = NOON - POINTS / SERIES * 2 + poll * NEW / SERIES;
        let mut points = Vec::with_capacity(POINTS as usize);
        for n in 0..POINTS {
            let (series, at) = match by_time {
                true => (n % SERIES, n / SERIES),
                false => (n / (POINTS / SERIES), n % (POINTS / SERIES)),
            };
            let point = Point::new(metric.clone(), first + at, (first + at) as f64);
            points.push(point.tagged(&tags[series as usize]));
        }
        *self.next.lock().unwrap() = Some(Fetched::new(points));
    }
}

impl Store for Dense {
    async fn fetch(&self, _: Range) -> Result<Fetched, StoreError> {
        Ok(self.next.lock().unwrap().take().unwrap_or_default())
    }
}

/// Has the stream poll once, and takes what is new.
async fn poll(stream: &mut MetricsStream, new: i64) {
    let control = stream.control();
    let interval = |interval| control.change_interval(interval).unwrap();
    interval(Duration::from_millis(1));
    assert!(stream.next().await.is_some());
    interval(secs(100_000));
    for _ in 1..new {
        assert!(stream.next().await.is_some());
    }
    assert_eq!(world::ready(stream).await.len(), 0);
}

#[test]
fn a_million_points_take_24_bytes_each_and_a_little() {
    let mut kept = None;
    let allocated = allocation_counter::measure(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let store = Dense::default();
        let stream = runtime.block_on(async {
            store.prepare(0, false);
            let mut stream = Polling::new(store.clone())
                .wall_clock(|| unix(NOON))
                .max_points(2 * POINTS as usize)
                .start()
                .unwrap();
            poll(&mut stream, POINTS).await;
            stream
        });
        kept = Some((runtime, store, stream));
    });
    let (runtime, store, mut stream) = kept.unwrap();
    let stats = stream.control().stats();
    assert_eq!(stats.remembered, POINTS as usize);
    assert_eq!(stats.unacknowledged, 0);
    let bytes = allocated.bytes_current as f64 / POINTS as f64;
    eprintln!("{bytes:.1} bytes a point");
    assert!(bytes < 48.0, "{bytes} bytes a point");
    for round in 1..=8 {
        let by_time = round % 2 == 0;
        store.prepare(round, by_time);
        let begun = Instant::now();
        runtime.block_on(poll(&mut stream, NEW));
        let nanos = begun.elapsed().as_nanos() as f64 / POINTS as f64;
        let order = if by_time { "by time" } else { "by series" };
        eprintln!("{nanos:.1} ns a point, of which 99 in 100 were seen, {order}");
    }
    let begun = Instant::now();
    let cursor = stream.control().cursor();
    eprintln!("cursor of {} points: {:?}", cursor.len(), begun.elapsed());
    let bytes = cursor.to_bytes();
    let size = bytes.len() / cursor.len();
    eprintln!("as bytes: {:?} in all, {size} a point", begun.elapsed());
    assert_eq!(
        headwater::timeseries::Cursor::from_bytes(&bytes).unwrap(),
        cursor
    );
}
