//! `MetricsPipeline`: metrics and sinks, and the graph between them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use hashbrown::{HashMap, HashSet};

use super::aggregate::Running;
use super::delivery::{self, Descriptions, Fate};
use super::element::Element;
use super::epoch::{Epoch, SystemClock};
use super::error::{MetricError, SendError};
use super::gauge::Gauge;
use super::handle::{Handle, refused};
use super::metric::Metric;
use super::options::SinkOptions;
use super::recent;
use super::removed::Removed;
use super::sample::{Origin, Sample, Series};
use super::series::{Entry, SeriesTable};
use super::sink::MetricSink;
use super::snapshot::{PipelineSnapshot, of_sink};
use super::tags::{IntoTags, Refs, Tags, tags_of};
use super::timer::TimerBuilder;
use super::value::Value;
use crate::prelude::*;
use crate::{Branch, Driver, GraphError, Keys, NodeId, Report, Sharded, Shards, Shared, Time};

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
    id: u64,
    pub(super) graph: Graph,
    pub(super) intake: Sharded<Sample>,
    pub(super) metrics: Arc<RwLock<Metrics>>,
    elements: Shared<Element>,
    sinks: Mutex<BTreeMap<String, Connected>>,
    /// Those that were taken off, and deliver what they have still.
    removed: Mutex<Vec<Arc<Removed>>>,
    /// Tells a shutdown that is under way.
    pub(super) one_removed: tokio::sync::Notify,
    pub(super) descriptions: Descriptions,
    epoch: Arc<Epoch>,
    pub(super) runtime: tokio::runtime::Handle,
    default_tags: Tags,
    /// Nothing is delivered any more.
    over: AtomicBool,
    /// How many values waited to enter the graph when it was given up.
    given_up: AtomicU64,
    /// How many values the recorders of the facade refused.
    pub(super) refused_by_facade: Arc<AtomicU64>,
    _driver: Driver,
}

/// The metrics of a pipeline, by name and by number.
#[derive(Default)]
pub(super) struct Metrics {
    pub(super) by_name: HashMap<Arc<str>, u16>,
    pub(super) all: Vec<Arc<Running>>,
    /// What their elements are called.
    outputs: HashSet<Arc<str>>,
}

pub(super) struct Connected {
    pub(super) fate: Arc<Fate>,
    /// None while it is being connected.
    branch: Option<Branch>,
    buffer: Option<NodeId>,
}

impl Connected {
    /// The node that counts what came for the sink. Not by its name, which others may have as well.
    fn buffer(&mut self) -> Option<NodeId> {
        if self.buffer.is_none()
            && let Some(branch) = &self.branch
        {
            let nodes = branch.nodes();
            let buffer = nodes.iter().find(|node| node.label().kind() == "buffer");
            self.buffer = buffer.map(|node| node.label().id());
        }
        self.buffer
    }
}

/// Adds a sink, whatever its type.
type AddSink = Box<dyn FnOnce(&MetricsPipeline) -> Result<(), MetricError> + Send>;

/// Describes a pipeline: see [`MetricsPipeline::builder`].
#[must_use = "a pipeline is built by `spawn`"]
#[derive(Default)]
pub struct MetricsPipelineBuilder {
    metrics: Vec<Metric>,
    sinks: Vec<AddSink>,
    shards: Option<Shards>,
    start: Start,
    default_tags: Tags,
}

/// When a pipeline starts.
#[derive(Clone)]
enum Start {
    /// When this says that it is then.
    By(SystemClock),
    At(Time),
}

impl Default for Start {
    fn default() -> Start {
        Start::By(SystemClock::default())
    }
}

impl MetricsPipelineBuilder {
    /// One more metric.
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metrics.push(metric);
        self
    }

    /// One more sink, with the default [`SinkOptions`].
    pub fn sink(self, sink: impl MetricSink) -> Self {
        self.sink_with(sink, SinkOptions::default())
    }

    /// One more sink.
    pub fn sink_with(mut self, sink: impl MetricSink, options: SinkOptions) -> Self {
        self.sinks.push(Box::new(move |pipeline| {
            pipeline.add_sink_with(sink, options)
        }));
        self
    }

    /// Tags that all values of all metrics have, also of those that are added later, unless the metric or
    /// the value brings some of the same names: the host, the service, its version.
    ///
    /// ```
    /// use headwater::metrics::{Metric, MetricsPipeline};
    /// use headwater::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let metrics = MetricsPipeline::builder()
    ///     .default_tags([("host", "a"), ("zone", "north")])
    ///     .metric(Metric::new("m").agg("sum", Sum).batch(1).default_tag("zone", "south"))
    ///     .spawn()?;
    /// let elements = metrics.elements().map(|e| e.to_string()).sink_to_list();
    /// metrics.send("m", 1)?;
    /// metrics.shutdown().await?;
    /// assert_eq!(elements.take(), ["m.sum{host=a zone=south} 1"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn default_tags(mut self, tags: impl IntoTags) -> Self {
        self.default_tags = self.default_tags.merged(&tags.into_tags());
        self
    }

    /// How values wait between the threads that send them and the graph.
    ///
    /// By default as [`Shards::default`] says, but that a thread runs values through the graph itself only
    /// where it has sent 4 096 before the driver came, within a millisecond
    /// ([`hand_over`](Shards::hand_over)): the threads of a service measure, and the runtime that drives the
    /// pipeline aggregates. With [`left_to_driver`](Shards::left_to_driver) they never do, and what is more
    /// than 8 192 values in a millisecond is refused, and counted.
    pub fn intake(mut self, shards: Shards) -> Self {
        self.shards = Some(shards);
        self
    }

    /// The time at which the pipeline starts, instead of the system's: values are stamped from here on
    /// by the runtime's clock, which tests can pause, and whatever becomes of the system's.
    pub fn epoch(mut self, start: impl Into<Time>) -> Self {
        self.start = Start::At(start.into());
        self
    }

    /// What says the time, instead of the system's clock: that of a satellite receiver, or of a test.
    ///
    /// Elements have the time that it says. It may be put forward or back, as the system's is by who keeps its
    /// time correct, and when a machine goes on that has slept: times follow within a second, if it differs by
    /// a second or more, and a warning tells of it. Windows do not: these go by the runtime's clock, and
    /// none becomes shorter, longer, or comes twice. Nor are values late for it that say no time.
    ///
    /// It is called seldom, within the graph: it must neither wait nor panic.
    ///
    /// ```
    /// use headwater::metrics::{Metric, MetricsPipeline};
    /// use headwater::prelude::*;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::sync::Arc;
    /// use std::time::{Duration, SystemTime};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (begin, year) = (tokio::time::Instant::now(), Arc::new(AtomicU64::new(0)));
    /// let known = year.clone();
    /// let metrics = MetricsPipeline::builder()
    ///     .metric(Metric::new("m").agg("sum", Sum).window(Duration::from_secs(10)))
    ///     .system_clock(move || {
    ///         let years = Duration::from_secs(31_557_600) * known.load(Ordering::Relaxed) as u32;
    ///         SystemTime::UNIX_EPOCH + years + begin.elapsed()
    ///     })
    ///     .spawn()?;
    /// let times = metrics.elements().map(|e| e.since_epoch().as_secs()).sink_to_list();
    /// metrics.send("m", 1)?;
    /// tokio::time::sleep(Duration::from_secs(15)).await;
    /// year.store(50, Ordering::Relaxed); // the network is there, and knows what time it is
    /// metrics.send("m", 1)?;
    /// tokio::time::sleep(Duration::from_secs(15)).await;
    /// assert_eq!(times.take(), [10, 1_577_880_020]);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "clock")]
    pub fn system_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.start = Start::By(SystemClock::new(clock));
        self
    }

    /// Builds the pipeline, and drives it on the current tokio runtime.
    ///
    /// # Errors
    /// A [`MetricError`] where a metric is not complete, an option is zero, or two metrics or sinks have one
    /// name.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or in one without time.
    #[track_caller]
    pub fn spawn(self) -> Result<MetricsPipeline, MetricError> {
        let graph = Graph::new();
        let driver = graph.spawn();
        let epoch = match self.start {
            Start::By(clock) => Epoch::of_system(clock),
            Start::At(time) => Epoch::fixed(Some(time)),
        };
        let metrics = Arc::<RwLock<Metrics>>::default();
        let shards = self.shards;
        let shards = shards.unwrap_or_else(|| Shards::default().hand_over(HAND_OVER));
        let intake = graph.sharded::<Sample>(shards).named("samples");
        // All of the pipeline: each metric makes elements of its own samples, and every sink hears of
        // them all.
        let recipes = metrics.clone();
        let elements = intake
            .per_key(
                |sample| sample.metric,
                Keys::max(MAX_METRICS),
                move |metric, samples| running(&recipes, *metric).aggregate(samples),
            )
            .named("metrics")
            .share();
        let pipeline = MetricsPipeline(Arc::new(Inner {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            graph,
            intake,
            metrics,
            elements,
            sinks: Mutex::default(),
            removed: Mutex::default(),
            one_removed: tokio::sync::Notify::new(),
            descriptions: Descriptions::default(),
            epoch: Arc::new(epoch),
            runtime: tokio::runtime::Handle::current(),
            default_tags: self.default_tags,
            over: AtomicBool::new(false),
            given_up: AtomicU64::new(0),
            refused_by_facade: Arc::default(),
            _driver: driver,
        }));
        for metric in self.metrics {
            pipeline.add_metric(metric)?;
        }
        for connect in self.sinks {
            connect(&pipeline)?;
        }
        Ok(pipeline)
    }
}

/// How many values a thread sends before it takes part in aggregating them: half of what its shard can
/// hold, so that it does before any is refused.
const HAND_OVER: usize = 4_096;

/// The pipelines there were.
static IDS: AtomicU64 = AtomicU64::new(0);

/// How many metrics a pipeline may have.
const MAX_METRICS: usize = 65_536;

fn running(metrics: &RwLock<Metrics>, metric: u16) -> Arc<Running> {
    let metrics = metrics.read().unwrap_or_else(PoisonError::into_inner);
    metrics.all[metric as usize].clone()
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

    /// Adds a sink to a pipeline that is running, with the default [`SinkOptions`]. It hears of what is
    /// aggregated from now on.
    ///
    /// # Errors
    /// [`MetricError::SameSink`] if there is one of this name; [`MetricError::Closed`] after the shutdown.
    #[doc(alias = "add_msink")]
    pub fn add_sink(&self, sink: impl MetricSink) -> Result<(), MetricError> {
        self.add_sink_with(sink, SinkOptions::default())
    }

    /// Adds a sink to a pipeline that is running. It hears of what is aggregated from now on, on the runtime on
    /// which the pipeline was spawned, whichever thread this is called on.
    ///
    /// # Errors
    /// [`MetricError::ZeroOption`] if an option is zero, or the batches that the sink asks for;
    /// [`MetricError::SameSink`] if there is one of this name; [`MetricError::Closed`] after the shutdown.
    pub fn add_sink_with(
        &self,
        sink: impl MetricSink,
        options: SinkOptions,
    ) -> Result<(), MetricError> {
        if self.0.intake.is_closed() {
            return Err(MetricError::Closed);
        }
        let name = options
            .name
            .clone()
            .unwrap_or_else(|| sink.name())
            .into_owned();
        let fate = Arc::new(Fate::new(name.clone(), sink.delivery()));
        let (elements, descriptions) = (&self.0.elements, &self.0.descriptions);
        let connect = delivery::prepare(
            elements,
            sink,
            &options,
            &fate,
            descriptions,
            &self.0.runtime,
        );
        let connect = connect.map_err(|zero| MetricError::ZeroOption {
            sink: name.as_str().into(),
            zero,
        })?;
        let connected = Connected {
            fate: fate.clone(),
            branch: None,
            buffer: None,
        };
        match self.sinks().entry(name.clone()) {
            MapEntry::Occupied(_) => return Err(MetricError::SameSink(name.into())),
            MapEntry::Vacant(place) => place.insert(connected),
        };
        // Not under the lock: this waits for the graph, where somebody may wait for the lock.
        let branch = connect();
        match self.sinks().get_mut(&name) {
            Some(connected) if Arc::ptr_eq(&connected.fate, &fate) => {
                connected.branch = Some(branch);
                connected.buffer();
            }
            // Taken off meanwhile.
            _ => branch.disconnect(),
        }
        Ok(())
    }

    fn sinks(&self) -> MutexGuard<'_, BTreeMap<String, Connected>> {
        self.0.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sink off. What it was given is delivered still, and then it is closed. Says whether there
    /// was one of this name.
    ///
    /// As long as it takes for that, it has the time, and is in [snapshots](MetricsPipeline::snapshot) as one
    /// that was removed; a [shutdown](MetricsPipeline::shutdown) waits 5 s more for it, also where it is under way
    /// already, gives up what it holds then, and counts that.
    pub fn remove_sink(&self, name: &str) -> bool {
        let sink = self.sinks().remove(name);
        let is_there = sink.is_some();
        // Not under the lock, as above.
        if let Some(mut sink) = sink {
            let buffer = sink.buffer();
            let Connected { fate, branch, .. } = sink;
            if let Some(branch) = branch {
                branch.disconnect();
                self.forget_ended();
                self.removed().push(Removed::new(fate, branch, buffer));
                self.0.one_removed.notify_waiters();
            }
        }
        is_there
    }

    pub(super) fn removed(&self) -> MutexGuard<'_, Vec<Arc<Removed>>> {
        let removed = self.0.removed.lock();
        removed.unwrap_or_else(PoisonError::into_inner)
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
        let value = value.into();
        let series = tags.lend(|tags| self.series(metric, tags))?;
        self.send_sample(series, value, Origin::Now, self.now())
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
        let series = tags.lend(|tags| self.series(metric, tags))?;
        self.send_sample(series, value, Origin::At, time)
    }

    /// The numbers of a metric, and of the series of these tags.
    fn series(&self, metric: &str, tags: Refs<'_, '_>) -> Result<(u16, Series), SendError> {
        recent::series((self.0.id, metric, tags), self.now(), || {
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
        let sample = Sample::new(series, value, origin, time);
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
        let metric = running(&self.0.metrics, number);
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

impl std::fmt::Debug for MetricsPipelineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricsPipelineBuilder")
            .field("metrics", &self.metrics)
            .field("sinks", &self.sinks.len())
            .finish_non_exhaustive()
    }
}
