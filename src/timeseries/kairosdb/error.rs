//! What can go wrong with a request.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::unfit::Unfit;
use crate::remote::chain;
use crate::timeseries::StoreError;

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

#[derive(Debug, Clone)]
struct Told {
    asked: String,
    attempts: u32,
    reason: Reason,
}

/// Why a call failed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Reason {
    /// The store answered with a status other than 2xx.
    Refused {
        /// The status.
        status: u16,
        /// All that the store says was wrong; the body where it is in no form of the store's, cut after 1 000
        /// characters.
        messages: Vec<String>,
        /// For how long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// There was no answer, or not all of it: no connection, no trust, a connection that broke.
    Transport(Arc<dyn Error + Send + Sync>),
    /// An attempt took longer than this, its answer included.
    TimedOut(Duration),
    /// The answer has more bytes than this, after it was unpacked.
    TooLarge(usize),
    /// The answer is not what it should be.
    Undecodable {
        /// What is wrong with it, and where.
        why: String,
        /// Its beginning, up to 1 000 characters.
        body: String,
    },
    /// Nothing was sent: a point can't be stored.
    Unfit {
        /// Its place among those that were given.
        place: usize,
        /// Its metric.
        metric: String,
        /// What is wrong with it.
        why: Unfit,
    },
    /// Nothing was sent: there is something in the query that can't be said in JSON.
    BadQuery(String),
}

impl KairosError {
    pub(super) fn new(asked: impl Into<String>, attempts: u32, reason: Reason) -> KairosError {
        KairosError(Box::new(Told {
            asked: asked.into(),
            attempts,
            reason,
        }))
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
        match self.0.reason {
            Reason::Refused { status, .. } => Some(status),
            _ => None,
        }
    }

    /// All that the store says was wrong.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        match &self.0.reason {
            Reason::Refused { messages, .. } => messages,
            _ => &[],
        }
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

impl Reason {
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Reason::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) fn can_retry(&self) -> bool {
        match self {
            Reason::Refused { status, .. } => {
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
            }
            // What can't even be begun never can; all else may be the network.
            Reason::Transport(error) => !error
                .downcast_ref::<reqwest::Error>()
                .is_some_and(reqwest::Error::is_builder),
            Reason::TimedOut(_) | Reason::Undecodable { .. } => true,
            Reason::TooLarge(_) | Reason::Unfit { .. } | Reason::BadQuery(_) => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Refused {
                status, messages, ..
            } => {
                write!(f, "status {status}")?;
                let colon = if messages.is_empty() { "" } else { ": " };
                write!(f, "{colon}{}", messages.join("; "))
            }
            Reason::Transport(error) => f.write_str(&chain(&**error)),
            Reason::TimedOut(after) => write!(f, "no complete answer within {after:?}"),
            Reason::TooLarge(limit) => write!(
                f,
                "the answer has more than {limit} bytes: ask for less at a time, or allow for more by \
                 `max_answer`"
            ),
            Reason::Undecodable { why, body } => {
                write!(f, "{why}, in an answer that begins {body:?}")
            }
            Reason::Unfit { place, metric, why } => {
                write!(
                    f,
                    "point {place}, of metric {metric:?}, can't be stored: {why}"
                )
            }
            Reason::BadQuery(why) => f.write_str(why),
        }
    }
}

impl Error for Reason {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Reason::Transport(error) => Some(&**error),
            Reason::Unfit { why, .. } => Some(why),
            _ => None,
        }
    }
}

impl fmt::Display for KairosError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told {
            asked,
            attempts,
            reason,
        } = &*self.0;
        match attempts {
            0 | 1 => write!(f, "{asked}: {reason}"),
            _ => write!(f, "{asked}: {reason} (tried {attempts} times)"),
        }
    }
}

impl fmt::Debug for KairosError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for KairosError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.reason.source()
    }
}

impl From<KairosError> for StoreError {
    fn from(error: KairosError) -> StoreError {
        let after = error.retry_after();
        let error = match error.can_retry() {
            true => StoreError::retry(error),
            false => StoreError::fatal(error),
        };
        match after {
            Some(after) => error.after(after),
            None => error,
        }
    }
}
