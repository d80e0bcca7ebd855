//! The graph: from readings to anomalies.

use std::sync::mpsc::Sender;

use headwater::prelude::*;

use crate::simulate::{Anomaly, DEVICES, Reading};

/// Readings that a device is judged by.
pub const WINDOW: usize = 64;
/// How many standard deviations from its mean a reading must be.
pub const FAR: f64 = 5.0;

/// Builds the pipeline, which ends in `found`, and returns where readings go in.
pub fn build(graph: &Graph, found: Sender<Anomaly>) -> Source<Reading> {
    let readings = graph.source::<Reading>().named("readings");
    let value = |r: &Reading| r.value;
    readings
        .per_key(
            |r| r.device,
            Keys::max(DEVICES as usize),
            move |_, flow| {
                flow.rolling(WINDOW, (Mean.of(value), StdDev.of(value)))
                    .full()
                    .with_element()
                    .named("history")
            },
        )
        .named("devices")
        .map(|(reading, (mean, deviation))| Anomaly {
            reading,
            score: (reading.value - mean) / deviation,
        })
        .filter(|anomaly| anomaly.score.abs() > FAR)
        .sink(move |anomaly| {
            let _ = found.send(anomaly); // Nobody listens any more: nothing to do.
        })
        .named("found");
    readings
}
