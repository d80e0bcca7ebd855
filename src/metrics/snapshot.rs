//! What a pipeline has done so far, for people and programs.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use super::aggregate::Running;
use super::delivery::Fate;
use super::sink::Delivery;
use crate::{Loss, NodeId, NodeSnapshot, Snapshot};

/// What a pipeline has done so far: what went in and out, was dropped, is held, for each metric and each
/// sink. Printed, it is two tables.
#[derive(Debug, Clone)]
pub struct PipelineSnapshot {
    /// The metrics, in the order in which they were added.
    pub metrics: Vec<MetricSnapshot>,
    /// The sinks, by name.
    pub sinks: Vec<SinkSnapshot>,
    /// Values that handles could not send, as the buffer of their thread was full.
    pub overflow: u64,
    /// Values that wait to enter the graph.
    pub waiting: u64,
    /// Values that came after the shutdown.
    pub refused: u64,
    /// Values that recorders of the facade of the crate `metrics` (feature `facade`) refused: for names of another
    /// kind, or beyond the number that there may be.
    pub refused_by_facade: u64,
    /// Values that still waited to enter the graph when the time of a shutdown was over.
    pub given_up: u64,
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
}

impl PipelineSnapshot {
    pub(super) fn new(
        metrics: &[Arc<Running>],
        mut sinks: Vec<(SinkSnapshot, Option<NodeId>)>,
        graph: Option<&Snapshot>,
        samples: Option<&NodeSnapshot>,
    ) -> PipelineSnapshot {
        for (sink, buffer) in &mut sinks {
            let node = graph.and_then(|graph| graph.node((*buffer)?));
            sink.came(node);
        }
        PipelineSnapshot {
            metrics: metrics.iter().map(|metric| of_metric(metric)).collect(),
            sinks: sinks.into_iter().map(|(sink, _)| sink).collect(),
            overflow: samples.map_or(0, |node| node.counts.lost(Loss::Overflow)),
            waiting: samples.map_or(0, |node| node.counts.held),
            refused: samples.map_or(0, |node| node.counts.lost(Loss::Unheard)),
            refused_by_facade: 0,
            given_up: 0,
        }
    }

    /// What sinks hold will never be delivered.
    pub(super) fn give_up(&mut self) {
        for sink in &mut self.sinks {
            sink.given_up += std::mem::take(&mut sink.held);
        }
    }

    /// The metric of this name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&MetricSnapshot> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The sink of this name.
    #[must_use]
    pub fn sink(&self, name: &str) -> Option<&SinkSnapshot> {
        self.sinks.iter().find(|sink| sink.name == name)
    }
}

impl SinkSnapshot {
    /// Adds what came in, by its buffer.
    fn came(&mut self, buffer: Option<&NodeSnapshot>) {
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
    let last_failure = counts.last_failure.lock();
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
        last_failure: last_failure.unwrap_or_else(PoisonError::into_inner).clone(),
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
    }
}

impl fmt::Display for PipelineSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<24} {:>12} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
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
                "{:<24} {:>12} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
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
            if let Some(failure) = &m.last_failure {
                writeln!(f, "    the last failure: {failure}")?;
            }
        }
        writeln!(
            f,
            "\n{:<24} {:>12} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9}",
            "sink", "elements", "held", "delivered", "overflow", "rejected", "given up", "failures"
        )?;
        for s in &self.sinks {
            writeln!(
                f,
                "{:<24} {:>12} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9}",
                s.name,
                s.elements,
                s.held,
                s.delivered,
                s.overflow,
                s.rejected,
                s.given_up,
                s.failures
            )?;
            if s.unknown > 0 {
                writeln!(f, "    {} more may have arrived or not", s.unknown)?;
            }
            match (s.failing_since, &s.last_error) {
                (Some(since), Some(error)) => {
                    let ago = since.elapsed().unwrap_or_default().as_secs();
                    writeln!(f, "    has been failing for {ago} s: {error}")?;
                }
                (None, Some(error)) => writeln!(f, "    the last failure: {error}")?,
                _ => {}
            }
        }
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
        Ok(())
    }
}
