//! The workloads, in the order the design lists them.

mod diamond;
mod idle_windows;
mod one_by_one;
mod partition;
mod rolling_mean;
mod sixteen_maps;
mod straight;
mod two_threads;
mod unique_lru;

use crate::workload::Workload;

/// Every workload with its hand-written loop and its peers. headwater's rows are added here, from a
/// module of their own: `.extended(crate::headwater::straight())`.
pub(crate) fn all() -> Vec<Workload> {
    vec![
        straight::workload(),
        one_by_one::workload(),
        sixteen_maps::workload(),
        diamond::workload(),
        partition::workload(),
        rolling_mean::workload(),
        unique_lru::workload(),
        two_threads::batches(),
        two_threads::one_by_one(),
        idle_windows::workload(),
    ]
}
