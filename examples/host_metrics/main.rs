//! Samples this machine ten times a second and shows a live table.
//!
//! ```text
//! cargo run --release --example host_metrics -- [--seconds N] [--json] [--svg FILE] [--dot FILE]
//! ```
//!
//! Ends by a graceful shutdown, after `N` seconds or at Ctrl-C, and prints the shutdown report.
//! `--svg` and `--dot` write a picture of the graph with the rates of this run on it.

mod pipeline;
mod sample;
mod screen;

use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater::prelude::*;
use sample::{PERIOD, Sampler};
use screen::Screen;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let options = Options::parse()?;
    let graph = Graph::new();
    let mut screen = Screen::new(options.json);
    let samples = pipeline::build(&graph, move |news| screen.show(news));
    let before = graph.snapshot()?;
    graph.spawn();

    // Reading the machine takes milliseconds, so it has a thread of its own, where waiting is fine.
    std::thread::spawn(move || {
        let mut sampler = Sampler::new();
        loop {
            std::thread::sleep(PERIOD);
            if samples.emit_all(sampler.read()).is_err() {
                return; // The graph was shut down.
            }
        }
    });

    tokio::select! {
        () = tokio::time::sleep(options.seconds) => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    let picture = graph.topology().with_rates(&before, &graph.snapshot()?);
    if let Some(file) = options.svg {
        write(&file, &picture.to_svg())?;
    }
    if let Some(file) = options.dot {
        write(&file, &picture.to_dot())?;
    }
    let report = graph.shutdown().await?;
    eprintln!("\n{report}");
    Ok(())
}

fn write(file: &Path, picture: &str) -> Result<(), String> {
    std::fs::write(file, picture).map_err(|e| format!("{}: {e}", file.display()))
}

const USAGE: &str = "[--seconds N] [--json] [--svg FILE] [--dot FILE]";

struct Options {
    seconds: Duration,
    json: bool,
    svg: Option<PathBuf>,
    dot: Option<PathBuf>,
}

impl Options {
    fn parse() -> Result<Options, BoxError> {
        let mut options = Options {
            seconds: Duration::from_secs(365 * 86_400),
            json: false,
            svg: None,
            dot: None,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--json" => options.json = true,
                "--svg" => options.svg = Some(args.next().ok_or("--svg takes a file")?.into()),
                "--dot" => options.dot = Some(args.next().ok_or("--dot takes a file")?.into()),
                "--help" | "-h" => {
                    println!("host_metrics {USAGE}");
                    std::process::exit(0);
                }
                "--seconds" => {
                    let number = args.next().ok_or("--seconds takes a number")?;
                    let seconds: f64 = number
                        .parse()
                        .map_err(|e| format!("--seconds {number:?}: {e}"))?;
                    options.seconds = Duration::try_from_secs_f64(seconds)
                        .map_err(|e| format!("--seconds {number:?}: {e}"))?;
                }
                other => {
                    return Err(format!("unknown option {other:?}; there are {USAGE}").into());
                }
            }
        }
        Ok(options)
    }
}
