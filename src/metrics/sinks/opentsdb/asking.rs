//! Whom the HTTP sink asks, and for what.

use std::fmt;

use reqwest::Url;

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
    /// Has the URL ask for this, and for nothing else of the kind. What else is in its query stays as it is:
    /// labels for all points, say, or a token.
    pub(super) fn ask(self, url: &mut Url) {
        let mine = [Answers::Details, Answers::Summary].map(Answers::question);
        let kept = url.query().unwrap_or_default().split('&').filter(|pair| {
            let name = pair.split('=').next();
            !pair.is_empty() && !mine.contains(&name)
        });
        let all: Vec<_> = kept.chain(self.question()).collect();
        let query = Some(all.join("&")).filter(|query| !query.is_empty());
        url.set_query(query.as_deref());
    }

    fn question(self) -> Option<&'static str> {
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
