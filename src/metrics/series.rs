//! The series of a metric: which sets of tags there are, and their numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use hashbrown::HashMap;

use super::level::Level;
use super::sample::Series;
use super::tags::Tags;
#[cfg(feature = "facade")]
use super::total::Total;
use crate::Time;

/// How long a series is known that nobody sends to and nobody holds a handle of, beside the length of a
/// window: as long as one may keep values of it.
pub(super) const IDLE: Duration = Duration::from_secs(600);

/// How long to wait before idle ones are looked for again.
pub(super) const SWEEP: Duration = Duration::from_secs(10);

/// Gives each set of tags a number, up to a bound: what is beyond it is one series, the *overflow*.
///
/// Numbers are never given twice. A series that was idle for [`IDLE`] and a window makes room for another
/// one, unless a table under way has a row of it.
pub(super) struct SeriesTable {
    defaults: Tags,
    max: usize,
    idle: Duration,
    overflow: Arc<Entry>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// By the tags as they were given, and with the defaults: these may be several for one series.
    by_tags: HashMap<Tags, Arc<Entry>>,
    by_number: HashMap<Series, Arc<Entry>>,
    last: u32,
    /// When idle series were looked for.
    swept: Time,
}

/// One series. As long as somebody but the table holds it, it stays.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) series: Series,
    pub(super) tags: Tags,
    /// In nanoseconds.
    last_used: AtomicU64,
    /// What is kept beside the series, where it is a quantity that is changed.
    level: OnceLock<Arc<Level>>,
    #[cfg(feature = "facade")]
    pub(super) total: Total,
}

impl Entry {
    fn new(series: Series, tags: Tags, now: Time) -> Arc<Entry> {
        Arc::new(Entry {
            series,
            tags,
            last_used: now.as_nanos().into(),
            level: OnceLock::new(),
            #[cfg(feature = "facade")]
            total: Total::default(),
        })
    }

    /// What the quantity is at present, if it is kept.
    pub(super) fn kept_level(&self) -> Option<&Arc<Level>> {
        self.level.get()
    }

    /// Whether somebody holds a [`Gauge`](super::Gauge) of it.
    pub(super) fn is_level_held(&self) -> bool {
        let level = self.level.get();
        level.is_some_and(|level| Arc::strong_count(level) > 1)
    }

    /// What the quantity is at present, from the first call on.
    pub(super) fn level(&self) -> &Arc<Level> {
        self.level.get_or_init(Arc::default)
    }

    /// Notes the use. Written at most once a second, as all senders read it.
    pub(super) fn touch(&self, now: Time) {
        let now = now.as_nanos();
        if now.saturating_sub(self.last_used.load(Ordering::Relaxed)) > 1_000_000_000 {
            self.last_used.store(now, Ordering::Relaxed);
        }
    }

    fn is_idle(&self, now: Time, idle: Duration) -> bool {
        let last_used = Time::from_nanos(self.last_used.load(Ordering::Relaxed));
        now - last_used >= idle
    }
}

impl SeriesTable {
    /// The series of all that comes when there are too many.
    pub(super) const OVERFLOW: Series = Series(0);

    /// Windows of the metric, if it has any, are of this length.
    pub(super) fn new(defaults: Tags, max: usize, window: Duration) -> SeriesTable {
        let overflow = defaults.with("overflow", true);
        SeriesTable {
            overflow: Entry::new(SeriesTable::OVERFLOW, overflow, Time::ZERO),
            defaults,
            max,
            idle: IDLE.saturating_add(window),
            known: RwLock::default(),
        }
    }

    /// The series of these tags, completed by the default ones.
    pub(super) fn resolve(&self, tags: &Tags, now: Time) -> Arc<Entry> {
        let known = self.read();
        if let Some(entry) = known.by_tags.get(tags) {
            entry.touch(now);
            return entry.clone();
        }
        let all = self.defaults.merged(tags);
        // By these tags nobody could tell it from the overflow.
        if all == self.overflow.tags {
            return self.overflow.clone();
        }
        // Where there are too many, senders must not queue up to be told so.
        let hopeless = known.is_full(self.max) && now - known.swept < SWEEP;
        if hopeless && !known.by_tags.contains_key(&all) {
            return self.overflow.clone();
        }
        drop(known);
        self.add(tags, all, now)
    }

    #[cold]
    fn add(&self, given: &Tags, all: Tags, now: Time) -> Arc<Entry> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if !known.by_tags.contains_key(&all) && known.is_full(self.max) {
            known.forget_idle(now, self.idle);
            if known.is_full(self.max) {
                return self.overflow.clone();
            }
        }
        known.resolve(given, all, now)
    }

    /// A series that was in use a moment ago.
    pub(super) fn about(&self, series: Series) -> Arc<Entry> {
        let known = self.read();
        let entry = known.by_number.get(&series);
        entry.unwrap_or(&self.overflow).clone()
    }

    /// Whether there are as many as there may be.
    #[cfg(feature = "facade")]
    pub(super) fn is_full(&self) -> bool {
        self.read().is_full(self.max)
    }

    /// How many there may be.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.read().by_number.len()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn resolve(&mut self, given: &Tags, all: Tags, now: Time) -> Arc<Entry> {
        let entry = match self.by_tags.get(&all) {
            Some(entry) => entry.clone(),
            None => {
                self.last += 1;
                let entry = Entry::new(Series(self.last), all.clone(), now);
                self.by_number.insert(entry.series, entry.clone());
                self.by_tags.insert(all, entry.clone());
                entry
            }
        };
        self.by_tags.insert(given.clone(), entry.clone());
        entry
    }

    fn is_full(&self, max: usize) -> bool {
        self.by_number.len() >= max
    }

    fn forget_idle(&mut self, now: Time, idle: Duration) {
        self.swept = now;
        let mut own: HashMap<Series, usize> = HashMap::new();
        for entry in self.by_tags.values() {
            *own.entry(entry.series).or_insert(1) += 1;
        }
        let held = |entry: &Arc<Entry>| {
            let own = own.get(&entry.series).copied().unwrap_or(1);
            Arc::strong_count(entry) > own
        };
        self.by_number
            .retain(|_, entry| !entry.is_idle(now, idle) || held(entry));
        let by_number = &self.by_number;
        self.by_tags
            .retain(|_, entry| by_number.contains_key(&entry.series));
    }
}

/// A table as one user sees it: what was looked up a moment ago is not looked up again.
pub(super) struct Lookup {
    table: Arc<SeriesTable>,
    /// By the hash of the tags, the latest first: of two that would take turns in one place each has its own.
    recent: Box<[[Option<Recent>; 2]]>,
}

struct Recent {
    tags: Tags,
    series: Series,
    /// Until when the table need not be told that the series is in use.
    until: Time,
}

impl Lookup {
    const RECENT: usize = 512;

    pub(super) fn new(table: Arc<SeriesTable>) -> Lookup {
        Lookup {
            table,
            recent: (0..Lookup::RECENT).map(|_| [None, None]).collect(),
        }
    }

    #[inline]
    pub(super) fn series(&mut self, tags: &Tags, now: Time) -> Series {
        let at = tags.hash_code() as usize % Lookup::RECENT;
        let [first, second] = &self.recent[at];
        let is_this = |recent: &&Recent| recent.tags == *tags && now < recent.until;
        match first.as_ref().filter(is_this) {
            Some(recent) => recent.series,
            None => match second.as_ref().filter(is_this) {
                Some(recent) => recent.series,
                None => self.look_up(at, tags, now),
            },
        }
    }

    #[inline(never)]
    fn look_up(&mut self, at: usize, tags: &Tags, now: Time) -> Series {
        let series = self.table.resolve(tags, now).series;
        let [first, second] = &mut self.recent[at];
        // The same tags may be there from a second ago.
        if first.as_ref().is_none_or(|recent| recent.tags != *tags) {
            std::mem::swap(first, second);
        }
        *first = Some(Recent {
            tags: tags.clone(),
            series,
            until: now + Duration::from_secs(1),
        });
        series
    }
}

impl std::fmt::Debug for SeriesTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeriesTable")
            .field("len", &self.len())
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}
