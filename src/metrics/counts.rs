//! What a metric counts, for those who aggregate in a graph of their own.

use std::sync::Arc;

use super::aggregate::Running;
use super::snapshot::{MetricSnapshot, of_metric};

/// What became of the values of a metric that aggregates in a graph of one's own:
/// [`Metric::aggregate_counted`](super::Metric::aggregate_counted) returns it. Clones tell of the same metric.
#[derive(Clone)]
pub struct MetricCounts(pub(super) Arc<Running>);

impl MetricCounts {
    /// What went in and out so far, was dropped, failed, or is held.
    #[must_use]
    pub fn snapshot(&self) -> MetricSnapshot {
        of_metric(&self.0)
    }
}

impl std::fmt::Debug for MetricCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("MetricCounts")
            .field(&self.snapshot())
            .finish()
    }
}
