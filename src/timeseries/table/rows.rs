//! Which rows and columns, in which order.

use std::ops::{Bound, Range, RangeBounds};

use arrow_array::UInt64Array;
use arrow_buffer::ScalarBuffer;

use super::arrays;
use super::column::{Head, renamed};
use super::error::TableError;
use super::moment::Moment;
use super::table::Table;
use crate::metrics::IntoTags;

impl Table {
    /// The earliest row first.
    pub fn ascending(&self) -> Table {
        match self.is_descending() {
            true => self.reversed(),
            false => self.clone(),
        }
    }

    /// The latest row first.
    #[doc(alias = "orderDesc")]
    pub fn descending(&self) -> Table {
        match self.is_descending() {
            true => self.clone(),
            false => self.reversed(),
        }
    }

    fn reversed(&self) -> Table {
        let descending = !self.is_descending();
        self.picked((0..self.len()).rev()).directed(descending)
    }

    /// The rows at these places, each at most once.
    fn picked(&self, places: impl Iterator<Item = usize>) -> Table {
        let places: Vec<usize> = places.collect();
        let times: ScalarBuffer<i64> = places.iter().map(|&row| self.times()[row]).collect();
        let places: UInt64Array = places.into_iter().map(|row| row as u64).collect();
        let columns = self.columns().iter();
        let columns = columns.map(|column| arrays::pick_some(column, &places));
        self.with(times, columns.collect())
    }

    pub(super) fn keep_rows(&self, mut keep: impl FnMut(usize) -> bool) -> Table {
        let kept: Vec<usize> = (0..self.len()).filter(|&row| keep(row)).collect();
        match kept.len() == self.len() {
            true => self.clone(),
            false => self.picked(kept.into_iter()),
        }
    }

    /// The rows from one place up to another, without copying. What is beyond the table is left out.
    pub fn rows(&self, rows: Range<usize>) -> Table {
        let end = rows.end.min(self.len());
        let begin = rows.start.min(end);
        let times = self.times_buffer().slice(begin, end - begin);
        let columns = self.columns().iter();
        let columns = columns.map(|column| column.slice(begin, end - begin));
        self.with(times, columns.collect())
    }

    /// The rows of a stretch of time, without copying; bounds are [text, numbers or datetimes](Moment),
    /// and the earlier one comes first, in whichever order the rows are.
    ///
    /// ```
    /// use headwater::timeseries::{Point, Table};
    ///
    /// let table = Table::of((0..48).map(|hour| Point::new("m", hour * 3_600_000, hour)))?;
    /// assert_eq!(table.between("1970-01-01 06:00".."1970-01-01 12:00")?.len(), 6);
    /// assert_eq!(table.between(0..=3_600_000)?.len(), 2);
    /// assert_eq!(table.between("1970-01-02"..)?.len(), 24);
    /// # Ok::<(), headwater::timeseries::TableError>(())
    /// ```
    ///
    /// # Errors
    /// [`TableError::Moment`].
    pub fn between<M: Moment>(&self, times: impl RangeBounds<M>) -> Result<Table, TableError> {
        // How many rows, from the earliest one on, are before a bound.
        let before = |millis: i64, inclusive: bool| {
            let is_before = |time: i64| time < millis || (inclusive && time == millis);
            match self.is_descending() {
                false => self.times().partition_point(|&time| is_before(time)),
                true => self.len() - self.times().partition_point(|&time| !is_before(time)),
            }
        };
        let begin = match times.start_bound() {
            Bound::Included(moment) => before(moment.moment()?, false),
            Bound::Excluded(moment) => before(moment.moment()?, true),
            Bound::Unbounded => 0,
        };
        let end = match times.end_bound() {
            Bound::Included(moment) => before(moment.moment()?, true),
            Bound::Excluded(moment) => before(moment.moment()?, false),
            Bound::Unbounded => self.len(),
        };
        let end = end.max(begin);
        Ok(match self.is_descending() {
            false => self.rows(begin..end),
            true => self.rows(self.len() - end..self.len() - begin),
        })
    }

    /// Only these columns, in this order.
    ///
    /// # Errors
    /// [`TableError::NoColumn`]; [`TableError::SameName`] if one is named twice.
    pub fn select<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Table, TableError> {
        let (mut fields, mut columns, mut places) = (Vec::new(), Vec::new(), Vec::new());
        let there: Vec<_> = self.fields().collect();
        for name in names {
            let place = self.place(name.as_ref())?;
            if places.contains(&place) {
                return Err(TableError::SameName(name.as_ref().to_owned()));
            }
            places.push(place);
            fields.push(there[place].clone());
            columns.push(self.columns()[place].clone());
        }
        Ok(self.with_fields(fields, columns))
    }

    /// With another name for a column. It is [written](Table::points) under that name.
    ///
    /// # Errors
    /// [`TableError::NoColumn`]; [`TableError::SameName`] if there is one of the new name.
    pub fn rename(&self, from: &str, to: &str) -> Result<Table, TableError> {
        let place = self.place(from)?;
        if from != to && (to == self.time_name() || self.names().any(|name| name == to)) {
            return Err(TableError::SameName(to.to_owned()));
        }
        let named = |head: Head| Head {
            name: to.to_owned(),
            metric: to.into(),
            ..head
        };
        Ok(self.with_heads(|at, head| if at == place { named(head) } else { head }))
    }

    /// With these tags for all columns, where they are [written](Table::points), and those that they had.
    pub fn tagged(&self, tags: impl IntoTags) -> Table {
        let tags = tags.into_tags();
        self.with_heads(|_, head| Head {
            tags: head.tags.merged(&tags),
            ..head
        })
    }

    fn with_heads(&self, mut change: impl FnMut(usize, Head) -> Head) -> Table {
        let fields = self.fields().enumerate();
        let fields = fields.map(|(at, field)| renamed(field, |head| change(at, head)));
        self.with_fields(fields.collect(), self.columns().to_vec())
    }
}
