//! A zip that can't make rows does not grow, whatever its policy. (`memory.rs` has the default one,
//! with ten million elements.)

mod resident;

use headwater::OnFull;
use headwater::prelude::*;
use resident::resident;

const FIRST: u64 = 100_000;
const ALL: u64 = 1_000_000;
const MIB: usize = 1 << 20;

fn stays_flat(what: &str, source: &Source<u64>) {
    let emit = |x| drop(source.emit(x));
    (0..FIRST).for_each(emit);
    let before = resident();
    (FIRST..ALL).for_each(emit);
    let grown = resident().saturating_sub(before);
    assert!(grown <= MIB, "{what} grew by {grown} bytes");
}

/// One test, since all share the process whose memory is measured.
#[test]
fn a_million_emits_grow_no_zip_that_starves() {
    for policy in [OnFull::Wait, OnFull::DropOldest, OnFull::DropNewest] {
        let source = Source::<u64>::new();
        let rows = source.filter(|_| false).zip(&source).on_full(policy);
        rows.sink(drop);
        stays_flat(&format!("{policy:?}"), &source);
    }

    let graph = Graph::new();
    let (failing, other) = (graph.source::<u64>(), graph.source::<u64>());
    let failures = failing.try_map(|_| Err::<u64, _>("always".into()));
    failures.zip(&other).sink(drop);
    stays_flat("failures that wait for mates", &failing);
}
