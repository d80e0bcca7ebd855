//! What can go wrong with a server.

use std::fmt;

/// Why a server is not there, or does not do what was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// This machine lacks what the server needs.
    Missing {
        /// The server.
        service: &'static str,
        /// What is missing, and how to get it.
        why: String,
    },
    /// It does not run, or not any more.
    Down {
        /// The server.
        service: &'static str,
        /// What happened.
        why: String,
        /// The last lines of what it wrote.
        log: String,
    },
    /// Anything else: a file, a request.
    Failed {
        /// What was being done.
        doing: String,
        /// Why it was not done.
        why: String,
    },
}

impl Error {
    /// For `map_err`: the failure of what was being done.
    pub(crate) fn at<E: fmt::Display>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        let doing = doing.into();
        move |error| Self::Failed {
            doing,
            why: error.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { service, why } => write!(f, "no {service} on this machine: {why}"),
            Self::Down { service, why, log } if log.is_empty() => write!(f, "{service}: {why}"),
            Self::Down { service, why, log } => {
                write!(f, "{service}: {why}; the end of its log:\n{log}")
            }
            Self::Failed { doing, why } => write!(f, "{doing}: {why}"),
        }
    }
}

impl std::error::Error for Error {}
