//! What can go wrong with a call.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::timeseries::StoreError;
use crate::timeseries::rest::{Reason, Told};

/// What the client of proficloud.io was about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// To log in, with name and password.
    LogIn,
    /// To get another token for one that expires.
    Refresh,
    /// To ask for points.
    Query,
}

/// A call of the client of proficloud.io failed: at which step, what was asked, how often, and why.
///
/// Neither passwords nor tokens are in it, also where the service repeats them.
///
/// ```
/// use headwater::timeseries::kairosdb::Reason;
/// use headwater::timeseries::proficloud::{IoQuery, ProficloudIo, Step};
/// use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let client = ProficloudIo::builder().build()?;
/// let query = IoQuery::new("uuid").metric("m").last(Duration::from_secs(60));
/// let error = client.query(&query).await.unwrap_err();
/// assert!(matches!(error.reason(), Reason::NotLoggedIn), "{error}");
/// assert_eq!((error.step(), error.attempts(), error.can_retry()), (Step::LogIn, 0, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ProficloudError(Box<(Step, Told)>);

impl ProficloudError {
    pub(super) fn new(step: Step, told: Told) -> ProficloudError {
        ProficloudError(Box::new((step, told)))
    }

    fn told(&self) -> &Told {
        &self.0.1
    }

    /// What the client was about to do.
    #[must_use]
    pub fn step(&self) -> Step {
        self.0.0
    }

    /// Method, path and query: `GET /epts/data?timeSeriesName=…`.
    #[must_use]
    pub fn asked(&self) -> &str {
        &self.told().asked
    }

    /// How often it was tried; 0 if nothing was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.told().attempts
    }

    /// Why it failed.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.told().reason
    }

    /// The status, if the service answered with one other than 2xx.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.told().reason.status()
    }

    /// All that the service says was wrong.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        self.told().reason.messages()
    }

    /// For how long the service asked to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.told().reason.retry_after()
    }

    /// Whether asking again later can help.
    #[must_use]
    pub fn can_retry(&self) -> bool {
        self.told().reason.can_retry()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::LogIn => "logging in",
            Step::Refresh => "refreshing the token",
            Step::Query => "querying",
        })
    }
}

impl fmt::Display for ProficloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step(), self.told())
    }
}

impl fmt::Debug for ProficloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ProficloudError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason().source()
    }
}

impl From<ProficloudError> for StoreError {
    fn from(error: ProficloudError) -> StoreError {
        let told = error.told().clone();
        told.of_store(error)
    }
}
