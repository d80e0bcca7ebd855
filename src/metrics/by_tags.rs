//! Groups values by their tags and aggregates each group: an [`Aggregate`] as any other, so that windows
//! and partitions can fold with it.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::aggregators::{Column, Named};
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
}

impl ByTags {
    pub(super) fn new(aggregators: Arc<[Named]>, series: Arc<SeriesTable>) -> ByTags {
        ByTags {
            aggregators,
            series,
        }
    }
}

/// The table under way.
pub(super) struct Table {
    /// The series that came last, and its row: values often come several in a row.
    last: (Series, usize),
    /// By numbers that the program itself gave: nobody can choose them so that they collide.
    rows: FxHashMap<Series, usize>,
    /// In the order of rows. The table of series forgets none of them meanwhile: it would come back
    /// under another number, and have two rows.
    entries: Vec<Arc<Entry>>,
    columns: Vec<Box<dyn Column>>,
    totals: Totals,
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
    #[inline]
    fn add(&mut self, sample: &Sample, series: &SeriesTable) {
        self.totals.values += 1;
        self.totals.latest = self.totals.latest.max(sample.time);
        let row = match self.last {
            (last, row) if last == sample.series => row,
            _ => match self.rows.get(&sample.series) {
                Some(&row) => {
                    self.last = (sample.series, row);
                    row
                }
                None => return self.begin(sample, series),
            },
        };
        for column in &mut self.columns {
            column.add(row, &sample.value);
        }
    }

    fn begin(&mut self, sample: &Sample, series: &SeriesTable) {
        self.last = (sample.series, self.entries.len());
        self.rows.insert(sample.series, self.entries.len());
        self.entries.push(series.about(sample.series));
        for column in &mut self.columns {
            column.begin(&sample.value);
        }
    }
}

impl Clone for Table {
    fn clone(&self) -> Table {
        Table {
            last: self.last,
            rows: self.rows.clone(),
            entries: self.entries.clone(),
            columns: self.columns.iter().map(|column| column.copy()).collect(),
            totals: self.totals,
        }
    }
}

impl Aggregate<Sample> for ByTags {
    type State = Table;
    type Output = Grouped;

    fn lift(&self, sample: &Sample) -> Table {
        let mut table = Table {
            // No row is there yet, so that this one is not looked at.
            last: (Series(u32::MAX), 0),
            rows: FxHashMap::default(),
            entries: Vec::new(),
            columns: self.aggregators.iter().map(Named::column).collect(),
            totals: Totals {
                values: 0,
                latest: Time::ZERO,
            },
        };
        table.add(sample, &self.series);
        table
    }

    #[inline]
    fn add(&self, table: &mut Table, sample: &Sample) {
        table.add(sample, &self.series);
    }

    fn merge(&self, left: &mut Table, right: &Table) {
        let mut rows: Vec<(&Series, &usize)> = right.rows.iter().collect();
        rows.sort_by_key(|(_, row)| **row);
        for (series, &from) in rows {
            let row = left.rows.get(series).copied();
            if row.is_none() {
                left.rows.insert(*series, left.entries.len());
                left.entries.push(right.entries[from].clone());
            }
            for (column, other) in left.columns.iter_mut().zip(&right.columns) {
                column.merge(row, &**other, from);
            }
        }
        left.totals.values += right.totals.values;
        left.totals.latest = left.totals.latest.max(right.totals.latest);
    }

    fn finish(&self, table: &Table) -> Grouped {
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
