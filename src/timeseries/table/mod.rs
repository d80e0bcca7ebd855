//! Tables of time series, as Arrow's record batches.

mod arrays;
mod builder;
mod cells;
mod column;
mod error;
mod from_batch;
mod gaps;
mod join;
mod moment;
mod names;
mod points;
#[cfg(feature = "polars")]
mod polars;
mod print;
mod rows;
mod schema;
#[allow(clippy::module_inception)]
mod table;

#[cfg(feature = "kairosdb")]
pub(in crate::timeseries) use {
    builder::common,
    cells::Cells,
    column::{Head, titled},
};

pub use builder::{Duplicates, TableBuilder};
pub use column::{Column, ColumnType};
pub use error::TableError;
pub use moment::{Moment, MomentError};
pub use schema::{TableSchema, Tabled, Unplaced, Why};
pub use table::{Table, TimeType};
