//! Tables whose columns are known before there are points.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{FieldRef, Schema, SchemaRef};
use rustc_hash::FxHashMap;

use super::cells::{Cells, MOST_TEXT, assemble, text};
use super::column::{Column, ColumnType, Head};
use super::names::Names;
use super::table::{Table, TimeType};
use crate::timeseries::{Point, PointValue};

/// Columns that are known before there are points: every table that is made by it has the same Arrow schema.
///
/// Columns that would have one name are told apart as [`TableBuilder`](super::TableBuilder) says.
///
/// ```
/// use headwater::timeseries::{Column, Point, TableSchema, Why};
///
/// let schema = TableSchema::new([
///     Column::new("temperature").tag("room", "hall").named("hall"),
///     Column::new("door").int(),
/// ]);
/// let hall = Point::new("temperature", 1_000, 20.5).tagged([("room", "hall"), ("floor", "0")]);
/// let tabled = schema.table([
///     hall,
///     Point::new("door", 1_000, 1),
///     Point::new("door", 2_000, "ajar"),
/// ]);
/// assert_eq!(tabled.table.times(), [1_000]);
/// assert_eq!(tabled.table.schema(), *schema.arrow());
/// // Nothing is lost: what has no place in the table is beside it.
/// assert_eq!(tabled.unplaced[0].why, Why::WrongType);
/// ```
#[derive(Debug, Clone)]
pub struct TableSchema {
    columns: Vec<Column>,
    heads: Vec<Head>,
    by_metric: FxHashMap<Arc<str>, Vec<usize>>,
    time: String,
    time_type: TimeType,
    arrow: SchemaRef,
}

/// A table of points, and those that have no place there.
#[derive(Debug, Clone, PartialEq)]
pub struct Tabled {
    /// The table.
    pub table: Table,
    /// Points that have no place in a column, in the order in which they came.
    pub unplaced: Vec<Unplaced>,
}

/// A point that has no place in a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Unplaced {
    /// The point.
    pub point: Point,
    /// The column's name, if there is a column for it.
    pub column: Option<String>,
    /// Why.
    pub why: Why,
}

/// Why a point has no place in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// There is no column for its metric and tags.
    NoColumn,
    /// It is text, and the column holds numbers; or a float, and the column holds integers.
    WrongType,
    /// A point that came later has the same time.
    Replaced,
    /// The column has 2 GiB of text already.
    NoRoom,
}

impl TableSchema {
    /// A column for each of these, behind one of times.
    pub fn new<C: Into<Column>>(columns: impl IntoIterator<Item = C>) -> TableSchema {
        let columns: Vec<Column> = columns.into_iter().map(Into::into).collect();
        let mut by_metric: FxHashMap<_, Vec<usize>> = FxHashMap::default();
        for (at, column) in columns.iter().enumerate() {
            by_metric.entry(column.metric.clone()).or_default().push(at);
        }
        let schema = TableSchema {
            columns,
            heads: Vec::new(),
            by_metric,
            time: String::new(),
            time_type: TimeType::default(),
            arrow: Arc::new(Schema::empty()),
        };
        schema.time_name("time")
    }

    /// What the column of times is called: `time` by default.
    #[must_use]
    pub fn time_name(mut self, name: impl AsRef<str>) -> TableSchema {
        let mut names = Names::default();
        self.time = names.unique(name.as_ref());
        self.heads = self.columns.iter().map(Column::head).collect();
        for head in &mut self.heads {
            head.name = names.unique(&head.name);
        }
        let time_type = self.time_type;
        self.time_type(time_type)
    }

    /// Which type the times have: `Timestamp(Millisecond, "UTC")` by default.
    #[must_use]
    pub fn time_type(mut self, time_type: TimeType) -> TableSchema {
        self.time_type = time_type;
        let columns = self.heads.iter().zip(&self.columns);
        let columns = columns.map(|(head, column)| head.field(column.holds));
        let time = std::iter::once(time_type.field(&self.time));
        let fields: Vec<FieldRef> = time.chain(columns).collect();
        self.arrow = Arc::new(Schema::new(fields));
        self
    }

    /// The Arrow schema that all its tables have.
    #[must_use]
    pub fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// The table of these points, which may come in any order.
    ///
    /// A point goes into every column that it belongs to. Of several at one time in one column the last one
    /// holds; a gap holds only where there is nothing else.
    pub fn table(&self, points: impl IntoIterator<Item = Point>) -> Tabled {
        let points: Vec<Point> = points.into_iter().collect();
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); self.columns.len()];
        // With the place of the point.
        let mut unplaced: Vec<(usize, Option<usize>, Why)> = Vec::new();
        for (at, point) in points.iter().enumerate() {
            let mut has_column = false;
            for &column in self.by_metric.get(point.metric()).into_iter().flatten() {
                if !self.columns[column].wants(point) {
                    continue;
                }
                has_column = true;
                match self.columns[column].holds.holds(point.value()) {
                    true => places[column].push(at),
                    false => unplaced.push((at, Some(column), Why::WrongType)),
                }
            }
            if !has_column {
                unplaced.push((at, None, Why::NoColumn));
            }
        }
        let cells = places.into_iter().enumerate().map(|(column, mut places)| {
            places.sort_by_key(|&at| points[at].millis());
            self.once(&points, &mut places, |at| {
                unplaced.push((at, Some(column), Why::Replaced));
            });
            if self.columns[column].holds == ColumnType::Text {
                bounded(&points, &mut places, |at| {
                    unplaced.push((at, Some(column), Why::NoRoom));
                });
            }
            let cell = |at: usize| (points[at].millis(), points[at].value().clone());
            Cells {
                head: self.heads[column].clone(),
                values: places.into_iter().map(cell).collect(),
                holds: Some(self.columns[column].holds),
            }
        });
        let cells: Vec<Cells> = cells.collect();
        let schema = Some(self.arrow.clone());
        let table = assemble(&self.time, self.time_type, &cells, schema, 0);
        unplaced.sort_by_key(|(at, ..)| *at);
        let unplaced = unplaced.into_iter().map(|(at, column, why)| Unplaced {
            point: points[at].clone(),
            column: column.map(|column| self.heads[column].name.clone()),
            why,
        });
        Tabled {
            table: table.expect("there is not too much text, and duplicates are gone"),
            unplaced: unplaced.collect(),
        }
    }

    /// Leaves one point a time; tells which values go.
    fn once(&self, points: &[Point], places: &mut Vec<usize>, mut gone: impl FnMut(usize)) {
        places.dedup_by(|later, kept| {
            let (former, latter) = (&points[*kept], &points[*later]);
            if former.millis() != latter.millis() {
                return false;
            }
            match (former.value(), latter.value()) {
                (_, PointValue::Null) => {}
                (PointValue::Null, _) => *kept = *later,
                _ => {
                    gone(*kept);
                    *kept = *later;
                }
            }
            true
        });
    }
}

/// Leaves as much text as fits into a column.
fn bounded(points: &[Point], places: &mut Vec<usize>, mut gone: impl FnMut(usize)) {
    let mut bytes = 0_usize;
    places.retain(|&at| {
        let more = text(points[at].value()).map_or(0, |text| text.len());
        let fits = more <= MOST_TEXT - bytes;
        match fits {
            true => bytes += more,
            false => gone(at),
        }
        fits
    });
}

impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.column.as_deref().unwrap_or_default();
        write!(f, "{} has no place in the table: ", self.point)?;
        match self.why {
            Why::NoColumn => f.write_str("there is no column for it"),
            Why::WrongType => write!(f, "column {column:?} holds another type"),
            Why::Replaced => write!(f, "column {column:?} has a later one of that time"),
            Why::NoRoom => write!(f, "column {column:?} has 2 GiB of text already"),
        }
    }
}

impl Error for Unplaced {}
