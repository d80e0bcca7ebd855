//! Short words for tests of keyed state.

use std::time::Duration;

use headwater::NodeSnapshot;
use headwater::prelude::*;

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a node shows.
pub(crate) fn node(graph: &Graph, title: &str) -> NodeSnapshot {
    graph.snapshot().unwrap().named(title).unwrap().clone()
}

pub(crate) fn decade(x: &u32) -> u32 {
    x / 10
}
