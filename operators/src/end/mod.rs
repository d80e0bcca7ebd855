//! Where a run ends.

mod connect;
mod sink;
mod sink_to_list;

pub(crate) use connect::connect;
pub(crate) use sink::sink;
pub use sink_to_list::List;
pub(crate) use sink_to_list::sink_to_list;
