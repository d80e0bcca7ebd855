//! Sinks for receivers that are known by name.

#[cfg(feature = "opentsdb")]
pub(super) mod opentsdb;
