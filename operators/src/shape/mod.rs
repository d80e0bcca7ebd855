//! An element in, none or some out, at once.

mod accumulate;
mod boxed;
mod catch;
mod filter;
mod filter_map;
mod flat_map;
mod flatten;
mod inspect;
mod lru;
mod map;
mod map_with_state;
mod named;
mod split_errors;
mod stage;
mod step;
mod try_filter;
mod try_map;
mod unique;
mod unique_by_key;

pub use accumulate::Accumulate;
pub use boxed::BoxFlow;
pub use catch::Catch;
pub use filter::Filter;
pub use filter_map::FilterMap;
pub use flat_map::FlatMap;
pub use flatten::Flatten;
pub use inspect::Inspect;
pub use map::Map;
pub use map_with_state::MapWithState;
pub use named::Named;
pub(crate) use split_errors::split_errors;
pub use stage::{Outlet, Stage, Staged};
pub use try_filter::TryFilter;
pub use try_map::TryMap;
pub use unique::Unique;
pub use unique_by_key::UniqueByKey;
