//! Many elements become one: by number, by key, by time.

mod fold_partition;
mod fold_window;
mod key_end;
mod keys;
mod map_with_state_by_key;
mod partition;
mod partition_aged;
mod partition_by;
mod per_key;
mod rolling;
mod rolling_with_element;
mod sliding_window;
mod timed_window;
mod tokens;
mod window;

pub use fold_partition::FoldPartition;
pub use fold_window::FoldWindow;
pub use keys::Keys;
pub use map_with_state_by_key::{Expire, Forget, MapWithStateByKey, OnExpire};
pub use partition::Partition;
pub use partition_aged::PartitionAged;
pub use partition_by::PartitionBy;
pub use per_key::{KeyFlow, PerKey};
pub use rolling::Rolling;
pub use rolling_with_element::RollingWithElement;
pub use sliding_window::SlidingWindow;
pub use timed_window::TimedWindow;
