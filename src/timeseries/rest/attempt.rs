//! One attempt: a request is sent, and its answer read to the end.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::{Bytes, BytesMut};
use reqwest::header::{
    AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, Url};
use tokio::time::Instant;
use tower::Service;

use super::exchange::{Excerpt, Record};
use super::reason::Reason;
use super::secrets::Secrets;

/// What the store says was wrong is read so far.
const LONGEST_COMPLAINT: usize = 1 << 20;
/// An answer of more bytes is given room as it comes.
const LIKELY: u64 = 64 << 20;
/// What is shown of a body that is not understood.
const SHOWN: usize = 1_000;

/// What is asked; each attempt sends it anew.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Option<Bytes>,
    /// Whether it does no harm to send it twice.
    pub(super) repeat: bool,
    /// The status, if there is one, by which the server says that it was asked for too much.
    pub(super) over_quota: Option<u16>,
    /// Whether bodies are secret too.
    pub(super) confidential: bool,
    /// Besides the credentials.
    pub(super) secrets: Secrets,
    pub(super) record: Record,
}

/// An answer with a status of 2xx.
#[derive(Clone)]
pub(in crate::timeseries) struct Response {
    pub(in crate::timeseries) status: u16,
    pub(in crate::timeseries) body: Bytes,
    pub(in crate::timeseries) server_time: Option<SystemTime>,
    /// Which attempt it was.
    pub(in crate::timeseries) attempts: u32,
    /// What is not to be shown of it.
    pub(super) secrets: Secrets,
}

/// Who is asking.
#[derive(Clone, Default)]
pub(in crate::timeseries) enum Credentials {
    #[default]
    None,
    Basic(String, String),
    Bearer(String),
    /// What basic authentication makes of name and password, as it was given.
    #[cfg_attr(not(feature = "proficloud"), allow(dead_code))]
    Encoded {
        token: String,
        password: String,
    },
}

impl Credentials {
    /// What must not be shown of them.
    pub(super) fn secrets(&self) -> Secrets {
        match self {
            Credentials::None => Secrets::default(),
            Credentials::Basic(user, password) => {
                let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
                Secrets::new([password.clone(), encoded])
            }
            Credentials::Bearer(token) => Secrets::new([token.clone()]),
            Credentials::Encoded { token, password } => {
                Secrets::new([token.clone(), password.clone()])
            }
        }
    }

    fn sign(self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self {
            Credentials::None => request,
            Credentials::Basic(user, password) => request.basic_auth(user, Some(password)),
            Credentials::Bearer(token) => request.bearer_auth(token),
            Credentials::Encoded { token, .. } => {
                request.header(AUTHORIZATION, format!("Basic {token}"))
            }
        }
    }
}

/// The innermost service: HTTP.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) client: reqwest::Client,
    pub(super) credentials: Arc<Mutex<Credentials>>,
    /// What headers of all requests say.
    pub(super) secrets: Secrets,
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
        let secrets = request.secrets.with(credentials.secrets());
        let secrets = secrets.with(self.secrets.clone());
        let answer = credentials.sign(builder).send().await.map_err(transport)?;
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
        let kept = if request.confidential { 0 } else { self.kept };
        record.note(|exchange| exchange.answer = Excerpt::without(&secrets, body, kept));
        if status.is_success() {
            let body = ended.map_err(|(_, reason)| reason)?;
            let server_time = date(&headers, DATE);
            let attempts = record.read().attempts;
            return Ok(Response {
                status: status.as_u16(),
                body,
                server_time,
                attempts,
                secrets,
            });
        }
        // What can be read of a complaint will do.
        let body = ended.unwrap_or_else(|(body, _)| body);
        let (status, messages) = (status.as_u16(), complaint(&headers, &body, &secrets));
        let messages = match messages {
            Complaint::Understood(messages) => messages,
            Complaint::Other(_) if request.confidential => Vec::new(),
            Complaint::Other(text) => vec![text],
        };
        Err(match request.over_quota == Some(status) {
            true => Reason::OverQuota { status, messages },
            false => Reason::Refused {
                status,
                messages,
                retry_after: retry_after(&headers),
            },
        })
    }

    async fn read(
        &self,
        mut answer: reqwest::Response,
        limit: usize,
    ) -> Result<Bytes, (Bytes, Reason)> {
        // Room for all of it where its length is told, but no more than is likely to be true.
        let told = answer.content_length().unwrap_or(0).min(LIKELY);
        let mut body = BytesMut::with_capacity((told as usize).min(limit));
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
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than 64 bits have is for ever, and not at once.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let then = date(headers, RETRY_AFTER)?;
    let now = date(headers, DATE).unwrap_or_else(SystemTime::now);
    Some(then.duration_since(now).unwrap_or_default())
}

enum Complaint {
    Understood(Vec<String>),
    /// The beginning of a body in no form that is known.
    Other(String),
}

/// All that a body complains of.
fn complaint(headers: &HeaderMap, body: &[u8], secrets: &Secrets) -> Complaint {
    let hidden = |text: String| secrets.hide(text.into()).into_owned();
    if let Some(to) = headers.get(LOCATION) {
        let to = String::from_utf8_lossy(to.as_bytes()).into_owned();
        let told = format!("it is redirected to {to}, which is not followed");
        return Complaint::Understood(vec![hidden(told)]);
    }
    /// As KairosDB, as servers of OAuth, as many others say it.
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Said {
        Errors {
            errors: Vec<String>,
        },
        Error {
            error: String,
            #[serde(alias = "message")]
            error_description: Option<String>,
        },
        Message {
            message: String,
        },
    }
    let said = match serde_json::from_slice(body) {
        Ok(Said::Errors { errors }) => errors,
        Ok(Said::Error {
            error,
            error_description: Some(why),
        }) => vec![format!("{error}: {why}")],
        Ok(Said::Error { error, .. }) => vec![error],
        Ok(Said::Message { message }) => vec![message],
        Err(_) if body.is_empty() => Vec::new(),
        Err(_) => return Complaint::Other(shown(body, secrets)),
    };
    Complaint::Understood(said.into_iter().map(hidden).collect())
}

/// The beginning of a body, as text. What is secret is left out first: nothing of it is left at the end either.
pub(super) fn shown(body: &[u8], secrets: &Secrets) -> String {
    let looked_at = body.len().min(4 * SHOWN + secrets.longest());
    let text = secrets.hide(String::from_utf8_lossy(&body[..looked_at]));
    text.chars().take(SHOWN).collect()
}
