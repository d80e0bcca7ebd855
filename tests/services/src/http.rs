//! A small HTTP client for asking servers, and for what tests send by hand.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

use crate::Error;

/// For the whole of a request and its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer of a test is larger.
const LIMIT: u64 = 1 << 30;

/// One server's HTTP port.
///
/// Each request has a connection of its own, so that a server may be killed between two.
#[derive(Debug, Clone)]
pub struct Http {
    at: SocketAddr,
    agent: Agent,
}

/// What a server answered, whatever the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, 200 for instance.
    pub status: u16,
    /// The body, which is text.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// When it is none; the message shows it.
    pub fn json(&self) -> Result<Value, Error> {
        let doing = || format!("reading {:?}", self.body);
        serde_json::from_str(&self.body).map_err(|error| Error::at(doing())(error))
    }
}

impl Http {
    pub(crate) fn new(at: SocketAddr) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_idle_connections(0)
            .proxy(None)
            .build();
        let agent = config.into();
        Self { at, agent }
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// The address alone.
    pub fn addr(&self) -> SocketAddr {
        self.at
    }

    /// A GET of a path, which begins with a slash and is encoded.
    ///
    /// # Errors
    ///
    /// When there is no answer. A status of 400 or 500 is an answer.
    pub fn get(&self, path: &str) -> Result<Answer, Error> {
        let url = self.url() + path;
        let doing = format!("GET {url}");
        read(doing, self.agent.get(url).call())
    }

    /// A DELETE.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn delete(&self, path: &str) -> Result<Answer, Error> {
        let url = self.url() + path;
        let doing = format!("DELETE {url}");
        read(doing, self.agent.delete(url).call())
    }

    /// A POST of a body of a type, `application/json` for instance.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl AsRef<[u8]>,
    ) -> Result<Answer, Error> {
        self.post_with(path, &[("content-type", content_type)], body)
    }

    /// A POST with any headers.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Result<Answer, Error> {
        let url = self.url() + path;
        let doing = format!("POST {url}");
        let mut request = self.agent.post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(doing, request.send(body.as_ref()))
    }
}

fn read(
    doing: String,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Answer, Error> {
    let read = |mut answer: ureq::http::Response<ureq::Body>| {
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(LIMIT);
        let body = body.read_to_string()?;
        Ok(Answer { status, body })
    };
    answer.and_then(read).map_err(Error::at(doing))
}
