//! Polls a time-series store with a live picture, and checks in the end that every point came exactly once.
//!
//! ```text
//! cargo run --release --example poll_store --features kairosdb -- [--seconds N] [--cursor FILE]
//!     [--url URL [--metric NAME]... [--feed]]
//! ```
//!
//! Without `--url` it polls a store in this process, to which simulated devices write: some of their points
//! come late, some twice, some are corrected, and for a while the store is out of order. With it, it polls a
//! real KairosDB. The exit code is 1 if a point was lost or came twice.

mod devices;
mod ledger;
mod options;
mod picture;
mod pipeline;
mod run;
mod screen;
mod store;
mod verdict;

use std::process::ExitCode;

use headwater::BoxError;
use headwater::timeseries::kairosdb::KairosDb;

use options::{Options, Pace};
use run::Run;

#[tokio::main]
async fn main() -> ExitCode {
    match polled().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every point came exactly once.
async fn polled() -> Result<bool, BoxError> {
    let options = Options::parse()?;
    let pace = match options.url {
        Some(_) => Pace::remote(),
        None => Pace::simulated(options.seconds),
    };
    let url = match &options.url {
        Some(url) => url.clone(),
        None => store::start(&pace).await?,
    };
    // One attempt: those who ask repeat what fails, and show it.
    let client = KairosDb::builder(url).attempts(1).build()?;
    let fed = options.url.is_none() || options.feed;
    let metrics = match options.metrics.is_empty() {
        false => options.metrics.clone(),
        true if fed => devices::METRICS.map(str::to_owned).into(),
        true => return Err(which_metric(&client).await),
    };
    let run = Run::start(&options, pace, &client, metrics)?;
    let devices = fed.then(|| tokio::spawn(devices::run(client, pace, options.seconds)));
    let verdict = run.until_the_end(devices).await?;
    println!("\n{verdict}");
    Ok(verdict.is_fine())
}

/// What can be polled, for somebody who did not say what.
async fn which_metric(client: &KairosDb) -> BoxError {
    match client.metric_names().await {
        Err(error) => error.into(),
        Ok(names) => {
            let names: Vec<&str> = names.iter().map(|name| &**name).take(20).collect();
            let there = match names.is_empty() {
                true => "there are none yet".to_owned(),
                false => format!("there are {}", names.join(", ")),
            };
            format!(
                "say by --metric what to poll ({there}), or by --feed that devices are to write"
            )
            .into()
        }
    }
}
