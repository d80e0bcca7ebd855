//! What became of a batch whose elements are delivered one by one.

use crate::metrics::{Delivery, SinkError};

/// Counts what was not delivered, and remembers why.
pub(super) struct Tally {
    delivery: Delivery,
    done: usize,
    rejected: usize,
    unknown: usize,
    last: Option<SinkError>,
}

impl Tally {
    pub(super) fn new(delivery: Delivery) -> Tally {
        Tally {
            delivery,
            done: 0,
            rejected: 0,
            unknown: 0,
            last: None,
        }
    }

    /// The next element was delivered, or not. An error that trying again can help against ends the
    /// batch; any other one is about this element only.
    pub(super) fn add(&mut self, result: Result<(), SinkError>) -> Result<(), SinkError> {
        if let Err(error) = result {
            if error.done_count() > 0 {
                // Done with, whatever comes of it: it is one element.
                let rejected = error.rejected_count().min(1);
                self.rejected += rejected;
                self.unknown += error.unknown_count().min(1 - rejected);
            } else if !error.can_retry() {
                self.rejected += 1;
            } else if self.delivery == Delivery::AtLeastOnce {
                return Err(self.told(error));
            } else {
                // It failed half-way, and how far that is it does not say.
                self.unknown += 1;
            }
            self.last = Some(error);
        }
        self.done += 1;
        Ok(())
    }

    /// All elements are done with.
    pub(super) fn end(mut self) -> Result<(), SinkError> {
        let last = self.last.take();
        last.map_or(Ok(()), |error| Err(self.told(SinkError::fatal(error))))
    }

    fn told(&self, error: SinkError) -> SinkError {
        let error = error.done(self.done).rejected(self.rejected);
        error.unknown(self.unknown)
    }
}
