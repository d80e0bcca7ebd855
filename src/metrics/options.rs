//! How a sink hangs from a pipeline: how much it may fall behind, how fast it is fed, and how often a
//! failed delivery is tried again.

use std::borrow::Cow;
use std::time::Duration;

use crate::{OnFull, Retry};

/// How a sink hangs from a pipeline.
///
/// By default it may fall 8 192 elements behind; what is too much then costs the oldest element, which
/// is counted. A failed delivery is tried again for as long as it takes, after a tenth of a second, and
/// then after twice as long each time, up to 30 seconds. Elements are delivered in batches as large as
/// the sink takes, at the latest 10 ms after they came.
///
/// ```
/// use headwater::OnFull;
/// use headwater::metrics::SinkOptions;
/// use std::time::Duration;
///
/// let options = SinkOptions::default()
///     .buffer(100_000)
///     .on_full(OnFull::DropNewest)
///     .rate_limit(Duration::from_millis(1));
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until they are given to a pipeline"]
pub struct SinkOptions {
    pub(super) name: Option<Cow<'static, str>>,
    pub(super) buffer: usize,
    pub(super) on_full: OnFull,
    pub(super) rate_limit: Option<Duration>,
    pub(super) max_age: Duration,
    pub(super) timeout: Option<Duration>,
    pub(super) retry: Retry,
}

impl Default for SinkOptions {
    fn default() -> SinkOptions {
        SinkOptions {
            name: None,
            buffer: 8_192,
            on_full: OnFull::DropOldest,
            rate_limit: None,
            max_age: Duration::from_millis(10),
            timeout: None,
            retry: Retry::attempts(u32::MAX)
                .exponential(Duration::from_millis(100))
                .max_delay(Duration::from_secs(30))
                .jitter(0),
        }
    }
}

impl SinkOptions {
    /// What the sink is called in snapshots, instead of by its own name.
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> SinkOptions {
        SinkOptions {
            name: Some(name.into()),
            ..self
        }
    }

    /// How many elements may wait for the sink.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn buffer(self, elements: usize) -> SinkOptions {
        assert!(
            elements > 0,
            "a sink's buffer of 0 elements could never be fed: let it hold at least 1"
        );
        SinkOptions {
            buffer: elements,
            ..self
        }
    }

    /// What happens to elements that don't fit into the buffer. Under [`OnFull::Wait`] nothing is dropped
    /// here: the other sinks wait too, and after them the senders' buffers fill.
    pub fn on_full(self, on_full: OnFull) -> SinkOptions {
        SinkOptions { on_full, ..self }
    }

    /// Delivers one element within each such stretch of time, at the most. None is dropped for that:
    /// they wait in the buffer.
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn rate_limit(self, interval: Duration) -> SinkOptions {
        assert!(
            !interval.is_zero(),
            "a `rate_limit` of zero limits nothing: leave it out"
        );
        SinkOptions {
            rate_limit: Some(interval),
            ..self
        }
    }

    /// How long an element waits at most for others to be delivered with.
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn max_age(self, max_age: Duration) -> SinkOptions {
        assert!(
            !max_age.is_zero(),
            "a `max_age` of zero would let no batch form: give it a longer time"
        );
        SinkOptions { max_age, ..self }
    }

    /// How long one attempt to deliver a batch, or to close the sink, may take: for ever, if this is not
    /// called.
    ///
    /// An attempt that takes longer is dropped half-way, and has failed. Nobody knows then what has arrived: a
    /// sink that promises [`AtLeastOnce`](super::Delivery::AtLeastOnce) gets the batch again; of one that
    /// promises [`AtMostOnce`](super::Delivery::AtMostOnce) the batch is counted as given up.
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn timeout(self, timeout: Duration) -> SinkOptions {
        assert!(
            !timeout.is_zero(),
            "a `timeout` of zero would let no delivery succeed: give it a longer time"
        );
        SinkOptions {
            timeout: Some(timeout),
            ..self
        }
    }

    /// How often, and after how long, a delivery that failed is tried again, where that can help.
    pub fn retry(self, retry: Retry) -> SinkOptions {
        SinkOptions { retry, ..self }
    }
}
