//! What clients of Proficloud keep to themselves, while servers repeat all that they are told. A program of its own,
//! as it listens to all that the process tells `tracing`.

#![cfg(feature = "proficloud")]

mod http_front;
mod listener;
mod proficloud_front;

use std::time::Duration;

use headwater::timeseries::Point;
use headwater::timeseries::kairosdb::{KairosDb, Query};
use headwater::timeseries::proficloud::{Ewima, IoQuery, ProficloudIo, Token};
use http_front::{Asked, Front, Reply};
use listener::Listener;
use proficloud_front::form;

const PASSWORD: &str = "s&cret word\"1";

/// All that was asked, in the ways in which servers tell it.
fn repeated(n: usize, asked: &Asked) -> Reply {
    let body = String::from_utf8_lossy(&asked.body).into_owned();
    let form = match body.contains('=') {
        true => form(asked).into_values().collect::<Vec<_>>().join(" "),
        false => String::new(),
    };
    let signed = asked.header("authorization").unwrap_or_default();
    let knows = signed.starts_with("Basic") || form.contains(PASSWORD);
    let password = if knows { PASSWORD } else { "" };
    let told = format!("{:?} {body} {form} {password}", asked.headers);
    let json = |name: &str| serde_json::json!({ name: told }).to_string();
    match n % 7 {
        // Where it is cut, too.
        6 => Reply::status(400, format!("{} {password}{told}", "x".repeat(990))),
        0 => Reply::errors(400, &[&told]),
        1 => Reply::status(403, json("message")),
        2 => {
            let body = serde_json::json!({"error": "invalid_grant", "error_description": told});
            Reply::status(401, body.to_string())
        }
        3 => Reply::status(400, told),
        4 => Reply::status(301, "").with("location", told.replace('\n', "")),
        // As if it were an answer.
        _ => Reply::ok(told),
    }
}

#[tokio::test]
async fn what_is_secret_is_in_nothing_that_is_shown() -> Result<(), Box<dyn std::error::Error>> {
    let everything = Listener::to_everything();
    tracing::subscriber::set_global_default(everything.clone())?;
    let mut shown = String::new();

    let front = Front::new(repeated).await;
    let token = Token::new("4f6c1d", PASSWORD)?;
    let encoded = token.expose().to_owned();
    let clients = [
        Ewima::at(front.url(), &token),
        KairosDb::builder(front.url()).basic_auth("4f6c1d", PASSWORD),
        KairosDb::builder(front.url()).bearer("bearer-token"),
    ];
    for builder in clients {
        let builder = builder.attempts(1);
        shown += &format!("{builder:?} {token:?}");
        let client = builder.tag("a", "b").build()?;
        for _ in 0..7 {
            let error = client
                .query(&Query::since(0).metric("m"))
                .await
                .unwrap_err();
            shown += &format!("{client:?} {error} {error:?} {:?}", error.reason());
            let exchange = client.last_exchange().unwrap();
            shown += &format!("{exchange:?} {}", exchange.answer.text());
        }
        for _ in 0..7 {
            if let Err(error) = client.write(&[Point::new("m", 1, 1)]).await {
                shown += &format!("{error} {error:?}");
            }
        }
    }

    // Tokens are given to a good password; all else is repeated.
    let front = Front::new(|n, asked| match asked.path.contains("token") && n % 5 == 0 {
        true => Reply::ok(
            r#"{"access_token": "access-token", "refresh_token": "refresh-token", "expires_in": 0.01}"#,
        ),
        false => repeated(n, asked),
    })
    .await;
    for simple in [false, true] {
        let builder = ProficloudIo::builder()
            .data_url(front.url())
            .auth_url(front.url());
        let mut builder = builder.client_secret("client-secret").attempts(1);
        if simple {
            builder = builder.influx();
        }
        shown += &format!("{builder:?}");
        let client = builder.user("somebody", PASSWORD).build()?;
        let query = IoQuery::new("uuid")
            .metric("m")
            .last(Duration::from_secs(60));
        for _ in 0..70 {
            if let Err(error) = client.query(&query).await {
                shown += &format!("{client:?} {error} {error:?} {:?}", error.reason());
            }
            let exchange = client.last_exchange().unwrap();
            shown += &format!(
                "{exchange:?} {}{}",
                exchange.payload.text(),
                exchange.answer.text()
            );
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        if let Err(error) = client.authenticate("somebody", PASSWORD).await {
            shown += &format!("{error} {error:?}");
        }
    }
    // All kinds of failures, and good answers to all kinds of requests, are in it.
    for part in [
        "logging in",
        "refreshing",
        "querying",
        "status 301",
        "invalid_grant",
        "…",
        "xxx …",
    ] {
        assert!(shown.contains(part), "{part}");
    }
    let told = everything.take_texts().concat();
    assert!(
        told.contains("exchanged") && told.contains("proficloud"),
        "it does tell something"
    );
    // Not so much as its beginning.
    assert!(!shown.contains("s&cret"));
    let escaped = format!("{PASSWORD:?}");
    for secret in [
        PASSWORD,
        escaped.trim_matches('"'),
        "s%26cret",
        &encoded,
        "bearer-token",
        "access-token",
        "refresh-token",
        "client-secret",
    ] {
        for (what, text) in [("shown", &shown), ("told", &told)] {
            if let Some(at) = text.find(secret) {
                let from = text.floor_char_boundary(at.saturating_sub(200));
                let to = text.ceil_char_boundary((at + 100).min(text.len()));
                panic!("{secret} is {what}: {}", &text[from..to]);
            }
        }
    }
    Ok(())
}
