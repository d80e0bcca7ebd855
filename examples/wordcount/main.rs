//! The commonest words of a text, every second while it is read, in bounded memory.
//!
//! ```text
//! cargo run --release --example wordcount -- [FILE] [--top K] [--words N] [--every T] [--seconds S]
//! ```
//!
//! Reads FILE, or standard input, and shows the K commonest words (by default 5) whenever a time T has
//! passed, such as 500ms (by default 1s). At most N distinct words are counted (by default 65 536): with
//! more, counts may be too high by the number of words divided by N. At the end all is compared with an
//! exact count.

mod exact;
mod options;
mod pipeline;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::sync::mpsc;
use std::time::Instant;

use exact::Exact;
use headwater::prelude::*;
use options::Options;
use pipeline::Counted;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else {
        println!("wordcount {}", options::USAGE);
        return Ok(());
    };
    let (top, words) = (options.top, options.words);
    let text: Box<dyn BufRead + Send> = match &options.file {
        Some(file) => Box::new(BufReader::new(
            File::open(file).map_err(|e| format!("{file}: {e}"))?,
        )),
        None => Box::new(BufReader::new(io::stdin())),
    };

    let graph = Graph::new();
    let (shown, last) = mpsc::channel();
    let lines = pipeline::build(&graph, top, words, options.every, move |best| {
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
