//! Dataflow graphs of stream combinators.
pub use headwater_operators::*;

/// What most programs import: `use headwater::prelude::*`.
pub mod prelude {
    pub use headwater_operators::prelude::*;
}
