//! How metrics are made of names that the facade brings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::metrics::SetRecorderError;

use super::FacadeRecorder;
use super::names::Names;
use crate::aggregate::{ApproxQuantile, Count, Last, Sum};
use crate::metrics::described::Kind;
use crate::metrics::error::MetricError;
use crate::metrics::metric::Metric;
use crate::metrics::pipeline::MetricsPipeline;

const WINDOW: Duration = Duration::from_secs(10);
const MAX_METRICS: usize = 1_000;

/// How a [`FacadeRecorder`] makes metrics of names that its pipeline has not: from a template for each
/// kind, a function that gets a [`Metric`] of the name and completes it. What the function leaves open is
/// filled in:
///
/// | of | aggregators | elements |
/// | --- | --- | --- |
/// | a counter | `Sum` | `name.sum` |
/// | a gauge | `Last` | `name.last` |
/// | a histogram | `Count`, `Sum`, `ApproxQuantile` at 0.5, 0.9 and 0.99 | `name.count`, `.sum`, `.p50`, `.p90`, `.p99` |
///
/// and windows of 10 s, or of what [`window`](FacadeRecorderBuilder::window) says. The kind is set in any
/// case. A template that makes no complete metric, or one of another name, has its values refused, which is
/// logged and counted.
///
/// ```
/// use headwater::metrics::MetricsPipeline;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pipeline = MetricsPipeline::builder().spawn()?;
/// let elements = pipeline.elements().map(|e| e.to_string()).sink_to_list();
/// let recorder = pipeline
///     .recorder()
///     .window(Duration::from_secs(1))
///     .counters(|metric| metric.default_tag("host", "a"))
///     .histograms(|metric| metric.agg("max", Max).batch(100))
///     .build();
/// metrics::with_local_recorder(&recorder, || {
///     metrics::counter!("requests").increment(1);
///     metrics::histogram!("latency").record(0.25);
/// });
/// pipeline.shutdown().await?;
/// assert_eq!(elements.take(), ["requests.sum{host=a} 1", "latency.max 0.25"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a recorder hears of nothing until it is installed, or built and used"]
pub struct FacadeRecorderBuilder {
    pipeline: MetricsPipeline,
    templates: Templates,
    max_metrics: usize,
}

impl FacadeRecorderBuilder {
    pub(super) fn new(pipeline: MetricsPipeline) -> FacadeRecorderBuilder {
        FacadeRecorderBuilder {
            pipeline,
            templates: Templates::default(),
            max_metrics: MAX_METRICS,
        }
    }

    /// How long a window is, where a template names neither a window nor a batch: 10 s by default.
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn window(mut self, length: Duration) -> Self {
        assert!(
            !length.is_zero(),
            "a `window` of no time would aggregate nothing: give it a duration"
        );
        self.templates.window = length;
        self
    }

    /// How metrics are made of counters.
    pub fn counters(mut self, template: impl Fn(Metric) -> Metric + Send + Sync + 'static) -> Self {
        self.templates.counters = Template(Some(Arc::new(template)));
        self
    }

    /// How metrics are made of gauges.
    pub fn gauges(mut self, template: impl Fn(Metric) -> Metric + Send + Sync + 'static) -> Self {
        self.templates.gauges = Template(Some(Arc::new(template)));
        self
    }

    /// How metrics are made of histograms.
    pub fn histograms(
        mut self,
        template: impl Fn(Metric) -> Metric + Send + Sync + 'static,
    ) -> Self {
        self.templates.histograms = Template(Some(Arc::new(template)));
        self
    }

    /// How many metrics the recorder may add: 1 000 by default. Values for further names are refused, and
    /// counted. Each metric has at most [`max_tag_sets`](Metric::max_tag_sets) sets of labels besides;
    /// those that no macro named for ten minutes and nobody keeps a handle of are let go when there is no room,
    /// gauges and counters with an absolute value excepted, and make room ten minutes later: what was kept until
    /// then may have sent values that are in a window still.
    pub fn max_metrics(mut self, max: usize) -> Self {
        self.max_metrics = max;
        self
    }

    /// A recorder that hears of nothing yet: for `metrics::with_local_recorder`, for layers of the crate
    /// `metrics-util`, and for tests.
    #[must_use]
    pub fn build(self) -> FacadeRecorder {
        let refused = &self.pipeline.0.refused_by_facade;
        let names = Names::new(self.templates, self.max_metrics, refused);
        FacadeRecorder::new(self.pipeline, names)
    }

    /// Has the macros in the whole program feed the pipeline, from now on and for ever. Macros whose
    /// handles were made before keep what they were made by.
    ///
    /// # Errors
    /// If there is a recorder for the whole program already.
    pub fn install(self) -> Result<FacadeRecorder, SetRecorderError<FacadeRecorder>> {
        self.build().install()
    }
}

#[derive(Debug, Clone)]
pub(super) struct Templates {
    window: Duration,
    counters: Template,
    gauges: Template,
    histograms: Template,
}

#[derive(Clone, Default)]
struct Template(Option<Arc<dyn Fn(Metric) -> Metric + Send + Sync>>);

impl Default for Templates {
    fn default() -> Templates {
        Templates {
            window: WINDOW,
            counters: Template::default(),
            gauges: Template::default(),
            histograms: Template::default(),
        }
    }
}

/// Why a name did not become a metric.
pub(super) enum Incomplete {
    Metric(MetricError),
    Renamed(String),
}

impl Templates {
    /// The metric that a template makes of this name.
    pub(super) fn metric(&self, name: &str, kind: Kind) -> Result<Metric, Incomplete> {
        let (template, aggregators): (_, fn(Metric) -> Metric) = match kind {
            Kind::Counter => (&self.counters, |m| m.agg("sum", Sum)),
            Kind::Gauge => (&self.gauges, |m| m.agg("last", Last)),
            Kind::Histogram => (&self.histograms, distribution),
        };
        let metric = Metric::new(name).kind(kind);
        let metric = match &template.0 {
            Some(template) => template(metric),
            None => metric,
        };
        if metric.name() != name {
            return Err(Incomplete::Renamed(metric.name().to_owned()));
        }
        Ok(metric.completed(self.window, aggregators).kind(kind))
    }
}

fn distribution(metric: Metric) -> Metric {
    metric
        .agg("count", Count)
        .agg("sum", Sum)
        .agg("p50", ApproxQuantile::new(0.5))
        .agg("p90", ApproxQuantile::new(0.9))
        .agg("p99", ApproxQuantile::new(0.99))
}

impl From<MetricError> for Incomplete {
    fn from(error: MetricError) -> Incomplete {
        Incomplete::Metric(error)
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incomplete::Metric(error) => fmt::Display::fmt(error, f),
            Incomplete::Renamed(name) => write!(
                f,
                "the template returned a metric called {name:?}: complete the one that it is given"
            ),
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "own",
            None => "default",
        })
    }
}
