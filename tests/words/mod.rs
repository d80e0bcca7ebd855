//! Short words for tests of operators.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::time::Duration;

use headwater::prelude::*;
use headwater::{Manual, NodeSnapshot, OnError};

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a node shows.
pub(crate) fn node(graph: &Graph, title: &str) -> NodeSnapshot {
    graph.snapshot().unwrap().named(title).unwrap().clone()
}

/// A graph in virtual time that prints no failures.
pub(crate) fn quiet() -> (Graph, Manual) {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let time = graph.drive_manually();
    (graph, time)
}

pub(crate) fn decade(x: &u32) -> u32 {
    x / 10
}
