//! The client of proficloud.io against a service that gives tokens which expire, are revoked, and can't be had.

#![cfg(feature = "proficloud")]

mod http_front;
mod proficloud_front;

use std::time::{Duration, SystemTime};

use futures::StreamExt;
use futures::future::join_all;
use headwater::timeseries::kairosdb::{Order, Reason};
use headwater::timeseries::proficloud::{
    IoQuery, Millis, ProficloudError, ProficloudIo, ProficloudIoBuilder, Step,
};
use headwater::timeseries::{Point, PointValue, PollState, Polling, Range, Store};
use http_front::{Front, Reply};
use proficloud_front::{
    Cloud, PASSWORD, Shared, USER, cloud_front, form, later, settled, unauthorized,
};
use serde_json::json;

type Failed = Box<dyn std::error::Error>;
type Tested = Result<(), Failed>;

/// 2023-11-14T22:13:20Z
const THEN: i64 = 1_700_000_000_000;

fn builder(front: &Front) -> ProficloudIoBuilder {
    let short = Duration::from_millis(1);
    let builder = ProficloudIo::builder().backoff(short, short);
    builder.data_url(front.url()).auth_url(front.url())
}

fn query() -> IoQuery {
    IoQuery::new("7d0e")
        .metric("m")
        .between(THEN, THEN + 60_000)
}

/// A service with a point, and a client of its user.
async fn cloud() -> Result<(Shared, Front, ProficloudIo), Failed> {
    let cloud = Cloud::shared();
    let point = ("2023-11-14T22:13:21.500Z".to_owned(), json!(2.5));
    cloud
        .lock()
        .unwrap()
        .points
        .insert("m".to_owned(), vec![point]);
    let front = cloud_front(cloud.clone()).await;
    let client = builder(&front).user(USER, PASSWORD).build()?;
    Ok((cloud, front, client))
}

fn log(cloud: &Shared) -> Vec<&'static str> {
    std::mem::take(&mut cloud.lock().unwrap().log)
}

fn the_point() -> Point {
    Point::new("m", THEN + 1_500, 2.5).tagged([("uuid", "7d0e")])
}

async fn finds_the_point(client: &ProficloudIo) -> Tested {
    let answer = client.query(&query()).await?;
    assert_eq!(answer.points().collect::<Vec<_>>(), [the_point()]);
    Ok(())
}

async fn fails(client: &ProficloudIo) -> ProficloudError {
    client.query(&query()).await.expect_err("it should fail")
}

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
async fn a_wrong_password_is_said_and_changes_nothing() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    for (user, password) in [(USER, "wrong"), ("nobody", PASSWORD), ("", "")] {
        let error = client.authenticate(user, password).await.unwrap_err();
        assert_eq!((error.step(), error.status()), (Step::LogIn, Some(401)));
        assert_eq!(
            error.messages(),
            ["invalid_grant: Invalid user credentials"]
        );
        assert!(!error.can_retry());
        assert_eq!(
            error.to_string(),
            "logging in: POST /auth/realms/kaa/protocol/openid-connect/token: status 401: invalid_grant: \
             Invalid user credentials"
        );
    }
    assert_eq!(log(&cloud), ["password"; 3], "each was tried once");
    finds_the_point(&client).await?;
    client.authenticate(USER, "wrong").await.unwrap_err();
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["password", "data", "password", "data"]);
    Ok(())
}

#[tokio::test]
async fn who_waits_for_a_login_that_fails_does_not_try_it_again() -> Tested {
    let (cloud, front, _) = cloud().await?;
    let client = builder(&front).user(USER, "wrong").build()?;
    cloud.lock().unwrap().takes = Duration::from_millis(50);
    let errors = join_all((0..20).map(|_| fails(&client))).await;
    assert!(errors.iter().all(|error| error.status() == Some(401)));
    assert_eq!(
        log(&cloud),
        ["password"],
        "an account may be locked after a few"
    );
    // Who comes later does try.
    fails(&client).await;
    assert_eq!(log(&cloud), ["password"]);
    Ok(())
}

#[tokio::test]
async fn a_token_is_refreshed_a_little_before_it_expires() -> Tested {
    let (cloud, front, client) = cloud().await?;
    finds_the_point(&client).await?;
    later(Duration::from_secs(265)).await;
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["password", "data", "data"]);
    later(Duration::from_secs(10)).await;
    // It will do until there is another one: nobody waits for that.
    cloud.lock().unwrap().takes = Duration::from_secs(600);
    let query = query();
    let all = || join_all((0..20).map(|_| client.query(&query)));
    all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let with = |token: &str| {
        let bearer = format!("Bearer {token}");
        let asked = front.asked();
        let all = asked.iter();
        all.filter(|asked| asked.header("authorization") == Some(&bearer))
            .count()
    };
    let to_tokens = || {
        front
            .asked()
            .iter()
            .filter(|asked| asked.method == "POST")
            .count()
    };
    assert_eq!(
        (with("access-1"), to_tokens()),
        (2 + 40, 2),
        "one asks for all"
    );
    Ok(())
}

#[tokio::test]
async fn a_token_that_was_refreshed_early_is_the_next_one() -> Tested {
    let (cloud, front, client) = cloud().await?;
    finds_the_point(&client).await?;
    later(Duration::from_secs(275)).await;
    finds_the_point(&client).await?;
    let last = || {
        front
            .asked()
            .pop()
            .and_then(|asked| asked.header("authorization").map(str::to_owned))
    };
    while last().as_deref() != Some("Bearer access-2") {
        finds_the_point(&client).await?;
    }
    let refreshes = log(&cloud).into_iter().filter(|what| *what == "refresh");
    assert_eq!(refreshes.count(), 1);

    // By choice, only when it has expired; and by a tenth of its life, where that is short.
    cloud.lock().unwrap().life = 100.0;
    let builder = builder(&front).user(USER, PASSWORD);
    let lazy = builder.clone().refresh_early(Duration::ZERO).build()?;
    let default = builder.build()?;
    finds_the_point(&lazy).await?;
    finds_the_point(&default).await?;
    log(&cloud);
    later(Duration::from_secs(89)).await;
    finds_the_point(&default).await?;
    assert_eq!(log(&cloud), ["data"]);
    later(Duration::from_secs(2)).await;
    finds_the_point(&lazy).await?;
    assert_eq!(log(&cloud), ["data"]);
    finds_the_point(&default).await?;
    settled(&cloud, 2).await;
    let mut kinds = log(&cloud);
    kinds.sort_unstable();
    assert_eq!(kinds, ["data", "refresh"]);
    Ok(())
}

#[tokio::test]
async fn many_queries_make_one_request_for_a_token() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    cloud.lock().unwrap().takes = Duration::from_millis(20);
    let query = query();
    let all = || join_all((0..40).map(|_| client.query(&query)));
    let count = |cloud: &Shared, kind| log(cloud).iter().filter(|what| **what == kind).count();
    // At first; when it has expired; when it is refused before that.
    all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(count(&cloud, "password"), 1);
    later(Duration::from_secs(400)).await;
    all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(count(&cloud, "refresh"), 1);
    cloud.lock().unwrap().access.clear();
    all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(count(&cloud, "refresh"), 1);
    Ok(())
}

#[tokio::test]
async fn a_query_that_is_given_up_leaves_the_way_to_a_token_free() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    cloud.lock().unwrap().takes = Duration::from_secs(600);
    let query = query();
    let given_up = tokio::time::timeout(Duration::from_millis(20), client.query(&query)).await;
    assert!(given_up.is_err());
    cloud.lock().unwrap().takes = Duration::ZERO;
    finds_the_point(&client).await?;
    // So it does with a refresh token that was used up by a query that was given up.
    cloud.lock().unwrap().refresh.clear();
    later(Duration::from_secs(400)).await;
    log(&cloud);
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["refresh", "password", "data"]);
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_given_while_another_one_is_asked_for_is_the_one() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    cloud.lock().unwrap().access.insert("given".to_owned());
    cloud.lock().unwrap().takes = Duration::from_millis(50);
    let query = query();
    let (outcome, ()) = futures::join!(client.query(&query), async { client.set_token("given") });
    outcome?;
    finds_the_point(&client).await?;
    cloud.lock().unwrap().access.remove("given");
    assert_eq!(fails(&client).await.status(), Some(401));
    Ok(())
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    finds_the_point(&client).await?;
    cloud.lock().unwrap().access.clear();
    log(&cloud);
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["refused", "refresh", "data"]);
    // The service refuses whatever it has given.
    cloud.lock().unwrap().answers = Some(Reply::status(401, r#"{"message":"no such endpoint"}"#));
    let error = fails(&client).await;
    assert_eq!((error.step(), error.status()), (Step::Query, Some(401)));
    assert_eq!(error.messages(), ["no such endpoint"]);
    assert!(
        error
            .asked()
            .starts_with("GET /epts/data?timeSeriesName=m&")
    );
    assert!(!error.can_retry());
    assert_eq!(log(&cloud), ["data", "refresh", "data"]);
    // Not being allowed to is no matter of tokens.
    cloud.lock().unwrap().answers = Some(Reply::status(403, ""));
    assert_eq!(fails(&client).await.status(), Some(403));
    assert_eq!(log(&cloud), ["data"]);
    Ok(())
}

#[tokio::test]
async fn without_a_good_refresh_token_the_password_is_shown_again() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    cloud.lock().unwrap().refresh_life = Some(1000.0);
    finds_the_point(&client).await?;
    // It is refused.
    cloud.lock().unwrap().refresh.clear();
    later(Duration::from_secs(500)).await;
    log(&cloud);
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["refresh", "password", "data"]);
    // It has expired, as it said it would.
    later(Duration::from_secs(1100)).await;
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["password", "data"]);
    // Zero is one that does not.
    cloud.lock().unwrap().refresh_life = Some(0.0);
    later(Duration::from_secs(1100)).await;
    finds_the_point(&client).await?;
    later(Duration::from_secs(100_000)).await;
    log(&cloud);
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["refresh", "data"]);
    Ok(())
}

#[tokio::test]
async fn while_tokens_cannot_be_had_the_old_one_will_do_until_it_expires() -> Tested {
    let (cloud, front, client) = cloud().await?;
    finds_the_point(&client).await?;
    later(Duration::from_secs(280)).await;
    cloud.lock().unwrap().broken = Some(Reply::status(503, "<html>down</html>"));
    log(&cloud);
    finds_the_point(&client).await?;
    settled(&cloud, 4).await;
    let mut kinds = log(&cloud);
    kinds.sort_unstable();
    assert_eq!(kinds, ["data", "refresh", "refresh", "refresh"]);
    // Not each query tries it.
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["data"]);
    later(Duration::from_secs(6)).await;
    finds_the_point(&client).await?;
    settled(&cloud, 4).await;
    assert_eq!(log(&cloud).len(), 4);

    later(Duration::from_secs(20)).await;
    let error = fails(&client).await;
    assert_eq!(
        (error.step(), error.status(), error.attempts()),
        (Step::Refresh, Some(503), 3)
    );
    assert!(error.can_retry());
    assert_eq!(log(&cloud), ["refresh"; 3]);
    for (reply, expected) in [
        (Reply::Close, None),
        (
            Reply::errors(429, &["slowly"]).with("retry-after", "3600"),
            Some(429),
        ),
    ] {
        cloud.lock().unwrap().broken = Some(reply);
        let error = fails(&client).await;
        assert_eq!((error.step(), error.status()), (Step::Refresh, expected));
        assert!(error.can_retry(), "{error}");
    }
    assert_eq!(
        fails(&client).await.retry_after(),
        Some(Duration::from_secs(3600))
    );

    // The refresh token is still good when it can be had again.
    cloud.lock().unwrap().broken = None;
    log(&cloud);
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["refresh", "data"]);
    assert_eq!(
        front.asked().last().unwrap().header("authorization"),
        Some("Bearer access-2")
    );
    Ok(())
}

#[tokio::test]
async fn a_token_may_come_from_elsewhere_or_by_the_simple_way() -> Tested {
    let (cloud, front, _) = cloud().await?;
    let client = builder(&front).build()?;
    let error = fails(&client).await;
    assert!(matches!(error.reason(), Reason::NotLoggedIn), "{error}");
    assert!(front.asked().is_empty());
    cloud.lock().unwrap().access.insert("elsewhere".to_owned());
    client.clone().set_token("elsewhere");
    finds_the_point(&client).await?;
    cloud.lock().unwrap().access.clear();
    let error = fails(&client).await;
    assert_eq!((error.step(), error.status()), (Step::Query, Some(401)));
    assert_eq!(
        log(&cloud),
        ["data", "refused"],
        "there is no way to another one"
    );
    client.set_token("with a\nline end");
    let error = fails(&client).await;
    assert_eq!((error.step(), error.attempts()), (Step::Query, 0));
    assert!(!error.to_string().contains("line end"), "{error}");

    let simple = builder(&front).influx().user(USER, PASSWORD).build()?;
    finds_the_point(&simple).await?;
    later(Duration::from_secs(400)).await;
    finds_the_point(&simple).await?;
    assert_eq!(log(&cloud), ["simple", "data", "simple", "data"]);
    let error = simple.authenticate(USER, "wrong").await.unwrap_err();
    assert_eq!((error.step(), error.status()), (Step::LogIn, Some(401)));
    assert_eq!(error.asked(), "POST /epts/token");
    Ok(())
}

#[tokio::test]
async fn a_token_that_does_not_say_how_long_it_is_good_is_used_until_it_is_refused() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    let body = r#"{"access_token": "for-ever", "expires_in": "soon"}"#;
    cloud.lock().unwrap().broken = Some(Reply::ok(body));
    cloud.lock().unwrap().access.insert("for-ever".to_owned());
    finds_the_point(&client).await?;
    later(Duration::from_secs(1_000_000)).await;
    finds_the_point(&client).await?;
    cloud.lock().unwrap().broken = None;
    cloud.lock().unwrap().access.clear();
    finds_the_point(&client).await?;
    assert_eq!(
        log(&cloud),
        ["password", "data", "data", "refused", "password", "data"]
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

/// What stands in a question between these two.
fn between<'a>(question: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = question.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

/// A service that answers questions in InfluxQL from these points, in order of time, with so many in a page.
async fn influx(points: Vec<(String, f64)>) -> Result<(Front, ProficloudIo), Failed> {
    let front = Front::new(move |_, asked| {
        if asked.path == "/epts/token" {
            return Reply::ok(r#"{"access_token": "influx"}"#);
        }
        let question = proficloud_front::parameters(asked).remove("q").unwrap();
        let from = between(&question, "time >= '", "'").unwrap();
        let before = between(&question, "time < '", "'");
        let until = between(&question, "time <= '", "'");
        let within = |(time, _): &&(String, f64)| {
            **time >= *from
                && before.is_none_or(|end| **time < *end)
                && until.is_none_or(|end| **time <= *end)
        };
        let mut rows: Vec<_> = points.iter().filter(within).collect();
        if question.contains("ORDER BY time DESC") {
            rows.reverse();
        }
        rows.truncate(20_000);
        assert!(question.ends_with("LIMIT 20000"));
        if rows.is_empty() {
            return Reply::ok(r#"{"results":[{"statement_id":0}]}"#);
        }
        let series = json!([{"name": "m", "columns": ["time", "value"], "values": rows}]);
        Reply::ok(json!({"results": [{"statement_id": 0, "series": series}]}).to_string())
    })
    .await;
    let client = builder(&front).influx().user(USER, PASSWORD).build()?;
    Ok((front, client))
}

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

/// A store whose service is at its point's time.
fn polling(client: &ProficloudIo) -> Polling<impl Store + use<>> {
    let noon = SystemTime::UNIX_EPOCH + Duration::from_millis(THEN as u64 + 60_000);
    let retry = headwater::Retry::attempts(3).fixed(Duration::from_millis(5));
    Polling::new(client.store(IoQuery::new("7d0e").metric("m")))
        .every(Duration::from_millis(10))
        .buffer(Duration::from_secs(600))
        .retry(retry)
        .retry_slowly(Duration::from_millis(20))
        .wall_clock(move || noon)
}

/// Writes a point so many seconds after `THEN`.
fn write(cloud: &Shared, second: i64) -> Point {
    let time = Millis::from(THEN + second * 1000);
    let point = (time.to_string(), json!(second));
    let mut cloud = cloud.lock().unwrap();
    cloud.points.get_mut("m").unwrap().push(point);
    Point::new("m", time.into(), second).tagged([("uuid", "7d0e")])
}

#[tokio::test]
async fn polling_goes_on_while_tokens_expire_are_revoked_and_cannot_be_had() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    let mut stream = polling(&client).start()?;
    let control = stream.control();
    let mut state = control.watch();
    let mut next = async |expected: Point| {
        let polled = tokio::time::timeout(Duration::from_secs(30), stream.next()).await;
        assert_eq!(polled.unwrap().unwrap().into_point(), expected);
    };
    next(the_point()).await;

    later(Duration::from_secs(400)).await;
    next(write(&cloud, 2)).await;
    cloud.lock().unwrap().access.clear();
    next(write(&cloud, 3)).await;

    // No tokens, and the old one has expired.
    cloud.lock().unwrap().broken = Some(Reply::Close);
    later(Duration::from_secs(400)).await;
    let late = [write(&cloud, 4), write(&cloud, 1)];
    state.wait_for(PollState::is_down).await?;
    cloud.lock().unwrap().broken = None;
    next(late[1].clone()).await;
    next(late[0].clone()).await;
    state.wait_for(PollState::is_healthy).await?;

    // The password was changed, and all tokens are worth nothing.
    {
        let mut cloud = cloud.lock().unwrap();
        cloud.broken = Some(unauthorized());
        cloud.access.clear();
        cloud.refresh.clear();
    }
    let after = write(&cloud, 5);
    state.wait_for(PollState::is_down).await?;
    let told = format!("{:?}", control.state());
    assert!(told.contains("invalid_grant"), "{told}");
    cloud.lock().unwrap().broken = None;
    client.authenticate(USER, PASSWORD).await?;
    next(after).await;
    assert_eq!(control.stats().emitted, 6);
    Ok(())
}

#[tokio::test]
async fn a_store_answers_for_the_stretch_of_time_it_is_asked_for() -> Tested {
    let (cloud, front, client) = cloud().await?;
    for second in 2..6 {
        write(&cloud, second);
    }
    let store = client.store(
        IoQuery::new("7d0e")
            .metric("m")
            .last(Duration::from_secs(1)),
    );
    let range = Range {
        from: THEN + 2_000,
        to: THEN + 4_000,
    };
    let fetched = store.fetch(range).await?;
    let times: Vec<i64> = fetched.points.iter().map(Point::millis).collect();
    assert_eq!(
        times,
        [THEN + 2_000, THEN + 3_000, THEN + 4_000],
        "both ends are part of it"
    );
    let asked = front.asked().len();
    let none = store.fetch(Range { from: 1, to: 0 }).await?;
    assert!(none.points.is_empty());
    assert_eq!(front.asked().len(), asked);
    // A service that gives more than it was asked for.
    let body = r#"[{"7d0e":{"m":[{"timestamp": 1700000001999, "values":{"value":1}},
        {"timestamp": 1700000004001, "values":{"value":1}},{"timestamp": 1700000002000, "values":{"value":1}}]}}]"#;
    cloud.lock().unwrap().answers = Some(Reply::ok(body));
    assert_eq!(store.fetch(range).await?.points.len(), 1);
    let slowly = Reply::errors(429, &["slowly"]).with("retry-after", "3600");
    cloud.lock().unwrap().answers = Some(slowly);
    let error = store.fetch(range).await.unwrap_err();
    assert!(error.can_retry());
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    cloud.lock().unwrap().answers = Some(Reply::status(403, ""));
    assert!(!store.fetch(range).await.unwrap_err().can_retry());
    assert!(store.name().contains(&front.url()));
    Ok(())
}

#[tokio::test]
async fn what_it_does_can_be_awaited_on_any_thread() {
    fn sends<T: Send>(_: T) {}
    let client = ProficloudIo::builder().build().unwrap();
    let query = query();
    sends(client.query(&query));
    sends(client.authenticate("", ""));
}
