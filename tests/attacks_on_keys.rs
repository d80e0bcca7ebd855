//! What somebody tried who wanted to break `per_key`: runs that join flows from outside, while keys come and go in
//! the middle of batches. Each test says what must hold all the same.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use headwater::prelude::*;
use headwater::{BoxFlow, Loss};
use proptest::prelude::*;

#[test]
fn a_key_may_go_by_the_element_by_which_all_keys_are_let_go() {
    for keys in 1..4 {
        let graph = Graph::new();
        let (source, other) = (graph.source::<u32>(), graph.source::<u32>());
        let beside = other.clone();
        // The stop hears each element before the keys do.
        let rows = source
            .per_key(|x| *x, Keys::max(keys), move |_, flow| flow.union(&beside))
            .take_until(source.filter(|x| *x == 5))
            .sink_to_list();
        for x in 0..8 {
            source.emit(x).unwrap();
        }
        assert_eq!(rows.take(), [0, 1, 2, 3, 4]);
        other.emit(7).unwrap();
        assert!(rows.is_empty());
        let nodes = graph.topology().nodes().len();
        assert_eq!(nodes, 2, "only the sources stay");
    }
}

#[test]
fn a_key_may_come_with_a_flow_that_has_gone_by_the_element_by_which_all_keys_are_let_go() {
    let graph = Graph::new();
    let (source, other) = (graph.source::<u32>(), graph.source::<u32>());
    for closed in [false, true] {
        let beside = other.map(|x| x).share();
        match closed {
            true => other.close(),
            false => beside.destroy(),
        }
        let rows = source
            .per_key(|x| *x, Keys::max(1), move |_, flow| flow.union(&beside))
            .take_until(source.filter(|x| *x == 3))
            .sink_to_list();
        for x in 1..5 {
            source.emit(x).unwrap();
        }
        assert_eq!(rows.take(), [1, 2]);
        let receipt = source.emit_tracked(5).unwrap();
        assert!(receipt.outcome().is_some());
    }
    graph.close().unwrap();
}

#[test]
fn a_key_that_comes_as_the_flow_it_joins_is_discarded_hears_that_this_ends() {
    let graph = Graph::new();
    let (left, right) = (graph.source::<u32>(), graph.source::<u32>());
    // It is discarded from both sides, one after the other.
    let joined = left.combine_latest(&right).map(|(a, b)| a + b).share();
    let beside = joined.clone();
    // What waits behind the first flow comes when that ends, and brings keys.
    let rows = joined
        .chain(&left)
        .per_key(|x| *x, Keys::max(4), move |_, flow| flow.chain(&beside))
        .sink_to_list();
    left.emit_all([1, 2, 3]).unwrap();
    assert!(rows.is_empty());
    joined.discard();
    assert_eq!(rows.take(), [1, 2, 3]);
    graph.close().unwrap();
    let nodes = graph.topology().nodes().len();
    assert_eq!(nodes, 2, "only the sources stay");
}

/// Elements from 100 on wait until the gate is open.
fn gated(
    gate: &tokio::sync::watch::Receiver<bool>,
) -> impl Fn(u32) -> BoxFuture<'static, u32> + Clone + Send + 'static {
    let gate = gate.clone();
    move |x: u32| {
        let mut gate = gate.clone();
        async move {
            if x >= 100 {
                let _ = gate.wait_for(|open| *open).await;
            }
            x
        }
        .boxed()
    }
}

#[test]
fn keys_within_a_key_go_with_it_when_it_has_had_enough() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (source, other) = (graph.source::<u32>(), graph.source::<u32>());
    let (_open, gate) = tokio::sync::watch::channel(false);
    let (slow, beside) = (gated(&gate), other.clone());
    let pairs = source
        .per_key(
            |_| (),
            Keys::max(1),
            move |(), flow| {
                let beside = beside.clone();
                flow.map_async(4, slow.clone())
                    .per_key(
                        |x| *x,
                        Keys::max(9),
                        move |_, flow| flow.union(&beside).partition(2),
                    )
                    .take(1)
            },
        )
        .sink_to_list();
    let mut receipts = vec![source.emit_tracked(1).unwrap()];
    receipts.extend([2, 2].map(|x| source.emit_tracked(x).unwrap()));
    time.settle();
    assert_eq!(pairs.take(), [[2, 2]]);
    // What this comes to nobody hears any more, nor does it come.
    receipts.push(source.emit_tracked(100).unwrap());
    time.settle();
    source.close();
    time.settle();
    assert!(receipts.iter().all(|r| r.outcome().is_some()), "{graph:?}");
    assert!(other.emit_tracked(1).unwrap().outcome().is_some());
    assert_eq!(graph.snapshot().unwrap().held(), 0);
    graph.close().unwrap();
}

#[test]
fn but_not_before_their_own_sinks_have_everything() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let (open, gate) = tokio::sync::watch::channel(false);
    let slow = gated(&gate);
    let written = Arc::new(Mutex::new(Vec::new()));
    let into = written.clone();
    let rows = source
        .per_key(
            |_| (),
            Keys::max(1),
            move |(), flow| {
                let into = into.clone();
                flow.map_async(4, slow.clone())
                    .per_key(
                        |x| *x,
                        Keys::max(9),
                        move |_, flow| {
                            let (flow, into) = (flow.share(), into.clone());
                            flow.sink(move |x| into.lock().unwrap().push(x));
                            flow.map(|x| x)
                        },
                    )
                    .take(1)
            },
        )
        .sink_to_list();
    source.emit(1).unwrap();
    time.settle();
    assert_eq!(rows.take(), [1]);
    let receipt = source.emit_tracked(100).unwrap();
    source.close();
    time.settle();
    assert_eq!(*written.lock().unwrap(), [1]);
    open.send(true).unwrap();
    time.settle();
    assert_eq!(*written.lock().unwrap(), [1, 100]);
    assert!(receipt.outcome().is_some());
    graph.close().unwrap();
}

#[test]
fn what_a_key_still_waits_for_comes_to_nobody_where_all_that_followed_has_gone() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (source, other) = (graph.source::<u32>(), graph.source::<u32>());
    let last = graph.source::<u32>();
    let (open, gate) = tokio::sync::watch::channel(false);
    let written = Arc::new(Mutex::new(Vec::new()));
    let into = written.clone();
    let slow = move |x: u32| {
        let mut gate = gate.clone();
        async move {
            if x.is_multiple_of(2) {
                let _ = gate.wait_for(|open| *open).await;
            }
            x
        }
    };
    let rows = source
        .per_key(
            |x| *x,
            Keys::max(4),
            move |_, flow| {
                let flow = flow.map_async(2, slow.clone()).share();
                let into = into.clone();
                flow.sink(move |x| into.lock().unwrap().push(x));
                flow.map(|x| x)
            },
        )
        .combine_latest(&other)
        .zip(&last)
        .sink_to_list();
    other.emit(7).unwrap();
    let receipts = [1, 2, 4].map(|x| source.emit_tracked(x).unwrap());
    time.settle();
    // The zip has had no element of its last input, and closes; what is under way within keys goes on.
    rows.branch().disconnect();
    time.settle();
    assert_eq!(*written.lock().unwrap(), [1]);
    open.send(true).unwrap();
    time.settle();
    written.lock().unwrap().sort_unstable();
    assert_eq!(*written.lock().unwrap(), [1, 2, 4]);
    assert!(rows.is_empty());
    let lost = receipts.map(|receipt| receipt.outcome().unwrap().is_err());
    assert_eq!(lost, [true; 3], "what comes to nobody is lost, and says so");
    drop((source, other, last));
    let report = graph.close().unwrap();
    assert!(report.complete);
    assert_eq!(report.accepted, 4);
}

#[test]
fn a_key_that_has_gone_hears_no_more_of_the_batch() {
    let rows = |batch: usize| {
        let source = Source::<u32>::new();
        let all = source.map(|x| x).share();
        let beside = all.clone();
        let rows = all
            .per_key(
                |x| *x,
                Keys::max(1),
                move |_, flow| flow.combine_latest(&beside),
            )
            .sink_to_list();
        let items: Vec<u32> = (0..20).collect();
        for batch in items.chunks(batch) {
            source.emit_all(batch.iter().copied()).unwrap();
        }
        rows.take()
    };
    let one_by_one: Vec<_> = (1..20).map(|x| (x - 1, x)).collect();
    assert_eq!(rows(1), one_by_one);
    assert_eq!(rows(7), one_by_one);
    assert_eq!(rows(20), one_by_one);
}

#[test]
fn the_runs_of_all_keys_hear_an_element_before_any_hears_the_next() {
    let graph = Graph::new();
    let (source, other) = (graph.source::<u32>(), graph.source::<u32>());
    let beside = other.clone();
    let rows = source
        .per_key(
            |x| *x,
            Keys::max(3),
            move |_, flow| flow.combine_latest(&beside),
        )
        .sink_to_list();
    source.emit_all([1, 2, 3]).unwrap();
    other.emit_all([7, 8]).unwrap();
    assert_eq!(
        rows.take(),
        [(1, 7), (2, 7), (3, 7), (1, 8), (2, 8), (3, 8)]
    );
}

#[test]
fn keys_that_went_in_a_batch_refuse_nothing_after_it() {
    let graph = Graph::new();
    let (source, other) = (graph.source::<u32>(), graph.source::<u32>());
    let beside = other.clone();
    let rows = source
        .per_key(
            |x| *x,
            Keys::max(3),
            move |_, flow| flow.combine_latest(&beside),
        )
        .sink_to_list();
    for batch in 0..3 {
        source.emit_all(batch * 100..batch * 100 + 100).unwrap();
        source.emit(1_000 + batch).unwrap(); // no run of a key that has gone waits for anybody
    }
    other.emit(7).unwrap();
    assert_eq!(rows.take(), [(298, 7), (299, 7), (1_002, 7)]);
    let snapshot = graph.snapshot().unwrap();
    let join = snapshot.named("combine_latest").unwrap();
    assert_eq!(join.counts.lost(Loss::Unpaired), 300);
}

#[test]
fn nor_do_keys_within_keys() {
    let graph = Graph::new();
    let (source, other) = (graph.source::<u32>(), graph.source::<u32>());
    let beside = other.clone();
    let rows = source
        .per_key(
            |x| x / 10,
            Keys::max(2),
            move |_, flow| {
                let beside = beside.clone();
                flow.per_key(
                    |x| *x,
                    Keys::max(2),
                    move |_, flow| flow.combine_latest(&beside),
                )
            },
        )
        .sink_to_list();
    source.emit_all(0..200).unwrap();
    source.emit(200).unwrap();
    other.emit(7).unwrap();
    assert_eq!(rows.take(), [(198, 7), (199, 7), (200, 7)]);
}

type Chain = fn(BoxFlow<u32>, &Shared<u32>) -> BoxFlow<Vec<u32>>;

/// Runs of one operator that joins a flow from outside.
fn chains() -> Vec<(&'static str, Chain)> {
    vec![
        ("union", |f, o| f.union(o).map(|x| vec![x]).boxed()),
        ("combine_latest", |f, o| {
            f.combine_latest(o).map(|(x, y)| vec![x, y]).boxed()
        }),
        ("zip_latest", |f, o| {
            f.zip_latest(o).map(|(x, y)| vec![x, y]).boxed()
        }),
        ("with_latest", |f, o| {
            f.with_latest(o, 0, |x, y| vec![x, *y]).boxed()
        }),
        ("take_until", |f, o| {
            f.take_until(o.skip(3)).map(|x| vec![x]).boxed()
        }),
        ("collect_until", |f, o| {
            f.collect_until(o.step_by(3)).boxed()
        }),
        ("two joins", |f, o| {
            let sums = f.zip_latest(o).map(|(x, y)| x + y);
            sums.combine_latest(o).map(|(x, y)| vec![x, y]).boxed()
        }),
    ]
}

/// All that comes out where keys are the numbers' remainders, and runs join the numbers' own flow or another.
fn rows(
    chain: Chain,
    own: bool,
    keys: usize,
    calls: &[(bool, Vec<u32>)],
    batch: usize,
) -> Vec<Vec<u32>> {
    let graph = Graph::new();
    let (source, other) = (graph.source::<u32>(), graph.source::<u32>());
    let [numbers, others] = [&source, &other].map(|s| s.map(|x| x).share());
    let beside = if own { numbers.clone() } else { others.clone() };
    let rows = numbers
        .per_key(
            |x| x % 5,
            Keys::max(keys),
            move |_, flow| chain(flow.boxed(), &beside),
        )
        .sink_to_list();
    for (to_source, items) in calls {
        let to = if *to_source { &source } else { &other };
        for items in items.chunks(batch) {
            match items {
                [item] => to.emit(*item).unwrap(),
                items => assert_eq!(to.emit_all(items.iter().copied()).unwrap(), items.len()),
            }
        }
    }
    source.close();
    other.close();
    rows.take()
}

proptest! {
    #[test]
    fn runs_that_join_other_flows_give_the_same_in_batches(
        chain in 0..chains().len(),
        own: bool,
        keys in 1..4usize,
        calls in prop::collection::vec((any::<bool>(), prop::collection::vec(0..30u32, 0..25)), 1..8),
        batch in 2..30usize,
    ) {
        let (name, chain) = chains()[chain];
        let one_by_one = rows(chain, own, keys, &calls, 1);
        let in_batches = rows(chain, own, keys, &calls, batch);
        prop_assert_eq!(in_batches, one_by_one, "{}", name);
    }
}
