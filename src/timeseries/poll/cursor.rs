//! How far a polling stream has come, to go on from there.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::entry::Entry;
use super::pending::Pending;
use super::range::Reach;
use super::seen::Seen;
use super::series::Series;
use crate::metrics::Tags;

/// How far a polling stream has come: all points that were acknowledged are behind it.
///
/// A stream that [resumes](super::Polling::resume) from it does not emit those again. Everything else
/// is emitted, from the horizon on, or from the earliest point that was not acknowledged.
///
/// It is a horizon and the points above it, about ten bytes each as
/// [bytes](Cursor::to_bytes). A [`CursorFile`](super::CursorFile) keeps it.
#[derive(Clone, PartialEq)]
pub struct Cursor {
    pub(super) horizon: Option<i64>,
    pub(super) known_from: i64,
    pub(super) series: Vec<Known>,
}

/// The acknowledged points of a series.
#[derive(Clone, PartialEq)]
pub(super) struct Known {
    pub(super) metric: Arc<str>,
    pub(super) tags: Tags,
    pub(super) entries: Vec<Entry>,
}

/// Why something is not a cursor, or why it could not be read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum CursorError {
    /// It does not begin as a cursor does.
    NoCursor,
    /// It was written by a version of this library that keeps cursors in another way.
    Version(u8),
    /// It is damaged: cut off, or changed.
    Checksum,
    /// The checksum holds, but there is no sense in it from this byte on.
    Senseless(usize),
    /// The file could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// What the file has is not a cursor.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<CursorError>,
    },
}

/// Of the [bytes](Cursor::to_bytes).
pub(super) const VERSION: u8 = 1;

impl Cursor {
    pub(super) fn of(seen: &Seen, reach: &Reach, pending: &Pending) -> Cursor {
        let open = pending.all();
        let series = seen.iter().filter_map(|(place, series)| {
            let done = |entry: &&Entry| open.is_empty() || !open.contains(&(place, entry.millis));
            let entries: Vec<Entry> = series.entries.iter().filter(done).cloned().collect();
            let (metric, tags) = (series.metric.clone(), series.tags.clone());
            (!entries.is_empty()).then_some(Known {
                metric,
                tags,
                entries,
            })
        });
        let horizon = reach.horizon();
        let oldest = pending.oldest().unwrap_or(i64::MAX);
        Cursor {
            horizon: horizon.map(|horizon| horizon.min(oldest)),
            known_from: reach.known_from(),
            series: series.collect(),
        }
    }

    pub(super) fn into_seen(self) -> Seen {
        let mut seen = Seen::default();
        for known in self.series {
            seen.add(Series::new(known.metric, known.tags, known.entries));
        }
        seen
    }

    /// Points before this time, in milliseconds since the Unix epoch, are not asked for any more.
    /// `None` if nothing was polled yet.
    #[must_use]
    pub fn horizon(&self) -> Option<i64> {
        self.horizon
    }

    /// How many points it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.iter().map(|known| known.entries.len()).sum()
    }

    /// Whether it knows no points.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            .field("horizon", &self.horizon)
            .field("series", &self.series.len())
            .field("points", &self.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CursorError::NoCursor => f.write_str("this is not a cursor of a polling stream"),
            CursorError::Version(found) => write!(
                f,
                "the cursor has version {found}, and only version {VERSION} is known here: begin \
                 without it, or go on with the release that wrote it"
            ),
            CursorError::Checksum => f.write_str(
                "the cursor is damaged, as its checksum says: take an older copy, or begin without it",
            ),
            CursorError::Senseless(at) => {
                write!(f, "the cursor makes no sense from byte {at} on")
            }
            CursorError::Io { path, error } => {
                write!(f, "the cursor's file {}: {error}", path.display())
            }
            CursorError::File { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl Error for CursorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            CursorError::Io { error, .. } => Some(error),
            CursorError::File { error, .. } => Some(error),
            _ => None,
        }
    }
}
