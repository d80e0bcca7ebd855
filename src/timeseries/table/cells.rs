//! The values of columns, brought together on their times.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow_schema::SchemaRef;

use super::builder::Duplicates;
use super::column::{ColumnType, Head, whole};
use super::error::TableError;
use super::table::{Table, TimeType};
use crate::metrics::Value;
use crate::timeseries::PointValue;

/// As many bytes as offsets of Arrow's `Utf8` can count.
pub(super) const MOST_TEXT: usize = i32::MAX as usize;

/// What will stand in a column: times and values, in any order.
#[derive(Debug)]
pub(in crate::timeseries) struct Cells {
    pub(in crate::timeseries) head: Head,
    pub(in crate::timeseries) values: Vec<(i64, PointValue)>,
    /// What it holds, if that does not depend on the values.
    pub(in crate::timeseries) holds: Option<ColumnType>,
}

impl Cells {
    pub(in crate::timeseries) fn new(head: Head) -> Cells {
        Cells {
            head,
            values: Vec::new(),
            holds: None,
        }
    }

    /// In the order of time, one a time. Returns how many gave way to others.
    pub(super) fn settle(&mut self, rule: Duplicates) -> Result<usize, TableError> {
        if !self.values.is_sorted_by_key(|(millis, _)| *millis) {
            self.values.sort_by_key(|(millis, _)| *millis);
        }
        let (mut replaced, mut first) = (0, None);
        self.values.dedup_by(|later, kept| {
            if later.0 != kept.0 {
                return false;
            }
            match (&kept.1, &later.1) {
                // A gap is no value: it gives way, and is not missed.
                (_, PointValue::Null) => {}
                (PointValue::Null, _) => std::mem::swap(later, kept),
                _ => {
                    replaced += 1;
                    first.get_or_insert(kept.0);
                    if rule == Duplicates::Last {
                        std::mem::swap(later, kept);
                    }
                }
            }
            true
        });
        match first {
            Some(millis) if rule == Duplicates::Fail => Err(TableError::Duplicate {
                column: self.head.name.clone(),
                millis,
            }),
            _ => Ok(replaced),
        }
    }

    pub(super) fn holds(&self) -> ColumnType {
        let values = self.values.iter().map(|(_, value)| value);
        self.holds.unwrap_or_else(|| ColumnType::of_all(values))
    }

    /// The column, with gaps at the times that it has no value for.
    fn array(&self, times: &[i64]) -> Result<ArrayRef, TableError> {
        let mut values = self.values.iter().peekable();
        let cells = times.iter().map(|time| {
            let cell = values.next_if(|(millis, _)| millis == time);
            cell.map(|(_, value)| value)
        });
        Ok(match self.holds() {
            ColumnType::Int => {
                Arc::new(cells.map(|cell| cell.and_then(int)).collect::<Int64Array>())
            }
            ColumnType::Float => Arc::new(
                cells
                    .map(|cell| cell.and_then(float))
                    .collect::<Float64Array>(),
            ),
            ColumnType::Text => {
                let texts: Vec<Option<Arc<str>>> = cells.map(|cell| cell.and_then(text)).collect();
                let bytes: usize = texts.iter().flatten().map(|text| text.len()).sum();
                if bytes > MOST_TEXT {
                    return Err(TableError::TooMuchText(self.head.name.clone()));
                }
                Arc::new(texts.into_iter().collect::<StringArray>())
            }
        })
    }
}

fn int(value: &PointValue) -> Option<i64> {
    match value {
        PointValue::Number(number) => whole(*number),
        PointValue::Text(_) | PointValue::Null => None,
    }
}

fn float(value: &PointValue) -> Option<f64> {
    match value {
        PointValue::Number(number) => Some(Value::as_f64(*number)),
        PointValue::Text(_) | PointValue::Null => None,
    }
}

pub(super) fn text(value: &PointValue) -> Option<Arc<str>> {
    match value {
        PointValue::Number(number) => Some(number.to_string().into()),
        PointValue::Text(text) => Some(text.clone()),
        PointValue::Null => None,
    }
}

/// The table of columns that are [settled](Cells::settle), and whose names are unique.
pub(super) fn assemble(
    time: &str,
    time_type: TimeType,
    columns: &[Cells],
    schema: Option<SchemaRef>,
    replaced: usize,
) -> Result<Table, TableError> {
    let mut times: Vec<i64> = Vec::new();
    for column in columns {
        times.extend(column.values.iter().map(|(millis, _)| millis));
    }
    // Finds the runs that are sorted already.
    times.sort();
    times.dedup();
    let arrays: Result<Vec<_>, _> = columns.iter().map(|column| column.array(&times)).collect();
    let fields = columns
        .iter()
        .map(|column| column.head.field(column.holds()))
        .collect();
    let table = Table::made(time, time_type, times.into(), fields, arrays?);
    Ok(table.known(schema).replacing(replaced))
}
