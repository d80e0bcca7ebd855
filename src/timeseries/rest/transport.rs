//! How a client's requests get to the server: ways, certificates, patience.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};

use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Proxy, Url, redirect};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder};
use tracing::Span;

use super::attempt::{Attempt, Credentials};
use super::options::{Route, Transport};
use super::reason::Reason;
use super::requests::Rest;
use super::secrets::Secrets;
use crate::remote::{chain, shown_url};

impl Transport {
    /// Who asks these servers.
    pub(in crate::timeseries) fn build(
        self,
        servers: &[&Url],
        credentials: Credentials,
        span: fn(&str) -> Span,
    ) -> Result<Rest, BuildError> {
        self.check()?;
        let plain = servers.iter().all(|url| url.scheme() == "http");
        let client = self.http(plain)?;
        let credentials = Arc::new(Mutex::new(credentials));
        let attempt = Attempt {
            client,
            credentials: credentials.clone(),
            secrets: self.secrets(),
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

    /// What headers say, and the part of it that is the secret where a scheme stands in front: `Token …`. And what
    /// a proxy is told.
    fn secrets(&self) -> Secrets {
        let all = self.headers.iter().flat_map(|(_, value)| {
            let behind = value.split_once(' ').map(|(_, secret)| secret.to_owned());
            std::iter::once(value.clone()).chain(behind)
        });
        let of_proxy = match &self.proxy {
            Route::Proxy(url) => Url::parse(url).ok(),
            Route::Direct | Route::Environment => None,
        };
        let of_proxy = of_proxy.and_then(|url| {
            let (user, password) = (url.username(), url.password()?);
            let as_sent = Credentials::Basic(unescaped(user), unescaped(password)).secrets();
            Some(as_sent.with(Secrets::new([password.to_owned()])))
        });
        Secrets::new(all).with(of_proxy.unwrap_or_default())
    }

    /// Nothing that would let nothing go is zero.
    fn check(&self) -> Result<(), BuildError> {
        let longer = "give it a longer time";
        let one = "let it be 1 at least";
        BuildError::unless_zero(&[
            (self.connect_timeout.is_zero(), "connect_timeout", longer),
            (self.timeout.is_zero(), "timeout", longer),
            (self.policy.attempts == 0, "attempts", one),
            (
                self.policy.first.is_zero(),
                "backoff",
                "a delay that begins at zero never grows: begin with a longer one",
            ),
            (self.concurrency == 0, "concurrency", one),
        ])
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

/// A part of a URL as it is meant, with what is escaped in it.
fn unescaped(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// The URL of a server, or of a folder of it: with a slash at its end.
pub(in crate::timeseries) fn server_url(text: &str, example: &str) -> Result<Url, BuildError> {
    let wrong = |why: String| BuildError::new(format!("the URL {:?}", shown_url(text)), why);
    let advice = format!("it should be one of HTTP, such as {example}");
    let mut url = Url::parse(text).map_err(|error| wrong(format!("{advice} ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong(advice));
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

    /// Of options, each with what to do instead, none may be zero.
    pub(in crate::timeseries) fn unless_zero(
        options: &[(bool, &str, &str)],
    ) -> Result<(), BuildError> {
        match options.iter().find(|(is_zero, ..)| *is_zero) {
            Some((_, option, advice)) => {
                Err(BuildError::new(format!("`{option}` of zero"), advice))
            }
            None => Ok(()),
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
