//! A cursor in formats of serde.

#![cfg(feature = "serde")]

use std::time::Duration;

use futures::StreamExt;
use headwater::timeseries::{
    Cursor, Fetched, Point, PointValue, Polling, Range, Store, StoreError,
};
use serde_json::json;

type Tested = Result<(), headwater::BoxError>;

/// A point of each kind, of two series.
fn points() -> Vec<Point> {
    let values: [PointValue; 5] = [
        3.into(),
        3.0.into(),
        f64::NAN.into(),
        "ü \u{0} \"".into(),
        PointValue::Null,
    ];
    let point = |(at, value)| Point::new("größe", 1_000 + at as i64, value);
    let mut points: Vec<Point> = values.into_iter().enumerate().map(point).collect();
    points.push(Point::new("power", 1_004, 0.1 + 0.2).tagged([("host", "a:b|c")]));
    points
}

struct Ready;

impl Store for Ready {
    async fn fetch(&self, range: Range) -> Result<Fetched, StoreError> {
        let within = |point: &Point| (range.from..=range.to).contains(&point.millis());
        Ok(Fetched::new(points().into_iter().filter(within)))
    }
}

fn polling() -> Polling<Ready> {
    let clock = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(2);
    Polling::new(Ready).wall_clock(move || clock)
}

/// One that knows all points.
async fn cursor() -> Result<Cursor, headwater::BoxError> {
    let mut stream = polling().start()?;
    let control = stream.control();
    for _ in points() {
        stream.next().await;
    }
    control.stop();
    assert!(stream.next().await.is_none());
    let cursor = control.cursor();
    assert_eq!(cursor.len(), points().len());
    Ok(cursor)
}

#[tokio::test(start_paused = true)]
async fn a_cursor_survives_json_bit_by_bit_and_is_resumed_from() -> Tested {
    let cursor = cursor().await?;
    let text = serde_json::to_string(&cursor)?;
    assert!(text.starts_with(r#"{"version":1,"state":""#), "{text}");
    let read: Cursor = serde_json::from_str(&text)?;
    assert_eq!(read.to_bytes(), cursor.to_bytes());
    assert_eq!(
        serde_json::from_value::<Cursor>(serde_json::to_value(&cursor)?)?,
        cursor
    );

    let stream = polling().resume(read).start()?;
    let control = stream.control();
    while control.stats().polls < 2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let stats = control.stats();
    assert_eq!((stats.emitted, stats.revised), (0, 0));
    assert!(stats.repeated >= points().len() as u64);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_no_cursor_is_told_apart_by_what_is_wrong_with_it() -> Tested {
    let json = serde_json::to_value(cursor().await?)?;
    let told = |json: serde_json::Value| {
        let error = serde_json::from_value::<Cursor>(json).unwrap_err();
        error.to_string()
    };
    // A later version may have something else altogether, and is known for what it is in front of that.
    let later = serde_json::from_str::<Cursor>(r#"{"version": 2, "points": []}"#).unwrap_err();
    assert_eq!(
        later.to_string().split(" at line").next(),
        Some(
            "the cursor has version 2, and only version 1 is known here: begin without it, or go on with the \
             release that wrote it"
        )
    );
    let state = json["state"].as_str().unwrap_or_default();
    let mut changed = state.to_owned();
    changed.replace_range(20..21, if &state[20..21] == "A" { "B" } else { "A" });
    assert_eq!(
        told(json!({ "version": 1, "state": changed })),
        "the cursor is damaged, as its checksum says: take an older copy, or begin without it"
    );
    assert_eq!(
        told(json!({ "version": 1, "state": "" })),
        "this is not a cursor of a polling stream"
    );
    let no_base64 = told(json!({ "version": 1, "state": "?" }));
    assert!(no_base64.contains("text that is no base64"), "{no_base64}");
    assert_eq!(told(json!({ "version": 1 })), "missing field `state`");
    assert_eq!(told(json!({ "state": state })), "missing field `version`");
    assert!(told(json!([1])).contains("invalid length 1"));
    assert!(told(json!({ "version": 1, "state": 5 })).contains("expected the state of a cursor"));
    Ok(())
}
