//! An answer of a polled store, of whose points 99 in 100 were in the answer before.

use rustc_hash::FxHashSet;

use crate::target::within;
use crate::workload::{Role, Variant, Workload};

/// So many series have a point each millisecond.
pub(crate) const SERIES: u64 = 10;

/// The workload, without headwater's rows.
pub(crate) fn workload() -> Workload {
    let what = "an answer of a store, of which 99 in 100 points were seen";
    let by_hand = Variant::prepared("set of series and times", Role::Hand, set);
    let mut workload = Workload::new("polling", what, by_hand)
        .target(within("headwater, by series", 50.0))
        .target(within("headwater, by time", 50.0));
    workload.unit = "point";
    // What is prepared, the first answer, grows with the second, and would be counted too.
    workload.countable = false;
    workload
}

/// The times of a series in an answer: the second one has moved on by one in a hundred.
pub(crate) fn times(n: u64, answer: u64) -> std::ops::Range<u64> {
    let each = (n / SERIES).max(1);
    let first = answer * (each / 100);
    first..first + each
}

fn set(n: u64) -> impl FnOnce() -> u64 {
    let answer = move |answer| {
        (0..SERIES).flat_map(move |series| times(n, answer).map(move |time| (series, time)))
    };
    let mut seen: FxHashSet<(u64, u64)> = answer(0).collect();
    let next: Vec<_> = answer(1).collect();
    move || {
        let new = |point: &(u64, u64)| seen.insert(*point);
        next.into_iter().filter(new).map(|(_, time)| time).sum()
    }
}
