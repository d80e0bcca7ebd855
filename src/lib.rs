#![doc = include_str!("guide.md")]
#![warn(unreachable_pub)]

mod again;
pub mod guide;
pub mod metrics;
#[cfg(any(feature = "kairosdb", feature = "opentsdb"))]
mod remote;
mod runtime;
pub mod timeseries;

pub use headwater_operators::*;
pub use runtime::{Driver, Spawn};

/// What most programs import: `use headwater::prelude::*`.
pub mod prelude {
    pub use crate::runtime::Spawn;
    pub use headwater_operators::prelude::*;
}

/// The README's example is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
