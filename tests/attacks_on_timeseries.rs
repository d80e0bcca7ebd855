//! Attacks on the clients of time-series stores and on what they read: odd names, secrets that come back, delays
//! without end, bodies that are nearly right, times at the ends of time.

#![cfg(all(feature = "proficloud", feature = "tables"))]

mod http_front;

use std::time::{Duration, SystemTime};

use futures::StreamExt;
use headwater::BoxError;
use headwater::prelude::*;
use headwater::timeseries::kairosdb::{
    Answer, GroupBy, KairosDb, KairosDbBuilder, KairosError, Query, QueryMetric, RangeAggregator,
    Reason, Relative, When,
};
use headwater::timeseries::proficloud::{
    CsvProblem, IoQuery, MetricsCsv, Millis, NamedMetric, ProficloudIo, Token,
};
use headwater::timeseries::{Moment, Point, PollClock, Polling, Range, Store, Table};
use http_front::{Asked, Front, Reply};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

type Tested = Result<(), BoxError>;

const ONE: &str = r#"{"queries":[{"sample_size":1,"results":[{"name":"m",
    "group_by":[{"name":"type","type":"number"},{"name":"tag","tags":["host"],"group":{"host":"a"}}],
    "tags":{"host":["a"]},"values":[[1,2.5],[2,9007199254740993],[3,"text"],[4,null],[5,1e300]]}]}]}"#;

fn quick(url: &str) -> KairosDbBuilder {
    let short = Duration::from_millis(1);
    KairosDb::builder(url).backoff(short, short)
}

fn query() -> Query {
    Query::since(0).metric("m")
}

fn unix(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    match millis < 0 {
        true => SystemTime::UNIX_EPOCH - distance,
        false => SystemTime::UNIX_EPOCH + distance,
    }
}

#[tokio::test]
async fn a_store_that_asks_to_be_left_alone_for_ever_is_left_alone_by_who_is_so_patient() -> Tested
{
    let busy = Reply::status(503, "").with("retry-after", u64::MAX.to_string());
    let front = Front::new(move |_, _| busy.clone()).await;
    let client = quick(&front.url()).max_retry_after(Duration::MAX).build()?;
    let query = query();
    let asked = tokio::time::timeout(Duration::from_millis(300), client.query(&query));
    assert!(asked.await.is_err(), "it still waits");
    assert_eq!(front.asked().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_delay_without_end_is_waited_for_and_no_overflow() -> Tested {
    let front = Front::new(|_, _| Reply::status(503, "")).await;
    for first in [Duration::from_secs(1 << 40), Duration::MAX] {
        let client = KairosDb::builder(front.url())
            .backoff(first, Duration::MAX)
            .build()?;
        let query = query();
        let asked = tokio::time::timeout(Duration::from_millis(200), client.query(&query));
        assert!(asked.await.is_err(), "it still waits");
    }
    assert_eq!(front.asked().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_delay_of_more_seconds_than_numbers_have_is_not_taken_for_none() -> Tested {
    let digits = "9".repeat(40);
    let front = Front::new(move |_, _| Reply::status(503, "").with("retry-after", &*digits)).await;
    let error = quick(&front.url()).build()?.query(&query()).await;
    let error = error.expect_err("it is busy");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(u64::MAX)));
    assert_eq!(front.asked().len(), 1);
    Ok(())
}

/// What servers of gateways answer who refuse a key: that key.
fn echo(_: usize, asked: &Asked) -> Reply {
    Reply::errors(400, &[&format!("no such key: {:?}", asked.headers)])
}

#[tokio::test]
async fn what_a_header_says_is_not_shown_where_the_server_repeats_it() -> Tested {
    let front = Front::new(echo).await;
    let client = quick(&front.url())
        .header("X-Api-Key", "k-geheim-1")
        .header("Authorization", "Token t-geheim-2")
        .build()?;
    let error = client.query(&query()).await.expect_err("refused");
    let shown = format!(
        "{error} {error:?} {:?} {:?}",
        error.messages(),
        client.last_exchange()
    );
    assert!(shown.contains("no such key"), "{shown}");
    assert!(!shown.contains("geheim"), "{shown}");
    Ok(())
}

#[test]
fn what_may_be_a_token_in_a_url_is_not_shown() {
    for url in [
        "http://store/?token=geheim",
        "http://geheim@store/",
        "http://user:geheim@store:80/?a=geheim&b",
    ] {
        let builder = KairosDb::builder(url);
        let error = builder.clone().build().expect_err(url).to_string();
        let all = format!("{error} {builder:?}");
        assert!(!all.contains("geheim"), "{all}");
        let io = ProficloudIo::builder().data_url(url).auth_url(url);
        let error = io.clone().build().expect_err(url).to_string();
        let all = format!("{error} {io:?}");
        assert!(!all.contains("geheim"), "{all}");
    }
    let proxy = KairosDb::builder("http://store").proxy("no url, user:geheim@?x=geheim");
    let error = proxy.build().expect_err("no URL").to_string();
    assert!(!error.contains("geheim"), "{error}");
}

#[tokio::test]
async fn what_a_proxy_is_told_is_not_shown_where_it_repeats_it() -> Tested {
    let front = Front::new(|_, asked| {
        Reply::status(
            407,
            format!("{:?} geheim-w&rd geheim%2Dw%26rd", asked.headers),
        )
    })
    .await;
    for address in [front.address.to_string(), "127.0.0.1:1".to_owned()] {
        let client = quick("http://store.invalid")
            .proxy(format!("http://name:geheim%2Dw%26rd@{address}"))
            .build()?;
        let error = client.query(&query()).await.expect_err("refused");
        let shown = format!("{error} {error:?} {:?} {client:?}", client.last_exchange());
        assert!(!shown.contains("geheim"), "{shown}");
        // base64 of name:geheim-w&rd
        assert!(!shown.contains("bmFtZTpnZWhlaW0tdyZyZA"), "{shown}");
    }
    assert!(!front.asked().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_name_that_means_a_folder_in_a_url_asks_for_no_other_one() -> Tested {
    let front = Front::new(|_, _| Reply::queued()).await;
    let client = quick(&front.url()).build()?;
    for name in [".", ".."] {
        let error: KairosError = client.delete_metric(name).await.expect_err(name);
        assert!(matches!(error.reason(), Reason::BadQuery(_)), "{error}");
        assert_eq!(error.attempts(), 0);
        let error = client.feature(name).await.expect_err(name);
        assert!(error.to_string().contains(name), "{error}");
    }
    assert_eq!(front.asked().len(), 0);
    for (name, path) in [
        ("...", "/api/v1/metric/..."),
        ("%2e", "/api/v1/metric/%252e"),
        ("%2E%2e", "/api/v1/metric/%252E%252e"),
        ("a/../b", "/api/v1/metric/a%2F..%2Fb"),
        ("a?b#c\\", "/api/v1/metric/a%3Fb%23c%5C"),
        // Without them it would be the name of another metric, which would be deleted.
        (
            "a\n\tb\r\u{1f600}",
            "/api/v1/metric/a%0A%09b%0D%F0%9F%98%80",
        ),
        (" a ", "/api/v1/metric/%20a%20"),
        // All that is neither a letter nor a digit.
        (
            " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u{7f}",
            "/api/v1/metric/%20%21%22%23%24%25%26%27%28%29%2A%2B%2C-\
             .%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D~%7F",
        ),
    ] {
        client.delete_metric(name).await?;
        let asked = front.asked().pop().ok_or("nothing was asked")?;
        assert_eq!(asked.path, path);
    }
    Ok(())
}

#[test]
fn a_list_that_cannot_be_written_leaves_the_file_as_it_was() -> Tested {
    let path = std::env::temp_dir().join(format!("headwater-list-{}.csv", std::process::id()));
    let list = MetricsCsv::new(["temperature"]);
    list.write_file(&path)?;
    let bad = MetricsCsv::new([NamedMetric::from(("pressure", ""))]);
    let error = bad.write_file(&path).expect_err("an empty field");
    assert!(
        matches!(error.problem(), CsvProblem::EmptyField(_)),
        "{error}"
    );
    let kept = MetricsCsv::read_file(&path);
    std::fs::remove_file(&path)?;
    assert_eq!(kept?, list);
    Ok(())
}

#[test]
fn times_before_the_epoch_and_beyond_nanoseconds_are_what_they_are() {
    // Year 10 000; and more nanoseconds than 64 bits have.
    for millis in [
        -1,
        -62_167_219_200_000,
        253_402_300_800_000,
        18_446_744_073_710,
    ] {
        assert_eq!(SystemTime::from(Point::new("m", millis, 1)), unix(millis));
    }
    // Cut towards the past, as all other times.
    let time = unix(-1) - Duration::from_micros(1);
    assert_eq!(When::from(time), When::At(-2));
    assert_eq!(When::from(time), When::At(Millis::from(time).into()));
    assert_eq!(time.moment(), Ok(-2));
}

/// A text in which some of the bytes are others, or missing, or come twice.
fn mutated(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "",
        "null",
        "-",
        "1e400",
        "-0.0",
        "9223372036854775808",
        "-9223372036854775809",
        "NaN",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "\\u0000",
        "\\ud800",
        ",",
        "[[",
        "true",
        "\"\"",
        "1e-400",
        "{}",
        "[]",
        "0.1",
        "\u{feff}",
    ]);
    let change = (0..text.len(), 0..12_usize, piece);
    prop::collection::vec(change, 0..4).prop_map(move |changes| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, len, piece) in changes {
            let at = at.min(bytes.len());
            let end = (at + len).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        bytes
    })
}

/// Numbers and tags of all the JSON that is left.
fn all_of(answer: &Answer) -> usize {
    let table = answer.table(&query()).map(|table| {
        let back = Table::from_batch(table.batch(), table.time_name()).expect("it was a table");
        assert_eq!(back.len(), table.len());
        format!("{table} {table:#}").len() + table.points().count()
    });
    answer.points().count() + answer.series().count() + table.unwrap_or(0)
}

proptest! {
    #[test]
    fn an_answer_that_is_nearly_right_is_read_or_refused(body in mutated(ONE)) {
        let read = std::str::from_utf8(&body).ok().and_then(|text| text.parse::<Answer>().ok());
        if let Some(answer) = read {
            all_of(&answer);
        }
    }

    #[test]
    fn times_in_any_form_are_read_or_refused(text in "[-+0-9T:. Z]{0,30}|.{0,20}", format in "(%[-_0#:.]?[A-Za-z%]|[-T :.]){0,8}") {
        let _ = text.moment();
        let _ = text.parse::<Millis>();
        let _ = Millis::parse(&text, &format);
        let _ = text.parse::<Token>();
        let _ = MetricsCsv::read(text.as_bytes());
    }

    #[test]
    fn a_list_of_any_bytes_is_read_or_refused(bytes in prop::collection::vec(
        prop::sample::select(b"selector;metricalias\n\r\";a\xff\xef\xbb\xbf".to_vec()), 0..80)) {
        let mut list = b"selector;metricalias\n".to_vec();
        list.extend(bytes);
        if let Ok(list) = MetricsCsv::read(&list[..]) {
            let mut text = Vec::new();
            list.write(&mut text).expect("it was read");
            prop_assert_eq!(MetricsCsv::read(&text[..]).expect("it was written"), list);
        }
    }

    #[test]
    fn tables_have_room_for_any_time(times in prop::collection::vec(
        prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), any::<i64>(), -3..3_i64], 0..6),
        other in prop::collection::vec(prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>(), -3..3_i64], 0..6)) {
        let table = |name: &'static str, times: &[i64]| {
            Table::of(times.iter().map(|&t| Point::new(name, t, t))).expect("little text")
        };
        let (a, b) = (table("a", &times), table("b", &other));
        let joined = a.join(&b).expect("little text");
        prop_assert_eq!(joined.points().count(), a.len() + b.len());
        let near = a.join_nearest(&b, Duration::MAX).expect("little text");
        prop_assert_eq!(near.len(), a.len());
        let filled = joined.descending().fill_forward().and_then(|t| t.fill_backward()).expect("little text");
        prop_assert_eq!(filled.drop_trailing_gaps().len(), joined.len());
        prop_assert!(joined.between(i64::MIN..=i64::MAX).expect("numbers").len() == joined.len());
        let text = format!("{joined} {near:#}");
        prop_assert!(text.contains("rows") || text.contains("row"));
    }
}

#[tokio::test]
async fn a_token_that_is_nearly_right_is_taken_or_refused() -> Tested {
    const TOKENS: &str =
        r#"{"access_token":"abcdef","expires_in":300,"refresh_token":"r","refresh_expires_in":0}"#;
    let mut runner = TestRunner::deterministic();
    for _ in 0..200 {
        let body = mutated(TOKENS)
            .new_tree(&mut runner)
            .expect("a body")
            .current();
        let front = Front::new(move |_, asked| match asked.method.as_str() {
            "POST" => Reply::Full(200, Vec::new(), body.clone()),
            _ => Reply::ok(r#"[{"u":{"m":[{"timestamp":"2023-11-14T22:13:20.123Z","values":{"value":1.5}}]}}]"#),
        })
        .await;
        let client = ProficloudIo::builder()
            .data_url(front.url())
            .auth_url(front.url())
            .user("user", "password")
            .attempts(1)
            .build()?;
        let query = IoQuery::new("u").metric("m").between(0, 1);
        if let Ok(answer) = client.query(&query).await {
            assert_eq!(answer.points().count(), 1);
        }
    }
    Ok(())
}

#[tokio::test]
async fn points_of_proficloud_that_are_nearly_right_are_read_or_refused() -> Tested {
    const POINTS: &str = r#"[{"u":{"m":[{"timestamp":"2023-11-14T22:13:20.123Z","values":{"value":1.5,"b":"x"}},{"timestamp":1700000000000,"values":{"value":7}}]}}]"#;
    const ROWS: &str = r#"{"results":[{"series":[{"values":[["2023-11-14T22:13:20.123Z",1.5],["2023-11-14T22:13:21Z",null]]}]}]}"#;
    let mut runner = TestRunner::deterministic();
    for n in 0..300 {
        let influx = n % 2 == 0;
        let body = mutated(if influx { ROWS } else { POINTS })
            .new_tree(&mut runner)
            .expect("a body")
            .current();
        let front = Front::new(move |_, _| Reply::Full(200, Vec::new(), body.clone())).await;
        let builder = ProficloudIo::builder()
            .data_url(front.url())
            .auth_url(front.url());
        let client = match influx {
            true => builder.influx().attempts(1).build()?,
            false => builder.attempts(1).build()?,
        };
        client.set_token("token");
        let query = IoQuery::new("u").metric("m").between(0, 1);
        if let Ok(answer) = client.query(&query).await {
            assert!(answer.points().count() < 9);
        }
    }
    Ok(())
}

/// What the store makes of the points of all hosts: a sum a minute, of one host first, then of two.
fn sums(n: usize, _: &Asked) -> Reply {
    let hosts: &[&str] = if n == 0 { &["a"] } else { &["a", "b"] };
    let values = [(1_700_000_000_000_i64, 7), (1_700_000_040_000, 1)];
    let answer = |name: &str, group: serde_json::Value, tags: &[&str]| {
        serde_json::json!({"results": [{"name": name, "group_by": [group, {"name": "type", "type": "number"}],
            "tags": {"host": tags, "dc": ["x"]}, "values": values}]})
    };
    let all = serde_json::json!({"name": "type", "type": "number"});
    let by_host = serde_json::json!({"name": "tag", "tags": ["host"], "group": {"host": "a"}});
    let queries = [
        answer("sum", all.clone(), hosts),
        answer("by_host", by_host, &["a"]),
        answer("of_a", all, &["a"]),
    ];
    Reply::ok(serde_json::json!({ "queries": queries }).to_string())
}

#[tokio::test]
async fn what_is_aggregated_is_the_same_point_when_more_series_are_among_its_points() -> Tested {
    let front = Front::new(sums).await;
    let sum =
        |name: &str| QueryMetric::new(name).aggregate(RangeAggregator::sum(Relative::minutes(1)));
    let query = Query::since(0)
        .metric(sum("sum"))
        .metric(sum("by_host").group_by(GroupBy::tags(["host"])))
        .metric(sum("of_a").tag("host", ["a"]).tag("dc", ["regex:.*"]));
    let store = quick(&front.url()).build()?.store(query);
    let mut points = Polling::new(store)
        .every(Duration::from_millis(20))
        .clock(PollClock::Local)
        .wall_clock(|| unix(1_700_000_060_000))
        .start()?;
    let control = points.control();
    let mut come = Vec::new();
    while control.stats().polls < 5 {
        let next = tokio::time::timeout(Duration::from_millis(10), points.next()).await;
        come.extend(next.ok().flatten().map(|polled| polled.into_point()));
    }
    come.sort();
    let first: Vec<String> = come.iter().take(3).map(Point::to_string).collect();
    let expected = [
        "by_host{host=a} 7 @ 1700000000000",
        "of_a{host=a} 7 @ 1700000000000",
        "sum 7 @ 1700000000000",
    ];
    assert_eq!(first, expected);
    assert_eq!(come.len(), 6, "{come:?}");
    Ok(())
}

/// A point each ten seconds, of value 1, summed up by the minute as KairosDB does: at the time of the first one.
fn minutes(_: usize, asked: &Asked) -> Reply {
    let json = asked.json();
    let (from, to) = (
        json["start_absolute"].as_i64(),
        json["end_absolute"].as_i64(),
    );
    let (Some(from), Some(to)) = (from, to) else {
        return Reply::errors(400, &["no times"]);
    };
    let mut sums = std::collections::BTreeMap::new();
    let first = (from + 9_999).div_euclid(10_000);
    for at in (first..=to.div_euclid(10_000)).map(|tens| tens * 10_000) {
        let sum = sums.entry(at.div_euclid(60_000)).or_insert((at, 0));
        sum.1 += 1;
    }
    let values: Vec<(i64, i64)> = sums.into_values().collect();
    let results = serde_json::json!([{"name": "m", "values": values}]);
    Reply::ok(serde_json::json!({"queries": [{"results": results}]}).to_string())
}

#[tokio::test]
async fn what_is_aggregated_is_whole_though_the_stretch_cuts_through_it() -> Tested {
    let front = Front::new(minutes).await;
    let sum = RangeAggregator::sum(Relative::minutes(1));
    let query = Query::since(0).metric(QueryMetric::new("m").aggregate(sum));
    let store = quick(&front.url()).build()?.store(query);
    let (begin, mut all) = (1_700_000_040_000_i64, Vec::new());
    for part in 0..9 {
        let from = begin + part * 47_000;
        let to = from + 46_999;
        all.extend(store.fetch(Range { from, to }).await?.points);
    }
    let expected = (0..8).map(|minute| Point::new("m", begin + minute * 60_000, 6));
    assert_eq!(all, expected.collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_flow_of_points_leaves_a_store_alone_that_asks_for_it() -> Tested {
    // More than the client itself waits for.
    let front = Front::new(|_, _| Reply::status(503, "").with("retry-after", "40")).await;
    let graph = Graph::new();
    let points = graph.source::<Point>();
    let sink = quick(&front.url()).build()?.point_sink().max_batch(1);
    sink.write(&points).sink(drop);
    let driver = graph.spawn();
    let point = Point::new("m", 1, 1).tagged([("host", "a")]);
    let receipt = points.send_tracked(point).await?;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(front.asked().len(), 1);
    graph.shutdown_within(Duration::from_millis(10)).await?;
    assert!(receipt.await.is_err(), "it was not written");
    drop(driver);
    Ok(())
}

#[tokio::test]
async fn odd_http_is_read_or_refused_and_never_waited_for() -> Tested {
    let body = ONE.replace('\n', " ");
    let whole = format!("content-length: {}\r\n\r\n{body}", body.len());
    let flood = "x-filler: y\r\n".repeat(5_000);
    let long = "z".repeat(2_000_000);
    let well = [
        format!("HTTP/1.0 200 OK\r\n\r\n{body}"),
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}"),
        format!(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n{whole}"
        ),
        format!("HTTP/1.1 200 \r\ndate: yesterday\r\nretry-after: -1\r\n{whole}"),
        format!("HTTP/1.1 299 Fine\r\n{whole}"),
    ];
    let badly = [
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned(),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
        "HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: br\r\n{whole}").replace("\"queries\"", "\"qu\""),
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n{whole}"),
        format!("HTTP/1.1 200 OK\r\n{flood}{whole}"),
        format!("HTTP/1.1 200 OK\r\nlong: {long}\r\n{whole}"),
        format!("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n{body}"),
        format!("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{body}"),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{body}"),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{body}"),
        "HTTP/1.1 503 Busy\r\nretry-after: 99999999999999999999999\r\ncontent-length: 9\r\n\r\nbusy".to_owned(),
        "\u{0}\u{1}\u{2}".to_owned(),
        String::new(),
    ];
    let cases = well
        .map(|raw| (raw, true))
        .into_iter()
        .chain(badly.map(|raw| (raw, false)));
    for (raw, is_well) in cases {
        let shown = raw.chars().take(60).collect::<String>();
        let front = Front::new(move |_, _| Reply::Raw(raw.clone().into_bytes())).await;
        let client = quick(&front.url())
            .attempts(2)
            .timeout(Duration::from_secs(5))
            .build()?;
        let query = query();
        let outcome = tokio::time::timeout(Duration::from_secs(20), client.query(&query)).await?;
        match outcome {
            Ok(answer) => assert!(
                is_well && answer.points().count() == 5,
                "{shown:?}: {answer:?}"
            ),
            Err(error) => assert!(!is_well, "{shown:?}: {error}"),
        }
        assert!(client.last_exchange().is_some());
    }
    Ok(())
}
