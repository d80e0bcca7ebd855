//! The graph: from samples to what is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater::prelude::*;
use headwater::union;

use crate::sample::{Kind, Sample, Tag};

const SECOND: Duration = Duration::from_secs(1);
/// Ten seconds of samples.
const LONG: usize = 100;

/// What the screen is told.
#[derive(Clone, Debug)]
pub enum News {
    /// A second's figures, by tag.
    Table(Vec<Row>),
    /// The processor over the last ten seconds: mean and peak, in percent.
    Load { mean: f64, peak: f64 },
    /// The processor got busy, or calm.
    Alert(Alert),
    /// Samples in the last second.
    Throughput(u64),
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    pub tag: Tag,
    pub mean: f64,
    pub peak: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alert {
    Calm,
    Busy,
    Overloaded,
}

/// Builds the pipeline, which ends in `show`, and returns where samples go in.
pub fn build(graph: &Graph, show: impl FnMut(News) + Send + 'static) -> Source<Sample> {
    let samples = graph.source::<Sample>().named("samples");
    let valid = samples
        .filter(|s| s.value.is_finite())
        .share()
        .named("valid");

    // A table a second: mean and peak of each tag.
    let table = valid.timed_window(SECOND).map(by_tag).map(News::Table);

    // The processor as a whole: rolling mean and peak, side by side.
    let cpu = valid
        .filter(|s| s.tag.kind == Kind::Cpu)
        .map(|s| s.value)
        .share()
        .named("processor");
    let load = cpu
        .rolling(LONG, Mean)
        .zip(cpu.rolling(LONG, Max))
        .share()
        .named("load");
    let shown = load.map(|(mean, peak)| News::Load { mean, peak });

    // An alert when its state changes, not ten times a second.
    let alerts = load.map(|(mean, _)| alert(mean)).dedup().map(News::Alert);

    let throughput = valid.fold_window(SECOND, Count).map(News::Throughput);

    union((table, shown, alerts, throughput))
        .sink(show)
        .named("screen");
    samples
}

fn by_tag(window: Vec<Sample>) -> Vec<Row> {
    let mut tags: BTreeMap<Tag, Vec<f64>> = BTreeMap::new();
    for sample in window {
        tags.entry(sample.tag).or_default().push(sample.value);
    }
    tags.into_iter()
        .filter_map(|(tag, values)| {
            let (mean, peak) = (Mean, Max).fold(&values)?;
            Some(Row { tag, mean, peak })
        })
        .collect()
}

fn alert(mean: f64) -> Alert {
    match mean {
        mean if mean > 90.0 => Alert::Overloaded,
        mean if mean > 50.0 => Alert::Busy,
        _ => Alert::Calm,
    }
}
