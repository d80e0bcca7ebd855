//! `Handle`: one series of a metric, looked up once.

use std::sync::Arc;

use super::error::SendError;
use super::sample::{Sample, Series};
use super::series::Entry;
#[cfg(feature = "facade")]
use super::series::SeriesTable;
use super::tags::Tags;
use super::timer::{Timer, Unit};
use super::value::Value;
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
    metric: u32,
    /// The number of the series.
    number: Series,
    series: Arc<Entry>,
    /// When the graph's clock was zero, since the Unix epoch.
    epoch: Time,
}

impl Handle {
    pub(super) fn new(
        intake: Sharded<Sample>,
        metric: u32,
        series: Arc<Entry>,
        epoch: Time,
    ) -> Handle {
        Handle {
            intake,
            metric,
            number: series.series,
            series,
            epoch,
        }
    }

    #[inline]
    fn sample(&self, value: Value, time: Time) -> Sample {
        Sample {
            metric: self.metric,
            series: self.number,
            value,
            time,
        }
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
        self.intake
            .send_or_drop(self.sample(value.into(), self.now()));
    }

    /// As [`send`](Handle::send); says whether the value was taken.
    #[cfg(feature = "facade")]
    pub(super) fn send_or_drop(&self, value: impl Into<Value>) -> bool {
        let sample = self.sample(value.into(), self.now());
        self.intake.send_or_drop(sample)
    }

    /// Sends a value, or says why not.
    ///
    /// # Errors
    /// [`SendError::Full`] if the pipeline does not keep up, [`SendError::Closed`] after the shutdown.
    #[inline]
    pub fn try_send(&self, value: impl Into<Value>) -> Result<(), SendError> {
        self.put(self.sample(value.into(), self.now()))
    }

    /// Sends a value that was measured at another time: a `SystemTime`, or a [`Time`] since the Unix
    /// epoch.
    ///
    /// # Errors
    /// As [`try_send`](Handle::try_send).
    pub fn send_at(&self, value: impl Into<Value>, time: impl Into<Time>) -> Result<(), SendError> {
        self.put(self.sample(value.into(), time.into()))
    }

    #[inline]
    fn put(&self, sample: Sample) -> Result<(), SendError> {
        self.intake.send(sample).map_err(refused)
    }

    /// Whether it means all series beyond the bound.
    #[cfg(feature = "facade")]
    pub(super) fn is_overflow(&self) -> bool {
        self.number == SeriesTable::OVERFLOW
    }

    pub(super) fn entry(&self) -> &Arc<Entry> {
        &self.series
    }

    /// Begins to measure how long something takes, in seconds.
    #[must_use = "a timer that is dropped at once has measured nothing"]
    pub fn timer(&self) -> Timer {
        Timer::start(self.clone(), Unit::Seconds)
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
fn refused(error: crate::SendError<Sample>) -> SendError {
    match error.is_full() {
        true => SendError::Full(error.into_element().value),
        false => SendError::Closed(error.into_element().value),
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("tags", self.tags())
            .finish_non_exhaustive()
    }
}
