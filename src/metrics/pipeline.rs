//! `MetricsPipeline`: metrics and sinks, and the graph between them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use hashbrown::{HashMap, HashSet};

use super::aggregate::Running;
use super::builder::MetricsPipelineBuilder;
use super::connected::Connected;
use super::delivery::Descriptions;
use super::element::Element;
use super::epoch::Epoch;
use super::error::{MetricError, SendError};
use super::gauge::Gauge;
use super::handle::{Handle, refused};
use super::metric::Metric;
use super::recent;
use super::removed::Removed;
use super::sample::{Mark, Origin, Sample, Series};
use super::series::{Entry, SeriesTable};
use super::snapshot::{PipelineSnapshot, of_sink};
use super::tags::{IntoTags, Refs, Tags, tags_of};
use super::timer::TimerBuilder;
use super::value::Value;
use crate::prelude::*;
use crate::{Driver, GraphError, Report, Sharded, Shared, Time};

/// Metrics of a service: values go in from any thread, are aggregated by window or batch and by tags,
/// and reach several sinks, each at its own pace.
///
/// A handle to it: clones are the same pipeline. When the last one is dropped, everything that is held
/// is aggregated and delivered in the background, as long as the runtime lives; [`shutdown`] and
/// [`shutdown_within`] wait for that.
///
/// [`shutdown`]: MetricsPipeline::shutdown
/// [`shutdown_within`]: MetricsPipeline::shutdown_within
///
/// ```
/// use headwater::metrics::{Metric, MetricsPipeline, PrintSink};
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let metrics = MetricsPipeline::builder()
///     .metric(Metric::new("requests").agg("sum", Sum).window(Duration::from_secs(3)))
///     .metric(Metric::new("latency").agg("mean", Mean).batch(100).default_tag("host", "a"))
///     .sink(PrintSink::default())
///     .spawn()?;
/// metrics.send("requests", 1)?;
/// metrics.send_tagged("latency", 12.5, [("route", "/home")])?;
/// let home = metrics.handle("latency", [("route", "/home")])?;
/// home.send(14.5);
/// let report = metrics.shutdown_within(Duration::from_secs(5)).await?;
/// assert_eq!(report.metric("latency").unwrap().values, 2);
/// assert_eq!(report.sink("PrintSink").unwrap().delivered, 2);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "MCoordinator")]
#[doc(alias = "registry")]
#[derive(Clone)]
pub struct MetricsPipeline(pub(super) Arc<Inner>);

pub(super) struct Inner {
    /// Tells it from all others of the program.
    pub(super) id: u64,
    pub(super) graph: Graph,
    pub(super) intake: Sharded<Sample>,
    pub(super) metrics: Arc<RwLock<Metrics>>,
    pub(super) elements: Shared<Element>,
    pub(super) sinks: Mutex<BTreeMap<String, Connected>>,
    /// Those that were taken off, and deliver what they have still.
    pub(super) removed: Mutex<Vec<Arc<Removed>>>,
    /// Tells a shutdown that is under way.
    pub(super) one_removed: tokio::sync::Notify,
    pub(super) descriptions: Descriptions,
    pub(super) epoch: Arc<Epoch>,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) default_tags: Tags,
    /// Nothing is delivered any more.
    pub(super) over: AtomicBool,
    /// How many values waited to enter the graph when it was given up.
    pub(super) given_up: AtomicU64,
    /// How many values the recorders of the facade refused.
    pub(super) refused_by_facade: Arc<AtomicU64>,
    pub(super) _driver: Driver,
}

/// The metrics of a pipeline, by name and by number.
#[derive(Default)]
pub(super) struct Metrics {
    pub(super) by_name: HashMap<Arc<str>, u16>,
    pub(super) all: Vec<Arc<Running>>,
    /// What their elements are called.
    outputs: HashSet<Arc<str>>,
}

impl MetricsPipeline {
    /// Describes a pipeline.
    pub fn builder() -> MetricsPipelineBuilder {
        MetricsPipelineBuilder::default()
    }

    /// Adds a metric to a pipeline that is running.
    ///
    /// # Errors
    /// A [`MetricError`] where it is not complete, or there is one of this name; [`MetricError::Closed`]
    /// after the shutdown.
    #[doc(alias = "add_mstream")]
    pub fn add_metric(&self, metric: Metric) -> Result<(), MetricError> {
        let recipe = metric.below(&self.0.default_tags).recipe()?;
        let (name, described) = (recipe.described.name.clone(), recipe.described.clone());
        let outputs = described.outputs.iter().map(|output| output.name.clone());
        let running = Arc::new(Running::new(recipe, self.0.epoch.clone()));
        let mut metrics = self
            .0
            .metrics
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if self.0.intake.is_closed() {
            return Err(MetricError::Closed);
        }
        if metrics.by_name.contains_key(&name) {
            return Err(MetricError::SameMetric(name));
        }
        let Ok(number) = u16::try_from(metrics.all.len()) else {
            return Err(MetricError::TooMany(name));
        };
        if let Some(element) = outputs.clone().find(|o| metrics.outputs.contains(o)) {
            return Err(MetricError::SameOutput {
                metric: name,
                element,
            });
        }
        metrics.outputs.extend(outputs);
        metrics.all.push(running);
        metrics.by_name.insert(name, number);
        let descriptions = self.0.descriptions.write();
        descriptions
            .unwrap_or_else(PoisonError::into_inner)
            .push(described);
        Ok(())
    }

    /// Sends a value of a metric, with its default tags.
    ///
    /// It waits for nobody: the value goes into a buffer of the sending thread, and from there into the
    /// graph within a millisecond, or as soon after that as the pipeline's runtime gets a processor. Its
    /// time is that of the pipeline's coarse clock: now, or as long ago as the runtime is late, which is
    /// less than a millisecond in a service that has time left, and tens of milliseconds on processors that
    /// are all busy. For that it is never [late](Metric::late).
    ///
    /// # Errors
    /// [`SendError::Unknown`] if there is no such metric; [`SendError::Full`] if the pipeline does not
    /// keep up; [`SendError::Closed`] after the shutdown; [`SendError::Undriven`] if the runtime that drove
    /// the pipeline has gone; [`SendError::Poisoned`] and [`SendError::Stopped`] if a branch of one's own
    /// [broke](MetricsPipeline::elements) it.
    ///
    /// Where every value counts, [`Handle::send_async`] and [`Handle::blocking_send`] wait for room.
    #[inline]
    pub fn send(&self, metric: &str, value: impl Into<Value>) -> Result<(), SendError> {
        self.send_tagged(metric, value, ())
    }

    /// Sends a value of a metric, with tags.
    ///
    /// What a thread sent a moment ago it remembers, and does not look up again; a
    /// [handle](MetricsPipeline::handle) looks up nothing at all.
    ///
    /// # Errors
    /// As [`send`](MetricsPipeline::send).
    pub fn send_tagged(
        &self,
        metric: &str,
        value: impl Into<Value>,
        tags: impl IntoTags,
    ) -> Result<(), SendError> {
        let (value, now) = (value.into(), self.now());
        let series = tags.lend(|tags| self.series(metric, tags, now))?;
        self.send_sample(series, value, Origin::Now, now)
    }

    /// Sends a value that was measured at another time: a `SystemTime`, or a [`Time`] since the Unix
    /// epoch. It is aggregated with what arrives now, and may be [late](Metric::late).
    ///
    /// # Errors
    /// As [`send`](MetricsPipeline::send).
    pub fn send_at(
        &self,
        metric: &str,
        value: impl Into<Value>,
        tags: impl IntoTags,
        time: impl Into<Time>,
    ) -> Result<(), SendError> {
        let (value, time) = (value.into(), time.into());
        let series = tags.lend(|tags| self.series(metric, tags, self.now()))?;
        self.send_sample(series, value, Origin::At, time)
    }

    /// The numbers of a metric, and of the series of these tags.
    fn series(
        &self,
        metric: &str,
        tags: Refs<'_, '_>,
        now: Time,
    ) -> Result<(u16, Series), SendError> {
        recent::series((self.0.id, metric, tags), now, || {
            let (number, _, entry) = self.look_up(metric, &tags_of(tags))?;
            Ok((number, entry.series))
        })
    }

    /// Sends a value of a series of a metric, both by their numbers.
    #[inline]
    fn send_sample(
        &self,
        series: (u16, Series),
        value: Value,
        origin: Origin,
        time: Time,
    ) -> Result<(), SendError> {
        let sample = Sample::new(Mark::new(series), value, origin, time);
        self.0.intake.send(sample).map_err(refused)
    }

    fn now(&self) -> Time {
        self.epoch() + self.0.intake.now().elapsed()
    }

    /// A handle to one series: the metric's name and the tags are looked up once, and not for each
    /// value.
    ///
    /// # Errors
    /// [`SendError::Unknown`] if there is no such metric.
    pub fn handle(&self, metric: &str, tags: impl IntoTags) -> Result<Handle, SendError> {
        // Under no lock: it is the user's code.
        let tags = tags.into_tags();
        let (number, running, series) = self.look_up(metric, &tags)?;
        let (intake, unit) = (self.0.intake.clone(), running.unit);
        Ok(Handle::new(intake, number, series, unit, self.epoch()))
    }

    fn look_up(
        &self,
        metric: &str,
        tags: &Tags,
    ) -> Result<(u16, Arc<Running>, Arc<Entry>), SendError> {
        let metrics = self
            .0
            .metrics
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(&number) = metrics.by_name.get(metric) else {
            return Err(metrics.unknown(metric));
        };
        let running = &metrics.all[number as usize];
        let now = self.now();
        let series = running.series.resolve(tags, now);
        let running = running.clone();
        drop(metrics);
        // Under no lock, as who listens may ask for a snapshot.
        if series.series == SeriesTable::OVERFLOW && running.counts.warned_of_tags.is_due(now) {
            tracing::warn!(
                metric,
                tags = %tags,
                max = running.series.max(),
                "is of one set of tags more than there may be: values of further ones are aggregated \
                 together, as `overflow=true`, and counted"
            );
        }
        Ok((number, running, series))
    }

    /// A quantity that goes up and down, such as requests under way, and that many threads change.
    ///
    /// # Errors
    /// [`SendError::Unknown`] if there is no such metric.
    pub fn gauge(&self, metric: &str, tags: impl IntoTags) -> Result<Gauge, SendError> {
        Ok(self.gauge_of(self.handle(metric, tags)?))
    }

    pub(super) fn gauge_of(&self, handle: Handle) -> Gauge {
        let (number, entry) = (handle.metric(), handle.entry().clone());
        let gauge = Gauge::new(handle);
        let metric = Metrics::running(&self.0.metrics, number);
        self.0.carry(number, &metric, &entry);
        gauge
    }

    /// Measures how long something takes, and sends it as a value of a metric.
    ///
    /// # Errors
    /// [`SendError::Unknown`] if there is no such metric.
    pub fn timer(&self, metric: &str) -> Result<TimerBuilder, SendError> {
        let metrics = self
            .0
            .metrics
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        match metrics.by_name.contains_key(metric) {
            true => Ok(TimerBuilder::new(self.clone(), metric)),
            false => Err(metrics.unknown(metric)),
        }
    }

    /// What went in and out so far, and what is held, for each metric and each sink.
    #[must_use]
    pub fn snapshot(&self) -> PipelineSnapshot {
        // What went out first, so that it is not more than what came in.
        let mut sinks: Vec<_> = {
            let mut sinks = self.sinks();
            let fates = sinks.values_mut();
            fates.map(|s| (of_sink(&s.fate), s.buffer())).collect()
        };
        let removed = self.removed().clone();
        let under_way = removed.iter().filter(|removed| !removed.has_ended());
        sinks.extend(under_way.map(|removed| {
            let last = removed.last.get().cloned();
            let buffer = removed.buffer.filter(|_| last.is_none());
            let sink = last.unwrap_or_else(|| of_sink(&removed.fate));
            (sink.once_removed(), buffer)
        }));
        // Under no lock: who holds the graph's may wait for ours.
        let graph = self.0.graph.snapshot();
        let broken = match &graph {
            Ok(graph) => {
                let stopped = graph.stopped.clone().map(GraphError::Stopped);
                stopped.or(graph.undriven.then_some(GraphError::Undriven))
            }
            Err(error) => Some(error.clone()),
        };
        let graph = graph.ok();
        let samples = graph
            .as_ref()
            .and_then(|graph| graph.node(self.0.intake.id()));
        let metrics = self
            .0
            .metrics
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut snapshot = PipelineSnapshot::new(&metrics.all, sinks, graph.as_ref(), samples);
        snapshot.broken = broken;
        snapshot.refused_by_facade = self.0.refused_by_facade.load(Ordering::Relaxed);
        snapshot.given_up = self.0.given_up.load(Ordering::Relaxed);
        if self.0.over.load(Ordering::Relaxed) {
            snapshot.give_up();
        }
        snapshot
    }

    /// The graph that it runs in: for its topology, its own snapshot, and pictures of it.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.0.graph
    }

    /// What is aggregated, as a flow in [its graph](MetricsPipeline::graph): for branches of one's own.
    ///
    /// What runs there is part of the graph: a closure that waits delays the whole pipeline, and one that
    /// panics ends it, which senders, the shutdown and [snapshots](PipelineSnapshot::broken) tell. A
    /// [sink](MetricsPipeline::add_sink) may do either.
    #[must_use]
    pub fn elements(&self) -> &Shared<Element> {
        &self.0.elements
    }

    /// All that was sent before is in the graph when this returns: in a window or a batch that is under
    /// way, or beyond it.
    ///
    /// # Errors
    /// [`GraphError::Poisoned`] if a closure in its graph [panicked](MetricsPipeline::elements) before.
    pub async fn flush(&self) -> Result<(), GraphError> {
        self.0.intake.flushed().await
    }

    /// Takes no more values, emits windows and batches that are under way, and waits until the sinks
    /// have delivered everything: for ever, if one of them never can, and 5 s for those that are
    /// [removed](MetricsPipeline::remove_sink), before or meanwhile.
    ///
    /// # Errors
    /// [`GraphError::Poisoned`] if a closure in its graph [panicked](MetricsPipeline::elements) before; [`GraphError::Undriven`] if the
    /// runtime that drove the pipeline has gone, so that what was held has gone with it: a program shuts
    /// its pipelines down before its runtime ends.
    pub async fn shutdown(&self) -> Result<PipelineSnapshot, GraphError> {
        self.0.intake.close();
        let ended = self.end(self.0.graph.shutdown()).await;
        self.ended(ended)
    }

    /// As [`shutdown`](MetricsPipeline::shutdown), for no longer than `limit`: what the sinks have not
    /// delivered by then is counted as given up, or as of unknown fate where a sink that delivers at most once
    /// is at it.
    ///
    /// # Errors
    /// [`GraphError::Poisoned`] if a closure in its graph [panicked](MetricsPipeline::elements) before; [`GraphError::Undriven`] if the
    /// runtime that drove the pipeline has gone, so that what was held has gone with it: a program shuts
    /// its pipelines down before its runtime ends.
    pub async fn shutdown_within(&self, limit: Duration) -> Result<PipelineSnapshot, GraphError> {
        self.0.intake.close();
        let ended = self.end(self.0.graph.shutdown_within(limit)).await;
        self.ended(ended)
    }

    fn ended(&self, ended: Result<Report, GraphError>) -> Result<PipelineSnapshot, GraphError> {
        self.0.over.store(true, Ordering::Relaxed);
        let report = ended?;
        // What waited to enter has gone with the graph.
        if !report.complete
            && let Some(samples) = report.snapshot.node(self.0.intake.id())
        {
            let given_up = samples.counts.held;
            self.0.given_up.store(given_up, Ordering::Relaxed);
        }
        Ok(self.snapshot())
    }

    /// When the graph's clock was zero, for what is measured by a clock that nobody puts.
    fn epoch(&self) -> Time {
        self.0.epoch.zero().unwrap_or_default()
    }
}

impl Metrics {
    pub(super) fn running(metrics: &RwLock<Metrics>, metric: u16) -> Arc<Running> {
        let metrics = metrics.read().unwrap_or_else(PoisonError::into_inner);
        metrics.all[metric as usize].clone()
    }

    #[cold]
    fn unknown(&self, metric: &str) -> SendError {
        let mut known: Vec<_> = self.by_name.keys().cloned().collect();
        known.sort_unstable();
        SendError::Unknown {
            metric: metric.to_owned(),
            known: known.into(),
        }
    }
}

impl std::fmt::Debug for MetricsPipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let metrics = self
            .0
            .metrics
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("MetricsPipeline")
            .field("metrics", &metrics.by_name.keys())
            .finish_non_exhaustive()
    }
}
