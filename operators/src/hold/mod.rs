//! An element waits: for room, for time, for a future.

mod buffer;
mod pump;

pub use buffer::{Buffer, OnFull, Overflow};
pub use pump::FromIter;
