//! What can go wrong with a request.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::timeseries::StoreError;
use crate::timeseries::rest::{Reason, Told};

/// A call failed: what was asked, how often, and why.
///
/// ```
/// use headwater::timeseries::kairosdb::{KairosDb, Query, Reason};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// // A port that was free a moment ago: nobody listens.
/// let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
/// let client = KairosDb::builder(format!("http://127.0.0.1:{port}")).attempts(1).build()?;
/// let error = client.query(&Query::since(0).metric("m")).await.unwrap_err();
/// assert!(matches!(error.reason(), Reason::Transport(_)), "{error}");
/// assert_eq!(error.asked(), "POST /api/v1/datapoints/query");
/// assert!(error.can_retry());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KairosError(Box<Told>);

impl KairosError {
    pub(super) fn new(asked: impl Into<String>, attempts: u32, reason: Reason) -> KairosError {
        KairosError(Box::new(Told::new(asked, attempts, reason)))
    }

    /// Method and path: `POST /api/v1/datapoints/query`.
    #[must_use]
    pub fn asked(&self) -> &str {
        &self.0.asked
    }

    /// How often it was tried; 0 if nothing was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Why it failed.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.0.reason
    }

    /// The status, if the store answered with one other than 2xx.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.reason.status()
    }

    /// All that the store says was wrong.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        self.0.reason.messages()
    }

    /// For how long the store asked to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.reason.retry_after()
    }

    /// Whether asking again later can help.
    #[must_use]
    pub fn can_retry(&self) -> bool {
        self.0.reason.can_retry()
    }
}

impl From<Told> for KairosError {
    fn from(told: Told) -> KairosError {
        KairosError(Box::new(told))
    }
}

impl fmt::Display for KairosError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KairosError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for KairosError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.reason.source()
    }
}

impl From<KairosError> for StoreError {
    fn from(error: KairosError) -> StoreError {
        let told = error.0.clone();
        told.of_store(error)
    }
}
