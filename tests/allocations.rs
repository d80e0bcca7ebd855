//! The hot path allocates nothing per element.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use allocation_counter::measure;
use headwater::prelude::*;

const MANY: u64 = 100_000;

/// Where the sinks put what they get, so that no element is computed in vain.
#[derive(Clone, Default)]
struct Tally(Arc<AtomicU64>);

impl Tally {
    fn add(&self, x: u64) {
        self.0.fetch_add(x, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn twice() -> (Tally, Tally) {
    let tally = Tally::default();
    (tally.clone(), tally)
}

/// Allocations of `run`, after a first run has brought every buffer to its size.
fn allocations(mut run: impl FnMut()) -> u64 {
    run();
    measure(&mut run).count_total
}

#[test]
fn a_sharded_source_allocates_nothing_per_element() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let sharded = graph.sharded::<u64>(Shards::default());
    let (sum, sink) = twice();
    sharded.map(|x| x + 1).sink(move |x| sink.add(x));
    // Handed over in batches, and drained by the driver.
    let whole = || (0..MANY).for_each(|x| sharded.send(x).unwrap());
    assert_eq!(allocations(whole), 0);
    let some = || {
        for x in 0..1_000 {
            sharded.send(x).unwrap();
            sharded.flush().unwrap();
        }
    };
    assert_eq!(allocations(some), 0);
    let _ = time;
    assert_ne!(sum.get(), 0);
}

/// A thread's busy moment: more than a batch, before anybody comes for it.
const BURST: u64 = 2_000;

#[test]
fn a_burst_into_a_sharded_source_needs_no_fresh_memory_after_another() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let sharded = graph.sharded::<u64>(Shards::default().left_to_driver());
    let (sum, sink) = twice();
    sharded.sink(move |x| sink.add(x));
    let burst = || (0..BURST).for_each(|x| sharded.send(x).unwrap());
    // Who drains has a batch of its own, too.
    for _ in 0..2 {
        burst();
        time.advance(Duration::from_millis(1));
    }
    assert_eq!(measure(burst).count_total, 0);
    // Nor after a short pause.
    time.advance(Duration::from_millis(3));
    assert_eq!(measure(burst).count_total, 0);
    time.advance(Duration::from_millis(1));
    assert_eq!(sum.get(), 4 * (0..BURST).sum::<u64>());
}

#[test]
fn what_only_a_peak_needed_is_let_go() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let sharded = graph.sharded::<u64>(Shards::default().left_to_driver());
    let (sum, sink) = twice();
    sharded.sink(move |x| sink.add(x));
    let send = |n: u64| {
        (0..n).for_each(|x| sharded.send(x).unwrap());
        time.advance(Duration::from_millis(1));
    };
    let batch = 256 * size_of::<u64>() as i64;
    let kept = |run: &mut dyn FnMut()| measure(run).bytes_current;
    send(BURST);
    let peak = kept(&mut || send(4 * BURST));
    assert!(
        peak > 20 * batch,
        "{peak} bytes of a peak are kept for another"
    );
    // It flows on, with bursts that need as much as the first.
    let since = kept(&mut || (0..2_500).for_each(|_| send(BURST)));
    assert!(
        peak + since < 3 * batch,
        "{peak} bytes are {since} more after 2.5 s"
    );
    // And then it does not.
    let rest = kept(&mut || (0..10).for_each(|_| send(0)));
    assert!(
        rest < -4 * batch,
        "{rest} bytes more after nothing has come"
    );
    assert_ne!(sum.get(), 0);
}

#[test]
fn a_straight_run_allocates_nothing_per_element() {
    let source = Source::<u64>::new();
    let (sum, sink) = twice();
    source
        .map(|x| x + 1)
        .filter(|x| x % 2 == 0)
        .accumulate(0, |sum: u64, x| sum.wrapping_add(x))
        .sink(move |x| sink.add(x % 2 + 1));
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
    let whole = || assert_eq!(source.emit_all(0..MANY).unwrap(), MANY as usize);
    let count = allocations(whole);
    assert!(count <= 2, "{count} allocations");
    assert_ne!(sum.get(), 0);
}

#[test]
fn operators_on_single_elements_allocate_nothing_per_element() {
    let source = Source::<u64>::new();
    let (sum, sink) = twice();
    let (even, odd) = source
        .map(|x| x % 1000)
        .dedup()
        .remove(|x| x % 10 == 3)
        .pairwise()
        .starmap(|last, x| [last, x])
        .pluck((0, 1))
        .map_with_state(0, |seen: &mut u64, (last, x)| {
            *seen += 1;
            last ^ x
        })
        .with_state()
        .pluck(headwater::Nth::<1>)
        .split(|x| x % 2 == 0);
    // Of so few keys that each new one takes the place of another.
    let counts = even.frequencies().max_keys(50);
    let also = sink.clone();
    counts.sink(move |(_, count)| also.add(count));
    let near = odd.unique_by(|a, b| a == b).history(10);
    near.accumulate_from_first(u64::max)
        .try_flat_map(|x| Ok([x, x]))
        .sink(move |x| sink.add(x));
    let one_by_one = || (0..MANY).for_each(|x| source.emit(x).unwrap());
    assert_eq!(allocations(one_by_one), 0);
    let whole = || assert_eq!(source.emit_all(0..MANY).unwrap(), MANY as usize);
    let count = allocations(whole);
    assert!(count <= 2, "{count} allocations");
    assert_ne!(sum.get(), 0);
}

#[test]
fn a_diamond_allocates_nothing_per_element() {
    let source = Source::<u64>::new();
    let shared = source.share();
    let (sum, sink) = twice();
    shared
        .map(|x| x + 1)
        .zip(shared.map(|x| x * 2))
        .sink(move |(a, b)| sink.add(a + b));
    assert_eq!(
        allocations(|| (0..MANY).for_each(|x| source.emit(x).unwrap())),
        0
    );
    let whole = || assert_eq!(source.emit_all(0..MANY).unwrap(), MANY as usize);
    let count = allocations(whole);
    assert!(count <= 2, "{count} allocations");
    assert_ne!(sum.get(), 0);
}

#[test]
fn windows_that_fold_allocate_nothing_per_element() {
    let source = Source::<f64>::new();
    let (sum, sink) = twice();
    source
        .rolling(100, (Mean, Count))
        .sink(move |(_, count)| sink.add(count));
    assert_eq!(
        allocations(|| (0..MANY).for_each(|x| source.emit(x as f64).unwrap())),
        0
    );
    assert_ne!(sum.get(), 0);
    let source = Source::<f64>::new();
    let (sum, sink) = twice();
    source
        .fold_partition(100, Mean)
        .sink(move |mean: f64| sink.add(mean as u64));
    assert_eq!(
        allocations(|| (0..MANY).for_each(|x| source.emit(x as f64).unwrap())),
        0
    );
    assert_ne!(sum.get(), 0);
}

#[test]
fn a_buffer_allocates_nothing_per_element() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    let (sum, sink) = twice();
    source.buffer(100).sink(move |x| sink.add(x));
    let turns = allocations(|| {
        for x in 0..MANY {
            source.emit(x).unwrap();
            if x % 100 == 99 {
                time.settle();
            }
        }
    });
    assert_ne!(sum.get(), 0);
    // A turn of the driver makes a waker; an element makes nothing.
    assert!(turns <= MANY / 100 * 4, "{turns} allocations");
}

#[test]
fn joins_with_the_latest_elements_allocate_nothing_per_element() {
    let source = Source::<u64>::new();
    let shared = source.share();
    let (sum, sink) = twice();
    shared
        .with_latest(shared.map(|x| x + 1), 0, |x, y| x + y)
        .zip_latest(shared.map(|x| x * 2))
        .combine_latest(&shared)
        .sink(move |((a, b), c)| sink.add(a + b + c));
    assert_eq!(
        allocations(|| (0..MANY).for_each(|x| source.emit(x).unwrap())),
        0
    );
    let whole = || assert_eq!(source.emit_all(0..MANY).unwrap(), MANY as usize);
    let count = allocations(whole);
    assert!(count <= 2, "{count} allocations");
    assert_ne!(sum.get(), 0);
}

#[test]
fn keys_that_are_known_allocate_nothing_per_element() {
    let source = Source::<u64>::new();
    let (sum, sink) = twice();
    let keys = Keys::max(1_000);
    source
        .per_key(
            |x| x % 1_000,
            keys,
            |_, flow| flow.rolling(10, Sum).with_element(),
        )
        .map_with_state_by_key(
            |(x, _)| x % 7,
            keys,
            |_| 0,
            |n, (x, sum)| {
                *n += 1;
                x + sum + *n
            },
        )
        .sink(move |x| sink.add(x));
    assert_eq!(
        allocations(|| (0..MANY).for_each(|x| source.emit(x).unwrap())),
        0
    );
    // One batch's buffer for each call.
    let whole = || assert_eq!(source.emit_all(0..MANY).unwrap(), MANY as usize);
    assert!(allocations(whole) <= 2);
    assert_ne!(sum.get(), 0);
}
