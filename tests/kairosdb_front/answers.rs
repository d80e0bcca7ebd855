//! Answers of all kinds, and what is none.

use headwater::timeseries::kairosdb::Reason;
use headwater::timeseries::{PointValue, Range, Store};
use serde_json::json;

use super::{Tested, always, fails, points, query, quick};
use crate::http_front::{Front, Reply};

#[tokio::test]
async fn a_page_is_no_receipt_for_points() -> Tested {
    // As who does not know us sends it, and has not passed on anything.
    for page in ["<html>sign in</html>", ""] {
        let front = always(Reply::ok(page)).await;
        let error = quick(&front.url()).build()?.write(&points(2)).await;
        let error = error.unwrap_err();
        assert_eq!((error.queued().points, error.uncertain()), (0, 0..2));
        assert!(error.error().can_retry());
        let said = error.to_string();
        assert!(said.contains("status 200") && said.contains(page), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_answer_is_shown() -> Tested {
    let long = format!(r#"{{"queries": "{}"}}"#, "ü".repeat(5000));
    for (body, why) in [
        ("<html>sign in</html>", "expected value at line 1"),
        (
            r#"{"queries": [{"results": [{"name": "m", "values": [[1]]}]}]}"#,
            "a pair of time and value",
        ),
        (
            r#"{"queries": [{"results": [{"name": "m", "values": [["x", 1]]}]}]}"#,
            "expected i64",
        ),
        (r#"{"results": []}"#, "missing field `queries`"),
        (r#"{"queries": []}"#, "0 entries for 1 metrics"),
        (&long, "invalid type"),
        ("", "EOF"),
    ] {
        let front = always(Reply::ok(body)).await;
        let error = fails(quick(&front.url())).await?;
        let Reason::Undecodable {
            why: said,
            body: shown,
        } = error.reason()
        else {
            panic!("{error}")
        };
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(shown.chars().count(), body.chars().count().min(1000));
        assert!(body.starts_with(shown.as_str()));
    }
    Ok(())
}

#[tokio::test]
async fn a_metric_without_points_has_no_series_in_the_other_shape_too() -> Tested {
    let front = always(Reply::ok(r#"{"queries":[{"sample_size":0,"results":[]}]}"#)).await;
    let client = quick(&front.url()).build()?;
    let answer = client.query(&query()).await?;
    assert_eq!(answer.queries[0].sample_size, Some(0));
    assert_eq!((answer.series().count(), answer.points().count()), (0, 0));
    let fetched = client
        .store(query())
        .fetch(Range { from: 0, to: 9 })
        .await?;
    assert!(fetched.points.is_empty());
    assert_eq!(front.asked().len(), 2, "nothing was learnt");
    Ok(())
}

#[tokio::test]
async fn values_of_any_kind_are_read() -> Tested {
    let values = r#"[[-1,null],[1,"t"],[2,3],[3,1.0E300],[4,{"re":1,"im":[2]}],[5,[1,2]],
        [6,18446744073709551615],[7,true],[8,1,"more"]]"#;
    let body = format!(
        r#"{{"queries":[{{"results":[{{"name":"m","values":{values},
        "group_by":[{{"name":"type","type":"complex"}},{{"name":"odd","x":1}}]}}]}}]}}"#
    );
    let front = always(Reply::ok(body)).await;
    let answer = quick(&front.url()).build()?.query(&query()).await?;
    let series = answer.series().next().expect("one");
    let expected: Vec<(i64, PointValue)> = vec![
        (-1, PointValue::Null),
        (1, "t".into()),
        (2, 3.into()),
        (3, 1e300.into()),
        (4, r#"{"im":[2],"re":1}"#.into()),
        (5, "[1,2]".into()),
        (6, 18_446_744_073_709_551_615_u64.into()),
        (7, 1.into()),
        (8, 1.into()),
    ];
    assert_eq!(series.values, expected);
    assert_eq!(series.kind(), Some("complex"));
    assert!(series.tags.is_empty());
    Ok(())
}

#[tokio::test]
async fn large_answers_are_read_too() -> Tested {
    let values: Vec<(i64, i64)> = (0..200_000).map(|n| (n, -n)).collect();
    let body = json!({"queries": [{"results": [{"name": "m", "values": values}]}]}).to_string();
    assert!(body.len() > 2 << 20);
    let cut = body[..body.len() - 4].to_owned();
    let front = Front::new(move |n, _| Reply::ok(if n == 0 { &*body } else { &*cut })).await;
    let client = quick(&front.url()).build()?;
    let answer = client.query(&query()).await?;
    assert_eq!(
        answer.points().map(|point| point.millis()).sum::<i64>(),
        199_999 * 100_000
    );
    let error = client.query(&query()).await.unwrap_err();
    assert!(
        matches!(error.reason(), Reason::Undecodable { .. }),
        "{error}"
    );
    Ok(())
}
