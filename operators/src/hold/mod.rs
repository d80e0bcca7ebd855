//! An element waits: for room, for time, for a future.

mod buffer;
mod flat_map_stream;
mod from_acked_stream;
mod from_iter;
mod from_stream;
mod inner_streams;
mod map_async;
mod map_blocking;
mod pump;
mod switch_map;

pub use buffer::{Buffer, OnFull, Overflow};
pub use flat_map_stream::FlatMapStream;
pub use from_acked_stream::FromAckedStream;
pub use from_iter::FromIter;
pub use from_stream::FromStream;
pub use map_async::{MapAsync, TryMapAsync};
pub use map_blocking::{MapBlocking, TryMapBlocking};
pub use switch_map::SwitchMap;
