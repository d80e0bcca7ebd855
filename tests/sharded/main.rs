//! The sharded source: what many threads send is gathered, drained in time, and never lost in silence.

#[path = "../watched/mod.rs"]
mod watched;

mod age;
mod closures;
mod coarse_time;
mod endings;
mod failures;
mod handing_over;
mod options;
mod pressure;
mod random_deeds;
mod topology;

use std::time::Duration;

use headwater::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// A sharded source on a graph that is driven by hand.
fn by_hand<T: Clone + Send + 'static>(shards: Shards) -> (headwater::Manual, Sharded<T>) {
    let graph = Graph::new();
    let time = graph.drive_manually();
    (time, graph.sharded(shards))
}
