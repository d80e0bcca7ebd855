//! Aggregates, in folds and in windows that slide, against naive oracles.

use std::collections::HashMap;
use std::fmt::Debug;
use std::time::Duration;

use headwater::aggregate::{
    Aggregate, ApproxQuantile, Count, Frequencies, Max, Mean, Median, Min, Quantile, Slide, StdDev,
    Sum, TopK, Variance,
};
use headwater::prelude::{Flow, Of, Source};
use proptest::prelude::*;

/// What `rolling(n)` emits, for elements one by one and in batches.
fn rolled<T, A>(aggregate: A, n: usize, items: &[T]) -> Vec<A::Output>
where
    T: Clone + Debug + Send + 'static,
    A: Aggregate<T> + Clone,
    A::Output: Clone + Debug,
{
    let source = Source::<T>::new();
    let list = source.rolling(n, aggregate.clone()).sink_to_list();
    items.iter().for_each(|x| source.emit(x.clone()).unwrap());
    let one_by_one = list.take();

    let source = Source::<T>::new();
    let list = source.rolling(n, aggregate).sink_to_list();
    let (left, right) = items.split_at(items.len() / 3);
    source.emit_all(left.iter().cloned()).unwrap();
    source.emit_all(right.iter().cloned()).unwrap();
    // Compared as text, where NaN is NaN.
    assert_eq!(format!("{one_by_one:?}"), format!("{:?}", list.take()));
    one_by_one
}

/// The same of a window in time, from which the oldest leave as they do from that of n: it merges
/// states in another order.
fn rolled_in_time<T, A>(aggregate: A, n: usize, items: &[T]) -> Vec<A::Output>
where
    T: Clone + Debug + Send + 'static,
    A: Aggregate<T>,
    A::Output: Clone + Debug,
{
    let source = Source::<T>::new();
    let long = Duration::from_secs(1 << 30);
    let window = source.rolling_time(long, aggregate).max_len(n);
    let list = window.sink_to_list();
    source.emit_all(items.iter().cloned()).unwrap();
    list.take()
}

/// Each window of the last n, from the first element on.
fn windows<T>(n: usize, items: &[T]) -> impl Iterator<Item = &[T]> {
    (1..=items.len()).map(move |end| &items[end.saturating_sub(n)..end])
}

/// The fold of two parts that were merged.
fn merged<T, A: Aggregate<T>>(aggregate: &A, items: &[T], cut: usize) -> Option<A::Output> {
    let state = |items: &[T]| {
        let (first, rest) = items.split_first()?;
        let mut state = aggregate.lift(first);
        rest.iter().for_each(|item| aggregate.add(&mut state, item));
        Some(state)
    };
    let (left, right) = items.split_at(cut.min(items.len()));
    let state = match (state(left), state(right)) {
        (Some(mut left), Some(right)) => {
            aggregate.merge(&mut left, &right);
            left
        }
        (left, right) => left.or(right)?,
    };
    Some(aggregate.finish(&state))
}

/// Definition 7 of Hyndman and Fan, by the book.
fn quantile(items: &[f64], q: f64) -> f64 {
    let mut sorted = items.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() - 1) as f64 * q;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn quantiles_are_those_of_the_sorted_elements(
        items in prop::collection::vec(prop_oneof![-1e6_f64..1e6, (0_i32..5).prop_map(f64::from)], 1..200),
        n in 1_usize..80,
        q in 0.0_f64..=1.0,
        cut in 0_usize..200,
    ) {
        let levels = [0.0, 0.25, 0.5, 0.75, 1.0, q];
        let expected = |items: &[f64]| levels.map(|q| quantile(items, q));
        let all = Quantile::new(levels);
        prop_assert_eq!(all.fold(&items), Some(expected(&items)));
        prop_assert_eq!(merged(&all, &items, cut), Some(expected(&items)));
        let readings: Vec<_> = windows(n, &items).map(expected).collect();
        prop_assert_eq!(&rolled(all, n, &items), &readings);
        prop_assert_eq!(&rolled_in_time(all, n, &items), &readings);
        let medians: Vec<_> = readings.iter().map(|all| all[2]).collect();
        prop_assert_eq!(&rolled(Median, n, &items), &medians);
        // A window that slides keeps them all, and needs not be approximate.
        prop_assert_eq!(&rolled(ApproxQuantile::new(levels), n, &items), &readings);
        // Beside aggregates that merge states, and of a field.
        let both = (Count, Of::new(Median, |x: &f64| -x), Max);
        for (reading, window) in rolled(both, n, &items).into_iter().zip(windows(n, &items)) {
            let negative: Vec<f64> = window.iter().map(|x| -x).collect();
            let highest = window.iter().copied().fold(f64::MIN, f64::max);
            prop_assert_eq!(reading, (window.len() as u64, quantile(&negative, 0.5), highest));
        }
    }

    #[test]
    fn sketched_quantiles_are_as_close_as_they_say(
        items in prop::collection::vec(
            prop_oneof![-1e9_f64..1e9, -1.0_f64..1.0, Just(0.0), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
            1..200,
        ),
        q in 0.0_f64..=1.0,
        accuracy in prop_oneof![Just(0.01), Just(0.001), Just(0.1)],
        cut in 0_usize..200,
    ) {
        let mut sorted = items.clone();
        sorted.sort_by(f64::total_cmp);
        let exact = sorted[((items.len() - 1) as f64 * q) as usize];
        let sketch = ApproxQuantile::new(q).accuracy(accuracy);
        for about in [sketch.fold(&items), merged(&sketch, &items, cut)] {
            let about = about.unwrap();
            let close = (about - exact).abs() <= exact.abs() * accuracy * 1.000_001 + 1e-12;
            prop_assert!(about == exact || close, "{about} is not {exact}");
        }
    }

    #[test]
    fn sketches_take_any_number(
        items in prop::collection::vec(any::<f64>(), 1..100),
        cut in 0_usize..100,
    ) {
        let sketch = ApproxQuantile::new([0.0, 0.3, 1.0]).accuracy(0.000_1);
        let nan = items.iter().any(|x| x.is_nan());
        for reading in [sketch.fold(&items), merged(&sketch, &items, cut)] {
            let [low, middle, high] = reading.unwrap();
            prop_assert_eq!(low.is_nan() && middle.is_nan() && high.is_nan(), nan);
            prop_assert!(nan || (low <= middle && middle <= high));
        }
    }

    #[test]
    fn frequencies_are_counts(
        items in prop::collection::vec(0_u8..9, 1..80), n in 1_usize..20, cut in 0_usize..80,
    ) {
        let count = |items: &[u8]| {
            let mut counts = HashMap::new();
            items.iter().for_each(|x| *counts.entry(*x).or_insert(0) += 1);
            counts
        };
        prop_assert_eq!(Frequencies.fold(&items), Some(count(&items)));
        prop_assert_eq!(merged(&Frequencies, &items, cut), Some(count(&items)));
        let source = Source::<u8>::new();
        let list = source.rolling(n, Frequencies).sink_to_list();
        source.emit_all(items.iter().copied()).unwrap();
        let expected: Vec<_> = windows(n, &items).map(count).collect();
        prop_assert_eq!(list.take(), expected);
    }

    #[test]
    fn the_most_frequent_are_counted_within_the_bound(
        // The lower a number the more often it comes.
        items in prop::collection::vec((0_u32..40, 0_u32..40).prop_map(|(a, b)| a * b / 20), 1..400),
        k in 1_usize..6,
        spare in 0_usize..12,
        n in 1_usize..60,
        cuts in prop::collection::vec(0_usize..100, 0..6),
    ) {
        let count = |items: &[u32]| {
            let mut counts = HashMap::<u32, u64>::new();
            items.iter().for_each(|x| *counts.entry(*x).or_default() += 1);
            counts
        };
        let exact = count(&items);
        let room = k + spare;
        let top = TopK::new(k).counters(room);
        // One fold, and one of several parts that are merged.
        let mut parts = Vec::new();
        let mut rest = &items[..];
        for cut in cuts {
            let (part, after) = rest.split_at(cut.min(rest.len()));
            parts.push(part);
            rest = after;
        }
        parts.push(rest);
        parts.retain(|part| !part.is_empty());
        let mut states = parts.iter().map(|part| {
            let mut state = top.lift(&part[0]);
            part[1..].iter().for_each(|x| top.add(&mut state, x));
            state
        });
        let mut state = states.next().unwrap();
        states.for_each(|right| top.merge(&mut state, &right));
        // Of those that came equally often, the same ones are read each time.
        prop_assert_eq!(top.fold(&items), top.fold(&items));
        for reading in [top.fold(&items).unwrap(), top.finish(&state)] {
            prop_assert_eq!(reading.len(), k.min(exact.len()));
            let bound = items.len() as u64 / room as u64;
            for (item, count) in &reading {
                prop_assert!(*count >= exact[item]);
                prop_assert!(*count <= exact[item] + bound, "{count} {} {bound}", exact[item]);
            }
            prop_assert!(reading.is_sorted_by(|a, b| a.1 >= b.1));
            // Who is not read is not certainly more frequent than who is.
            let least = reading.last().unwrap().1;
            let read = |x: &u32| reading.iter().any(|(item, _)| item == x);
            prop_assert!(exact.iter().all(|(x, count)| read(x) || *count <= least));
        }
        // In a window that slides the counts are exact.
        let source = Source::<u32>::new();
        let list = source.rolling(n, top).sink_to_list();
        source.emit_all(items.iter().copied()).unwrap();
        for (reading, window) in list.take().into_iter().zip(windows(n, &items)) {
            let exact = count(window);
            let mut counts: Vec<u64> = exact.values().copied().collect();
            counts.sort_unstable_by(|a, b| b.cmp(a));
            counts.truncate(k);
            let read: Vec<u64> = reading.iter().map(|(_, count)| *count).collect();
            prop_assert_eq!(read, counts);
            prop_assert!(reading.iter().all(|(x, count)| exact[x] == *count));
        }
    }

    #[test]
    fn what_has_left_a_window_leaves_no_trace(
        n in 1_usize..20,
        odd in prop_oneof![
            Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e16), Just(-1e300), Just(5e-324),
        ],
        before in prop::collection::vec(0_u32..1_000, 0..30),
        after in prop::collection::vec(0_u32..1_000, 20..60),
    ) {
        let all = (Sum, Mean, Min, Max, StdDev::population(), Quantile::new([0.1, 0.5]));
        let before = before.into_iter().map(f64::from);
        let after = after.into_iter().map(f64::from);
        let items: Vec<f64> = before.chain([odd]).chain(after).collect();
        let place = items.iter().position(|x| x.to_bits() == odd.to_bits()).unwrap();
        let ways = [rolled(all, n, &items), rolled_in_time(all, n, &items)];
        let readings = ways.iter().flat_map(|way| way.iter().enumerate().skip(place + n));
        for (at, reading) in readings {
            // Whole numbers add up exactly, in any order.
            let window = &items[at + 1 - n..=at];
            let sum: f64 = window.iter().sum();
            prop_assert_eq!((reading.0, reading.1), (sum, sum / n as f64));
            prop_assert_eq!(reading.2, window.iter().copied().fold(f64::INFINITY, f64::min));
            prop_assert_eq!(reading.3, window.iter().copied().fold(0.0, f64::max));
            let squares: f64 = window.iter().map(|x| (x - sum / n as f64).powi(2)).sum();
            let deviation = (squares / n as f64).sqrt();
            prop_assert!((reading.4 - deviation).abs() <= 1e-9 * deviation.max(1.0));
            prop_assert_eq!(reading.5, [quantile(window, 0.1), quantile(window, 0.5)]);
        }
    }

    #[test]
    fn the_variance_of_nearly_equal_large_numbers_is_right(
        base in 1e8_f64..1e9, steps in prop::collection::vec(0_u32..1_000, 2..100), n in 2_usize..50,
    ) {
        // Steps of 1/1024 are exact up to 2^43.
        let base = base.floor();
        let items: Vec<f64> = steps.iter().map(|x| base + f64::from(*x) / 1024.0).collect();
        let variance = |steps: &[u32]| {
            let n = steps.len() as i128;
            let sum: i128 = steps.iter().map(|x| i128::from(*x)).sum();
            let squares: i128 = steps.iter().map(|x| i128::from(*x).pow(2)).sum();
            (n * squares - sum * sum) as f64 / (n * (n - 1)) as f64 / 1024.0_f64.powi(2)
        };
        let right = |read: f64, exact: f64| (read - exact).abs() <= 1e-9 * exact.max(1e-3);
        prop_assert!(right(Variance.fold(&items).unwrap(), variance(&steps)));
        for readings in [rolled(Variance, n, &items), rolled_in_time(Variance, n, &items)] {
            for (reading, window) in readings.into_iter().zip(windows(n, &steps)).skip(1) {
                prop_assert!(right(reading, variance(window)), "{reading} {}", variance(window));
            }
        }
    }
}

#[test]
fn a_huge_number_leaves_no_trace_in_a_sum() {
    assert_eq!(rolled(Sum, 1, &[1e16, 1.0]), [1e16, 1.0]);
    let sums = rolled(Sum, 2, &[1e16, 1.0, 2.0]);
    assert_eq!(sums[2], 3.0);
}

#[test]
fn integers_stay_integers() {
    let items = [i64::MAX, 1, -3, i64::MAX - 1];
    let all = (Sum, Min, Max, Count);
    let readings: Vec<(i64, i64, i64, u64)> = rolled(all, 2, &items);
    let expected = [
        (i64::MAX, i64::MAX, i64::MAX, 1),
        // Beyond the type a sum stops at its bound, and is right again afterwards.
        (i64::MAX, 1, i64::MAX, 2),
        (-2, -3, 1, 2),
        (i64::MAX - 4, -3, i64::MAX - 1, 2),
    ];
    assert_eq!(readings, expected);
    // No f64 could tell these apart.
    let odd = (1_u64 << 60) + 1;
    assert_eq!((Sum, Max, Min).fold(&[odd]), Some((odd, odd, odd)));
}

#[test]
fn quantiles_agree_with_those_of_r() {
    // quantile(c(1, 2, 3, 4, 10), c(.1, .25, .9), type = 7)
    let some = [10, 3, 1, 4, 2];
    let read = Quantile::new([0.1, 0.25, 0.9]).fold(&some).unwrap();
    let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
    assert!(close(read[0], 1.4) && close(read[1], 2.0) && close(read[2], 7.6));
    let list: Vec<f64> = Quantile::new(vec![0.0, 1.0]).fold(&some).unwrap();
    assert_eq!(list, [1.0, 10.0]);
    assert_eq!(Median.fold(&[] as &[f64]), None);
}

#[test]
fn quantiles_of_what_is_not_finite() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let medians = rolled(Median, 2, &[1.0, nan, 3.0, 5.0, inf, inf, -inf, -0.0, 0.0]);
    let expected = [1.0, nan, nan, 4.0, inf, inf, nan, -inf, 0.0];
    assert_eq!(format!("{medians:?}"), format!("{expected:?}"));
    assert!(Median.fold(&[1.0, nan]).unwrap().is_nan());
    let huge = [-f64::MAX, f64::MAX];
    assert_eq!(Median.fold(&huge), Some(0.0));
    assert_eq!(rolled(Median, 2, &huge), [-f64::MAX, 0.0]);
}

#[test]
fn a_window_may_be_wider_than_one_piece_of_sorted_numbers() {
    let items: Vec<f64> = (0..20_000_u32)
        .map(|x| f64::from(x.wrapping_mul(2_654_435_761) >> 16))
        .collect();
    let readings = rolled(Quantile::new([0.01, 0.5]), 5_000, &items);
    for at in (0..items.len()).step_by(997) {
        let window = &items[(at + 1_usize).saturating_sub(5_000)..=at];
        assert_eq!(
            readings[at],
            [quantile(window, 0.01), quantile(window, 0.5)]
        );
    }
}

#[test]
fn a_window_of_one_s_own_slides() {
    /// How many distinct elements there are.
    #[derive(Clone)]
    struct Distinct;

    struct Held(Vec<u32>);

    impl Aggregate<u32> for Distinct {
        type State = Vec<u32>;
        type Output = usize;

        const SLIDES: bool = true;

        fn lift(&self, item: &u32) -> Vec<u32> {
            vec![*item]
        }

        fn merge(&self, left: &mut Vec<u32>, right: &Vec<u32>) {
            left.extend(right);
        }

        fn finish(&self, state: &Vec<u32>) -> usize {
            Held(state.clone()).count()
        }

        fn slide(self) -> impl Slide<u32, Output = usize> {
            Held(Vec::new())
        }
    }

    impl Held {
        fn count(&self) -> usize {
            let mut distinct = self.0.clone();
            distinct.sort_unstable();
            distinct.dedup();
            distinct.len()
        }
    }

    impl Slide<u32> for Held {
        type Output = usize;

        fn push(&mut self, item: &u32) {
            self.0.push(*item);
        }

        fn pop(&mut self) {
            self.0.remove(0);
        }

        fn read(&mut self) -> Option<usize> {
            (!self.0.is_empty()).then(|| self.count())
        }
    }

    let items = [1, 1, 2, 3, 3, 3, 1];
    assert_eq!(rolled(Distinct, 3, &items), [1, 1, 2, 3, 2, 1, 2]);
    let sums = rolled((Distinct, Sum), 3, &items);
    assert_eq!(sums[3], (3, 6));
}

#[test]
fn a_full_window_waits_for_the_last_element_whichever_way_it_slides() {
    let source = Source::<u32>::new();
    let medians = source.rolling(3, Median).full().sink_to_list();
    source.emit_all([5, 1]).unwrap();
    source.emit(3).unwrap();
    source.emit_all([9, 9]).unwrap();
    assert_eq!(medians.take(), [3.0, 3.0, 9.0]);
}

#[test]
fn exact_quantiles_of_large_folds_take_no_time_to_speak_of() {
    // Kept unsorted until they are read: to insert each in its place would shift 10¹⁰ numbers.
    let items: Vec<u32> = (0..200_000).rev().collect();
    assert_eq!(Median.fold(&items), Some(99_999.5));
}
