//! What can go wrong with a request.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::remote::chain;
use crate::timeseries::StoreError;
use crate::timeseries::kairosdb::Unfit;

/// A call failed: what was asked, how often, and why.
#[derive(Clone)]
pub(in crate::timeseries) struct Told {
    pub(in crate::timeseries) asked: String,
    pub(in crate::timeseries) attempts: u32,
    pub(in crate::timeseries) reason: Reason,
}

/// Why a call failed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Reason {
    /// The store answered with a status other than 2xx; or with an error in place of an answer.
    Refused {
        /// The status.
        status: u16,
        /// All that the store says was wrong; the body where it is in no form of the store's, cut after 1 000
        /// characters.
        messages: Vec<String>,
        /// For how long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The answer would be more than the service allows for: so it says by this status.
    OverQuota {
        /// The status.
        status: u16,
        /// All that the service says was wrong.
        messages: Vec<String>,
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
    /// The answer can't be made into a table.
    #[cfg(feature = "tables")]
    NoTable(crate::timeseries::TableError),
    /// Nothing was sent: a point can't be stored.
    Unfit {
        /// Its place among those that were given.
        place: usize,
        /// Its metric.
        metric: String,
        /// What is wrong with it.
        why: Unfit,
    },
    /// Nothing was sent: there is something in the query that can't be said in JSON, or in a URL.
    BadQuery(String),
    /// Nothing was sent: nobody has logged in.
    NotLoggedIn,
    /// Nothing was sent: the service has no such call.
    Unsupported {
        /// What it is called.
        service: &'static str,
        /// What it does have.
        has: &'static str,
    },
}

impl Told {
    pub(in crate::timeseries) fn new(
        asked: impl Into<String>,
        attempts: u32,
        reason: Reason,
    ) -> Told {
        Told {
            asked: asked.into(),
            attempts,
            reason,
        }
    }

    /// As those who poll see it.
    pub(in crate::timeseries) fn of_store(
        &self,
        error: impl Error + Send + Sync + 'static,
    ) -> StoreError {
        let error = match &self.reason {
            Reason::OverQuota { .. } | Reason::TooLarge(_) => StoreError::too_much(error),
            reason if reason.can_retry() => StoreError::retry(error),
            _ => StoreError::fatal(error),
        };
        match self.reason.retry_after() {
            Some(after) => error.after(after),
            None => error,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told {
            asked,
            attempts,
            reason,
        } = self;
        match attempts {
            0 | 1 => write!(f, "{asked}: {reason}"),
            _ => write!(f, "{asked}: {reason} (tried {attempts} times)"),
        }
    }
}

impl Reason {
    /// The status, if the server answered with one other than 2xx.
    pub(in crate::timeseries) fn status(&self) -> Option<u16> {
        match self {
            Reason::Refused { status, .. } | Reason::OverQuota { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// All that the server says was wrong.
    pub(in crate::timeseries) fn messages(&self) -> &[String] {
        match self {
            Reason::Refused { messages, .. } | Reason::OverQuota { messages, .. } => messages,
            _ => &[],
        }
    }

    pub(in crate::timeseries) fn retry_after(&self) -> Option<Duration> {
        match self {
            Reason::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(in crate::timeseries) fn can_retry(&self) -> bool {
        match self {
            Reason::Refused { status, .. } => {
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
            }
            // What can't even be begun never can; all else may be the network.
            Reason::Transport(error) => !error
                .downcast_ref::<reqwest::Error>()
                .is_some_and(reqwest::Error::is_builder),
            Reason::TimedOut(_) | Reason::Undecodable { .. } => true,
            Reason::OverQuota { .. }
            | Reason::TooLarge(_)
            | Reason::Unfit { .. }
            | Reason::BadQuery(_)
            | Reason::NotLoggedIn
            | Reason::Unsupported { .. } => false,
            #[cfg(feature = "tables")]
            Reason::NoTable(_) => false,
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
            Reason::OverQuota { status, messages } => {
                write!(
                    f,
                    "status {status}: the answer would be more than the service allows for: ask for a shorter \
                     time, or use aggregators"
                )?;
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
            #[cfg(feature = "tables")]
            Reason::NoTable(error) => fmt::Display::fmt(error, f),
            Reason::Unfit { place, metric, why } => {
                write!(
                    f,
                    "point {place}, of metric {metric:?}, can't be stored: {why}"
                )
            }
            Reason::BadQuery(why) => f.write_str(why),
            Reason::NotLoggedIn => f.write_str(
                "nobody has logged in: call `authenticate`, or give the builder a `user`",
            ),
            Reason::Unsupported { service, has } => {
                write!(f, "{service} has no such call: {has}, and nothing was sent")
            }
        }
    }
}

impl Error for Reason {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Reason::Transport(error) => Some(&**error),
            Reason::Unfit { why, .. } => Some(why),
            #[cfg(feature = "tables")]
            Reason::NoTable(error) => Some(error),
            _ => None,
        }
    }
}
