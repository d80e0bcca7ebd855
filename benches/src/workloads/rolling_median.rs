//! The median of the last hundred elements, for each element.

use crate::target::at_most;
use crate::workload::{Variant, Workload};

/// Elements a median looks back on.
pub(crate) const WIDTH: usize = 100;

/// The workload without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "median of the last 100, in bulk from an iterator";
    Workload::new(
        "rolling_median100",
        what,
        Variant::hand("sorted ring", by_hand),
    )
    .variant(Variant::hand("naive window", naive))
    .target(at_most("headwater rolling", 3.0, "sorted ring"))
}

/// The element at a place: no order in them, so that each goes somewhere else in a sorted window.
#[inline]
pub(crate) fn value(x: u64) -> f64 {
    (x.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44) as f64
}

/// The medians of whole numbers are halves of whole numbers: their sum is exact.
pub(crate) fn checksum(total: f64) -> u64 {
    (total * 2.0) as u64
}

/// A ring of the elements as they came, and the same elements sorted.
#[inline(never)]
fn by_hand(n: u64) -> u64 {
    let (mut ring, mut at) = ([0.0; WIDTH], 0);
    let mut sorted: Vec<f64> = Vec::with_capacity(WIDTH);
    let mut total = 0.0;
    for x in 0..n {
        let number = value(x);
        let oldest = std::mem::replace(&mut ring[at], number);
        at = if at + 1 == WIDTH { 0 } else { at + 1 };
        if sorted.len() == WIDTH {
            let place = sorted.partition_point(|x| *x < oldest);
            sorted.remove(place);
        }
        let place = sorted.partition_point(|x| *x < number);
        sorted.insert(place, number);
        total += middle(&sorted);
    }
    checksum(total)
}

/// The window sorted anew for each element.
fn naive(n: u64) -> u64 {
    let mut window = std::collections::VecDeque::with_capacity(WIDTH);
    let mut total = 0.0;
    for x in 0..n {
        if window.len() == WIDTH {
            window.pop_front();
        }
        window.push_back(value(x));
        let mut sorted: Vec<f64> = window.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        total += middle(&sorted);
    }
    checksum(total)
}

#[inline]
fn middle(sorted: &[f64]) -> f64 {
    let (left, right) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    (left + right) / 2.0
}
