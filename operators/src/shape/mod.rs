//! An element in, none or some out, at once.

mod boxed;
mod map;
mod named;

pub use boxed::BoxFlow;
pub use map::Map;
pub use named::Named;
