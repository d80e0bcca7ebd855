//! The hot path allocates nothing per element.

use allocation_counter::measure;
use headwater::prelude::*;

const MANY: u64 = 100_000;

/// Allocations of `run`, after a first run has brought every buffer to its size.
fn allocations(mut run: impl FnMut()) -> u64 {
    run();
    measure(&mut run).count_total
}

#[test]
fn a_straight_run_allocates_nothing_per_element() {
    let source = Source::<u64>::new();
    let mut sum = 0;
    source
        .map(|x| x + 1)
        .filter(|x| x % 2 == 0)
        .accumulate(0, |sum: u64, x| sum.wrapping_add(x))
        .sink(move |x| sum ^= x);
    assert_eq!(
        allocations(|| (0..MANY).for_each(|x| source.emit(x).unwrap())),
        0
    );
    let one_by_one = || {
        let mut emitter = source.lock();
        (0..MANY).for_each(|x| emitter.emit(x).unwrap());
    };
    assert_eq!(allocations(one_by_one), 0);
    // One batch's buffer for each call.
    assert!(allocations(|| drop(source.emit_all(0..MANY).unwrap())) <= 2);
}

#[test]
fn a_diamond_allocates_nothing_per_element() {
    let source = Source::<u64>::new();
    let shared = source.share();
    let mut sum = 0;
    shared
        .map(|x| x + 1)
        .zip(shared.map(|x| x * 2))
        .sink(move |(a, b)| sum ^= a + b);
    assert_eq!(
        allocations(|| (0..MANY).for_each(|x| source.emit(x).unwrap())),
        0
    );
    assert!(allocations(|| drop(source.emit_all(0..MANY).unwrap())) <= 2);
}

#[test]
fn windows_that_fold_allocate_nothing_per_element() {
    let source = Source::<f64>::new();
    let mut last = (0.0, 0);
    source.rolling(100, (Mean, Count)).sink(move |x| last = x);
    assert_eq!(
        allocations(|| (0..MANY).for_each(|x| source.emit(x as f64).unwrap())),
        0
    );
    let source = Source::<f64>::new();
    let mut last = 0.0;
    source.fold_partition(100, Mean).sink(move |x| last = x);
    assert_eq!(
        allocations(|| (0..MANY).for_each(|x| source.emit(x as f64).unwrap())),
        0
    );
}

#[test]
fn a_buffer_allocates_nothing_per_element() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    let mut sum = 0;
    source.buffer(100).sink(move |x| sum ^= x);
    let turns = allocations(|| {
        for x in 0..MANY {
            source.emit(x).unwrap();
            if x % 100 == 99 {
                time.settle();
            }
        }
    });
    // A turn of the driver makes a waker; an element makes nothing.
    assert!(turns <= MANY / 100 * 4, "{turns} allocations");
}
