//! Why a polling stream cannot be started.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Time is counted in these.
pub(super) const LEAST: Duration = Duration::from_millis(1);

/// Why a polling stream cannot be started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PollingError {
    /// Time is counted in milliseconds, and this option has less than one.
    TooShort(&'static str, Duration),
    /// There would be no room for any point.
    NoPoints,
    /// There would be no room for any point in this outlet.
    NoRoom(&'static str),
    /// Points would wait for others longer than those may come.
    HoldBeyondBuffer {
        /// How long points would be held.
        hold: Duration,
        /// How late they may be.
        buffer: Duration,
    },
    /// A poll could be put off beyond the next one.
    JitterBeyondInterval {
        /// By how much polls would be put off.
        jitter: Duration,
        /// How often there is one.
        interval: Duration,
    },
    /// There is no runtime of tokio here.
    NoRuntime,
}

impl PollingError {
    /// What is wrong with how often there is a poll, and by how much it may be put off.
    pub(super) fn of_rate(
        interval: Duration,
        jitter: Option<Duration>,
    ) -> Result<(), PollingError> {
        if interval < LEAST {
            return Err(PollingError::TooShort("every", interval));
        }
        match jitter {
            Some(jitter) if jitter >= interval => {
                Err(PollingError::JitterBeyondInterval { jitter, interval })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for PollingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PollingError::TooShort(option, length) => write!(
                f,
                "`{option}` is {length:?}, and points have times in milliseconds: let it be 1 ms at least"
            ),
            PollingError::NoPoints => f.write_str(
                "`max_points(0)` leaves no room for any point: let it be as many as come in the buffer's time",
            ),
            PollingError::NoRoom(outlet) => write!(
                f,
                "`{outlet}(0)` is an outlet that would lose all points: let it have room for 1 at least"
            ),
            PollingError::HoldBeyondBuffer { hold, buffer } => write!(
                f,
                "points would be held for {hold:?} to bring them in order, and after {buffer:?} they are too \
                 late anyway: hold them for as long as the buffer at most"
            ),
            PollingError::JitterBeyondInterval { jitter, interval } => write!(
                f,
                "a jitter of up to {jitter:?} would put a poll off beyond the next one, which is due after \
                 {interval:?}: let it be shorter"
            ),
            PollingError::NoRuntime => f.write_str(
                "the stream polls in a task of tokio, and there is no runtime here: start it within one",
            ),
        }
    }
}

impl Error for PollingError {}
