//! How a polling stream fares.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use crate::timeseries::{Range, StoreError};

/// How a polling stream fares.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum PollState {
    /// Nothing was answered yet.
    #[default]
    Starting,
    /// The last request was answered.
    Healthy,
    /// Requests fail, and are repeated.
    Degraded {
        /// The time of day of the first failure.
        since: SystemTime,
        /// How many there were since.
        failures: u32,
        /// The last one.
        last_error: PollError,
    },
    /// So many requests failed, or in such a way, that they are repeated slowly only.
    Down {
        /// The time of day of the first failure.
        since: SystemTime,
        /// How many there were since.
        failures: u32,
        /// The last one.
        last_error: PollError,
    },
    /// There are no polls any more.
    Ended {
        /// Why, if it was not the user's wish.
        error: Option<PollError>,
    },
}

impl PollState {
    /// Whether the last request was answered.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        matches!(self, PollState::Healthy)
    }

    /// Whether it is [`Down`](PollState::Down).
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self, PollState::Down { .. })
    }

    /// Whether there are no polls any more.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self, PollState::Ended { .. })
    }

    /// Since when requests fail, and how many have.
    #[must_use]
    pub fn failing(&self) -> Option<(SystemTime, u32)> {
        match self {
            PollState::Degraded {
                since, failures, ..
            }
            | PollState::Down {
                since, failures, ..
            } => Some((*since, *failures)),
            _ => None,
        }
    }

    /// The last failure, where the last request failed.
    #[must_use]
    pub fn last_error(&self) -> Option<&PollError> {
        match self {
            PollState::Degraded { last_error, .. } | PollState::Down { last_error, .. } => {
                Some(last_error)
            }
            PollState::Ended { error } => error.as_ref(),
            PollState::Starting | PollState::Healthy => None,
        }
    }
}

/// For people: `healthy`, or `down after 6 failures: Lines did not answer for …`.
impl fmt::Display for PollState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut failing = |what: &str, failures: u32, error: &PollError| match failures {
            1 => write!(f, "{what} after a failure: {error}"),
            _ => write!(f, "{what} after {failures} failures: {error}"),
        };
        match self {
            PollState::Starting => f.write_str("starting"),
            PollState::Healthy => f.write_str("healthy"),
            PollState::Degraded {
                failures,
                last_error,
                ..
            } => failing("degraded", *failures, last_error),
            PollState::Down {
                failures,
                last_error,
                ..
            } => failing("down", *failures, last_error),
            PollState::Ended { error: None } => f.write_str("ended"),
            PollState::Ended { error: Some(error) } => write!(f, "ended: {error}"),
        }
    }
}

/// Why a poll failed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PollError {
    /// The store said so.
    Store {
        /// What it is called.
        store: String,
        /// What was asked for.
        range: Range,
        /// Its words.
        error: StoreError,
    },
    /// The store did not answer in time.
    TimedOut {
        /// What it is called.
        store: String,
        /// What was asked for.
        range: Range,
        /// How long it was given.
        after: Duration,
    },
    /// There would be more points to remember than may be. Nothing of the answer was taken.
    TooManyPoints {
        /// What the store is called.
        store: String,
        /// What was asked for.
        range: Range,
        /// How many points there would be.
        points: usize,
        /// How many there may be.
        max: usize,
    },
}

impl PollError {
    /// Whether asking again soon can help.
    #[must_use]
    pub fn can_retry(&self) -> bool {
        match self {
            PollError::Store { error, .. } => error.can_retry(),
            PollError::TimedOut { .. } => true,
            PollError::TooManyPoints { .. } => false,
        }
    }

    /// Whether the store was asked for too much at once, and said so.
    pub(super) fn is_too_much(&self) -> bool {
        matches!(self, PollError::Store { error, .. } if error.is_too_much())
    }

    /// For how long the store asked to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            PollError::Store { error, .. } => error.retry_after(),
            PollError::TimedOut { .. } | PollError::TooManyPoints { .. } => None,
        }
    }
}

impl fmt::Display for PollError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PollError::Store {
                store,
                range,
                error,
            } => {
                write!(f, "{store} did not answer for {range}: {error}")
            }
            PollError::TimedOut {
                store,
                range,
                after,
            } => write!(
                f,
                "{store} did not answer for {range} within {after:?}: give it longer by `.timeout(d)`, \
                 or ask for less at once by `.chunk(d)`"
            ),
            PollError::TooManyPoints {
                store,
                range,
                points,
                max,
            } => write!(
                f,
                "{store} has so much for {range} that {points} points would be remembered, and {max} \
                 may be: make the buffer shorter, allow more by `.max_points(n)`, or acknowledge \
                 points sooner; nothing of the answer was taken"
            ),
        }
    }
}

impl Error for PollError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            PollError::Store { error, .. } => Some(error),
            PollError::TimedOut { .. } | PollError::TooManyPoints { .. } => None,
        }
    }
}
