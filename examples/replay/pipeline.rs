//! Two graphs: one replays, the other analyses, and does not know whether it is live.

use std::time::Duration;

use headwater::prelude::*;
use headwater::{Speed, union};

use crate::recording::Reading;

pub const WINDOW: Duration = Duration::from_secs(10);
/// Readings of one sensor that its rolling mean is of.
pub const RECENT: usize = 10;

/// What the analysis finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// Number, mean and peak of the readings of ten seconds.
    Window(u64, f64, f64),
    /// How much warmer the outlet is than the inlet, by rolling means.
    Rise(f64),
}

/// Plays the recording into `analysis`, as fast as `speed` says on the graph's clock.
pub fn replay(graph: &Graph, recording: Vec<Reading>, speed: Speed, analysis: Source<Reading>) {
    graph
        .from_iter(recording)
        .pace(|reading| reading.at, speed)
        .try_sink(move |reading| Ok(analysis.emit(reading)?))
        .named("player");
}

/// Builds the analysis, which ends in `show`, and returns where readings go in. Its time is theirs:
/// a window holds what was measured within ten seconds, however fast the readings come.
pub fn analyse(show: impl FnMut(Figure) + Send + 'static) -> Source<Reading> {
    let readings = Source::<Reading>::new();
    readings.lead_clock(|reading| reading.at);
    let windows = readings
        .map(|reading| reading.value)
        .fold_window(WINDOW, (Count, Mean, Max))
        .map(|(count, mean, peak)| Figure::Window(count, mean, peak));
    let rise = recent(&readings, "inlet")
        .combine_latest(recent(&readings, "outlet"))
        .map(|(inlet, outlet)| Figure::Rise(outlet - inlet))
        .sample(WINDOW);
    union((windows, rise)).sink(show).named("screen");
    readings
}

fn recent(readings: &Source<Reading>, sensor: &'static str) -> impl Run<Item = f64> + use<> {
    let one = readings.filter(move |reading| reading.sensor == sensor);
    one.map(|reading| reading.value).rolling(RECENT, Mean)
}
