//! Failures that nobody caught: to whom they are reported.

use super::context::Cx;
use super::error::{Failure, OnError};

/// Failures that nobody caught.
pub(crate) struct Faults {
    pub(crate) policy: OnError,
    /// An emitter waits for the outcome: the first failure is its error.
    pub(crate) emitting: bool,
    pub(crate) first: Option<Failure>,
    pub(crate) others: usize,
}

impl Cx {
    /// A failure that nobody caught.
    #[cold]
    #[inline(never)]
    pub(crate) fn report(&mut self, failure: Failure) {
        self.token.fail_by(&failure);
        if let Some(counts) = self.counts(failure.label().id()) {
            counts.failed += 1;
        }
        if matches!(self.faults.policy, OnError::Stop)
            && self.inbox.stopped.set(failure.clone()).is_ok()
        {
            self.refresh_inlets();
            self.wake_driver = true;
        }
        self.todo = true;
        if self.faults.emitting {
            match self.faults.first {
                None => self.faults.first = Some(failure),
                Some(_) => self.faults.others += 1,
            }
            return;
        }
        match &mut self.faults.policy {
            OnError::Log => tracing::error!(
                target: "headwater",
                node = failure.node(),
                location = %failure.location(),
                error = %failure.error(),
                "an element failed"
            ),
            OnError::Call(handler) => handler(&failure),
            OnError::Stop => {}
        }
    }
}
