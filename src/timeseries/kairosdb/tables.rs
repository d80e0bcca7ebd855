//! Answers as tables, and tables to be written.

use std::sync::Arc;

use reqwest::Method;
use rustc_hash::FxHashMap;

use super::answer::{Answer, Answered};
use super::client::KairosDb;
use super::encode::check;
use super::error::KairosError;
use super::group::Group;
use super::query::Query;
use super::queued::{Queued, WriteError};
use crate::metrics::Tags;
use crate::timeseries::rest::{Reason, asked};
use crate::timeseries::table::{Cells, Head, common, titled};
use crate::timeseries::{Table, TableBuilder, TableError};

impl KairosDb {
    /// Asks for points, as a table: see [`Answer::table`].
    ///
    /// ```
    /// use headwater::timeseries::Point;
    /// use headwater::timeseries::kairosdb::{KairosDb, Query};
    /// # mod stand_in { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/timeseries/kairosdb/in_memory.rs")); }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let url = stand_in::kairosdb_in_memory()?;
    /// let client = KairosDb::builder(url).tag("plant", "north").build()?;
    /// client.write(&[Point::new("a", 1_000, 7.5), Point::new("a", 2_000, 8.0)]).await?;
    /// let table = client.query_table(&Query::since(0).metric("a").metric("silent")).await?;
    /// assert!(table.names().eq(["a", "silent"]));
    /// assert_eq!(table.times(), [1_000, 2_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`KairosError`]; [`Reason::NoTable`] if the answer has not an entry for each metric.
    #[doc(alias = "createDf")]
    pub async fn query_table(&self, query: &Query) -> Result<Table, KairosError> {
        let answer = self.query(query).await?;
        answer.table(query).map_err(|error| {
            let path = self.path(&self.0.settings.query_path);
            KairosError::new(asked(&Method::POST, &path), 1, Reason::NoTable(error))
        })
    }

    /// Writes a whole table: each value is a point of its column's metric and tags, as [`Table::points`] says,
    /// and of the [client's tags](super::KairosDbBuilder::tag). Gaps are left out. All values are looked
    /// at first: if one can't be stored (a NaN, an empty text), nothing is sent, and the error tells its place
    /// among the table's points.
    ///
    /// ```
    /// use headwater::timeseries::{Point, Table};
    /// use headwater::timeseries::kairosdb::{KairosDb, Query};
    /// # mod stand_in { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/timeseries/kairosdb/in_memory.rs")); }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let url = stand_in::kairosdb_in_memory()?;
    /// let client = KairosDb::new(url)?;
    /// let table = Table::of([Point::new("a", 1, 0.5), Point::new("b", 2, 7)])?;
    /// let queued = client.write_table(&table.tagged([("host", "x")])).await?;
    /// assert_eq!(queued.points, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`WriteError`].
    #[doc(alias = "addMetricsBatch")]
    pub async fn write_table(&self, table: &Table) -> Result<Queued, WriteError> {
        for (place, point) in table.points().enumerate() {
            if let Err(why) = check(&point, &self.format().tags) {
                return Err(self.unfit(Queued::default(), place, &point, why));
            }
        }
        self.write_iter(table.points()).await
    }
}

impl Answer {
    /// As a table, with a column for each metric of the query that it answers, and for each of its
    /// [groups](super::GroupBy): `temperature{room=hall}`. A metric without points has a column without
    /// values, in whichever form the store says so. A metric that was asked for twice has two columns, `m`
    /// and `m (2)`.
    ///
    /// Numbers and text of one metric and group are in one column. Tags that all points of a column have are
    /// kept, for who [writes](KairosDb::write_table) the table.
    ///
    /// ```
    /// use headwater::timeseries::kairosdb::{Answer, Query};
    ///
    /// let json = r#"{"queries": [
    ///     {"sample_size": 2, "results": [{
    ///         "name": "m", "group_by": [{"name": "type", "type": "number"}],
    ///         "tags": {"host": ["a"]}, "values": [[1, 60.2], [2, 3]]
    ///     }]},
    ///     {"sample_size": 0, "results": []}
    /// ]}"#;
    /// let query = Query::since(0).metric("m").metric("silent");
    /// let table = json.parse::<Answer>()?.table(&query)?;
    /// assert!(table.names().eq(["m", "silent"]));
    /// assert_eq!(table.value(1, "m")?, 3.0.into());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`TableError::Mismatch`] if the answer has not an entry for each metric; [`TableError::TooMuchText`].
    #[doc(alias = "pandasDfFromQueryResponse")]
    pub fn table(&self, query: &Query) -> Result<Table, TableError> {
        self.table_by(&Table::builder(), query)
    }

    /// As a table, made as a builder says: its times, and what holds of several points at one time.
    ///
    /// # Errors
    /// As for [`table`](Answer::table); [`TableError::Duplicate`] if so wished.
    pub fn table_by(&self, builder: &TableBuilder, query: &Query) -> Result<Table, TableError> {
        let (asked, answered) = (query.asked_metrics(), &self.queries);
        if asked.len() != answered.len() {
            let (asked, answered) = (asked.len(), answered.len());
            return Err(TableError::Mismatch { asked, answered });
        }
        let mut columns = Vec::new();
        for (metric, answered) in asked.iter().zip(answered) {
            columns.append(&mut answered.columns(metric.name()));
        }
        builder.cells(columns)
    }
}

impl Answered {
    fn columns(&self, metric: &str) -> Vec<Cells> {
        let metric: Arc<str> = metric.into();
        let column = |label: &str, tags: Tags| {
            Cells::new(Head {
                name: titled(&metric, label),
                metric: metric.clone(),
                tags,
            })
        };
        let mut columns: Vec<Cells> = Vec::new();
        let mut places: FxHashMap<String, usize> = FxHashMap::default();
        for series in &self.results {
            let groups = series.group_by.iter();
            let groups = groups.filter(|group| !matches!(group, Group::Type(_)));
            let groups: Vec<&Group> = groups.collect();
            let place = places.entry(format!("{groups:?}")).or_insert_with(|| {
                let labels: Vec<String> = groups.iter().map(|group| group.label()).collect();
                let label = labels.join(" ");
                columns.push(column(label.trim(), series.common_tags()));
                columns.len() - 1
            });
            let cells = &mut columns[*place];
            // A result without values says nothing of tags.
            cells.head.tags = match (cells.values.is_empty(), series.values.is_empty()) {
                (true, _) => series.common_tags(),
                (false, true) => cells.head.tags.clone(),
                (false, false) => common(&cells.head.tags, &series.common_tags()),
            };
            cells.values.extend(series.values.iter().cloned());
        }
        if columns.is_empty() {
            columns.push(column("", Tags::new()));
        }
        columns
    }
}

impl Group {
    /// What it is called in the name of a column: `host=a`, `time=3`.
    fn label(&self) -> String {
        match self {
            Group::Type(kind) => kind.clone(),
            Group::Tags(tags) => {
                let tags = tags.iter().filter(|(_, value)| !value.is_empty());
                let tags = tags.map(|(name, value)| format!("{name}={value}"));
                tags.collect::<Vec<_>>().join(" ")
            }
            Group::Time { number, .. } => format!("time={number}"),
            Group::Value { number, .. } => format!("value={number}"),
            Group::Bin { number, .. } => format!("bin={number}"),
            Group::Other(json) => json.to_string(),
        }
    }
}
