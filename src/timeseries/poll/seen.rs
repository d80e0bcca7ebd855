//! What was seen, by series.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use super::series::{Found, Series};
use crate::metrics::Tags;
use crate::timeseries::{Fetched, Point, Range};

/// The points that were seen and can come again.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The place of a series stays the same as long as any of its points is remembered.
    series: Vec<Option<Series>>,
    free: Vec<usize>,
    table: HashTable<(u64, usize)>,
    len: usize,
}

/// No series is there.
pub(super) const NOWHERE: usize = usize::MAX;

/// What there was in an answer, besides what was found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// Its latest time.
    pub(super) newest: Option<i64>,
    /// Points that are not in the stretch that was asked for.
    pub(super) unasked: u64,
}

/// The answer has more points than are to be remembered; nothing of it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany {
    pub(super) points: usize,
}

impl Seen {
    /// How many points are remembered.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The latest time that is remembered.
    pub(super) fn newest(&self) -> Option<i64> {
        let latest = |(_, series): (usize, &Series)| Some(series.entries.last()?.millis);
        self.iter().filter_map(latest).max()
    }

    /// Takes in the answer for a stretch of time: all of it, or, if there were more than `max`
    /// points to be remembered then, nothing.
    pub(super) fn take(
        &mut self,
        answer: Fetched,
        range: Range,
        horizon: i64,
        max: usize,
        mut found: impl FnMut(usize, Found),
    ) -> Result<Taken, TooMany> {
        let mut taken = Taken::default();
        let mut touched = Vec::new();
        let may_grow_by = answer.points.len();
        let mut last = NOWHERE;
        for point in &answer.points {
            if point.millis() < range.from || point.millis() > range.to {
                taken.unasked += 1;
                continue;
            }
            taken.newest = taken.newest.max(Some(point.millis()));
            last = self.place_after(last, point);
            if let Some(series) = &mut self.series[last] {
                if !series.is_touched() {
                    touched.push(last);
                }
                series.offer(point.millis(), point.value());
            }
        }
        for &place in &touched {
            if let Some(series) = &mut self.series[place] {
                series.sort();
            }
        }
        if self.len + may_grow_by > max {
            let new = |&place: &usize| self.get(place).map_or(0, Series::count_new);
            let points = self.len + touched.iter().map(new).sum::<usize>();
            if points > max {
                for place in touched {
                    self.drop_incoming(place);
                }
                return Err(TooMany { points });
            }
        }
        for place in touched {
            if let Some(series) = &mut self.series[place] {
                let before = series.entries.len();
                series.merge(horizon, |new| found(place, new));
                self.len = self.len + series.entries.len() - before;
            }
        }
        Ok(taken)
    }

    /// Forgets what is before a time.
    pub(super) fn forget(&mut self, before: i64) {
        for place in 0..self.series.len() {
            if let Some(series) = &mut self.series[place] {
                self.len -= series.forget(before);
                self.drop_incoming(place);
            }
        }
    }

    /// The series that have points, with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Series)> {
        let places = self.series.iter().enumerate();
        places.filter_map(|(place, series)| Some((place, series.as_ref()?)))
    }

    /// Remembers a series that has none yet.
    pub(super) fn add(&mut self, series: Series) {
        let hash = hash(&series.metric, &series.tags);
        self.len += series.entries.len();
        let place = self.free.pop().unwrap_or(self.series.len());
        if place == self.series.len() {
            self.series.push(None);
        }
        self.series[place] = Some(series);
        self.table
            .insert_unique(hash, (hash, place), |(hash, _)| *hash);
    }

    #[inline]
    fn get(&self, place: usize) -> Option<&Series> {
        self.series.get(place)?.as_ref()
    }

    /// Where the series of a point is, which comes after a point of another one, or of the same: answers
    /// come series by series, or time by time with the series in the same order again and again.
    #[inline]
    fn place_after(&mut self, last: usize, point: &Point) -> usize {
        let Some(before) = self.get(last) else {
            return self.place(point);
        };
        if is(before, point) {
            return last;
        }
        let guess = before.follower;
        if self.get(guess).is_some_and(|series| is(series, point)) {
            return guess;
        }
        let place = self.place(point);
        if let Some(before) = &mut self.series[last] {
            before.follower = place;
        }
        place
    }

    /// Where the series of a point is.
    fn place(&mut self, point: &Point) -> usize {
        let hash = hash(point.metric(), point.tags());
        let known = self.table.find(hash, |&(known, place)| {
            known == hash && self.get(place).is_some_and(|series| is(series, point))
        });
        if let Some(&(_, place)) = known {
            return place;
        }
        let place = self.free.last().copied().unwrap_or(self.series.len());
        let tags = point.tags().clone();
        self.add(Series::new(point.metric_arc().clone(), tags, Vec::new()));
        place
    }

    /// Forgets what came, and the series if it has nothing else.
    fn drop_incoming(&mut self, place: usize) {
        let Some(series) = &mut self.series[place] else {
            return;
        };
        series.reject();
        if !series.entries.is_empty() {
            return;
        }
        let hash = hash(&series.metric, &series.tags);
        if let Ok(entry) = self.table.find_entry(hash, |&(_, known)| known == place) {
            entry.remove();
        }
        self.series[place] = None;
        self.free.push(place);
    }
}

#[inline]
fn is(series: &Series, point: &Point) -> bool {
    let metric = point.metric_arc();
    series.tags == *point.tags()
        && (Arc::ptr_eq(&series.metric, metric) || series.metric == *metric)
}

fn hash(metric: &str, tags: &Tags) -> u64 {
    FxBuildHasher.hash_one((metric, tags))
}
