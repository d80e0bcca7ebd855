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
#![cfg_attr(
    feature = "tables",
    doc = "| (here) | [`Table`]: points as Arrow's record batches (feature `tables`); [`TableSchema`], for columns that are known before there are points |"
)]

#[cfg(any(feature = "proficloud", feature = "tables"))]
mod calendar;
#[cfg(feature = "kairosdb")]
pub mod kairosdb;
mod point;
mod poll;
#[cfg(feature = "proficloud")]
pub mod proficloud;
#[cfg(feature = "kairosdb")]
mod rest;
mod store;
#[cfg(feature = "tables")]
mod table;
mod unix;

pub use point::{Point, PointValue};
pub use poll::{
    Ack, AckedMetricsStream, Cursor, CursorError, CursorFile, MetricsStream, Order, Outlet,
    PollClock, PollControl, PollError, PollState, PollStats, Polled, Polling, PollingError,
    Revised,
};
#[cfg(feature = "tables")]
pub use poll::{AckedTableStream, TableStream};
pub use store::{Fetched, Range, Store, StoreError};
#[cfg(feature = "tables")]
pub use table::{
    Column, ColumnType, Duplicates, Moment, MomentError, Table, TableBuilder, TableError,
    TableSchema, Tabled, TimeType, Unplaced, Why,
};
