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

impl Unit {
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
    unit: Unit,
    tags: Tags,
}

impl TimerBuilder {
    pub(super) fn new(pipeline: MetricsPipeline, metric: &str) -> TimerBuilder {
        TimerBuilder {
            pipeline,
            metric: metric.to_owned(),
            unit: Unit::default(),
            tags: Tags::new(),
        }
    }

    /// What the duration is counted in: seconds, if this is not called.
    #[doc(alias = "scale")]
    pub fn unit(self, unit: Unit) -> TimerBuilder {
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
        Timer {
            // The metric was there when the timer was asked for, and metrics stay.
            handle: self.pipeline.handle(&self.metric, self.tags).ok(),
            unit: self.unit,
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
///     .metric(Metric::new("latency").agg("max", Max).batch(10))
///     .spawn()?;
/// let answer = {
///     let _timer = metrics.timer("latency")?.unit(Unit::Millis).tag("route", "/home").start();
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
