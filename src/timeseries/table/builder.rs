//! Tables of points that are just there: columns as they come.

use std::borrow::Borrow;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cells::{Cells, assemble};
use super::column::{Head, titled};
use super::error::TableError;
use super::names::Names;
use super::table::{Table, TimeType};
use crate::metrics::Tags;
use crate::timeseries::Point;

/// Of several values at one time in one column, which holds. A gap holds only where there is nothing
/// else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Duplicates {
    /// The one that was given last, as in a store, where a point replaces another one. How many gave way
    /// is [counted](Table::replaced).
    #[default]
    Last,
    /// The one that was given first. How many gave way is [counted](Table::replaced).
    First,
    /// None: that is [an error](TableError::Duplicate).
    Fail,
}

/// What makes a column.
#[derive(Debug, Clone, PartialEq)]
enum Grouping {
    Metric,
    Tags(Vec<String>),
    Series,
}

/// How a table is made of points: from [`Table::builder`].
///
/// | choice | by default |
/// | --- | --- |
/// | [`time_name`](TableBuilder::time_name) | `time` |
/// | [`time_type`](TableBuilder::time_type) | `Timestamp(Millisecond, "UTC")` |
/// | [`by_tags`](TableBuilder::by_tags), [`by_series`](TableBuilder::by_series) | a column a metric |
/// | [`metrics`](TableBuilder::metrics) | those that have points |
/// | [`duplicates`](TableBuilder::duplicates) | the last one holds |
///
/// A column holds integers if all its values are, floats if all are numbers, otherwise text, with its numbers
/// written as text. One without values holds floats. Where two columns would have one name, the later one
/// gets ` (2)` behind it, the next one ` (3)`.
///
/// What must be known before there are points, as for a stream, is a [`TableSchema`](super::TableSchema).
///
/// ```
/// use headwater::timeseries::{Point, Table};
///
/// let point = |host: &str, millis, value| {
///     Point::new("load", millis, value).tagged([("host", host), ("dc", "1")])
/// };
/// let table = Table::builder()
///     .by_tags(["host"])
///     .metrics(["uptime"])
///     .points([point("a", 1, 0.5), point("b", 1, 0.7), point("a", 2, 0.6)])?;
/// assert!(table.names().eq(["uptime", "load{host=a}", "load{host=b}"]));
/// # Ok::<(), headwater::timeseries::TableError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it makes no table before it is given points"]
pub struct TableBuilder {
    time: String,
    time_type: TimeType,
    grouping: Grouping,
    metrics: Vec<Arc<str>>,
    duplicates: Duplicates,
}

impl TableBuilder {
    pub(super) fn new() -> TableBuilder {
        TableBuilder {
            time: "time".to_owned(),
            time_type: TimeType::default(),
            grouping: Grouping::Metric,
            metrics: Vec::new(),
            duplicates: Duplicates::default(),
        }
    }

    /// What the column of times is called.
    pub fn time_name(self, name: impl Into<String>) -> TableBuilder {
        let time = name.into();
        TableBuilder { time, ..self }
    }

    /// Which type the times have.
    pub fn time_type(self, time_type: TimeType) -> TableBuilder {
        TableBuilder { time_type, ..self }
    }

    /// A column for each metric and values of these tags, which are in its name. The groups of a store's
    /// answer are made by its query instead.
    pub fn by_tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> TableBuilder {
        let grouping = Grouping::Tags(tags.into_iter().map(Into::into).collect());
        TableBuilder { grouping, ..self }
    }

    /// A column for each series: a metric with all its tags.
    pub fn by_series(self) -> TableBuilder {
        let grouping = Grouping::Series;
        TableBuilder { grouping, ..self }
    }

    /// Metrics whose columns stand there, and stand first, in this order. One that has no points gets a
    /// column without values.
    pub fn metrics<M: Into<Arc<str>>>(self, metrics: impl IntoIterator<Item = M>) -> TableBuilder {
        let metrics = metrics.into_iter().map(Into::into).collect();
        TableBuilder { metrics, ..self }
    }

    /// What holds where a column has several values at one time.
    pub fn duplicates(self, duplicates: Duplicates) -> TableBuilder {
        TableBuilder { duplicates, ..self }
    }

    /// The tags that tell the columns of a metric apart.
    fn group(&self, tags: &Tags) -> Tags {
        match &self.grouping {
            Grouping::Metric => Tags::new(),
            Grouping::Series => tags.clone(),
            Grouping::Tags(names) => {
                let tag = |name| Some((name, tags.get(name)?));
                names.iter().filter_map(|name| tag(name.as_str())).collect()
            }
        }
    }

    /// The table of these points, which may come in any order.
    ///
    /// # Errors
    /// [`TableError::TooMuchText`]; [`TableError::Duplicate`] if so wished.
    pub fn points<I>(&self, points: I) -> Result<Table, TableError>
    where
        I: IntoIterator<Item: Borrow<Point>>,
    {
        let mut columns: Vec<Cells> = Vec::new();
        let mut series: FxHashMap<(Arc<str>, Tags), usize> = FxHashMap::default();
        let mut groups: FxHashMap<(Arc<str>, Tags), usize> = FxHashMap::default();
        // Points often come series by series.
        let mut last: Option<(Arc<str>, Tags, usize)> = None;
        for point in points {
            let point = point.borrow();
            let metric = point.metric_arc();
            let cell = (point.millis(), point.value().clone());
            if let Some((of, tags, at)) = &last
                && of == metric
                && tags == point.tags()
            {
                columns[*at].values.push(cell);
                continue;
            }
            let key = (metric.clone(), point.tags().clone());
            let at = *series.entry(key).or_insert_with(|| {
                let group = self.group(point.tags());
                let at = groups.entry((metric.clone(), group.clone()));
                let at = *at.or_insert_with(|| {
                    columns.push(Cells::new(Head {
                        name: titled(metric, &group.to_string()),
                        metric: metric.clone(),
                        tags: point.tags().clone(),
                    }));
                    columns.len() - 1
                });
                let head = &mut columns[at].head;
                head.tags = common(&head.tags, point.tags());
                at
            });
            last = Some((metric.clone(), point.tags().clone(), at));
            columns[at].values.push(cell);
        }
        self.cells(self.wished(columns))
    }

    /// With the columns that are to stand there in front.
    fn wished(&self, mut columns: Vec<Cells>) -> Vec<Cells> {
        let mut wished = Vec::with_capacity(columns.len());
        for metric in &self.metrics {
            let of_metric = |cells: &mut Cells| cells.head.metric == *metric;
            let before = wished.len();
            wished.extend(columns.extract_if(.., of_metric));
            if wished.len() == before && !wished.iter_mut().any(of_metric) {
                wished.push(Cells::new(Head {
                    name: metric.to_string(),
                    metric: metric.clone(),
                    tags: Tags::new(),
                }));
            }
        }
        wished.append(&mut columns);
        wished
    }

    pub(in crate::timeseries) fn cells(
        &self,
        mut columns: Vec<Cells>,
    ) -> Result<Table, TableError> {
        let mut names = Names::default();
        let time = names.unique(&self.time);
        let mut replaced = 0;
        for column in &mut columns {
            column.head.name = names.unique(&column.head.name);
            replaced += column.settle(self.duplicates)?;
        }
        assemble(&time, self.time_type, &columns, None, replaced)
    }
}

/// The tags that two sets have in common.
pub(in crate::timeseries) fn common(left: &Tags, right: &Tags) -> Tags {
    match left == right {
        true => left.clone(),
        false => left
            .iter()
            .filter(|(name, value)| right.get(name) == Some(value))
            .collect(),
    }
}
