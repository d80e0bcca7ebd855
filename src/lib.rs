//! Dataflow graphs of stream combinators.
pub use headwater_operators::*;

mod runtime;

pub use runtime::{Driver, Spawn};

/// What most programs import: `use headwater::prelude::*`.
pub mod prelude {
    pub use crate::runtime::Spawn;
    pub use headwater_operators::prelude::*;
}
