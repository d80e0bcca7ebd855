//! What is done, and said, when requests fail.

use std::time::{Duration, SystemTime};

use super::clock::Clock;
use super::shared::Shared;
use super::state::{PollError, PollState};
use crate::Retry;

/// A store is obeyed that asks to be left alone, but not for longer than this.
const LONGEST: Duration = Duration::from_secs(3600);

/// How requests have failed since the last one that did not.
#[derive(Debug)]
pub(super) struct Failing {
    retry: Retry,
    slowly: Duration,
    ends: bool,
    since: Option<SystemTime>,
    failures: u32,
}

impl Failing {
    pub(super) fn new(retry: Retry, slowly: Duration, ends: bool) -> Failing {
        Failing {
            retry,
            slowly,
            ends,
            since: None,
            failures: 0,
        }
    }

    /// A request failed. Returns how long to wait before the next one; `None` if there is none.
    pub(super) fn failed(
        &mut self,
        error: &PollError,
        clock: &Clock,
        shared: &Shared,
    ) -> Option<Duration> {
        let since = *self.since.get_or_insert_with(|| clock.wall());
        self.failures = self.failures.saturating_add(1);
        if self.ends && matches!(error, PollError::Store { .. }) && !error.can_retry() {
            return None;
        }
        let delay = match error.can_retry() {
            true => self.retry.delay_after(self.failures, error),
            false => None,
        };
        let (failures, last_error) = (self.failures, error.clone());
        let was_down = shared.state.borrow().is_down();
        let (state, delay) = match delay {
            Some(delay) => {
                tracing::warn!(%error, failures, "a poll failed");
                let degraded = PollState::Degraded {
                    since,
                    failures,
                    last_error,
                };
                (degraded, delay)
            }
            None => {
                if !was_down {
                    tracing::error!(%error, failures, "polls fail, and are repeated slowly");
                }
                let down = PollState::Down {
                    since,
                    failures,
                    last_error,
                };
                (down, self.slowly)
            }
        };
        shared.state.send_replace(state);
        let asked = error.retry_after().unwrap_or_default().min(LONGEST);
        Some(delay.max(asked))
    }

    /// A request was answered.
    pub(super) fn succeeded(&mut self, shared: &Shared, store: &str) {
        if self.since.take().is_some() {
            tracing::info!(store, failures = self.failures, "is polled again");
        }
        self.failures = 0;
        shared.state.send_if_modified(|state| {
            let recovers = !state.is_healthy();
            if recovers {
                *state = PollState::Healthy;
            }
            recovers
        });
    }
}
