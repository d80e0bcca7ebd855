//! One request, and its answer.

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Url};

use super::answer::{Verdict, verdict};
use crate::remote::{chain, shown_url, zipped};

/// An answer is read so far; a report on more errors than fit is not understood, and counts as none.
const LONGEST_ANSWER: usize = 16 << 20;

/// Where requests go, and how.
pub(super) struct Post {
    pub(super) client: Client,
    pub(super) url: Url,
    pub(super) gzip: bool,
    pub(super) timeout: Duration,
}

impl Post {
    /// Sends a body. Without an answer, nobody knows whether it arrived: it is sent again.
    pub(super) async fn send(&self, body: Vec<u8>) -> Verdict {
        // The URL is told where the error is, and not as reqwest tells it: with all of its query.
        match self.answer(body).await.map_err(reqwest::Error::without_url) {
            Ok(verdict) => verdict,
            // It can't be sent at all: a URL that this client has no way to.
            Err(error) if error.is_builder() => Verdict::Never(chain(&error)),
            Err(error) => Verdict::Later {
                why: chain(&error),
                after: None,
            },
        }
    }

    async fn answer(&self, body: Vec<u8>) -> reqwest::Result<Verdict> {
        let request = self
            .client
            .post(self.url.clone())
            .timeout(self.timeout)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json");
        let request = match self.gzip.then(|| zipped(&body)).flatten() {
            Some(zipped) => request.header(CONTENT_ENCODING, "gzip").body(zipped),
            None => request.body(body),
        };
        let mut answer = request.send().await?;
        let status = answer.status().as_u16();
        let after = answer.headers().get(RETRY_AFTER);
        let after = after.and_then(|after| Some(after.to_str().ok()?.to_owned()));
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            if body.len() + piece.len() > LONGEST_ANSWER {
                break;
            }
            body.extend_from_slice(&piece);
        }
        Ok(verdict(status, after.as_deref(), &body))
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post")
            .field("url", &shown_url(self.url.as_str()))
            .field("gzip", &self.gzip)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
