//! How a client is made.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Proxy, Url, redirect};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder};

use super::attempt::{Attempt, Credentials, Request, Response};
use super::client::KairosDb;
use super::encode::Format;
use super::error::Reason;
use super::policy::Policy;
use super::unfit::Unfit;
use crate::metrics::{AsTag, IntoTags, Tags};

/// All attempts of a request, as one service.
pub(super) type Asking = BoxCloneSyncService<Request, Response, Reason>;

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
    url: String,
    query_path: String,
    write_path: String,
    credentials: Credentials,
    headers: Vec<(String, String)>,
    proxy: Route,
    authorities: Vec<Vec<u8>>,
    trust_all: bool,
    connect_timeout: Duration,
    timeout: Duration,
    policy: Policy,
    repeat_writes: bool,
    concurrency: usize,
    gzip: Gzip,
    unpack: bool,
    max_answer: usize,
    keep: usize,
    format: Format,
}

/// Which way requests take.
#[derive(Clone)]
enum Route {
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

    /// A bearer token, with each request; [`KairosDb::set_bearer`] replaces it.
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
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        assert!(
            !timeout.is_zero(),
            "a `connect_timeout` of zero lets nothing connect: give it a longer time"
        );
        self.connect_timeout = timeout;
        self
    }

    /// How long an attempt may take, from its beginning to the end of its answer; 60 seconds by default.
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        assert!(
            !timeout.is_zero(),
            "a `timeout` of zero lets nothing be answered: give it a longer time"
        );
        self.timeout = timeout;
        self
    }

    /// How often a request is sent, at most, where sending it again can help and does no harm; 3 by default.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn attempts(mut self, attempts: u32) -> Self {
        assert!(
            attempts > 0,
            "0 attempts would never ask at all: let there be at least 1"
        );
        self.policy.attempts = attempts;
        self
    }

    /// How long to wait before the second attempt, and at most before any; doubled from each to the next, and
    /// made up to half as long again by chance. 100 ms and 5 s by default.
    ///
    /// # Panics
    /// If the first is zero.
    #[track_caller]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        assert!(
            !first.is_zero(),
            "a delay that begins at zero never grows: begin with a longer one"
        );
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
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn concurrency(mut self, requests: usize) -> Self {
        assert!(
            requests > 0,
            "a concurrency of 0 lets no request go: let it be 1 at least"
        );
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

    /// How much of payload and answer [`last_exchange`](KairosDb::last_exchange) keeps of each; 64 KiB by
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
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        assert!(
            !ttl.is_zero(),
            "a `ttl` of zero means for ever to the store: leave it out"
        );
        self.format.ttl = Some(ttl);
        self
    }

    /// How many points a request has, at most; 10 000 by default.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn max_points(mut self, points: usize) -> Self {
        assert!(
            points > 0,
            "a request of 0 points writes nothing: let it be 1 at least"
        );
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

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// What can't be understood of what was given: URLs, headers, certificates.
    pub fn build(self) -> Result<KairosDb, BuildError> {
        let base = self.base()?;
        let client = self.http(&base)?;
        if !self.format.tags.is_empty() {
            let wrong = |why: Unfit| BuildError::new("tags of every point", why);
            Unfit::tags(&self.format.tags).map_err(wrong)?;
        }
        let credentials = Arc::new(Mutex::new(self.credentials));
        let attempt = Attempt {
            client,
            credentials: credentials.clone(),
            max_answer: self.max_answer,
            kept: self.keep,
        };
        let timeout = self.timeout;
        let why = move |error: BoxError| match error.downcast::<tower::timeout::error::Elapsed>() {
            Ok(_) => Reason::TimedOut(timeout),
            Err(error) => match error.downcast::<Reason>() {
                Ok(reason) => *reason,
                Err(error) => Reason::Transport(error.into()),
            },
        };
        // Permits are not held while a request waits for its next attempt.
        let asking = ServiceBuilder::new()
            .retry(self.policy)
            .concurrency_limit(self.concurrency)
            .map_err(why)
            .timeout(timeout)
            .service(attempt);
        Ok(KairosDb::with(
            base,
            BoxCloneSyncService::new(asking),
            credentials,
            super::client::Settings {
                query_path: self.query_path,
                write_path: self.write_path,
                repeat_writes: self.repeat_writes,
                gzip: self.gzip,
                keep: self.keep,
                format: self.format,
            },
        ))
    }

    fn base(&self) -> Result<Url, BuildError> {
        let wrong = |why: String| BuildError::new(format!("the URL {:?}", shown(&self.url)), why);
        let mut url = Url::parse(&self.url).map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong(
                "it should be one of HTTP, such as http://127.0.0.1:8080".to_owned(),
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("give user and password by `basic_auth`".to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it should end with the path".to_owned()));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let path = path.strip_suffix("/api/v1").unwrap_or(&path);
        url.set_path(&format!("{path}/api/v1/"));
        Ok(url)
    }

    fn http(&self, base: &Url) -> Result<reqwest::Client, BuildError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let wrong = |why: &dyn fmt::Display| {
                BuildError::new(format!("the header {name:?}"), why.to_string())
            };
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|why| wrong(&why))?;
            let mut value = HeaderValue::from_str(value).map_err(|why| wrong(&why))?;
            value.set_sensitive(true);
            headers.append(parsed, value);
        }
        // A POST that is redirected becomes a GET, and what it said is gone.
        let mut http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(self.connect_timeout)
            .user_agent(concat!("headwater/", env!("CARGO_PKG_VERSION")))
            .gzip(self.unpack)
            .default_headers(headers);
        http = match &self.proxy {
            Route::Direct => http.no_proxy(),
            Route::Environment => http,
            Route::Proxy(url) => {
                let proxy = Proxy::all(url)
                    .map_err(|why| BuildError::new(format!("the proxy {:?}", shown(url)), why))?;
                http.no_proxy().proxy(proxy)
            }
        };
        let mut certificates = Vec::new();
        for pem in &self.authorities {
            let wrong = |why: String| BuildError::new("a certificate of an authority", why);
            let bundle = Certificate::from_pem_bundle(pem).map_err(|why| wrong(why.to_string()))?;
            if bundle.is_empty() {
                return Err(wrong("there is none in PEM in it".to_owned()));
            }
            certificates.extend(bundle);
        }
        let plain = base.scheme() == "http" && matches!(self.proxy, Route::Direct);
        http = if plain {
            // Nobody is to be trusted where there is no TLS: a system without authorities will do.
            http.tls_certs_only([])
        } else if certificates.is_empty() {
            http
        } else {
            http.tls_certs_merge(certificates)
        };
        if self.trust_all {
            http = http.tls_danger_accept_invalid_certs(true);
        }
        let wrong = |why: reqwest::Error| BuildError::new("HTTP", super::error::chain(&why));
        http.build().map_err(wrong)
    }
}

/// A URL as it is shown: without a password, wherever that stands.
fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) => {
            let _ = url.set_password(None);
            url.to_string()
        }
        Err(_) => match url.rsplit_once('@') {
            Some((_, host)) => format!("…@{host}"),
            None => url.to_owned(),
        },
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

/// A client can't be made as it was described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError {
    what: String,
    why: String,
}

impl BuildError {
    fn new(what: impl Into<String>, why: impl fmt::Display) -> BuildError {
        BuildError {
            what: what.into(),
            why: why.to_string(),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BuildError { what, why } = self;
        write!(f, "{what} can't be used: {why}")
    }
}

impl Error for BuildError {}
