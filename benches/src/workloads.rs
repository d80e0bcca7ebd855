//! The workloads, in the order the design lists them.

pub(crate) mod diamond;
pub(crate) mod frequencies;
pub(crate) mod group_by_tags;
pub(crate) mod idle_windows;
pub(crate) mod kairosdb;
pub(crate) mod metric_send;
pub(crate) mod one_by_one;
pub(crate) mod partition;
pub(crate) mod per_key;
mod per_key_promises;
pub(crate) mod polling;
pub(crate) mod rolling_mean;
pub(crate) mod rolling_median;
pub(crate) mod senders;
pub(crate) mod sharded;
pub(crate) mod sixteen_maps;
pub(crate) mod straight;
pub(crate) mod two_threads;
pub(crate) mod unique_lru;

use crate::workload::Workload;
use crate::{headwater, operators};

/// Every workload with its hand-written loop and its peers.
///
/// headwater's rows live apart from both, in `crate::headwater`, a file a workload; this list is where
/// the two meet: `headwater::straight::add(straight::workload())`.
pub(crate) fn all() -> Vec<Workload> {
    let mut all = vec![
        headwater::straight::add(straight::workload()),
        headwater::one_by_one::add(one_by_one::workload()),
        headwater::sixteen_maps::add(sixteen_maps::workload()),
        headwater::diamond::add(diamond::workload()),
        headwater::partition::add(partition::workload()),
        headwater::rolling_mean::add(rolling_mean::workload()),
        headwater::rolling_median::add(rolling_median::workload()),
        headwater::unique_lru::add(unique_lru::workload()),
        headwater::per_key::add(per_key::workload()),
        headwater::per_key::add_rolling(per_key::rolling()),
        headwater::frequencies::add(frequencies::workload()),
        headwater::two_threads::add_batches(two_threads::batches()),
        headwater::two_threads::add_one_by_one(two_threads::one_by_one()),
        headwater::idle_windows::add(idle_windows::workload()),
        headwater::group_by_tags::add(group_by_tags::workload()),
        headwater::metric_send::add(metric_send::workload(1), 1),
        headwater::metric_send::add(metric_send::workload(2), 2),
        headwater::metric_send::add(metric_send::workload(4), 4),
        headwater::metric_send::add_of_the_sender(metric_send::of_the_sender(1), 1),
        headwater::metric_send::add_of_the_sender(metric_send::of_the_sender(2), 2),
        headwater::metric_send::add_of_the_sender(metric_send::of_the_sender(4), 4),
        headwater::polling::add(polling::workload()),
        headwater::kairosdb::add_writing(kairosdb::writing()),
        headwater::kairosdb::add_writing_gzip(kairosdb::writing_gzip()),
        headwater::kairosdb::add_querying(kairosdb::querying()),
        headwater::kairosdb::add_querying_gzip(kairosdb::querying_gzip()),
    ];
    all.extend(headwater::sharded::add(sharded::workloads()));
    all.extend(operators::workloads());
    all.extend(headwater::real_kairosdb::workloads());
    all
}
