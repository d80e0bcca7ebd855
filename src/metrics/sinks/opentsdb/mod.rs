//! OpenTSDB: its telnet protocol, and its HTTP protocol.
//!
//! Sources: OpenTSDB 2.4's documentation, "put" of the telnet API, "/api/put" of the HTTP API and
//! "Writing data"; what VictoriaMetrics 1.79 and KairosDB 1.3 make of them.

mod answer;
mod chunks;
mod host;
mod http;
mod names;
mod point;
mod post;
mod rejects;
mod telnet;
mod wire;

pub use http::{Answers, OpenTsdbHttpSink, UrlError};
pub use names::Sanitize;
pub use telnet::{Confirm, OpenTsdbSink};

/// How exactly a point's time is written.
///
/// Receivers tell the two apart by their size: what needs more than 32 bits is milliseconds. A time that
/// would be taken for the other one (before 19 February 1970 in milliseconds, after the year 2106 in
/// seconds), or for none at all (zero), is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// Whole seconds since the Unix epoch, rounded down. Every receiver reads them. Elements of one series
    /// within one second are points at the same time, of which most receivers keep the last.
    Seconds,
    /// Whole milliseconds since the Unix epoch, rounded down. OpenTSDB from version 2.0 on and KairosDB
    /// read them by either protocol, and VictoriaMetrics 1.79 by HTTP only: on telnet it takes every time
    /// for seconds.
    Milliseconds,
}
