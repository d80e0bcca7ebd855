//! Tables against a naive oracle: rows as maps of names and values.

#![cfg(feature = "tables")]

use std::collections::BTreeMap;
use std::time::Duration;

use headwater::timeseries::{Point, PointValue, Table};
use proptest::prelude::*;

/// Times, each with the values of the columns that have one.
type Rows = BTreeMap<i64, BTreeMap<String, PointValue>>;

fn value() -> impl Strategy<Value = PointValue> {
    prop_oneof![
        3 => (-3..3_i64).prop_map(PointValue::from),
        2 => prop_oneof![Just(0.5), Just(f64::NAN), Just(-0.0)].prop_map(PointValue::from),
        1 => "[a-cü]{0,2}".prop_map(PointValue::from),
        1 => Just(PointValue::Null),
    ]
}

/// Points of a few metrics at a few times, so that they meet.
fn points() -> impl Strategy<Value = Vec<Point>> {
    let point = (0..4_u8, -8..8_i64, value());
    let point =
        point.prop_map(|(metric, time, value)| Point::new(format!("m{metric}"), time * 5, value));
    prop::collection::vec(point, 0..40)
}

/// What a value becomes in its column.
fn typed(all: &[Point], point: &Point) -> PointValue {
    let of_metric = all.iter().filter(|other| other.metric() == point.metric());
    // Those that were replaced don't count: only the last one of each time that is no gap.
    let mut held: BTreeMap<i64, &PointValue> = BTreeMap::new();
    for other in of_metric {
        if *other.value() != PointValue::Null {
            held.insert(other.millis(), other.value());
        }
    }
    let texts = held
        .values()
        .any(|value| matches!(value, PointValue::Text(_)));
    match point.value() {
        PointValue::Number(number) if texts => number.to_string().into(),
        other => other.clone(),
    }
}

fn oracle(points: &[Point]) -> Rows {
    let mut rows = Rows::new();
    for point in points {
        let row = rows.entry(point.millis()).or_default();
        if *point.value() != PointValue::Null {
            row.insert(point.metric().to_owned(), typed(points, point));
        }
    }
    rows
}

fn rows(table: &Table) -> Rows {
    let row = |at: usize| {
        let values = table
            .names()
            .map(|name| (name.to_owned(), table.value(at, name).unwrap()));
        values
            .filter(|(_, value)| *value != PointValue::Null)
            .collect()
    };
    let times = table.times().iter().enumerate();
    times.map(|(at, &time)| (time, row(at))).collect()
}

/// Fills from row to row in the order that the iterator has.
fn filled<'a>(rows: impl Iterator<Item = (&'a i64, &'a BTreeMap<String, PointValue>)>) -> Rows {
    let mut last: BTreeMap<String, PointValue> = BTreeMap::new();
    let mut filled = Rows::new();
    for (time, row) in rows {
        last.extend(row.clone());
        filled.insert(*time, last.clone());
    }
    filled
}

fn nearest(rows: &Rows, time: i64, tolerance: i64) -> Option<&BTreeMap<String, PointValue>> {
    let near = rows
        .iter()
        .filter(|(there, _)| (*there - time).abs() <= tolerance);
    near.min_by_key(|(there, _)| ((*there - time).abs(), **there))
        .map(|(_, row)| row)
}

proptest! {
    #[test]
    fn tables_do_as_the_oracle_in_either_order(all in points(), descending: bool) {
        let table = Table::of(&all).unwrap();
        let table = if descending { table.descending() } else { table };
        let want = oracle(&all);
        prop_assert_eq!(rows(&table), want.clone());
        prop_assert_eq!(table.len(), want.len());
        let sorted = table.times().is_sorted_by(|a, b| if descending { a > b } else { a < b });
        prop_assert!(sorted);

        prop_assert_eq!(rows(&table.fill_forward().unwrap()), filled(want.iter()));
        prop_assert_eq!(rows(&table.fill_backward().unwrap()), filled(want.iter().rev()));

        let names: Vec<String> = table.names().map(str::to_owned).collect();
        let mut whole = want.clone();
        whole.retain(|_, row| row.len() == names.len());
        prop_assert_eq!(rows(&table.drop_gaps()), whole);
        let mut some = want.clone();
        some.retain(|_, row| !row.is_empty());
        prop_assert_eq!(rows(&table.drop_empty()), some);

        let last = |name: &String| want.iter().rfind(|(_, row)| row.contains_key(name));
        let until = names.iter().filter_map(last).map(|(time, _)| *time).min();
        let mut trailed = want.clone();
        trailed.retain(|time, _| until.is_none_or(|until| *time <= until));
        prop_assert_eq!(rows(&table.drop_trailing_gaps()), trailed);

        // What is written is what was read, but for gaps and what was replaced.
        let again = Table::of(table.points()).unwrap();
        prop_assert_eq!(rows(&again), rows(&table.drop_empty()));
        let batch = Table::from_batch(table.batch(), "time").unwrap();
        prop_assert_eq!(rows(&batch), want);
    }

    #[test]
    fn stretches_of_time_are_those_of_the_oracle(
        all in points(), from in -50..50_i64, to in -50..50_i64, descending: bool
    ) {
        let table = Table::of(&all).unwrap();
        let table = if descending { table.descending() } else { table };
        let want = |keep: &dyn Fn(i64) -> bool| {
            let mut rows = oracle(&all);
            rows.retain(|time, _| keep(*time));
            rows
        };
        prop_assert_eq!(rows(&table.between(from..to).unwrap()), want(&|t| from <= t && t < to));
        prop_assert_eq!(rows(&table.between(from..=to).unwrap()), want(&|t| from <= t && t <= to));
        prop_assert_eq!(rows(&table.between(..to).unwrap()), want(&|t| t < to));
    }

    #[test]
    fn joins_are_those_of_the_oracle(
        left in points(), right in points(), shift in 0..5_i64, tolerance in 0..12_i64,
        descending: bool,
    ) {
        let right = right.iter().map(|point| {
            Point::new(format!("r{}", point.metric()), point.millis() + shift, point.value().clone())
        });
        let right: Vec<Point> = right.collect();
        let (a, b) = (Table::of(&left).unwrap(), Table::of(&right).unwrap());
        let a = if descending { a.descending() } else { a };
        let (want_a, want_b) = (oracle(&left), oracle(&right));

        let mut outer = want_a.clone();
        for (time, row) in &want_b {
            outer.entry(*time).or_default().extend(row.clone());
        }
        let joined = a.join(&b).unwrap();
        prop_assert_eq!(rows(&joined), outer);
        prop_assert_eq!(joined.is_descending(), descending);

        let mut near = want_a;
        for (time, row) in &mut near {
            row.extend(nearest(&want_b, *time, tolerance).cloned().unwrap_or_default());
        }
        let joined = a.join_nearest(&b, Duration::from_millis(tolerance as u64)).unwrap();
        prop_assert_eq!(rows(&joined), near);
        prop_assert_eq!(joined.times(), a.times());
    }

    #[test]
    fn every_table_prints_within_its_width(all in points(), width in 40..120_usize, most in 1..30_usize) {
        let table = Table::of(&all).unwrap();
        let text = format!("{table:width$.most$}");
        let shown = table.len().min(most);
        let cut = usize::from(shown < table.len());
        prop_assert_eq!(text.lines().count(), shown + cut + 3);
        prop_assert!(text.lines().rev().skip(1).all(|line| line.chars().count() <= width.max(26)));
    }
}
