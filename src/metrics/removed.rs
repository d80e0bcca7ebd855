//! Sinks that were taken off and deliver what they were given before: for how long, and what becomes of it.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::{Either, select};

use super::delivery::Fate;
use super::pipeline::MetricsPipeline;
use super::snapshot::{SinkSnapshot, of_sink};
use crate::{Branch, GraphError, NodeId, Report, Snapshot};

/// How long a shutdown waits for sinks that were removed.
const PATIENCE: Duration = Duration::from_secs(5);

/// A sink that was taken off.
pub(super) struct Removed {
    pub(super) fate: Arc<Fate>,
    pub(super) branch: Branch,
    pub(super) buffer: Option<NodeId>,
    /// What had become of its elements when it was given up.
    pub(super) last: OnceLock<SinkSnapshot>,
}

impl Removed {
    pub(super) fn new(fate: Arc<Fate>, branch: Branch, buffer: Option<NodeId>) -> Arc<Removed> {
        let last = OnceLock::new();
        Arc::new(Removed {
            fate,
            branch,
            buffer,
            last,
        })
    }

    /// Whether it has delivered everything, or lost it for good.
    pub(super) fn has_ended(&self) -> bool {
        // Its branch has it as well, as long as there is something to do.
        self.last.get().is_none() && Arc::strong_count(&self.fate) == 1
    }

    /// What it holds will never be delivered.
    fn give_up(&self, graph: &Snapshot) {
        let mut last = of_sink(&self.fate);
        last.came(self.buffer.and_then(|buffer| graph.node(buffer)));
        last.give_up();
        let elements = last.given_up + last.unknown;
        // Another shutdown may have said so already.
        if elements > 0 && self.last.set(last).is_ok() {
            tracing::warn!(
                sink = self.fate.name,
                elements,
                "was removed, and what it has not delivered is given up"
            );
        }
    }
}

impl MetricsPipeline {
    /// Forgets sinks that were removed and have ended.
    pub(super) fn forget_ended(&self) {
        let mut removed = self.removed();
        let (ended, others) = std::mem::take(&mut *removed)
            .into_iter()
            .partition(|removed| removed.has_ended());
        *removed = others;
        drop(removed);
        // Not under the lock.
        drop::<Vec<Arc<Removed>>>(ended);
    }

    /// Waits for the end of the graph, but not for ever for sinks that nobody wants any more, be they removed
    /// before or meanwhile.
    pub(super) async fn end(
        &self,
        shutdown: impl Future<Output = Result<Report, GraphError>>,
    ) -> Result<Report, GraphError> {
        self.forget_ended();
        let mut shutdown = pin!(shutdown);
        loop {
            // First, so that no sink is overlooked that is removed just now.
            let one_more = self.0.one_removed.notified();
            let mut removed = self.removed().clone();
            removed.retain(|removed| !removed.has_ended() && removed.last.get().is_none());
            let patience = pin!(async {
                match removed.is_empty() {
                    true => one_more.await,
                    false => tokio::time::sleep(PATIENCE).await,
                }
            });
            match select(shutdown.as_mut(), patience).await {
                Either::Left((ended, _)) => {
                    let ended = ended?;
                    if !ended.complete {
                        let given_up = |removed: &Arc<Removed>| removed.give_up(&ended.snapshot);
                        removed.iter().for_each(given_up);
                    }
                    return Ok(ended);
                }
                Either::Right(_) => {
                    // Before they are discarded, as their counts go with them.
                    if let Ok(graph) = self.0.graph.snapshot() {
                        removed.iter().for_each(|removed| removed.give_up(&graph));
                    }
                    removed.iter().for_each(|removed| removed.branch.discard());
                }
            }
        }
    }
}
