//! KairosDB: a client of its REST API, and a sink.
//!
//! [`KairosDb`] writes points, queries and deletes them. [`Query`] says what is asked for: metrics, tags,
//! times, groups, [`Aggregator`]s. [`Answer`] is what comes back. [`KairosDb::store`] is a query that can be
//! polled. [`KairosDbSink`] is a sink of the metrics pipeline, and [`KairosDb::point_sink`] writes any flow of
//! points.
//!
//! Sources: the REST API of KairosDB 1.3.0 (<https://kairosdb.github.io/docs/restapi/>), and what its server
//! does, as these docs say it.

mod aggregator;
mod answer;
mod asking;
mod build;
mod builder;
mod client;
mod encode;
mod error;
mod gateway;
mod group;
mod group_by;
mod health;
mod pause;
mod point_sink;
mod query;
mod query_metric;
mod querying;
mod queued;
mod range_aggregator;
mod relative;
mod sift;
mod sink;
mod store;
#[cfg(feature = "tables")]
mod tables;
mod unfit;
mod values;
mod writing;

pub use aggregator::{Aggregator, Comparison, Threshold, Trim};
pub use answer::{Answer, Answered, Series};
pub use builder::{Gzip, KairosDbBuilder};
pub use client::KairosDb;
pub use error::KairosError;
pub use group::Group;
pub use group_by::GroupBy;
pub use health::Health;
pub use point_sink::PointSink;
pub use query::Query;
pub use query_metric::{Order, QueryMetric};
pub use queued::{Queued, WriteError};
pub use range_aggregator::{Deviation, RangeAggregator};
pub use relative::{Relative, TimeUnit, When};
pub use sift::{Rejected, Sifted};
pub use sink::KairosDbSink;
pub use store::KairosStore;
pub use unfit::Unfit;

pub use super::rest::{BuildError, Excerpt, Exchange, Reason};
#[cfg(feature = "proficloud")]
pub(in crate::timeseries) use gateway::Gateway;
#[cfg(feature = "proficloud")]
pub(in crate::timeseries) use values::AnyValue;
