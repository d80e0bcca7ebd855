//! Which metrics the facade has come to know, and of which kind: the first use holds.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;

use super::builder::{Incomplete, Templates};
use super::describe::About;
use super::instruments::Refused;
use crate::metrics::described::Kind;
use crate::metrics::error::MetricError;
use crate::metrics::pipeline::MetricsPipeline;

/// Why a name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is the name of a metric of another kind.
    Clash,
    /// There are as many metrics as there may be.
    Overflow,
    /// The template made something else of it than a complete metric of this name.
    Invalid,
    /// The pipeline takes no further metrics.
    Closed,
    /// It is the total of labels that share their series with others.
    Total,
}

/// What a [`FacadeRecorder`](super::FacadeRecorder) has added to its pipeline, and what it refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FacadeSnapshot {
    /// How many metrics it has added.
    pub metrics: usize,
    /// Values for a name that is of another kind.
    pub clashed: u64,
    /// Values for new names, when there were as many metrics as there may be.
    pub overflow: u64,
    /// Values for names of which a template made no complete metric.
    pub invalid: u64,
    /// Values for names that were new after the shutdown. What comes for others is in the pipeline's
    /// [`refused`](crate::metrics::PipelineSnapshot::refused).
    pub closed: u64,
    /// Absolute values of counters whose labels were beyond the [bound](crate::metrics::Metric::max_tag_sets):
    /// these share one series, where the increase of one total can't be told from that of another.
    pub totals: u64,
}

/// Of which kind a metric is that the pipeline has. A gauge may be just what nobody has said.
fn first_use(found: Kind, kind: Kind) -> Kind {
    match found {
        Kind::Gauge => kind,
        first => first,
    }
}

/// The metrics that were used so far.
pub(super) struct Names {
    templates: Templates,
    max: usize,
    known: RwLock<Known>,
    clashed: Arc<Refused>,
    overflow: Arc<Refused>,
    invalid: Arc<Refused>,
    closed: Arc<Refused>,
    totals: Arc<Refused>,
    overflow_was_logged: AtomicBool,
}

#[derive(Default)]
struct Known {
    by_name: HashMap<Box<str>, Arc<Name>>,
    /// How many of them were not in the pipeline before.
    added: usize,
    invalid: usize,
}

struct Name {
    /// `None` where there is no such metric, as the template failed.
    kind: Option<Kind>,
    clash_was_logged: AtomicBool,
}

impl Name {
    fn check(&self, name: &str, kind: Kind) -> Result<(), Refusal> {
        let Some(first) = self.kind else {
            return Err(Refusal::Invalid);
        };
        if first == kind {
            return Ok(());
        }
        if !self.clash_was_logged.swap(true, Relaxed) {
            tracing::warn!(
                metric = name,
                "is used as a {kind:?} but is a {first:?}: such values are refused, and counted"
            );
        }
        Err(Refusal::Clash)
    }
}

impl Names {
    /// `refused` counts all values that are.
    pub(super) fn new(templates: Templates, max: usize, refused: &Arc<AtomicU64>) -> Names {
        let refused = || Arc::new(Refused::new(refused));
        Names {
            templates,
            max,
            known: RwLock::default(),
            clashed: refused(),
            overflow: refused(),
            invalid: refused(),
            closed: refused(),
            totals: refused(),
            overflow_was_logged: AtomicBool::new(false),
        }
    }

    /// Sees to it that the pipeline has a metric of this name and kind.
    ///
    /// Nothing is logged, and no closure of the user's is called, under the lock: either may come back to
    /// measure something.
    pub(super) fn admit(
        &self,
        pipeline: &MetricsPipeline,
        name: &str,
        kind: Kind,
        about: About<'_>,
    ) -> Result<(), Refusal> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.by_name.get(name).cloned();
        drop(known);
        match found {
            Some(found) => found.check(name, kind),
            None => self.add(pipeline, name, kind, about)?.check(name, kind),
        }
    }

    fn add(
        &self,
        pipeline: &MetricsPipeline,
        name: &str,
        kind: Kind,
        about: About<'_>,
    ) -> Result<Arc<Name>, Refusal> {
        let metric = self.templates.metric(name, kind);
        let metric = metric.map(|metric| metric.about(about.unit, about.help));
        let mut guard = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let known = &mut *guard;
        if let Some(found) = known.by_name.get(name) {
            return Ok(found.clone());
        }
        let mut error = None;
        let found = if let Some(first) = pipeline.kind(name) {
            Some(first_use(first, kind))
        } else if known.added + known.invalid >= self.max {
            drop(guard);
            self.log_overflow(name);
            return Err(Refusal::Overflow);
        } else {
            match metric.and_then(|metric| Ok(pipeline.add_metric(metric)?)) {
                Ok(()) => {
                    known.added += 1;
                    Some(kind)
                }
                // Somebody else added it just now.
                Err(Incomplete::Metric(MetricError::SameMetric(_))) => {
                    pipeline.kind(name).map(|first| first_use(first, kind))
                }
                Err(Incomplete::Metric(MetricError::Closed)) => return Err(Refusal::Closed),
                Err(incomplete) => {
                    known.invalid += 1;
                    error = Some(incomplete);
                    None
                }
            }
        };
        let found = Arc::new(Name {
            kind: found,
            clash_was_logged: AtomicBool::new(false),
        });
        known.by_name.insert(name.into(), found.clone());
        drop(guard);
        if let Some(error) = error {
            tracing::warn!(
                metric = name,
                %error,
                "a template made no metric of it: its values are refused, and counted"
            );
        }
        Ok(found)
    }

    #[cold]
    fn log_overflow(&self, name: &str) {
        if !self.overflow_was_logged.swap(true, Relaxed) {
            tracing::warn!(
                metric = name,
                max = self.max,
                "is one metric more than there may be: the values of new ones are refused, and counted"
            );
        }
    }

    pub(super) fn count(&self, refusal: Refusal) -> Arc<Refused> {
        match refusal {
            Refusal::Clash => self.clashed.clone(),
            Refusal::Overflow => self.overflow.clone(),
            Refusal::Invalid => self.invalid.clone(),
            Refusal::Closed => self.closed.clone(),
            Refusal::Total => self.totals.clone(),
        }
    }

    pub(super) fn snapshot(&self) -> FacadeSnapshot {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        FacadeSnapshot {
            metrics: known.added,
            clashed: self.clashed.values(),
            overflow: self.overflow.values(),
            invalid: self.invalid.values(),
            closed: self.closed.values(),
            totals: self.totals.values(),
        }
    }
}
