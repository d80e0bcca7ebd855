//! What a pipeline has done so far, for people and programs.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use super::aggregate::Running;
use super::delivery::Fate;
use super::shown::Shown;
use super::sink::Delivery;
use crate::{GraphError, Loss, NodeId, NodeSnapshot, Snapshot};

/// What a pipeline has done so far: what went in and out, was dropped, is held, for each metric and each
/// sink. Printed, it is two tables.
#[derive(Debug, Clone)]
pub struct PipelineSnapshot {
    /// The metrics, in the order in which they were added.
    pub metrics: Vec<MetricSnapshot>,
    /// The sinks, by name, and then those that were [removed](SinkSnapshot::removed).
    pub sinks: Vec<SinkSnapshot>,
    /// Values that handles could not send, as the buffer of their thread was full.
    pub overflow: u64,
    /// Values that wait to enter the graph.
    pub waiting: u64,
    /// Values that came after the shutdown, or after the pipeline was [broken](PipelineSnapshot::broken).
    pub refused: u64,
    /// Values that recorders of the facade of the crate `metrics` (feature `facade`) refused: for names of another
    /// kind, or beyond the number that there may be.
    pub refused_by_facade: u64,
    /// Values that still waited to enter the graph when the time of a shutdown was over.
    pub given_up: u64,
    /// Why nothing goes on: something in a branch of [one's own](super::MetricsPipeline::elements) panicked, or
    /// failed where that stops the graph; or the runtime that drove the pipeline has gone. Or why the graph could not be asked just now: by a closure in it. What
    /// it counts is missing then: what waits to enter it, was refused there, and came for sinks.
    pub broken: Option<GraphError>,
}

/// What became of the values of one metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSnapshot {
    /// Its name.
    pub name: String,
    /// How many values came.
    pub values: u64,
    /// How many elements its aggregators made.
    pub elements: u64,
    /// How many sets of tags are known.
    pub tag_sets: usize,
    /// Values whose tags were too many, and were aggregated together.
    pub overflow: u64,
    /// Values that came late.
    pub late: u64,
    /// Of these, how many were dropped for it.
    pub dropped: u64,
    /// How often an aggregator failed for a group.
    pub failed: u64,
    /// Since when no window or batch has passed without such a failure, if the last one had some.
    pub failing_since: Option<SystemTime>,
    /// What it said the last time.
    pub last_failure: Option<String>,
    /// Values in the window or batch that is under way; what [gauges](super::Gauge) carried into it is among
    /// them.
    pub held: u64,
    /// Windows that were emitted before their time was over, as they had
    /// [as many values](super::Metric::max_values) as they may keep.
    pub early: u64,
}

/// What became of the elements for one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSnapshot {
    /// Its name.
    pub name: String,
    /// What it promises.
    pub delivery: Delivery,
    /// How many elements came for it.
    pub elements: u64,
    /// How many are delivered.
    pub delivered: u64,
    /// How many it, or its receiver, will never take.
    pub rejected: u64,
    /// How many may have arrived or not, as their delivery broke off and the sink promises to deliver
    /// [at most once](Delivery::AtMostOnce).
    pub unknown: u64,
    /// How many were given up: attempts to deliver them ended, or the pipeline was shut down.
    pub given_up: u64,
    /// How many did not fit into its buffer.
    pub overflow: u64,
    /// How many wait, or are under way.
    pub held: u64,
    /// How many attempts failed. One that delivered some elements and rejected the others did not.
    pub failures: u64,
    /// Since when no attempt has succeeded, if the last one failed.
    pub failing_since: Option<SystemTime>,
    /// What the last failure said, or the last attempt that rejected elements.
    pub last_error: Option<String>,
    /// Whether it was [removed](super::MetricsPipeline::remove_sink), and delivers what it was given before. When
    /// it has done so it is in no snapshot any more; one that had not when the pipeline ended is.
    pub removed: bool,
    /// How many elements a sink that delivers at most once is at just now.
    at_risk: u64,
}

impl PipelineSnapshot {
    pub(super) fn new(
        metrics: &[Arc<Running>],
        mut sinks: Vec<(SinkSnapshot, Option<NodeId>)>,
        graph: Option<&Snapshot>,
        samples: Option<&NodeSnapshot>,
    ) -> PipelineSnapshot {
        for (sink, buffer) in &mut sinks {
            if let Some(buffer) = buffer {
                sink.came(graph.and_then(|graph| graph.node(*buffer)));
            }
        }
        PipelineSnapshot {
            metrics: metrics.iter().map(|metric| of_metric(metric)).collect(),
            sinks: sinks.into_iter().map(|(sink, _)| sink).collect(),
            overflow: samples.map_or(0, |node| node.counts.lost(Loss::Overflow)),
            waiting: samples.map_or(0, |node| node.counts.held),
            refused: samples.map_or(0, |node| node.counts.lost(Loss::Unheard)),
            refused_by_facade: 0,
            given_up: 0,
            broken: None,
        }
    }

    /// What sinks hold will never be delivered.
    pub(super) fn give_up(&mut self) {
        self.sinks.iter_mut().for_each(SinkSnapshot::give_up);
    }

    /// The metric of this name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&MetricSnapshot> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The sink of this name; of several, the one that was not [removed](SinkSnapshot::removed).
    #[must_use]
    pub fn sink(&self, name: &str) -> Option<&SinkSnapshot> {
        self.sinks.iter().find(|sink| sink.name == name)
    }
}

impl SinkSnapshot {
    /// Nothing of what it holds will be delivered. What it is at may have been.
    pub(super) fn give_up(&mut self) {
        let held = std::mem::take(&mut self.held);
        let unknown = std::mem::take(&mut self.at_risk).min(held);
        self.unknown += unknown;
        self.given_up += held - unknown;
    }

    /// The same, as that of a sink that was removed.
    pub(super) fn once_removed(self) -> SinkSnapshot {
        SinkSnapshot {
            removed: true,
            ..self
        }
    }

    /// Adds what came in, by its buffer.
    pub(super) fn came(&mut self, buffer: Option<&NodeSnapshot>) {
        let Some(NodeSnapshot { counts, .. }) = buffer else {
            return;
        };
        self.elements = counts.passed;
        // What failed for want of room is reported by the buffer where too many such failures wait.
        self.overflow += counts.lost(Loss::Overflow) + counts.failed;
        let SinkSnapshot {
            delivered,
            rejected,
            unknown,
            given_up,
            overflow,
            ..
        } = *self;
        let out = delivered + rejected + unknown + given_up + overflow;
        self.held = self.elements.saturating_sub(out);
    }
}

pub(super) fn of_metric(metric: &Running) -> MetricSnapshot {
    let counts = &metric.counts;
    let failing = counts.failing.lock();
    let failing = failing.unwrap_or_else(PoisonError::into_inner).clone();
    // First, so that it is not more than what came in.
    let finished = counts.finished.load(Relaxed);
    MetricSnapshot {
        name: metric.recipe.described.name().to_owned(),
        values: counts.values.load(Relaxed),
        elements: counts.elements.load(Relaxed),
        tag_sets: metric.series.len(),
        overflow: counts.overflow.load(Relaxed),
        late: counts.late.load(Relaxed),
        dropped: counts.dropped.load(Relaxed),
        failed: counts.failed.load(Relaxed),
        failing_since: failing.since,
        last_failure: failing.last,
        held: counts.gathered.load(Relaxed).saturating_sub(finished),
        early: counts.early.load(Relaxed),
    }
}

/// What went out to a sink.
pub(super) fn of_sink(fate: &Fate) -> SinkSnapshot {
    let trouble = fate.trouble.lock().unwrap_or_else(PoisonError::into_inner);
    SinkSnapshot {
        name: fate.name.clone(),
        delivery: fate.delivery,
        elements: 0,
        delivered: fate.delivered.load(Relaxed),
        rejected: fate.rejected.load(Relaxed),
        unknown: fate.unknown.load(Relaxed),
        given_up: fate.given_up.load(Relaxed),
        overflow: fate.unfit.load(Relaxed),
        held: 0,
        failures: fate.failures.load(Relaxed),
        failing_since: trouble.failing_since,
        last_error: trouble.last_error.clone(),
        removed: false,
        at_risk: fate.at_risk.load(Relaxed),
    }
}

/// How wide the column of names is: as the longest of them, if that is not absurd, so that all columns stand
/// below each other.
fn width(names: &[impl AsRef<str>]) -> usize {
    let lengths = names.iter().map(|name| name.as_ref().chars().count());
    lengths.max().unwrap_or_default().clamp(24, 60)
}

/// What went wrong the last time, and for how long by now.
fn trouble(
    f: &mut fmt::Formatter<'_>,
    since: Option<SystemTime>,
    last: Option<&String>,
) -> fmt::Result {
    let Some(last) = last else { return Ok(()) };
    match since {
        Some(since) => {
            let ago = since.elapsed().unwrap_or_default().as_secs();
            writeln!(f, "    has been failing for {ago} s: {}", Shown(last))
        }
        None => writeln!(f, "    the last failure: {}", Shown(last)),
    }
}

impl PipelineSnapshot {
    fn metrics_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.metrics.iter().map(|metric| &*metric.name).collect();
        let width = width(&names);
        writeln!(
            f,
            "{:<width$} {:>12} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "metric",
            "values",
            "held",
            "elements",
            "tag sets",
            "overflow",
            "late",
            "dropped",
            "failed",
            "early"
        )?;
        for m in &self.metrics {
            writeln!(
                f,
                "{:<width$} {:>12} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
                m.name,
                m.values,
                m.held,
                m.elements,
                m.tag_sets,
                m.overflow,
                m.late,
                m.dropped,
                m.failed,
                m.early
            )?;
            trouble(f, m.failing_since, m.last_failure.as_ref())?;
        }
        Ok(())
    }

    fn sinks_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.sinks.iter().map(SinkSnapshot::shown_name).collect();
        let width = width(&names);
        writeln!(
            f,
            "{:<width$} {:>12} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9}",
            "sink", "elements", "held", "delivered", "overflow", "rejected", "given up", "failures"
        )?;
        for (s, name) in self.sinks.iter().zip(&names) {
            writeln!(
                f,
                "{name:<width$} {:>12} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9}",
                s.elements, s.held, s.delivered, s.overflow, s.rejected, s.given_up, s.failures
            )?;
            if s.unknown > 0 {
                writeln!(f, "    {} more may have arrived or not", s.unknown)?;
            }
            trouble(f, s.failing_since, s.last_error.as_ref())?;
        }
        Ok(())
    }
}

impl SinkSnapshot {
    fn shown_name(&self) -> String {
        let removed = if self.removed { " (removed)" } else { "" };
        format!("{}{removed}", Shown(&self.name))
    }
}

impl fmt::Display for PipelineSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.metrics_table(f)?;
        writeln!(f)?;
        self.sinks_table(f)?;
        if self.waiting > 0 {
            writeln!(f, "\n{} values wait to be aggregated", self.waiting)?;
        }
        let losses = [
            (self.overflow, "found the buffer of their thread full"),
            (self.refused, "came after the shutdown"),
            (self.refused_by_facade, "were refused by the facade"),
            (
                self.given_up,
                "were sent, and given up before they were aggregated",
            ),
        ];
        for (values, what) in losses.into_iter().filter(|(values, _)| *values > 0) {
            writeln!(f, "\n{values} values {what}")?;
        }
        match &self.broken {
            Some(broken) => writeln!(f, "\n{}", Shown(&broken.to_string())),
            None => Ok(()),
        }
    }
}
