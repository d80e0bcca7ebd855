//! The client of proficloud.io.

mod answer;
mod builder;
mod client;
mod error;
mod influx;
mod login;
mod query;
mod session;
mod store;
#[cfg(feature = "tables")]
mod tables;
mod tokens;

pub use answer::{IoAnswer, IoSeries};
pub use builder::ProficloudIoBuilder;
pub use client::ProficloudIo;
pub use error::{ProficloudError, Step};
pub use query::IoQuery;
pub use store::IoStore;
