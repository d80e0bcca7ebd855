//! The durations of `tracing` spans, as values of a pipeline's metrics.

mod timer;
mod timing;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use smallvec::SmallVec;
use tokio::time::Instant;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Filtered;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use self::timing::{Fields, Timing, Timings};
use super::error::SendError;
use super::handle::Handle;
use super::pipeline::MetricsPipeline;

pub use self::timer::{SpanTimer, Spent};

/// A `tracing-subscriber` layer that sends the durations of spans to a pipeline's metrics:
/// [`MetricsPipeline::time_spans`] makes one. With the feature `spans`.
///
/// - A value is sent when a span is over: its last handle was dropped, be it by a panic. Time is the
///   runtime's, as a [`Timer`](super::Timer)'s is, so tests can pause it.
/// - It comes with a filter of its own, which asks for nothing but the spans that some [`SpanTimer`]
///   wants. A place in the code whose spans nobody else wants either is switched off by `tracing`, and costs
///   what a disabled span costs. Events, those of this library among them, are never looked at.
/// - Several layers, of one pipeline or of several, may be part of one subscriber.
/// - A span may end anywhere, in a closure of the pipeline's own graph too: its value is then sent like any
///   other, and runs once the graph is free. Who times spans that are part of a delivery, such as those of a
///   sink's HTTP client, has each delivery send another value.
/// - It keeps its pipeline alive, so where it is part of the program's global subscriber only a
///   [shutdown](MetricsPipeline::shutdown) ends that.
pub type SpanTimers<S> = Filtered<SpanLayer, SpanLayer, S>;

/// What [`SpanTimers`] are made of: a layer, and the filter in front of it.
#[derive(Clone)]
pub struct SpanLayer(Arc<Inner>);

struct Inner {
    /// Tells layers of one subscriber apart.
    id: usize,
    pipeline: MetricsPipeline,
    rules: Vec<Rule>,
    has_busy: bool,
}

struct Rule {
    timer: SpanTimer,
    /// For spans without tags of their own.
    handle: Handle,
}

impl MetricsPipeline {
    /// A layer that sends the durations of spans to metrics: see [`SpanTimers`].
    ///
    /// ```
    /// use headwater::metrics::{Metric, MetricsPipeline, SpanTimer};
    /// use headwater::prelude::*;
    /// use tracing_subscriber::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let metrics = MetricsPipeline::builder()
    ///     .metric(Metric::new("latency").agg("max", Max).batch(100))
    ///     .spawn()?;
    /// let elements = metrics.elements().map(|e| e.to_string()).sink_to_list();
    /// let spans = metrics.time_spans([SpanTimer::new("latency").named("request").field("route")])?;
    ///
    /// let subscriber = tracing_subscriber::registry().with(spans); // and `.init()`, for the program
    /// let _guard = tracing::subscriber::set_default(subscriber);
    /// {
    ///     let _request = tracing::info_span!("request", route = "/home").entered();
    ///     tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    /// }
    /// metrics.shutdown().await?;
    /// assert_eq!(elements.take(), ["latency.max{route=/home} 0.25"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SendError::Unknown`] if there is no metric of a name that a timer gives.
    pub fn time_spans<S>(
        &self,
        timers: impl IntoIterator<Item = SpanTimer>,
    ) -> Result<SpanTimers<S>, SendError>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        static LAYERS: AtomicUsize = AtomicUsize::new(0);
        let rule = |timer: SpanTimer| {
            let handle = self.handle(timer.metric(), timer.constant_tags())?;
            Ok(Rule { timer, handle })
        };
        let rules = timers
            .into_iter()
            .map(rule)
            .collect::<Result<Vec<_>, SendError>>()?;
        let layer = SpanLayer(Arc::new(Inner {
            id: LAYERS.fetch_add(1, Relaxed),
            pipeline: self.clone(),
            has_busy: rules.iter().any(|rule| rule.timer.is_busy()),
            rules,
        }));
        Ok(layer.clone().with_filter(layer))
    }
}

impl SpanLayer {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && self.rules(metadata).next().is_some()
    }

    /// The rules for spans of a sort, with their places.
    fn rules(&self, metadata: &Metadata<'_>) -> impl Iterator<Item = (usize, &Rule)> {
        let rules = self.0.rules.iter().enumerate();
        rules.filter(move |(_, rule)| rule.timer.wants(metadata))
    }

    fn send(&self, timing: Timing, now: Instant) {
        let rule = &self.0.rules[timing.rule];
        let value = timing.spent(now, rule.timer.is_busy());
        let value = rule.timer.value(value, rule.handle.unit());
        if timing.fields.is_empty() {
            return rule.handle.send(value);
        }
        let tags = rule.timer.tags_of(timing.fields);
        // The metric was there when the layer was made, and metrics stay.
        if let Ok(handle) = self.0.pipeline.handle(rule.timer.metric(), tags) {
            handle.send(value);
        }
    }
}

impl<S> Filter<S> for SpanLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.wants(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }
}

/// No closure, `Debug` or other code of the user's runs while a span's extensions are locked: it may come
/// back to look at the span.
impl<S> Layer<S> for SpanLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let start = Instant::now();
        let begin = |(at, rule): (usize, &Rule)| {
            let mut fields = Fields::new(rule.timer.fields());
            attributes.record(&mut fields);
            Timing::new(self.0.id, at, start, fields.values)
        };
        let timings = self.rules(attributes.metadata()).map(begin);
        let timings: SmallVec<[Timing; 1]> = timings.collect();
        if let Some(span) = context.span(id) {
            let mut extensions = span.extensions_mut();
            match extensions.get_mut::<Timings>() {
                Some(others) => others.0.extend(timings),
                None => extensions.insert(Timings(timings)),
            }
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        for (at, rule) in self.rules(span.metadata()) {
            let mut fields = Fields::new(rule.timer.fields());
            record.record(&mut fields);
            if fields.values.is_empty() {
                continue;
            }
            if let Some(timings) = span.extensions_mut().get_mut::<Timings>() {
                let timing = timings.of(self.0.id).find(|timing| timing.rule == at);
                if let Some(timing) = timing {
                    timing.update(fields.values);
                }
            }
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if self.0.has_busy {
            let now = Instant::now();
            if let Some(span) = context.span(id)
                && let Some(timings) = span.extensions_mut().get_mut::<Timings>()
            {
                timings.of(self.0.id).for_each(|timing| timing.enter(now));
            }
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if self.0.has_busy {
            let now = Instant::now();
            if let Some(span) = context.span(id)
                && let Some(timings) = span.extensions_mut().get_mut::<Timings>()
            {
                timings.of(self.0.id).for_each(|timing| timing.exit(now));
            }
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let now = Instant::now();
        let Some(span) = context.span(&id) else {
            return;
        };
        let mut extensions = span.extensions_mut();
        let timings = extensions.get_mut::<Timings>();
        let own = timings.map(|timings| timings.take(self.0.id));
        drop(extensions);
        // Without the lock, as the graph may run in here.
        for timing in own.unwrap_or_default() {
            self.send(timing, now);
        }
    }
}

impl std::fmt::Debug for SpanLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let timers = self.0.rules.iter().map(|rule| &rule.timer);
        f.debug_list().entries(timers).finish()
    }
}
