//! What the client of KairosDB tells `tracing`. A program of its own: whether an event is wanted is remembered by
//! the whole process, and asked by whoever comes first.

#![cfg(feature = "kairosdb")]

mod http_front;

use std::sync::{Arc, Mutex};

use headwater::timeseries::kairosdb::{KairosDb, Query};
use http_front::{Front, Reply};

/// Keeps the names of spans and the fields of events.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Events {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("headwater::timeseries")
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        let mut text = format!("{}:", span.metadata().name());
        span.record(&mut Fields(&mut text));
        self.0.lock().unwrap().push(text);
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = String::new();
        event.record(&mut Fields(&mut text));
        self.0.lock().unwrap().push(text);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

struct Fields<'a>(&'a mut String);

impl tracing::field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        *self.0 += &format!(" {field}={value:?}");
    }
}

#[tokio::test]
async fn exchanges_are_events_of_tracing() -> Result<(), Box<dyn std::error::Error>> {
    let front = Front::new(|n, _| match n {
        0 => Reply::errors(503, &["down"]),
        _ => Reply::ok(r#"{"queries": [{"results": []}]}"#),
    })
    .await;
    let client = KairosDb::builder(front.url()).bearer("secret").build()?;
    let events = Events::default();
    let guard = tracing::subscriber::set_default(events.clone());
    client.query(&Query::since(0).metric("m")).await?;
    drop(guard);
    let events = events.0.lock().unwrap().clone();
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
