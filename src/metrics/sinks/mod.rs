//! Sinks that are ready to use, one a file or a folder.

#[cfg(feature = "opentsdb")]
pub mod opentsdb;
