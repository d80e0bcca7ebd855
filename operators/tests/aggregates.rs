//! What aggregates read, and that they merge as they should.

use std::{fmt::Debug, time::Duration};

use headwater_operators::aggregate::{
    Aggregate, Count, First, Last, Max, Mean, Min, Of, StdDev, Sum, Summand, Variance,
};
use proptest::prelude::*;

/// Folds the two parts apart and merges them.
fn in_two<T, A: Aggregate<T>>(aggregate: &A, left: &[T], right: &[T]) -> A::Output {
    let state = |items: &[T]| {
        let mut state = aggregate.lift(&items[0]);
        items[1..]
            .iter()
            .for_each(|item| aggregate.add(&mut state, item));
        state
    };
    let mut all = state(left);
    aggregate.merge(&mut all, &state(right));
    aggregate.finish(&all)
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0)
}

proptest! {
    #[test]
    fn parts_merge_to_the_whole(
        left in prop::collection::vec(any::<i32>(), 1..50),
        right in prop::collection::vec(any::<i32>(), 1..50),
    ) {
        let whole = [left.clone(), right.clone()].concat();
        let exact = (Count, Sum, Min, Max, First, Last);
        prop_assert_eq!(Some(in_two(&exact, &left, &right)), exact.fold(&whole));
        prop_assert_eq!(Some(in_two(&Mean, &left, &right)), Mean.fold(&whole));
        let spread = Variance.fold(&whole).unwrap();
        prop_assert!(close(in_two(&Variance, &left, &right), spread));
    }

    #[test]
    fn variance_is_that_of_the_two_pass_formula(items in prop::collection::vec(-1e3..1e3, 2..100)) {
        let n = items.len() as f64;
        let mean = items.iter().sum::<f64>() / n;
        let squares: f64 = items.iter().map(|x| (x - mean).powi(2)).sum();
        prop_assert!(close(Variance.fold(&items).unwrap(), squares / (n - 1.0)));
        prop_assert!(close(Variance::population().fold(&items).unwrap(), squares / n));
        prop_assert!(close(StdDev.fold(&items).unwrap(), (squares / (n - 1.0)).sqrt()));
        prop_assert!(close(StdDev::population().fold(&items).unwrap(), (squares / n).sqrt()));
    }
}

#[test]
fn nothing_reads_as_none() {
    assert_eq!((Count, Sum, Max).fold(&[] as &[i32]), None);
}

#[test]
fn integers_stay_integers_and_stop_at_their_bounds() {
    fn bounds<T: Summand + Copy + PartialEq + Debug>(min: T, max: T) {
        assert_eq!(Sum.fold(&[max, max]), Some(max));
        assert_eq!(Sum.fold(&[min, min]), Some(min));
        assert_eq!(Sum.fold(&[max]), Some(max));
    }
    macro_rules! all {
        ($($int:ident)+) => { $(bounds($int::MIN, $int::MAX);)+ };
    }
    all!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);
    assert_eq!(
        Sum.fold(&[i64::MAX, i64::MAX, -1, i64::MIN, i64::MIN]),
        Some(-3)
    );
    assert_eq!((Sum, Count).fold(&[1_u32, 2]), Some((3_u32, 2_u64)));
}

#[test]
fn the_mean_of_integers_does_not_overflow() {
    assert_eq!(Mean.fold(&[u64::MAX, u64::MAX]), Some(u64::MAX as f64));
    assert_eq!(Mean.fold(&[i64::MIN, i64::MIN]), Some(i64::MIN as f64));
    assert_eq!(Mean.fold(&[-1_i8, -2]), Some(-1.5));
    assert_eq!(Mean.fold(&[1.5_f32, 2.5]), Some(2.0_f64));
}

#[test]
fn durations_add_up_and_have_a_mean() {
    let millis = [1, 2, 6].map(Duration::from_millis);
    let sum_and_mean = (Duration::from_millis(9), Duration::from_millis(3));
    assert_eq!((Sum, Mean).fold(&millis), Some(sum_and_mean));
    assert_eq!(
        Sum.fold(&[Duration::MAX, Duration::from_nanos(1)]),
        Some(Duration::MAX)
    );
    assert_eq!(
        Mean.fold(&[Duration::MAX, Duration::MAX]),
        Some(Duration::MAX)
    );
}

#[test]
fn variance_of_large_and_nearly_equal_numbers_keeps_its_digits() {
    for order in [[0.0, 1.0, 2.0], [2.0, 0.0, 1.0], [1.0, 2.0, 0.0]] {
        let items = order.map(|small| 1e9 + small);
        assert!((Variance.fold(&items).unwrap() - 1.0).abs() < 1e-9);
        assert!((in_two(&Variance, &items[..1], &items[1..]) - 1.0).abs() < 1e-9);
        assert!((in_two(&Variance, &items[..2], &items[2..]) - 1.0).abs() < 1e-9);
    }
}

#[test]
fn variance_of_a_single_element_is_unknown_for_a_sample_and_zero_for_a_population() {
    assert!(Variance.fold(&[5.0]).unwrap().is_nan());
    assert!(StdDev.fold(&[5.0]).unwrap().is_nan());
    assert_eq!(Variance::population().fold(&[5.0]), Some(0.0));
    assert_eq!(StdDev::population().fold(&[5.0]), Some(0.0));
}

#[test]
fn variance_with_a_nan_or_an_infinity_is_nan() {
    for odd in [f64::NAN, f64::INFINITY] {
        assert!(Variance::population().fold(&[odd]).unwrap().is_nan());
        assert!(Variance.fold(&[1.0, odd, 2.0]).unwrap().is_nan());
    }
}

#[test]
fn extremes_ignore_a_nan_wherever_it_comes() {
    for items in [
        [f64::NAN, 1.0, 2.0],
        [1.0, f64::NAN, 2.0],
        [1.0, 2.0, f64::NAN],
    ] {
        assert_eq!((Min, Max).fold(&items), Some((1.0, 2.0)));
        for middle in 1..3 {
            let (left, right) = items.split_at(middle);
            assert_eq!(in_two(&(Min, Max), left, right), (1.0, 2.0));
        }
    }
    assert!(Max.fold(&[f64::NAN, f64::NAN]).unwrap().is_nan());
}

#[test]
fn of_several_equal_extremes_the_first_least_and_the_last_greatest_are_read() {
    #[derive(Debug, Clone)]
    struct Entry(u8, char);
    impl PartialEq for Entry {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
    impl PartialOrd for Entry {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            self.0.partial_cmp(&other.0)
        }
    }
    let (least, greatest) = (Min, Max).fold(&[Entry(1, 'a'), Entry(1, 'b')]).unwrap();
    assert_eq!((least.1, greatest.1), ('a', 'b'));
}

#[test]
fn extremes_and_ends_take_what_is_not_a_number() {
    let words = ["b", "a", "c", "b"].map(String::from);
    let (min, max, first, last) = (Min, Max, First, Last).fold(&words).unwrap();
    assert_eq!([min, max, first, last], ["a", "c", "b", "b"]);
}

#[test]
fn fields_and_tuples_nest() {
    struct Reading {
        sensor: String,
        value: f64,
    }
    let readings = [("x", 1.0), ("y", 3.0)].map(|(sensor, value)| Reading {
        sensor: sensor.into(),
        value,
    });
    let all = (
        Count,
        Max.of(|r: &Reading| r.sensor.clone()),
        Of::new((Mean, (Min, Max)), |r: &Reading| r.value),
        (
            Count.of(|r: &Reading| r.value),
            StdDev.of(|r: &Reading| r.value),
        ),
    );
    let expected = (2, String::from("y"), (2.0, (1.0, 3.0)), (2, 2.0_f64.sqrt()));
    assert_eq!(all.fold(&readings), Some(expected));
}

#[test]
fn a_tuple_may_have_up_to_six() {
    let six = (Count, Sum, Mean, Min, Max, Last);
    assert_eq!(six.fold(&[1, 2, 3]), Some((3, 6, 2.0, 1, 3, 3)));
}

#[test]
fn aggregates_can_be_sent_shown_and_copied() {
    fn unit<A: Debug + Copy + Default + Send + Sync + Unpin + 'static>() {}
    unit::<(Count, Sum, Mean, Min, Max, First, Last, Variance, StdDev)>();
    let of = Mean.of(|x: &f64| *x);
    assert_eq!(format!("{of:?}"), "Of { aggregate: Mean, .. }");
}
