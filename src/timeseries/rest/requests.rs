//! How requests are made: as often as it takes, and what is kept of them.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tracing::{Instrument, Span};

use super::attempt::{Credentials, Request, Response, shown};
use super::exchange::{Excerpt, Exchange, Record};
use super::reason::{Reason, Told};
use super::secrets::Secrets;

/// What takes a few milliseconds to read.
const READ_AT_ONCE: usize = 1 << 20;

/// All attempts of a request, as one service.
pub(super) type Asking = BoxCloneSyncService<Request, Response, Reason>;

/// Who asks servers, and keeps the last exchange.
pub(in crate::timeseries) struct Rest {
    pub(super) asking: Asking,
    pub(super) credentials: Arc<Mutex<Credentials>>,
    /// How much is kept of payload and answer.
    pub(super) keep: usize,
    /// The span of a request; its name is the client's.
    pub(super) span: fn(&str) -> Span,
    pub(super) last: Mutex<Option<Exchange>>,
}

/// A request.
pub(in crate::timeseries) struct Ask {
    pub(in crate::timeseries) method: Method,
    pub(in crate::timeseries) url: Url,
    pub(in crate::timeseries) headers: Vec<(HeaderName, HeaderValue)>,
    /// What is sent, and what is kept of it.
    pub(in crate::timeseries) body: Option<(Excerpt, Bytes)>,
    /// Whether it does no harm to send it twice.
    pub(in crate::timeseries) repeat: bool,
    /// The status, if there is one, by which the server says that it was asked for too much.
    pub(in crate::timeseries) over_quota: Option<u16>,
    /// Whether bodies are secret: nothing is kept of them.
    pub(in crate::timeseries) confidential: bool,
    /// What must not be shown, besides the credentials.
    pub(in crate::timeseries) secrets: Secrets,
}

impl Ask {
    /// A request that may be repeated.
    pub(in crate::timeseries) fn new(method: Method, url: Url) -> Ask {
        Ask {
            method,
            url,
            headers: Vec::new(),
            body: None,
            repeat: true,
            over_quota: None,
            confidential: false,
            secrets: Secrets::default(),
        }
    }
}

impl Rest {
    /// What is kept of a payload.
    pub(in crate::timeseries) fn excerpt(&self, payload: &[u8]) -> Excerpt {
        Excerpt::of(payload, self.keep)
    }

    /// Other credentials from now on.
    pub(in crate::timeseries) fn sign_with(&self, credentials: Credentials) {
        *self
            .credentials
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = credentials;
    }

    /// The last request that has ended.
    pub(in crate::timeseries) fn last_exchange(&self) -> Option<Exchange> {
        let last = self.last.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request, as often as it takes, and keeps what went over the wire.
    pub(in crate::timeseries) async fn ask(&self, ask: Ask) -> Result<Response, Told> {
        let asked = asked(&ask.method, &ask.url);
        let (payload, body) = ask.body.unzip();
        let sent = body.as_ref().map_or(0, Bytes::len);
        let record = Record::new(&asked, payload.unwrap_or_default(), sent);
        let request = Request {
            method: ask.method,
            url: ask.url,
            headers: ask.headers,
            body,
            repeat: ask.repeat,
            over_quota: ask.over_quota,
            confidential: ask.confidential,
            secrets: ask.secrets,
            record: record.clone(),
        };
        let begin = Instant::now();
        let span = (self.span)(&asked);
        let asking = self.asking.clone().oneshot(request);
        let outcome = asking.instrument(span.clone()).await;
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
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(exchange);
        outcome.map_err(|reason| Told::new(asked, attempts, reason))
    }
}

/// Method, path and query.
pub(in crate::timeseries) fn asked(method: &Method, url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{method} {}?{query}", url.path()),
        None => format!("{method} {}", url.path()),
    }
}

/// What an answer says in JSON.
pub(in crate::timeseries) fn read<T: DeserializeOwned>(
    asked: &str,
    response: &Response,
) -> Result<T, Told> {
    let told = |error: serde_json::Error| response.undecodable(asked, &error.to_string());
    serde_json::from_slice(&response.body).map_err(told)
}

impl Response {
    /// It is not what it should be.
    pub(in crate::timeseries) fn undecodable(&self, asked: &str, why: &str) -> Told {
        let secrets = &self.secrets;
        let reason = Reason::Undecodable {
            why: secrets.hide(why.into()).into_owned(),
            body: shown(&self.body, secrets),
        };
        Told::new(asked, self.attempts, reason)
    }
}

/// The same; large answers are read on a thread for what blocks: others want to run on this one.
pub(in crate::timeseries) async fn read_aside<T: DeserializeOwned + Send + 'static>(
    asked: String,
    response: Response,
) -> Result<T, Told> {
    if response.body.len() <= READ_AT_ONCE {
        return read(&asked, &response);
    }
    let (told, attempts) = (asked.clone(), response.attempts);
    let ended = tokio::task::spawn_blocking(move || read(&asked, &response)).await;
    ended.unwrap_or_else(|error| {
        // The runtime is shutting down.
        let reason = Reason::Transport(Arc::new(error));
        Err(Told::new(told, attempts, reason))
    })
}
