//! Where elements go: the trait of all sinks of a pipeline.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::described::Described;
use super::element::Element;

/// Where a [pipeline](super::MetricsPipeline) delivers elements.
///
/// A sink gets them in batches, one batch at a time, in the order in which they were aggregated. It
/// runs outside of the graph: it may take its time, and delays nobody but itself.
///
/// If it panics, what is left of the batch is given up and counted as such, whatever the sink promises:
/// given again, the batch might make it panic for ever. The sink gets the next one, and what the panic
/// said is its [`last_error`](super::SinkSnapshot::last_error). A sink that hangs is left alone, unless
/// [`SinkOptions::timeout`](super::SinkOptions::timeout) says for how long.
///
/// ```
/// use headwater::metrics::{Delivery, Element, MetricSink, SinkError};
///
/// /// Keeps what comes in memory.
/// #[derive(Default)]
/// struct Memory(Vec<Element>);
///
/// impl MetricSink for Memory {
///     fn delivery(&self) -> Delivery {
///         Delivery::AtMostOnce
///     }
///
///     async fn deliver(&mut self, batch: &[Element]) -> Result<(), SinkError> {
///         self.0.extend_from_slice(batch);
///         Ok(())
///     }
/// }
/// ```
#[doc(alias = "MSink")]
#[doc(alias = "reporter")]
#[doc(alias = "exporter")]
pub trait MetricSink: Send + 'static {
    /// What it is called in snapshots and errors; the last part of the type's name by default.
    fn name(&self) -> Cow<'static, str> {
        let name = std::any::type_name::<Self>();
        let name = name.split('<').next().unwrap_or(name);
        Cow::Borrowed(name.rsplit("::").next().unwrap_or(name))
    }

    /// What happens to elements whose delivery failed half-way.
    fn delivery(&self) -> Delivery;

    /// How many elements a batch may have, and how many it waits for at most: 1 at least.
    fn max_batch(&self) -> usize {
        512
    }

    /// Told of each metric before any element of it comes, and once more if its unit or its meaning is
    /// said later.
    fn describe(&mut self, metric: &Arc<Described>) {
        let _ = metric;
    }

    /// Delivers a batch, which is never empty. When the future resolves to `Ok`, the elements are
    /// delivered.
    ///
    /// # Errors
    /// A [`SinkError`] says what was wrong, how much of the batch is done with, and whether trying
    /// again can help.
    fn deliver(&mut self, batch: &[Element]) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Called after the last batch: writes out what is buffered.
    ///
    /// Where it fails and [trying again can help](SinkError::retry), it is called again, with the delays that
    /// the sink's [options](super::SinkOptions::retry) say, but five times at the most: nobody who shuts down
    /// waits for ever for a disk that stays full. Then the failure is logged and counted, and the sink is
    /// dropped. A sink should call elements delivered when nothing need be done for them at the end.
    ///
    /// # Errors
    /// As [`deliver`](MetricSink::deliver); how much is done with does not matter here.
    fn close(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send {
        async { Ok(()) }
    }
}

/// What a sink promises where a delivery fails half-way, so that nobody knows what has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// No element arrives twice; one whose fate is [unknown](SinkError::unknown) is counted as such, and not
    /// delivered again.
    AtMostOnce,
    /// One whose fate is unknown is delivered again: none is lost, some may arrive twice.
    AtLeastOnce,
}

/// Why a delivery failed, and how far it came.
///
/// The first [`done`](SinkError::done) elements of the batch are done with: delivered,
/// [`rejected`](SinkError::rejected) for good, or of [`unknown`](SinkError::unknown) fate. The rest is tried
/// again if that can help, and counted as given up if not. Where there is no rest, and some were rejected
/// but not all, the sink works: this then tells of what was rejected, and is no failure.
#[derive(Debug, Clone)]
pub struct SinkError {
    error: Arc<dyn Error + Send + Sync>,
    can_retry: bool,
    done: usize,
    rejected: usize,
    unknown: usize,
}

impl SinkError {
    /// It may succeed later: the receiver is down, busy, or out of reach.
    pub fn retry(error: impl Into<Box<dyn Error + Send + Sync>>) -> SinkError {
        SinkError {
            error: error.into().into(),
            can_retry: true,
            done: 0,
            rejected: 0,
            unknown: 0,
        }
    }

    /// It will never succeed: what is not done with is counted as given up.
    pub fn fatal(error: impl Into<Box<dyn Error + Send + Sync>>) -> SinkError {
        SinkError {
            can_retry: false,
            ..SinkError::retry(error)
        }
    }

    /// The first `done` elements of the batch are done with; none, if this is not said.
    #[must_use]
    pub fn done(self, done: usize) -> SinkError {
        SinkError { done, ..self }
    }

    /// Of the elements that are done with, so many were not taken and never will be.
    #[must_use]
    pub fn rejected(self, rejected: usize) -> SinkError {
        SinkError { rejected, ..self }
    }

    /// Of the elements that are done with, so many may have arrived or not, and nobody knows: the
    /// connection broke behind them. It is what a sink says that promises to deliver
    /// [at most once](Delivery::AtMostOnce), as one that delivers at least once tries them again.
    ///
    /// ```
    /// use headwater::metrics::SinkError;
    ///
    /// // Of ten elements seven were sent, of which the receiver confirmed five and refused one of these.
    /// let error = SinkError::retry("the connection broke").done(7).rejected(1).unknown(2);
    /// assert_eq!((error.done_count(), error.rejected_count(), error.unknown_count()), (7, 1, 2));
    /// ```
    #[must_use]
    pub fn unknown(self, unknown: usize) -> SinkError {
        SinkError { unknown, ..self }
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn can_retry(&self) -> bool {
        self.can_retry
    }

    /// How many elements, from the batch's first on, are done with.
    #[must_use]
    pub fn done_count(&self) -> usize {
        self.done
    }

    /// How many of those that are done with were rejected for good.
    #[must_use]
    pub fn rejected_count(&self) -> usize {
        self.rejected
    }

    /// How many of those that are done with may have arrived or not.
    #[must_use]
    pub fn unknown_count(&self) -> usize {
        self.unknown
    }
}

/// What reads and writes fails with may go by, and is [tried again](SinkError::retry): so `?` does in
/// [`deliver`](MetricSink::deliver).
///
/// ```
/// use headwater::metrics::{Element, SinkError};
/// use std::io::Write;
///
/// fn write(mut to: impl Write, batch: &[Element]) -> Result<(), SinkError> {
///     for element in batch {
///         writeln!(to, "{element}")?;
///     }
///     Ok(())
/// }
/// let full = write(&mut [0_u8; 3][..], &[Element::new("m", 1)]).unwrap_err();
/// assert!(full.can_retry());
/// ```
impl From<std::io::Error> for SinkError {
    fn from(error: std::io::Error) -> SinkError {
        SinkError::retry(error)
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl Error for SinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
