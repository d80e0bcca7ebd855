//! How a client is made.

use std::fmt;
use std::time::Duration;

use super::attempt::Credentials;
use super::build::shown;
use super::encode::Format;
use super::policy::Policy;
use crate::metrics::{AsTag, IntoTags, Tags};

/// How bodies of points are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gzip {
    /// They are not, which is the default: on a fast network compressing takes longer than sending.
    Off,
    /// With `Content-Encoding: gzip`. From KairosDB 1.3 on.
    ContentEncoding,
    /// With `Content-Type: application/gzip`. All versions read it; for 1.2 it is the only way.
    ContentType,
}

/// How a client is made: who it is, which way it takes, how patient it is.
///
/// ```
/// use headwater::timeseries::kairosdb::KairosDb;
/// use std::time::Duration;
///
/// let client = KairosDb::builder("http://127.0.0.1:8080")
///     .basic_auth("reader", "secret")
///     .header("x-tenant", "plant 7")
///     .tag("site", "plant 7")
///     .timeout(Duration::from_secs(10))
///     .attempts(5)
///     .build()?;
/// # drop(client);
/// # Ok::<(), headwater::timeseries::kairosdb::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct KairosDbBuilder {
    pub(super) url: String,
    pub(super) query_path: String,
    pub(super) write_path: String,
    pub(super) credentials: Credentials,
    pub(super) headers: Vec<(String, String)>,
    pub(super) proxy: Route,
    pub(super) authorities: Vec<Vec<u8>>,
    pub(super) trust_all: bool,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) policy: Policy,
    pub(super) repeat_writes: bool,
    pub(super) concurrency: usize,
    pub(super) gzip: Gzip,
    pub(super) unpack: bool,
    pub(super) max_answer: usize,
    pub(super) keep: usize,
    pub(super) format: Format,
}

/// Which way requests take.
#[derive(Clone)]
pub(super) enum Route {
    Direct,
    Environment,
    Proxy(String),
}

impl KairosDbBuilder {
    pub(super) fn new(url: String) -> KairosDbBuilder {
        KairosDbBuilder {
            url,
            query_path: "datapoints/query".to_owned(),
            write_path: "datapoints".to_owned(),
            credentials: Credentials::None,
            headers: Vec::new(),
            proxy: Route::Direct,
            authorities: Vec::new(),
            trust_all: false,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            policy: Policy {
                attempts: 3,
                first: Duration::from_millis(100),
                longest: Duration::from_secs(5),
                patience: Duration::from_secs(30),
                backoff: None,
            },
            repeat_writes: true,
            concurrency: 16,
            gzip: Gzip::Off,
            unpack: true,
            max_answer: 256 << 20,
            keep: 64 << 10,
            format: Format {
                tags: Tags::new(),
                ttl: None,
                max_points: 10_000,
                max_bytes: 1 << 20,
            },
        }
    }

    /// Basic authentication, with each request.
    pub fn basic_auth(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Credentials::Basic(user.into(), Some(password.into()));
        self
    }

    /// A bearer token, with each request; [`KairosDb::set_bearer`](super::KairosDb::set_bearer) replaces it.
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.credentials = Credentials::Bearer(token.into());
        self
    }

    /// A header of each request. What it says is kept out of logs.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends all requests by way of this proxy: `http://proxy:3128`, with user and password if it wants them.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Route::Proxy(url.into());
        self
    }

    /// Takes the proxies that the environment names: `HTTP_PROXY` (in lower case too), `HTTPS_PROXY`,
    /// `ALL_PROXY`, and the exceptions in `NO_PROXY`. By default requests go straight to the store, whatever
    /// the environment says: no other program's settings send points elsewhere.
    pub fn proxy_from_environment(mut self) -> Self {
        self.proxy = Route::Environment;
        self
    }

    /// Trusts these authorities, besides those that the system trusts: certificates in PEM, one or several.
    pub fn authority(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(pem.into());
        self
    }

    /// Takes **any** certificate for the store's: expired, of another name, of nobody's authority. Whoever
    /// is on the way can then read and change everything, credentials included.
    pub fn danger_accept_invalid_certificates(mut self) -> Self {
        self.trust_all = true;
        self
    }

    /// How long a connection may take to come about; 5 seconds by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an attempt may take, from its beginning to the end of its answer; 60 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a request is sent, at most, where sending it again can help and does no harm; 3 by default.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.policy.attempts = attempts;
        self
    }

    /// How long to wait before the second attempt, and at most before any; doubled from each to the next, and
    /// made up to half as long again by chance. 100 ms and 5 s by default.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        (self.policy.first, self.policy.longest) = (first, longest);
        self
    }

    /// A store may say how long it wants to be left alone (`Retry-After`). Up to this it is obeyed; where it
    /// asks for more, the request fails at once, and [the error](super::KairosError::retry_after) tells. 30
    /// seconds by default.
    pub fn max_retry_after(mut self, patience: Duration) -> Self {
        self.policy.patience = patience;
        self
    }

    /// Whether writes are sent again too; they are by default. A point that arrives twice replaces itself: the
    /// store keeps one for each metric, tags, time and type. Only somebody else's change of the same point in
    /// between would be undone.
    pub fn repeat_writes(mut self, repeat: bool) -> Self {
        self.repeat_writes = repeat;
        self
    }

    /// How many requests may be under way at a time; others wait. 16 by default.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// How points are compressed on their way; not at all by default. Queries are not: the store can't read
    /// them then.
    pub fn gzip(mut self, gzip: Gzip) -> Self {
        self.gzip = gzip;
        self
    }

    /// Whether answers may come compressed; they may by default.
    pub fn gzip_answers(mut self, unpack: bool) -> Self {
        self.unpack = unpack;
        self
    }

    /// How many bytes an answer may have, unpacked; 256 MiB by default.
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.max_answer = bytes;
        self
    }

    /// How much of payload and answer [`last_exchange`](super::KairosDb::last_exchange) keeps of each; 64 KiB by
    /// default.
    pub fn keep_exchange(mut self, bytes: usize) -> Self {
        self.keep = bytes;
        self
    }

    /// A tag of every point that is written. Where a point has it too, this value holds.
    pub fn tag(mut self, name: impl AsRef<str>, value: impl AsTag) -> Self {
        self.format.tags = self.format.tags.with(name, value);
        self
    }

    /// Tags of every point that is written.
    pub fn tags(mut self, tags: impl IntoTags) -> Self {
        self.format.tags = self.format.tags.merged(&tags.into_tags());
        self
    }

    /// After how long the store forgets what is written, in whole seconds, rounded up; never by default.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.format.ttl = Some(ttl);
        self
    }

    /// How many points a request has, at most; 10 000 by default.
    pub fn max_points(mut self, points: usize) -> Self {
        self.format.max_points = points;
        self
    }

    /// How many bytes a request's points have, at most, before they are compressed; 1 MiB by default. A point
    /// that is larger goes alone.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.format.max_bytes = bytes;
        self
    }

    /// Where queries go, below `api/v1/`; `datapoints/query` by default.
    pub fn query_path(mut self, path: impl Into<String>) -> Self {
        self.query_path = path.into();
        self
    }

    /// Where points go, below `api/v1/`; `datapoints` by default.
    pub fn write_path(mut self, path: impl Into<String>) -> Self {
        self.write_path = path.into();
        self
    }
}

impl fmt::Debug for KairosDbBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KairosDbBuilder")
            .field("url", &shown(&self.url))
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
