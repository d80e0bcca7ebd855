//! What users of Proficloud have besides the client of proficloud.io: TSD and EWIMA against a front, tokens, lists of
//! metrics, times.

#![cfg(feature = "proficloud")]

mod http_front;

use std::time::{Duration, SystemTime};

use headwater::timeseries::kairosdb::{
    KairosDb, KairosDbBuilder, KairosError, Query, Reason, Relative, When,
};
use headwater::timeseries::proficloud::{
    CsvProblem, Ewima, MetricsCsv, Millis, NamedMetric, Token, TokenError, Tsd,
};
use headwater::timeseries::{Point, Range, Store};
use http_front::{Front, Reply};
use proptest::prelude::*;
use serde_json::json;

type Failed = Box<dyn std::error::Error>;
type Tested = Result<(), Failed>;

/// uuid:secret
const TOKEN: &str = "dXVpZDpzZWNyZXQ=";

fn token() -> Token {
    TOKEN.parse().unwrap()
}

fn quick(builder: KairosDbBuilder) -> KairosDb {
    let short = Duration::from_millis(1);
    builder.backoff(short, short).build().unwrap()
}

/// As the gateways are.
fn path(front: &Front) -> String {
    format!("{}/ds/v1/kairos/", front.url())
}

fn query() -> Query {
    Query::since(Relative::minutes(10)).metric("m")
}

#[tokio::test]
async fn queries_go_where_the_gateways_take_them() -> Tested {
    let front = Front::new(|_, asked| {
        let metrics = asked.json()["metrics"].as_array().map_or(0, Vec::len);
        let nothing = json!({"sample_size": 0, "results": []});
        Reply::ok(json!({ "queries": vec![nothing; metrics] }).to_string())
    })
    .await;
    for builder in [
        Tsd::at(path(&front), &token()),
        Ewima::at(path(&front), &token()),
    ] {
        let client = quick(builder);
        client.query(&query().metric("n")).await?;
        client
            .store(query())
            .fetch(Range { from: 0, to: 9 })
            .await?;
        client.query_raw(query().to_json().to_string()).await?;
    }
    let asked = front.asked();
    assert_eq!(asked.len(), 6);
    for asked in &asked {
        assert_eq!(
            (&*asked.method, &*asked.path),
            ("POST", "/ds/v1/kairos/api/v1/datapoints/query/")
        );
        assert_eq!(
            asked.header("authorization"),
            Some(&*format!("Basic {TOKEN}"))
        );
        assert_eq!(asked.header("content-type"), Some("application/json"));
    }
    let metrics = json!([{"name": "m"}, {"name": "n"}]);
    assert_eq!(asked[0].json()["metrics"], metrics, "one request for all");
    Ok(())
}

#[tokio::test]
async fn ewima_takes_points_and_tags_them() -> Tested {
    let front = Front::new(|_, _| Reply::queued()).await;
    let client = quick(Ewima::at(path(&front), &token()));
    let points = [
        Point::new("m", 1, 3.0),
        Point::new("m", 2, 4).tagged([("uuid", "another"), ("floor", "2")]),
    ];
    let queued = client.write(&points).await?;
    assert_eq!(queued.points, 2);
    let asked = &front.asked()[0];
    assert_eq!(
        (&*asked.method, &*asked.path),
        ("POST", "/ds/v1/kairos/api/v1/datapoints/write")
    );
    assert_eq!(
        asked.header("authorization"),
        Some(&*format!("Basic {TOKEN}"))
    );
    let sent = asked.json();
    assert_eq!(sent[0]["tags"], json!({"uuid": "uuid"}));
    assert_eq!(sent[1]["tags"], json!({"uuid": "uuid", "floor": "2"}));
    assert!(String::from_utf8(asked.body.clone())?.contains("[1,3.0]"));
    client.write_raw("[]").await?;
    Ok(())
}

fn unsupported(outcome: Result<(), KairosError>, service: &str, call: &str) {
    let error = outcome.expect_err(call);
    let Reason::Unsupported { service: said, .. } = error.reason() else {
        panic!("{call}: {error}")
    };
    assert_eq!(*said, service);
    assert_eq!(
        (error.attempts(), error.status(), error.can_retry()),
        (0, None, false),
        "{call}"
    );
    assert!(error.to_string().contains("no such call"), "{error}");
}

#[tokio::test]
async fn what_the_services_do_not_have_is_said_and_nothing_is_sent() -> Tested {
    let front = Front::new(|_, _| Reply::queued()).await;
    for (service, builder) in [
        ("TSD", Tsd::at(path(&front), &token())),
        ("EWIMA", Ewima::at(path(&front), &token())),
    ] {
        let client = quick(builder.tag("site", "north"));
        let mut calls = vec![
            ("delete", client.delete(&query()).await),
            ("delete_metric", client.delete_metric("m").await),
            ("metric_names", client.metric_names().await.map(drop)),
            (
                "metric_names_with",
                client.metric_names_with("m").await.map(drop),
            ),
            ("query_tags", client.query_tags(&query()).await.map(drop)),
            ("tag_names", client.tag_names(&query()).await.map(drop)),
            (
                "tag_values",
                client.tag_values(&query(), "host").await.map(drop),
            ),
            ("health_check", client.health_check().await),
            ("health_status", client.health_status().await.map(drop)),
            ("version", client.version().await.map(drop)),
            ("features", client.features().await.map(drop)),
            ("feature", client.feature("aggregators").await.map(drop)),
        ];
        if service == "TSD" {
            let points = [Point::new("m", 1, 1)];
            let error = client.write(&points).await.unwrap_err();
            assert!(error.uncertain().is_empty(), "nobody has them");
            assert_eq!(error.queued().points, 0);
            calls.push(("write", Err(error.error().clone())));
            calls.push(("write_raw", client.write_raw("[]").await));
            let sifted = client.write_sifted(&points).await;
            let stopped = sifted.stopped.expect("it does not go on");
            assert_eq!((sifted.done, sifted.rejected.len()), (0, 0));
            calls.push(("write_sifted", Err(stopped)));
        }
        for (call, outcome) in calls {
            unsupported(outcome, service, call);
        }
        assert!(client.last_exchange().is_none());
    }
    assert!(front.asked().is_empty());
    Ok(())
}

#[tokio::test]
async fn an_answer_beyond_the_quota_is_said_and_not_asked_for_again() -> Tested {
    let front =
        Front::new(|_, _| Reply::status(504, r#"{"message":"Endpoint request timed out"}"#)).await;
    let client = quick(Tsd::at(path(&front), &token()));
    let error = client.query(&query()).await.unwrap_err();
    assert!(
        matches!(error.reason(), Reason::OverQuota { status: 504, .. }),
        "{error}"
    );
    assert_eq!(
        (error.status(), error.attempts(), front.asked().len()),
        (Some(504), 1, 1)
    );
    assert_eq!(error.messages(), ["Endpoint request timed out"]);
    assert!(!error.can_retry());
    assert!(
        error
            .to_string()
            .contains("ask for a shorter time, or use aggregators"),
        "{error}"
    );
    // For KairosDB itself it is a gateway that may be back soon; so it is for points that are written.
    let stock = quick(KairosDb::builder(front.url()));
    let error = stock.query(&query()).await.unwrap_err();
    assert_eq!((error.attempts(), error.can_retry()), (3, true));
    let ewima = quick(Ewima::at(path(&front), &token()));
    let error = ewima.write(&[Point::new("m", 1, 1)]).await.unwrap_err();
    assert_eq!(
        (error.error().attempts(), error.error().can_retry()),
        (3, true)
    );
    assert_eq!(error.uncertain(), 0..1);
    Ok(())
}

#[tokio::test]
async fn a_refused_token_is_said_without_it() -> Tested {
    for said in [
        r#"{"message":"Unauthorized"}"#,
        r#"{"errors":["Unauthorized"]}"#,
        "Unauthorized",
    ] {
        let front = Front::new(move |_, _| Reply::status(401, said)).await;
        let error = quick(Tsd::at(path(&front), &token()))
            .query(&query())
            .await
            .unwrap_err();
        assert_eq!(
            (error.status(), error.messages()),
            (Some(401), &["Unauthorized".to_owned()][..])
        );
        assert!(!error.can_retry());
        assert_eq!(front.asked().len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn the_staging_environments_are_asked_where_they_are() -> Tested {
    let front = Front::new(|_, _| Reply::status(502, "")).await;
    for (builder, host) in [
        (Tsd::builder(&token()), "tsd.proficloud.net"),
        (Tsd::staging(&token()), "tsd.proficloud-staging.net"),
        (Ewima::builder(&token()), "emalytics.proficloud.net"),
        (Ewima::staging(&token()), "ewima.proficloud-staging.net"),
    ] {
        let client = builder.proxy(front.url()).attempts(1).build()?;
        assert_eq!(client.url(), format!("https://{host}/ds/v1/kairos/api/v1/"));
        client.query(&query()).await.unwrap_err();
        let asked = front.asked().pop().unwrap();
        assert_eq!(
            (&*asked.method, asked.path),
            ("CONNECT", format!("{host}:443"))
        );
    }
    Ok(())
}

#[test]
fn a_token_is_read_from_text_and_files() -> Tested {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("token");
    for text in [TOKEN, "dXVpZDpzZWNyZXQ", " dXVpZDpzZWNyZXQ=\r\n\n"] {
        std::fs::write(&file, text)?;
        for token in [text.parse::<Token>()?, Token::from_file(&file)?] {
            assert_eq!((token.name(), token.expose()), ("uuid", text.trim()));
        }
    }
    // A password may have colons; and anything but a colon may be in a name.
    let token = Token::new("Jörg", "a:b: ü")?;
    let same: Token = token.expose().parse()?;
    assert_eq!((same.name(), &same), ("Jörg", &token));
    assert_eq!(Token::new("n", "")?.expose(), "bjo=");

    let errors = [
        (Token::new("", "secret").unwrap_err(), "name is empty"),
        (
            Token::new("a:b", "secret").unwrap_err(),
            "can't have a colon",
        ),
        (" \n".parse::<Token>().unwrap_err(), "blank"),
        (
            "dXVpZDp!secret".parse::<Token>().unwrap_err(),
            "its character 7 is none",
        ),
        (
            "dXVpZDpzZWNyZXQ=A".parse::<Token>().unwrap_err(),
            "not in base64",
        ),
        ("dXVpZ".parse::<Token>().unwrap_err(), "its end is missing"),
        ("//79/A==".parse::<Token>().unwrap_err(), "no text"),
        (
            "c2VjcmV0".parse::<Token>().unwrap_err(),
            "no `name:password`",
        ),
        (
            "OnNlY3JldA==".parse::<Token>().unwrap_err(),
            "name is empty",
        ),
    ];
    for (error, why) in errors {
        assert!(error.to_string().contains(why), "{error}");
        let all = format!("{error:?} {error}");
        assert!(!all.contains("secret") && !all.contains("dXV"), "{all}");
    }
    let error = "4f6c1d:secret".parse::<Token>().unwrap_err().to_string();
    assert!(
        error.contains("Token::new") && !error.contains("secret"),
        "{error}"
    );
    std::fs::write(&file, "no token")?;
    let error = Token::from_file(&file).unwrap_err();
    assert!(
        matches!(&error, TokenError::InFile(path, _) if *path == file),
        "{error}"
    );
    let error = Token::from_file(folder.path().join("none")).unwrap_err();
    assert!(matches!(error, TokenError::File(..)), "{error}");
    // What is no file is not one by chance.
    assert!(file.display().to_string().parse::<Token>().is_err());
    Ok(())
}

#[test]
fn lists_of_metrics_are_read_as_they_were_written() -> Tested {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("metrics.csv");
    let list = MetricsCsv::new([("a", "first"), ("b;\"c\"", "zwei\nZeilen"), ("ü ", "#")]);
    list.write_file(&file)?;
    assert_eq!(MetricsCsv::read_file(&file)?, list);
    let list = MetricsCsv::new(["a", "b"]);
    list.write_file(&file)?;
    assert_eq!(
        std::fs::read_to_string(&file)?,
        "selector;metricalias\na;a\nb;b\n"
    );
    assert_eq!(list.selectors().collect::<Vec<_>>(), ["a", "b"]);
    // As others write it.
    let text = "\u{feff}selector;metricalias\r\n\r\n\"a\";\"x, y\"\r\nb;b";
    let read = MetricsCsv::read(text.as_bytes())?;
    assert_eq!(read, MetricsCsv::new([("a", "x, y"), ("b", "b")]));
    assert!(
        MetricsCsv::read("selector;metricalias".as_bytes())?
            .metrics
            .is_empty()
    );
    Ok(())
}

#[test]
fn a_bad_list_says_in_which_line_it_is_bad() {
    let read = |text: &[u8]| MetricsCsv::read(text).expect_err("it is bad");
    let cases: [(&[u8], Option<u64>, &str); 9] = [
        (b"", None, "there is nothing"),
        (
            b"selector,metricalias\na,a\n",
            Some(1),
            "the header is \"selector,metricalias\"",
        ),
        (b"a;a\n", Some(1), "the header is \"a;a\""),
        (
            b"selector;metricalias\na;a\nb\nc;c\n",
            Some(3),
            "1 field instead of 2",
        ),
        (
            b"selector;metricalias\n\na;a\n\"b\nb\";b\nc;c;c\n",
            Some(6),
            "3 fields instead of 2",
        ),
        (
            b"selector;metricalias\n;b\n",
            Some(2),
            "the selector is empty",
        ),
        (
            b"selector;metricalias\na;a\nb;\n",
            Some(3),
            "the metricalias is empty",
        ),
        (
            b"selector;metricalias\na;a\nb;\xff\n",
            Some(3),
            "no text in UTF-8",
        ),
        (b"selector;metricalias\na;\"a\nb;b\n", Some(2), "never ends"),
    ];
    for (text, line, why) in cases {
        let error = read(text);
        let shown = error.to_string();
        assert!(shown.contains(why), "{shown}");
        assert_eq!(error.line(), line, "{shown}");
    }
    let error = MetricsCsv::new(["a", "", "c"])
        .write(std::io::sink())
        .unwrap_err();
    assert_eq!(error.to_string(), "line 3: the selector is empty");
    assert!(matches!(
        error.problem(),
        CsvProblem::EmptyField("selector")
    ));
    let error = MetricsCsv::read_file("/no/such/list.csv").unwrap_err();
    assert!(matches!(error.problem(), CsvProblem::Io(_)), "{error}");
}

#[test]
fn times_are_what_they_say_wherever_the_program_runs() -> Tested {
    for (text, millis) in [
        ("2023-11-14 22:13:20.123", 1_700_000_000_123),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T23:13:20.9999+01:00", 1_700_000_000_999),
        ("2023-11-14 22:13", 1_699_999_980_000),
        ("2023-11-14", 1_699_920_000_000),
        ("1969-12-31 23:59:59.9999", -1),
        ("1969-12-31T23:59:59.9991Z", -1),
        // The night in which European clocks were put back, by their offsets.
        ("2023-10-29T02:30:00+02:00", 1_698_539_400_000),
        ("2023-10-29T02:30:00+01:00", 1_698_543_000_000),
        ("-000001-01-01", -62_198_755_200_000),
        (" 2023-11-14 22:13:20\n", 1_700_000_000_000),
        ("2023-11-14+01:00", 1_699_916_400_000),
    ] {
        assert_eq!(i64::from(text.parse::<Millis>()?), millis, "{text}");
    }
    for text in [
        "",
        "yesterday",
        "2023-02-30",
        "2023-11-14 25:00",
        "1700000000",
        "2023-11-14T00:00:00[Europe/Berlin]",
    ] {
        let error = text.parse::<Millis>().unwrap_err().to_string();
        assert!(error.contains(&format!("{text:?} is no time: ")), "{error}");
    }
    // That of the Python package, and others.
    let python = "%Y-%m-%d %H:%M:%S.%f";
    assert_eq!(
        i64::from(Millis::parse("2023-11-14 22:13:20.123456", python)?),
        1_700_000_000_123
    );
    assert_eq!(
        i64::from(Millis::parse("14.11.23", "%d.%m.%y")?),
        1_699_920_000_000
    );
    assert_eq!(
        i64::from(Millis::parse(
            "23:13 +0100 14/11/2023",
            "%H:%M %z %d/%m/%Y"
        )?),
        1_699_999_980_000
    );
    for (text, format) in [("22:13", "%H:%M"), ("x", "%Q"), ("31.02.2023", "%d.%m.%Y")] {
        let error = Millis::parse(text, format).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{text:?} is no time: not as {format:?} says: ")),
            "{error}"
        );
    }
    assert_eq!(
        i64::from(Millis::from_secs(1_700_000_000.123)?),
        1_700_000_000_123
    );
    assert_eq!(i64::from(Millis::from_secs(-0.0005)?), -1);
    for secs in [f64::NAN, f64::INFINITY, 1e16, -1e16] {
        let error = Millis::from_secs(secs).unwrap_err();
        assert!(
            error.to_string().contains("no time in milliseconds"),
            "{error}"
        );
    }
    assert_eq!(When::from(Millis::from(5)), When::At(5));
    #[cfg(feature = "tables")]
    assert_eq!(When::at(Millis::from(5))?, When::At(5));
    let before = SystemTime::now();
    let now = Millis::now().to_system_time().unwrap();
    assert!(now.duration_since(before).unwrap_or_default() < Duration::from_secs(60));
    assert!(before.duration_since(now).unwrap_or_default() < Duration::from_secs(60));
    assert_eq!(Millis::from(i64::MAX).to_string(), "9223372036854775807 ms");
    assert_eq!(
        Millis::from(253_402_300_800_000).to_string(),
        "253402300800000 ms"
    );
    assert_eq!(
        Millis::from(253_402_300_799_999).to_string(),
        "9999-12-31T23:59:59.999Z"
    );
    Ok(())
}

proptest! {
    #[test]
    fn a_time_survives_being_text_and_being_of_the_system(millis in -62_167_219_200_000..253_402_300_800_000_i64) {
        let time = Millis::from(millis);
        prop_assert_eq!(time.to_string().parse::<Millis>().unwrap(), time);
        prop_assert_eq!(Millis::from(time.to_system_time().unwrap()), time);
        prop_assert_eq!(Millis::from_secs(millis as f64 / 1000.0).unwrap(), time);
    }

    #[test]
    fn a_token_survives_being_text(name in "[^:]{1,20}", password in ".{0,20}") {
        let token = Token::new(name.clone(), password).unwrap();
        let same: Token = token.expose().parse().unwrap();
        prop_assert_eq!(same.name(), name);
        prop_assert_eq!(same, token);
    }

    #[test]
    fn a_list_survives_being_written(rows in prop::collection::vec((any::<String>(), any::<String>()), 0..20)) {
        let rows = rows.into_iter().map(|(selector, alias)| (format!("s{selector}"), format!("{alias}a")));
        let list = MetricsCsv::new(rows.map(NamedMetric::from));
        let mut text = Vec::new();
        list.write(&mut text).unwrap();
        prop_assert_eq!(MetricsCsv::read(&text[..]).unwrap(), list);
    }
}
