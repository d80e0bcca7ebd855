//! An element in, none or some out, at once.

mod map;

pub use map::Map;
