//! Timers: how long something takes, as a value of a metric.

use std::time::Duration;

use tokio::time::Instant;

use super::handle::Handle;
use super::pipeline::MetricsPipeline;
use super::tags::{AsTag, IntoTags, Tags};

/// What a duration is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unit {
    /// Seconds.
    #[default]
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// Its name, for [`Metric::unit`](super::Metric::unit).
impl From<Unit> for String {
    fn from(unit: Unit) -> String {
        unit.name().to_owned()
    }
}

impl Unit {
    /// Its name: `seconds`, `milliseconds`, `microseconds` or `nanoseconds`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Unit::Seconds => "seconds",
            Unit::Millis => "milliseconds",
            Unit::Micros => "microseconds",
            Unit::Nanos => "nanoseconds",
        }
    }

    /// The unit of this name or sign, such as `milliseconds` or `ms`.
    pub(super) fn named(name: &str) -> Option<Unit> {
        match name.to_ascii_lowercase().as_str() {
            "s" | "sec" | "second" | "seconds" => Some(Unit::Seconds),
            "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => Some(Unit::Millis),
            "us" | "µs" | "μs" | "micros" | "microsecond" | "microseconds" => Some(Unit::Micros),
            "ns" | "nanos" | "nanosecond" | "nanoseconds" => Some(Unit::Nanos),
            _ => None,
        }
    }

    /// A duration in this unit.
    #[must_use]
    pub fn of(self, duration: Duration) -> f64 {
        let scale = match self {
            Unit::Seconds => return duration.as_secs_f64(),
            Unit::Millis => 1e6,
            Unit::Micros => 1e3,
            Unit::Nanos => 1.0,
        };
        duration.as_nanos() as f64 / scale
    }
}

/// What to measure: see [`MetricsPipeline::timer`].
#[derive(Debug, Clone)]
#[must_use = "nothing is measured until `start`"]
pub struct TimerBuilder {
    pipeline: MetricsPipeline,
    metric: String,
    unit: Option<Unit>,
    tags: Tags,
}

impl TimerBuilder {
    pub(super) fn new(pipeline: MetricsPipeline, metric: &str) -> TimerBuilder {
        TimerBuilder {
            pipeline,
            metric: metric.to_owned(),
            unit: None,
            tags: Tags::new(),
        }
    }

    /// What the duration is counted in. If this is not called it is the metric's
    /// [unit](super::Metric::unit), and seconds if that is none of time.
    #[doc(alias = "scale")]
    pub fn unit(self, unit: Unit) -> TimerBuilder {
        let unit = Some(unit);
        TimerBuilder { unit, ..self }
    }

    /// One more tag.
    pub fn tag(self, name: impl AsRef<str>, value: impl AsTag) -> TimerBuilder {
        let tags = self.tags.with(name, value);
        TimerBuilder { tags, ..self }
    }

    /// More tags.
    pub fn tags(self, tags: impl IntoTags) -> TimerBuilder {
        let tags = self.tags.merged(&tags.into_tags());
        TimerBuilder { tags, ..self }
    }

    /// Begins to measure.
    #[must_use = "a timer that is dropped at once has measured nothing: give it a name, as `let _timer`"]
    pub fn start(self) -> Timer {
        // The metric was there when the timer was asked for, and metrics stay.
        let handle = self.pipeline.handle(&self.metric, self.tags).ok();
        let own = handle.as_ref().map(Handle::unit);
        Timer {
            unit: self.unit.or(own).unwrap_or_default(),
            handle,
            start: Instant::now(),
        }
    }
}

/// Measures from its [start](TimerBuilder::start) until it is dropped, be it by a panic, and sends the
/// time that passed. Time is the runtime's, which tests can pause.
///
/// ```
/// use headwater::metrics::{Metric, MetricsPipeline, Unit};
/// use headwater::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let metrics = MetricsPipeline::builder()
///     .metric(Metric::new("latency").unit(Unit::Millis).agg("max", Max).batch(10))
///     .spawn()?;
/// let answer = {
///     let _timer = metrics.timer("latency")?.tag("route", "/home").start(); // in milliseconds
///     6 * 7
/// };
/// metrics.timer("latency")?.start().discard();
/// let report = metrics.shutdown().await?;
/// assert_eq!(report.metric("latency").unwrap().values, 1);
/// # assert_eq!(answer, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a timer that is dropped at once has measured nothing: give it a name, as `let _timer`"]
pub struct Timer {
    handle: Option<Handle>,
    unit: Unit,
    start: Instant,
}

impl Timer {
    pub(super) fn start(handle: Handle, unit: Unit) -> Timer {
        Timer {
            handle: Some(handle),
            unit,
            start: Instant::now(),
        }
    }

    /// The same, counted in this unit.
    pub fn unit(mut self, unit: Unit) -> Timer {
        self.unit = unit;
        self
    }

    /// Sends the time now, and says how long it was.
    pub fn stop(mut self) -> Duration {
        self.send()
    }

    /// Ends without sending anything.
    pub fn discard(mut self) {
        self.handle = None;
    }

    fn send(&mut self) -> Duration {
        let elapsed = self.start.elapsed();
        if let Some(handle) = self.handle.take() {
            handle.send(self.unit.of(elapsed));
        }
        elapsed
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.send();
    }
}
