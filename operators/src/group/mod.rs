//! Many elements become one: by number, by key, by time.

mod census;
mod collect;
mod counted;
mod distinct;
mod fold;
mod fold_partition;
mod fold_session;
mod fold_window;
mod gather;
mod partition;
mod partition_aged;
mod partition_by;
mod partition_unique;
mod rolling;
mod rolling_time;
mod session;
mod sliding_window;
mod timed_window;
mod timed_window_unique;
mod window;

use crate::engine::tokens;

pub use collect::{Collect, CollectUntil, Flush};
pub use distinct::Keep;
pub use fold::{Fold, FoldAll};
pub use fold_partition::FoldPartition;
pub use fold_session::FoldSession;
pub use fold_window::FoldWindow;
pub use partition::Partition;
pub use partition_aged::PartitionAged;
pub use partition_by::PartitionBy;
pub use partition_unique::PartitionUnique;
pub use rolling::Rolling;
pub use rolling_time::RollingTime;
pub use session::Session;
pub use sliding_window::SlidingWindow;
pub use timed_window::TimedWindow;
pub use timed_window_unique::TimedWindowUnique;
