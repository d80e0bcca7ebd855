//! The commonest words of a text, every second while it is read, in bounded memory.
//!
//! ```text
//! cargo run --release --example wordcount -- [FILE] [--top K] [--words N] [--seconds S]
//! ```
//!
//! Reads FILE, or standard input. At most N distinct words are counted (by default 65 536): with more,
//! counts may be too high by the number of words divided by N. At the end all is compared with an
//! exact count.

mod exact;
mod pipeline;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use exact::Exact;
use headwater::prelude::*;
use pipeline::Counted;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let options = Options::parse()?;
    let (top, words) = (options.top, options.words);
    let text: Box<dyn BufRead + Send> = match &options.file {
        Some(file) => Box::new(BufReader::new(
            File::open(file).map_err(|e| format!("{file}: {e}"))?,
        )),
        None => Box::new(BufReader::new(io::stdin())),
    };

    let graph = Graph::new();
    let (shown, last) = mpsc::channel();
    let lines = pipeline::build(&graph, top, words, move |best| {
        println!("{}", line_of(&best));
        let _ = shown.send(best);
    });
    graph.spawn();

    // Reading blocks, so it has a thread of its own; what it read is counted there once more.
    let until = Instant::now() + options.seconds;
    let reading = tokio::task::spawn_blocking(move || -> Result<Exact, BoxError> {
        let mut exact = Exact::default();
        for line in text.lines().take_while(|_| Instant::now() < until) {
            let line = line?;
            exact.count(&line);
            lines.blocking_send(line)?;
        }
        Ok(exact)
    });
    let begun = Instant::now();
    let exact = reading.await??;
    let took = begun.elapsed();
    graph.shutdown().await?;

    let best = last.try_iter().last().unwrap_or_default();
    exact.check(&best, top, words)?;
    let (count, distinct) = exact.sizes();
    println!(
        "{count} words, {distinct} distinct, in {took:.2?}; the counts are {}",
        match exact.bound(words) {
            0 => "exact".to_owned(),
            bound => format!("at most {bound} too high"),
        }
    );
    Ok(())
}

fn line_of(best: &[Counted]) -> String {
    let words: Vec<String> = best.iter().map(|(w, n)| format!("{w} {n}")).collect();
    words.join(", ")
}

struct Options {
    file: Option<String>,
    top: usize,
    words: usize,
    seconds: Duration,
}

const USAGE: &str = "[FILE] [--top K] [--words N] [--seconds S]";

impl Options {
    fn parse() -> Result<Options, BoxError> {
        let mut options = Options {
            file: None,
            top: 5,
            words: 65_536,
            seconds: Duration::from_secs(365 * 86_400),
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut number = || -> Result<f64, BoxError> {
                let text = args.next().ok_or(format!("{arg} takes a number"))?;
                Ok(text.parse().map_err(|e| format!("{arg} {text:?}: {e}"))?)
            };
            match arg.as_str() {
                "--top" => options.top = number()?.max(1.0) as usize,
                "--words" => options.words = number()?.max(1.0) as usize,
                "--seconds" => {
                    options.seconds = Duration::try_from_secs_f64(number()?)
                        .map_err(|e| format!("--seconds: {e}"))?;
                }
                "--help" | "-h" => {
                    println!("wordcount {USAGE}");
                    std::process::exit(0);
                }
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option:?}; there are {USAGE}").into());
                }
                file => options.file = Some(file.to_owned()),
            }
        }
        Ok(options)
    }
}
