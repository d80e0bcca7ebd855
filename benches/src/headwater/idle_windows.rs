//! Ten thousand windows of 100 ms through which nothing flows, told to tick all the same.
//!
//! A window that holds nothing and need not tell so has no timer, and costs nothing; what is measured
//! is the tick of one that emits empty windows.

use headwater::prelude::*;

use crate::outbox::outbox;
use crate::workload::{Role, Variant, Workload};
use crate::workloads::idle_windows::{PERIOD, WINDOWS};

/// Adds headwater's rows.
pub(crate) fn add(workload: Workload) -> Workload {
    workload.variant(Variant::prepared(
        "headwater idle windows",
        Role::Ours,
        idle,
    ))
}

fn idle(ticks: u64) -> impl FnOnce() -> u64 {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    let ends: Vec<_> = (0..WINDOWS)
        .map(|_| {
            let (mut out, total) = outbox();
            source
                .timed_window(PERIOD)
                .keep_empty()
                .sink(move |window: Vec<u64>| out.add(1 + window.len() as u64));
            total
        })
        .collect();
    time.settle();
    move || {
        // Whole rounds, since all windows tick together: a little more work than is counted.
        let rounds = ticks.div_ceil(WINDOWS);
        for _ in 0..rounds {
            time.advance(PERIOD);
        }
        drop((time, source, graph));
        let ticked: u64 = ends.into_iter().map(|total| total.take()).sum();
        assert_eq!(
            ticked,
            rounds * WINDOWS,
            "every window ticks in every round"
        );
        ticks
    }
}
