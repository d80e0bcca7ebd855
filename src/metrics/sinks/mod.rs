//! Sinks that are ready to use, one a file. What several share is in `blocking`, `format` and `lines`.

mod blocking;
mod fn_sink;
mod format;
mod futures_sink;
#[cfg(feature = "json")]
mod json_lines;
#[cfg(feature = "json")]
mod json_tail;
#[cfg(feature = "json")]
mod json_text;
mod lines;
mod log;
mod log_site;
mod print;
mod prometheus;
mod tally;

pub use fn_sink::{FnSink, IntoSinkResult};
pub use format::FormatError;
pub use futures_sink::FuturesSink;
#[cfg(feature = "json")]
pub use json_lines::JsonLinesSink;
#[cfg(feature = "json")]
pub use json_tail::{JsonFileError, Tail};
#[cfg(feature = "json")]
pub use json_text::{JsonTime, NonFinite};
pub use log::LogSink;
pub use print::PrintSink;
pub use prometheus::{Exposition, ExpositionCounts, ExpositionFormat, PrometheusSink};
