//! What is asked again, how often, and when.

use std::time::{Duration, Instant};

use headwater::timeseries::kairosdb::Reason;
use headwater::timeseries::{Range, Store};

use super::{ONE, Tested, always, fails, gzip, once, query, quick};
use crate::http_front::{Asked, Reply};

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
