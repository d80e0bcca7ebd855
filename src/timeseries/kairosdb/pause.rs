//! Leaving a store alone that asked for it, from one delivery of a sink to the next.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::error::KairosError;

/// A store that asks for more patience than that is asked again anyway.
const LONGEST: Duration = Duration::from_secs(60);

/// Before when a store is not to be asked, if it said so.
#[derive(Debug, Default)]
pub(super) struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// Waits until the store may be asked.
    pub(super) async fn over(&self) {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    /// The store has answered so, or not at all.
    pub(super) fn heard(&self, error: Option<&KairosError>) {
        let pause = error.and_then(KairosError::retry_after);
        let until = pause.map(|pause| Instant::now() + pause.min(LONGEST));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}
