//! How the client's calls are made: paths, bodies, and what is not passed on.

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;

use super::client::KairosDb;
use super::error::KairosError;
use crate::timeseries::rest::{Ask, Reason, Response, asked, read};

/// A name as a part of a path. Each byte that could mean anything else there is escaped: URLs leave out line ends and
/// tabs, and the name without them is that of something else.
fn segment(name: &str) -> PercentEncode<'_> {
    const SPECIAL: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(name, SPECIAL)
}

impl KairosDb {
    pub(super) fn path(&self, path: &str) -> Url {
        let mut url = self.0.base.clone();
        url.set_path(&format!("{}{path}", url.path()));
        url
    }

    /// Where something of this name is, for a call.
    pub(super) fn below(
        &self,
        method: &Method,
        folder: &str,
        name: &str,
    ) -> Result<Url, KairosError> {
        let url = self.path(folder);
        if matches!(name, "." | "..") {
            // Written in whichever way, it would ask for a folder, and not for what is in it.
            let why = format!(
                "{name:?} can't be named in a URL: what has this name is reached by queries alone"
            );
            let asked = format!("{}/{name}", asked(method, &url));
            return Err(KairosError::new(asked, 0, Reason::BadQuery(why)));
        }
        Ok(self.path(&format!("{folder}/{}", segment(name))))
    }

    pub(super) async fn post(&self, path: Url, body: Bytes) -> Result<Response, KairosError> {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.ask(Ask {
            headers: vec![json],
            body: Some((self.0.rest.excerpt(&body), body)),
            over_quota: self
                .0
                .settings
                .gateway
                .and_then(|gateway| gateway.over_quota),
            ..Ask::new(Method::POST, path)
        })
        .await
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: Url) -> Result<T, KairosError> {
        let asked = asked(&Method::GET, &path);
        let response = self.ask(Ask::new(Method::GET, path)).await?;
        Ok(read(&asked, &response)?)
    }

    /// Sends a request, unless nobody would answer it.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Response, KairosError> {
        let settings = &self.0.settings;
        if let Some(gateway) = &settings.gateway {
            let queries = self.path(&settings.query_path);
            let writes = gateway.writes.then(|| self.path(&settings.write_path));
            if ask.url != queries && Some(&ask.url) != writes.as_ref() {
                let reason = Reason::Unsupported {
                    service: gateway.service,
                    has: gateway.has(),
                };
                return Err(KairosError::new(asked(&ask.method, &ask.url), 0, reason));
            }
        }
        Ok(self.0.rest.ask(ask).await?)
    }
}
