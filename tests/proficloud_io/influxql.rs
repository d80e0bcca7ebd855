//! Questions in InfluxQL.

use std::time::Duration;

use headwater::timeseries::kairosdb::Order;
use headwater::timeseries::proficloud::{IoQuery, Millis, Step};
use headwater::timeseries::{PointValue, Range, Store};

use super::{THEN, Tested, builder, cloud, fails, influx, query};
use crate::http_front::{Front, Reply};
use crate::proficloud_front;
use crate::proficloud_front::{PASSWORD, USER};

#[tokio::test]
async fn questions_in_influxql_come_page_by_page_and_no_point_is_lost_or_twice() -> Tested {
    // Ten of each time, so that pages end in their midst.
    let time = |n: i64| Millis::from(THEN + n / 10).to_string();
    let points: Vec<(String, f64)> = (0..50_000).map(|n| (time(n), n as f64)).collect();
    let (front, client) = influx(points).await?;
    let query = query();
    let answer = client.query(&query).await?;
    let values: Vec<(i64, PointValue)> = (0..50_000)
        .map(|n| (THEN + n / 10, (n as f64).into()))
        .collect();
    assert_eq!(answer.series.len(), 1);
    assert!(answer.series[0].values == values);
    assert_eq!(front.asked().len(), 1 + 3);
    let answer = client.query(&query.order(Order::Descending)).await?;
    assert!(answer.series[0].values.iter().eq(values.iter().rev()));

    // All of a page at one time: there is no way on.
    let points = (0..20_001).map(|n| (time(0), n as f64)).collect();
    let (_front, client) = influx(points).await?;
    let error = fails(&client).await;
    assert!(
        error
            .to_string()
            .contains("20000 points have the same time"),
        "{error}"
    );
    let (_front, client) = influx(Vec::new()).await?;
    assert!(client.query(&self::query()).await?.series.is_empty());
    Ok(())
}

#[tokio::test]
async fn questions_in_influxql_say_what_is_asked_whatever_names_are_like() -> Tested {
    let (front, client) = influx(Vec::new()).await?;
    let query = IoQuery::new("o'x")
        .metrics(["a\"b\\", "a,b"])
        .between(THEN, THEN + 1000);
    client.query(&query).await?;
    let mean = query.aggregate("mean", Duration::from_millis(200));
    client.query(&mean).await?;
    let questions: Vec<String> = front
        .asked()
        .iter()
        .skip(1)
        .map(|asked| {
            assert_eq!(asked.header("authorization"), Some("Bearer influx"));
            assert!(asked.path.starts_with("/query?q="));
            proficloud_front::parameters(asked)["q"].clone()
        })
        .collect();
    let time = "time >= '2023-11-14T22:13:20.000Z' AND time < '2023-11-14T22:13:21.000Z'";
    let tail = "ORDER BY time ASC LIMIT 20000";
    let (first, second) = (r#""a\"b\\""#, r#""a,b""#);
    let wanted = |what: &str, metric: &str, group: &str| {
        format!(r#"SELECT {what} FROM {metric} WHERE ("uuid" = 'o\'x') AND {time}{group} {tail}"#)
    };
    let group = " GROUP BY time(200ms) fill(none)";
    assert_eq!(
        questions,
        [
            wanted(r#""value""#, first, ""),
            wanted(r#""value""#, second, ""),
            wanted(r#"mean("value")"#, first, group),
            wanted(r#"mean("value")"#, second, group),
        ]
    );
    // What is aggregated is asked for as a whole when it is polled.
    let range = Range {
        from: THEN + 150,
        to: THEN + 250,
    };
    client.store(mean.clone()).fetch(range).await?;
    let asked = proficloud_front::parameters(front.asked().last().unwrap());
    let whole = "time >= '2023-11-14T22:13:20.000Z' AND time < '2023-11-14T22:13:20.400Z'";
    assert!(asked["q"].contains(whole), "{asked:?}");

    let before = front.asked().len();
    for (query, why) in [
        (
            mean.clone()
                .aggregate("mean(x); DROP", Duration::from_secs(1)),
            "is no function",
        ),
        (
            mean.clone().aggregate("", Duration::from_secs(1)),
            "is no function",
        ),
        (
            mean.clone().aggregate("mean", Duration::ZERO),
            "1 ms at least",
        ),
    ] {
        let error = client.query(&query).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.attempts(), 0);
    }
    assert_eq!(front.asked().len(), before);
    // The other service does not aggregate.
    let (_cloud, _front, epts) = cloud().await?;
    let mean = self::query().aggregate("mean", Duration::from_secs(1));
    let error = epts.query(&mean).await.unwrap_err();
    assert!(error.to_string().contains("in InfluxQL alone"), "{error}");
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_question_in_influxql_is_said() -> Tested {
    for (reply, status, why) in [
        (
            Reply::status(400, r#"{"error":"error parsing query: found x"}"#),
            Some(400),
            "error parsing query: found x",
        ),
        (
            Reply::ok(r#"{"results":[{"statement_id":0,"error":"timeout"}]}"#),
            Some(200),
            "timeout",
        ),
        (
            Reply::ok(r#"{"error":"no database"}"#),
            Some(200),
            "no database",
        ),
        (
            Reply::ok(r#"{"results":[{"series":[{"values":[["now", 1]]}]}]}"#),
            None,
            "\"now\" is no time",
        ),
        (Reply::ok("{}]"), None, "trailing characters"),
        (Reply::ok("{}"), None, "there are no `results`"),
    ] {
        let front = Front::new(move |n, _| match n {
            0 => Reply::ok(r#"{"access_token": "influx"}"#),
            _ => reply.clone(),
        })
        .await;
        let client = builder(&front).influx().user(USER, PASSWORD).build()?;
        let error = fails(&client).await;
        assert_eq!(
            (error.step(), error.status()),
            (Step::Query, status),
            "{error}"
        );
        assert!(error.to_string().contains(why), "{error}");
    }
    Ok(())
}
