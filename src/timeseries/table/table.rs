//! A table: times, and a column a metric.

use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};

use super::arrays;
use super::builder::TableBuilder;
use super::error::TableError;
use super::names::Names;
use crate::timeseries::{Point, PointValue};

/// Points as a table: a column of times, and one a metric (or a metric and group of tags), joined on
/// time.
///
/// It is an Arrow [`RecordBatch`] that keeps its rows in the order of time, each time once; every
/// operation gives a new one, which shares what has not changed. The first column holds the times, the
/// others [numbers or text](super::ColumnType). A gap is a null; a NaN is a value. Arrow's crates
/// (`arrow-array`, `arrow-schema`) are those of version 60.
///
/// ```
/// use headwater::timeseries::{Point, Table};
///
/// let table = Table::of([
///     Point::new("a", 2_000, 7.5),
///     Point::new("a", 1_000, 5.0),
///     Point::new("b", 2_500, 1),
/// ])?;
/// assert_eq!(table.times(), [1_000, 2_000, 2_500]);
/// assert_eq!(table.value(2, "b")?, 1.into());
/// assert_eq!(table.fill_forward()?.drop_gaps().len(), 1);
/// assert_eq!(
///     table.to_string(),
///     "\
/// time                       a  b
/// ───────────────────────  ───  ─
/// 1970-01-01 00:00:01.000  5.0  ·
/// 1970-01-01 00:00:02.000  7.5  ·
/// 1970-01-01 00:00:02.500    ·  1
/// 3 rows, 2 columns; times in UTC
/// "
/// );
/// let batch = table.into_batch(); // for whatever reads Arrow
/// assert_eq!(batch.num_columns(), 3);
/// # Ok::<(), headwater::timeseries::TableError>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "operations on a table make a new one"]
pub struct Table {
    batch: RecordBatch,
    times: ScalarBuffer<i64>,
    descending: bool,
    replaced: usize,
}

/// Which Arrow type the times have; they are counted in milliseconds since the Unix epoch in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimeType {
    /// `Timestamp(Millisecond, "UTC")`.
    #[default]
    Utc,
    /// `Timestamp(Millisecond)`, without a time zone.
    Naive,
    /// `Int64`.
    Millis,
}

impl TimeType {
    pub(super) fn field(self, name: &str) -> FieldRef {
        let data_type = match self {
            TimeType::Utc => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            TimeType::Naive => DataType::Timestamp(TimeUnit::Millisecond, None),
            TimeType::Millis => DataType::Int64,
        };
        Arc::new(Field::new(name, data_type, false))
    }

    fn array(self, times: ScalarBuffer<i64>) -> ArrayRef {
        match self {
            TimeType::Utc => {
                Arc::new(TimestampMillisecondArray::new(times, None).with_timezone("UTC"))
            }
            TimeType::Naive => Arc::new(TimestampMillisecondArray::new(times, None)),
            TimeType::Millis => Arc::new(Int64Array::new(times, None)),
        }
    }
}

impl Table {
    /// A table of points, in any order, with a column a metric, in the order in which they first appear.
    /// [`Table::builder`] has more choices.
    ///
    /// # Errors
    /// [`TableError::TooMuchText`].
    pub fn of<I: IntoIterator<Item: std::borrow::Borrow<Point>>>(
        points: I,
    ) -> Result<Table, TableError> {
        Table::builder().points(points)
    }

    /// Choices how a table is made.
    pub fn builder() -> TableBuilder {
        TableBuilder::new()
    }

    /// Columns of this length, with names that are unique, and times in ascending order.
    pub(super) fn made(
        time: &str,
        time_type: TimeType,
        times: ScalarBuffer<i64>,
        fields: Vec<FieldRef>,
        columns: Vec<ArrayRef>,
    ) -> Table {
        let fields: Vec<_> = std::iter::once(time_type.field(time))
            .chain(fields)
            .collect();
        let columns = std::iter::once(time_type.array(times.clone())).chain(columns);
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema, columns.collect());
        Table {
            batch: batch.expect("the columns are as long as the times, and of the fields' types"),
            times,
            descending: false,
            replaced: 0,
        }
    }

    /// With a schema that is known to be equal, so that all tables of it share one.
    pub(super) fn known(self, schema: Option<SchemaRef>) -> Table {
        let Some(schema) = schema else { return self };
        debug_assert_eq!(schema, self.batch.schema());
        let columns = self.batch.columns().to_vec();
        match RecordBatch::try_new(schema, columns) {
            Ok(batch) => Table { batch, ..self },
            Err(_) => self,
        }
    }

    pub(super) fn replacing(self, replaced: usize) -> Table {
        Table { replaced, ..self }
    }

    pub(super) fn directed(self, descending: bool) -> Table {
        Table { descending, ..self }
    }

    /// The same times and columns with other ones in their places.
    pub(super) fn with(&self, times: ScalarBuffer<i64>, columns: Vec<ArrayRef>) -> Table {
        let fields = self.fields().cloned().collect();
        let time = self.time_name();
        let table = Table::made(time, self.time_type(), times, fields, columns);
        table.replacing(self.replaced).directed(self.descending)
    }

    pub(super) fn with_fields(&self, fields: Vec<FieldRef>, columns: Vec<ArrayRef>) -> Table {
        let (time, times) = (self.time_name(), self.times.clone());
        let table = Table::made(time, self.time_type(), times, fields, columns);
        table.replacing(self.replaced).directed(self.descending)
    }

    /// The fields of the columns of values.
    pub(super) fn fields(&self) -> impl ExactSizeIterator<Item = &FieldRef> {
        self.batch.schema_ref().fields().iter().skip(1)
    }

    /// The columns of values.
    pub(super) fn columns(&self) -> &[ArrayRef] {
        &self.batch.columns()[1..]
    }

    pub(super) fn taken(&self) -> Names {
        self.batch
            .schema_ref()
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect()
    }

    /// The place of a column of values.
    pub(super) fn place(&self, name: &str) -> Result<usize, TableError> {
        let place = self.fields().position(|field| field.name() == name);
        place.ok_or_else(|| TableError::NoColumn {
            name: name.to_owned(),
            there: self.names().map(str::to_owned).collect(),
        })
    }

    /// As Arrow has it: the times first, then the columns.
    #[must_use]
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// As Arrow has it.
    #[must_use]
    pub fn into_batch(self) -> RecordBatch {
        self.batch
    }

    /// Its schema. The field of a column that is not called as its metric, or whose points all have some
    /// tags, says so in its metadata (`headwater.metric`, `headwater.tags`).
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    /// How many rows it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The times of the rows, in milliseconds since the Unix epoch, each once.
    #[must_use]
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    pub(super) fn times_buffer(&self) -> ScalarBuffer<i64> {
        self.times.clone()
    }

    /// Whether the latest row is the first one.
    #[must_use]
    pub fn is_descending(&self) -> bool {
        self.descending
    }

    /// The names of the columns, without that of the times.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.fields().map(|field| field.name().as_str())
    }

    /// The name of the column of times.
    #[must_use]
    pub fn time_name(&self) -> &str {
        self.batch.schema_ref().field(0).name()
    }

    /// Which type the times have.
    #[must_use]
    pub fn time_type(&self) -> TimeType {
        match self.batch.schema_ref().field(0).data_type() {
            DataType::Int64 => TimeType::Millis,
            DataType::Timestamp(_, None) => TimeType::Naive,
            _ => TimeType::Utc,
        }
    }

    /// With times of another type.
    #[doc(alias = "convertTimestamp")]
    pub fn with_time_type(&self, time_type: TimeType) -> Table {
        let fields = self.fields().cloned().collect();
        let (times, columns) = (self.times.clone(), self.columns().to_vec());
        let table = Table::made(self.time_name(), time_type, times, fields, columns);
        table.replacing(self.replaced).directed(self.descending)
    }

    /// A column of values.
    ///
    /// # Errors
    /// [`TableError::NoColumn`].
    pub fn column(&self, name: &str) -> Result<&ArrayRef, TableError> {
        Ok(&self.columns()[self.place(name)?])
    }

    /// What stands in a row of a column.
    ///
    /// # Errors
    /// [`TableError::NoColumn`].
    ///
    /// # Panics
    /// If there is no such row.
    pub fn value(&self, row: usize, column: &str) -> Result<PointValue, TableError> {
        assert!(
            row < self.len(),
            "there are {} rows, and no row {row}",
            self.len()
        );
        Ok(arrays::value(self.column(column)?, row))
    }

    /// How many values gave way to another one of the same time and column when it was made: see
    /// [`Duplicates`](super::Duplicates).
    #[must_use]
    pub fn replaced(&self) -> usize {
        self.replaced
    }
}

/// As it is printed.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Table")?;
        fmt::Display::fmt(self, f)
    }
}

impl From<Table> for RecordBatch {
    fn from(table: Table) -> RecordBatch {
        table.batch
    }
}
