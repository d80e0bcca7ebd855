//! Limits of time and number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headwater::timeseries::kairosdb::{KairosDb, Reason};
use headwater::timeseries::{Range, Store};

use super::{ONE, Tested, always, fails, gzip, once, points, query, quick};
use crate::http_front::{Front, Reply};

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
