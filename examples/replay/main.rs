//! Replays a recording of sensors and shows the figures of each ten seconds: the same ones at every
//! speed, which it checks before it ends.
//!
//! ```text
//! cargo run --release --example replay -- [--speed 1|10|max] [--seconds N]
//! ```
//!
//! The recording is 85 seconds long. By default it is replayed ten times as fast; `--seconds` and
//! Ctrl-C end it early.

mod by_hand;
mod pipeline;
mod recording;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater::Speed;
use headwater::prelude::*;
use pipeline::Figure;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let options = Options::parse()?;
    let recording = recording::read()?;
    let expected = by_hand::figures(&recording);

    println!("readings mean     peak      rise of the outlet over the inlet");
    let figures = Arc::new(Mutex::new(Vec::new()));
    let shown = figures.clone();
    let analysis = pipeline::analyse(move |figure| {
        println!("{figure}");
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.push(figure);
    });
    let graph = Graph::new();
    pipeline::replay(&graph, recording, options.speed, analysis.clone());

    let finished = tokio::select! {
        end = graph.spawn() => end.map(|()| true)?,
        () = tokio::time::sleep(options.seconds) => false,
        result = tokio::signal::ctrl_c() => result.map(|()| false)?,
    };
    if finished {
        analysis.close(); // The last ten seconds are shorter.
    }
    let found = figures.lock().unwrap_or_else(PoisonError::into_inner);
    let all = found.len() == expected.len();
    if !by_hand::begins(&expected, &found) || finished && !all {
        return Err("these are not the figures that a plain loop finds".into());
    }
    println!("{} figures, as a plain loop finds them", found.len());
    Ok(())
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Figure::Window(n, mean, peak) => write!(f, "{n:>4} {mean:>8.2} {peak:>8.2}"),
            Figure::Rise(rise) => write!(f, "{:>32}", format!("{rise:+.2}")),
        }
    }
}

const USAGE: &str = "[--speed 1|10|max] [--seconds N]";

struct Options {
    speed: Speed,
    seconds: Duration,
}

impl Options {
    fn parse() -> Result<Options, BoxError> {
        let mut options = Options {
            speed: Speed::Times(10.0),
            seconds: Duration::from_secs(365 * 86_400),
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} takes a value"));
            match arg.as_str() {
                "--speed" => {
                    let speed = value()?.parse();
                    options.speed = speed.map_err(|e| format!("--speed: {e}"))?;
                }
                "--seconds" => {
                    let number = value()?;
                    let seconds = number
                        .parse()
                        .map_err(|e| format!("--seconds {number:?}: {e}"))?;
                    options.seconds = Duration::try_from_secs_f64(seconds)
                        .map_err(|e| format!("--seconds {number:?}: {e}"))?;
                }
                "--help" | "-h" => {
                    println!("replay {USAGE}");
                    std::process::exit(0);
                }
                other => {
                    return Err(format!("unknown option {other:?}; there are {USAGE}").into());
                }
            }
        }
        Ok(options)
    }
}
