//! Whom the HTTP sink asks, and for what.

use std::fmt;

/// What the receiver is asked to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answers {
    /// Which points it did not take, and why: `?details`.
    Details,
    /// How many it did not take: `?summary`. Why, its own log tells.
    Summary,
    /// Whether it took all: 204, or 400, upon which the request is sent again in halves.
    Status,
}

impl Answers {
    pub(super) fn query(self) -> Option<&'static str> {
        match self {
            Answers::Details => Some("details"),
            Answers::Summary => Some("summary"),
            Answers::Status => None,
        }
    }
}

/// What was given as a receiver's URL is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlError {
    pub(super) url: String,
    pub(super) why: String,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UrlError { url, why } = self;
        write!(
            f,
            "{url:?} is not the URL of a receiver, such as http://127.0.0.1:4242: {why}"
        )
    }
}

impl std::error::Error for UrlError {}
