//! What a table is made of: its points, and the numbers of a column.

use super::arrays;
use super::column::Head;
use super::error::TableError;
use super::table::Table;
use crate::timeseries::{Point, PointValue};

impl Table {
    /// The points of all values, column by column in the order of the rows; gaps are none. Each has its column's
    /// metric and the tags that its column's points had in common, or the column's name where these are not
    /// known.
    ///
    /// ```
    /// use headwater::timeseries::{Point, Table};
    ///
    /// let points = [1, 2].map(|t| Point::new("load", t, 0.5).tagged([("host", "a")]));
    /// let table = Table::builder().by_tags(["host"]).points(&points)?;
    /// assert!(table.names().eq(["load{host=a}"]));
    /// assert!(table.points().eq(points));
    /// # Ok::<(), headwater::timeseries::TableError>(())
    /// ```
    pub fn points(&self) -> impl Iterator<Item = Point> + Send {
        self.fields()
            .zip(self.columns())
            .flat_map(|(field, column)| {
                let head = Head::of(field);
                let cells = self.times().iter().enumerate();
                cells.filter_map(move |(row, &millis)| {
                    let value = arrays::value(column, row);
                    let point = || {
                        let point = Point::new(head.metric.clone(), millis, value.clone());
                        point.tagged(&head.tags)
                    };
                    (value != PointValue::Null).then(point)
                })
            })
    }

    /// The numbers of a column with their times, row by row, as a plot or a calculation takes them: times in
    /// milliseconds since the Unix epoch, integers as the nearest float, `None` for a gap and for text.
    ///
    /// ```
    /// use headwater::timeseries::{Point, Table};
    ///
    /// let table = Table::of([Point::new("a", 1, 5), Point::new("a", 3, 0.5), Point::new("b", 2, 7)])?;
    /// assert!(table.numbers("a")?.eq([(1, Some(5.0)), (2, None), (3, Some(0.5))]));
    /// let highest = table.numbers("a")?.filter_map(|(_, number)| number).fold(f64::MIN, f64::max);
    /// assert_eq!(highest, 5.0);
    /// # Ok::<(), headwater::timeseries::TableError>(())
    /// ```
    ///
    /// # Errors
    /// [`TableError::NoColumn`].
    #[doc(alias = "plot")]
    #[doc(alias = "to_numpy")]
    pub fn numbers(
        &self,
        column: &str,
    ) -> Result<impl ExactSizeIterator<Item = (i64, Option<f64>)> + '_, TableError> {
        let column = self.column(column)?;
        let number = |row| Some(arrays::value(column, row).number()?.as_f64());
        let times = self.times().iter().enumerate();
        Ok(times.map(move |(row, &millis)| (millis, number(row))))
    }
}
