//! Answers as tables.

use std::sync::Arc;

use reqwest::Method;

use super::answer::{IoAnswer, IoSeries};
use super::client::{ProficloudIo, failed};
use super::error::ProficloudError;
use super::query::IoQuery;
use crate::metrics::Tags;
use crate::timeseries::rest::{Reason, Told, asked};
use crate::timeseries::table::{Cells, Head, titled};
use crate::timeseries::{Table, TableBuilder, TableError};

impl ProficloudIo {
    /// Asks for points, as a table: see [`IoAnswer::table`].
    ///
    /// ```
    /// use headwater::timeseries::proficloud::{IoQuery, Millis, ProficloudIo};
    /// # mod stand_in { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/timeseries/proficloud/io/in_memory.rs")); }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let url = stand_in::proficloud_in_memory()?;
    /// # let builder = ProficloudIo::builder().data_url(&url).auth_url(&url);
    /// # let _ = stringify! {
    /// let builder = ProficloudIo::builder();
    /// # };
    /// let client = builder.user("somebody@example.com", "secret").build()?;
    /// let query = IoQuery::new("7d0e")
    ///     .metrics(["temperature", "silent"])
    ///     .between("2023-11-14 22:00:00".parse::<Millis>()?, Millis::now());
    /// let table = client.query_table(&query).await?;
    /// assert!(table.names().eq(["temperature", "silent"]));
    /// assert_eq!(table.value(0, "temperature")?, 21.5.into());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`ProficloudError`]; [`Reason::NoTable`] if a column would hold too much text.
    pub async fn query_table(&self, query: &IoQuery) -> Result<Table, ProficloudError> {
        let answer = self.query(query).await?;
        answer.table(query).map_err(|error| {
            let asked = asked(&Method::GET, self.data());
            failed(Told::new(asked, 1, Reason::NoTable(error)))
        })
    }
}

impl IoAnswer {
    /// As a table, with a column for each metric of the query that it answers. A metric without points has one
    /// without values. Where points have other values than the one that is called `value`, each has a column:
    /// `position{field=lat}`; and so has another endpoint than the one that was asked for.
    ///
    /// # Errors
    /// [`TableError::TooMuchText`].
    pub fn table(&self, query: &IoQuery) -> Result<Table, TableError> {
        self.table_by(&Table::builder(), query)
    }

    /// As a table, made as a builder says: its times, and what holds of several points at one time.
    ///
    /// # Errors
    /// As for [`table`](IoAnswer::table); [`TableError::Duplicate`] if so wished.
    pub fn table_by(&self, builder: &TableBuilder, query: &IoQuery) -> Result<Table, TableError> {
        let mut columns: Vec<Cells> = Vec::new();
        let asked = query.asked_metrics();
        for (at, metric) in asked.iter().enumerate() {
            let mut all = self.series.iter().filter(|series| series.metric == *metric);
            let first = all.next();
            match first {
                _ if asked[..at].contains(metric) => {}
                None => columns.push(column(metric, "", Tags::new())),
                Some(first) => {
                    columns.extend([first].into_iter().chain(all).map(|one| one.column(query)));
                }
            }
        }
        let others = self
            .series
            .iter()
            .filter(|series| !asked.contains(&series.metric));
        columns.extend(others.map(|series| series.column(query)));
        builder.cells(columns)
    }
}

fn column(metric: &str, label: &str, tags: Tags) -> Cells {
    Cells::new(Head {
        name: titled(metric, label),
        metric: Arc::from(metric),
        tags,
    })
}

impl IoSeries {
    fn column(&self, query: &IoQuery) -> Cells {
        let tags = self.tags();
        let told = tags
            .iter()
            .filter(|(name, _)| *name != "uuid" || self.uuid != query.uuid());
        let label = told.collect::<Tags>().to_string();
        Cells {
            values: self.values.clone(),
            ..column(&self.metric, &label, tags)
        }
    }
}
