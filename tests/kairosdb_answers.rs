//! Answers of KairosDB as they are read, against what they were written from.

#![cfg(feature = "kairosdb")]

use headwater::metrics::Value;
use headwater::timeseries::PointValue;
use headwater::timeseries::kairosdb::Answer;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// What a store may say is a point's value.
fn value() -> impl Strategy<Value = Json> {
    let finite = any::<f64>().prop_filter("JSON has no other", |float| float.is_finite());
    let number = prop_oneof![
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        finite.prop_map(Json::from),
        (-999_999..999_999_i64).prop_map(|cents| Json::from(cents as f64 / 100.0)),
    ];
    let alone = prop_oneof![
        8 => number,
        1 => any::<bool>().prop_map(Json::from),
        2 => any::<String>().prop_map(Json::from),
        1 => Just(Json::Null),
    ];
    alone.prop_recursive(2, 8, 3, |inner| {
        let names = prop::collection::btree_map("[a-cü\"]{0,2}", inner.clone(), 0..3);
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Json::from),
            names.prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    })
}

/// A time, a value, and what may stand behind them.
type Row = (i64, Json, Vec<Json>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let more = prop_oneof![9 => Just(Vec::new()), 1 => prop::collection::vec(value(), 1..3)];
    prop::collection::vec((any::<i64>(), value(), more), 0..20)
}

/// An answer of series with these rows, on one line or on many.
fn written(series: &[Vec<Row>], spread: bool) -> String {
    let row = |(millis, value, more): &Row| {
        let mut row = vec![json!(millis), value.clone()];
        row.extend(more.iter().cloned());
        Json::from(row)
    };
    let results = series.iter().map(|rows| {
        let values: Vec<Json> = rows.iter().map(row).collect();
        json!({ "name": "m", "values": values, "later": { "than": ["us"] } })
    });
    let answer = json!({ "queries": [{ "results": results.collect::<Vec<_>>() }] });
    match spread {
        true => serde_json::to_string_pretty(&answer).expect("it is JSON"),
        false => answer.to_string(),
    }
}

/// What is to be made of a value. Floats are those that were written, not those that somebody read.
fn expected(value: &Json) -> PointValue {
    match value {
        Json::Null => PointValue::Null,
        Json::Bool(truth) => PointValue::from(*truth),
        Json::Number(number) => PointValue::Number(match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(beyond)) => Value::Float(beyond as f64),
            (None, None) => Value::Float(number.as_f64().expect("it is one of the three")),
        }),
        Json::String(text) => text.as_str().into(),
        Json::Array(_) | Json::Object(_) => value.to_string().into(),
    }
}

/// Integers and floats are told apart, and the two zeros.
fn told_apart(value: &PointValue) -> String {
    format!("{value:?}")
}

proptest! {
    #[test]
    fn what_was_written_is_read_number_for_number(
        series in prop::collection::vec(rows(), 0..4),
        spread in any::<bool>(),
    ) {
        let answer: Answer = written(&series, spread).parse().expect("an answer");
        let read = &answer.queries[0].results;
        prop_assert_eq!(read.len(), series.len());
        for (read, rows) in read.iter().zip(&series) {
            prop_assert_eq!(read.values.len(), rows.len());
            for ((time, found), (millis, value, _)) in read.values.iter().zip(rows) {
                let expected = expected(value);
                prop_assert_eq!((time, found), (millis, &expected));
                prop_assert_eq!(told_apart(found), told_apart(&expected));
            }
        }
    }

    /// Never a part of it, and never a panic.
    #[test]
    fn an_answer_that_was_cut_off_is_none(
        series in prop::collection::vec(rows(), 1..3),
        at in any::<prop::sample::Index>(),
    ) {
        let whole = written(&series, false);
        let ends: Vec<usize> = whole.char_indices().map(|(at, _)| at).collect();
        let cut = &whole[..*at.get(&ends)];
        let error = cut.parse::<Answer>().expect_err("it is not whole");
        // That is where it ends, whatever was missing.
        prop_assert_eq!((error.line(), error.column()), (1, cut.len()), "{}", error);
    }
}

#[test]
fn what_is_no_pair_is_told_with_its_place() {
    for (values, why) in [
        ("[[1]]", "a pair of time and value"),
        ("[[]]", "a pair of time and value"),
        ("[1]", "a pair of time and value"),
        ("{}", "a list of pairs of time and value"),
        (r#"[["1",2]]"#, "expected i64"),
        ("[[1.5,2]]", "expected i64"),
        ("[[9223372036854775808,2]]", "expected i64"),
        ("[[1,2e999]]", "number out of range"),
        ("[[1,02]]", "invalid number"),
        ("[[1,2]", "EOF"),
        ("[[1 2]]", "expected `,` or `]`"),
    ] {
        let json = format!("{{\"queries\":[{{\"results\":[\n{{\"name\":\"m\",\"values\":{values}");
        let error = json.parse::<Answer>().expect_err(values);
        assert!(error.to_string().contains(why), "{values}: {error}");
        assert_eq!(error.line(), 2, "{values}: {error}");
    }
}
