//! Two tables become one.

use std::time::Duration;

use arrow_array::ArrayRef;
use arrow_schema::FieldRef;

use super::arrays;
use super::column::{Head, renamed};
use super::error::TableError;
use super::table::Table;

/// Places of rows of a table; `None` for a gap.
type Places = Vec<Option<usize>>;

impl Table {
    /// All rows of both, joined on equal times (an outer join), in the order of the first one's rows. Names that
    /// both have are told apart as [`TableBuilder`](super::TableBuilder) says.
    ///
    /// # Errors
    /// [`TableError::TooMuchText`].
    pub fn join(&self, other: &Table) -> Result<Table, TableError> {
        let (left, right) = (self.ascending(), other.ascending());
        let mut times: Vec<i64> = [left.times(), right.times()].concat();
        times.sort();
        times.dedup();
        let of_left = places(left.times(), &times);
        let of_right = places(right.times(), &times);
        let columns = left.picked_at(&of_left)?.into_iter();
        let columns = columns.chain(right.picked_at(&of_right)?).collect();
        let (name, kind) = (self.time_name(), self.time_type());
        let fields = self.fields_with(other);
        let joined = Table::made(name, kind, times.into(), fields, columns);
        let joined = joined.replacing(self.replaced() + other.replaced());
        Ok(match self.is_descending() {
            true => joined.descending(),
            false => joined,
        })
    }

    /// Its own rows, with the columns of another table beside them: each row's from that one of the other
    /// which is nearest in time, and not farther away than `tolerance`; gaps where there is none. Of two that
    /// are equally near, it is the earlier one.
    ///
    /// For metrics that are measured together and stored a moment apart.
    ///
    /// ```
    /// use headwater::timeseries::{Point, Table};
    /// use std::time::Duration;
    ///
    /// let a = Table::of([1_000, 2_000, 3_000].map(|t| Point::new("a", t, t)))?;
    /// let b = Table::of([1_050, 2_980].map(|t| Point::new("b", t, t)))?;
    /// let joined = a.join_nearest(&b, Duration::from_millis(100))?;
    /// assert_eq!(joined.times(), a.times());
    /// assert_eq!(joined.value(0, "b")?, 1_050.into());
    /// assert_eq!(joined.value(2, "b")?, 2_980.into());
    /// assert_eq!(joined.drop_gaps().len(), 2);
    /// # Ok::<(), headwater::timeseries::TableError>(())
    /// ```
    ///
    /// # Errors
    /// [`TableError::TooMuchText`].
    #[doc(alias = "merge_asof")]
    #[doc(alias = "mergeTime")]
    pub fn join_nearest(&self, other: &Table, tolerance: Duration) -> Result<Table, TableError> {
        let right = other.ascending();
        let tolerance = u64::try_from(tolerance.as_millis()).unwrap_or(u64::MAX);
        let nearest = |&time: &i64| {
            let after = right.times().partition_point(|&there| there < time);
            let near = [after.checked_sub(1), Some(after)].into_iter().flatten();
            let near = near.filter_map(|row| Some((right.times().get(row)?.abs_diff(time), row)));
            // The first one of those that are least.
            let (distance, row) = near.min()?;
            (distance <= tolerance).then_some(row)
        };
        let nearest: Places = self.times().iter().map(nearest).collect();
        let mut columns = self.columns().to_vec();
        columns.append(&mut right.picked_at(&nearest)?);
        let joined = self.with_fields(self.fields_with(other), columns);
        Ok(joined.replacing(self.replaced() + other.replaced()))
    }

    fn picked_at(&self, places: &[Option<usize>]) -> Result<Vec<ArrayRef>, TableError> {
        let columns = self.names().zip(self.columns());
        columns
            .map(|(name, column)| arrays::pick(name, column, places))
            .collect()
    }

    /// The fields of both, with names that are unique.
    fn fields_with(&self, other: &Table) -> Vec<FieldRef> {
        let mut names = self.taken();
        let others = other.fields().map(|field| {
            let name = names.unique(field.name());
            renamed(field, |head| Head { name, ..head })
        });
        self.fields().cloned().chain(others).collect()
    }
}

/// Where each of `all` is among `times`; both ascend.
fn places(times: &[i64], all: &[i64]) -> Places {
    let mut rows = times.iter().enumerate().peekable();
    let place = |time: &i64| {
        rows.next_if(|(_, there)| *there == time)
            .map(|(row, _)| row)
    };
    all.iter().map(place).collect()
}
