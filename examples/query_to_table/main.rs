//! Asks a store of time series for a day, prints it as a table, and draws it.
//!
//! ```text
//! cargo run --release --features kairosdb,tables --example query_to_table -- [--svg FILE] [--fill]
//!     [--seconds N] [--url URL --metric NAME … [--by TAG] [--since TIME]]
//! ```
//!
//! Without `--url` it asks a store of its own, in memory, in which it writes a day of a house before. Of a real
//! KairosDB it asks for the metrics that are named, since a time such as `2024-03-01 12:00` (a day ago by default).
//! It waits for an answer for `N` seconds, 60 by default.

mod house;
#[path = "../../src/timeseries/kairosdb/in_memory.rs"]
mod in_memory;
mod options;
mod plot;

use std::process::ExitCode;

use headwater::BoxError;
use headwater::timeseries::Table;
use headwater::timeseries::kairosdb::{GroupBy, KairosDb, Query, QueryMetric, Relative, When};
use options::Options;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match table().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn table() -> Result<(), BoxError> {
    let options = Options::parse()?;
    let asked = async {
        match &options.url {
            Some(url) => remote(url, &options).await,
            None => at_home().await,
        }
    };
    let patience = options.patience;
    let table = tokio::time::timeout(patience, asked)
        .await
        .map_err(|_| format!("no answer within {patience:?}: give it longer by --seconds"))??;
    println!("{table:120.12}");

    let tidy = table.drop_trailing_gaps();
    let tidy = match options.fill {
        true => tidy.fill_forward()?,
        false => tidy,
    };
    let dropped = table.len() - tidy.len();
    if dropped > 0 {
        println!("{dropped} rows at the end are left out: not every metric has come that far");
    }
    plot::draw(&tidy, &options.svg)?;
    println!("drawn: {}", options.svg.display());
    Ok(())
}

/// A day of a house, which is written as one table, and asked for by room.
async fn at_home() -> Result<Table, BoxError> {
    let client = KairosDb::builder(in_memory::kairosdb_in_memory()?)
        .tag("house", "no 7")
        .build()?;
    let queued = client.write_table(&house::day()?).await?;
    println!("{} points are written", queued.points);

    let temperature = QueryMetric::new("temperature").group_by(GroupBy::tags(["room"]));
    let query = Query::since(When::at(house::MORNING)?)
        .metric(temperature)
        .metric("heating")
        .metric("rain");
    Ok(client.query_table(&query).await?)
}

async fn remote(url: &str, options: &Options) -> Result<Table, BoxError> {
    let client = KairosDb::new(url)?;
    if options.metrics.is_empty() {
        let names = client.metric_names().await?;
        return Err(format!("name a metric by --metric; this store has {names:?}").into());
    }
    let since = match &options.since {
        Some(text) => When::at(text)?,
        None => Relative::days(1).into(),
    };
    let mut query = Query::since(since);
    for name in &options.metrics {
        let metric = QueryMetric::new(name);
        query = query.metric(match &options.by {
            Some(tag) => metric.group_by(GroupBy::tags([tag])),
            None => metric,
        });
    }
    Ok(client.query_table(&query).await?)
}
