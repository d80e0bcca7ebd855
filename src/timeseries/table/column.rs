//! Columns: what they hold, which points belong there, what they are called.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};

use crate::metrics::{AsTag, IntoTags, Tags, Value};
use crate::timeseries::{Point, PointValue};

/// Metadata of a column's field: the metric that its values are of, where its name is another one.
const METRIC: &str = "headwater.metric";
/// Metadata of a column's field: the tags that all its values have, as [`Tags::key`] writes them.
const TAGS: &str = "headwater.tags";

/// What a column of values holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ColumnType {
    /// Whole numbers: Arrow's `Int64`.
    Int,
    /// Numbers: Arrow's `Float64`. Integers beyond 2⁵³ are rounded.
    #[default]
    Float,
    /// Text: Arrow's `Utf8`. Numbers are written as text, `3` and `3.0`.
    Text,
}

impl ColumnType {
    pub(super) fn data_type(self) -> DataType {
        match self {
            ColumnType::Int => DataType::Int64,
            ColumnType::Float => DataType::Float64,
            ColumnType::Text => DataType::Utf8,
        }
    }

    pub(super) fn of(data_type: &DataType) -> Option<ColumnType> {
        match data_type {
            DataType::Int64 => Some(ColumnType::Int),
            DataType::Float64 => Some(ColumnType::Float),
            DataType::Utf8 => Some(ColumnType::Text),
            _ => None,
        }
    }

    /// The narrowest one that holds all of these; numbers, if there are none.
    pub(super) fn of_all<'a, I: Iterator<Item = &'a PointValue>>(values: I) -> ColumnType {
        let mut narrowest = None;
        for value in values {
            narrowest = match value {
                PointValue::Text(_) => return ColumnType::Text,
                PointValue::Number(Value::Float(_)) => Some(ColumnType::Float),
                PointValue::Number(Value::Int(_)) => narrowest.or(Some(ColumnType::Int)),
                PointValue::Null => narrowest,
            };
        }
        narrowest.unwrap_or_default()
    }

    /// Whether it holds such a value as it is; every column has gaps.
    pub(super) fn holds(self, value: &PointValue) -> bool {
        match (self, value) {
            (_, PointValue::Null) | (ColumnType::Text, _) => true,
            (ColumnType::Int, PointValue::Number(number)) => whole(*number).is_some(),
            (ColumnType::Float, PointValue::Number(_)) => true,
            (_, PointValue::Text(_)) => false,
        }
    }
}

/// The integer that a number is, if it is one.
pub(super) fn whole(number: Value) -> Option<i64> {
    match number {
        Value::Int(int) => Some(int),
        // A float that is no integer, or beyond them, becomes another number.
        Value::Float(float) => Some(float as i64).filter(|&int| Value::Int(int) == number),
    }
}

/// A column that is known before there is any data: which points belong there.
///
/// A string is one for all points of that metric, as floats.
///
/// ```
/// use headwater::timeseries::{Column, TableSchema};
///
/// let schema = TableSchema::new([
///     Column::new("temperature").tag("room", "hall").named("hall"),
///     Column::new("door").int(),
/// ]);
/// let names: Vec<_> = schema.arrow().fields().iter().map(|field| field.name().clone()).collect();
/// assert_eq!(names, ["time", "hall", "door"]);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a column does nothing until it is part of a schema"]
pub struct Column {
    pub(super) metric: Arc<str>,
    pub(super) tags: Tags,
    pub(super) name: Option<String>,
    pub(super) holds: ColumnType,
}

impl Column {
    /// For all points of a metric, as floats.
    pub fn new(metric: impl Into<Arc<str>>) -> Column {
        Column {
            metric: metric.into(),
            tags: Tags::new(),
            name: None,
            holds: ColumnType::Float,
        }
    }

    /// Only for points that have this tag; others don't matter. Of several, they must have all.
    pub fn tag(self, name: impl AsRef<str>, value: impl AsTag) -> Column {
        let tags = self.tags.with(name, value);
        Column { tags, ..self }
    }

    /// Only for points that have these tags, whichever they have besides.
    pub fn tags(self, tags: impl IntoTags) -> Column {
        let tags = self.tags.merged(&tags.into_tags());
        Column { tags, ..self }
    }

    /// What it is called; by default the metric, with the tags: `temperature{room=hall}`.
    pub fn named(self, name: impl Into<String>) -> Column {
        let name = Some(name.into());
        Column { name, ..self }
    }

    /// It holds whole numbers.
    pub fn int(self) -> Column {
        self.holding(ColumnType::Int)
    }

    /// It holds text.
    pub fn text(self) -> Column {
        self.holding(ColumnType::Text)
    }

    /// It holds this.
    pub fn holding(self, holds: ColumnType) -> Column {
        Column { holds, ..self }
    }

    pub(super) fn wants(&self, point: &Point) -> bool {
        let mut tags = self.tags.iter();
        tags.all(|(name, value)| point.tags().get(name) == Some(value))
    }

    pub(super) fn head(&self) -> Head {
        Head {
            name: match &self.name {
                Some(name) => name.clone(),
                None => titled(&self.metric, &self.tags.to_string()),
            },
            metric: self.metric.clone(),
            tags: self.tags.clone(),
        }
    }
}

impl From<&str> for Column {
    fn from(metric: &str) -> Column {
        Column::new(metric)
    }
}

impl From<String> for Column {
    fn from(metric: String) -> Column {
        Column::new(metric)
    }
}

/// A metric and a group of it: `temperature{room=hall}`.
pub(in crate::timeseries) fn titled(metric: &str, group: &str) -> String {
    match group.is_empty() {
        true => metric.to_owned(),
        false => format!("{metric}{{{group}}}"),
    }
}

/// What a column is called, and what its points were, or are to be.
#[derive(Debug, Clone)]
pub(in crate::timeseries) struct Head {
    pub(in crate::timeseries) name: String,
    pub(in crate::timeseries) metric: Arc<str>,
    pub(in crate::timeseries) tags: Tags,
}

impl Head {
    pub(super) fn field(&self, holds: ColumnType) -> FieldRef {
        let mut metadata = HashMap::new();
        if *self.metric != *self.name {
            metadata.insert(METRIC.to_owned(), self.metric.to_string());
        }
        if !self.tags.is_empty() {
            metadata.insert(TAGS.to_owned(), self.tags.key().to_string());
        }
        let field = Field::new(&self.name, holds.data_type(), true);
        Arc::new(field.with_metadata(metadata))
    }

    /// Of a field, whoever made it: tags that can't be read are none.
    pub(super) fn of(field: &Field) -> Head {
        let metadata = field.metadata();
        let metric = metadata.get(METRIC).unwrap_or_else(|| field.name());
        let tags = metadata.get(TAGS).map(|key| Tags::from_key(key));
        Head {
            name: field.name().clone(),
            metric: metric.as_str().into(),
            tags: tags.and_then(Result::ok).unwrap_or_default(),
        }
    }
}

/// The field of a column that is called, or was, something else.
pub(super) fn renamed(field: &FieldRef, change: impl FnOnce(Head) -> Head) -> FieldRef {
    match ColumnType::of(field.data_type()) {
        Some(holds) => change(Head::of(field)).field(holds),
        // A table has no other types.
        None => Arc::clone(field),
    }
}
