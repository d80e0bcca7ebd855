//! What can be polled: any store that answers with the points of a stretch of time.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::point::Point;

/// A stretch of time, in milliseconds since the Unix epoch, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first millisecond.
    pub from: i64,
    /// The last millisecond.
    pub to: i64,
}

impl Range {
    /// How many milliseconds it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        u64::try_from(self.to.saturating_sub(self.from).saturating_add(1)).unwrap_or(0)
    }

    /// Whether it has none: it ends before it begins.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.to < self.from
    }
}

/// The first and the last millisecond: `1700000000000..=1700000059999`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.from, self.to)
    }
}

/// A store of time series that can be polled: a REST client, for example.
///
/// One method is all that is asked for: the points of a stretch of time, in any order. That polls
/// overlap, that points come late, that the store is down for a while is not its concern, but that of
/// who polls it.
///
/// ```
/// use headwater::timeseries::{Fetched, Point, Range, Store, StoreError};
///
/// /// A store that has a point a second.
/// struct Seconds;
///
/// impl Store for Seconds {
///     async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
///         let first = range.from.div_euclid(1000) + i64::from(range.from.rem_euclid(1000) > 0);
///         let last = range.to.div_euclid(1000);
///         let points = (first..=last).map(|second| Point::new("seconds", second * 1000, second));
///         Ok(Fetched::new(points))
///     }
/// }
/// ```
pub trait Store: Send + Sync + 'static {
    /// All points with a time in `range`.
    ///
    /// # Errors
    /// A [`StoreError`], which says whether asking again can help.
    fn fetch(&self, range: Range) -> impl Future<Output = Result<Fetched, StoreError>> + Send;

    /// What the store is called in errors and logs; the last part of the type's name by default.
    fn name(&self) -> String {
        let name = std::any::type_name::<Self>();
        let name = name.split('<').next().unwrap_or(name);
        name.rsplit("::").next().unwrap_or(name).to_owned()
    }
}

/// What a store answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fetched {
    /// The points, in any order.
    pub points: Vec<Point>,
    /// What time the store's clock showed, where it says so: the `Date` of an HTTP answer.
    pub server_time: Option<SystemTime>,
}

impl Fetched {
    /// Points from a store that does not tell the time.
    pub fn new(points: impl IntoIterator<Item = Point>) -> Fetched {
        Fetched {
            points: points.into_iter().collect(),
            server_time: None,
        }
    }
}

/// Why a store did not answer.
#[derive(Debug, Clone)]
pub struct StoreError {
    error: Arc<dyn Error + Send + Sync>,
    can_retry: bool,
    too_much: bool,
    retry_after: Option<Duration>,
}

impl StoreError {
    /// It may answer later: it is down, busy, or out of reach.
    pub fn retry(error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError {
            error: error.into().into(),
            can_retry: true,
            too_much: false,
            retry_after: None,
        }
    }

    /// It will never answer this request: it does not understand it, or does not permit it.
    pub fn fatal(error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError {
            can_retry: false,
            ..StoreError::retry(error)
        }
    }

    /// It does not answer for so long a stretch of time at once, as it would be too much. Who polls asks for a
    /// shorter one then.
    pub fn too_much(error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError {
            too_much: true,
            ..StoreError::fatal(error)
        }
    }

    /// The store asked to be left alone for so long.
    #[must_use]
    pub fn after(self, delay: Duration) -> StoreError {
        StoreError {
            retry_after: Some(delay),
            ..self
        }
    }

    /// Whether asking again can help.
    #[must_use]
    pub fn can_retry(&self) -> bool {
        self.can_retry
    }

    /// Whether it was asked for too much at once.
    #[must_use]
    pub fn is_too_much(&self) -> bool {
        self.too_much
    }

    /// For how long the store asked to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
