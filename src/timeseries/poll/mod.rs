//! Polling: the points of a store, each one once, although polls overlap, points come late, and the
//! store or this process is away for a while.

mod clock;
mod control;
mod course;
mod cursor;
mod cursor_bytes;
mod cursor_file;
#[cfg(feature = "serde")]
mod cursor_serde;
mod entry;
mod failing;
mod intake;
mod order;
mod outlet;
mod pending;
mod polling;
mod polling_error;
mod range;
mod seen;
mod series;
mod shared;
mod state;
mod stats;
mod stream;
#[cfg(feature = "tables")]
mod tables;
mod ticks;
mod worker;

pub use clock::PollClock;
pub use control::PollControl;
pub use cursor::{Cursor, CursorError};
pub use cursor_file::CursorFile;
pub use order::Order;
pub use outlet::{Outlet, Revised};
pub use polling::Polling;
pub use polling_error::PollingError;
pub use state::{PollError, PollState};
pub use stats::PollStats;
pub use stream::{Ack, AckedMetricsStream, MetricsStream, Polled};
#[cfg(feature = "tables")]
pub use tables::{AckedTableStream, TableStream};
