//! Quantities that somebody holds, carried into each window: a gauge that does not change is there all
//! the same.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::aggregate::Running;
use super::metric::Grouping;
use super::pipeline::Inner;
use super::sample::{Mark, Origin, Sample};
use super::series::Entry;

/// How long to wait for a clock that is late.
const A_MOMENT: Duration = Duration::from_millis(1);

/// The quantities of a metric that are held, or were a window ago.
#[derive(Default)]
pub(super) struct Carried(Mutex<Vec<Arc<Entry>>>);

impl Carried {
    /// Notes a quantity, and says whether it is the first: then somebody has to begin to carry.
    fn note(&self, entry: &Arc<Entry>) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = held.is_empty();
        if !held.iter().any(|known| Arc::ptr_eq(known, entry)) {
            held.push(entry.clone());
        }
        is_first
    }

    /// Those that are held still. If there is none, nobody carries any more.
    fn held(&self) -> Vec<Arc<Entry>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|entry| entry.is_level_held());
        held.clone()
    }
}

impl Inner {
    /// Somebody holds a quantity from now on: each window begins with what it is.
    pub(super) fn carry(self: &Arc<Self>, number: u16, metric: &Arc<Running>, entry: &Arc<Entry>) {
        if let Grouping::Window(length) = metric.recipe.grouping
            && metric.carried.note(entry)
        {
            let task = carry(Arc::downgrade(self), number, metric.clone(), length);
            self.runtime.spawn(task);
        }
    }
}

/// Lets each window of a metric begin with what the quantities are, as long as somebody holds one.
async fn carry(pipeline: Weak<Inner>, number: u16, metric: Arc<Running>, length: Duration) {
    // Neither the pipeline nor its source stays open for this.
    let Some(intake) = pipeline.upgrade().map(|p| p.intake.downgrade()) else {
        return;
    };
    loop {
        let now = |pipeline: &Weak<Inner>| Some(pipeline.upgrade()?.intake.now());
        let Some(begun) = now(&pipeline) else { return };
        let begin = metric.end(begun, length);
        tokio::time::sleep(begin - begun).await;
        // Timers and the graph's coarse clock may differ by a little.
        loop {
            match now(&pipeline) {
                None => return,
                Some(now) if now >= begin => break,
                Some(_) => tokio::time::sleep(A_MOMENT).await,
            }
        }
        let Some(open) = intake.upgrade() else {
            return;
        };
        // What was sent until now belongs to the window that is over, and what follows to the new one.
        if open.flushed().await.is_err() {
            return;
        }
        let held = metric.carried.held();
        if held.is_empty() {
            return;
        }
        for entry in held {
            let Some(level) = entry.kept_level().and_then(|level| level.known()) else {
                continue;
            };
            let (series, time) = ((number, entry.series), metric.since_epoch(begin));
            let sample = Sample::new(Mark::new(series), level.into(), Origin::Carried, time);
            while let Err(error) = open.send(sample) {
                if !error.is_full() || open.flushed().await.is_err() {
                    return;
                }
            }
        }
    }
}

impl std::fmt::Debug for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Carried(..)")
    }
}
