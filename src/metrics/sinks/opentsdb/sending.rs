//! From points to requests: what is sent again, what in halves, and what not at all.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use super::answer::{Report, Verdict};
use super::chunks::{Encoded, Named};
use super::http::OpenTsdbHttpSink;
use super::rejects::Rejects;
use crate::metrics::{Element, SinkError};
use crate::remote::shown_url;

/// How many more requests a batch may take because some were refused: enough to find a few bad points
/// among thousands, and not so many that a receiver which refuses everything is flooded.
const SPLITS: usize = 64;
/// A receiver that asks for more patience than that is asked again anyway.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl OpenTsdbHttpSink {
    /// Sends points in requests, one after the other.
    pub(super) async fn deliver_all(
        &mut self,
        points: &Encoded,
        rejects: &mut Rejects,
        batch: &[Element],
    ) -> Result<(), SinkError> {
        let mut splits = 0;
        // Ranges of points that are to be sent, the next one last.
        let mut ranges = vec![points.all()];
        while let Some(range) = ranges.pop() {
            if range.is_empty() {
                continue;
            }
            let first = points.fitting(range.clone(), self.max_points, self.max_bytes);
            if first.end < range.end {
                ranges.push(first.end..range.end);
            }
            let body = points.body(first.clone());
            let length = body.len();
            let metric = |point: usize| batch[points.place(point)].name();
            match self.post.send(body).await {
                Verdict::Taken(report) => {
                    if let Some((why, at)) = taken(&report, points, first, rejects, &metric) {
                        let why = self.failed(why);
                        return Err(rejects.broken(why, points.place(at), batch.len()));
                    }
                }
                Verdict::Refused { why, .. } if first.len() == 1 => {
                    rejects.at(points.place(first.start), metric(first.start), &why);
                }
                Verdict::Refused { why, .. } if splits == SPLITS => {
                    for point in first {
                        rejects.at(points.place(point), metric(point), &why);
                    }
                }
                Verdict::Refused { too_large, why } => {
                    tracing::debug!(why, points = first.len(), "refused, and sent in halves");
                    splits += 2;
                    if too_large {
                        self.max_bytes = length / 2;
                    }
                    let middle = first.start + first.len() / 2;
                    ranges.push(middle..first.end);
                    ranges.push(first.start..middle);
                }
                Verdict::Later { why, after } => {
                    let pause = after.map(|after| after.min(LONGEST_PAUSE));
                    self.not_before = pause.map(|pause| Instant::now() + pause);
                    let why = self.failed(why);
                    return Err(rejects.broken(why, points.place(first.start), batch.len()));
                }
                Verdict::Never(why) => {
                    let why = self.failed(why);
                    return Err(rejects.given_up(why, points.place(first.start)));
                }
            }
        }
        rejects.outcome(batch.len())
    }

    fn failed(&self, why: String) -> Failed {
        let url = shown_url(self.post.url.as_str());
        Failed { url, why }
    }
}

/// Goes through what a receiver says of single points. If some failed for a reason that may pass, says
/// why, and from which point on it is to be tried again.
fn taken<'a>(
    report: &Report,
    points: &Encoded,
    range: Range<usize>,
    rejects: &mut Rejects,
    metric: &dyn Fn(usize) -> &'a str,
) -> Option<(String, usize)> {
    let mut again: Option<(String, usize)> = None;
    let mut unknown = report.failed.saturating_sub(report.errors.len());
    let mut named = match report.errors.is_empty() {
        true => HashMap::new(),
        false => points.named(range.clone()),
    };
    for error in &report.errors {
        let name = Named::deserialize(&error.datapoint).ok();
        // Two that are alike have an error each.
        let point = name.and_then(|name| named.get_mut(&name)?.pop_front());
        if error.may_pass() {
            // One that is not found may be any of them.
            let from = point.unwrap_or(range.start);
            if again.as_ref().is_none_or(|&(_, at)| from < at) {
                again = Some((error.error.clone(), from));
            }
        } else if let Some(point) = point {
            rejects.at(points.place(point), metric(point), &error.error);
        } else {
            unknown += 1;
        }
    }
    if again.is_none() && report.timeouts > 0 {
        let why = format!("{} points were not written in time", report.timeouts);
        again = Some((why, range.start));
    }
    if again.is_none() {
        let why = match report.errors.first() {
            Some(error) => &error.error,
            None => "the receiver does not say why",
        };
        rejects.some(unknown.min(range.len()), why);
    }
    again
}

/// A request failed.
#[derive(Debug)]
struct Failed {
    url: String,
    why: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "points were not taken by {}: {}", self.url, self.why)
    }
}

impl std::error::Error for Failed {}
