//! Groups values by their tags and aggregates each group: an [`Aggregate`] as any other, so that windows
//! and partitions can fold with it.

use std::cell::Cell;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::aggregators::{Column, Named, Rows};
use super::outcome::Outcome;
use super::sample::{Sample, Series};
use super::series::{Entry, SeriesTable};
use super::tags::Tags;
use crate::Time;
use crate::aggregate::Aggregate;

/// Folds samples into a table: a row for each set of tags, in the order in which they first came, and a
/// column for each aggregator.
pub(super) struct ByTags {
    aggregators: Arc<[Named]>,
    series: Arc<SeriesTable>,
    /// How many rows the last table had: as a rule the next one has as many.
    expected: Cell<usize>,
}

/// What no series is called, and where its row would be.
const NOBODY: (Series, u32) = (Series(u32::MAX), 0);

/// How many rows are found by the last bits of their numbers, at the most.
const NEAR: usize = 4096;

/// Samples are looked up so many at a time, and then added: what was looked up stays in the cache.
const AT_ONCE: usize = 1024;

impl ByTags {
    pub(super) fn new(aggregators: Arc<[Named]>, series: Arc<SeriesTable>) -> ByTags {
        ByTags {
            aggregators,
            series,
            expected: Cell::new(0),
        }
    }

    /// What values come to that were kept; nothing if there are none.
    pub(super) fn group(&self, samples: &[Sample]) -> Option<Grouped> {
        let (first, others) = samples.split_first()?;
        let mut table = self.lift(first);
        self.add_all(&mut table, others);
        Some(self.finish(&table))
    }
}

/// The table under way.
pub(super) struct Table {
    /// The series that came last, and its row: values often come several in a row.
    last: (Series, u32),
    /// By numbers that the program itself gave: nobody can choose them so that they collide.
    rows: FxHashMap<Series, u32>,
    /// Rows by the last bits of their numbers, which follow each other: what is not here is looked up.
    near: Vec<(Series, u32)>,
    /// In the order of rows. The table of series forgets none of them meanwhile: it would come back
    /// under another number, and have two rows.
    entries: Vec<Arc<Entry>>,
    columns: Vec<Box<dyn Column>>,
    totals: Totals,
    /// The rows of the samples that are being added.
    places: Vec<u32>,
}

/// What is known of all rows together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Totals {
    pub(super) values: u64,
    /// The time of the latest value.
    pub(super) latest: Time,
}

/// What a window or batch comes to: rows by columns.
pub(super) struct Grouped {
    pub(super) tags: Vec<Tags>,
    /// For each aggregator, the outcomes in the order of rows.
    pub(super) columns: Vec<Vec<Outcome>>,
    pub(super) totals: Totals,
}

impl Table {
    /// Adds samples, of which there are not more than [`AT_ONCE`].
    fn add(&mut self, samples: &[Sample], series: &SeriesTable) {
        let Some(first) = samples.first() else {
            return;
        };
        let (mut latest, mut others) = (self.totals.latest, 0);
        for sample in samples {
            latest = latest.max(sample.time);
            others |= sample.series().0 ^ first.series().0;
        }
        self.totals.latest = latest;
        self.totals.values += samples.len() as u64;
        if others == 0 {
            let row = self.row(first.series(), series);
            return self.add_to(Rows::All(row as usize), samples);
        }
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        places.extend(samples.iter().map(|s| self.row(s.series(), series)));
        self.add_to(Rows::Each(&places), samples);
        self.places = places;
    }

    fn add_to(&mut self, rows: Rows<'_>, samples: &[Sample]) {
        for column in &mut self.columns {
            column.add(self.entries.len(), rows, samples);
        }
    }

    #[inline]
    fn row(&mut self, wanted: Series, series: &SeriesTable) -> u32 {
        let (last, row) = self.last;
        if last == wanted {
            return row;
        }
        let place = wanted.0 as usize & (self.near.len() - 1);
        let row = match self.near[place] {
            (near, row) if near == wanted => row,
            _ => self.look_up(wanted, series),
        };
        self.last = (wanted, row);
        row
    }

    #[inline(never)]
    fn look_up(&mut self, wanted: Series, series: &SeriesTable) -> u32 {
        let row = match self.rows.get(&wanted) {
            Some(row) => *row,
            None => self.begin(wanted, series),
        };
        if self.near.len() < NEAR.min(self.entries.len()) {
            self.near = vec![NOBODY; 4 * self.near.len()];
        }
        let place = wanted.0 as usize & (self.near.len() - 1);
        self.near[place] = (wanted, row);
        row
    }

    fn begin(&mut self, wanted: Series, series: &SeriesTable) -> u32 {
        let row = self.entries.len() as u32;
        self.rows.insert(wanted, row);
        self.entries.push(series.about(wanted));
        row
    }
}

impl Clone for Table {
    fn clone(&self) -> Table {
        Table {
            last: self.last,
            rows: self.rows.clone(),
            near: self.near.clone(),
            entries: self.entries.clone(),
            columns: self.columns.iter().map(|column| column.copy()).collect(),
            totals: self.totals,
            places: Vec::new(),
        }
    }
}

impl Aggregate<Sample> for ByTags {
    type State = Table;
    type Output = Grouped;

    fn lift(&self, sample: &Sample) -> Table {
        let expected = self.expected.get();
        let mut rows = FxHashMap::default();
        rows.reserve(expected);
        let mut table = Table {
            last: NOBODY,
            rows,
            near: vec![NOBODY; expected.clamp(1, NEAR).next_power_of_two()],
            entries: Vec::with_capacity(expected),
            columns: self.aggregators.iter().map(Named::column).collect(),
            totals: Totals {
                values: 0,
                latest: Time::ZERO,
            },
            places: Vec::new(),
        };
        self.add(&mut table, sample);
        table
    }

    #[inline]
    fn add(&self, table: &mut Table, sample: &Sample) {
        table.add(std::slice::from_ref(sample), &self.series);
    }

    fn add_all(&self, table: &mut Table, samples: &[Sample]) {
        for samples in samples.chunks(AT_ONCE) {
            table.add(samples, &self.series);
        }
    }

    fn merge(&self, left: &mut Table, right: &Table) {
        let mut rows: Vec<(&Series, &u32)> = right.rows.iter().collect();
        rows.sort_by_key(|(_, row)| **row);
        for (series, &from) in rows {
            let (row, from) = (left.rows.get(series).copied(), from as usize);
            if row.is_none() {
                left.rows.insert(*series, left.entries.len() as u32);
                left.entries.push(right.entries[from].clone());
            }
            let row = row.map(|row| row as usize);
            for (column, other) in left.columns.iter_mut().zip(&right.columns) {
                column.merge(row, &**other, from);
            }
        }
        left.totals.values += right.totals.values;
        left.totals.latest = left.totals.latest.max(right.totals.latest);
    }

    fn finish(&self, table: &Table) -> Grouped {
        self.expected.set(table.entries.len());
        let outcomes = |(named, column): (&Named, &dyn Column)| {
            let entries = table.entries.iter().enumerate();
            let outcome = |(row, entry): (usize, &Arc<Entry>)| match entry.kept_level() {
                // What came last of several threads' values is not what the quantity is.
                Some(level) if named.is_last => Ok(Some(level.get().into())),
                _ => column.outcome(row),
            };
            entries.map(outcome).collect()
        };
        let columns = table.columns.iter().map(|column| &**column);
        let columns = self.aggregators.iter().zip(columns);
        Grouped {
            tags: table.entries.iter().map(|e| e.tags.clone()).collect(),
            columns: columns.map(outcomes).collect(),
            totals: table.totals,
        }
    }
}
