//! Where a run ends.

mod sink;
mod sink_to_list;
mod try_sink;

pub(crate) use sink::sink;
pub use sink_to_list::List;
pub(crate) use sink_to_list::sink_to_list;
pub(crate) use try_sink::try_sink;
