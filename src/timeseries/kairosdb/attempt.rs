//! One attempt: a request is sent, and its answer read to the end.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Url};
use tokio::time::Instant;
use tower::Service;

use super::error::Reason;
use super::exchange::{Excerpt, Record};

/// What the store says was wrong is read so far.
const LONGEST_COMPLAINT: usize = 1 << 20;
/// What is shown of a body that is not understood.
const SHOWN: usize = 1_000;

/// What is asked; each attempt sends it anew.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Option<Bytes>,
    /// Whether it does no harm to send it twice.
    pub(super) repeat: bool,
    pub(super) record: Record,
}

/// An answer with a status of 2xx.
#[derive(Debug, Clone)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) server_time: Option<SystemTime>,
    /// Which attempt it was.
    pub(super) attempts: u32,
}

/// Who is asking.
#[derive(Clone, Default)]
pub(super) enum Credentials {
    #[default]
    None,
    Basic(String, Option<String>),
    Bearer(String),
}

/// The innermost service: HTTP.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) client: reqwest::Client,
    pub(super) credentials: Arc<Mutex<Credentials>>,
    pub(super) max_answer: usize,
    pub(super) kept: usize,
}

impl Service<Request> for Attempt {
    type Response = Response;
    type Error = Reason;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Reason>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let attempt = self.clone();
        Box::pin(async move { attempt.ask(request).await })
    }
}

fn transport(error: reqwest::Error) -> Reason {
    Reason::Transport(Arc::new(error))
}

impl Attempt {
    async fn ask(&self, request: Request) -> Result<Response, Reason> {
        let begin = Instant::now();
        let record = &request.record;
        record.note(|exchange| {
            exchange.attempts += 1;
            exchange.status = None;
            exchange.until_head = None;
            exchange.answer = Excerpt::default();
        });
        let mut builder = self.client.request(request.method, request.url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let credentials = self.credentials.lock();
        let credentials = credentials.unwrap_or_else(PoisonError::into_inner).clone();
        let builder = match credentials {
            Credentials::None => builder,
            Credentials::Basic(user, password) => builder.basic_auth(user, password),
            Credentials::Bearer(token) => builder.bearer_auth(token),
        };
        let answer = builder.send().await.map_err(transport)?;
        let status = answer.status();
        let headers = answer.headers().clone();
        record.note(|exchange| {
            exchange.status = Some(status.as_u16());
            exchange.until_head = Some(begin.elapsed());
        });
        let ended = match status.is_success() {
            true => self.read(answer, self.max_answer).await,
            false => self.read(answer, LONGEST_COMPLAINT).await,
        };
        let (Ok(body) | Err((body, _))) = &ended;
        record.note(|exchange| exchange.answer = Excerpt::of(body, self.kept));
        if status.is_success() {
            let body = ended.map_err(|(_, reason)| reason)?;
            let server_time = date(&headers, DATE);
            let attempts = record.read().attempts;
            return Ok(Response {
                status: status.as_u16(),
                body,
                server_time,
                attempts,
            });
        }
        // What can be read of a complaint will do.
        let body = ended.unwrap_or_else(|(body, _)| body);
        Err(Reason::Refused {
            status: status.as_u16(),
            messages: complaint(&headers, &body),
            retry_after: retry_after(&headers),
        })
    }

    async fn read(
        &self,
        mut answer: reqwest::Response,
        limit: usize,
    ) -> Result<Bytes, (Bytes, Reason)> {
        let mut body = BytesMut::new();
        loop {
            match answer.chunk().await {
                Ok(Some(piece)) if body.len() + piece.len() > limit => {
                    return Err((body.freeze(), Reason::TooLarge(limit)));
                }
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => return Ok(body.freeze()),
                Err(error) => return Err((body.freeze(), transport(error))),
            }
        }
    }
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// In seconds, or as a date, which is compared with the server's own clock if it shows it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = date(headers, RETRY_AFTER)?;
    let now = date(headers, DATE).unwrap_or_else(SystemTime::now);
    Some(then.duration_since(now).unwrap_or_default())
}

/// All that a body complains of.
fn complaint(headers: &HeaderMap, body: &[u8]) -> Vec<String> {
    if let Some(to) = headers.get(LOCATION) {
        let to = String::from_utf8_lossy(to.as_bytes()).into_owned();
        return vec![format!("it is redirected to {to}, which is not followed")];
    }
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    match serde_json::from_slice::<Errors>(body) {
        Ok(Errors { errors }) => errors,
        Err(_) if body.is_empty() => Vec::new(),
        Err(_) => vec![shown(body)],
    }
}

/// The beginning of a body, as text.
pub(super) fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN)]);
    text.chars().take(SHOWN).collect()
}
