//! Dataflow graphs of stream combinators.
pub use headwater_operators::*;
