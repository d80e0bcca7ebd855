//! `PrometheusSink`: the last state of everything, for Prometheus to scrape.
//!
//! `mapping` says what a metric becomes, `names` how it is called, `families` whose names are whose,
//! `family` what a series knows; `state` puts elements where they belong; `write` and `format` make text
//! of it, which `exposition` and `route` hand out.

mod exposition;
mod families;
mod family;
mod format;
mod mapping;
mod names;
#[cfg(feature = "axum")]
mod route;
mod state;
mod write;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use self::state::{Options, State};
use crate::OnFull;
use crate::metrics::{
    Delivery, Described, Element, MetricError, MetricSink, MetricsPipeline, SinkError, SinkOptions,
};

pub use self::exposition::Exposition;
pub use self::format::ExpositionFormat;
pub use self::state::ExpositionCounts;

/// Keeps the last state of all series, for Prometheus to scrape by an [`Exposition`].
///
/// # What becomes of a metric
///
/// | kind | aggregator | becomes |
/// | --- | --- | --- |
/// | `Counter` | `Sum`; `Count` if there is no sum | the counter `name_total`: what was summed in windows and batches, added up |
/// | `Counter` | a further `Sum` or `Count` | the counter `name_aggregator_total` |
/// | `Histogram` | `Quantile`, `ApproxQuantile`, `Median` | the summary `name{quantile="0.99"}`: of the last window or batch |
/// | `Histogram` | `Sum`, `Count` | the summary's `name_sum` and `name_count`, added up |
/// | any | any other, or a second of the same | the gauge `name_aggregator`: of the last window or batch |
///
/// Elements that nobody has described are gauges of their own name. A unit is put at the end of the
/// names of sums and summaries (`latency_seconds`), and told in OpenMetrics; that of a gauge is in its
/// help, as a variance, say, is not in the unit of its values. Samples have no timestamps: to Prometheus
/// they are of the time of the scrape.
///
/// What OpenMetrics forbids is rejected and counted, so that it can't spoil a scrape: a sum below zero or
/// not finite (of a summary the sum is left out from then on), and quantiles below zero.
///
/// # Names
///
/// In names of metrics and labels each character but ASCII letters, digits and underscores becomes an
/// underscore, and one stands in front of a digit; labels don't begin with two, and in a summary
/// `quantile` becomes `exported_quantile`. Values of labels may be any text; a tag whose text is empty is
/// left out, since to Prometheus that is the same.
///
/// Two metrics whose samples would have the same name, or two sets of tags with the same labels (the
/// number 1 and the text `1`), are never mixed: the first one stays, elements of the other are rejected,
/// counted, and told by [`Exposition::problems`].
///
/// # How long, and how many
///
/// Gauges and quantiles go away when no element came for five minutes
/// ([`stale_after`](PrometheusSink::stale_after)). Totals stay: they are still true, and a counter that
/// came back from zero with the same value would hide an increase from Prometheus. By
/// [`forget_totals_after`](PrometheusSink::forget_totals_after) they go too. There are 10 000 series at
/// most ([`max_series`](PrometheusSink::max_series)), and one more for each total: beyond that, what adds up is added
/// to a series with the label `overflow="true"`, other elements are rejected, and both are counted. Totals that were
/// idle for as long as makes a gauge stale make room, the longest first, and are counted as forgotten.
///
/// **Delivery**: at most once. An element is taken or rejected at once, and totals live as long as the
/// sink. **Blocking**: none, but for the lock that a scrape holds as it renders.
///
/// ```
/// use headwater::metrics::{Element, ExpositionFormat, Kind, Metric, MetricSink, PrometheusSink};
/// use headwater::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let requests = Metric::new("http.requests").kind(Kind::Counter).agg("sum", Sum).batch(2);
///
/// let mut sink = PrometheusSink::new();
/// sink.describe(&requests.described()?);
/// let source = Source::<Element>::new();
/// let sums = requests.aggregate(&source)?.sink_to_list();
/// source.emit_all((1..=4).map(|n| Element::new("http.requests", n)))?;
/// sink.deliver(&sums.take()).await?; // 1 + 2, 3 + 4
///
/// assert_eq!(
///     sink.exposition().render(ExpositionFormat::Text),
///     "# TYPE http_requests_total counter\nhttp_requests_total 10\n",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PrometheusSink {
    exposition: Exposition,
}

impl PrometheusSink {
    /// Without any series yet.
    #[must_use]
    pub fn new() -> PrometheusSink {
        PrometheusSink {
            exposition: Exposition::new(State::new(Options {
                stale_after: Duration::from_secs(300),
                forget_totals_after: None,
                max_series: 10_000,
                since: SystemTime::now(),
            })),
        }
    }

    /// The handle that answers scrapes.
    #[must_use]
    pub fn exposition(&self) -> Exposition {
        self.exposition.clone()
    }

    /// Gauges and quantiles go away when no element came for so long: five minutes by default. It should
    /// be more than the longest window, and than the time between two scrapes.
    ///
    /// # Panics
    /// If it is zero.
    #[must_use]
    #[track_caller]
    pub fn stale_after(self, after: Duration) -> PrometheusSink {
        assert!(
            !after.is_zero(),
            "gauges that are stale at once are in no scrape: let them stay for longer than a window"
        );
        self.exposition.state().options.stale_after = after;
        self
    }

    /// Totals are forgotten when no element came for so long; by default they are not.
    ///
    /// # Panics
    /// If it is zero.
    #[must_use]
    #[track_caller]
    pub fn forget_totals_after(self, after: Duration) -> PrometheusSink {
        assert!(
            !after.is_zero(),
            "totals that are forgotten at once are in no scrape: leave this out to keep them"
        );
        self.exposition.state().options.forget_totals_after = Some(after);
        self
    }

    /// How many series there are at most: 10 000 by default.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    #[doc(alias = "cardinality")]
    pub fn max_series(self, max: usize) -> PrometheusSink {
        assert!(
            max > 0,
            "a sink of 0 series shows nothing: let it be 1 at least"
        );
        self.exposition.state().options.max_series = max;
        self
    }

    /// When totals began, which OpenMetrics tells as `_created`: when the sink was made, if not said
    /// otherwise. Those that begin later do so when they are begun: after they were forgotten, or where a
    /// metric is described anew as something that has other names.
    #[must_use]
    #[doc(alias = "created")]
    pub fn since(self, time: SystemTime) -> PrometheusSink {
        self.exposition.state().options.since = time;
        self
    }
}

impl Default for PrometheusSink {
    fn default() -> PrometheusSink {
        PrometheusSink::new()
    }
}

impl MetricSink for PrometheusSink {
    fn delivery(&self) -> Delivery {
        Delivery::AtMostOnce
    }

    fn describe(&mut self, metric: &Arc<Described>) {
        let mut state = self.exposition.state();
        state.describe(metric);
        let news = state.news();
        drop(state);
        warn(&news);
    }

    async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
        let now = Instant::now();
        let (mut rejected, mut last) = (0, None);
        let mut state = self.exposition.state();
        state.sweep_sometimes(now);
        for element in batch {
            if let Err(problem) = state.take(element, now) {
                (rejected, last) = (rejected + 1, Some(problem));
            }
        }
        let news = state.news();
        drop(state);
        warn(&news);
        last.map_or(Ok(()), |last| {
            let error = SinkError::fatal(last).done(batch.len());
            Err(error.rejected(rejected))
        })
    }
}

fn warn(news: &[String]) {
    for problem in news {
        tracing::warn!(problem, "metrics cannot all be shown to Prometheus");
    }
}

impl MetricsPipeline {
    /// Adds a [`PrometheusSink`], and gives the handle that answers scrapes: what the metrics come to
    /// from now on.
    ///
    /// ```
    /// use headwater::metrics::{ExpositionFormat, Kind, Metric, MetricsPipeline};
    /// use headwater::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let requests = Metric::new("requests").kind(Kind::Counter).agg("sum", Sum).batch(10);
    /// let metrics = MetricsPipeline::builder().metric(requests).spawn()?;
    /// let exposition = metrics.prometheus()?;
    /// metrics.send("requests", 3)?;
    /// metrics.shutdown().await?;
    /// assert!(exposition.render(ExpositionFormat::Text).ends_with("\nrequests_total 3\n"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The sink is fed under [`OnFull::Wait`], as it is never in want of time: not even a window with more
    /// series than its [buffer](SinkOptions::buffer) has room for costs an element, and totals are what was
    /// counted.
    ///
    /// # Errors
    /// [`MetricError::SameSink`] if it has been called before, as two sinks of one name cannot be told
    /// apart; [`MetricError::Closed`] after the shutdown.
    pub fn prometheus(&self) -> Result<Exposition, MetricError> {
        self.prometheus_with(SinkOptions::default().on_full(OnFull::Wait))
    }

    /// As [`prometheus`](MetricsPipeline::prometheus), with a sink that hangs from the pipeline as these
    /// options say: by another name, there may be a second one. Who wants to say something of the sink
    /// itself, such as [how many series](PrometheusSink::max_series) it has room for, makes it and
    /// [adds](MetricsPipeline::add_sink_with) it.
    ///
    /// # Errors
    /// As [`prometheus`](MetricsPipeline::prometheus), and if an option makes no sense.
    pub fn prometheus_with(&self, options: SinkOptions) -> Result<Exposition, MetricError> {
        let sink = PrometheusSink::new();
        let exposition = sink.exposition();
        self.add_sink_with(sink, options)?;
        Ok(exposition)
    }
}
