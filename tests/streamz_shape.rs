//! What streamz' operators that act at once do, case by case; where the original is at fault, what
//! the rules ask for instead.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{Loss, Lost};

fn divide(a: i64, b: i64) -> Result<i64, BoxError> {
    a.checked_div(b).ok_or_else(|| "division by zero".into())
}

#[test]
fn two_branches_of_a_source_each_see_every_element() {
    // case: core/test_basic/Lc
    let source = Source::<i64>::new();
    let sums = source
        .map(|x| x + 1)
        .accumulate(0, |sum, x| sum + x)
        .sink_to_list();
    let doubles = source.map(|x| 2 * x).sink_to_list();
    (0..4).for_each(|x| source.emit(x).unwrap());
    assert_eq!(sums.take(), [1, 3, 6, 10]);
    assert_eq!(doubles.take(), [0, 2, 4, 6]);
}

#[test]
fn a_source_nobody_listens_to_takes_elements_and_counts_them() {
    // case: core/test_no_output, probe/ref_no_downstream_never_done
    let source = Source::<i64>::new();
    source.emit(1).unwrap();
    let receipt = source.emit_tracked(2).unwrap();
    assert!(
        receipt.outcome().is_some(),
        "nobody is left who could finish it later"
    );
    let snapshot = source.graph().snapshot().unwrap();
    assert_eq!(
        snapshot.named("source").unwrap().counts.lost(Loss::Unheard),
        2
    );
}

#[test]
fn arguments_are_bound_by_closures() {
    // case: core/test_kwargs, core/test_filter_args
    let source = Source::<i64>::new();
    let (y, n) = (10, 2);
    let sums = source
        .accumulate_from_first(move |sum, x| sum + x + y)
        .sink_to_list();
    let multiples = source.filter(move |x| x % n == 0).sink_to_list();
    source.emit_all(0..3).unwrap();
    assert_eq!(sums.take(), [0, 11, 23]);
    source.emit_all(3..10).unwrap();
    assert_eq!(multiples.take(), [0, 2, 4, 6, 8]);
}

#[test]
fn filter_keeps_even_numbers() {
    // case: core/test_filter
    let source = Source::<i64>::new();
    let even = source.filter(|x| x % 2 == 0).sink_to_list();
    (0..10).for_each(|x| source.emit(x).unwrap());
    assert_eq!(even.take(), [0, 2, 4, 6, 8]);
}

#[test]
fn what_counts_as_nothing_is_said_by_the_predicate() {
    // case: core/test_filter_none
    let source = Source::<i64>::new();
    let list = source.filter(|x| *x != 0).sink_to_list();
    (0..10).for_each(|x| source.emit(x % 3).unwrap());
    assert_eq!(list.take(), [1, 2, 1, 2, 1, 2]);
}

#[test]
fn flatten_takes_lists_and_one_shot_iterators_apart() {
    // case: core/test_flatten/lists, core/test_flatten/iterators, doc/flatten
    let lists = Source::<Vec<i64>>::new();
    let flat = lists.flatten().sink_to_list();
    lists
        .emit_all([vec![1, 2, 3], vec![4, 5], vec![6, 7, 8]])
        .unwrap();
    assert_eq!(flat.take(), [1, 2, 3, 4, 5, 6, 7, 8]);
    lists
        .emit_all([vec![1, 2, 3], vec![4, 5], vec![6, 7, 7]])
        .unwrap();
    assert_eq!(flat.take(), [1, 2, 3, 4, 5, 6, 7, 7]);

    // Iterators need not be `Clone` where nothing forks.
    let graph = Graph::new();
    let (iterators, pipe) = graph.pipe::<Box<dyn Iterator<Item = i64> + Send>>();
    let flat = pipe.flatten().sink_to_list();
    iterators.emit(Box::new(1..=6)).unwrap();
    iterators.emit(Box::new([7, 8].into_iter())).unwrap();
    assert_eq!(flat.take(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn flatten_goes_one_level_down() {
    // case: probe/flatten_one_level (probe/flatten_scalar: compile_fail/flatten_of_no_items.rs)
    let source = Source::<Vec<Vec<i64>>>::new();
    let flat = source.flatten().sink_to_list();
    source.emit(vec![vec![1], vec![2]]).unwrap();
    assert_eq!(flat.take(), [vec![1], vec![2]]);
}

#[test]
fn a_flattened_element_is_done_with_its_last_item_and_an_empty_one_at_once() {
    // case: probe/flatten_metadata_last
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<Vec<i64>>();
    let _ = source.flatten().buffer(10).sink(drop);
    let full = source.emit_tracked(vec![1, 2, 3]).unwrap();
    let empty = source.emit_tracked(vec![]).unwrap();
    assert_eq!((full.outcome(), empty.outcome()), (None, Some(Ok(()))));
    time.settle();
    assert_eq!(full.outcome(), Some(Ok(())));
}

#[test]
fn unique_lets_each_element_pass_once() {
    // case: core/test_unique
    let source = Source::<i64>::new();
    let list = source.unique().sink_to_list();
    source.emit_all([1, 2, 1]).unwrap();
    assert_eq!(list.take(), [1, 2]);
}

#[test]
fn unique_with_a_history_of_one_drops_repeats_in_a_row() {
    // case: core/test_unique_key, doc/unique
    let source = Source::<i64>::new();
    let keyed = source.unique_by_key(|x| x % 2).history(1).sink_to_list();
    source.emit_all([1, 2, 4, 6, 3]).unwrap();
    assert_eq!(keyed.take(), [1, 2, 3]);
    let plain = source.unique().history(1).sink_to_list();
    source.emit_all([1, 1, 2, 2, 2, 1, 3]).unwrap();
    assert_eq!(plain.take(), [1, 2, 1, 3]);
}

#[test]
fn a_repeat_refreshes_the_history_of_unique() {
    // case: core/test_unique_history/unhashable
    let source = Source::<i64>::new();
    let list = source.unique().history(2).sink_to_list();
    source.emit_all([1, 2, 1, 2, 1, 2]).unwrap();
    assert_eq!(list.get(), [1, 2]);
    source.emit_all([3, 2]).unwrap();
    assert_eq!(list.get(), [1, 2, 3]);
    source.emit(1).unwrap();
    assert_eq!(list.get(), [1, 2, 3, 1]);
    source.emit_all([2, 3, 2]).unwrap();
    assert_eq!(list.take(), [1, 2, 3, 1, 3]);
}

#[test]
fn unique_goes_by_equality_of_whole_maps() {
    // case: core/test_unique_history_dict, probe/unique_unhashable_default
    let map = |key: &'static str, value: &'static str| BTreeMap::from([(key, value)]);
    let (world, bar, foo) = (map("hi", "world"), map("hi", "bar"), map("foo", "bar"));
    let source = Source::new();
    let list = source.unique().history(2).sink_to_list();
    for x in [&world, &bar, &world, &bar, &world, &bar] {
        source.emit(x.clone()).unwrap();
    }
    assert_eq!(list.get(), [world.clone(), bar.clone()]);
    source.emit(foo.clone()).unwrap();
    source.emit(bar.clone()).unwrap();
    assert_eq!(list.get(), [world.clone(), bar.clone(), foo.clone()]);
    source.emit(world.clone()).unwrap();
    assert_eq!(list.take(), [world.clone(), bar, foo, world]);
}

#[test]
fn an_unlimited_history_is_asked_for_by_its_size() {
    // case: probe/unique_maxsize_zero (zero is refused here: see tests/shape.rs)
    let source = Source::<i64>::new();
    let list = source.unique().history(usize::MAX).sink_to_list();
    source.emit_all([1, 2, 1, 3, 1]).unwrap();
    assert_eq!(list.take(), [1, 2, 3]);
}

#[test]
fn numbers_of_several_types_are_made_alike_by_the_key() {
    // case: probe/unique_numeric_equality
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Number {
        Int(i64),
        Float(f64),
        Bool(bool),
    }
    let source = Source::new();
    let list = source
        .unique_by_key(|x| match *x {
            Number::Int(x) => (x as f64).to_bits(),
            Number::Float(x) => x.to_bits(),
            Number::Bool(x) => f64::from(u8::from(x)).to_bits(),
        })
        .sink_to_list();
    let input = [
        Number::Int(1),
        Number::Float(1.0),
        Number::Bool(true),
        Number::Int(2),
    ];
    source.emit_all(input).unwrap();
    assert_eq!(list.take(), [Number::Int(1), Number::Int(2)]);
}

#[test]
fn unique_passes_on_what_rides_beside_elements() {
    // case: core/test_unique_metadata
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<i64>();
    let list = source.unique().buffer(10).sink_to_list();
    let receipts: Vec<_> = (0..5).map(|x| source.emit_tracked(x).unwrap()).collect();
    let repeat = source.emit_tracked(0).unwrap();
    assert_eq!(repeat.outcome(), Some(Ok(())));
    assert!(receipts.iter().all(|receipt| receipt.outcome().is_none()));
    time.settle();
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.outcome() == Some(Ok(())))
    );
    assert_eq!(list.take(), [0, 1, 2, 3, 4]);
}

#[test]
fn accumulate_may_begin_with_the_first_element() {
    // case: probe/accumulate_first_bypasses_func
    let source = Source::<&str>::new();
    let list = source.accumulate_from_first(|_, _| "F").sink_to_list();
    source.emit_all(["1", "2"]).unwrap();
    assert_eq!(list.take(), ["1", "F"]);
}

#[test]
fn the_state_can_be_emitted_beside_a_result() {
    // case: doc/accumulate_enumerate, doc/accumulate_num_distinct, probe/accumulate_with_state
    let zeros = Source::<i64>::new();
    let numbered = zeros
        .map_with_state(0, |next, x| {
            *next += 1;
            (*next - 1, x)
        })
        .sink_to_list();
    zeros.emit_all([0, 0, 0]).unwrap();
    assert_eq!(numbered.take(), [(0, 0), (1, 0), (2, 0)]);

    let words = Source::<&str>::new();
    let distinct = words
        .map_with_state(HashSet::new(), |seen, word| {
            seen.insert(word);
            seen.len()
        })
        .sink_to_list();
    words.emit_all(["cat", "dog", "cat", "mouse"]).unwrap();
    assert_eq!(distinct.take(), [1, 2, 2, 3]);

    let numbers = Source::<i64>::new();
    let sums = numbers
        .map_with_state(0, |sum, x| {
            *sum += x;
            *sum
        })
        .with_state()
        .sink_to_list();
    numbers.emit_all([1, 2, 3]).unwrap();
    assert_eq!(sums.take(), [(1, 1), (3, 3), (6, 6)]);
}

#[test]
fn a_state_survives_an_element_that_fails() {
    // case: probe/accumulate_state_survives_error, core/test_accumulate_errors_raises
    let source = Source::<i64>::new();
    let list = source
        .map_with_state(0, |sum: &mut i64, x| {
            if x == 0 {
                divide(*sum, x)?;
            }
            *sum += x;
            Ok(*sum)
        })
        .try_map(|sum| sum)
        .sink_to_list();
    source.emit(1).unwrap();
    let error = source.emit(0).unwrap_err();
    assert!(
        error.to_string().ends_with("failed: division by zero"),
        "{error}"
    );
    source.emit(2).unwrap();
    assert_eq!(list.take(), [1, 3]);
}

#[test]
fn an_error_behind_a_holder_goes_to_the_graphs_handler_and_the_rest_goes_on() {
    // case: core/test_map_errors_log, core/test_accumulate_errors_log
    let graph = Graph::new();
    let time = graph.drive_manually();
    let errors = Arc::new(Mutex::new(Vec::new()));
    let note = errors.clone();
    graph.on_error(OnError::call(move |failure| {
        note.lock().unwrap().push(failure.error().to_string());
    }));
    let source = graph.source::<i64>();
    let list = source.buffer(8).try_map(|x| divide(1, x)).sink_to_list();
    source.emit(0).unwrap();
    source.emit(1).unwrap();
    time.settle();
    assert_eq!(list.take(), [1]);
    assert_eq!(*errors.lock().unwrap(), ["division by zero"]);

    let states = graph.source::<i64>();
    let list = states
        .delay(Duration::from_millis(1))
        .map_with_state(None, |state: &mut Option<i64>, x| {
            let next = state.map_or(Ok(x), |state| divide(state, x));
            *state = next.as_ref().ok().copied().or(*state);
            next
        })
        .with_state()
        .try_map(|(state, result)| Ok((state, result?)))
        .sink_to_list();
    states.emit(1).unwrap();
    states.emit(0).unwrap();
    time.advance(Duration::from_millis(1));
    assert_eq!(list.take(), [(Some(1), 1)]);
    assert_eq!(errors.lock().unwrap().len(), 2);
}

#[test]
fn an_error_reaches_the_emitter() {
    // case: probe/ref_error_never_done
    let source = Source::<i64>::new();
    let list = source.try_map(|x| divide(1, x)).sink_to_list();
    source.emit(1).unwrap();
    assert!(matches!(source.emit(0), Err(EmitError::Failed(_))));
    assert!(matches!(source.emit_tracked(0), Err(EmitError::Failed(_))));
    assert_eq!(list.take(), [1]);
    // Where nobody waits for the element, its receipt tells.
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<i64>();
    let _ = source.buffer(1).try_map(|x| divide(1, x)).sink(drop);
    let receipt = source.emit_tracked(0).unwrap();
    time.settle();
    assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
}

#[test]
fn operators_are_shown_by_kind_and_name() {
    // case: core/test_map_str, core/test_filter_str
    let source = Source::<i64>::new();
    let _ = source
        .map(|x| x + 10)
        .named("add")
        .filter(|x| x % 2 == 0)
        .sink(drop);
    let topology = source.graph().topology();
    let labels: Vec<_> = topology
        .nodes()
        .iter()
        .map(|n| (n.label().kind(), n.label().title()))
        .collect();
    assert!(labels.contains(&("map", "add")));
    assert!(labels.contains(&("filter", "filter")));
}

#[test]
fn sink_to_list_keeps_everything() {
    // case: doc/sink_to_list
    let source = Source::<i64>::new();
    let list = source.map(|x| 10 * x).sink_to_list();
    (0..5).for_each(|x| source.emit(x).unwrap());
    assert_eq!(list.take(), [0, 10, 20, 30, 40]);
}

#[test]
fn an_element_that_is_none_is_an_element() {
    // case: probe/map_none_result_is_emitted
    let source = Source::<i64>::new();
    let list = source.map(|_| None::<i64>).sink_to_list();
    source.emit_all([1, 2]).unwrap();
    assert_eq!(list.take(), [None, None]);
}

#[test]
fn branches_run_depth_first_in_the_order_in_which_they_were_connected() {
    // case: probe/depth_first_order
    let source = Source::<i64>::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let seen = seen.clone();
        move |_: i64| seen.lock().unwrap().push(name)
    };
    let a = source.map(|x| x).share();
    let _ = a.sink(note("a1"));
    let _ = a.sink(note("a2"));
    let _ = source.map(|x| x).sink(note("b1"));
    source.emit(0).unwrap();
    assert_eq!(*seen.lock().unwrap(), ["a1", "a2", "b1"]);
}

#[test]
fn an_error_in_one_branch_keeps_the_element_from_no_other() {
    // case: probe/error_skips_later_branches, probe/error_after_earlier_branch
    let source = Source::<i64>::new();
    let earlier = source.sink_to_list();
    let _ = source.try_sink(|x| {
        if x == 1 {
            Err("invalid argument".into())
        } else {
            Ok(())
        }
    });
    let later = source.sink_to_list();
    source.emit(0).unwrap();
    assert!(matches!(source.emit(1), Err(EmitError::Failed(_))));
    source.emit(2).unwrap();
    assert_eq!(earlier.take(), [0, 1, 2]);
    assert_eq!(later.take(), [0, 1, 2]);
}

#[test]
fn an_element_is_done_once_when_all_branches_are() {
    // case: probe/ref_three_branches_done_once, probe/ref_shared_by_two_elements
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<i64>();
    let _ = source.sink(drop);
    let _ = source.buffer(2).sink(drop);
    let _ = source.sink(drop);
    let first = source.emit_tracked(0).unwrap();
    let second = source.emit_tracked(1).unwrap();
    assert_eq!((first.outcome(), second.outcome()), (None, None));
    time.settle();
    assert_eq!(
        (first.outcome(), second.outcome()),
        (Some(Ok(())), Some(Ok(())))
    );
}

#[test]
fn a_branch_that_is_disconnected_sees_nothing_more() {
    // case: core/test_destroy, probe/destroyed_node_still_feeds_downstream
    let source = Source::<i64>::new();
    let list = source.map(|x| x + 1).sink_to_list();
    source.emit(1).unwrap();
    list.branch().clone().disconnect();
    source.emit(2).unwrap();
    assert_eq!(list.take(), [2]);
}
