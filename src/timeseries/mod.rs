//! Time-series stores: clients to write and query them, tables of what they answer, and streams that
//! poll them.
//!
//! | module | what it holds |
//! | --- | --- |
//! | (here) | [`Point`], and [`Store`]: what can be polled; [`Polling`], which makes a [`MetricsStream`] of it |
#![cfg_attr(
    feature = "kairosdb",
    doc = "| [`kairosdb`] | a client of KairosDB, and a sink (feature `kairosdb`) |"
)]
#![cfg_attr(
    feature = "proficloud",
    doc = "| [`proficloud`] | clients of Proficloud's services, lists of metrics in CSV, times (feature `proficloud`) |"
)]

#[cfg(feature = "kairosdb")]
pub mod kairosdb;
mod point;
mod poll;
#[cfg(feature = "proficloud")]
pub mod proficloud;
#[cfg(feature = "kairosdb")]
mod rest;
mod store;

pub use point::{Point, PointValue};
pub use poll::{
    Ack, AckedMetricsStream, Cursor, CursorError, CursorFile, MetricsStream, Order, Outlet,
    PollClock, PollControl, PollError, PollState, PollStats, Polled, Polling, PollingError,
    Revised,
};
pub use store::{Fetched, Range, Store, StoreError};
