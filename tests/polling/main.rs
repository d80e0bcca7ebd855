//! Polling streams: each point once, however often polls overlap, whatever comes late, fails or jumps.
//! Time is virtual.

#[path = "../virtual_time/mod.rs"]
mod virtual_time;
#[path = "../watched/mod.rs"]
mod watched;
#[path = "../world/mod.rs"]
mod world;

mod amounts;
mod clocks;
mod cursors;
mod failures;
mod graphs;
mod once;
mod options;
mod orders;
mod outlets;
mod rates;

use headwater::BoxError;
use headwater::timeseries::{MetricsStream, Point, Polled, Polling, StoreError};
use world::{NOON, SECOND, World, ready};

type Tested = Result<(), BoxError>;

fn polling(world: &World) -> Polling<World> {
    world::polling(world, world.clone())
}

fn point(seconds: i64, value: impl Into<headwater::timeseries::PointValue>) -> Point {
    Point::new("m", NOON + seconds * SECOND, value)
}

/// Seconds after noon, and whether it is late.
async fn come(stream: &mut MetricsStream) -> Vec<(i64, bool)> {
    let polled = ready(stream).await;
    let brief = |p: &Polled| ((p.point().millis() - NOON) / SECOND, p.is_late());
    polled.iter().map(brief).collect()
}

fn unplugged() -> StoreError {
    StoreError::retry("unplugged")
}
