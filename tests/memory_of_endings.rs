//! Branches that come and go leave nothing behind.

mod resident;

use headwater::prelude::*;
use resident::resident;

const FIRST: u32 = 20_000;
const ALL: u32 = 100_000;

/// The one test of its process, whose memory is measured.
#[test]
fn a_hundred_thousand_branches_that_come_and_go_do_not_make_a_graph_grow() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let mut before = 0;
    for x in 0..ALL {
        if x == FIRST {
            before = resident();
        }
        source.map(move |y| x + y).take(1).sink(drop);
        let branch = source.partition(2).sink(drop);
        source.emit(x).unwrap();
        branch.disconnect();
    }
    let grown = resident().saturating_sub(before);
    assert!(grown <= 1 << 20, "grew by {grown} bytes");
    assert_eq!(graph.topology().nodes().len(), 1, "the source");
    let report = graph.close().unwrap();
    assert_eq!(
        report.delivered,
        2 * u64::from(ALL),
        "what has gone is counted"
    );
    assert!(report.snapshot.nodes.len() < 10, "by the line that made it");
}
