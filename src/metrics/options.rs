//! How a sink hangs from a pipeline: how much it may fall behind, how fast it is fed, and how often a
//! failed delivery is tried again.

use std::borrow::Cow;
use std::time::Duration;

use super::error::Zero;
use crate::{OnFull, Retry, again};

/// How a sink hangs from a pipeline.
///
/// By default
/// - it may fall 262 144 elements behind, which [`buffer`](SinkOptions::buffer) says the cost of; what is
///   too much then costs the oldest element, which is counted;
/// - a failed delivery is tried again for as long as it takes, after a tenth of a second at most, and then
///   after twice as long each time, up to 30 seconds. Each delay is shortened by chance, down to the half,
///   so that not all instances of a service come back to their receiver in one moment;
/// - elements are delivered in batches as large as the sink takes, at the latest 10 ms after they came.
///
/// ```
/// use headwater::OnFull;
/// use headwater::metrics::SinkOptions;
/// use std::time::Duration;
///
/// // Checked when a sink is added with them: none may be zero.
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
            buffer: 262_144,
            on_full: OnFull::DropOldest,
            rate_limit: None,
            max_age: Duration::from_millis(10),
            timeout: None,
            retry: again::for_ever(),
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

    /// How many elements may wait for the sink: 262 144 by default.
    ///
    /// It should be more than what comes at once. All windows of one length end in the same moment, and
    /// each gives an element for each of its aggregators and sets of tags: a hundred histograms of five
    /// aggregators with twenty sets are 10 000 elements. Beyond the largest such burst, it is for how long
    /// the receiver may be down.
    ///
    /// It is a bound, and no room that is taken beforehand. An element that waits takes 48 bytes, so that
    /// a full default buffer takes 12 MiB, which it keeps for the next time; its set of tags, of which
    /// there is one for all elements that have it, is kept meanwhile as well.
    pub fn buffer(self, elements: usize) -> SinkOptions {
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
    pub fn rate_limit(self, interval: Duration) -> SinkOptions {
        SinkOptions {
            rate_limit: Some(interval),
            ..self
        }
    }

    /// How long an element waits at most for others to be delivered with.
    pub fn max_age(self, max_age: Duration) -> SinkOptions {
        SinkOptions { max_age, ..self }
    }

    /// How long one attempt to deliver a batch, or to close the sink, may take: for ever, if this is not
    /// called.
    ///
    /// An attempt that takes longer is dropped half-way, and has failed. Nobody knows then what has arrived: a
    /// sink that promises [`AtLeastOnce`](super::Delivery::AtLeastOnce) gets the batch again; of one that
    /// promises [`AtMostOnce`](super::Delivery::AtMostOnce) the batch is counted as of
    /// [unknown](super::SinkSnapshot::unknown) fate.
    pub fn timeout(self, timeout: Duration) -> SinkOptions {
        SinkOptions {
            timeout: Some(timeout),
            ..self
        }
    }

    /// How often, and after how long, a delivery that failed is tried again.
    ///
    /// Where that can't help, as the sink [says](super::SinkError::can_retry), it is not, whatever the policy.
    /// A [`when`](Retry::when) of yours is asked before, with the [`SinkError`](super::SinkError), and can
    /// only make attempts fewer.
    pub fn retry(self, retry: Retry) -> SinkOptions {
        SinkOptions { retry, ..self }
    }

    /// Which option is zero and must not be, and what to do instead.
    pub(super) fn check(&self) -> Result<(), Zero> {
        if self.buffer == 0 {
            return Err(Zero::of("buffer", "let it hold 1 element at least"));
        }
        if self.rate_limit.is_some_and(|limit| limit.is_zero()) {
            return Err(Zero::of("rate_limit", "leave it out to limit nothing"));
        }
        if self.max_age.is_zero() {
            let advice = "give it a longer time, so that batches can form";
            return Err(Zero::of("max_age", advice));
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            let advice = "no delivery would succeed: give it a longer time";
            return Err(Zero::of("timeout", advice));
        }
        Ok(())
    }
}
