//! `FacadeRecorder`: what the macros of the crate `metrics` measure feeds a pipeline.

mod builder;
mod cache;
mod describe;
mod instruments;
mod names;

use std::sync::Arc;

use ::metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SetRecorderError, SharedString,
    Unit, set_global_recorder,
};

use self::cache::{Cache, Instrument};
use self::describe::About;
use self::instruments::{Counted, Levelled, Observed, Refused};
use self::names::{Names, Refusal};
use super::described::Kind;
use super::pipeline::MetricsPipeline;
use super::tags::Tags;

pub use self::builder::FacadeRecorderBuilder;
pub use self::names::FacadeSnapshot;

/// What `metrics::counter!`, `gauge!` and `histogram!` measure, in any crate, goes into a
/// [`MetricsPipeline`]: [`MetricsPipeline::recorder`] makes one. With the feature `facade`.
///
/// A handle: clones are the same recorder. It keeps its pipeline alive, so where it is
/// [installed](FacadeRecorderBuilder::install) only a [shutdown](MetricsPipeline::shutdown) ends that.
///
/// - **Counters**: `increment` sends a value of a metric of [`Kind::Counter`]; `absolute` sends by how much
///   the total is greater than any that was told before, and nothing if it is not. What `increment`
///   counts comes on top of that. Where an increase finds no room, the next call of `absolute` for these
///   labels sends it too. With labels beyond the [bound](super::Metric::max_tag_sets), which share one
///   series, totals cannot be told apart: they are refused, while increments are taken.
/// - **Gauges** are a [`Gauge`](super::Gauge): an aggregator `Last` comes to what it is when the window is
///   over, whichever threads changed it, and one that does not change is in each window all the same.
/// - **Histograms** send each value that is recorded.
/// - **Labels** are tags. They are text, as the facade has no others; where a label comes twice the last one
///   holds.
/// - **Descriptions** and units reach the sinks as [`Described`](super::Described), also those that come
///   after the first value; the first one of each holds. `Unit::Count` is no unit.
/// - **Levels** and targets of the facade's metadata are ignored: everything is measured.
///
/// A metric that the pipeline has not is added on first use, or when it is described, from a template: see
/// [`FacadeRecorderBuilder`]. One that it has is used as it is, whichever its aggregators.
///
/// Each macro call looks its key up: a hash table, behind a lock that readers share. A handle that is kept
/// (`let requests = counter!("requests")`) does without, and costs what
/// [`Handle::send`](super::Handle::send) does.
///
/// **Nothing is lost unseen**: what could not be sent is in the pipeline's
/// [snapshot](MetricsPipeline::snapshot), and so is how much the recorder refused
/// ([`refused_by_facade`](super::PipelineSnapshot::refused_by_facade)); why, is in
/// [its own](FacadeRecorder::snapshot).
/// It refuses a name that was used for another kind before (a metric that the pipeline has as a counter or
/// as a histogram is of this kind; one that it has as a gauge, which may be just what nobody has said, is of
/// the kind that it is first used as), and new names beyond
/// [`max_metrics`](FacadeRecorderBuilder::max_metrics), which are logged once, too; totals with labels beyond
/// the bound; and names that are new after the shutdown.
///
/// ```
/// use headwater::metrics::MetricsPipeline;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pipeline = MetricsPipeline::builder().spawn()?;
/// let elements = pipeline.elements().map(|e| e.to_string()).sink_to_list();
/// let recorder = pipeline.recorder().build(); // or `.install()?`, for the whole program
/// # use headwater::prelude::*;
///
/// metrics::with_local_recorder(&recorder, || {
///     let requests = metrics::counter!("requests", "route" => "/home");
///     requests.increment(2);
///     requests.increment(1);
///     metrics::gauge!("connections").set(5.0);
/// });
/// pipeline.shutdown().await?;
/// assert_eq!(elements.take(), ["requests.sum{route=/home} 3", "connections.last 5.0"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FacadeRecorder(Arc<Inner>);

struct Inner {
    pipeline: MetricsPipeline,
    names: Names,
    counters: Cache<Counted>,
    gauges: Cache<Levelled>,
    histograms: Cache<Observed>,
}

impl MetricsPipeline {
    /// What the macros of the crate `metrics` measure goes into this pipeline: see [`FacadeRecorder`].
    pub fn recorder(&self) -> FacadeRecorderBuilder {
        FacadeRecorderBuilder::new(self.clone())
    }
}

impl FacadeRecorder {
    fn new(pipeline: MetricsPipeline, names: Names) -> FacadeRecorder {
        FacadeRecorder(Arc::new(Inner {
            pipeline,
            names,
            counters: Cache::default(),
            gauges: Cache::default(),
            histograms: Cache::default(),
        }))
    }

    fn install(self) -> Result<FacadeRecorder, SetRecorderError<FacadeRecorder>> {
        set_global_recorder(self.clone())?;
        Ok(self)
    }

    /// The pipeline that it feeds.
    #[must_use]
    pub fn pipeline(&self) -> &MetricsPipeline {
        &self.0.pipeline
    }

    /// How many metrics it has added, and what it refused.
    #[must_use]
    pub fn snapshot(&self) -> FacadeSnapshot {
        self.0.names.snapshot()
    }

    /// The instrument of this key, or who counts what is refused.
    fn instrument<I: Instrument>(
        &self,
        cache: &Cache<I>,
        key: &Key,
        kind: Kind,
    ) -> Result<Arc<I>, Arc<Refused>> {
        let Inner {
            pipeline, names, ..
        } = &*self.0;
        let now = pipeline.0.intake.now();
        if let Some(known) = cache.get(key, now) {
            return Ok(known);
        }
        let refused = |refusal: Refusal| names.count(refusal);
        names
            .admit(pipeline, key.name(), kind, About::default())
            .map_err(refused)?;
        if pipeline.has_no_room(key.name()) {
            cache.forget_idle(now);
        }
        let tags: Tags = key.labels().map(|l| (l.key(), l.value())).collect();
        let handle = pipeline.handle(key.name(), tags);
        // It was admitted, and metrics stay.
        let handle = handle.map_err(|_| names.count(Refusal::Invalid))?;
        match handle.is_overflow() {
            // Not kept: these may be without number.
            true => Ok(Arc::new(I::new(pipeline, handle, names))),
            false => Ok(cache.insert(key, I::new(pipeline, handle, names), now)),
        }
    }

    fn describe(&self, key: &KeyName, kind: Kind, unit: Option<Unit>, help: &SharedString) {
        let Inner {
            pipeline, names, ..
        } = &*self.0;
        let about = About::new(unit, help);
        // What is refused here is no value: it is counted when there is one.
        if names.admit(pipeline, key.as_str(), kind, about).is_ok() {
            pipeline.describe(key.as_str(), about);
        }
    }
}

impl Recorder for FacadeRecorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&key, Kind::Counter, unit, &description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&key, Kind::Gauge, unit, &description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&key, Kind::Histogram, unit, &description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match self.instrument(&self.0.counters, key, Kind::Counter) {
            Ok(counter) => Counter::from_arc(counter),
            Err(refused) => Counter::from_arc(refused),
        }
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        match self.instrument(&self.0.gauges, key, Kind::Gauge) {
            Ok(gauge) => Gauge::from_arc(gauge),
            Err(refused) => Gauge::from_arc(refused),
        }
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        match self.instrument(&self.0.histograms, key, Kind::Histogram) {
            Ok(histogram) => Histogram::from_arc(histogram),
            Err(refused) => Histogram::from_arc(refused),
        }
    }
}

impl std::fmt::Debug for FacadeRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FacadeRecorder")
            .field(&self.snapshot())
            .finish()
    }
}
