//! The example `wordcount`, in virtual time, compared with an exact count.

// Of the example's code the test needs all but what it prints.
#[allow(dead_code)]
#[path = "../examples/wordcount/exact.rs"]
mod exact;
#[path = "../examples/wordcount/pipeline.rs"]
mod pipeline;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use exact::Exact;
use headwater::prelude::*;
use pipeline::Counted;
use proptest::prelude::*;

/// All that is shown where one line comes every 400 ms.
fn shown(lines: &[String], top: usize, words: usize) -> (Vec<Vec<Counted>>, Exact) {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let all = Arc::new(Mutex::new(Vec::new()));
    let into = all.clone();
    let source = pipeline::build(&graph, top, words, move |best| {
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
