//! Many elements become one: by number, by key, by time.

mod census;
mod collect;
mod counted;
mod distinct;
mod fold_partition;
mod fold_session;
mod fold_window;
mod key_end;
mod keys;
mod map_with_state_by_key;
mod partition;
mod partition_aged;
mod partition_by;
mod partition_unique;
mod per_key;
mod rolling;
mod rolling_time;
mod rolling_with_element;
mod session;
mod sliding_window;
mod timed_window;
mod timed_window_unique;
mod window;

use crate::engine::tokens;

pub use distinct::Keep;
pub use fold_partition::FoldPartition;
pub use fold_session::FoldSession;
pub use fold_window::FoldWindow;
pub use keys::Keys;
pub use map_with_state_by_key::{Expire, Forget, MapWithStateByKey, OnExpire};
pub use partition::Partition;
pub use partition_aged::PartitionAged;
pub use partition_by::PartitionBy;
pub use partition_unique::PartitionUnique;
pub use per_key::{KeyFlow, PerKey};
pub use rolling::Rolling;
pub use rolling_time::RollingTime;
pub use rolling_with_element::RollingWithElement;
pub use session::Session;
pub use sliding_window::SlidingWindow;
pub use timed_window::TimedWindow;
pub use timed_window_unique::TimedWindowUnique;
