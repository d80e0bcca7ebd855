//! What a polling stream counts.

use std::fmt;

/// What a polling stream has counted since it was started.
///
/// Printed it is one line: what is always of interest, and of the rest what is not zero.
///
/// ```
/// use headwater::timeseries::PollStats;
///
/// let mut stats = PollStats::default();
/// (stats.polls, stats.requests, stats.failures) = (8, 10, 2);
/// (stats.received, stats.emitted, stats.repeated) = (191, 34, 157);
/// (stats.late, stats.remembered) = (3, 40);
/// assert_eq!(
///     stats.to_string(),
///     "191 points received in 8 polls: 34 emitted (3 late), 157 repeated; 10 requests, 2 failed; 40 remembered"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PollStats {
    /// Polls that were begun.
    pub polls: u64,
    /// Times for a poll at which there was none, as the one before still ran, failed, or waited for the consumer.
    pub skipped: u64,
    /// Requests to the store: several a poll where a stretch is cut.
    pub requests: u64,
    /// Requests that failed, or whose answer was not taken.
    pub failures: u64,
    /// Points in the answers that were taken.
    pub received: u64,
    /// Points that were handed to the consumer, or wait for it.
    pub emitted: u64,
    /// Of these, those that came after a later one of their series. Where points
    /// [settle](super::Order::Settled), they are counted when they come, and emitted in their order.
    pub late: u64,
    /// Points that had been seen before.
    pub repeated: u64,
    /// Other values for points that had been seen.
    pub revised: u64,
    /// Points below the horizon.
    pub too_late: u64,
    /// Points that came after later ones had settled.
    pub overdue: u64,
    /// Points of answers that were not asked for, and were passed over.
    pub unasked: u64,
    /// Points for which there was no room in an outlet.
    pub overflowed: u64,
    /// Points that were lost on their way, and [given up](super::Ack::give_up).
    pub given_up: u64,
    /// Points that had no place in a column, where they are emitted as tables, and came beside these.
    pub unplaced: u64,
    /// Points that are remembered now.
    pub remembered: usize,
    /// Points that wait now until they have settled.
    pub held: usize,
    /// Points that are not acknowledged now.
    pub unacknowledged: usize,
    /// Points before this time are too late, in milliseconds since the Unix epoch; unknown before the first poll.
    pub horizon: Option<i64>,
    /// By how many milliseconds the store's clock is ahead of this computer's, where it tells the time.
    #[doc(alias = "getTimeOffsetToUtc")]
    pub clock_ahead: Option<i64>,
}

/// Those that are not zero.
fn some(f: &mut fmt::Formatter<'_>, counts: &[(u64, &str)]) -> fmt::Result {
    let mut counts = counts.iter().filter(|(count, _)| *count > 0);
    counts.try_for_each(|(count, what)| write!(f, ", {count} {what}"))
}

impl fmt::Display for PollStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (received, polls) = (self.received, self.polls);
        write!(f, "{received} points received in {polls} polls: ")?;
        write!(f, "{} emitted", self.emitted)?;
        if self.late > 0 {
            write!(f, " ({} late)", self.late)?;
        }
        write!(f, ", {} repeated", self.repeated)?;
        let otherwise = [
            (self.revised, "revised"),
            (self.too_late, "too late"),
            (self.overdue, "overdue"),
            (self.unasked, "not asked for"),
            (self.overflowed, "lost at full outlets"),
            (self.given_up, "given up"),
            (self.unplaced, "without a column"),
        ];
        some(f, &otherwise)?;
        write!(f, "; {} requests", self.requests)?;
        let missed = [(self.failures, "failed"), (self.skipped, "polls skipped")];
        some(f, &missed)?;
        write!(f, "; {} remembered", self.remembered)?;
        let waiting = [
            (self.held as u64, "waiting to settle"),
            (self.unacknowledged as u64, "not acknowledged"),
        ];
        some(f, &waiting)
    }
}
