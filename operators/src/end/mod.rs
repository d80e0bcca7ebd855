//! Where a run ends.

mod connect;
mod dead_letter;
mod feed;
mod forward;
mod into_stream;
mod sink;
mod sink_async;
mod sink_to_list;
mod try_branch;
mod try_sink;

pub(crate) use connect::connect;
pub use dead_letter::DeadLetter;
pub(crate) use forward::forward;
pub use forward::{FORWARD_CAPACITY, SinkBroken};
pub use into_stream::FlowStream;
pub(crate) use into_stream::into_stream;
pub(crate) use sink::sink;
pub(crate) use sink_async::{
    sink_async, sink_blocking, try_sink_async, try_sink_async_ref, try_sink_blocking,
};
pub use sink_to_list::List;
pub(crate) use sink_to_list::sink_to_list;
pub use try_branch::{TryBranch, TryRefBranch};
pub(crate) use try_sink::try_sink;
