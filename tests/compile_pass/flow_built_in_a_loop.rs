//! A flow grows in a loop, and a `Vec` of flows is joined.
use headwater::prelude::*;
use headwater::{union_all, zip_all};

#[test]
fn a_flow_grows_in_a_loop() {
    let source = Source::<u64>::new();
    let mut flow = source.into_run().boxed();
    for _ in 0..10 {
        flow = flow.map(|x| 2 * x).boxed();
    }
    let powers = flow.sink_to_list();
    let branches: Vec<_> = (1..=3).map(|n| source.map(move |x| n * x)).collect();
    let rows = zip_all(branches).sink_to_list();
    let merged = union_all((1..=3).map(|n| source.map(move |x| n + x))).sink_to_list();
    source.emit(1).unwrap();
    assert_eq!(powers.take(), [1024]);
    assert_eq!(rows.take(), [[1, 2, 3]]);
    assert_eq!(merged.take(), [2, 3, 4]);
}
