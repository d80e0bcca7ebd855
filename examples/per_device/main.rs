//! Finds the anomalies of ten thousand simulated devices, each judged by its own history.
//!
//! ```text
//! cargo run --release --example per_device -- [--seconds N] [--readings N]
//! ```
//!
//! Ends after `N` seconds (5 by default) or `N` readings, prints what was found and how fast, and
//! compares it with a plain computation over the same readings.

mod naive;
mod pipeline;
mod simulate;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use headwater::prelude::*;
use simulate::{DEVICES, Readings};

/// Readings between two looks at the clock.
const STRIDE: u64 = 4_096;
/// Anomalies that are printed.
const SHOWN: usize = 10;

fn main() -> Result<(), BoxError> {
    let options = Options::parse()?;
    let graph = Graph::new();
    let (found, anomalies) = mpsc::channel();
    let readings = pipeline::build(&graph, found);

    let start = Instant::now();
    let mut emitted = 0;
    let mut simulated = Readings::new();
    while emitted < options.readings && start.elapsed() < options.seconds {
        let stride = STRIDE.min(options.readings - emitted);
        readings.emit_all(simulated.by_ref().take(stride as usize))?;
        emitted += stride;
    }
    let took = start.elapsed();
    drop(readings);
    println!("{}", graph.close()?);

    let anomalies: Vec<_> = anomalies.try_iter().collect();
    for anomaly in anomalies.iter().take(SHOWN) {
        println!("{anomaly}");
    }
    let millions = emitted as f64 / 1e6;
    println!(
        "{} anomalies in {millions:.1} million readings of {DEVICES} devices, {:.1} million a second",
        anomalies.len(),
        millions / took.as_secs_f64(),
    );
    naive::compare(emitted, &anomalies)?;
    println!("the same as by the plain computation");
    Ok(())
}

struct Options {
    seconds: Duration,
    readings: u64,
}

impl Options {
    fn parse() -> Result<Options, BoxError> {
        let mut options = Options {
            seconds: Duration::from_secs(5),
            readings: u64::MAX,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let number = args.next().ok_or(format!("{arg} takes a number"));
            let wrong = |error: &dyn std::fmt::Display| format!("{arg}: {error}");
            match arg.as_str() {
                "--seconds" => {
                    let seconds: f64 = number?.parse().map_err(|e| wrong(&e))?;
                    options.seconds =
                        Duration::try_from_secs_f64(seconds).map_err(|e| wrong(&e))?;
                }
                "--readings" => {
                    options.readings = number?.parse().map_err(|e| wrong(&e))?;
                    options.seconds = Duration::MAX;
                }
                other => {
                    let known = "there are --seconds N and --readings N";
                    return Err(format!("unknown option {other:?}; {known}").into());
                }
            }
        }
        Ok(options)
    }
}
