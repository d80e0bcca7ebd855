//! Batches of 1 000 records grouped by their tags: sum, mean and greatest of each group.

use futures::StreamExt;
use futures::executor::block_on;
use futures::stream;
use rustc_hash::FxHashMap;

use crate::target::{at_most, within};
use crate::workload::{Variant, Workload};

/// Records in a batch.
pub(crate) const BATCH: usize = 1000;
/// Distinct sets of tags.
pub(crate) const SETS: u64 = 100;

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "group by tags: batches of 1 000 records, 100 sets of tags, sum, mean and max";
    let hand = Variant::prepared("loop", crate::workload::Role::Hand, |n| {
        let records = by_text(n);
        move || groups(records.chunks(BATCH))
    });
    let mut workload = Workload::new("group_by_tags", what, hand)
        .variant(Variant::prepared(
            "loop, by number",
            crate::workload::Role::Hand,
            |n| {
                let records: Vec<(u64, f64)> = (0..n).map(|i| (set(i), value(i))).collect();
                move || groups(records.chunks(BATCH))
            },
        ))
        .variant(Variant::prepared(
            "futures chunks",
            crate::workload::Role::Peer,
            |n| {
                let records = by_text(n);
                move || {
                    let batches = stream::iter(records).chunks(BATCH);
                    let sums = batches.map(|batch| groups(std::iter::once(&batch[..])));
                    block_on(
                        sums.fold(0, |all: u64, sum| std::future::ready(all.wrapping_add(sum))),
                    )
                }
            },
        ))
        .target(at_most("headwater GroupBy", 0.75, "loop"))
        .target(within("headwater GroupBy", 24.0))
        .target(at_most("headwater Metric", 0.75, "loop"));
    // To make the records takes more than to group them, and would be counted, too.
    workload.countable = false;
    workload
}

/// Which set of tags a record has.
pub(crate) fn set(i: u64) -> u64 {
    (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % SETS
}

/// What was measured.
pub(crate) fn value(i: u64) -> f64 {
    (i % 1024) as f64
}

/// A set of tags as text.
pub(crate) fn text(set: u64) -> String {
    format!("host:web-{set}|route:/api/v1/items/{set}|zone:eu-west-1")
}

fn by_text(n: u64) -> Vec<(String, f64)> {
    (0..n).map(|i| (text(set(i)), value(i))).collect()
}

/// What a group comes to, in whatever order its figures are told.
pub(crate) fn digest(sum: f64, mean: f64, max: f64) -> u64 {
    let mean = mean.to_bits().rotate_left(7);
    let max = max.to_bits().rotate_left(13);
    sum.to_bits().wrapping_add(mean).wrapping_add(max)
}

struct Group {
    sum: f64,
    count: u64,
    max: f64,
}

fn groups<'a, K: std::hash::Hash + Eq + 'a>(batches: impl Iterator<Item = &'a [(K, f64)]>) -> u64 {
    let mut out = 0u64;
    for batch in batches.filter(|batch| batch.len() == BATCH) {
        let mut groups: FxHashMap<&K, Group> = FxHashMap::default();
        for (key, value) in batch {
            let group = groups.entry(key).or_insert(Group {
                sum: 0.0,
                count: 0,
                max: f64::NEG_INFINITY,
            });
            group.sum += value;
            group.count += 1;
            group.max = group.max.max(*value);
        }
        for group in groups.into_values() {
            let mean = group.sum / group.count as f64;
            out = out.wrapping_add(digest(group.sum, mean, group.max));
        }
    }
    out
}
