//! What became of a batch whose elements are delivered one by one.

use crate::metrics::{Delivery, SinkError};

/// Counts what was rejected, and remembers why.
pub(super) struct Tally {
    delivery: Delivery,
    done: usize,
    rejected: usize,
    last: Option<SinkError>,
}

impl Tally {
    pub(super) fn new(delivery: Delivery) -> Tally {
        Tally {
            delivery,
            done: 0,
            rejected: 0,
            last: None,
        }
    }

    /// The next element was delivered, or not. An error that trying again can help against ends the
    /// batch; any other one is about this element only.
    pub(super) fn add(&mut self, result: Result<(), SinkError>) -> Result<(), SinkError> {
        if let Err(error) = result {
            if error.done_count() > 0 {
                // Done with, whatever comes of it: one element at most is rejected.
                self.rejected += error.rejected_count().min(1);
            } else if error.can_retry() && self.delivery == Delivery::AtLeastOnce {
                return Err(error.done(self.done).rejected(self.rejected));
            } else {
                self.rejected += 1;
            }
            self.last = Some(error);
        }
        self.done += 1;
        Ok(())
    }

    /// All elements were delivered or rejected.
    pub(super) fn end(self) -> Result<(), SinkError> {
        self.last.map_or(Ok(()), |error| {
            let error = SinkError::fatal(error).done(self.done);
            Err(error.rejected(self.rejected))
        })
    }
}
