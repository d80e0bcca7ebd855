//! The example `wordcount`, in virtual time, compared with an exact count.

// Of the example's code the test needs all but what it prints.
#[allow(dead_code)]
#[path = "../examples/wordcount/exact.rs"]
mod exact;
#[allow(dead_code)]
#[path = "../examples/wordcount/options.rs"]
mod options;
#[path = "../examples/wordcount/pipeline.rs"]
mod pipeline;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use exact::Exact;
use headwater::prelude::*;
use options::Options;
use pipeline::Counted;
use proptest::prelude::*;

const EVERY: Duration = Duration::from_secs(1);

/// All that is shown where one line comes every 400 ms.
fn shown(lines: &[String], top: usize, words: usize) -> (Vec<Vec<Counted>>, Exact) {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let all = Arc::new(Mutex::new(Vec::new()));
    let into = all.clone();
    let source = pipeline::build(&graph, top, words, EVERY, move |best| {
        into.lock().unwrap().push(best);
    });
    let mut exact = Exact::default();
    for line in lines {
        exact.count(line);
        source.emit(line.clone()).unwrap();
        time.advance(Duration::from_millis(400));
    }
    source.close();
    time.settle();
    let all = all.lock().unwrap().clone();
    (all, exact)
}

#[test]
fn each_second_shows_the_commonest_words_so_far() {
    let lines = [
        "to be",
        "or not to be",
        "",
        "that is the question: to",
        "be",
    ];
    let lines = lines.map(str::to_owned);
    let (all, exact) = shown(&lines, 2, 100);
    let words = |best: &[Counted]| -> Vec<(String, u64)> {
        best.iter().map(|(w, n)| (w.to_string(), *n)).collect()
    };
    let expected = [("be".to_owned(), 2), ("to".to_owned(), 2)];
    assert_eq!(words(&all[0]), expected);
    let expected = [("be".to_owned(), 3), ("to".to_owned(), 3)];
    assert_eq!(words(&all[all.len() - 1]), expected);
    assert_eq!(exact.check(&all[all.len() - 1], 2, 100), Ok(()));
}

#[test]
fn a_wrong_count_is_found() {
    let (all, exact) = shown(&["a a b".to_owned()], 2, 100);
    let mut last = all[all.len() - 1].clone();
    assert_eq!(exact.check(&last, 2, 100), Ok(()));
    last[0].1 += 1;
    assert!(exact.check(&last, 2, 100).is_err());
    last.pop();
    assert!(exact.check(&last, 2, 100).is_err());
}

proptest! {
    #[test]
    fn the_last_list_is_right_as_far_as_the_bound_allows(
        lines in prop::collection::vec("[a-e]{1,2}( [a-e]{1,2}){0,12}", 1..20),
        top in 1..5usize,
        words in 5..40usize,
    ) {
        let (all, exact) = shown(&lines, top, words);
        prop_assert_eq!(exact.check(&all[all.len() - 1], top, words), Ok(()));
    }
}

fn options(line: &str) -> Result<Options, String> {
    let args = line.split_whitespace().map(str::to_owned);
    let options = Options::parse(args).map_err(|e| e.to_string())?;
    Ok(options.expect("nobody asked for help"))
}

#[test]
fn times_are_read_as_text_with_their_units() {
    for (text, millis) in [
        ("500ms", 500),
        ("2s", 2_000),
        ("1min", 60_000),
        ("1h30m", 5_400_000),
    ] {
        let read = options(&format!("--every {text}")).unwrap();
        assert_eq!(read.every, Duration::from_millis(millis), "{text}");
    }
    let all = options("novel.txt --top 3 --words 100 --seconds 0.5").unwrap();
    assert_eq!(all.file.as_deref(), Some("novel.txt"));
    assert_eq!((all.top, all.words), (3, 100));
    assert_eq!((all.every, all.seconds), (EVERY, EVERY / 2));
}

#[test]
fn what_makes_no_sense_on_the_command_line_is_said_by_name_and_not_taken_for_something_else() {
    for (line, reason) in [
        (
            "--every 500",
            "--every \"500\": time unit needed, for example 500sec or 500ms",
        ),
        ("--every soon", "--every \"soon\": expected number at 0"),
        ("--every 0s", "--every \"0s\": give a time above 0"),
        ("--every", "--every takes a value"),
        ("--top 0", "--top 0: give a number above 0"),
        (
            "--words 2.5",
            "--words \"2.5\": invalid digit found in string",
        ),
        (
            "--seconds -1",
            "--seconds -1: cannot convert float seconds to Duration: value is negative",
        ),
    ] {
        assert_eq!(options(line).unwrap_err(), reason);
    }
}
