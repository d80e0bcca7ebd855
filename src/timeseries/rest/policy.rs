//! When a request is sent again.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;
use tower::retry::backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff};
use tower::util::rng::HasherRng;

use super::attempt::{Request, Response};
use super::reason::Reason;

/// How much of a delay is left to chance, so that many who failed together don't come back together.
const JITTER: f64 = 0.5;

/// How often a request is sent, and after which delays.
#[derive(Debug, Clone)]
pub(in crate::timeseries) struct Policy {
    pub(in crate::timeseries) attempts: u32,
    pub(in crate::timeseries) first: Duration,
    pub(in crate::timeseries) longest: Duration,
    /// A store that asks for more patience than that is not asked again.
    pub(in crate::timeseries) patience: Duration,
    pub(super) backoff: Option<ExponentialBackoff>,
}

impl Policy {
    /// Delays of one request, by chance others than those of the next one.
    fn backoff(&mut self) -> &mut ExponentialBackoff {
        let (first, longest) = (self.first, self.longest.max(self.first));
        self.backoff.get_or_insert_with(|| {
            ExponentialBackoffMaker::new(first, longest, JITTER, HasherRng::default())
                .unwrap_or_default()
                .make_backoff()
        })
    }
}

impl tower::retry::Policy<Request, Response, Reason> for Policy {
    type Future = Pin<Box<Sleep>>;

    fn retry(
        &mut self,
        request: &mut Request,
        result: &mut Result<Response, Reason>,
    ) -> Option<Self::Future> {
        let reason = result.as_ref().err()?;
        self.attempts = self.attempts.saturating_sub(1);
        let after = reason.retry_after().unwrap_or_default();
        if self.attempts == 0 || !request.repeat || !reason.can_retry() || after > self.patience {
            return None;
        }
        let mut sleep = Box::pin(self.backoff().next_backoff());
        // Who is patient without end may be asked for more than there is time.
        let asked = tokio::time::sleep(after).deadline();
        if sleep.deadline() < asked {
            sleep.as_mut().reset(asked);
        }
        let delay = sleep.deadline().duration_since(tokio::time::Instant::now());
        tracing::debug!(%reason, ?delay, "asked again");
        Some(sleep)
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        Some(request.clone())
    }
}
