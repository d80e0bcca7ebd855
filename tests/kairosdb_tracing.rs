//! What the client of KairosDB tells `tracing`. A program of its own: whether an event is wanted is remembered by
//! the whole process, and asked by whoever comes first.

#![cfg(feature = "kairosdb")]

mod http_front;
mod listener;

use headwater::timeseries::kairosdb::{KairosDb, Query};
use http_front::{Front, Reply};
use listener::Listener;

#[tokio::test]
async fn exchanges_are_events_of_tracing() -> Result<(), Box<dyn std::error::Error>> {
    let front = Front::new(|n, _| match n {
        0 => Reply::errors(503, &["down"]),
        _ => Reply::ok(r#"{"queries": [{"results": []}]}"#),
    })
    .await;
    let client = KairosDb::builder(front.url()).bearer("secret").build()?;
    let events = Listener::to(|metadata| metadata.target().starts_with("headwater::timeseries"));
    let guard = events.listen();
    client.query(&Query::since(0).metric("m")).await?;
    drop(guard);
    let events = events.take_texts();
    assert_eq!(
        events[0],
        "kairosdb: asked=\"POST /api/v1/datapoints/query\""
    );
    assert!(
        events[1].contains("asked again") && events[1].contains("status 503: down"),
        "{events:?}"
    );
    let last = &events[2];
    assert!(
        last.contains("exchanged") && last.contains("attempts=2 status=200"),
        "{events:?}"
    );
    assert!(!events.concat().contains("secret"));
    Ok(())
}
