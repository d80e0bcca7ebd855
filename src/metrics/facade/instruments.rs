//! What counters, gauges and histograms of the facade do with values.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ::metrics::{CounterFn, GaugeFn, HistogramFn};

use super::cache::Instrument;
use crate::metrics::gauge::Gauge;
use crate::metrics::handle::Handle;
use crate::metrics::pipeline::MetricsPipeline;

/// A counter.
pub(super) struct Counted(Handle);

impl Instrument for Counted {
    fn new(_: &MetricsPipeline, handle: Handle) -> Counted {
        Counted(handle)
    }

    /// Which total it was told last must not be forgotten.
    fn may_go(&self) -> bool {
        !self.0.entry().has_total()
    }
}

impl CounterFn for Counted {
    fn increment(&self, value: u64) {
        self.0.send(value);
    }

    fn absolute(&self, value: u64) {
        let more = self.0.entry().grown(value);
        if more > 0 {
            self.0.send(more);
        }
    }
}

/// A gauge.
pub(super) struct Levelled(Gauge);

impl Instrument for Levelled {
    fn new(pipeline: &MetricsPipeline, handle: Handle) -> Levelled {
        Levelled(pipeline.gauge_of(handle))
    }

    /// What it is must not be forgotten: it may be decremented yet.
    fn may_go(&self) -> bool {
        false
    }
}

impl GaugeFn for Levelled {
    fn increment(&self, value: f64) {
        self.0.add(value);
    }

    fn decrement(&self, value: f64) {
        self.0.sub(value);
    }

    fn set(&self, value: f64) {
        self.0.set(value);
    }
}

/// A histogram.
pub(super) struct Observed(Handle);

impl Instrument for Observed {
    fn new(_: &MetricsPipeline, handle: Handle) -> Observed {
        Observed(handle)
    }

    fn may_go(&self) -> bool {
        true
    }
}

impl HistogramFn for Observed {
    fn record(&self, value: f64) {
        self.0.send(value);
    }
}

/// Takes nothing, and counts that.
#[derive(Debug, Default)]
pub(super) struct Refused(AtomicU64);

impl Refused {
    pub(super) fn values(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn count(&self, values: u64) {
        self.0.fetch_add(values, Relaxed);
    }
}

impl CounterFn for Refused {
    fn increment(&self, _: u64) {
        self.count(1);
    }

    fn absolute(&self, _: u64) {
        self.count(1);
    }
}

impl GaugeFn for Refused {
    fn increment(&self, _: f64) {
        self.count(1);
    }

    fn decrement(&self, _: f64) {
        self.count(1);
    }

    fn set(&self, _: f64) {
        self.count(1);
    }
}

impl HistogramFn for Refused {
    fn record(&self, _: f64) {
        self.count(1);
    }

    fn record_many(&self, _: f64, count: usize) {
        self.count(count as u64);
    }
}
