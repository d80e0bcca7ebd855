//! `Handle`: one series of a metric, looked up once.

use std::sync::Arc;

use super::error::SendError;
use super::sample::{Mark, Origin, Sample};
use super::series::Entry;
#[cfg(feature = "facade")]
use super::series::SeriesTable;
use super::tags::Tags;
use super::timer::{Timer, Unit};
use super::value::Value;
use super::warned::Warned;
use crate::{Sharded, Time};

/// One series of a metric: the name and the tags are looked up already, so that to send a value is to
/// write it into the buffer of the sending thread.
///
/// As long as there is a handle its series is known: it does not make room for others.
///
/// See [`MetricsPipeline::handle`](super::MetricsPipeline::handle).
#[derive(Clone)]
pub struct Handle {
    intake: Sharded<Sample>,
    /// The metric, and the number of the series.
    mark: Mark,
    series: Arc<Entry>,
    /// What timers count in.
    unit: Unit,
    /// When the graph's clock was zero, since the Unix epoch.
    epoch: Time,
}

impl Handle {
    pub(super) fn new(
        intake: Sharded<Sample>,
        metric: u16,
        series: Arc<Entry>,
        unit: Unit,
        epoch: Time,
    ) -> Handle {
        Handle {
            intake,
            mark: Mark::new((metric, series.series)),
            series,
            unit,
            epoch,
        }
    }

    #[inline]
    fn sample(&self, value: Value, time: Time, origin: Origin) -> Sample {
        Sample::new(self.mark, value, origin, time)
    }

    #[inline]
    pub(super) fn sample_now(&self, value: Value) -> Sample {
        self.sample(value, self.now(), Origin::Now)
    }

    pub(super) fn intake(&self) -> &Sharded<Sample> {
        &self.intake
    }

    #[inline]
    fn now(&self) -> Time {
        let (epoch, now) = (self.epoch.as_nanos(), self.intake.now().as_nanos());
        Time::from_nanos(epoch.saturating_add(now))
    }

    /// Sends a value. If there is no room for it, or the pipeline was shut down, it is dropped, and
    /// counted.
    #[inline]
    pub fn send(&self, value: impl Into<Value>) {
        self.send_or_drop(value);
    }

    /// As [`send`](Handle::send); says whether the value was taken.
    #[inline]
    pub(super) fn send_or_drop(&self, value: impl Into<Value>) -> bool {
        let taken = self.intake.send_or_drop(self.sample_now(value.into()));
        if !taken {
            self.warn_of_drop();
        }
        taken
    }

    /// Nobody else tells who sent it.
    #[cold]
    #[inline(never)]
    fn warn_of_drop(&self) {
        static WARNED: Warned = Warned::new();
        if !self.intake.is_closed() && WARNED.is_due(self.now()) {
            tracing::warn!(
                tags = %self.tags(),
                "values that are sent are dropped and counted, as the pipeline does not keep up: \
                 `send_async` and `blocking_send` wait, `Shards::capacity` gives more room; or it goes on \
                 no more, which `try_send` tells"
            );
        }
    }

    /// Sends a value, or says why not.
    ///
    /// # Errors
    /// [`SendError::Full`] if the pipeline does not keep up; [`SendError::Closed`] after the shutdown;
    /// [`SendError::Undriven`] if the runtime that drove the pipeline has gone; [`SendError::Poisoned`] and
    /// [`SendError::Stopped`] if a branch of one's own [broke](super::MetricsPipeline::elements) it.
    #[inline]
    pub fn try_send(&self, value: impl Into<Value>) -> Result<(), SendError> {
        self.put(self.sample_now(value.into()))
    }

    /// Sends a value that was measured at another time: a `SystemTime`, or a [`Time`] since the Unix
    /// epoch.
    ///
    /// # Errors
    /// As [`try_send`](Handle::try_send).
    pub fn send_at(&self, value: impl Into<Value>, time: impl Into<Time>) -> Result<(), SendError> {
        self.put(self.sample(value.into(), time.into(), Origin::At))
    }

    #[inline]
    pub(super) fn put(&self, sample: Sample) -> Result<(), SendError> {
        self.intake.send(sample).map_err(refused)
    }

    /// Whether it means all series beyond the bound.
    #[cfg(feature = "facade")]
    pub(super) fn is_overflow(&self) -> bool {
        self.mark.series() == SeriesTable::OVERFLOW
    }

    /// The metric's number.
    pub(super) fn metric(&self) -> u16 {
        self.mark.metric()
    }

    pub(super) fn entry(&self) -> &Arc<Entry> {
        &self.series
    }

    /// Begins to measure how long something takes, in the metric's [unit](super::Metric::unit), or in seconds
    /// if that is none of time.
    #[must_use = "a timer that is dropped at once has measured nothing"]
    pub fn timer(&self) -> Timer {
        Timer::start(self.clone(), self.unit)
    }

    /// What timers count in.
    pub(super) fn unit(&self) -> Unit {
        self.unit
    }

    /// The tags of the series: those that were given, and the metric's default ones.
    #[must_use]
    pub fn tags(&self) -> &Tags {
        &self.series.tags
    }
}

/// Until now the series was in use: values may be on their way, and a window keeps what it was sent.
impl Drop for Handle {
    fn drop(&mut self) {
        self.series.touch(self.now());
    }
}

#[cold]
#[inline(never)]
pub(super) fn refused(error: crate::SendError<Sample>) -> SendError {
    let wrap = match &error {
        crate::SendError::Full(_) => SendError::Full,
        crate::SendError::Undriven(_) => SendError::Undriven,
        crate::SendError::Poisoned(_) => SendError::Poisoned,
        crate::SendError::Stopped(..) => SendError::Stopped,
        _ => SendError::Closed,
    };
    wrap(error.into_element().value())
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("tags", self.tags())
            .finish_non_exhaustive()
    }
}
