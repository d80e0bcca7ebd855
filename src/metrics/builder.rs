//! `MetricsPipelineBuilder`: what a pipeline is made of.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::SystemTime;

use super::delivery::Descriptions;
use super::epoch::{Epoch, SystemClock};
use super::error::MetricError;
use super::metric::Metric;
use super::options::SinkOptions;
use super::pipeline::{Inner, Metrics, MetricsPipeline};
use super::sample::Sample;
use super::sink::MetricSink;
use super::tags::{IntoTags, Tags};
use crate::prelude::*;
use crate::{Keys, Shards, Time};

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
                Sample::metric,
                Keys::max(MAX_METRICS),
                move |metric, samples| Metrics::running(&recipes, *metric).aggregate(samples),
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

impl std::fmt::Debug for MetricsPipelineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricsPipelineBuilder")
            .field("metrics", &self.metrics)
            .field("sinks", &self.sinks.len())
            .finish_non_exhaustive()
    }
}
