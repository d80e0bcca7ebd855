//! Operators that act on one element at a time: tuples splayed, repeats dropped, pairs, parts picked,
//! counts, and flows split in two; against naive versions on vectors.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use headwater::prelude::*;
use headwater::{Key, Loss, Lost, NotFound, Nth, Pick, zip};
use proptest::prelude::*;

mod ways;
use ways::{Elements, agrees, input};

/// What `unique_by` lets pass, with a list that is searched from end to end.
fn naive_unique(input: &Elements, history: usize, same: impl Fn(i64, i64) -> bool) -> Elements {
    let mut seen = VecDeque::new();
    let mut out = Vec::new();
    for &x in input {
        let known = match seen.iter().position(|known| same(*known, x)) {
            Some(at) => seen.remove(at).unwrap(),
            None => {
                out.push(x);
                seen.truncate(history - 1);
                x
            }
        };
        seen.push_front(known);
    }
    out
}

fn failed<T: std::fmt::Debug>(result: Result<(), EmitError<T>>) -> Failure {
    match result {
        Err(EmitError::Failed(failure)) => failure,
        other => panic!("expected a failure, not {other:?}"),
    }
}

/// Fails on multiples of `n`.
fn refusing(n: i64) -> impl Fn(i64) -> Result<i64, BoxError> + Clone {
    move |x| match x % n {
        0 => Err("refused".into()),
        _ => Ok(x),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn starmap_calls_with_the_items((input, cuts) in input()) {
        let expected: Vec<_> = input.iter().map(|x| x * 3 - 1).collect();
        agrees(&input, &cuts, |s| s.map(|x| (x, 3)).starmap(|a, b| a * b - 1), &expected)?;
        agrees(&input, &cuts, |s| s.map(|x| (x,)).starmap(|a| a * 3 - 1), &expected)?;
        agrees(&input, &cuts, |s| {
            s.map(|x| (x, 1, 1, 1, -1, 0, 0, 0))
                .starmap(|a, b, c, d, e, f, g, h| a * (b + c + d) + e + f + g + h)
        }, &expected)?;
    }

    #[test]
    fn remove_lets_pass_what_filter_does_not((input, cuts) in input(), n in 1..5i64) {
        let expected: Vec<_> = input.iter().copied().filter(|x| x % n != 0).collect();
        agrees(&input, &cuts, |s| s.remove(move |x| x % n == 0), &expected)?;
    }

    #[test]
    fn dedup_compares_with_the_element_before((input, cuts) in input(), n in 1..20i64) {
        let input: Vec<_> = input.iter().map(|x| x / n).collect();
        let mut expected = input.clone();
        expected.dedup();
        agrees(&input, &cuts, |s| s.dedup(), &expected)?;
        let texts: Vec<_> = expected.iter().map(i64::to_string).collect();
        agrees(&input, &cuts, |s| s.map(|x| x.to_string()).dedup(), &texts)?;
        agrees(&input, &cuts, |s| s.unique_by(|a, b| a == b).history(1), &expected)?;
        let mut expected = input.clone();
        expected.dedup_by_key(|x| *x / 2);
        agrees(&input, &cuts, |s| s.dedup_by_key(|x| x / 2), &expected)?;
    }

    #[test]
    fn unique_by_forgets_what_was_not_seen_for_longest(
        (input, cuts) in input(), history in 1..45usize, near in 1..9i64,
    ) {
        let expected = naive_unique(&input, history, |a, b| a == b);
        agrees(&input, &cuts, |s| s.unique().history(history), &expected)?;
        agrees(&input, &cuts, |s| s.unique_by(|a, b| a == b).history(history), &expected)?;
        let same = move |a: i64, b: i64| (a - b).abs() < near;
        let expected = naive_unique(&input, history, same);
        agrees(&input, &cuts, |s| s.unique_by(move |a, b| same(*a, *b)).history(history), &expected)?;
    }

    #[test]
    fn pairwise_is_a_window_of_two((input, cuts) in input()) {
        let expected: Vec<_> = input.windows(2).map(|pair| (pair[0], pair[1])).collect();
        agrees(&input, &cuts, |s| s.pairwise(), &expected)?;
    }

    #[test]
    fn a_state_may_begin_with_the_first_element_and_be_shown((input, cuts) in input()) {
        let mut state = None;
        let expected: Vec<i64> = input.iter().map(|x| {
            let next = state.map_or(*x, |state: i64| state * 3 % 1001 - x);
            *state.insert(next)
        }).collect();
        agrees(&input, &cuts, |s| s.accumulate_from_first(|a, x| a * 3 % 1001 - x), &expected)?;
        let mut sum = 0;
        let expected: Vec<_> = input.iter().map(|x| { sum += x; (sum, sum % 7) }).collect();
        agrees(&input, &cuts, |s| {
            s.map_with_state(0, |sum, x| { *sum += x; *sum % 7 }).with_state()
        }, &expected)?;
    }

    #[test]
    fn try_flat_map_agrees_with_flat_map_where_nothing_fails((input, cuts) in input()) {
        let f = |x: i64| 0..x.rem_euclid(5);
        let expected: Vec<_> = input.iter().copied().flat_map(f).collect();
        agrees(&input, &cuts, |s| s.try_flat_map(move |x| Ok(f(x))), &expected)?;
    }

    #[test]
    fn frequencies_are_exact_up_to_the_number_of_keys((input, cuts) in input()) {
        let mut counts = HashMap::new();
        let expected: Vec<_> = input.iter().map(|x| {
            let count = counts.entry(*x).or_insert(0u64);
            *count += 1;
            (*x, *count)
        }).collect();
        agrees(&input, &cuts, |s| s.frequencies(), &expected)?;
        agrees(&input, &cuts, |s| s.frequencies().max_keys(counts.len().max(1)), &expected)?;
        agrees(&input, &cuts, |s| s.frequencies().max_keys(usize::MAX), &expected)?;
    }

    #[test]
    fn frequencies_of_too_many_keys_keep_their_promise((input, cuts) in input(), keys in 1..45usize) {
        let source = Source::<i64>::new();
        let list = source.frequencies().max_keys(keys).sink_to_list();
        source.emit_all(input.iter().copied()).unwrap();
        let out = list.take();
        // The same whatever the seed of the hash, and however elements come.
        agrees(&input, &cuts, |s| s.frequencies().max_keys(keys), &out)?;
        let (mut exact, mut told) = (HashMap::new(), HashMap::new());
        for (at, (x, count)) in out.into_iter().enumerate() {
            prop_assert_eq!(x, input[at]);
            let exact = exact.entry(x).or_insert(0);
            *exact += 1;
            prop_assert!(count >= *exact, "{} came {} times, not {}", x, exact, count);
            let too_high = count - *exact;
            prop_assert!(too_high <= (at as u64 + 1) / keys as u64, "too high by {}", too_high);
            // What is common enough can't have been forgotten: its count goes on by one.
            if *exact - 1 > at as u64 / keys as u64 {
                prop_assert_eq!(told.get(&x), Some(&(count - 1)));
            }
            told.insert(x, count);
        }
        let expired = source.graph().snapshot().unwrap();
        let expired = expired.named("frequencies").unwrap().counts.expired;
        prop_assert_eq!(expired > 0, told.len() > keys);
    }

    #[test]
    fn split_parts_a_flow_and_keeps_the_order_of_each((input, cuts) in input(), n in 1..5i64) {
        let holds = move |x: &i64| x % n == 0;
        let (those, rest): (Vec<_>, Vec<_>) = input.iter().partition(|x| holds(x));
        agrees(&input, &cuts, |s| s.split(holds).0, &those)?;
        agrees(&input, &cuts, |s| s.split(holds).1, &rest)?;
        // Where they meet again, the order in which elements came shows.
        agrees(&input, &cuts, |s| {
            let (those, rest) = s.split(holds);
            those.union(rest)
        }, &input)?;
        agrees(&input, &cuts, |s| {
            let (those, rest) = s.split(holds);
            those.share().union(&rest.map(|x| x).share())
        }, &input)?;
        let pairs: Vec<_> = those.iter().copied().zip(rest.iter().copied()).collect();
        agrees(&input, &cuts, |s| {
            let (those, rest) = s.split(holds);
            those.zip(rest)
        }, &pairs)?;
    }

    #[test]
    fn a_failure_above_keeps_its_place(count in 1..300i64, n in 2..8i64, cut in 1..50usize) {
        let all: Vec<i64> = (1..=count).collect();
        let fit = move |x: &i64| x % n != 0;
        let run = |flow: &dyn Fn(headwater::BoxFlow<i64>) -> headwater::BoxFlow<i64>| {
            let source = Source::<i64>::new();
            let list = flow(source.try_map(refusing(n)).boxed())
                .catch(|_| Some(-1))
                .sink_to_list();
            for batch in all.chunks(cut) {
                source.emit_all(batch.iter().copied()).unwrap();
            }
            list.take()
        };
        let same: Vec<_> = all.iter().map(|x| if fit(x) { *x } else { -1 }).collect();
        prop_assert_eq!(&run(&|f| f.map(|x| (x, 0)).starmap(|a, b| a + b).boxed()), &same);
        prop_assert_eq!(&run(&|f| f.remove(|_| false).boxed()), &same);
        prop_assert_eq!(&run(&|f| f.dedup().boxed()), &same);
        prop_assert_eq!(&run(&|f| f.dedup_by_key(|x| *x).boxed()), &same);
        prop_assert_eq!(&run(&|f| f.unique_by(|a, b| a == b).boxed()), &same);
        prop_assert_eq!(&run(&|f| f.frequencies().map(|(x, _)| x).boxed()), &same);
        prop_assert_eq!(&run(&|f| f.map(|x| [x]).pluck(0).boxed()), &same);
        prop_assert_eq!(&run(&|f| f.try_flat_map(|x| Ok([x])).boxed()), &same);
        let pairs: Vec<_> = same.iter().skip(1).copied().collect();
        prop_assert_eq!(&run(&|f| f.pairwise().starmap(|_, x| x).boxed()), &pairs);
        prop_assert_eq!(&run(&|f| f.accumulate_from_first(|_, x| x).boxed()), &same);
        prop_assert_eq!(&run(&|f| {
            f.map_with_state((), |(), x| x).with_state().map(|((), x)| x).boxed()
        }), &same);
    }

    #[test]
    fn what_fails_is_the_same_one_by_one_and_in_batches(
        (input, cuts) in input(), n in 2..6i64,
    ) {
        let rows = |x: i64| vec![x; x.rem_euclid(3) as usize];
        let expected: Vec<_> = input.iter().map(|x| rows(*x).get(1).copied().unwrap_or(99)).collect();
        agrees(&input, &cuts, |s| s.map(rows).pluck(1).catch(|_| Some(99)), &expected)?;
        let expected: Vec<_> = input.iter().flat_map(|x| {
            if x % n == 0 { vec![99] } else { rows(*x) }
        }).collect();
        agrees(&input, &cuts, |s| {
            s.try_flat_map(move |x| refusing(n)(x).map(rows)).catch(|_| Some(99))
        }, &expected)?;
    }
}

// ---- picking ----

/// What comes out of `pluck(what)`, and the failures as text.
fn plucked<C, W>(what: W, elements: Vec<C>) -> (Vec<W::Part>, Vec<String>)
where
    C: Clone + Send + 'static,
    W: Pick<C, Part: Send> + Send + 'static,
{
    let source = Source::<C>::new();
    let (parts, failures) = source.pluck(what).split_errors();
    let (parts, failures) = (parts.sink_to_list(), failures.sink_to_list());
    source.emit_all(elements).unwrap();
    let why = |failure: &Failure| {
        assert!(failure.error().is::<NotFound>());
        assert!(
            failure.take_element::<C>().is_some(),
            "the element goes along"
        );
        failure.error().to_string()
    };
    (parts.take(), failures.take().iter().map(why).collect())
}

#[test]
fn parts_are_picked_by_index_from_whatever_has_indices() {
    let none_of = |why: &str| vec![why.to_owned()];
    assert_eq!(
        plucked(1, vec![vec!['a', 'b', 'c'], vec!['d']]),
        (vec!['b'], none_of("no index 1 among 1 elements"))
    );
    assert_eq!(
        plucked(0, vec![VecDeque::from(['a', 'b']), VecDeque::new()]),
        (vec!['a'], none_of("no index 0 among 0 elements"))
    );
    let boxed = |text: &str| text.chars().collect::<Box<[char]>>();
    assert_eq!(
        plucked(2, vec![boxed("abc"), boxed("ab")]),
        (vec!['c'], none_of("no index 2 among 2 elements"))
    );
    assert_eq!(plucked(2, vec![['a', 'b', 'c']]), (vec!['c'], vec![]));
    assert_eq!(
        plucked(3, vec![['a', 'b', 'c']]),
        (vec![], none_of("no index 3 among 3 elements"))
    );
}

#[test]
fn a_part_that_is_picked_alone_needs_no_clone() {
    #[derive(Debug, PartialEq)]
    struct Unique(u8);
    let (source, pipe) = Graph::new().pipe::<Vec<Unique>>();
    let list = pipe.pluck(1).sink_to_list();
    source.emit(vec![Unique(1), Unique(2)]).unwrap();
    let failure = failed(source.emit(vec![Unique(3)]));
    assert_eq!(failure.take_element(), Some(vec![Unique(3)]));
    assert_eq!(list.take(), [Unique(2)]);
}

#[test]
fn parts_are_picked_by_key_from_maps() {
    let element = HashMap::from([("id".to_owned(), 7), ("size".to_owned(), 3)]);
    let other = HashMap::from([("size".to_owned(), 4)]);
    let missing = vec!["no key \"id\" among 1 keys".to_owned()];
    assert_eq!(
        plucked("id", vec![element.clone(), other.clone()]),
        (vec![7], missing.clone())
    );
    assert_eq!(
        plucked(Key("id".to_owned()), vec![element, other]),
        (vec![7], missing)
    );
    let by_str = BTreeMap::from([("id", 7)]);
    assert_eq!(plucked("id", vec![by_str]).0, [7]);
    let by_number = BTreeMap::from([(3u8, 'c'), (4, 'd')]);
    assert_eq!(
        plucked(Key(4u8), vec![by_number.clone(), BTreeMap::new()]),
        (vec!['d'], vec!["no key 4 among 0 keys".to_owned()])
    );
    assert_eq!(plucked(&4u8, vec![by_number]).0, ['d']);
}

#[test]
fn several_parts_come_as_what_asked_for_them() {
    let rows = vec![vec![1, 2, 3], vec![4]];
    let missing = vec!["no index 2 among 1 elements".to_owned()];
    assert_eq!(
        plucked(vec![0, 2, 0], rows.clone()),
        (vec![vec![1, 3, 1]], missing.clone())
    );
    assert_eq!(
        plucked([0, 2], rows.clone()),
        (vec![[1, 3]], missing.clone())
    );
    assert_eq!(plucked((0, 2), rows.clone()), (vec![(1, 3)], missing));
    assert_eq!(
        plucked(Vec::<usize>::new(), rows.clone()),
        (vec![vec![], vec![]], vec![])
    );
    assert_eq!(
        plucked([[0, 1], [1, 0]], vec![vec![1, 2]]).0,
        [[[1, 2], [2, 1]]]
    );
    let element = BTreeMap::from([("a", 1), ("b", 2)]);
    assert_eq!(plucked(["b", "a"], vec![element.clone()]).0, [[2, 1]]);
    assert_eq!(
        plucked(vec!["b", "x", "y"], vec![element]).1,
        ["no key \"x\" among 2 keys"],
        "the first that is missing is told"
    );
}

#[test]
fn items_of_tuples_are_picked_by_a_place_in_the_type() {
    let row = (1u8, "two", 3.0, '4', (), 6i64, 7u16, "eight".to_owned());
    assert_eq!(plucked(Nth::<7>, vec![row.clone()]).0, ["eight"]);
    assert_eq!(
        plucked((Nth::<0>, Nth::<3>, Nth::<0>), vec![row]).0,
        [(1, '4', 1)]
    );
    assert_eq!(plucked([Nth::<1>], vec![("a", "b")]).0, [["b"]]);
}

#[test]
fn a_pick_that_finds_nothing_names_the_operator_and_leaves_a_hole() {
    let source = Source::<Vec<i64>>::new();
    let rows = zip((
        source.pluck(1).named("second").catch(|_| None),
        source.map(|row| row.len()),
    ))
    .sink_to_list();
    let _ = source.pluck(1).named("second").sink(drop);
    source.emit(vec![1, 2]).unwrap();
    let failure = failed(source.emit(vec![3]));
    assert_eq!((failure.node(), failure.kind()), ("second", "pluck"));
    source.emit(vec![4, 5, 6]).unwrap();
    assert_eq!(rows.take(), [(2, 2), (5, 3)]);
}

#[cfg(feature = "json")]
#[test]
fn parts_of_json_are_picked_by_name_and_index() {
    use serde_json::json;
    let elements = vec![
        json!({"name": "a", "at": [1, 2]}),
        json!([7, 8]),
        json!(null),
        json!({}),
    ];
    let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        plucked("name", elements.clone()),
        (
            vec![json!("a")],
            texts(&[
                "no \"name\" in an array",
                "no \"name\" in null",
                "no key \"name\" among 0 keys"
            ])
        )
    );
    assert_eq!(
        plucked("at".to_owned(), elements.clone()).0,
        [json!([1, 2])]
    );
    assert_eq!(
        plucked(1, elements.clone()),
        (
            vec![json!(8)],
            texts(&["no 1 in an object", "no 1 in null", "no 1 in an object"])
        )
    );
    assert_eq!(
        plucked(2, vec![json!([7, 8])]).1,
        ["no index 2 among 2 elements"]
    );
    assert_eq!(
        plucked(("name", "at"), elements.clone()).0,
        [(json!("a"), json!([1, 2]))]
    );
    assert_eq!(plucked(vec![1, 0], elements).0, [[json!(8), json!(7)]]);
    // What is there and null is there.
    assert_eq!(plucked("x", vec![json!({"x": null})]).0, [json!(null)]);
}

// ---- splitting ----

#[test]
fn a_failure_above_a_split_is_reported_there_and_its_place_stays_empty_in_both() {
    let graph = Graph::new();
    let source = graph.source::<i64>();
    let (even, odd) = source.try_map(refusing(5)).split(|x| x % 2 == 0);
    let even = zip((even, source.filter(|x| x % 2 == 0 || x % 5 == 0))).sink_to_list();
    let odd = zip((odd, source.filter(|x| x % 2 != 0 || x % 5 == 0))).sink_to_list();
    let failure = failed(source.emit(5));
    assert_eq!(failure.kind(), "try_map");
    let error = source.emit_all(1..=10).unwrap_err();
    assert_eq!(error.others, 1, "once each, and not once a flow");
    assert_eq!(even.take(), [(2, 2), (4, 4), (6, 6), (8, 8)]);
    assert_eq!(odd.take(), [(1, 1), (3, 3), (7, 7), (9, 9)]);
}

#[test]
fn a_half_that_nobody_listens_to_is_counted_and_lost() {
    let source = Source::<i64>::new();
    let (even, odd) = source.split(|x| x % 2 == 0);
    let even = even.sink_to_list();
    assert_eq!(source.emit_tracked(2).unwrap().outcome(), Some(Ok(())));
    assert_eq!(
        source.emit_tracked(1).unwrap().outcome(),
        Some(Err(Lost::Discarded))
    );
    source.emit_all([3, 4, 5]).unwrap();
    let lost = |name: &str| {
        let snapshot = source.graph().snapshot().unwrap();
        snapshot.named(name).unwrap().counts.lost(Loss::Unheard)
    };
    assert_eq!((lost("split"), lost("rest")), (0, 3));
    // It may be connected later.
    let odd = odd.sink_to_list();
    source.emit_all([6, 7]).unwrap();
    assert_eq!((even.take(), odd.take()), (vec![2, 4, 6], vec![7]));
}

#[test]
fn both_halves_close_and_one_can_be_taken_off() {
    let source = Source::<i64>::new();
    let (even, odd) = source.split(|x| x % 2 == 0);
    let (even, odd) = (
        even.partition(3).sink_to_list(),
        odd.partition(3).sink_to_list(),
    );
    source.emit_all(0..6).unwrap();
    source.emit_all([1, 2]).unwrap();
    odd.branch().clone().disconnect();
    assert_eq!(odd.take(), [vec![1, 3, 5], vec![1]]);
    source.emit_all([3, 4]).unwrap();
    source.close();
    assert_eq!(even.take(), [vec![0, 2, 4], vec![2, 4]]);
    assert!(odd.is_empty());
}

#[test]
fn a_full_half_makes_the_origin_wait_and_batches_are_cut_to_its_room() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<i64>();
    let (even, odd) = source.split(|x| x % 2 == 0);
    let (even, odd) = (even.buffer(3).sink_to_list(), odd.sink_to_list());
    let error = source.emit_all(0..100).unwrap_err();
    assert!(matches!(error.cause, EmitError::Full(_)), "{error}");
    let held = graph
        .snapshot()
        .unwrap()
        .named("buffer")
        .unwrap()
        .counts
        .held;
    assert_eq!(held, 3);
    let mut rest = (error.accepted as i64..100).peekable();
    while rest.peek().is_some() {
        time.settle();
        if let Err(error) = source.emit_all(rest.by_ref())
            && let EmitError::Full(x) = error.cause
        {
            time.settle();
            source.emit(x).unwrap();
        }
    }
    time.settle();
    assert_eq!(even.take(), (0..100).step_by(2).collect::<Vec<_>>());
    assert_eq!(odd.take(), (1..100).step_by(2).collect::<Vec<_>>());
}

#[test]
fn an_element_emitted_from_within_a_half_runs_after_the_one_under_way() {
    let source = Source::<i64>::new();
    let log = Arc::new(Mutex::new(Vec::new()));
    let (even, odd) = source.split(|x| x % 2 == 0);
    let (weak, note) = (source.downgrade(), log.clone());
    let _ = even.sink(move |x| {
        note.lock().unwrap().push(x);
        if x > 0 {
            weak.emit(x / 2).unwrap();
        }
        note.lock().unwrap().push(-x);
    });
    let note = log.clone();
    let _ = odd.sink(move |x| note.lock().unwrap().push(x * 100));
    source.emit(4).unwrap();
    assert_eq!(*log.lock().unwrap(), [4, -4, 2, -2, 100]);
}

#[test]
fn halves_run_behind_each_other_in_a_picture() {
    let source = Source::<i64>::new();
    let (even, _odd) = source.split(|x| x % 2 == 0);
    let _ = even.sink(drop);
    let picture = source.graph().topology().to_string();
    assert_eq!(picture, "split -> rest\nsource -> split\nsplit -> sink\n");
}

// ---- lineage ----

#[test]
fn repeats_and_what_is_removed_are_done() {
    let source = Source::<i64>::new();
    let graph = source.graph();
    let time = graph.drive_manually();
    let deduped = source.dedup().buffer(9).sink_to_list();
    let receipts: Vec<_> = [1, 1, 2].map(|x| source.emit_tracked(x).unwrap()).into();
    let open = |receipts: &[headwater::Receipt]| -> Vec<bool> {
        receipts.iter().map(|r| r.outcome().is_none()).collect()
    };
    assert_eq!(open(&receipts), [true, false, true]);
    time.settle();
    assert_eq!(open(&receipts), [false; 3]);
    assert_eq!(deduped.take(), [1, 2]);
    let _ = source
        .remove(|x| *x == 7)
        .dedup_by_key(|x| x / 2)
        .unique_by(|a, b| a == b);
    assert_eq!(source.emit_tracked(2).unwrap().outcome(), Some(Ok(())));
}

#[test]
fn an_element_is_done_when_both_its_pairs_are() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<i64>();
    let list = source.pairwise().buffer(9).sink_to_list();
    let first = source.emit_tracked(1).unwrap();
    source.emit(2).unwrap();
    let third = source.emit_tracked(3).unwrap();
    time.settle();
    assert_eq!(first.outcome(), Some(Ok(())));
    assert_eq!(third.outcome(), None, "it will be in one more pair");
    assert_eq!(graph.snapshot().unwrap().held(), 1);
    source.emit_all([4, 5]).unwrap();
    assert_eq!(third.outcome(), None, "its pair is in the buffer");
    let last = source.emit_tracked(6).unwrap();
    time.settle();
    assert_eq!((third.outcome(), last.outcome()), (Some(Ok(())), None));
    source.close();
    time.settle();
    assert_eq!(last.outcome(), Some(Ok(())));
    assert_eq!(list.take(), [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6)]);
}

#[test]
fn a_pair_that_fails_loses_both_and_teardown_the_one_that_is_held() {
    let graph = Graph::new();
    let source = graph.source::<i64>();
    let list = source
        .pairwise()
        .try_map(|(a, b)| {
            if a + b == 5 {
                Err("five".into())
            } else {
                Ok(b)
            }
        })
        .sink_to_list();
    let receipts: Vec<_> = (1..=2).map(|x| source.emit_tracked(x).unwrap()).collect();
    assert!(matches!(source.emit_tracked(3), Err(EmitError::Failed(_))));
    let last = source.emit_tracked(4).unwrap();
    assert_eq!(receipts[0].outcome(), Some(Ok(())));
    assert_eq!(receipts[1].outcome(), Some(Err(Lost::Failed)));
    assert_eq!(list.take(), [2, 4]);
    drop((source, list, graph));
    assert!(last.outcome().is_some());
}

#[test]
fn a_tracked_batch_is_done_with_its_last_pair() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<i64>();
    let list = source.pairwise().share();
    let list = list.buffer(20).sink_to_list();
    source.emit_all(0..5).unwrap();
    let receipt = source.emit_tracked(5).unwrap();
    source.emit_all(6..9).unwrap();
    assert_eq!(receipt.outcome(), None);
    time.settle();
    assert_eq!(receipt.outcome(), Some(Ok(())));
    assert_eq!(list.take(), (0..8).map(|x| (x, x + 1)).collect::<Vec<_>>());
}

#[test]
fn what_is_expanded_waits_for_room_element_by_element() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<i64>();
    let list = source.try_flat_map(|x| Ok([x; 3])).buffer(4).sink_to_list();
    let error = source.emit_all(0..10).unwrap_err();
    assert!(matches!(error.cause, EmitError::Full(_)), "{error}");
    assert_eq!(error.accepted, 2);
    time.settle();
    assert_eq!(list.take(), [0, 0, 0, 1, 1, 1]);
}

// ---- options ----

#[test]
fn histories_and_counts_are_bounded_by_default() {
    let source = Source::<u32>::new();
    let seen = source.unique_by(|a, b| a == b).sink_to_list();
    source.emit_all((0..1001).chain([0, 1000, 0])).unwrap();
    assert_eq!(seen.len(), 1002);
    let source = Source::<u32>::new();
    let counts = source.frequencies().sink_to_list();
    source.emit_all((0..65_537).chain([0, 65_536])).unwrap();
    // The last key took the place, and the count, of the first.
    assert_eq!(
        counts.take()[65_535..],
        [(65_535, 1), (65_536, 2), (0, 2), (65_536, 3)]
    );
}

#[test]
#[should_panic = "`history(0)` would remember nothing: let `unique_by` remember at least 1 element"]
fn unique_by_without_history_is_refused() {
    let source = Source::<f64>::new();
    let _ = source.unique_by(|a, b| a == b).history(0);
}

#[test]
#[should_panic = "`max_keys(0)` would count nothing: let `frequencies` count at least 1 key"]
fn frequencies_without_keys_are_refused() {
    let source = Source::<u8>::new();
    let _ = source.frequencies().max_keys(0);
}
