//! Points that were not taken: counted, logged, and named in the error.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use crate::metrics::SinkError;

/// What was rejected of one batch.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    /// Places in the batch of those that are known.
    places: BTreeSet<usize>,
    /// How many more were rejected, nobody knows which.
    others: usize,
    /// How many may have arrived or not.
    unknown: usize,
    first: Option<String>,
}

impl Rejects {
    /// The element at this place of the batch was rejected.
    pub(super) fn at(&mut self, place: usize, metric: &str, why: &dyn fmt::Display) {
        // A receiver may name a point twice, where two are alike.
        if self.places.insert(place) {
            self.say(format!("{metric:?}: {why}"));
        }
    }

    /// So many were rejected.
    pub(super) fn some(&mut self, count: usize, why: &str) {
        if count > 0 {
            self.others += count;
            self.say(why.to_owned());
        }
    }

    /// So many may have arrived or not.
    pub(super) fn lost_sight_of(&mut self, count: usize) {
        self.unknown += count;
    }

    fn say(&mut self, why: String) {
        tracing::debug!(why, "a point was rejected");
        self.first.get_or_insert(why);
    }

    /// How many of the first `done` elements of the batch were rejected.
    pub(super) fn among(&self, done: usize) -> usize {
        let known = self.places.range(..done).count();
        (known + self.others).min(done)
    }

    /// The outcome of a batch of which everything is done with.
    pub(super) fn outcome(&self, batch: usize) -> Result<(), SinkError> {
        let rejected = self.among(batch);
        if rejected == 0 {
            return Ok(());
        }
        let error = self.error(rejected, batch);
        Err(SinkError::fatal(error).done(batch).rejected(rejected))
    }

    /// The outcome of a batch of which the first `done` elements are done with; the reason may pass.
    pub(super) fn broken(&self, why: impl Into<BoxError>, done: usize, batch: usize) -> SinkError {
        let error = match done == batch {
            true => SinkError::fatal(why),
            false => SinkError::retry(why),
        };
        let rejected = self.among(done);
        let unknown = self.unknown.min(done - rejected);
        error.done(done).rejected(rejected).unknown(unknown)
    }

    /// The outcome of a batch of which the first `done` elements are done with, and no more ever will be.
    pub(super) fn given_up(&self, why: impl Into<BoxError>, done: usize) -> SinkError {
        SinkError::fatal(why).done(done).rejected(self.among(done))
    }

    fn error(&self, rejected: usize, batch: usize) -> Rejected {
        Rejected {
            rejected,
            batch,
            first: self.first.clone().unwrap_or_default(),
        }
    }
}

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// Some points were rejected.
#[derive(Debug)]
struct Rejected {
    rejected: usize,
    batch: usize,
    first: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rejected {
            rejected,
            batch,
            first,
        } = self;
        match rejected {
            1 => write!(f, "1 of {batch} points was rejected: {first}"),
            _ => write!(
                f,
                "{rejected} of {batch} points were rejected, the first one: {first}"
            ),
        }
    }
}

impl Error for Rejected {}
