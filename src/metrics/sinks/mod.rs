//! Sinks that are ready to use, one a file or a folder.

#[cfg(feature = "opentsdb")]
mod opentsdb;

#[cfg(feature = "opentsdb")]
pub use opentsdb::{
    Answers, Confirm, OpenTsdbHttpSink, OpenTsdbSink, Resolution, Sanitize, UrlError,
};
