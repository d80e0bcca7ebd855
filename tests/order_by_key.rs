//! Futures and threads in the order of each key: one after another within a key, side by side across.

mod words;

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::StreamExt;
use futures::channel::oneshot;
use headwater::prelude::*;
use headwater::{Lost, Retry};
use proptest::prelude::*;
use words::quiet;

/// Futures that finish when the test says so.
#[derive(Clone, Default)]
struct Jobs(Arc<Mutex<Vec<Job>>>);

type Job = (u32, oneshot::Sender<bool>);

impl Jobs {
    fn start(
        &self,
        x: u32,
    ) -> impl Future<Output = Result<u32, BoxError>> + Send + 'static + use<> {
        let (finish, result) = oneshot::channel();
        self.0.lock().unwrap().push((x, finish));
        async move {
            match result.await? {
                true => Ok(x),
                false => Err("no".into()),
            }
        }
    }

    fn running(&self) -> Vec<u32> {
        self.0.lock().unwrap().iter().map(|(x, _)| *x).collect()
    }

    fn finish(&self, at: usize, good: bool) -> u32 {
        let (x, finish) = self.0.lock().unwrap().remove(at);
        finish.send(good).unwrap();
        x
    }

    /// Finishes the one with this element.
    fn finish_one(&self, x: u32) {
        let at = self.running().iter().position(|y| *y == x).unwrap();
        self.finish(at, true);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever finishes when and however: one of a key at once, in order; nobody waits for another
    /// key while there is a place; nothing is held beyond the capacity, and nothing lost.
    #[test]
    fn keys_keep_their_order_and_wait_for_no_other(
        (n, reorder, keys) in (1usize..5, 1usize..6, 1u32..5),
        acts in prop::collection::vec((0u8..5, any::<prop::sample::Index>(), any::<bool>()), 0..150),
        close_at in any::<prop::sample::Index>(),
    ) {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let jobs = Jobs::default();
        let start = jobs.clone();
        let seen = source
            .try_map_async(n, move |x| start.start(x))
            .by_key(move |x| x % keys)
            .reorder(reorder)
            .sink_to_list();
        // The element decides its key, and is drawn so that keys come in any order.
        let mut accepted: Vec<u32> = Vec::new();
        let mut receipts = Vec::new();
        let mut finished: Vec<(u32, bool)> = Vec::new();
        let close_at = close_at.index(acts.len().max(1));
        for (at, (act, index, good)) in acts.iter().enumerate() {
            if at == close_at {
                source.close();
            }
            if *act < 3 {
                let x = (accepted.len() as u32) * keys + index.index(keys as usize) as u32;
                if let Ok(receipt) = source.emit_tracked(x) {
                    receipts.push(receipt);
                    accepted.push(x);
                }
            } else if let running @ 1.. = jobs.running().len() {
                let x = jobs.finish(index.index(running), *good);
                finished.push((x, *good));
            }
            time.settle();
            let running = jobs.running();
            prop_assert!(running.len() <= n);
            let busy: HashSet<u32> = running.iter().map(|x| x % keys).collect();
            prop_assert_eq!(busy.len(), running.len(), "one of a key at once");
            let open = |x: &&u32| !finished.iter().any(|(y, _)| y == *x);
            for key in 0..keys {
                let first = accepted.iter().filter(open).find(|x| **x % keys == key);
                let runs = running.iter().find(|x| **x % keys == key);
                prop_assert!(runs.is_none() || runs == first, "the first of its key");
            }
            let held = accepted.iter().filter(open).count();
            let idle = accepted.iter().filter(open).any(|x| !busy.contains(&(x % keys)));
            prop_assert!(running.len() == n || !idle || held > reorder, "a place stays empty");
            prop_assert!(held <= n + reorder);
            prop_assert_eq!(graph.snapshot().unwrap().held(), held as u64);
            for (x, receipt) in accepted.iter().zip(&receipts) {
                let done = finished.iter().find(|(y, _)| y == x);
                let expected = done.map(|(_, good)| if *good { Ok(()) } else { Err(Lost::Failed) });
                prop_assert_eq!(receipt.outcome(), expected);
            }
        }
        while !jobs.running().is_empty() {
            finished.push((jobs.finish(0, true), true));
            time.settle();
        }
        let good: Vec<u32> = finished.iter().filter(|(_, good)| *good).map(|(x, _)| *x).collect();
        let seen = seen.take();
        prop_assert_eq!(&seen, &good);
        prop_assert_eq!(finished.len(), accepted.len());
        for key in 0..keys {
            let of_key: Vec<u32> = seen.iter().copied().filter(|x| x % keys == key).collect();
            prop_assert!(of_key.is_sorted());
        }
    }

    /// Through attempts that fail, one by one or in batches.
    #[test]
    fn keys_keep_their_order_through_retries(
        failures in prop::collection::vec(0u32..3, 0..60),
        (n, keys) in (1usize..5, 1u32..6),
        batches in any::<bool>(),
    ) {
        let (graph, time) = quiet();
        let mut left = failures.clone();
        let items: Vec<u32> = (0..failures.len() as u32).collect();
        let source = graph.source::<u32>();
        let flow = match batches {
            true => graph.from_iter(items.clone()).boxed(),
            false => source.boxed(),
        };
        let seen = flow
            .try_map_async(n, move |x: u32| {
                let left = &mut left[x as usize];
                let answer = if *left == 0 { Ok(x) } else { Err("not yet".into()) };
                *left = left.saturating_sub(1);
                futures::future::ready(answer)
            })
            .by_key(move |x| x % keys)
            .retry(Retry::attempts(3).fixed(Duration::from_millis(5)))
            .sink_to_list();
        for x in items.iter().filter(|_| !batches) {
            while source.emit(*x).is_err() {
                time.advance(Duration::from_millis(1));
            }
        }
        time.advance(Duration::from_secs(10));
        let mut seen = seen.take();
        for key in 0..keys {
            let of_key: Vec<u32> = seen.iter().copied().filter(|x| x % keys == key).collect();
            prop_assert!(of_key.is_sorted());
        }
        if n == 1 {
            prop_assert!(seen.is_sorted(), "one at a time is in the order of all");
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, items);
    }
}

#[test]
fn a_slow_key_holds_up_no_other() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let jobs = Jobs::default();
    let start = jobs.clone();
    let flow = source.try_map_async(3, move |x| start.start(x));
    let seen = flow.by_key(|x| x % 10).sink_to_list();
    // Ten of key 0 wait for the first of them, and take no place.
    for x in 0..10 {
        source.emit(x * 10).unwrap();
        time.settle();
    }
    for x in [1, 11, 2] {
        source.emit(x).unwrap();
        time.settle();
    }
    assert_eq!(jobs.running(), [0, 1, 2]);
    for x in [1, 11, 2] {
        jobs.finish_one(x);
        time.settle();
    }
    assert_eq!(seen.take(), [1, 11, 2]);
    assert_eq!(jobs.running(), [0]);
}

#[test]
fn those_that_wait_for_their_key_are_bounded() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let jobs = Jobs::default();
    let start = jobs.clone();
    let flow = source.try_map_async(2, move |x| start.start(x));
    flow.by_key(|_| ()).reorder(3).sink(drop);
    let mut accepted = 0;
    for _ in 0..20 {
        accepted += u32::from(source.emit(accepted).is_ok());
        time.settle();
    }
    // One runs, three wait behind it, and one in front of them for a place.
    assert_eq!(accepted, 5);
    let snapshot = graph.snapshot().unwrap();
    let node = snapshot.named("try_map_async").unwrap();
    let counts = &node.counts;
    assert_eq!(
        (counts.held, counts.out_of_turn, counts.capacity),
        (5, 3, 2)
    );
    assert!(node.blocked_since.is_some());
    jobs.finish(0, true);
    time.settle();
    assert_eq!(jobs.running(), [1]);
    source.emit(5).unwrap();
}

#[test]
fn a_full_sink_behind_keys_makes_the_origin_wait() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let mut out = source
        .map_async(3, |x| async move { x })
        .by_key(|x| x % 2)
        .into_stream(1);
    let mut accepted = 0;
    for _ in 0..100 {
        accepted += u32::from(source.emit(accepted).is_ok());
        time.settle();
    }
    assert_eq!(accepted, 4, "1 in the stream and 3 here");
    source.close();
    let mut seen = Vec::new();
    for _ in 0..20 {
        time.settle();
        seen.extend(out.next().now_or_never().flatten());
    }
    assert!(seen.into_iter().eq(0..4));
}

#[test]
fn failures_and_holes_from_above_wait_for_no_key() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let jobs = Jobs::default();
    let start = jobs.clone();
    let seen = source
        .try_map(|x| if x == 1 { Err("one".into()) } else { Ok(x) })
        .try_map_async(2, move |x| start.start(x))
        .by_key(|_| ())
        .catch(|_| Some(100))
        .sink_to_list();
    source.emit_all([0, 1]).unwrap();
    time.settle();
    source.emit(2).unwrap();
    time.settle();
    assert_eq!(seen.take(), [100]);
    while !jobs.running().is_empty() {
        jobs.finish(0, true);
        time.settle();
    }
    assert_eq!(seen.take(), [0, 2]);
}

#[test]
fn a_graph_that_is_dropped_tells_the_receipts_of_those_that_wait_for_their_key() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    source
        .map_async(4, |_| futures::future::pending::<()>())
        .by_key(|_| ())
        .sink(drop);
    let receipts: Vec<_> = (0..3).map(|x| source.emit_tracked(x).unwrap()).collect();
    time.settle();
    assert!(receipts.iter().all(|receipt| receipt.outcome().is_none()));
    drop((source, graph, time));
    for receipt in receipts {
        assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    }
}

#[test]
fn a_branch_that_is_disconnected_finishes_its_keys() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let jobs = Jobs::default();
    let start = jobs.clone();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let branch = source
        .try_map_async(4, move |x| start.start(x))
        .by_key(|_| ())
        .sink(move |x| told.lock().unwrap().push(x));
    source.emit_all([1, 2, 3]).unwrap();
    time.settle();
    branch.disconnect();
    while !jobs.running().is_empty() {
        jobs.finish(0, true);
        time.settle();
    }
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
}

#[test]
fn a_key_that_panics_poisons_the_graph_and_its_element_is_lost() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    source
        .map_async(4, |x| async move { x })
        .by_key(|x| {
            assert!(*x != 1, "no key");
            *x
        })
        .sink(drop);
    let receipt = source.emit_tracked(1).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| time.settle())).is_err());
    assert!(receipt.outcome().unwrap().is_err());
    assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
}

/// A key that tells how many of it are kept.
#[derive(Clone)]
struct Key(u32, #[expect(dead_code, reason = "counted")] Arc<()>);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

#[test]
fn a_key_is_forgotten_with_its_last_element() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let alive = Arc::new(());
    let count = alive.clone();
    let list = source
        .map_async(3, |x| async move { x })
        .by_key(move |x| Key(*x, count.clone()))
        .sink_to_list();
    for x in 0..1_000 {
        source.emit(x).unwrap();
        time.settle();
    }
    assert_eq!(list.len(), 1_000);
    // This one, and the closure's.
    assert_eq!(Arc::strong_count(&alive), 2);
}

#[test]
fn blocking_closures_run_one_after_another_within_a_key() {
    let graph = Graph::new();
    let busy = Arc::new(Mutex::new(HashSet::new()));
    let seen = graph
        .from_iter(0..600)
        .map_blocking(4, move |x| {
            assert!(busy.lock().unwrap().insert(x % 3), "two of a key at once");
            std::thread::yield_now();
            assert!(busy.lock().unwrap().remove(&(x % 3)));
            x
        })
        .by_key(|x| x % 3)
        .sink_to_list();
    graph.run().unwrap();
    let seen = seen.take();
    assert_eq!(seen.len(), 600);
    for key in 0..3 {
        assert!(seen.iter().filter(|x| **x % 3 == key).is_sorted());
    }
}
