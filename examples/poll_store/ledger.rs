//! What the stream brought, point by point; compared in the end with what there is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater::metrics::Tags;
use headwater::timeseries::{Outlet, Point, PointValue, Revised};

/// So many points are remembered. Those of the oldest times are forgotten, and not looked at in the end.
const MOST: usize = 1_000_000;
/// So many are shown of each kind of fault.
const SHOWN: usize = 5;

/// Time, metric and tags: what makes a point one of its own.
pub type Key = (i64, String, Tags);

pub fn key(point: &Point) -> Key {
    (
        point.millis(),
        point.metric().to_owned(),
        point.tags().clone(),
    )
}

/// Clones are handles of the same ledger.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    points: BTreeMap<Key, Entry>,
    /// Points before this time may be forgotten.
    from: Option<i64>,
    twice: Vec<Point>,
}

#[derive(Default)]
struct Entry {
    /// How often the stream brought it.
    came: u32,
    /// Whether it came by an outlet instead: too late for the stream, or for its order.
    aside: bool,
    value: Option<PointValue>,
    /// The last value that came later: it may be known before the point itself has settled.
    revised: Option<PointValue>,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream brought a point.
    pub fn came(&self, point: Point) {
        let mut entries = self.lock();
        let entry = entries.points.entry(key(&point)).or_default();
        entry.came += 1;
        entry.value = Some(point.value().clone());
        if entry.came > 1 {
            entries.twice.push(point);
        }
        if entries.points.len() > MOST
            && let Some(((millis, ..), _)) = entries.points.pop_first()
        {
            entries.from = Some(millis + 1);
        }
    }

    /// What went to the outlets: all that waits there.
    pub fn set_aside(&self, outlets: &mut [Outlet<Point>], revised: &mut Outlet<Revised>) {
        let mut entries = self.lock();
        for point in outlets
            .iter_mut()
            .flat_map(|outlet| std::iter::from_fn(|| outlet.try_next()))
        {
            let entry = entries.points.entry(key(&point)).or_default();
            entry.aside = true;
            entry.value = Some(point.value().clone());
        }
        while let Some(Revised { point, .. }) = revised.try_next() {
            let entry = entries.points.entry(key(&point)).or_default();
            entry.revised = Some(point.value().clone());
        }
    }

    /// How many points came from before a time.
    pub fn before(&self, millis: i64) -> usize {
        let entries = self.lock();
        let before = entries
            .points
            .iter()
            .take_while(|((at, ..), _)| *at < millis);
        before.filter(|(_, entry)| entry.came > 0).count()
    }

    /// Compares with all points that there are from a time on.
    pub fn compare(&self, there: &[Point], from: i64) -> Comparison {
        let entries = self.lock();
        let from = entries.from.map_or(from, |remembered| remembered.max(from));
        let mut comparison = Comparison {
            twice: entries.twice.clone(),
            ..Comparison::default()
        };
        for point in there.iter().filter(|point| point.millis() >= from) {
            comparison.points += 1;
            match entries.points.get(&key(point)) {
                Some(entry) if entry.aside => comparison.aside += 1,
                Some(entry) if entry.came == 1 => {}
                // They are among those that came twice.
                Some(entry) if entry.came > 1 => {}
                _ => comparison.missing.push(point.clone()),
            }
            let entry = entries.points.get(&key(point));
            let value = entry.and_then(|entry| entry.revised.as_ref().or(entry.value.as_ref()));
            if value.is_some_and(|value| value != point.value()) {
                comparison.stale.push(point.clone());
            }
        }
        comparison
    }
}

/// What came of the points that there are.
#[derive(Default)]
pub struct Comparison {
    pub points: usize,
    /// Came once, by an outlet.
    pub aside: usize,
    pub missing: Vec<Point>,
    pub twice: Vec<Point>,
    /// The last value that came is not the one that there is.
    pub stale: Vec<Point>,
}

impl Comparison {
    pub fn is_fine(&self) -> bool {
        self.missing.is_empty() && self.twice.is_empty() && self.stale.is_empty()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = thousands(self.points as u64);
        if self.is_fine() {
            write!(
                f,
                "all of the {points} points came exactly once, with their last values"
            )?;
            return match self.aside {
                0 => Ok(()),
                aside => write!(
                    f,
                    "; {aside} of them by an outlet, as they were later than is waited for"
                ),
            };
        }
        write!(f, "of {points} points")?;
        let kinds = [
            ("never came", &self.missing),
            ("came more than once", &self.twice),
            ("have another value now", &self.stale),
        ];
        for (what, which) in kinds.into_iter().filter(|(_, which)| !which.is_empty()) {
            write!(f, "\n  {} {what}:", which.len())?;
            for point in which.iter().take(SHOWN) {
                write!(f, "\n    {point}")?;
            }
            if which.len() > SHOWN {
                write!(f, "\n    …")?;
            }
        }
        Ok(())
    }
}

/// `1 234 567`
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
