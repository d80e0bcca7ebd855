//! The graph: from lines to the commonest words so far, time and again.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use headwater::prelude::*;

/// A word, and how often it has come.
pub type Counted = (Arc<str>, u64);

/// Builds the pipeline, which shows the `top` commonest words after each stretch `every` in which some
/// came, and at the end, and returns where lines go in. Up to `max_words` distinct words are counted.
pub fn build(
    graph: &Graph,
    top: usize,
    max_words: usize,
    every: Duration,
    show: impl FnMut(Vec<Counted>) + Send + 'static,
) -> Source<String> {
    let lines = graph.source::<String>().named("lines");
    lines
        .flat_map(|line| words(&line))
        .frequencies()
        .max_keys(max_words)
        // Of each stretch, the last count of each word that came.
        .timed_window_unique(every, |(word, _)| word.clone())
        .keep(Keep::Last)
        .max_len(max_words)
        // Counts only grow: a word that did not come can't rise among the first.
        .accumulate(Vec::new(), move |best, news| ranked(best, news, top))
        .sink(show)
        .named("shown");
    lines
}

/// The words of a line, in lower case.
pub fn words(line: &str) -> Vec<Arc<str>> {
    line.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|word| word.trim_matches('\''))
        .filter(|word| !word.is_empty())
        .map(|word| word.to_lowercase().into())
        .collect()
}

/// The commonest words first, those alike by name; of a word in both, the news.
pub fn ranked(mut best: Vec<Counted>, news: Vec<Counted>, top: usize) -> Vec<Counted> {
    best.extend(news);
    best.sort_unstable_by(|(a, n), (b, m)| (a, Reverse(n)).cmp(&(b, Reverse(m))));
    best.dedup_by(|later, first| later.0 == first.0);
    best.sort_by_key(|(_, count)| Reverse(*count));
    best.truncate(top);
    best
}
