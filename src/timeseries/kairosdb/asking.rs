//! How the client's calls are made: paths, attempts, and what is kept of them.

use std::sync::PoisonError;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::Instrument;

use super::attempt::{Request, Response, shown};
use super::client::KairosDb;
use super::error::{KairosError, Reason};
use super::exchange::{Excerpt, Exchange, Record};

impl KairosDb {
    pub(super) fn path(&self, path: &str) -> Url {
        let mut url = self.0.base.clone();
        url.set_path(&format!("{}{path}", url.path()));
        url
    }

    pub(super) fn below<const N: usize>(&self, segments: [&str; N]) -> Url {
        let mut url = self.0.base.clone();
        // URLs of HTTP can be a base.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    pub(super) async fn post(&self, path: Url, body: Bytes) -> Result<Response, KairosError> {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let payload = Excerpt::of(&body, self.0.settings.keep);
        self.ask(Method::POST, path, vec![json], Some((payload, body)), true)
            .await
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: Url) -> Result<T, KairosError> {
        let asked = asked(&Method::GET, &path);
        let response = self.ask(Method::GET, path, Vec::new(), None, true).await?;
        read(&asked, &response)
    }

    /// Sends a request, as often as it takes, and keeps what went over the wire.
    pub(super) async fn ask(
        &self,
        method: Method,
        url: Url,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Option<(Excerpt, Bytes)>,
        repeat: bool,
    ) -> Result<Response, KairosError> {
        let asked = asked(&method, &url);
        let (payload, body) = body.unzip();
        let sent = body.as_ref().map_or(0, Bytes::len);
        let record = Record::new(&asked, payload.unwrap_or_default(), sent);
        let request = Request {
            method,
            url,
            headers,
            body,
            repeat,
            record: record.clone(),
        };
        let begin = Instant::now();
        let span = tracing::debug_span!("kairosdb", asked);
        let asking = self
            .0
            .asking
            .clone()
            .oneshot(request)
            .instrument(span.clone());
        let outcome = asking.await;
        let mut exchange = record.read();
        exchange.total = begin.elapsed();
        exchange.error = outcome.as_ref().err().map(Reason::to_string);
        let Exchange {
            attempts, status, ..
        } = exchange;
        span.in_scope(|| {
            tracing::debug!(
                attempts,
                status,
                sent_bytes = exchange.sent_bytes,
                answer_bytes = exchange.answer.len(),
                until_head = ?exchange.until_head,
                total = ?exchange.total,
                error = exchange.error,
                "exchanged"
            );
        });
        let last = self.0.last.lock();
        *last.unwrap_or_else(PoisonError::into_inner) = Some(exchange);
        outcome.map_err(|reason| KairosError::new(asked, attempts, reason))
    }
}

pub(super) fn asked(method: &Method, url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{method} {}?{query}", url.path()),
        None => format!("{method} {}", url.path()),
    }
}

pub(super) fn read<T: DeserializeOwned>(
    asked: &str,
    response: &Response,
) -> Result<T, KairosError> {
    let body = &response.body;
    serde_json::from_slice(body).map_err(|error| {
        let reason = Reason::Undecodable {
            why: error.to_string(),
            body: shown(body),
        };
        KairosError::new(asked, response.attempts, reason)
    })
}
