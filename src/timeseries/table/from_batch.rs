//! Tables of record batches that others have made.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_buffer::ScalarBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, TimeUnit};

use super::arrays;
use super::builder::Duplicates;
use super::cells::{Cells, MOST_TEXT, assemble};
use super::column::{ColumnType, Head};
use super::error::TableError;
use super::names::Names;
use super::table::{Table, TimeType};

impl Table {
    /// A table of a record batch, whose rows may be in any order: the column `time` has the times, all others
    /// values.
    ///
    /// Times are timestamps of any unit, dates, or integers for milliseconds since the Unix epoch;
    /// fractions of a millisecond are cut off. Numbers become `Int64` or `Float64` (a column with a `u64`
    /// beyond `i64::MAX` the latter), truth values 0 or 1, and text `Utf8`. Where a time comes twice, the last
    /// value of a column holds, and the others are [counted](Table::replaced). Columns of one name are told
    /// apart as [`TableBuilder`](super::TableBuilder) says.
    ///
    /// # Errors
    /// If there is no such column, if it holds no times, or a row has none; if a column holds neither numbers
    /// nor text, or too much of it.
    #[doc(alias = "timestampColumnName")]
    pub fn from_batch(batch: &RecordBatch, time: &str) -> Result<Table, TableError> {
        let schema = batch.schema_ref();
        let Ok(place) = schema.index_of(time) else {
            return Err(TableError::NoColumn {
                name: time.to_owned(),
                there: schema
                    .fields()
                    .iter()
                    .map(|field| field.name().clone())
                    .collect(),
            });
        };
        let (times, time_type) = times(batch.column(place), time)?;
        let mut names: Names = [time].into_iter().collect();
        let mut columns = Vec::new();
        for (at, field) in schema.fields().iter().enumerate() {
            if at == place {
                continue;
            }
            let (holds, array) = values(batch.column(at), field.name())?;
            let head = Head {
                name: names.unique(field.name()),
                ..Head::of(field)
            };
            columns.push((head, holds, array));
        }
        let ascend = times.is_sorted_by(|a, b| a < b);
        if ascend || times.is_sorted_by(|a, b| a > b) {
            let fields = columns.iter().map(|(head, holds, _)| head.field(*holds));
            let fields = fields.collect();
            let arrays = columns.into_iter().map(|(.., array)| array).collect();
            return Ok(Table::made(time, time_type, times, fields, arrays).directed(!ascend));
        }
        let mut replaced = 0;
        let cells = columns.into_iter().map(|(head, holds, array)| {
            let values = times.iter().enumerate();
            let values = values.map(|(row, &millis)| (millis, arrays::value(&array, row)));
            let mut cells = Cells {
                head,
                values: values.collect(),
                holds: Some(holds),
            };
            replaced += cells.settle(Duplicates::Last)?;
            Ok(cells)
        });
        let cells: Result<Vec<_>, TableError> = cells.collect();
        assemble(time, time_type, &cells?, None, replaced)
    }
}

/// Milliseconds since the Unix epoch.
fn times(column: &ArrayRef, name: &str) -> Result<(ScalarBuffer<i64>, TimeType), TableError> {
    let (per_milli, millis, time_type) = match column.data_type() {
        DataType::Int64 => (1, 1, TimeType::Millis),
        DataType::Date32 => (1, 86_400_000, TimeType::Naive),
        DataType::Date64 => (1, 1, TimeType::Naive),
        DataType::Timestamp(unit, zone) => {
            let (per_milli, millis) = match unit {
                TimeUnit::Second => (1, 1_000),
                TimeUnit::Millisecond => (1, 1),
                TimeUnit::Microsecond => (1_000, 1),
                TimeUnit::Nanosecond => (1_000_000, 1),
            };
            match zone {
                Some(_) => (per_milli, millis, TimeType::Utc),
                None => (per_milli, millis, TimeType::Naive),
            }
        }
        found => {
            let (column, found) = (name.to_owned(), found.clone());
            return Err(TableError::NoTimes { column, found });
        }
    };
    if let Some(row) = (0..column.len()).find(|&row| column.is_null(row)) {
        return Err(TableError::RowWithoutTime(row));
    }
    let numbers = match column.data_type() {
        DataType::Date32 => {
            cast(column, &DataType::Int32).and_then(|days| cast(&days, &DataType::Int64))
        }
        _ => cast(column, &DataType::Int64),
    };
    let numbers = numbers.ok_or_else(|| TableError::NoTimes {
        column: name.to_owned(),
        found: column.data_type().clone(),
    })?;
    let numbers = numbers.as_primitive::<Int64Type>().values();
    let times = numbers.iter().enumerate().map(|(row, number)| {
        let millis = number.div_euclid(per_milli).checked_mul(millis);
        millis.ok_or(TableError::TimeOutOfRange(row))
    });
    Ok((times.collect::<Result<Vec<_>, _>>()?.into(), time_type))
}

fn cast(array: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options).ok()
}

/// A column of values as one of the types that tables have.
fn values(column: &ArrayRef, name: &str) -> Result<(ColumnType, ArrayRef), TableError> {
    let found = column.data_type();
    let is_text = |found: &DataType| {
        matches!(
            found,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let holds = match found {
        DataType::UInt64 => {
            let fits = |number: u64| i64::try_from(number).is_ok();
            match column
                .as_primitive::<UInt64Type>()
                .iter()
                .flatten()
                .all(fits)
            {
                true => ColumnType::Int,
                false => ColumnType::Float,
            }
        }
        found if found.is_integer() || *found == DataType::Boolean => ColumnType::Int,
        found if found.is_numeric() => ColumnType::Float,
        DataType::Null => return Ok((ColumnType::Float, arrays::gaps(column.len()))),
        found if is_text(found) => ColumnType::Text,
        DataType::Dictionary(_, found) if is_text(found) => ColumnType::Text,
        found => {
            let (column, found) = (name.to_owned(), found.clone());
            return Err(TableError::Unsupported { column, found });
        }
    };
    if holds == ColumnType::Text && *found != DataType::Utf8 {
        return Ok((holds, texts(column, name)?));
    }
    let array = cast(column, &holds.data_type());
    let array = array.ok_or_else(|| TableError::Unsupported {
        column: name.to_owned(),
        found: found.clone(),
    })?;
    Ok((holds, array))
}

/// By way of views, which have room for any text.
fn texts(column: &ArrayRef, name: &str) -> Result<ArrayRef, TableError> {
    let views = cast(column, &DataType::Utf8View).ok_or_else(|| TableError::Unsupported {
        column: name.to_owned(),
        found: column.data_type().clone(),
    })?;
    let views = views.as_string_view();
    let bytes: usize = views.iter().flatten().map(str::len).sum();
    match bytes > MOST_TEXT {
        true => Err(TableError::TooMuchText(name.to_owned())),
        false => Ok(Arc::new(views.iter().collect::<StringArray>())),
    }
}
