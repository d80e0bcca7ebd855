//! The points that a table is made of.

use super::arrays;
use super::column::Head;
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
}
