//! What became of points that were written.

use std::error::Error;
use std::fmt;
use std::ops::{AddAssign, Range};

use super::error::KairosError;

/// The store has taken points, and **queued** them: it has not stored them yet.
///
/// They can be read a moment later (half a second, by its defaults). Should it fail to store them, it says so
/// in its own log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queued {
    /// How many points.
    pub points: usize,
    /// In how many requests.
    pub requests: usize,
    /// How many bytes of JSON that were, before they were compressed.
    pub bytes: usize,
}

impl AddAssign for Queued {
    fn add_assign(&mut self, other: Queued) {
        self.points += other.points;
        self.requests += other.requests;
        self.bytes += other.bytes;
    }
}

/// Points were not written, or not all of them: which were, and which may have been.
///
/// Of the points that were given, those before [`uncertain`](WriteError::uncertain) are queued, and those
/// after it were not sent. Those within were in the request that failed: where the store refused it (status
/// 400), it **may have taken a part**, as it takes points while it reads. Writing them once more does no
/// harm: a point replaces the one of the same metric, tags, time and type.
#[derive(Debug, Clone)]
pub struct WriteError {
    pub(super) queued: Queued,
    pub(super) uncertain: Range<usize>,
    pub(super) error: KairosError,
}

impl WriteError {
    /// What the store has taken before: the first points of those that were given.
    #[must_use]
    pub fn queued(&self) -> Queued {
        self.queued
    }

    /// Places of the points of which nobody knows: they were in the request that failed. Empty if a point
    /// was found unfit before anything of its request was sent; then it begins where nothing was sent any more.
    #[must_use]
    pub fn uncertain(&self) -> Range<usize> {
        self.uncertain.clone()
    }

    /// Why it failed.
    #[must_use]
    pub fn error(&self) -> &KairosError {
        &self.error
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WriteError {
            queued,
            uncertain,
            error,
        } = self;
        write!(f, "{error}")?;
        match uncertain.len() {
            0 => write!(f, " ({} points were queued before)", queued.points),
            _ => write!(
                f,
                " ({} points were queued before; of the {} that were in this request, the store may have \
                 taken a part)",
                queued.points,
                uncertain.len()
            ),
        }
    }
}

impl Error for WriteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
