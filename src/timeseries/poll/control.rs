//! The handle of a polling stream.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::cursor::Cursor;
use super::polling_error::PollingError;
use super::shared::{Settings, Shared};
use super::state::PollState;
use super::stats::PollStats;

/// A handle of a [`MetricsStream`](super::MetricsStream), for as many as want one: what it has done,
/// how it fares, how far it has come, and how to change or end it.
#[derive(Debug, Clone)]
pub struct PollControl {
    shared: Arc<Shared>,
}

impl PollControl {
    pub(super) fn new(shared: Arc<Shared>) -> PollControl {
        PollControl { shared }
    }

    /// How far it has come: see [`Cursor`]. It copies what is remembered, which is some milliseconds'
    /// work with a million points.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.shared.cursor()
    }

    /// What it has counted.
    #[must_use]
    pub fn stats(&self) -> PollStats {
        self.shared.stats()
    }

    /// How it fares.
    #[must_use]
    pub fn state(&self) -> PollState {
        self.shared.state.borrow().clone()
    }

    /// How it fares, and when that changes: `changed().await`.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<PollState> {
        self.shared.state.subscribe()
    }

    /// Polls at another interval from now on: the next poll comes so long after the last one was due,
    /// at once if that is past.
    ///
    /// # Errors
    /// If the interval is shorter than a millisecond, or not longer than the
    /// [jitter](super::Polling::jitter).
    #[doc(alias = "changeInterval")]
    pub fn change_interval(&self, interval: Duration) -> Result<(), PollingError> {
        PollingError::of_rate(interval, self.shared.settings.borrow().jitter)?;
        let change = |settings: &mut Settings| settings.interval = interval;
        self.shared.settings.send_modify(change);
        Ok(())
    }

    /// Ends the stream, once the request that is under way has been answered; what has come by then is
    /// emitted, and what waits to settle too.
    pub fn stop(&self) {
        self.shared
            .settings
            .send_modify(|settings| settings.stopped = true);
    }
}
