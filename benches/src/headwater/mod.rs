//! headwater's rows, a file a workload.

pub(crate) mod diamond;
pub(crate) mod frequencies;
pub(crate) mod group_by_tags;
pub(crate) mod idle_windows;
pub(crate) mod kairosdb;
pub(crate) mod metric_send;
pub(crate) mod one_by_one;
pub(crate) mod partition;
pub(crate) mod per_key;
pub(crate) mod polling;
pub(crate) mod real_kairosdb;
pub(crate) mod rolling_mean;
pub(crate) mod rolling_median;
pub(crate) mod sharded;
pub(crate) mod sixteen_maps;
pub(crate) mod straight;
pub(crate) mod two_threads;
pub(crate) mod unique_lru;
