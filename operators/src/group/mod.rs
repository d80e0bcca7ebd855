//! Many elements become one: by number, by key, by time.

mod collect;
mod fold;
mod fold_partition;
mod fold_window;
mod partition;
mod partition_aged;
mod partition_by;
mod rolling;
mod sliding_window;
mod timed_window;
mod tokens;
mod window;

pub use collect::{Collect, CollectUntil, Flush};
pub use fold::{Fold, FoldAll};
pub use fold_partition::FoldPartition;
pub use fold_window::FoldWindow;
pub use partition::Partition;
pub use partition_aged::PartitionAged;
pub use partition_by::PartitionBy;
pub use rolling::Rolling;
pub use sliding_window::SlidingWindow;
pub use timed_window::TimedWindow;
