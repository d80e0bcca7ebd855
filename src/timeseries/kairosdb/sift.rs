//! Writing what the store takes, and finding what it does not.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use super::client::KairosDb;
use super::encode::{Encoder, Format, check};
use super::error::KairosError;
use super::queued::Queued;
use crate::timeseries::Point;

/// How many more requests a call may make because some were refused: enough to find some bad points among
/// thousands, and not so many that a store which refuses everything is flooded.
const SPLITS: usize = 128;

/// What became of points of which the store need not take all.
///
/// The first [`done`](Sifted::done) of them are queued or rejected. That is all, unless the store
/// [stopped](Sifted::stopped) to answer.
#[derive(Debug, Clone, Default)]
#[must_use = "points may have been rejected, or not be written yet"]
pub struct Sifted {
    /// What the store has taken.
    pub queued: Queued,
    /// What it will never take.
    pub rejected: Vec<Rejected>,
    /// How many points, from the first on, are done with.
    pub done: usize,
    /// Why the others are not. Of the first request of these the store may have taken a part; it does no harm
    /// to write them again.
    pub stopped: Option<KairosError>,
}

/// A point that can't be stored, and why.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The point.
    pub point: Point,
    /// Why: it is [`Unfit`](super::Unfit), or the store has refused it.
    pub error: KairosError,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was rejected: {}", self.point, self.error)
    }
}

/// Whether the store refused what was in the request, and not the request as such.
fn content(error: &KairosError) -> bool {
    matches!(error.status(), Some(400 | 413 | 422))
}

/// A call of [`KairosDb::write_sifted`].
struct Sieve<'a> {
    client: &'a KairosDb,
    points: &'a [Point],
    /// Places of the points that can be sent.
    fit: Vec<usize>,
    format: Format,
    splits: usize,
    rejected: BTreeMap<usize, KairosError>,
    queued: Queued,
}

impl KairosDb {
    /// Writes the points that the store takes. Where it refuses a request (status 400, 413 or 422), the request
    /// is sent in halves, down to the points that it will not take: those are rejected, and the rest goes
    /// in, in its order. After 128 requests more than without, a part that is refused is rejected as it is.
    ///
    /// Points that can't be sent at all are rejected too.
    pub async fn write_sifted(&self, points: &[Point]) -> Sifted {
        let mut sieve = Sieve {
            client: self,
            points,
            fit: Vec::with_capacity(points.len()),
            format: self.format().clone(),
            splits: 0,
            rejected: BTreeMap::new(),
            queued: Queued::default(),
        };
        for (place, point) in points.iter().enumerate() {
            match check(point, &sieve.format.tags) {
                Ok(()) => sieve.fit.push(place),
                Err(why) => sieve.reject(place, self.unfit_error(place, point, why)),
            }
        }
        let stopped = sieve.sift().await;
        let done = stopped.as_ref().map_or(points.len(), |(done, _)| *done);
        let rejected = sieve.rejected.into_iter();
        // What is behind is looked at again by whoever writes it again.
        let rejected = rejected.take_while(|(place, _)| *place < done);
        let rejected = rejected.map(|(place, error)| Rejected {
            point: points[place].clone(),
            error,
        });
        Sifted {
            queued: sieve.queued,
            rejected: rejected.collect(),
            done,
            stopped: stopped.map(|(_, error)| error),
        }
    }
}

impl Sieve<'_> {
    /// If the store stopped to answer: how many points are done with, and why.
    async fn sift(&mut self) -> Option<(usize, KairosError)> {
        // Ranges of points to be sent, the next one last.
        let mut ranges: Vec<Range<usize>> = Vec::new();
        ranges.push(0..self.fit.len());
        while let Some(range) = ranges.pop() {
            if range.is_empty() {
                continue;
            }
            let (body, first) = self.request(range.clone());
            ranges.push(first.end..range.end);
            let bytes = body.len();
            let Err(error) = self.client.write_raw(body).await else {
                self.queued += Queued {
                    points: first.len(),
                    requests: 1,
                    bytes,
                };
                continue;
            };
            if !content(&error) {
                return Some((self.fit[first.start], error));
            }
            if first.len() == 1 || self.splits >= SPLITS {
                for at in first {
                    self.reject(self.fit[at], error.clone());
                }
                continue;
            }
            tracing::debug!(%error, points = first.len(), "refused, and sent in halves");
            self.splits += 2;
            if error.status() == Some(413) {
                self.format.max_bytes = bytes / 2;
            }
            let middle = first.start + first.len() / 2;
            ranges.push(middle..first.end);
            ranges.push(first.start..middle);
        }
        None
    }

    /// As many points as fit into a request.
    fn request(&self, range: Range<usize>) -> (Vec<u8>, Range<usize>) {
        let mut encoder = Encoder::new(&self.format);
        let fitting = self.fit[range.clone()]
            .iter()
            .take_while(|&&place| encoder.push(&self.points[place]).unwrap_or(false));
        let count = fitting.count();
        (encoder.take(), range.start..range.start + count)
    }

    fn reject(&mut self, place: usize, error: KairosError) {
        tracing::debug!(point = %self.points[place], %error, "a point was rejected");
        self.rejected.insert(place, error);
    }
}
