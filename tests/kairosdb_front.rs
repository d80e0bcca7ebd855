//! The client of KairosDB against a server that fails in all the ways that networks and gateways have.

#![cfg(feature = "kairosdb")]

mod http_front;

use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use headwater::timeseries::kairosdb::{
    Aggregator, Gzip, KairosDb, KairosDbBuilder, KairosError, Query, QueryMetric, Reason, Unfit,
};
use headwater::timeseries::{Point, PointValue, Range, Store};
use http_front::{Asked, Front, Reply};
use proptest::prelude::*;
use serde_json::{Value, json};

type Failed = Box<dyn std::error::Error>;
type Tested = Result<(), Failed>;

/// One point, as it is answered.
const ONE: &str = r#"{"queries":[{"sample_size":1,"results":[{"name":"m",
    "group_by":[{"name":"type","type":"number"}],"tags":{"host":["a"]},"values":[[1,2.5]]}]}]}"#;

/// A client that does not wait long.
fn quick(url: &str) -> KairosDbBuilder {
    let short = Duration::from_millis(1);
    KairosDb::builder(url).backoff(short, short)
}

fn query() -> Query {
    Query::since(0).metric("m")
}

fn points(count: i64) -> Vec<Point> {
    let point = |n| Point::new("m", n, n).tagged([("host", "a")]);
    (0..count).map(point).collect()
}

/// Answers so once, and then well.
async fn once(reply: Reply) -> Front {
    Front::new(move |n, _| {
        if n == 0 {
            reply.clone()
        } else {
            Reply::ok(ONE)
        }
    })
    .await
}

/// Answers so always.
async fn always(reply: Reply) -> Front {
    Front::new(move |_, _| reply.clone()).await
}

async fn fails(builder: KairosDbBuilder) -> Result<KairosError, Failed> {
    Ok(builder
        .build()?
        .query(&query())
        .await
        .expect_err("it should fail"))
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn what_may_pass_is_asked_again() -> Tested {
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{ONE}");
    let mut broken = gzip(ONE.as_bytes());
    broken.truncate(broken.len() / 2);
    let broken = Reply::Full(200, vec![("content-encoding", "gzip".into())], broken);
    let mut passing = vec![Reply::Close, Reply::Raw(cut.into_bytes()), broken];
    passing.push(Reply::Raw(b"SSH-2.0-nonsense\r\n".to_vec()));
    for status in [408, 425, 429, 500, 502, 503, 504] {
        passing.push(Reply::errors(status, &["later"]));
    }
    for reply in passing {
        let front = once(reply.clone()).await;
        let client = quick(&front.url()).build()?;
        let answer = client
            .query(&query())
            .await
            .map_err(|error| format!("{reply:?}: {error}"))?;
        assert_eq!(answer.points().count(), 1);
        assert_eq!(front.asked().len(), 2, "{reply:?}");
        let exchange = client.last_exchange().expect("there was one");
        assert_eq!(
            (exchange.attempts, exchange.status, exchange.error),
            (2, Some(200), None)
        );
        let same = |asked: &Asked| (asked.method.clone(), asked.path.clone(), asked.body.clone());
        assert_eq!(same(&front.asked()[0]), same(&front.asked()[1]));
    }
    Ok(())
}

#[tokio::test]
async fn what_will_not_pass_is_asked_once() -> Tested {
    for status in [400, 401, 403, 404, 405, 410, 501] {
        let front = always(Reply::errors(status, &["one", "two"])).await;
        let error = fails(quick(&front.url())).await?;
        assert_eq!(error.status(), Some(status));
        assert_eq!(error.messages(), ["one", "two"]);
        assert_eq!((error.attempts(), front.asked().len()), (1, 1));
        assert!(!error.can_retry());
        let shown = format!("POST /api/v1/datapoints/query: status {status}: one; two");
        assert_eq!(error.to_string(), shown);
    }
    Ok(())
}

#[tokio::test]
async fn attempts_end() -> Tested {
    let front = always(Reply::status(503, "<html>be right back</html>")).await;
    let client = quick(&front.url()).attempts(4).build()?;
    // Each request has as many.
    for requests in [4, 8] {
        let error = client.query(&query()).await.unwrap_err();
        assert_eq!((error.attempts(), front.asked().len()), (4, requests));
        assert_eq!(error.messages(), ["<html>be right back</html>"]);
        assert!(error.can_retry());
    }
    // Whether a store is well is not asked twice.
    let error = client.health_check().await.unwrap_err();
    assert_eq!((error.attempts(), front.asked().len()), (1, 9));
    let front = always(Reply::Close).await;
    let error = fails(quick(&front.url()).attempts(1)).await?;
    assert_eq!(front.asked().len(), 1);
    assert!(
        matches!(error.reason(), Reason::Transport(_)) && error.can_retry(),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_store_that_is_out_of_reach_is_named_with_the_cause_and_no_more() -> Tested {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let url = format!("http://{nobody}");
    let error = fails(quick(&url).attempts(2)).await?.to_string();
    let said = format!("POST /api/v1/datapoints/query: can't reach {url}: ");
    let cause = error
        .strip_prefix(&said)
        .unwrap_or_else(|| panic!("{error}"));
    assert!(cause.ends_with(" (tried 2 times)"), "{error}");
    // The cause is the system's, and not what layers of the client call it.
    assert!(
        !cause.contains("http") && !cause.contains("client error"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_store_that_asks_for_patience_gets_it_up_to_a_limit() -> Tested {
    let front = once(Reply::errors(429, &["slowly"]).with("retry-after", "1")).await;
    let begin = Instant::now();
    quick(&front.url()).build()?.query(&query()).await?;
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(front.asked().len(), 2);

    // By the server's own clock, whatever ours shows.
    let by_date = Reply::errors(503, &[])
        .with("date", "Tue, 14 Nov 2023 22:13:20 GMT")
        .with("retry-after", "Tue, 14 Nov 2023 23:13:20 GMT");
    for reply in [Reply::errors(503, &[]).with("retry-after", "3600"), by_date] {
        let front = always(reply).await;
        let error = fails(quick(&front.url())).await?;
        assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
        assert_eq!(error.attempts(), 1, "nobody waits for an hour");
        assert!(error.can_retry());
        let store = quick(&front.url()).build()?.store(query());
        let error = store.fetch(Range { from: 0, to: 1 }).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
        assert!(error.can_retry());
    }
    Ok(())
}

#[tokio::test]
async fn an_aggregator_whose_parameters_are_no_object_is_not_sent() -> Tested {
    let front = Front::new(|_, _| Reply::ok(ONE)).await;
    let client = quick(&front.url()).build()?;
    let with = |parameters: Value| {
        let metric = QueryMetric::new("m").aggregate(Aggregator::raw("sma", parameters));
        Query::since(0).metric(metric)
    };
    for parameters in [
        json!([["size", 3]]),
        json!("size=3"),
        json!(3),
        json!(false),
    ] {
        let error = client.query(&with(parameters)).await.unwrap_err();
        assert_eq!(error.attempts(), 0);
        let Reason::BadQuery(why) = error.reason() else {
            panic!("{error}");
        };
        assert!(
            why.starts_with("query.metrics[0].aggregators[0].parameters "),
            "{why}"
        );
    }
    assert!(front.asked().is_empty());
    for none in [Value::Null, json!({})] {
        client.query(&with(none)).await?;
    }
    assert_eq!(
        front.asked()[0].json()["metrics"][0]["aggregators"],
        json!([{"name": "sma"}])
    );
    Ok(())
}

#[tokio::test]
async fn silence_and_answers_that_never_end_run_into_limits() -> Tested {
    let soon = Duration::from_millis(100);
    let silent = always(Reply::Silence).await;
    let error = fails(quick(&silent.url()).timeout(soon).attempts(2)).await?;
    assert!(
        matches!(error.reason(), Reason::TimedOut(after) if *after == soon),
        "{error}"
    );
    assert_eq!(error.attempts(), 2);
    assert!(error.can_retry());

    let dribbling = always(Reply::Endless(1, Duration::from_millis(5))).await;
    let error = fails(quick(&dribbling.url()).timeout(soon).attempts(1)).await?;
    assert!(matches!(error.reason(), Reason::TimedOut(_)), "{error}");

    let endless = always(Reply::Endless(10_000, Duration::ZERO)).await;
    let error = fails(quick(&endless.url()).max_answer(100_000)).await?;
    assert!(
        matches!(error.reason(), Reason::TooLarge(100_000)),
        "{error}"
    );
    assert_eq!(endless.asked().len(), 1);
    assert!(!error.can_retry());

    // Ten million spaces in ten thousand bytes.
    let bomb = gzip(&vec![b' '; 10_000_000]);
    assert!(bomb.len() < 20_000);
    let bomb = Reply::Full(200, vec![("content-encoding", "gzip".into())], bomb);
    let front = always(bomb).await;
    let error = fails(quick(&front.url()).max_answer(100_000)).await?;
    assert!(
        matches!(error.reason(), Reason::TooLarge(100_000)),
        "{error}"
    );

    // A complaint without end is one nevertheless.
    let mut complaint = b"HTTP/1.1 400 X\r\n\r\n".to_vec();
    complaint.extend(vec![b'x'; 3 << 20]);
    let front = always(Reply::Raw(complaint)).await;
    let error = fails(quick(&front.url())).await?;
    assert_eq!(
        (error.status(), error.messages()[0].len()),
        (Some(400), 1000)
    );
    Ok(())
}

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
async fn it_says_who_it_is_and_keeps_that_to_itself() -> Tested {
    let front = Front::new(|_, _| Reply::ok(ONE)).await;
    let builder = quick(&front.url())
        .header("X-Tenant", "t-secret")
        .header("x-tenant", "two");
    let basic = builder.clone().basic_auth("user", "basic-secret").build()?;
    basic.query(&query()).await?;
    let bearer = builder.clone().bearer("bearer-secret").build()?;
    bearer.query(&query()).await?;
    bearer.clone().set_bearer("other-secret");
    bearer.query(&query()).await?;
    let asked = front.asked();
    // base64 of user:basic-secret
    assert_eq!(
        asked[0].header("authorization"),
        Some("Basic dXNlcjpiYXNpYy1zZWNyZXQ=")
    );
    assert_eq!(
        asked[1].header("authorization"),
        Some("Bearer bearer-secret")
    );
    assert_eq!(
        asked[2].header("authorization"),
        Some("Bearer other-secret")
    );
    assert_eq!(
        asked[0].header("x-tenant"),
        Some("two"),
        "the last of both that were sent"
    );
    assert_eq!(asked[0].header("accept-encoding"), Some("gzip"));
    let all = format!(
        "{builder:?} {basic:?} {:?} {bearer:?}",
        basic.last_exchange()
    );
    assert!(!all.contains("secret"), "{all}");
    Ok(())
}

#[tokio::test]
async fn answers_come_packed_only_if_they_may() -> Tested {
    let packed = Reply::Full(
        200,
        vec![("content-encoding", "gzip".into())],
        gzip(ONE.as_bytes()),
    );
    let front = Front::new(move |_, asked| match asked.header("accept-encoding") {
        Some("gzip") => packed.clone(),
        _ => Reply::ok(ONE),
    })
    .await;
    for (may, accept) in [(true, Some("gzip")), (false, None)] {
        let client = quick(&front.url()).gzip_answers(may).build()?;
        assert_eq!(client.query(&query()).await?.points().count(), 1);
        let exchange = client.last_exchange().expect("there was one");
        assert_eq!(exchange.answer.text(), ONE);
        assert_eq!(
            front.asked().last().unwrap().header("accept-encoding"),
            accept
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_last_exchange_can_be_looked_at() -> Tested {
    let front = Front::new(|n, _| match n {
        0 => Reply::ok(ONE),
        _ => Reply::errors(400, &["no"]),
    })
    .await;
    let client = quick(&front.url()).keep_exchange(20).build()?;
    assert!(client.last_exchange().is_none());
    client.query(&query()).await?;
    let exchange = client.last_exchange().expect("there was one");
    assert_eq!(exchange.asked, "POST /api/v1/datapoints/query");
    let payload = query().to_json().to_string();
    assert_eq!(exchange.payload.len(), payload.len());
    assert_eq!(exchange.payload.text(), payload[..20]);
    assert!(!exchange.payload.is_whole());
    assert_eq!((exchange.status, exchange.attempts), (Some(200), 1));
    assert_eq!(
        (exchange.answer.len(), exchange.sent_bytes),
        (ONE.len(), payload.len())
    );
    assert!(exchange.until_head.expect("it was answered") <= exchange.total);
    let other = client.clone();
    other.version().await.unwrap_err();
    let exchange = client.last_exchange().expect("there was one");
    assert_eq!(exchange.asked, "GET /api/v1/version");
    assert_eq!(exchange.error.as_deref(), Some("status 400: no"));
    assert_eq!(exchange.answer.text(), r#"{"errors":["no"]}"#);
    assert!(exchange.payload.is_empty());
    Ok(())
}

#[tokio::test]
async fn so_many_requests_are_under_way_and_no_more() -> Tested {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen, pair) = (most.clone(), Arc::new(tokio::sync::Barrier::new(2)));
    let front = Front::waiting(move |_, _| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let (now, pair) = (now.clone(), pair.clone());
        async move {
            // There are two at a time, or this never ends.
            pair.wait().await;
            // More than two would have come by now.
            tokio::time::sleep(Duration::from_millis(5)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Reply::ok(ONE)
        }
    })
    .await;
    let client = quick(&front.url()).concurrency(2).build()?;
    let query = query();
    let all = (0..10).map(|_| client.query(&query));
    for answer in futures::future::join_all(all).await {
        assert_eq!(answer?.points().count(), 1);
    }
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    Ok(())
}

#[tokio::test]
async fn a_request_that_waits_for_its_next_attempt_is_in_nobodys_way() -> Tested {
    // The first one waits for an hour, longer than this test; the second one has room nevertheless.
    let front = once(Reply::errors(503, &[]).with("retry-after", "3600")).await;
    let builder = KairosDb::builder(front.url()).concurrency(1);
    let client = builder.max_retry_after(Duration::from_secs(7200)).build()?;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.query(&query()).await }
    });
    while front.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.query(&query()).await?.points().count(), 1);
    assert!(!waiting.is_finished());
    waiting.abort();
    Ok(())
}

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

#[tokio::test]
async fn redirects_are_not_followed() -> Tested {
    let front = always(Reply::status(302, "").with("location", "http://elsewhere.invalid/")).await;
    let error = fails(quick(&front.url())).await?;
    assert_eq!(error.status(), Some(302));
    assert!(
        error.to_string().contains("http://elsewhere.invalid/"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn paths_can_be_those_of_a_gateway() -> Tested {
    let front = Front::new(|_, asked| match asked.path.as_str() {
        "/ds/v1/kairos/api/v1/datapoints/query/" => Reply::ok(ONE),
        "/ds/v1/kairos/api/v1/datapoints/write" => Reply::queued(),
        "/ds/v1/kairos/api/v1/metric/a%2Fb%20%C3%BC%3F" => Reply::queued(),
        path => Reply::errors(404, &[path]),
    })
    .await;
    for end in ["", "/", "/api/v1", "/api/v1/"] {
        let client = quick(&format!("{}/ds/v1/kairos{end}", front.url()))
            .query_path("datapoints/query/")
            .write_path("datapoints/write")
            .build()?;
        client.query(&query()).await?;
        client.write(&points(1)).await?;
        client.delete_metric("a/b ü?").await?;
    }
    Ok(())
}

#[test]
fn what_a_client_cannot_be_made_of_is_said() {
    let at = KairosDb::builder("http://127.0.0.1:1");
    let cases = [
        (
            KairosDb::builder("127.0.0.1:8080"),
            "the URL \"127.0.0.1:8080\" can't be used: it should be one of HTTP, such as http://127.0.0.1:8080",
        ),
        (KairosDb::builder(""), "such as http://127.0.0.1:8080"),
        (
            KairosDb::builder("http://"),
            "such as http://127.0.0.1:8080",
        ),
        (KairosDb::builder("ftp://store"), "one of HTTP"),
        (KairosDb::builder("http://user:geheim@store"), "basic_auth"),
        (KairosDb::builder("http://store/?x=1"), "end with the path"),
        (at.clone().timeout(Duration::ZERO), "`timeout` of zero"),
        (
            at.clone().connect_timeout(Duration::ZERO),
            "`connect_timeout` of zero can't be used: give it a longer time",
        ),
        (at.clone().attempts(0), "`attempts` of zero"),
        (
            at.clone().backoff(Duration::ZERO, Duration::MAX),
            "`backoff` of zero",
        ),
        (at.clone().concurrency(0), "`concurrency` of zero"),
        (
            at.clone().ttl(Duration::ZERO),
            "`ttl` of zero can't be used: it means for ever to the store",
        ),
        (
            at.clone().max_points(0),
            "`max_points` of zero can't be used: let it be 1 at least",
        ),
        (at.clone().header("bad name", "x"), "bad name"),
        (at.clone().header("x", "a\nb"), "header \"x\""),
        (at.clone().proxy("::"), "proxy"),
        (at.clone().authority("no certificate"), "authority"),
        (at.clone().tag("", "x"), "tags of every point"),
        (at.tag("x", ""), "tags of every point"),
    ];
    for (builder, why) in cases {
        let error = builder.build().expect_err(why).to_string();
        assert!(error.contains(why), "{why}: {error}");
        assert!(!error.contains("geheim"), "{error}");
    }
}

#[tokio::test]
async fn requests_go_by_a_proxy_if_there_is_one() -> Tested {
    let proxy = Front::new(|_, asked| match asked.path.as_str() {
        "http://store.invalid/api/v1/datapoints/query" => Reply::ok(ONE),
        path => Reply::errors(404, &[path]),
    })
    .await;
    let url = proxy.url().replace("http://", "http://user:word@");
    let client = quick("http://store.invalid").proxy(url).build()?;
    assert_eq!(client.query(&query()).await?.points().count(), 1);
    let asked = proxy.asked().pop().unwrap();
    assert_eq!(
        asked.header("proxy-authorization"),
        Some("Basic dXNlcjp3b3Jk")
    );
    Ok(())
}

/// Set in the process that has proxies in its environment.
const CHILD: &str = "HEADWATER_TEST_OF_PROXIES";

#[tokio::test]
async fn proxies_of_the_environment_are_taken_only_if_asked_for() -> Tested {
    if std::env::var_os(CHILD).is_some() {
        let client = quick("http://store.invalid")
            .proxy_from_environment()
            .build()?;
        assert_eq!(client.query(&query()).await?.points().count(), 1);
        let error = fails(quick("http://store.invalid")).await?;
        assert!(matches!(error.reason(), Reason::Transport(_)), "{error}");
        return Ok(());
    }
    let proxy = always(Reply::ok(ONE)).await;
    let mut child = Command::new(std::env::current_exe()?);
    child
        .args([
            "--exact",
            "proxies_of_the_environment_are_taken_only_if_asked_for",
        ])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env("HTTP_PROXY", proxy.url())
        .env("http_proxy", proxy.url())
        .env(CHILD, "1");
    let output = tokio::task::spawn_blocking(move || child.output()).await??;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    assert_eq!(proxy.asked().len(), 1);
    Ok(())
}

#[tokio::test]
async fn certificates_are_checked_unless_that_is_switched_off_by_its_name() -> Tested {
    use tokio_rustls::rustls;
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let pem = made.cert.pem();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let front = Front::over(
        |_, _| std::future::ready(Reply::ok(ONE)),
        move |stream| {
            let acceptor = acceptor.clone();
            async move { acceptor.accept(stream).await.ok() }
        },
    )
    .await;
    let url = front.url().replace("http:", "https:");
    let error = fails(quick(&url)).await?;
    assert!(matches!(error.reason(), Reason::Transport(_)), "{error}");
    assert!(
        error.to_string().to_lowercase().contains("certificate"),
        "{error}"
    );
    let trusting = quick(&url).authority(pem).build()?;
    assert_eq!(trusting.query(&query()).await?.points().count(), 1);
    let reckless = quick(&url).danger_accept_invalid_certificates().build()?;
    assert_eq!(reckless.query(&query()).await?.points().count(), 1);
    // Another one's authority is not this one's.
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?
        .cert
        .pem();
    let error = fails(quick(&url).authority(other)).await?;
    assert!(matches!(error.reason(), Reason::Transport(_)), "{error}");
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

#[test]
fn what_it_does_can_be_awaited_on_any_thread() {
    fn sent<T: Send>(_: T) {}
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let client = KairosDb::new("http://127.0.0.1:1").expect("a URL");
    shared(&client);
    let (query, points) = (query(), points(1));
    sent(client.query(&query));
    sent(client.write(&points));
    sent(client.write_iter(points.iter().cloned()));
    sent(client.write_sifted(&points));
    sent(client.delete_metric("m"));
    let store = client.store(query.clone());
    sent(store.fetch(Range { from: 0, to: 1 }));
}
