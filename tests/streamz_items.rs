//! What streamz' operators that act on one element do, case by case; where the original is at fault,
//! what the rules ask for instead.

use std::collections::{BTreeMap, HashMap};

use headwater::NotFound;
use headwater::prelude::*;

#[test]
fn starmap_splays_tuples() {
    // case: core/test_starmap, doc/starmap
    let source = Source::<(i64, i64)>::new();
    let sums = source.starmap(|x, y| x + y).sink_to_list();
    source.emit((1, 10)).unwrap();
    assert_eq!(sums.take(), [11]);
    source.emit_all((0..5).map(|x| (x, x))).unwrap();
    assert_eq!(sums.take(), [0, 2, 4, 6, 8]);
}

#[test]
fn bound_arguments_stand_where_the_closure_puts_them() {
    // case: probe/starmap_bound_args_after
    let source = Source::<(i64, i64)>::new();
    let bound = 9;
    let rows = source.starmap(move |a, b| (a, b, bound)).sink_to_list();
    source.emit((1, 2)).unwrap();
    assert_eq!(rows.take(), [(1, 2, 9)]);
}

#[test]
fn remove_is_the_complement_of_filter() {
    // case: core/test_remove
    let source = Source::<i64>::new();
    let odd = source.remove(|x| x % 2 == 0).sink_to_list();
    source.emit_all(0..10).unwrap();
    assert_eq!(odd.take(), [1, 3, 5, 7, 9]);
}

#[test]
fn accumulate_without_a_start_begins_with_the_first_element() {
    // case: core/test_basic/Lc, core/test_kwargs, probe/accumulate_first_bypasses_func
    let source = Source::<i64>::new();
    let sums = source
        .map(|x| x + 1)
        .accumulate_from_first(|sum, x| sum + x)
        .sink_to_list();
    let y = 10;
    let more = source
        .accumulate_from_first(move |sum, x| sum + x + y)
        .sink_to_list();
    (0..4).for_each(|x| source.emit(x).unwrap());
    assert_eq!(sums.take(), [1, 3, 6, 10]);
    assert_eq!(more.take(), [0, 11, 23, 36]);

    let texts = Source::<&str>::new();
    let list = texts.accumulate_from_first(|_, _| "F").sink_to_list();
    texts.emit_all(["1", "2"]).unwrap();
    assert_eq!(list.take(), ["1", "F"]);
}

#[test]
fn the_state_is_emitted_beside_the_result() {
    // case: probe/accumulate_with_state
    let source = Source::<i64>::new();
    let sums = source
        .map_with_state(0, |sum, x| {
            *sum += x;
            *sum
        })
        .with_state()
        .sink_to_list();
    source.emit_all([1, 2, 3]).unwrap();
    assert_eq!(sums.take(), [(1, 1), (3, 3), (6, 6)]);
}

#[test]
fn frequencies_tell_the_count_that_changed() {
    // case: core/test_frequencies (there the whole map is copied for each element; whoever wants the
    // map makes it of what is told)
    let source = Source::<&str>::new();
    let told = source.frequencies().sink_to_list();
    let maps = source
        .frequencies()
        .accumulate(BTreeMap::new(), |mut counts, (word, count)| {
            counts.insert(word, count);
            counts
        })
        .sink_to_list();
    source.emit_all(["a", "b", "a"]).unwrap();
    assert_eq!(told.take(), [("a", 1), ("b", 1), ("a", 2)]);
    assert_eq!(
        maps.take(),
        [
            BTreeMap::from([("a", 1)]),
            BTreeMap::from([("a", 1), ("b", 1)]),
            BTreeMap::from([("a", 2), ("b", 1)]),
        ]
    );
}

#[test]
fn what_can_not_be_hashed_is_compared() {
    // case: core/test_unique_history/unhashable, core/test_unique_history_dict
    let source = Source::<f64>::new();
    let list = source.unique_by(|a, b| a == b).history(2).sink_to_list();
    source.emit_all([1.0, 2.0, 1.0, 2.0, 1.0, 2.0]).unwrap();
    assert_eq!(list.get(), [1.0, 2.0]);
    source.emit_all([3.0, 2.0]).unwrap();
    assert_eq!(list.get(), [1.0, 2.0, 3.0]);
    source.emit(1.0).unwrap();
    assert_eq!(list.get(), [1.0, 2.0, 3.0, 1.0]);
    source.emit_all([2.0, 3.0, 2.0]).unwrap();
    assert_eq!(list.take(), [1.0, 2.0, 3.0, 1.0, 3.0]);

    let map = |key: &'static str, value: &'static str| HashMap::from([(key, value)]);
    let (world, bar, foo) = (map("hi", "world"), map("hi", "bar"), map("foo", "bar"));
    let source = Source::new();
    let list = source.unique_by(|a, b| a == b).history(2).sink_to_list();
    for x in [&world, &bar, &world, &bar, &world, &bar] {
        source.emit(x.clone()).unwrap();
    }
    assert_eq!(list.get(), [world.clone(), bar.clone()]);
    source.emit_all([foo.clone(), bar.clone()]).unwrap();
    assert_eq!(list.get(), [world.clone(), bar.clone(), foo.clone()]);
    source.emit(world.clone()).unwrap();
    assert_eq!(list.take(), [world.clone(), bar, foo, world]);
}

#[test]
fn dedup_is_unique_with_a_history_of_one() {
    // case: doc/unique, core/test_unique_key
    let source = Source::<i64>::new();
    let changes = source.dedup().sink_to_list();
    source.emit_all([1, 1, 2, 2, 2, 1, 3]).unwrap();
    assert_eq!(changes.take(), [1, 2, 1, 3]);
    let keyed = source.dedup_by_key(|x| x % 2).sink_to_list();
    source.emit_all([1, 2, 4, 6, 3]).unwrap();
    assert_eq!(keyed.take(), [1, 2, 3]);
}

#[test]
fn a_list_of_picks_gives_a_list() {
    // case: core/test_pluck_list, doc/pluck_list
    let source = Source::<Vec<i64>>::new();
    let parts = source.pluck(vec![0, 2]).sink_to_list();
    source.emit(vec![1, 2, 3]).unwrap();
    source.emit(vec![4, 5, 6, 7, 8, 9]).unwrap();
    match source.emit(vec![1]) {
        Err(EmitError::Failed(failure)) => {
            let error = failure.error().downcast_ref();
            assert_eq!(error, Some(&NotFound::Index { index: 2, len: 1 }));
        }
        other => panic!("expected a failure, not {other:?}"),
    }
    assert_eq!(parts.take(), [vec![1, 3], vec![4, 6]]);

    let rows = Source::<[i64; 4]>::new();
    let parts = rows.pluck([0, 3]).sink_to_list();
    rows.emit_all([[1, 2, 3, 4], [4, 5, 6, 7], [8, 9, 10, 11]])
        .unwrap();
    assert_eq!(parts.take(), [[1, 4], [4, 7], [8, 11]]);
}
