//! What goes wrong.

use std::time::Duration;

use headwater::timeseries::kairosdb::{Aggregator, KairosDb, Query, QueryMetric, Reason, TimeUnit};
use serde_json::json;

use super::{SERVER, THEN, Tested, client, everything, point, read, written};

#[tokio::test]
async fn errors_are_the_stores_own_words() -> Tested {
    let client = client!();
    let query = Query::since(0);
    let cases = [
        (
            query
                .clone()
                .metric(QueryMetric::new("m").aggregate(Aggregator::raw("bogus", json!({})))),
            "query.metric[0].aggregators[0].bogus invalid aggregators name",
        ),
        (
            Query::between(100, 0).metric("m"),
            "query.metric[0].end_time must be greater than the start time",
        ),
        (
            query.clone().metric(""),
            "query.metric[0].name may not be empty.",
        ),
        (
            query
                .clone()
                .metric(QueryMetric::new("m").with("order", "sideways")),
            "query.metric[0].order must be either 'asc' or 'desc'",
        ),
        (
            query
                .clone()
                .metric(QueryMetric::new("m").aggregate(Aggregator::div(0.0))),
            "query.metric[0].aggregators[0].m_divisor may not be zero",
        ),
        (
            query
                .clone()
                .metric(QueryMetric::new("m").tag("host", [""])),
            "query.metric[0].tags[0].host value must not be null or empty",
        ),
    ];
    for (query, message) in cases {
        let error = client.query(&query).await.expect_err(message);
        assert_eq!(error.status(), Some(400));
        let said = error
            .messages()
            .iter()
            .any(|said| said.trim_end_matches('.') == message.trim_end_matches('.'));
        assert!(said, "{message}: {error}");
        assert_eq!(error.attempts(), 1, "it is not asked again");
        assert!(!error.can_retry());
        assert_eq!(error.asked(), "POST /api/v1/datapoints/query");
        assert!(
            error
                .to_string()
                .starts_with("POST /api/v1/datapoints/query: status 400: ")
        );
    }
    let zone = query.clone().time_zone("Mars/Olympus").metric("m");
    let error = client.query(&zone).await.unwrap_err();
    assert!(error.messages()[0].starts_with("query.Mars/Olympus is not a valid time zone"));
    let quick = KairosDb::builder(client.url()).attempts(1).build()?;
    let bad = [
        ("{", 400),
        ("nonsense", 500),
        ("[]", 500),
        (r#"{"metrics": [{"name": "m"}]}"#, 400),
    ];
    for (bad, status) in bad {
        let error = quick.query_raw(bad).await.expect_err(bad);
        assert_eq!(error.status(), Some(status), "{bad}: {error}");
        assert!(!error.messages().is_empty(), "{bad}");
    }
    let answer = client
        .query_raw(r#"{"start_absolute": 0, "metrics": []}"#)
        .await?;
    assert!(answer.queries.is_empty());
    // A float that JSON has no number for is found before anything is sent.
    let nan = query.metric(QueryMetric::new("m").aggregate(Aggregator::scale(f64::NAN)));
    let error = client.query(&nan).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::BadQuery(_)), "{error}");
    assert!(
        error
            .to_string()
            .contains("query.metrics[0].aggregators[0].factor"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_rate_at_one_time_fails_for_good_after_all_attempts() -> Tested {
    let Some(server) = tokio::task::spawn_blocking(|| SERVER.as_ref()).await? else {
        return Ok(());
    };
    let builder = KairosDb::builder(server.url()).attempts(2);
    let client = builder
        .backoff(Duration::from_millis(1), Duration::from_millis(1))
        .build()?;
    written(
        &client,
        &[point("twice", THEN, 1), point("twice", THEN, 2.0)],
    )
    .await?;
    let metric = QueryMetric::new("twice").aggregate(Aggregator::rate(TimeUnit::Hours));
    let error = client.query(&everything(metric)).await.unwrap_err();
    assert_eq!((error.status(), error.attempts()), (Some(500), 2));
    assert!(error.messages()[0].starts_with("The rate aggregator cannot compute rate"));
    assert!(error.to_string().ends_with("(tried 2 times)"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_refused_write_may_have_stored_a_part() -> Tested {
    let client = client!();
    let body = json!([
        {"name": "part.1", "tags": {"host": "a"}, "datapoints": [[THEN, 1], [THEN + 1, [2]]]},
        {"name": "part.2", "tags": {}, "datapoints": [[THEN, 1]]},
        {"name": "part.3", "tags": {"host": "a"}, "datapoints": [[THEN, 1]]},
    ]);
    let error = client.write_raw(body.to_string()).await.unwrap_err();
    assert_eq!(error.status(), Some(400));
    let expected = [
        "metric[0](name=part.1) value is an invalid type",
        "metric[1](name=part.2).tags count must be greater than or equal to 1.",
    ];
    assert_eq!(error.messages(), expected);
    // All that is right was taken nevertheless.
    read(&client, &everything("part.1"), 1).await?;
    read(&client, &everything("part.3"), 1).await?;
    Ok(())
}
