//! What is asked, what is answered, and what is said where that makes no sense.

use std::time::{Duration, SystemTime};

use headwater::timeseries::kairosdb::{Order, Reason};
use headwater::timeseries::proficloud::{IoQuery, Millis, ProficloudIo, Step};
use headwater::timeseries::{Point, PointValue};
use serde_json::json;

use super::{THEN, Tested, builder, cloud, fails, query};
use crate::http_front::{Front, Reply};
use crate::proficloud_front::{PASSWORD, USER, form};

#[tokio::test]
async fn it_logs_in_and_asks_as_the_service_has_it() -> Tested {
    let (_cloud, front, _) = cloud().await?;
    let client = builder(&front).client_secret("own secret").build()?;
    client.authenticate(USER, PASSWORD).await?;
    let query = IoQuery::new("7d 0e/ü")
        .metrics(["m", "a b&c"])
        .between("2023-11-14 22:13:20.5".parse::<Millis>()?, THEN + 60_000)
        .order(Order::Descending);
    client.query(&query).await?;
    let asked = front.asked();
    let login = &asked[0];
    assert_eq!(
        (&*login.method, &*login.path),
        ("POST", "/auth/realms/kaa/protocol/openid-connect/token")
    );
    assert_eq!(
        login.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(login.header("authorization"), None);
    let expected = [
        ("client_id", "grafana-frontend"),
        ("client_secret", "own secret"),
        ("grant_type", "password"),
        ("password", PASSWORD),
        ("username", USER),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(form(login), expected.into());
    let asked = &asked[1];
    assert_eq!(asked.method, "GET");
    assert_eq!(
        asked.path,
        "/epts/data?timeSeriesName=m%2Ca+b%26c&uuid=7d+0e%2F%C3%BC&fromDate=2023-11-14T22%3A13%3A20.500Z\
         &toDate=2023-11-14T22%3A14%3A20.000Z&sort=DESC"
    );
    assert_eq!(asked.header("authorization"), Some("Bearer access-1"));
    Ok(())
}

#[tokio::test]
async fn answers_become_series_in_the_order_of_the_query() -> Tested {
    let (cloud, front, _) = cloud().await?;
    let client = builder(&front).user(USER, PASSWORD).build()?;
    let body = r#"[
        {"7d0e": {"b": [{"timestamp": "2023-11-14T22:13:22Z", "values": {"value": "open"}}]}},
        {"7d0e": {"a": [{"timestamp": "2023-11-14T22:13:21.123456Z", "values": {"value": 3}},
                        {"timestamp": 1700000000000, "values": {"value": null, "lat": 50.5}}],
                  "z": []}},
        {"7d0e": {"a": [{"timestamp": "2023-11-14T22:13:19.5+00:00", "values": {"value": -1.5}}]},
         "other": {"a": [{"timestamp": "1969-12-31T23:59:59.999Z", "values": {"value": true}}]}}
    ]"#;
    let dated = Reply::ok(body).with("date", "Tue, 14 Nov 2023 22:13:20 GMT");
    cloud.lock().unwrap().answers = Some(dated);
    let query = query().metric("a").metric("b");
    let answer = client.query(&query).await?;
    let then = SystemTime::UNIX_EPOCH + Duration::from_millis(THEN as u64);
    assert_eq!(answer.server_time, Some(then));
    let texts: Vec<String> = answer.points().map(|point| point.to_string()).collect();
    assert_eq!(
        texts,
        [
            "a{uuid=7d0e} -1.5 @ 1699999999500",
            "a{uuid=7d0e} null @ 1700000000000",
            "a{uuid=7d0e} 3 @ 1700000001123",
            "a{field=lat uuid=7d0e} 50.5 @ 1700000000000",
            "a{uuid=other} 1 @ -1",
            "b{uuid=7d0e} \"open\" @ 1700000002000",
        ]
    );
    let answer = client.query(&query.order(Order::Descending)).await?;
    let times: Vec<i64> = answer.series[0]
        .values
        .iter()
        .map(|(time, _)| *time)
        .collect();
    assert_eq!(times, [THEN + 1_123, THEN, THEN - 500]);
    assert_eq!(answer.series[0].values[1].1, PointValue::Null);

    for empty in ["[]", r#"[{"7d0e":{}}]"#, r#"[{"other":{"m":[]}}]"#] {
        cloud.lock().unwrap().answers = Some(Reply::ok(empty));
        let answer = client.query(&self::query()).await?;
        assert_eq!(answer.points().count(), 0, "{empty}");
    }
    Ok(())
}

#[cfg(feature = "tables")]
#[tokio::test]
async fn answers_become_tables_with_a_column_for_each_metric_that_was_asked_for() -> Tested {
    use headwater::timeseries::{Duplicates, Table, TableError};

    let (cloud, _front, client) = cloud().await?;
    let body = r#"[{"7d0e": {"b": [{"timestamp": 1700000000000, "values": {"value": 7}}],
            "a": [{"timestamp": 1700000002000, "values": {"value": 3, "lat": 50.5}},
                  {"timestamp": 1700000000000, "values": {"value": 1.5}}],
            "more": [{"timestamp": 1700000000000, "values": {"value": "x"}}]},
        "other": {"a": [{"timestamp": 1700000002000, "values": {"value": 9}}]}}]"#;
    cloud.lock().unwrap().answers = Some(Reply::ok(body));
    let query = query().metrics(["silent", "a", "b", "a"]);
    let table = client.query_table(&query).await?;
    let names: Vec<&str> = table.names().collect();
    let expected = [
        "m",
        "silent",
        "a",
        "a{field=lat}",
        "a{uuid=other}",
        "b",
        "more",
    ];
    assert_eq!(names, expected);
    assert_eq!(table.times(), [THEN, THEN + 2_000]);
    let cells = |name: &str| [table.value(0, name), table.value(1, name)];
    let null = || Ok(PointValue::Null);
    assert_eq!(cells("m"), [null(), null()]);
    assert_eq!(cells("a"), [Ok(1.5.into()), Ok(3.0.into())]);
    assert_eq!(cells("a{field=lat}"), [null(), Ok(50.5.into())]);
    assert_eq!(cells("a{uuid=other}"), [null(), Ok(9.into())]);
    assert_eq!(cells("b"), [Ok(7.into()), null()]);
    // What a column is of is not forgotten.
    let mut points: Vec<Point> = table.points().collect();
    let mut answered: Vec<Point> = client.query(&query).await?.points().collect();
    points.sort();
    answered.sort();
    assert_eq!(points, answered);

    let twice = r#"[{"7d0e": {"m": [{"timestamp": 5, "values": {"value": 1}}, {"timestamp": 5, "values": {"value": 2}}]}}]"#;
    cloud.lock().unwrap().answers = Some(Reply::ok(twice));
    let answer = client.query(&self::query()).await?;
    let table = answer.table(&self::query())?;
    assert_eq!((table.value(0, "m")?, table.replaced()), (2.into(), 1));
    let strict = Table::builder().duplicates(Duplicates::Fail);
    assert!(matches!(
        answer.table_by(&strict, &self::query()),
        Err(TableError::Duplicate { millis: 5, .. })
    ));
    cloud.lock().unwrap().answers = Some(Reply::ok("[]"));
    let table = client.query_table(&self::query()).await?;
    assert!(table.is_empty() && table.names().eq(["m"]));
    Ok(())
}

#[tokio::test]
async fn a_large_answer_is_read_too() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    let samples = (0..30_000).map(|n| {
        let time = Millis::from(THEN + n).to_string();
        json!({"timestamp": time, "values": {"value": n}})
    });
    let samples: Vec<_> = samples.collect();
    let body = json!([{"7d0e": {"m": samples}}]).to_string();
    assert!(body.len() > 1 << 20);
    cloud.lock().unwrap().answers = Some(Reply::ok(body));
    let answer = client.query(&query()).await?;
    assert_eq!(answer.points().count(), 30_000);
    assert_eq!(
        answer.series[0].values[29_999],
        (THEN + 29_999, 29_999.into())
    );
    Ok(())
}

#[tokio::test]
async fn what_is_no_token_and_no_answer_is_said() -> Tested {
    let (cloud, front, client) = cloud().await?;
    for (body, why) in [
        ("<html>sign in</html>", "the answer is no JSON"),
        ("{}", "there is no text `access_token`"),
        (r#"{"access_token": 5}"#, "there is no text `access_token`"),
        (r#"{"access_token": ""}"#, "there is no text `access_token`"),
        (
            r#"{"access_token": "a\nb"}"#,
            "characters that no token may have",
        ),
    ] {
        cloud.lock().unwrap().broken = Some(Reply::ok(body));
        let error = fails(&client).await;
        assert_eq!(error.step(), Step::LogIn);
        let Reason::Undecodable { why: said, body } = error.reason() else {
            panic!("{error}")
        };
        assert!(said.contains(why), "{said}");
        assert_eq!(body, "", "it may be half of a token");
    }
    cloud.lock().unwrap().broken = None;
    for (body, why) in [
        ("<html>sign in</html>", "expected value at line 1 column 1"),
        ("{}", "expected a sequence"),
        (
            r#"[{"7d0e": {"m": [{"values": {"value": 1}}]}}]"#,
            "missing field `timestamp`",
        ),
        (
            r#"[{"7d0e": {"m": [{"timestamp": "yesterday", "values": {"value": 1}}]}}]"#,
            "\"yesterday\" is no time",
        ),
        (
            r#"[{"7d0e": {"m": [{"timestamp": 1.5, "values": {"value": 1}}]}}]"#,
            "expected a time",
        ),
    ] {
        cloud.lock().unwrap().answers = Some(Reply::ok(body));
        let error = fails(&client).await;
        assert_eq!(error.step(), Step::Query);
        let Reason::Undecodable {
            why: said,
            body: shown,
        } = error.reason()
        else {
            panic!("{error}")
        };
        assert!(said.contains(why), "{said}");
        assert_eq!(shown, body);
    }
    // What may pass is asked again.
    let asked = front.asked().len();
    cloud.lock().unwrap().answers = Some(Reply::errors(502, &["bad gateway"]));
    let error = fails(&client).await;
    assert_eq!((error.attempts(), front.asked().len() - asked), (3, 3));
    assert!(error.can_retry());
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_before_anything_is_sent() -> Tested {
    let (_cloud, front, client) = cloud().await?;
    let minute = Duration::from_secs(60);
    for (query, why) in [
        (
            IoQuery::new("").metric("m").last(minute),
            "the uuid is empty",
        ),
        (IoQuery::new("u").last(minute), "no metric is asked for"),
        (
            IoQuery::new("u").metric("").last(minute),
            "the name of a metric is empty",
        ),
        (
            IoQuery::new("u").metric("a,b").last(minute),
            "\"a,b\" can't be asked for",
        ),
        (IoQuery::new("u").metric("m"), "no time is asked for"),
        (
            IoQuery::new("u").metric("m").between(1, 0),
            "is before the start",
        ),
        (
            IoQuery::new("u").metric("m").between(0, i64::MAX),
            "years up to 9999",
        ),
        (
            IoQuery::new("u").metric("m").last(Duration::MAX),
            "ago there was no time",
        ),
    ] {
        let error = client.query(&query).await.unwrap_err();
        let Reason::BadQuery(said) = error.reason() else {
            panic!("{error}")
        };
        assert!(said.contains(why), "{said}");
        assert_eq!((error.step(), error.attempts()), (Step::Query, 0));
        assert!(!error.can_retry());
    }
    assert!(front.asked().is_empty());
    Ok(())
}

#[tokio::test]
async fn the_staging_environment_is_asked_where_it_is() -> Tested {
    // A proxy is told which hosts are meant.
    let front = Front::new(|_, _| Reply::status(502, "")).await;
    for (builder, domain) in [
        (ProficloudIo::builder(), "proficloud.io"),
        (ProficloudIo::staging(), "proficloud-staging.io"),
    ] {
        let builder = builder.proxy(front.url()).attempts(1);
        let client = builder.clone().build()?;
        assert_eq!(client.url(), format!("https://tsd.{domain}/epts/data"));
        client.authenticate(USER, PASSWORD).await.unwrap_err();
        client.set_token("token");
        fails(&client).await;
        let simple = builder.influx().build()?;
        simple.authenticate(USER, PASSWORD).await.unwrap_err();
        let asked = front.asked();
        let asked: Vec<_> = asked.iter().rev().take(3).rev().collect();
        let hosts = ["auth", "tsd", "tsd"].map(|host| format!("{host}.{domain}:443"));
        for (asked, host) in asked.into_iter().zip(hosts) {
            assert_eq!((&*asked.method, &*asked.path), ("CONNECT", &*host));
        }
    }
    for (url, why) in [
        ("tsd.proficloud.io", "relative URL"),
        ("ftp://x", "one of HTTP"),
    ] {
        let error = ProficloudIo::builder().auth_url(url).build().unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    Ok(())
}
