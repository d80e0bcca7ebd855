//! How fast a recording is replayed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How fast a recording is replayed: see [`Flow::pace`](crate::Flow::pace).
///
/// A number turns into a speed, and so does a text such as `10` or `max`.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::Speed;
///
/// assert_eq!(Speed::from(10.0), Speed::Times(10.0));
/// assert_eq!("max".parse::<Speed>()?, Speed::Max);
/// assert!("0".parse::<Speed>().is_err());
/// # Ok::<(), headwater::InvalidSpeed>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Speed {
    /// So many times as fast as it was recorded: a number above 0.
    Times(f64),
    /// As fast as the machine can.
    Max,
}

/// Not a speed: a number above 0 or `max` is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidSpeed(String);

impl fmt::Display for InvalidSpeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidSpeed(given) = self;
        write!(
            f,
            "{given} is not a speed: give a number above 0, or \"max\""
        )
    }
}

impl std::error::Error for InvalidSpeed {}

impl Speed {
    pub(super) fn is_valid(self) -> bool {
        match self {
            Speed::Times(factor) => factor.is_finite() && factor > 0.0,
            Speed::Max => true,
        }
    }

    /// How long so much of the recording takes.
    pub(super) fn takes(self, recorded: Duration) -> Duration {
        match self {
            // A cast of a number that is too large gives the largest.
            Speed::Times(factor) => {
                Duration::from_nanos((recorded.as_nanos() as f64 / factor) as u64)
            }
            Speed::Max => Duration::ZERO,
        }
    }
}

impl From<f64> for Speed {
    fn from(factor: f64) -> Speed {
        Speed::Times(factor)
    }
}

impl FromStr for Speed {
    type Err = InvalidSpeed;

    /// `max`, or a number, an `x` behind it or not.
    fn from_str(text: &str) -> Result<Speed, InvalidSpeed> {
        let speed = match text.trim() {
            "max" => Some(Speed::Max),
            number => {
                let number = number.strip_suffix('x').unwrap_or(number);
                number.parse().ok().map(Speed::Times)
            }
        };
        speed
            .filter(|speed| speed.is_valid())
            .ok_or_else(|| InvalidSpeed(format!("{text:?}")))
    }
}
