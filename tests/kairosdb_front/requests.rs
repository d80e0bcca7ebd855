//! What a request says, and what is kept of it.

use headwater::timeseries::kairosdb::{Aggregator, Query, QueryMetric, Reason};
use serde_json::{Value, json};

use super::{ONE, Tested, gzip, query, quick};
use crate::http_front::{Front, Reply};

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
