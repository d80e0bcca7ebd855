//! What all builders of clients have in common.

use std::time::Duration;

use super::policy::Policy;

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
        /// A header of each request. What it says is kept out of logs, of errors and of `last_exchange`, also where
        /// a server repeats it; unless it has less than four letters.
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
        pub fn connect_timeout(mut self, timeout: Duration) -> Self {
            self.transport.connect_timeout = timeout;
            self
        }

        /// How long an attempt may take, from its beginning to the end of its answer; 60 seconds by default.
        pub fn timeout(mut self, timeout: Duration) -> Self {
            self.transport.timeout = timeout;
            self
        }

        /// How often a request is sent, at most, where sending it again can help and does no harm; 3 by default.
        pub fn attempts(mut self, attempts: u32) -> Self {
            self.transport.policy.attempts = attempts;
            self
        }

        /// How long to wait before the second attempt, and at most before any; doubled from each to the next, and
        /// made up to half as long again by chance. 100 ms and 5 s by default.
        pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
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
        pub fn concurrency(mut self, requests: usize) -> Self {
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
