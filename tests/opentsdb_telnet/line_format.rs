//! What is on the wire, and what is no point.

use std::slice::from_ref;
use std::time::Duration;

use headwater::metrics::opentsdb::{Confirm, Resolution, Sanitize};
use headwater::metrics::{Element, Tags};

use super::{closing, points, sink, wire};
use crate::opentsdb::{Got, SECONDS, element, failure};

#[tokio::test]
async fn a_point_is_one_line_with_name_time_value_and_tags() {
    let batch = [
        element("requests.sum", 3, 0),
        element("latency.mean", 0, 999).tagged(Tags::from([("route", "/home")]).with("code", 200)),
    ];
    let (text, fate) = wire(|sink| sink, &batch).await;
    let expected = "put requests.sum 1700000000 3 host=a\n\
                    put latency.mean 1700000000 0 code=200 route=/home\n";
    assert_eq!(text, expected);
    assert_eq!((fate.delivered, fate.rejected, fate.attempts), (2, 0, 1));
}

#[tokio::test]
async fn integers_stay_integers_and_floats_have_a_point() {
    let values = [
        (Element::new("m", i64::MIN), "-9223372036854775808"),
        (Element::new("m", i64::MAX), "9223372036854775807"),
        (Element::new("m", 3.0), "3.0"),
        (Element::new("m", -0.0), "-0.0"),
        (Element::new("m", 0.1), "0.1"),
        (Element::new("m", 1e300), "1.0e300"),
        (Element::new("m", -1e-7), "-1.0e-7"),
        (Element::new("m", f64::MAX), "1.7976931348623157e308"),
        (Element::new("m", true), "1"),
    ];
    let at = element("m", 0, 0);
    let batch: Vec<Element> = values
        .iter()
        .map(|(element, _)| element.clone().at(at.time()))
        .collect();
    let (text, _) = wire(|sink| sink.default_tag("h", "a"), &batch).await;
    let expected: Vec<String> = values
        .iter()
        .map(|(_, value)| format!("put m {SECONDS} {value} h=a"))
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn times_are_in_seconds_or_in_milliseconds() {
    let batch = [element("m", 1, 999)];
    let (text, _) = wire(|sink| sink.resolution(Resolution::Milliseconds), &batch).await;
    assert_eq!(text, "put m 1700000000999 1 host=a\n");
    let (text, _) = wire(|sink| sink.resolution(Resolution::Seconds), &batch).await;
    assert_eq!(text, "put m 1700000000 1 host=a\n");
}

#[tokio::test]
async fn a_time_that_would_be_read_in_the_other_unit_is_rejected() {
    let at = |millis: u64| {
        Element::new("m", 1)
            .tagged([("h", "a")])
            .at(headwater::Time::ZERO + Duration::from_millis(millis))
    };
    let second = 1 << 32;
    let batch = [
        at(0),
        at(999),
        at(1000),
        at((second - 1) * 1000),
        at(second * 1000),
    ];
    let (text, fate) = wire(|sink| sink, &batch).await;
    assert_eq!(text, format!("put m 1 1 h=a\nput m {} 1 h=a\n", second - 1));
    assert_eq!((fate.delivered, fate.rejected), (2, 3));
    let batch = [at(0), at(second - 1), at(second)];
    let (text, fate) = wire(|sink| sink.resolution(Resolution::Milliseconds), &batch).await;
    assert_eq!(text, format!("put m {second} 1 h=a\n"));
    assert_eq!((fate.delivered, fate.rejected), (1, 2));
}

#[tokio::test]
async fn what_is_no_point_is_rejected_and_counted_and_the_rest_arrives() {
    let got = Got::default();
    let front = closing(&got).await;
    let good = element("good", 1, 0);
    let batch = [
        element("", 1, 0),
        Element::new("nan", f64::NAN).at(good.time()),
        good.clone(),
        Element::new("up", f64::INFINITY).at(good.time()),
        Element::new("down", f64::NEG_INFINITY).at(good.time()),
        good.clone().tagged([("", "a")]),
        good.clone().tagged([("a", "")]),
    ];
    let error = failure(&mut sink(&front).confirm(Confirm::Close), &batch).await;
    assert_eq!(
        (
            error.done_count(),
            error.rejected_count(),
            error.can_retry()
        ),
        (7, 6, false)
    );
    let text = error.to_string();
    assert_eq!(
        text,
        "6 of 7 points were rejected, the first one: \"\": the name is empty"
    );
    assert_eq!(points(&got), ["put good 1700000000 1 host=a"]);

    let error = failure(&mut sink(&front), &batch[1..2]).await;
    assert_eq!(
        error.to_string(),
        "1 of 1 points was rejected: \"nan\": OpenTSDB has no NaN"
    );
    assert_eq!((error.done_count(), error.rejected_count()), (1, 1));
    assert_eq!(got.len(), 0, "nobody is asked about a batch without points");
}

#[tokio::test]
async fn a_point_without_tags_gets_one() {
    let bare = element("m", 1, 0).tagged(());
    let (text, _) = wire(|sink| sink.default_tag("serv ice", "a\nb"), from_ref(&bare)).await;
    assert_eq!(text, "put m 1700000000 1 serv_x20_ice=a_xa_b\n");
    let (text, _) = wire(|sink| sink, from_ref(&bare)).await;
    let host = text
        .strip_prefix("put m 1700000000 1 host=")
        .unwrap()
        .trim_end();
    assert!(!host.is_empty());
    let (text, fate) = wire(|sink| sink.default_tag("host", ""), &[bare]).await;
    assert_eq!((text.as_str(), fate.rejected), ("", 1));
}

#[tokio::test]
async fn a_line_that_is_too_long_is_rejected() {
    let long = element("m", 1, 0).tagged([("a", "b".repeat(1024 - "put m 1700000000 1 a=".len()))]);
    let longer = element("mm", 1, 0).tagged(long.tags().clone());
    let (text, fate) = wire(|sink| sink, &[longer.clone(), long.clone()]).await;
    assert_eq!((text.len(), fate.delivered, fate.rejected), (1025, 1, 1));
    let (text, fate) = wire(|sink| sink.max_line(1025), &[longer, long]).await;
    assert_eq!(
        (text.len(), fate.delivered, fate.rejected),
        (1025 + 1026, 2, 0)
    );
}

#[tokio::test]
async fn tag_names_that_come_to_the_same_are_rejected() {
    let batch = [element("m", 1, 0).tagged([("a b", "1"), ("a_b", "2")])];
    let (text, fate) = wire(|sink| sink.sanitize(Sanitize::replace('_')), &batch).await;
    assert_eq!((text.as_str(), fate.rejected), ("", 1));
    let (text, fate) = wire(|sink| sink, &batch).await;
    assert_eq!(text, "put m 1700000000 1 a_x20_b=1 a_b=2\n");
    assert_eq!(fate.delivered, 1);
}
