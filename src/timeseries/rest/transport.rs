//! How a client's requests get to the server: ways, certificates, patience.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Proxy, Url, redirect};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder};
use tracing::Span;

use super::attempt::{Attempt, Credentials};
use super::policy::Policy;
use super::reason::Reason;
use super::requests::Rest;
use crate::remote::chain;

/// What is said of it when a client is built.
#[derive(Clone)]
pub(in crate::timeseries) struct Transport {
    pub(in crate::timeseries) headers: Vec<(String, String)>,
    pub(in crate::timeseries) proxy: Route,
    pub(in crate::timeseries) authorities: Vec<Vec<u8>>,
    pub(in crate::timeseries) trust_all: bool,
    pub(in crate::timeseries) connect_timeout: Duration,
    pub(in crate::timeseries) timeout: Duration,
    pub(in crate::timeseries) policy: Policy,
    pub(in crate::timeseries) concurrency: usize,
    pub(in crate::timeseries) unpack: bool,
    pub(in crate::timeseries) max_answer: usize,
    pub(in crate::timeseries) keep: usize,
}

/// Which way requests take.
#[derive(Clone)]
pub(in crate::timeseries) enum Route {
    Direct,
    Environment,
    Proxy(String),
}

impl Default for Transport {
    fn default() -> Transport {
        Transport {
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
            concurrency: 16,
            unpack: true,
            max_answer: 256 << 20,
            keep: 64 << 10,
        }
    }
}

/// The methods of a builder that has a field `transport: Transport`.
macro_rules! transport_options {
    () => {
        /// A header of each request. What it says is kept out of logs.
        pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
            self.transport.headers.push((name.into(), value.into()));
            self
        }

        /// Sends all requests by way of this proxy: `http://proxy:3128`, with user and password if it wants them.
        pub fn proxy(mut self, url: impl Into<String>) -> Self {
            self.transport.proxy = $crate::timeseries::rest::Route::Proxy(url.into());
            self
        }

        /// Takes the proxies that the environment names: `HTTP_PROXY` (in lower case too), `HTTPS_PROXY`,
        /// `ALL_PROXY`, and the exceptions in `NO_PROXY`. By default requests go straight to the store, whatever
        /// the environment says: no other program's settings send points elsewhere.
        pub fn proxy_from_environment(mut self) -> Self {
            self.transport.proxy = $crate::timeseries::rest::Route::Environment;
            self
        }

        /// Trusts these authorities, besides those that the system trusts: certificates in PEM, one or several.
        pub fn authority(mut self, pem: impl Into<Vec<u8>>) -> Self {
            self.transport.authorities.push(pem.into());
            self
        }

        /// Takes **any** certificate for the store's: expired, of another name, of nobody's authority. Whoever
        /// is on the way can then read and change everything, credentials included.
        pub fn danger_accept_invalid_certificates(mut self) -> Self {
            self.transport.trust_all = true;
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
            self.transport.connect_timeout = timeout;
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
            self.transport.timeout = timeout;
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
            self.transport.policy.attempts = attempts;
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
            (self.transport.policy.first, self.transport.policy.longest) = (first, longest);
            self
        }

        /// A store may say how long it wants to be left alone (`Retry-After`). Up to this it is obeyed; where it
        /// asks for more, the request fails at once, and the error tells. 30
        /// seconds by default.
        pub fn max_retry_after(mut self, patience: Duration) -> Self {
            self.transport.policy.patience = patience;
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
            self.transport.concurrency = requests;
            self
        }

        /// Whether answers may come compressed; they may by default.
        pub fn gzip_answers(mut self, unpack: bool) -> Self {
            self.transport.unpack = unpack;
            self
        }

        /// How many bytes an answer may have, unpacked; 256 MiB by default.
        pub fn max_answer(mut self, bytes: usize) -> Self {
            self.transport.max_answer = bytes;
            self
        }

        /// How much of payload and answer `last_exchange` keeps of each; 64 KiB by
        /// default.
        pub fn keep_exchange(mut self, bytes: usize) -> Self {
            self.transport.keep = bytes;
            self
        }
    };
}

pub(in crate::timeseries) use transport_options;

impl Transport {
    /// Who asks these servers.
    pub(in crate::timeseries) fn build(
        self,
        servers: &[&Url],
        credentials: Credentials,
        span: fn(&str) -> Span,
    ) -> Result<Rest, BuildError> {
        let plain = servers.iter().all(|url| url.scheme() == "http");
        let client = self.http(plain)?;
        let credentials = Arc::new(Mutex::new(credentials));
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
        Ok(Rest {
            asking: BoxCloneSyncService::new(asking),
            credentials,
            keep: self.keep,
            span,
            last: Mutex::default(),
        })
    }

    /// `plain` if no server speaks TLS.
    fn http(&self, plain: bool) -> Result<reqwest::Client, BuildError> {
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
                let proxy = Proxy::all(url).map_err(|why| {
                    BuildError::new(format!("the proxy {:?}", shown_url(url)), why)
                })?;
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
        http = if plain && matches!(self.proxy, Route::Direct) {
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
        let wrong = |why: reqwest::Error| BuildError::new("HTTP", chain(&why));
        http.build().map_err(wrong)
    }
}

/// The URL of a server, or of a folder of it: with a slash at its end.
pub(in crate::timeseries) fn server_url(text: &str, example: &str) -> Result<Url, BuildError> {
    let wrong = |why: String| BuildError::new(format!("the URL {:?}", shown_url(text)), why);
    let mut url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong(format!(
            "it should be one of HTTP, such as {example}"
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("give user and password by `basic_auth`".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it should end with the path".to_owned()));
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// A URL as it is shown: without a password, wherever that stands.
pub(in crate::timeseries) fn shown_url(url: &str) -> String {
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

/// A client can't be made as it was described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError {
    what: String,
    why: String,
}

impl BuildError {
    pub(in crate::timeseries) fn new(
        what: impl Into<String>,
        why: impl fmt::Display,
    ) -> BuildError {
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
