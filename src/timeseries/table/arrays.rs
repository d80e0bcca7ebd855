//! What is done with arrays of any type that a table has.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, StringArray, UInt64Array};
use arrow_select::take::take;

use super::cells::MOST_TEXT;
use super::error::TableError;
use crate::metrics::Value;
use crate::timeseries::PointValue;

/// A column of values, as what it is.
pub(super) enum Column<'a> {
    Int(&'a Int64Array),
    Float(&'a Float64Array),
    Text(&'a StringArray),
}

impl<'a> Column<'a> {
    /// A table has no other columns: what can't be is shown as text without a value.
    pub(super) fn of(array: &'a ArrayRef) -> Option<Column<'a>> {
        let array = array.as_any();
        let int = array.downcast_ref().map(Column::Int);
        let float = || array.downcast_ref().map(Column::Float);
        let text = || array.downcast_ref().map(Column::Text);
        int.or_else(float).or_else(text)
    }

    pub(super) fn value(&self, row: usize) -> PointValue {
        match self {
            Column::Int(ints) if ints.is_valid(row) => Value::Int(ints.value(row)).into(),
            Column::Float(floats) if floats.is_valid(row) => Value::Float(floats.value(row)).into(),
            Column::Text(texts) if texts.is_valid(row) => texts.value(row).into(),
            _ => PointValue::Null,
        }
    }

    /// How many bytes of text a row has.
    fn text(&self, row: usize) -> usize {
        match self {
            Column::Text(texts) if texts.is_valid(row) => texts.value(row).len(),
            _ => 0,
        }
    }
}

/// A value of a column.
pub(super) fn value(array: &ArrayRef, row: usize) -> PointValue {
    Column::of(array).map_or(PointValue::Null, |column| column.value(row))
}

/// The rows at these places; a gap where there is none.
pub(super) fn pick(
    name: &str,
    array: &ArrayRef,
    places: &[Option<usize>],
) -> Result<ArrayRef, TableError> {
    if let Some(column @ Column::Text(_)) = Column::of(array) {
        let bytes: usize = places.iter().flatten().map(|&row| column.text(row)).sum();
        if bytes > MOST_TEXT {
            return Err(TableError::TooMuchText(name.to_owned()));
        }
    }
    let places: UInt64Array = places
        .iter()
        .map(|place| place.map(|at| at as u64))
        .collect();
    Ok(take(array, &places, None)
        .expect("the places are within the array, and its text was counted"))
}

/// The rows at these places, each at most once.
pub(super) fn pick_some(array: &ArrayRef, places: &UInt64Array) -> ArrayRef {
    take(array, places, None).expect("the places are within the array")
}

/// As many gaps, of no type in particular.
pub(super) fn gaps(rows: usize) -> ArrayRef {
    Arc::new(Float64Array::new_null(rows))
}
