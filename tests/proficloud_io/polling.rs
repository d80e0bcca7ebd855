//! Polling over all that.

use std::time::{Duration, SystemTime};

use futures::StreamExt;
use headwater::timeseries::proficloud::{IoQuery, Millis, ProficloudIo};
use headwater::timeseries::{Point, PollState, Polling, Range, Store};
use serde_json::json;

use super::{THEN, Tested, cloud, query, the_point};
use crate::http_front::Reply;
use crate::proficloud_front::{PASSWORD, Shared, USER, later, unauthorized};

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
