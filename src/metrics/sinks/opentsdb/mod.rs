//! Sinks that speak OpenTSDB's protocols, with the feature `opentsdb`.
//!
//! | | [`OpenTsdbSink`] | [`OpenTsdbHttpSink`] |
//! | --- | --- | --- |
//! | speaks | telnet `put` | HTTP, `/api/put` |
//! | delivers | at most once | at least once |
//! | a connection that breaks | costs the batch under way, which is counted | costs nothing: it is sent again |
//! | a point that the receiver refuses | is known if the receiver says so: OpenTSDB does, KairosDB and VictoriaMetrics don't | is known by name, from OpenTSDB |
//! | read by | OpenTSDB, KairosDB, VictoriaMetrics, InfluxDB 1 | OpenTSDB, VictoriaMetrics |
//!
//! Sources: the documentation of OpenTSDB 2.4, on
//! [telnet put](http://opentsdb.net/docs/build/html/api_telnet/put.html),
//! [`/api/put`](http://opentsdb.net/docs/build/html/api_http/put.html) and
//! [writing data](http://opentsdb.net/docs/build/html/user_guide/writing/index.html). What it leaves open
//! was found out from VictoriaMetrics 1.79 and KairosDB 1.3, and is tested against them.

mod answer;
mod asking;
mod chunks;
mod http;
mod lines;
mod names;
mod point;
mod post;
mod receiver;
mod rejects;
mod sending;
mod telnet;
mod trouble;
mod wire;

pub use asking::{Answers, UrlError};
pub use http::OpenTsdbHttpSink;
pub use names::Sanitize;
pub use receiver::Confirm;
pub use telnet::OpenTsdbSink;

/// How exactly a point's time is written.
///
/// Receivers tell the two apart by their size: what needs more than 32 bits is milliseconds. A time that
/// would be taken for the other one (before 19 February 1970 in milliseconds, after the year 2106 in
/// seconds), or for none at all (zero), is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// Whole seconds since the Unix epoch, rounded down. Every receiver reads them (KairosDB until 2065).
    /// Elements of one series within one second are points at the same time, of which most receivers keep
    /// the last.
    Seconds,
    /// Whole milliseconds since the Unix epoch, rounded down. OpenTSDB from version 2.0 on and KairosDB
    /// read them by either protocol, and VictoriaMetrics 1.79 by HTTP only: on telnet it takes every time
    /// for seconds.
    Milliseconds,
}
