//! Operators that act at once, against naive versions on vectors.

use std::collections::VecDeque;

use headwater::prelude::*;
use headwater::{Branch, Outlet, Push, Stage};
use proptest::prelude::*;

mod ways;
use ways::{Elements, agrees, input};

/// What `unique` lets pass, with a list that is searched from end to end.
fn naive_unique<K: PartialEq>(
    input: &Elements,
    history: usize,
    key: impl Fn(i64) -> K,
) -> Elements {
    let mut seen = VecDeque::new();
    let mut out = Vec::new();
    for &x in input {
        let key = key(x);
        match seen.iter().position(|other| *other == key) {
            Some(at) => {
                let _ = seen.remove(at);
            }
            None => {
                out.push(x);
                seen.truncate(history - 1);
            }
        }
        seen.push_front(key);
    }
    out
}

/// Emits each element doubled, and their sum at the end.
struct Doubled(i64);

impl Stage<i64, i64> for Doubled {
    fn on_item(&mut self, item: i64, out: &mut Outlet<'_, impl Push<i64>>) {
        self.0 += item;
        if item % 3 != 0 {
            out.emit(item);
            out.emit(item);
        }
    }

    fn on_close(&mut self, out: &mut Outlet<'_, impl Push<i64>>) {
        out.emit(self.0);
    }
}

/// Leaves out every third number; of batches in place.
struct Sifted;

impl Stage<i64, i64> for Sifted {
    fn on_item(&mut self, item: i64, out: &mut Outlet<'_, impl Push<i64>>) {
        if item % 3 != 0 {
            out.emit(item);
        }
    }

    fn at_most(&self) -> Option<usize> {
        Some(1)
    }

    fn on_batch(&mut self, items: &mut Vec<i64>, out: &mut Outlet<'_, impl Push<i64>>) {
        items.retain(|item| item % 3 != 0);
        // In two parts, the first one by one, and with one left over that is dropped.
        for item in items.drain(..items.len() / 2) {
            out.emit(item);
        }
        out.emit_all(items);
        items.push(3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn filter_keeps_what_the_predicate_holds_for((input, cuts) in input(), n in 1..5i64) {
        let expected: Vec<_> = input.iter().copied().filter(|x| x % n == 0).collect();
        agrees(&input, &cuts, |s| s.filter(move |x| x % n == 0), &expected)?;
        // Too large to be swapped.
        let expected: Vec<_> = expected.iter().map(|x| [*x; 4]).collect();
        agrees(&input, &cuts, |s| s.map(|x| [x; 4]).filter(move |x| x[0] % n == 0), &expected)?;
        // Something to drop.
        let expected: Vec<_> = expected.iter().map(|x| x[0].to_string().into_boxed_str()).collect();
        let text = |x: i64| x.to_string().into_boxed_str();
        agrees(&input, &cuts, |s| {
            s.map(text).filter(move |x| x.parse::<i64>().is_ok_and(|x| x % n == 0))
        }, &expected)?;
    }

    #[test]
    fn filter_map_and_inspect_agree_with_iterators((input, cuts) in input(), n in 1..5i64) {
        let f = move |x: i64| (x % n == 0).then(|| x.to_string());
        let expected: Vec<_> = input.iter().copied().filter_map(f).collect();
        agrees(&input, &cuts, |s| s.inspect(|_| {}).filter_map(f), &expected)?;
    }

    #[test]
    fn flatten_and_flat_map_agree_with_iterators((input, cuts) in input()) {
        let f = |x: i64| 0..x.rem_euclid(5);
        let expected: Vec<_> = input.iter().copied().flat_map(f).collect();
        agrees(&input, &cuts, |s| s.flat_map(f), &expected)?;
        agrees(&input, &cuts, |s| s.map(f).flatten(), &expected)?;
        agrees(&input, &cuts, |s| s.map(move |x| f(x).collect::<Vec<_>>()).flatten(), &expected)?;
    }

    #[test]
    fn accumulate_and_map_with_state_show_the_state_after_each((input, cuts) in input()) {
        let mut sum = 0;
        let expected: Vec<_> = input.iter().map(|x| { sum += x; sum }).collect();
        agrees(&input, &cuts, |s| s.accumulate(0, |sum, x| sum + x), &expected)?;
        // A state that must be dropped is taken out and put back.
        let texts: Vec<_> = expected.iter().map(i64::to_string).collect();
        agrees(&input, &cuts, |s| {
            s.accumulate("0".to_owned(), |sum, x| {
                (sum.parse::<i64>().unwrap_or_default() + x).to_string()
            })
        }, &texts)?;
        agrees(&input, &cuts, |s| s.map_with_state(0, |sum, x| { *sum += x; *sum }), &expected)?;
    }

    #[test]
    fn unique_forgets_what_was_not_seen_for_longest((input, cuts) in input(), history in 1..45usize) {
        let expected = naive_unique(&input, history, |x| x);
        agrees(&input, &cuts, |s| s.unique().history(history), &expected)?;
        let expected = naive_unique(&input, history, |x| x / 2);
        agrees(&input, &cuts, |s| s.unique_by_key(|x| x / 2).history(history), &expected)?;
    }

    #[test]
    fn a_stage_emits_at_elements_and_at_the_close((input, cuts) in input()) {
        let mut expected: Vec<_> =
            input.iter().filter(|x| *x % 3 != 0).flat_map(|x| [*x, *x]).collect();
        expected.push(input.iter().sum());
        agrees(&input, &cuts, |s| s.stage(Doubled(0)), &expected)?;
    }

    #[test]
    fn a_stage_that_takes_batches_comes_to_the_same((input, cuts) in input()) {
        let expected: Vec<_> = input.iter().copied().filter(|x| x % 3 != 0).collect();
        agrees(&input, &cuts, |s| s.stage(Sifted), &expected)?;
        // Into a run that goes on with batches too.
        let doubled: Vec<_> = expected.iter().map(|x| 2 * x).collect();
        agrees(&input, &cuts, |s| s.stage(Sifted).boxed().map(|x| 2 * x), &doubled)?;
    }
}

#[test]
fn unique_remembers_a_thousand_elements_unless_told_otherwise() {
    let source = Source::<u32>::new();
    let bounded = source.unique().sink_to_list();
    let unbounded = source.unique().history(usize::MAX).sink_to_list();
    source.emit_all((0..1001).chain([0, 1000, 0])).unwrap();
    assert_eq!(bounded.len(), 1002);
    assert_eq!(unbounded.len(), 1001);
}

#[test]
#[should_panic = "`history(0)` would remember nothing: let `unique` remember at least 1 key"]
fn unique_without_history_is_refused() {
    let source = Source::<u32>::new();
    let _ = source.unique().history(0);
}

#[test]
fn a_stage_closes_once_even_if_its_branch_is_disconnected_later() {
    let source = Source::<i64>::new();
    let list = source.stage(Doubled(0)).sink_to_list();
    source.emit(1).unwrap();
    source.close();
    list.branch().clone().disconnect();
    assert_eq!(list.take(), [1, 1, 1]);
}

#[test]
fn a_disconnected_stage_emits_what_it_kept() {
    let source = Source::<i64>::new();
    let list = source.stage(Doubled(0)).sink_to_list();
    source.emit(1).unwrap();
    list.branch().clone().disconnect();
    source.emit(2).unwrap();
    assert_eq!(list.take(), [1, 1, 1]);
}

/// Emits the time of each element; fails on negative ones.
struct Stamped;

impl Stage<i64, u128> for Stamped {
    fn on_item(&mut self, item: i64, out: &mut Outlet<'_, impl Push<u128>>) {
        if item < 0 {
            out.fail_with("negative", item);
        } else {
            let now = out.now();
            out.emit(now.elapsed().as_millis());
        }
    }
}

#[test]
fn a_stage_reads_the_graphs_clock_and_fails_by_its_own_name() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<i64>();
    let stamps = source.stage(Stamped).named("stamps").sink_to_list();
    time.advance(std::time::Duration::from_millis(1500));
    source.emit(1).unwrap();
    assert_eq!(stamps.take(), [1500]);
    let Err(EmitError::Failed(failure)) = source.emit(-1) else {
        panic!("it should fail");
    };
    assert_eq!((failure.node(), failure.kind()), ("stamps", "stage"));
    assert_eq!(failure.take_element(), Some(-1i64));
}

#[test]
fn a_composition_is_a_function_from_flow_to_flow_or_to_an_end() {
    fn evens(flow: impl Flow<Item = i64>) -> impl Flow<Item = String> {
        flow.filter(|x| x % 2 == 0).map(|x| x.to_string())
    }
    fn discard(flow: impl Flow<Item = String>) -> Branch {
        flow.sink(drop)
    }
    let source = Source::<i64>::new();
    let list = source.through(evens).sink_to_list();
    let _ = source.through(evens).through(discard);
    source.emit_all([1, 2, 3, 4]).unwrap();
    assert_eq!(list.take(), ["2", "4"]);
}

#[test]
fn elements_that_are_dropped_or_flattened_away_are_done() {
    let source = Source::<Vec<u8>>::new();
    let list = source
        .filter(|x| x.len() != 1)
        .flatten()
        .unique()
        .sink_to_list();
    for (element, expected) in [
        (vec![], vec![]),
        (vec![1], vec![]),
        (vec![1, 2], vec![1, 2]),
        (vec![2, 1, 2], vec![]),
    ] {
        let receipt = source.emit_tracked(element).unwrap();
        assert_eq!(receipt.outcome(), Some(Ok(())));
        assert_eq!(list.take(), expected);
    }
}

#[test]
fn a_flattened_element_is_done_when_its_last_item_is() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<Vec<u8>>();
    let list = source.flatten().buffer(4).sink_to_list();
    let receipt = source.emit_tracked(vec![1, 2, 3]).unwrap();
    assert_eq!(receipt.outcome(), None);
    time.settle();
    assert_eq!(receipt.outcome(), Some(Ok(())));
    assert_eq!(list.take(), [1, 2, 3]);
}
