//! What `/api/put` answers: that points were stored, which were not, and why.

use std::time::Duration;

use serde::Deserialize;

/// What an answer means for the points of its request.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// They were taken, but for these.
    Taken(Report),
    /// None was taken, as something is wrong with the request: one bad point, or too many of them.
    Refused {
        why: String,
        /// It has too many bytes.
        too_large: bool,
    },
    /// The receiver can't take them now; it may say for how long.
    Later {
        why: String,
        after: Option<Duration>,
    },
    /// The receiver will never take anything that is sent there.
    Never(String),
}

/// What the receiver says of single points.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub(super) struct Report {
    #[serde(default)]
    pub(super) failed: usize,
    /// Points that were not written in time, where that was asked for.
    #[serde(default)]
    pub(super) timeouts: usize,
    #[serde(default)]
    pub(super) errors: Vec<PointError>,
}

/// What was wrong with a point, in OpenTSDB's words.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct PointError {
    #[serde(default)]
    pub(super) error: String,
    #[serde(default)]
    pub(super) datapoint: serde_json::Value,
}

/// The answer to a request of which nothing was understood.
#[derive(Debug, Deserialize)]
struct Whole {
    error: WholeError,
}

#[derive(Debug, Deserialize)]
struct WholeError {
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: String,
}

impl PointError {
    /// Whether the point was fine and the storage was not.
    pub(super) fn may_pass(&self) -> bool {
        let passing = [
            "Storage exception",
            "Please throttle",
            "Timeout exception",
            "Write timedout",
        ];
        passing.iter().any(|begin| self.error.starts_with(begin))
    }
}

/// Reads an answer.
pub(super) fn verdict(status: u16, retry_after: Option<&str>, body: &[u8]) -> Verdict {
    let why = || format!("HTTP status {status}{}", said(body));
    match status {
        200..=299 => Verdict::Taken(report(body).unwrap_or_default()),
        400 => match report(body) {
            Some(report) => Verdict::Taken(report),
            None => Verdict::Refused {
                why: why(),
                // OpenTSDB's way to say so: it cuts what is larger than its buffer into chunks first.
                too_large: why().contains("Chunked request not supported"),
            },
        },
        413 => Verdict::Refused {
            why: why(),
            too_large: true,
        },
        408 | 425 | 429 | 500..=599 => Verdict::Later {
            why: why(),
            // A date is possible too; then the sink's runner decides.
            after: retry_after
                .and_then(|seconds| seconds.trim().parse().ok())
                .map(Duration::from_secs),
        },
        _ => Verdict::Never(why()),
    }
}

/// An answer that counts points, as `details` and `summary` ask for.
fn report(body: &[u8]) -> Option<Report> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    // Any of these makes it one: an error of the request as a whole has `error`.
    let counts = ["failed", "success", "errors"];
    let counts = counts.iter().any(|name| value.get(name).is_some());
    counts.then(|| serde_json::from_value(value).ok()).flatten()
}

/// What the body says, shortened, behind a colon.
fn said(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Whole>(body) {
        Ok(Whole { error }) if error.details.is_empty() => error.message,
        Ok(Whole { error }) => format!("{} ({})", error.message, error.details),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let mut text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = text.char_indices().nth(300) {
        text.truncate(end);
        text.push('…');
    }
    match text.is_empty() {
        true => text,
        false => format!(": {text}"),
    }
}
