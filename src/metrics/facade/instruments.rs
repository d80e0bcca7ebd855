//! What counters, gauges and histograms of the facade do with values.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ::metrics::{CounterFn, GaugeFn, HistogramFn};

use super::cache::Instrument;
use super::names::{Names, Refusal};
use crate::metrics::gauge::Gauge;
use crate::metrics::handle::Handle;
use crate::metrics::pipeline::MetricsPipeline;

/// A counter.
pub(super) struct Counted {
    handle: Handle,
    /// Who counts totals that cannot be told apart from others, as their series are one.
    beyond: Option<Arc<Refused>>,
}

impl Instrument for Counted {
    fn new(_: &MetricsPipeline, handle: Handle, names: &Names) -> Counted {
        let beyond = handle.is_overflow().then(|| names.count(Refusal::Total));
        Counted { handle, beyond }
    }

    /// Which total it was told last must not be forgotten.
    fn may_go(&self) -> bool {
        !self.handle.entry().total.is_known()
    }
}

impl CounterFn for Counted {
    fn increment(&self, value: u64) {
        self.handle.send(value);
    }

    fn absolute(&self, value: u64) {
        if let Some(beyond) = &self.beyond {
            return beyond.absolute(value);
        }
        let total = &self.handle.entry().total;
        let more = total.grown(value);
        if more > 0 && !self.handle.send_or_drop(more) {
            total.owe(more);
        }
    }
}

/// A gauge.
pub(super) struct Levelled(Gauge);

impl Instrument for Levelled {
    fn new(pipeline: &MetricsPipeline, handle: Handle, _: &Names) -> Levelled {
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
    fn new(_: &MetricsPipeline, handle: Handle, _: &Names) -> Observed {
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

/// Takes nothing, and counts that: for its reason, and for the pipeline.
#[derive(Debug)]
pub(super) struct Refused {
    values: AtomicU64,
    in_all: Arc<AtomicU64>,
}

impl Refused {
    pub(super) fn new(in_all: &Arc<AtomicU64>) -> Refused {
        Refused {
            values: AtomicU64::new(0),
            in_all: in_all.clone(),
        }
    }

    pub(super) fn values(&self) -> u64 {
        self.values.load(Relaxed)
    }

    fn count(&self, values: u64) {
        self.values.fetch_add(values, Relaxed);
        self.in_all.fetch_add(values, Relaxed);
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
