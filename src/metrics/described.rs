//! What is known of a metric before any value of it comes.

use std::sync::Arc;

/// What sort of quantity a metric measures, for receivers that tell sorts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Kind {
    /// A quantity that goes up and down; what is not said to be anything else.
    #[default]
    Gauge,
    /// Something that is counted: each value is what came on top, and sums of them add up to a total.
    Counter,
    /// Many observations of one quantity, such as latencies, of which the distribution matters.
    Histogram,
}

/// A metric as [sinks](super::MetricSink) are told of it: its name, its kind, and which elements come of
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub(super) name: Arc<str>,
    pub(super) kind: Kind,
    pub(super) unit: Option<String>,
    pub(super) help: Option<String>,
    pub(super) outputs: Vec<Output>,
}

/// One sort of elements that come of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub(super) name: Arc<str>,
    pub(super) aggregator: Arc<str>,
    pub(super) role: Role,
}

/// What an aggregator's result is, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Role {
    /// A figure like any other: it replaces the last one.
    #[default]
    Figure,
    /// The sum of the values of one window or batch: these add up.
    Sum,
    /// The number of values of one window or batch: these add up.
    Count,
    /// The quantile at this level.
    Quantile(f64),
}

impl Eq for Role {}

impl Described {
    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What sort of quantity it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The unit of its values, such as `seconds`.
    #[must_use]
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// What it means, in a sentence.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The sorts of elements that come of it, one for each aggregator, in their order.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }
}

impl Output {
    /// The name of the elements: the metric's and the aggregator's, joined by a point.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The aggregator's name.
    #[must_use]
    pub fn aggregator(&self) -> &str {
        &self.aggregator
    }

    /// What its results are.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }
}
