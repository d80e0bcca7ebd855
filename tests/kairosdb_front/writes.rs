//! Points in requests, and what became of them.

use headwater::timeseries::kairosdb::{Gzip, Reason, Unfit};
use headwater::timeseries::{Point, PointValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Tested, always, points, quick};
use crate::http_front::{Asked, Front, Reply};

#[tokio::test]
async fn points_go_in_requests_of_limited_size() -> Tested {
    let front = always(Reply::queued()).await;
    let client = quick(&front.url()).max_points(10).build()?;
    let queued = client.write(&points(25)).await?;
    assert_eq!((queued.points, queued.requests), (25, 3));
    let lengths = |asked: &[Asked]| -> Vec<usize> {
        let list = |asked: &Asked| asked.json()[0]["datapoints"].as_array().unwrap().len();
        asked.iter().map(list).collect()
    };
    assert_eq!(lengths(&front.asked()), [10, 10, 5]);
    let sizes = front
        .asked()
        .iter()
        .map(|asked| asked.body.len())
        .sum::<usize>();
    assert_eq!(queued.bytes, sizes);

    let front = always(Reply::queued()).await;
    let client = quick(&front.url()).max_bytes(200).build()?;
    client.write(&points(100)).await?;
    let asked = front.asked();
    assert!(asked.len() > 3);
    assert!(asked.iter().all(|asked| asked.body.len() <= 200));
    assert_eq!(lengths(&asked).iter().sum::<usize>(), 100);
    // One that is larger than that goes alone.
    let large = Point::new("m", 0, "x".repeat(300)).tagged([("host", "a")]);
    client
        .write(&[points(1).remove(0), large, points(1).remove(0)])
        .await?;
    assert_eq!(lengths(&front.asked()[asked.len()..]), [1, 1, 1]);
    assert_eq!(client.write(&[]).await?.requests, 0);
    Ok(())
}

#[tokio::test]
async fn a_point_that_cannot_be_stored_is_found_in_whichever_request_it_would_be() -> Tested {
    let front = always(Reply::queued()).await;
    let client = quick(&front.url()).max_points(10).build()?;
    for bad in [0, 9, 10, 15, 24] {
        let mut points = points(25);
        points[bad] = Point::new("m", 0, f64::NAN).tagged([("host", "a")]);
        let error = client.write(&points).await.expect_err("a NaN");
        let Reason::Unfit { place, .. } = error.error().reason() else {
            panic!("{error}")
        };
        assert_eq!((*place, error.queued().points), (bad, 0));
    }
    assert!(front.asked().is_empty());
    // Where points are made on the way, those of the requests before it have gone.
    let mut points = points(25);
    points[15] = Point::new("m", 0, f64::NAN).tagged([("host", "a")]);
    let error = client.write_iter(&points).await.expect_err("a NaN");
    assert_eq!((error.queued().points, front.asked().len()), (10, 1));

    // A tag that the client gives all points holds, whatever a point says: in each request.
    let client = quick(&front.url())
        .max_points(10)
        .tag("host", "b")
        .build()?;
    let empty = points
        .iter()
        .map(|p| Point::new("m", p.millis(), 1).tagged([("host", "")]));
    let empty: Vec<Point> = empty.collect();
    assert_eq!(client.write(&empty).await?.points, 25);
    assert!(
        front.asked()[1..]
            .iter()
            .all(|asked| asked.json()[0]["tags"] == json!({"host": "b"}))
    );
    Ok(())
}

#[tokio::test]
async fn a_write_that_fails_says_what_is_queued_what_may_be_and_what_was_not_sent() -> Tested {
    let front = Front::new(|n, _| match n {
        1 => Reply::errors(400, &["metric[0](name=m) is odd"]),
        _ => Reply::queued(),
    })
    .await;
    let client = quick(&front.url()).max_points(10).build()?;
    let error = client.write(&points(25)).await.unwrap_err();
    assert_eq!((error.queued().points, error.uncertain()), (10, 10..20));
    assert_eq!(error.error().messages(), ["metric[0](name=m) is odd"]);
    assert_eq!(front.asked().len(), 2);
    assert!(
        error
            .to_string()
            .contains("of the 10 that were in this request"),
        "{error}"
    );

    // An iterator is looked at on the way.
    let front = always(Reply::queued()).await;
    let client = quick(&front.url()).max_points(10).build()?;
    let mut some = points(25);
    some[14] = Point::new("m", 14, f64::NAN).tagged([("host", "a")]);
    let error = client.write_iter(&some).await.unwrap_err();
    assert_eq!((error.queued().points, error.uncertain()), (10, 10..10));
    let Reason::Unfit {
        place: 14,
        why: Unfit::NotFinite(_),
        ..
    } = error.error().reason()
    else {
        panic!("{error}")
    };
    assert_eq!(front.asked().len(), 1);
    Ok(())
}

#[tokio::test]
async fn writes_are_repeated_unless_that_is_switched_off() -> Tested {
    for (repeat, requests) in [(true, 3), (false, 1)] {
        let front = always(Reply::errors(503, &["down"])).await;
        let client = quick(&front.url()).repeat_writes(repeat).build()?;
        let error = client.write(&points(1)).await.unwrap_err();
        assert_eq!(
            (error.error().attempts(), front.asked().len()),
            (requests, requests as usize)
        );
    }
    Ok(())
}

#[tokio::test]
async fn points_are_packed_as_it_is_said() -> Tested {
    let front = always(Reply::queued()).await;
    for (gzip, encoding, kind) in [
        (Gzip::Off, None, "application/json"),
        (Gzip::ContentEncoding, Some("gzip"), "application/json"),
        (Gzip::ContentType, None, "application/gzip"),
    ] {
        let client = quick(&front.url()).gzip(gzip).build()?;
        client.write(&points(3)).await?;
        let asked = front.asked().pop().unwrap();
        assert_eq!(asked.header("content-encoding"), encoding);
        assert_eq!(asked.header("content-type"), Some(kind));
        let expected =
            json!([{"name": "m", "tags": {"host": "a"}, "datapoints": [[0, 0], [1, 1], [2, 2]]}]);
        assert_eq!(asked.json(), expected);
    }
    Ok(())
}

/// A number that is read as it was written: the bits of a double, or an integer.
fn value_of(json: &Value) -> PointValue {
    match json {
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match number.as_i64() {
            Some(int) => int.into(),
            None => number.as_f64().expect("a double").into(),
        },
        other => panic!("{other}"),
    }
}

fn any_point() -> impl Strategy<Value = Point> {
    let value = prop_oneof![
        any::<i64>().prop_map(PointValue::from),
        any::<f64>()
            .prop_filter("JSON has it", |float| float.is_finite())
            .prop_map(PointValue::from),
        ".{1,5}".prop_map(PointValue::from),
    ];
    let tags = proptest::collection::btree_map(".{1,2}", "[ab]", 0..3);
    ("[mn]", -5_i64..5, tags, value)
        .prop_map(|(metric, at, tags, value)| Point::new(metric, at, value).tagged(tags))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn all_that_is_written_is_sent_in_the_order_of_each_series(
        points in proptest::collection::vec(any_point(), 0..60),
        max_points in 1_usize..20,
        max_bytes in 0_usize..400,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let front = always(Reply::queued()).await;
            let builder = quick(&front.url()).tag("all", 1).max_points(max_points).max_bytes(max_bytes);
            let queued = builder.build().unwrap().write(&points).await.unwrap();
            assert_eq!(queued.points, points.len());
            let mut sent = Vec::new();
            for asked in front.asked() {
                let mut count = 0;
                for series in asked.json().as_array().unwrap() {
                    let tags: std::collections::BTreeMap<String, String> =
                        serde_json::from_value(series["tags"].clone()).unwrap();
                    for pair in series["datapoints"].as_array().unwrap() {
                        // Texts say so, whatever they look like.
                        assert_eq!(pair[1].is_string(), series.get("type") == Some(&json!("string")));
                        let name = series["name"].as_str().unwrap();
                        let point = Point::new(name, pair[0].as_i64().unwrap(), value_of(&pair[1]));
                        sent.push(point.tagged(tags.clone()));
                        count += 1;
                    }
                }
                assert!(count <= max_points && (count == 1 || asked.body.len() <= max_bytes));
            }
            let expected: Vec<Point> =
                points.iter().map(|point| point.clone().tagged(point.tags().with("all", "1"))).collect();
            let series = |all: &[Point], of: &Point| -> Vec<Point> {
                let kind = |point: &Point| point.number().is_some();
                let same = |point: &&Point| {
                    point.metric() == of.metric() && point.tags() == of.tags() && kind(point) == kind(of)
                };
                all.iter().filter(same).cloned().collect()
            };
            assert_eq!(sent.len(), expected.len());
            for point in &expected {
                assert_eq!(series(&sent, point), series(&expected, point));
            }
        });
    }
}
