//! Time-series stores: clients to write and query them, tables of what they answer, and streams that
//! poll them.
//!
//! | module | what it holds |
//! | --- | --- |
//! | (here) | [`Point`], and [`Store`]: what can be polled |
#![cfg_attr(
    feature = "kairosdb",
    doc = "| [`kairosdb`] | a client of KairosDB, and a sink (feature `kairosdb`) |"
)]

#[cfg(feature = "kairosdb")]
pub mod kairosdb;
mod point;
mod store;

pub use point::{Point, PointValue};
pub use store::{Fetched, Range, Store, StoreError};
