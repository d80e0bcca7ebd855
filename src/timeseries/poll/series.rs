//! The points of one series that were seen, and what is new in an answer.

use std::ops::Range;
use std::sync::Arc;

use super::entry::{Entry, Packed};
use super::seen::NOWHERE;
use crate::metrics::Tags;
use crate::timeseries::{Point, PointValue};

/// A time and a value that a store has answered.
pub(super) type Incoming = (i64, PointValue);

/// What an answer has that was not known.
#[derive(Debug)]
pub(super) enum Found {
    /// The first value of a time. It is late if a later one of its series went before.
    New { point: Point, late: bool },
    /// Another value of a time that has one.
    Revised { point: Point, before: PointValue },
    /// The first value of a time that is below the horizon.
    TooLate { point: Point },
}

/// One metric with one set of tags.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) metric: Arc<str>,
    pub(super) tags: Tags,
    /// By time, then by value; several of one time where the store has several.
    pub(super) entries: Vec<Entry>,
    /// The latest time that was new.
    newest: i64,
    /// What an answer brings that is not known, or may not be, until it is merged.
    incoming: Vec<Incoming>,
    /// The place of the series whose points come after ours, as far as is known.
    pub(super) follower: usize,
    /// How an answer is compared while it comes in; `None` between answers.
    matching: Option<Matching>,
    /// Entries that came, before some that did not.
    matched: Vec<Range<usize>>,
}

/// The points of an answer that come in the order of time are compared with the entries one by one: those that
/// are known, which are nearly all, are not even kept.
#[derive(Debug, Clone, Copy)]
struct Matching {
    /// The first of the entries that came one after another, up to `at`.
    from: usize,
    /// The entry that is next.
    at: usize,
    /// The time that came last.
    last: i64,
    /// Whether they come in order so far.
    ordered: bool,
}

impl Series {
    pub(super) fn new(metric: Arc<str>, tags: Tags, entries: Vec<Entry>) -> Series {
        Series {
            newest: entries.last().map_or(i64::MIN, |last| last.millis),
            metric,
            tags,
            entries,
            incoming: Vec::new(),
            follower: NOWHERE,
            matching: None,
            matched: Vec::new(),
        }
    }

    /// Whether an answer is coming in.
    #[inline]
    pub(super) fn is_touched(&self) -> bool {
        self.matching.is_some()
    }

    /// Takes a point of an answer.
    #[inline]
    pub(super) fn offer(&mut self, millis: i64, value: &PointValue) {
        let mut matching = match self.matching {
            Some(matching) => matching,
            None => self.begin(millis),
        };
        if matching.ordered && millis >= matching.last {
            matching.last = millis;
            let entries = &self.entries;
            let earlier = |at| {
                entries
                    .get(at)
                    .is_some_and(|entry: &Entry| entry.millis < millis)
            };
            if earlier(matching.at) {
                if matching.from < matching.at {
                    self.matched.push(matching.from..matching.at);
                }
                while earlier(matching.at) {
                    matching.at += 1;
                }
                matching.from = matching.at;
            }
            let entry = entries.get(matching.at);
            if entry.is_some_and(|entry| entry.millis == millis && entry.value.is(value))
                && self.incoming.last().is_none_or(|last| last.0 != millis)
            {
                matching.at += 1;
                self.matching = Some(matching);
                return;
            }
        }
        self.matching = Some(matching);
        self.keep(millis, value.clone());
    }

    #[cold]
    fn begin(&mut self, millis: i64) -> Matching {
        let at = self.entries.partition_point(|entry| entry.millis < millis);
        Matching {
            from: at,
            at,
            last: millis,
            ordered: true,
        }
    }

    /// Keeps a point that is not known, or has to be looked up, and beside it what its time had so far:
    /// values of one time are compared together.
    fn keep(&mut self, millis: i64, value: PointValue) {
        if let Some(matching) = &mut self.matching
            && matching.ordered
        {
            let run = matching.from..matching.at;
            let incoming = |entry: &Entry| (entry.millis, PointValue::from(&entry.value));
            if millis < matching.last {
                // From here on all is kept, and what was not is made up for.
                matching.ordered = false;
                for run in self.matched.drain(..).chain([run]) {
                    self.incoming.extend(self.entries[run].iter().map(incoming));
                }
            } else {
                let same = |entry: &&Entry| entry.millis == millis;
                let run = self.entries[run].iter().rev().take_while(same);
                self.incoming.extend(run.map(incoming));
            }
        }
        self.incoming.push((millis, value));
    }

    /// Forgets an answer that was not merged.
    pub(super) fn reject(&mut self) {
        self.incoming = Vec::new();
        self.matching = None;
        self.matched.clear();
    }

    fn point(&self, (millis, value): &Incoming) -> Point {
        Point::new(self.metric.clone(), *millis, value.clone()).tagged(&self.tags)
    }

    /// Brings what came in order.
    pub(super) fn sort(&mut self) {
        if !self.incoming.is_sorted() {
            self.incoming.sort_unstable();
        }
    }

    /// How many entries more there can be after a merge, at most: values that are not known.
    pub(super) fn count_new(&self) -> usize {
        let (mut at, from) = self.known();
        let mut count = 0;
        for group in self.incoming[from..].chunk_by(|left, right| left.0 == right.0) {
            let old = group_at(&self.entries, &mut at, group[0].0);
            if !covers(old, group) {
                let values = group.chunk_by(|left, right| left.1 == right.1).count();
                count += values.saturating_sub(old.len());
            }
        }
        count
    }

    /// How far what came is known from the start: the first entry and the first incoming value that
    /// may differ. This is all that there is to do where nothing is new, and it changes nothing.
    fn known(&self) -> (usize, usize) {
        let (old, new) = (&self.entries, &self.incoming);
        let Some((first, _)) = new.first() else {
            return (0, 0);
        };
        let mut at = old.partition_point(|entry| entry.millis < *first);
        let mut from = 0;
        while let Some((millis, value)) = new.get(from) {
            while old.get(at).is_some_and(|entry| entry.millis < *millis) {
                at += 1;
            }
            match old.get(at) {
                Some(entry) if entry.millis == *millis => {
                    let group = from + group_len(&new[from..], *millis);
                    if group == from + 1 && entry.value.is(value) {
                        from = group;
                        continue;
                    }
                    let mut end = at;
                    if !covers(group_at(old, &mut end, *millis), &new[from..group]) {
                        break;
                    }
                    from = group;
                }
                _ => break,
            }
        }
        (at, from)
    }

    /// Takes in what came, and says what is new in it. What stays as it is costs a comparison; the
    /// entries behind the first new one are copied.
    pub(super) fn merge(&mut self, horizon: i64, mut found: impl FnMut(Found)) {
        let (at, from) = self.known();
        let incoming = std::mem::take(&mut self.incoming);
        self.matching = None;
        self.matched.clear();
        if from == incoming.len() {
            return;
        }
        let rest = self.entries.split_off(at);
        let mut at = 0;
        for group in incoming[from..].chunk_by(|left, right| left.0 == right.0) {
            let millis = group[0].0;
            let begin = at;
            let old = group_at(&rest, &mut at, millis);
            let earlier = at - old.len();
            self.extend(&rest[begin..earlier]);
            if covers(old, group) {
                self.extend(old);
                continue;
            }
            let mut before = old.first().map(|entry| PointValue::from(&entry.value));
            for (n, one) in group.iter().enumerate() {
                if n > 0 && group[n - 1].1 == one.1 {
                    continue;
                }
                if !old.iter().any(|entry| entry.value.is(&one.1)) {
                    let point = self.point(one);
                    found(match &before {
                        Some(before) => Found::Revised {
                            point,
                            before: before.clone(),
                        },
                        None if millis < horizon => Found::TooLate { point },
                        None => Found::New {
                            point,
                            late: millis <= self.newest,
                        },
                    });
                    if before.is_none() {
                        before = Some(one.1.clone());
                        self.newest = self.newest.max(millis);
                    }
                }
                self.push(Entry {
                    millis,
                    value: Packed::from(&one.1),
                });
            }
        }
        self.extend(&rest[at..]);
    }

    /// Forgets what is before a time; returns how many that were.
    pub(super) fn forget(&mut self, before: i64) -> usize {
        let count = self.entries.partition_point(|entry| entry.millis < before);
        self.entries.drain(..count);
        if self.entries.capacity() > 64 + 2 * self.entries.len() {
            self.entries.shrink_to(self.entries.len() * 9 / 8);
        }
        count
    }

    /// Room grows by an eighth: twice as much as is needed would be most of the memory.
    fn push(&mut self, entry: Entry) {
        let len = self.entries.len();
        if len == self.entries.capacity() {
            self.entries.reserve_exact(len / 8 + 4);
        }
        self.entries.push(entry);
    }

    fn extend(&mut self, entries: &[Entry]) {
        let len = self.entries.len();
        if len + entries.len() > self.entries.capacity() {
            self.entries.reserve_exact(entries.len() + len / 8);
        }
        self.entries.extend_from_slice(entries);
    }
}

/// Whether all of an incoming group is known: a value that has dropped out is no change.
fn covers(old: &[Entry], group: &[Incoming]) -> bool {
    group
        .iter()
        .all(|(_, value)| old.iter().any(|entry| entry.value.is(value)))
}

/// The entries of a time, from a place that is not behind them; moves the place behind them.
fn group_at<'a>(entries: &'a [Entry], at: &mut usize, millis: i64) -> &'a [Entry] {
    while entries.get(*at).is_some_and(|entry| entry.millis < millis) {
        *at += 1;
    }
    let begin = *at;
    while entries.get(*at).is_some_and(|entry| entry.millis == millis) {
        *at += 1;
    }
    &entries[begin..*at]
}

/// How many from the start are of this time.
#[inline]
fn group_len(incoming: &[Incoming], millis: i64) -> usize {
    let same = |(time, _): &&Incoming| *time == millis;
    incoming.iter().take_while(same).count()
}
