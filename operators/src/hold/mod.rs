//! An element waits: for room, for time, for a future.

mod buffer;
mod from_acked_stream;
mod from_stream;
mod map_async;
mod map_blocking;
mod pump;

pub use buffer::{Buffer, OnFull, Overflow};
pub use from_acked_stream::FromAckedStream;
pub use from_stream::FromStream;
pub use map_async::{MapAsync, TryMapAsync};
pub use map_blocking::{MapBlocking, TryMapBlocking};
pub use pump::FromIter;
