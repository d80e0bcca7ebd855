//! What was said of a client becomes one.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Proxy, Url, redirect};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder};

use super::attempt::{Attempt, Request, Response};
use super::builder::{KairosDbBuilder, Route};
use super::client::{KairosDb, Settings};
use super::error::{Reason, chain};
use super::unfit::Unfit;

/// All attempts of a request, as one service.
pub(super) type Asking = BoxCloneSyncService<Request, Response, Reason>;

impl KairosDbBuilder {
    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// What can't be understood of what was given (URLs, headers, certificates), and what is zero and must not
    /// be.
    pub fn build(self) -> Result<KairosDb, BuildError> {
        self.check()?;
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
            Settings {
                query_path: self.query_path,
                write_path: self.write_path,
                repeat_writes: self.repeat_writes,
                gzip: self.gzip,
                keep: self.keep,
                format: self.format,
            },
        ))
    }

    /// Nothing that would let nothing go is zero.
    fn check(&self) -> Result<(), BuildError> {
        let longer = "give it a longer time";
        let one = "let it be 1 at least";
        let zeros = [
            (self.connect_timeout.is_zero(), "connect_timeout", longer),
            (self.timeout.is_zero(), "timeout", longer),
            (self.policy.attempts == 0, "attempts", one),
            (
                self.policy.first.is_zero(),
                "backoff",
                "a delay that begins at zero never grows: begin with a longer one",
            ),
            (self.concurrency == 0, "concurrency", one),
            (
                self.format.ttl.is_some_and(|ttl| ttl.is_zero()),
                "ttl",
                "it means for ever to the store: leave it out",
            ),
            (self.format.max_points == 0, "max_points", one),
        ];
        match zeros.into_iter().find(|(is_zero, ..)| *is_zero) {
            Some((_, option, advice)) => {
                Err(BuildError::new(format!("`{option}` of zero"), advice))
            }
            None => Ok(()),
        }
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
        let wrong = |why: reqwest::Error| BuildError::new("HTTP", chain(&why));
        http.build().map_err(wrong)
    }
}

/// A URL as it is shown: without a password, wherever that stands.
pub(super) fn shown(url: &str) -> String {
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
