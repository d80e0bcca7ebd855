//! Gaps: filled, or dropped.

use arrow_array::{Array, ArrayRef};

use super::arrays;
use super::error::TableError;
use super::table::Table;

impl Table {
    /// Fills each gap with the value before it in time, in whichever order the rows are. Gaps before a
    /// column's first value stay.
    ///
    /// # Errors
    /// [`TableError::TooMuchText`].
    #[doc(alias = "ffill")]
    #[doc(alias = "fillNaMethod")]
    pub fn fill_forward(&self) -> Result<Table, TableError> {
        self.fill(self.is_descending())
    }

    /// Fills each gap with the value after it in time, in whichever order the rows are. Gaps after a
    /// column's last value stay.
    ///
    /// # Errors
    /// [`TableError::TooMuchText`].
    #[doc(alias = "bfill")]
    #[doc(alias = "fillNaMethod")]
    pub fn fill_backward(&self) -> Result<Table, TableError> {
        self.fill(!self.is_descending())
    }

    /// Fills with what was seen last, going down the rows, or up.
    fn fill(&self, up: bool) -> Result<Table, TableError> {
        let columns = self.names().zip(self.columns());
        let columns = columns.map(|(name, column)| {
            if column.null_count() == 0 || column.null_count() == column.len() {
                return Ok(column.clone());
            }
            let mut last = None;
            let mut seen = |row: usize| {
                if column.is_valid(row) {
                    last = Some(row);
                }
                last
            };
            let mut places: Vec<Option<usize>>;
            match up {
                false => places = (0..self.len()).map(&mut seen).collect(),
                true => {
                    places = (0..self.len()).rev().map(&mut seen).collect();
                    places.reverse();
                }
            }
            arrays::pick(name, column, &places)
        });
        let columns: Result<_, _> = columns.collect();
        Ok(self.with(self.times_buffer(), columns?))
    }

    /// Drops the latest rows: those that are later than the last value of some column. So the table ends where
    /// the first of its columns does; gaps between values stay. A column without any value does not count.
    ///
    /// What was stored last is often not complete: some metrics have come, others will.
    ///
    /// ```
    /// use headwater::timeseries::{Point, Table};
    ///
    /// let a = [1, 2, 3, 5].map(|t| Point::new("a", t, t));
    /// let b = [2, 4].map(|t| Point::new("b", t, t));
    /// let table = Table::of(a.iter().chain(&b))?;
    /// assert_eq!(table.times(), [1, 2, 3, 4, 5]);
    /// assert_eq!(table.drop_trailing_gaps().times(), [1, 2, 3, 4]);
    /// # Ok::<(), headwater::timeseries::TableError>(())
    /// ```
    #[doc(alias = "dropTrailingNa")]
    pub fn drop_trailing_gaps(&self) -> Table {
        let latest = |column: &ArrayRef| {
            let mut rows = 0..column.len();
            let is_value = |row: &usize| column.is_valid(*row);
            match self.is_descending() {
                true => rows.find(is_value),
                false => rows.rfind(is_value),
            }
        };
        let latest = self.columns().iter().filter_map(latest);
        let rows = match self.is_descending() {
            true => latest.max().unwrap_or(0)..self.len(),
            false => 0..latest.min().map_or(self.len(), |last| last + 1),
        };
        self.rows(rows)
    }

    /// Drops the rows that have any gap.
    #[doc(alias = "dropna")]
    #[doc(alias = "dropNa")]
    pub fn drop_gaps(&self) -> Table {
        self.keep_rows(|row| self.columns().iter().all(|column| column.is_valid(row)))
    }

    /// Drops the rows that have nothing but gaps.
    pub fn drop_empty(&self) -> Table {
        self.keep_rows(|row| self.columns().iter().any(|column| column.is_valid(row)))
    }
}
