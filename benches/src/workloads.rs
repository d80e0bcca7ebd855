//! The workloads, in the order the design lists them.

pub(crate) mod diamond;
pub(crate) mod idle_windows;
pub(crate) mod one_by_one;
pub(crate) mod partition;
pub(crate) mod rolling_mean;
pub(crate) mod sixteen_maps;
pub(crate) mod straight;
pub(crate) mod two_threads;
pub(crate) mod unique_lru;

use crate::workload::Workload;

/// Every workload with its hand-written loop and its peers.
///
/// headwater's rows live apart from both, in `crate::headwater`, a file a workload; this list is where
/// the two meet: `headwater::straight::add(straight::workload())`.
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
