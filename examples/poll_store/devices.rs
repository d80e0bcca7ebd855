//! Simulated devices: most points are written at once, some late, some twice, some are corrected.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use headwater::prelude::*;
use headwater::timeseries::Point;
use headwater::timeseries::kairosdb::KairosDb;
use headwater::{BoxError, Retry};
use tokio::time::MissedTickBehavior;

use crate::ledger::{Key, key};
use crate::options::Pace;

/// What each device measures.
pub const METRICS: [&str; 3] = ["flow", "power", "temperature"];
const DEVICES: [&str; 4] = ["boiler", "heat pump", "hall", "solar"];

/// A point that comes late does so after this many others of its series.
const LATE: u32 = 9;

/// What was written.
#[derive(Default)]
pub struct Written {
    /// The last value of each point.
    pub points: BTreeMap<Key, Point>,
    pub late: u64,
    pub twice: u64,
    pub corrected: u64,
    /// Why the store never took some, if it did not.
    pub rejected: Vec<String>,
}

/// Writes for so long, and returns when the store has taken everything.
pub async fn run(client: KairosDb, pace: Pace, length: Duration) -> Result<Written, BoxError> {
    let graph = Graph::new();
    let points = graph.source::<Point>();
    let sink = client
        .point_sink()
        .max_batch(500)
        .max_age(pace.sample / 2)
        .retry(Retry::attempts(u32::MAX).fixed(pace.sample));
    let rejected = sink.write(&points).sink_to_list();
    let driver = graph.spawn();

    let (begin, now) = (SystemTime::now(), Instant::now());
    let mut written = Written::default();
    // By when they are due, in samples.
    let mut due: BTreeMap<(u32, usize), Point> = BTreeMap::new();
    let mut ticks = tokio::time::interval(pace.sample);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for sample in 0.. {
        ticks.tick().await;
        if now.elapsed() >= length {
            break;
        }
        let at = begin + pace.sample * sample;
        measure(sample, at, &mut due, &mut written);
        let later = due.split_off(&(sample + 1, 0));
        for point in std::mem::replace(&mut due, later).into_values() {
            write(&points, point, &mut written).await?;
        }
    }
    for point in due.into_values() {
        write(&points, point, &mut written).await?;
    }
    drop(points);
    driver.await?;
    written.rejected = rejected.take().iter().map(ToString::to_string).collect();
    Ok(written)
}

/// Waits while the store takes nothing.
async fn write(
    points: &Source<Point>,
    point: Point,
    written: &mut Written,
) -> Result<(), BoxError> {
    written.points.insert(key(&point), point.clone());
    points.send(point).await?;
    Ok(())
}

/// A value of each series, and when it is written.
fn measure(
    sample: u32,
    at: SystemTime,
    due: &mut BTreeMap<(u32, usize), Point>,
    written: &mut Written,
) {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let series = METRICS
        .iter()
        .flat_map(|m| DEVICES.iter().map(move |d| (m, d)));
    for (place, (metric, device)) in series.enumerate() {
        let value = value(metric, place, since.as_secs_f64());
        let point = |value: f64| {
            Point::new(*metric, since.as_millis() as i64, value).tagged([("device", *device)])
        };
        let mut put = |after: u32, value| {
            // Behind what else is due then.
            let order = due.len() + 12 * sample as usize;
            due.insert((sample + after, order), point(value));
        };
        // Every so often, and not of all series at once.
        let turn = sample as usize * 5 + place * 7;
        match turn {
            _ if turn % 17 == 3 => {
                written.late += 1;
                put(LATE, value);
            }
            _ if turn % 23 == 5 => {
                written.twice += 1;
                put(0, value);
                put(3, value);
            }
            _ if turn % 41 == 7 => {
                written.corrected += 1;
                put(0, value);
                put(6, value + 0.25);
            }
            _ => put(0, value),
        }
    }
}

/// Waves of different lengths; rounded, as devices do.
fn value(metric: &str, place: usize, seconds: f64) -> f64 {
    let phase = place as f64;
    let (base, swing, length) = match metric {
        "flow" => (12.0, 5.0, 2.7),
        "power" => (40.0, 35.0, 6.1),
        _ => (21.0, 2.5, 9.7),
    };
    let wave = (std::f64::consts::TAU * seconds / length + phase / 4.0).sin();
    let ripple = (seconds * 13.7 + phase).sin() * 0.1;
    ((base + swing * (wave + ripple)) * 100.0).round() / 100.0
}
