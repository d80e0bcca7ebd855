//! Keyed state: bounds on keys, a state for each key, a run for each key; against naive oracles.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{
    Branch, EmitError, GraphError, KeyFlow, List, Loss, Lost, MoveError, NodeSnapshot, Receipt,
    Shared,
};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn node(graph: &Graph, title: &str) -> NodeSnapshot {
    graph.snapshot().unwrap().named(title).unwrap().clone()
}

fn decade(x: &u32) -> u32 {
    x / 10
}

/// What comes out, up to the close: for elements one by one, all at once, and cut into batches.
fn outputs<O: Clone + Send + 'static>(
    items: &[u32],
    cuts: &[usize],
    build: impl Fn(&Source<u32>) -> List<O>,
) -> [Vec<O>; 3] {
    let run = |emit: &dyn Fn(&Source<u32>)| {
        let graph = Graph::new();
        let _time = graph.drive_manually();
        let source = graph.source();
        let list = build(&source);
        emit(&source);
        source.close();
        list.take()
    };
    [
        run(&|source| items.iter().for_each(|x| source.emit(*x).unwrap())),
        run(&|source| {
            source.emit_all(items.iter().copied()).unwrap();
        }),
        run(&|source| {
            let mut rest = items;
            for cut in cuts {
                let (batch, after) = rest.split_at((*cut).min(rest.len()));
                source.emit_all(batch.iter().copied()).unwrap();
                rest = after;
            }
            source.emit_all(rest.iter().copied()).unwrap();
        }),
    ]
}

/// Live keys, the least recently used first: the plainest way to say which one goes.
struct Naive<S> {
    max: usize,
    live: Vec<(u32, S)>,
}

impl<S> Naive<S> {
    fn new(max: usize) -> Self {
        Naive {
            max,
            live: Vec::new(),
        }
    }

    /// The state of `key`, which is used now, and what had to go for it.
    fn touch(&mut self, key: u32, init: impl FnOnce() -> S) -> (&mut S, Option<(u32, S)>) {
        let mut gone = None;
        let state = match self.live.iter().position(|(k, _)| *k == key) {
            Some(at) => self.live.remove(at).1,
            None => {
                if self.live.len() == self.max {
                    gone = Some(self.live.remove(0));
                }
                init()
            }
        };
        self.live.push((key, state));
        (&mut self.live.last_mut().unwrap().1, gone)
    }
}

// ---- the bound on keys ----

#[test]
#[should_panic(expected = "would let no key live")]
fn no_keys_at_all_are_rejected() {
    let _ = Keys::max(0);
}

#[test]
#[should_panic(expected = "would expire each key at once")]
fn an_idle_time_of_zero_is_rejected() {
    let _ = Keys::max(1).idle(Duration::ZERO);
}

#[test]
fn a_key_is_idle_from_its_last_element_on() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .map_with_state_by_key(
            |x| *x,
            Keys::max(10).idle(ms(100)),
            |_| 0,
            |n, _| {
                *n += 1;
                Some((*n, false))
            },
        )
        .on_expire(|key, _| Some(Some((key, true))))
        .flatten()
        .sink_to_list();
    source.emit(7).unwrap();
    time.advance(ms(99));
    source.emit(7).unwrap();
    time.advance(ms(99));
    assert_eq!(list.take(), [(1, false), (2, false)]);
    time.advance(ms(1));
    assert_eq!(list.take(), [(7, true)]);
    source.emit(7).unwrap();
    assert_eq!(list.take(), [(1, false)]);
    let counts = node(&graph, "map_with_state_by_key").counts;
    assert_eq!((counts.keys, counts.expired, counts.passed), (1, 1, 3));
}

#[test]
fn idle_keys_go_in_the_order_of_their_last_elements_each_at_its_time() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let gone = Arc::new(Mutex::new(Vec::new()));
    let seen = gone.clone();
    source
        .map_with_state_by_key(|x| *x, Keys::max(10).idle(ms(100)), |_| (), |(), x| x)
        .on_expire(move |key, ()| {
            seen.lock().unwrap().push(key);
            None
        })
        .sink(drop);
    for (at, key) in [(0, 1), (10, 2), (20, 3), (30, 1)] {
        time.advance(ms(at) - (time.now() - Time::ZERO));
        source.emit(key).unwrap();
    }
    time.advance(ms(79));
    assert_eq!(*gone.lock().unwrap(), Vec::<u32>::new());
    time.advance(ms(1));
    assert_eq!(*gone.lock().unwrap(), [2]);
    time.advance(ms(20));
    assert_eq!(*gone.lock().unwrap(), [2, 3, 1]);
}

#[test]
fn idle_time_needs_a_driver() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let keys = Keys::max(10).idle(ms(100));
    source.per_key(decade, keys, |_, flow| flow).sink(drop);
    assert!(matches!(source.emit(1), Err(EmitError::Undriven(1))));
}

// ---- map_with_state_by_key ----

proptest! {
    #[test]
    fn a_state_for_each_key_is_what_a_map_of_states_says(
        items in prop::collection::vec(0u32..60, 0..80),
        cuts in prop::collection::vec(1usize..9, 0..12),
        max in 1usize..8,
    ) {
        let mut naive = Naive::new(max);
        let mut expected = Vec::new();
        for x in &items {
            let (sum, gone) = naive.touch(decade(x), || 0);
            *sum += x;
            let sum = *sum;
            expected.extend(gone.map(|(key, sum)| (key, sum, true)));
            expected.push((*x, sum, false));
        }
        let rest = naive.live.into_iter().map(|(key, sum)| (key, sum, true));
        expected.extend(rest);
        for out in outputs(&items, &cuts, |source| {
            source
                .map_with_state_by_key(decade, Keys::max(max), |_| 0, |sum, x| {
                    *sum += x;
                    (x, *sum, false)
                })
                .on_expire(|key, sum| Some((key, sum, true)))
                .sink_to_list()
        }) {
            prop_assert_eq!(&out, &expected);
        }
    }
}

#[test]
fn the_state_of_a_new_key_is_made_from_the_key() {
    let source = Source::<u32>::new();
    let list = source
        .map_with_state_by_key(
            decade,
            Keys::max(9),
            |key| *key * 100,
            |state, x| *state + x,
        )
        .sink_to_list();
    source.emit_all([5, 15, 25]).unwrap();
    assert_eq!(list.take(), [5, 115, 225]);
}

// ---- per_key: what comes out ----

/// What a chain of operators makes of one key's elements, up to its close.
type Oracle = fn(&[u32]) -> Vec<u32>;
type Chain = fn(KeyFlow<u32>) -> headwater::BoxFlow<u32>;

fn chains() -> Vec<(Chain, Oracle)> {
    vec![
        (|flow| flow.boxed(), |items| items.to_vec()),
        (
            |flow| flow.map(|x| x * 3).filter(|x| x % 2 == 0).boxed(),
            |items| items.iter().map(|x| x * 3).filter(|x| x % 2 == 0).collect(),
        ),
        (
            |flow| flow.partition(3).map(|p| p.iter().sum()).boxed(),
            |items| items.chunks(3).map(|p| p.iter().sum()).collect(),
        ),
        (
            |flow| flow.rolling(2, Max).boxed(),
            |items| {
                let at = |i: usize| &items[i.saturating_sub(1)..=i];
                (0..items.len())
                    .map(|i| *at(i).iter().max().unwrap())
                    .collect()
            },
        ),
        (
            |flow| flow.flat_map(|x| [x, x + 1]).unique().boxed(),
            |items| {
                let mut seen = Vec::new();
                for x in items.iter().flat_map(|x| [*x, x + 1]) {
                    if !seen.contains(&x) {
                        seen.push(x);
                    }
                }
                seen
            },
        ),
        (
            |flow| {
                let both = flow.share();
                both.zip(both.accumulate(0, |sum, x| sum + x))
                    .map(|(x, sum)| x + 1000 * sum)
                    .boxed()
            },
            |items| {
                let mut sum = 0;
                let add = |x: &u32| {
                    sum += x;
                    x + 1000 * sum
                };
                items.iter().map(add).collect()
            },
        ),
        (
            |flow| {
                let both = flow.share();
                both.union(both.partition(2).map(|p| 7 * p[0])).boxed()
            },
            |items| {
                let mut out = Vec::new();
                for (i, x) in items.iter().enumerate() {
                    out.push(*x);
                    if i % 2 == 1 {
                        out.push(7 * items[i - 1]);
                    }
                }
                if items.len() % 2 == 1 {
                    out.push(7 * items[items.len() - 1]);
                }
                out
            },
        ),
        (
            |flow| {
                flow.per_key(|x| x % 2, Keys::max(9), |_, flow| flow.partition(2))
                    .map(|p| p.iter().sum())
                    .boxed()
            },
            |items| {
                let mut open: Vec<(u32, Vec<u32>)> = Vec::new();
                let mut out = Vec::new();
                for x in items {
                    let at = open.iter().position(|(key, _)| *key == x % 2);
                    let (_, mut group) = match at {
                        Some(at) => open.remove(at),
                        None => (0, Vec::new()),
                    };
                    group.push(*x);
                    if group.len() == 2 {
                        out.push(group.iter().sum());
                        group.clear();
                    }
                    open.push((x % 2, group));
                }
                let rest = open.iter().filter(|(_, group)| !group.is_empty());
                out.extend(rest.map(|(_, group)| group.iter().sum::<u32>()));
                out
            },
        ),
    ]
}

/// What comes of each key: its elements, cut where it expired, and each piece through the chain.
fn expected(items: &[u32], max: usize, oracle: Oracle) -> HashMap<u32, Vec<u32>> {
    let mut naive = Naive::new(max);
    let mut pieces = Vec::new();
    for x in items {
        let (had, gone) = naive.touch(decade(x), Vec::new);
        had.push(*x);
        pieces.extend(gone);
    }
    pieces.extend(naive.live);
    let mut by_key: HashMap<u32, Vec<u32>> = HashMap::new();
    for (key, piece) in pieces {
        by_key.entry(key).or_default().extend(oracle(&piece));
    }
    by_key.retain(|_, out| !out.is_empty());
    by_key
}

fn by_key(out: &[(u32, u32)]) -> HashMap<u32, Vec<u32>> {
    let mut by_key: HashMap<u32, Vec<u32>> = HashMap::new();
    for (key, x) in out {
        by_key.entry(*key).or_default().push(*x);
    }
    by_key
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_a_run_is_made_of_each_key_has_its_own(
        items in prop::collection::vec(0u32..60, 0..60),
        cuts in prop::collection::vec(1usize..9, 0..12),
        max in 1usize..8,
        which in 0usize..8,
        behind in 0usize..3,
    ) {
        let (chain, oracle) = chains()[which];
        let expected = expected(&items, max, oracle);
        let all = outputs(&items, &cuts, |source| {
            let flow = source.per_key(decade, Keys::max(max), move |key, flow| {
                let key = *key;
                chain(flow).map(move |x| (key, x))
            });
            match behind {
                0 => flow.sink_to_list(),
                1 => {
                    let shared = flow.share();
                    shared.sink(drop);
                    shared.sink_to_list()
                }
                _ => flow.boxed().partition(2).flatten().sink_to_list(),
            }
        });
        prop_assert_eq!(&all[0], &all[1]);
        prop_assert_eq!(&all[0], &all[2]);
        prop_assert_eq!(by_key(&all[0]), expected);
    }

    #[test]
    fn what_comes_of_an_element_is_out_before_the_next_one_of_whichever_key(
        items in prop::collection::vec(0u32..60, 0..60),
        cuts in prop::collection::vec(1usize..9, 0..12),
        max in 1usize..8,
    ) {
        let mut naive = Naive::new(max);
        let mut expected = Vec::new();
        for x in &items {
            let (held, gone) = naive.touch(decade(x), Vec::new);
            expected.extend(gone.filter(|(_, held)| !held.is_empty()).map(|(_, held)| held));
            held.push(*x);
            if held.len() == 2 {
                expected.push(std::mem::take(held));
            }
        }
        expected.extend(naive.live.into_iter().map(|(_, held)| held).filter(|h| !h.is_empty()));
        for shared in [false, true] {
            for out in outputs(&items, &cuts, |source| {
                let flow = source.per_key(decade, Keys::max(max), |_, flow| flow.partition(2));
                if shared { flow.share().sink_to_list() } else { flow.sink_to_list() }
            }) {
                prop_assert_eq!(&out, &expected);
            }
        }
    }

    #[test]
    fn keys_expire_by_number_and_by_time_and_nothing_of_theirs_is_lost(
        steps in prop::collection::vec((0u64..120, 0u32..60), 0..50),
        max in 1usize..6,
        idle in 1u64..200,
        which in 0usize..8,
        timed in any::<bool>(),
    ) {
        let (chain, oracle) = chains()[which];
        // Live keys with the time of their last element, the least recently used first.
        let mut live: Vec<(u32, u64, Vec<u32>)> = Vec::new();
        let (mut now, mut pieces, mut expired) = (0, Vec::new(), 0);
        for (wait, x) in &steps {
            now += wait;
            let key = decade(x);
            while live.first().is_some_and(|(_, seen, _)| seen + idle <= now) {
                pieces.push(live.remove(0));
                expired += 1;
            }
            let (_, _, mut had) = match live.iter().position(|(k, ..)| *k == key) {
                Some(at) => live.remove(at),
                None => {
                    if live.len() == max {
                        pieces.push(live.remove(0));
                        expired += 1;
                    }
                    (0, 0, Vec::new())
                }
            };
            had.push(*x);
            live.push((key, now, had));
        }
        let keys = live.len();
        let mut expected: HashMap<u32, Vec<u32>> = HashMap::new();
        for (key, _, piece) in pieces.into_iter().chain(live) {
            expected.entry(key).or_default().extend(oracle(&piece));
        }
        expected.retain(|_, out| !out.is_empty());

        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let list = source
            .per_key(decade, Keys::max(max).idle(ms(idle)), move |key, flow| {
                let key = *key;
                let flow = chain(flow);
                let flow = if timed {
                    flow.timed_window(ms(70)).flatten().boxed()
                } else {
                    flow
                };
                flow.map(move |x| (key, x))
            })
            .sink_to_list();
        for (wait, x) in &steps {
            time.advance(ms(*wait));
            source.emit(*x).unwrap();
        }
        let counts = node(&graph, "per_key").counts;
        prop_assert_eq!((counts.keys, counts.expired), (keys as u64, expired));
        source.close();
        prop_assert_eq!(by_key(&list.take()), expected);
        prop_assert_eq!(node(&graph, "per_key").counts.keys, 0);
    }

    #[test]
    fn a_receipt_is_done_once_all_that_came_of_its_element_is(
        items in prop::collection::vec(0u32..60, 1..30),
        max in 1usize..6,
        which in 0usize..8,
        buffered in any::<bool>(),
    ) {
        let (chain, _) = chains()[which];
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let list = source
            .per_key(decade, Keys::max(max), move |_, flow| match buffered {
                true => chain(flow).buffer(100).boxed(),
                false => chain(flow),
            })
            .sink_to_list();
        // Runs of expired keys that have not drained make the source wait.
        let mut receipts = Vec::new();
        for x in &items {
            let receipt = source.emit_tracked(*x).unwrap_or_else(|full| {
                assert!(matches!(full, EmitError::Full(_)));
                time.settle();
                source.emit_tracked(*x).unwrap()
            });
            receipts.push(receipt);
        }
        source.close();
        time.settle();
        drop(list);
        for receipt in receipts {
            prop_assert_eq!(receipt.outcome(), Some(Ok(())));
        }
    }
}

#[test]
fn a_tracked_element_is_not_kept_waiting_by_the_key_that_went_for_it() {
    let source = Source::<u32>::new();
    let groups = source
        .per_key(decade, Keys::max(1), |_, flow| flow.partition(2))
        .partition(2)
        .sink_to_list();
    source.emit(1).unwrap();
    // The partial group of the key that goes is held below; the element itself passes in a group.
    let first = source.emit_tracked(11).unwrap();
    source.emit(12).unwrap();
    assert_eq!(groups.take(), [[vec![1], vec![11, 12]]]);
    assert_eq!(first.outcome(), Some(Ok(())));
}

#[test]
fn the_record_stays_beside_its_rolling_figures() {
    #[derive(Clone)]
    struct Reading {
        device: u32,
        value: f64,
    }
    let reading = |device, value| Reading { device, value };
    let source = Source::<Reading>::new();
    let list = source
        .per_key(
            |r| r.device,
            Keys::max(10_000),
            |_, flow| {
                flow.rolling(100, Mean.of(|r: &Reading| r.value))
                    .with_element()
            },
        )
        .map(|(reading, mean)| (reading.device, reading.value, mean))
        .sink_to_list();
    source
        .emit_all([reading(1, 1.0), reading(2, 5.0), reading(1, 3.0)])
        .unwrap();
    assert_eq!(list.take(), [(1, 1.0, 1.0), (2, 5.0, 5.0), (1, 3.0, 2.0)]);
}

proptest! {
    #[test]
    fn the_element_beside_its_rolling_figure_is_the_one_it_came_with(
        items in prop::collection::vec(0u32..60, 0..40),
        cuts in prop::collection::vec(1usize..9, 0..12),
        n in 1usize..6,
        full in any::<bool>(),
    ) {
        let figures = items.iter().enumerate().filter(|(i, _)| !full || i + 1 >= n).map(|(i, x)| {
            (*x, items[(i + 1).saturating_sub(n)..=i].iter().sum::<u32>())
        });
        let expected: Vec<_> = figures.collect();
        for shared in [false, true] {
            for out in outputs(&items, &cuts, |source| {
                let rolling = source.rolling(n, Sum);
                let flow = if full { rolling.full() } else { rolling }.with_element();
                if shared { flow.share().sink_to_list() } else { flow.sink_to_list() }
            }) {
                prop_assert_eq!(&out, &expected);
            }
        }
    }
}

#[test]
fn a_key_that_expires_emits_its_partial_window_and_begins_anew() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let keys = Keys::max(2).idle(ms(1000));
    let list = source
        .per_key(decade, keys, |_, flow| flow.partition(3))
        .sink_to_list();
    source.emit_all([1, 11, 2, 21]).unwrap();
    assert_eq!(list.take(), [[11]], "the least recently used goes");
    time.advance(ms(999));
    source.emit(3).unwrap();
    assert_eq!(list.take(), [[1, 2, 3]]);
    time.advance(ms(1));
    assert_eq!(list.take(), [[21]]);
    let counts = node(&graph, "per_key").counts;
    assert_eq!((counts.keys, counts.expired, counts.passed), (1, 2, 5));
    source.emit(22).unwrap();
    source.close();
    assert_eq!(list.take(), [[22]]);
}

// ---- per_key: time, futures, pressure ----

#[test]
fn timed_windows_within_tick() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(100), |_, flow| flow.timed_window(ms(100)))
        .sink_to_list();
    source.emit_all([1, 11, 2]).unwrap();
    time.advance(ms(100));
    assert_eq!(list.take(), [vec![1, 2], vec![11]]);
    source.emit(3).unwrap();
    time.advance(ms(50));
    assert_eq!(list.take(), Vec::<Vec<u32>>::new());
    source.close();
    assert_eq!(list.take(), [[3]]);
}

#[test]
fn futures_within_are_awaited_in_order_for_each_key() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let (open, gate) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
    let (is_open, waker) = (open.clone(), gate.clone());
    let list = source
        .per_key(decade, Keys::max(100), move |key, flow| {
            let (slow, is_open, waker) = (*key == 0, is_open.clone(), waker.clone());
            flow.map_async(4, move |x| {
                let (is_open, waker) = (is_open.clone(), waker.clone());
                std::future::poll_fn(move |task| {
                    if slow && !is_open.load(Ordering::Relaxed) {
                        *waker.lock().unwrap() = Some(task.waker().clone());
                        return std::task::Poll::Pending;
                    }
                    std::task::Poll::Ready(x)
                })
            })
        })
        .share();
    let closed = list.partition(1000).sink_to_list();
    let list = list.sink_to_list();
    source.emit_all([1, 11, 12]).unwrap();
    time.settle();
    assert_eq!(list.take(), [11, 12], "a slow key keeps no other waiting");
    source.close();
    time.settle();
    assert!(closed.is_empty(), "the close waits for what is in flight");
    open.store(true, Ordering::Relaxed);
    let waker: std::task::Waker = gate.lock().unwrap().take().unwrap();
    waker.wake();
    time.settle();
    assert_eq!(list.take(), [1]);
    assert!(!closed.is_empty());
}

#[test]
fn a_run_that_is_full_makes_the_origin_wait() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(100), |_, flow| flow.buffer(2))
        .sink_to_list();
    source.emit(1).unwrap();
    source.emit(11).unwrap();
    source.emit(2).unwrap();
    assert!(matches!(source.emit(12), Err(EmitError::Full(12))));
    assert_eq!(node(&graph, "buffer").counts.held, 3);
    assert!(node(&graph, "buffer").blocked_since.is_some());
    time.settle();
    assert_eq!(
        list.take(),
        [1, 2, 11].map(|x| x),
        "each run drains by itself"
    );
    source.emit(12).unwrap();
}

#[test]
fn runs_of_expired_keys_that_do_not_drain_make_the_origin_wait() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let done = Arc::new(AtomicBool::new(false));
    let is_done = done.clone();
    let list = source
        .per_key(
            |x| *x,
            Keys::max(3),
            move |_, flow| {
                let is_done = is_done.clone();
                flow.map_async(4, move |x| {
                    let is_done = is_done.clone();
                    async move {
                        while !is_done.load(Ordering::Relaxed) {
                            let mut slept = false;
                            std::future::poll_fn(|task| {
                                if std::mem::replace(&mut slept, true)
                                    || is_done.load(Ordering::Relaxed)
                                {
                                    return std::task::Poll::Ready(());
                                }
                                WAKERS.lock().unwrap().push(task.waker().clone());
                                std::task::Poll::Pending
                            })
                            .await;
                        }
                        x
                    }
                })
            },
        )
        .share();
    let closed = list.partition(1000).sink_to_list();
    let list = list.sink_to_list();
    static WAKERS: Mutex<Vec<std::task::Waker>> = Mutex::new(Vec::new());
    let mut accepted = 0;
    for x in 0..100 {
        match source.emit(x) {
            Ok(()) => accepted += 1,
            Err(EmitError::Full(_)) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(accepted, 7, "three live, three drain, and one was let in");
    time.settle();
    done.store(true, Ordering::Relaxed);
    WAKERS
        .lock()
        .unwrap()
        .drain(..)
        .for_each(|waker| waker.wake());
    time.settle();
    source.emit(8).unwrap();
    source.close();
    time.settle();
    let mut all = list.take();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 8]);
    assert!(!closed.is_empty());
}

#[test]
fn a_future_within_that_was_not_polled_yet_is_torn_down_with_the_graph() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    source
        .per_key(decade, Keys::max(9), |_, flow| flow.buffer(9))
        .sink(drop);
    let receipt = source.emit_tracked(1).unwrap();
    drop((time, source, graph));
    assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
}

// ---- per_key: what a run may be made of ----

#[test]
fn a_run_may_have_sinks_of_its_own() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let total = Arc::new(AtomicU64::new(0));
    let sum = total.clone();
    let list = source
        .per_key(decade, Keys::max(2), move |_, flow| {
            let flow = flow.share();
            let sum = sum.clone();
            flow.sink(move |x| {
                sum.fetch_add(u64::from(x), Ordering::Relaxed);
            })
            .named("sums");
            flow.partition(2)
        })
        .sink_to_list();
    source.emit_all(0..100).unwrap();
    assert_eq!(total.load(Ordering::Relaxed), (0..100).sum::<u64>());
    let sums = node(&graph, "sums").counts;
    assert_eq!(sums.passed, 100, "of all keys, those that are gone too");
    assert_eq!(node(&graph, "share").counts.passed, 100);
    source.close();
    assert_eq!(list.take().len(), 50);
    let report = graph.close().unwrap();
    assert!(report.complete);
    assert_eq!((report.accepted, report.delivered), (100, 150));
}

#[test]
fn a_run_may_join_a_flow_from_outside_and_lets_go_of_it_when_its_key_expires() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let limits = graph.source::<u32>();
    let limit = limits.share();
    let list = source
        .per_key(decade, Keys::max(2), move |_, flow| {
            flow.combine_latest(&limit).filter(|(x, limit)| x > limit)
        })
        .sink_to_list();
    source.emit_all([5, 15]).unwrap();
    limits.emit(4).unwrap();
    assert_eq!(list.take(), [(5, 4), (15, 4)]);
    // Both keys go, and with them what hung from the limits.
    source.emit_all([25, 35]).unwrap();
    limits.emit(3).unwrap();
    assert_eq!(list.take(), [(25, 3), (35, 3)]);
    source.close();
    limits.emit(1).unwrap();
    assert_eq!(list.take(), []);
}

#[test]
fn a_run_may_pump_an_iterator_which_ends_with_its_key() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let weak = graph.clone();
    let list = source
        .per_key(decade, Keys::max(1), move |key, flow| {
            flow.union(weak.from_iter(std::iter::repeat_n(*key + 100, 3)))
        })
        .sink_to_list();
    source.emit(1).unwrap();
    time.settle();
    assert_eq!(list.take(), [1, 100, 100, 100]);
    source.emit(11).unwrap();
    source.emit(21).unwrap();
    time.settle();
    let out = list.take();
    assert!(
        out.ends_with(&[21, 102, 102, 102]) || out.ends_with(&[102, 102, 102]),
        "{out:?}"
    );
    source.close();
    time.settle();
    assert!(graph.close().unwrap().complete);
}

#[test]
fn runs_need_not_be_alike() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(9), |key, flow| {
            let groups = flow.partition(2).by_key(|_| ());
            match key % 2 {
                0 => groups.boxed(),
                _ => groups.max_age(ms(10)).boxed(),
            }
        })
        .sink_to_list();
    source.emit_all([1, 11, 21, 31]).unwrap();
    time.advance(ms(10));
    assert_eq!(list.take(), [[11], [31]]);
    source.close();
    assert_eq!(list.take(), [[1], [21]]);
}

#[test]
fn a_key_whose_flow_is_not_used_drops_its_elements_and_says_so() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let other = graph.source::<u32>();
    let share = other.share();
    let list = source
        .per_key(decade, Keys::max(9), move |_, _unused| share.map(|x| x))
        .sink_to_list();
    let receipt = source.emit_tracked(1).unwrap();
    assert_eq!(receipt.outcome(), Some(Err(Lost::Discarded)));
    assert_eq!(node(&graph, "per_key").counts.lost(Loss::Unheard), 1);
    other.emit(5).unwrap();
    assert_eq!(list.take(), [5]);
}

#[test]
fn a_flow_carried_out_of_the_closure_has_no_elements() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let carried = Arc::new(Mutex::new(Vec::new()));
    let out = carried.clone();
    let other = graph.source::<u32>();
    let share = other.share();
    source
        .per_key(decade, Keys::max(9), move |_, flow| {
            out.lock().unwrap().push(flow);
            share.map(|x| x)
        })
        .sink(drop);
    source.emit(1).unwrap();
    let flow = carried.lock().unwrap().pop().unwrap();
    let late = flow.sink_to_list();
    source.emit_all([2, 11]).unwrap();
    assert!(late.is_empty());
    assert_eq!(node(&graph, "per_key").counts.lost(Loss::Unheard), 3);
}

#[test]
fn keys_within_keys() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source
        .per_key(
            |x| x % 2,
            Keys::max(2),
            |_, flow| {
                flow.per_key(
                    |x| x % 3,
                    Keys::max(3),
                    |_, flow| flow.accumulate(0, |n, _| n + 1),
                )
            },
        )
        .sink_to_list();
    source.emit_all(0..12).unwrap();
    assert_eq!(list.take(), [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    let topology = graph.topology();
    let kinds: Vec<_> = topology.nodes().iter().map(|n| n.label().kind()).collect();
    let count = |kind| kinds.iter().filter(|k| **k == kind).count();
    assert_eq!(
        (count("per_key"), count("accumulate"), count("keys merged")),
        (2, 1, 2)
    );
    let passed: Vec<_> = graph
        .snapshot()
        .unwrap()
        .nodes
        .iter()
        .filter(|n| n.label().kind() == "per_key")
        .map(|n| (n.counts.passed, n.counts.keys))
        .collect();
    assert_eq!(passed, [(12, 2), (12, 6)]);
    source.close();
}

// ---- per_key: failures ----

#[test]
fn failures_pass_from_above_and_from_within() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source
        .try_map(|x| if x == 1 { Err("above".into()) } else { Ok(x) })
        .per_key(decade, Keys::max(9), |_, flow| {
            flow.try_map(|x| {
                if x % 10 == 2 {
                    Err("within".into())
                } else {
                    Ok(x)
                }
            })
            .named("picky")
        })
        .catch(|failure| (failure.node() == "picky").then_some(1000))
        .sink_to_list();
    let above = source.emit(1);
    source.emit_all([2, 3, 12, 13]).unwrap();
    assert_eq!(list.take(), [1000, 3, 1000, 13]);
    assert!(above.is_ok(), "it was caught: {above:?}");
}

#[test]
fn a_failure_within_names_the_node_that_is_shown_for_all_keys() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    source
        .per_key(decade, Keys::max(1), |_, flow| {
            flow.try_map(|x| {
                if x % 10 == 2 {
                    Err("within".into())
                } else {
                    Ok(x)
                }
            })
            .named("picky")
        })
        .sink(drop);
    for x in [2, 12, 22] {
        let EmitError::Failed(failure) = source.emit(x).unwrap_err() else {
            panic!("it fails");
        };
        assert_eq!(failure.node(), "picky");
    }
    assert_eq!(node(&graph, "picky").counts.failed, 3);
}

#[test]
fn a_join_behind_does_not_shift_by_a_failure_within() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    graph.on_error(headwater::OnError::call(|_| {}));
    let both = source.share();
    let list = both
        .per_key(decade, Keys::max(9), |_, flow| {
            flow.try_map(|x| if x == 2 { Err("two".into()) } else { Ok(x) })
        })
        .zip(&both)
        .sink_to_list();
    for x in [1, 2, 3, 11] {
        let _ = source.emit(x);
    }
    assert_eq!(list.take(), [(1, 1), (3, 3), (11, 11)]);
}

#[test]
fn a_flow_of_another_graph_is_rejected_by_a_sentence() {
    let other = Graph::new();
    let stray = other.source::<u32>().share();
    let source = Source::<u32>::new();
    source
        .per_key(decade, Keys::max(9), move |_, _| stray.map(|x| x))
        .sink(drop);
    let panic = catch_unwind(AssertUnwindSafe(|| source.emit(1))).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("`per_key` combines flows of two graphs"),
        "{message}"
    );
    assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
}

#[test]
fn a_flow_that_would_enter_itself_is_rejected_by_a_sentence() {
    let source = Source::<u32>::new();
    let own: Arc<OnceLock<Shared<u32>>> = Arc::default();
    let result = own.clone();
    let out = source
        .per_key(decade, Keys::max(9), move |_, flow| {
            flow.zip(result.get().unwrap()).map(|(x, _)| x)
        })
        .share();
    own.set(out).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| source.emit(1))).unwrap_err();
    let message = panic.downcast_ref::<&str>().unwrap();
    assert!(message.contains("would enter itself"), "{message}");
    assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
}

#[test]
fn a_closure_that_panics_poisons_this_graph_and_no_other() {
    type Build = fn(&Source<u32>);
    let builds: [Build; 3] = [
        |source| {
            drop(
                source
                    .per_key(|_| -> u32 { panic!("key") }, Keys::max(9), |_, f| f)
                    .sink(drop),
            )
        },
        |source| {
            let build = |_: &u32, flow: KeyFlow<u32>| {
                flow.share().sink(drop);
                if true {
                    panic!("build");
                }
                Source::<u32>::new().share().map(|x| x)
            };
            source.per_key(decade, Keys::max(9), build).sink(drop);
        },
        |source| {
            let keys = Keys::max(9);
            source
                .map_with_state_by_key(decade, keys, |_| panic!("init"), |(), x| x)
                .sink(drop);
        },
    ];
    for build in builds {
        let source = Source::<u32>::new();
        build(&source);
        assert!(catch_unwind(AssertUnwindSafe(|| source.emit(1))).is_err());
        assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
        // The thread is not in the middle of building any more.
        let other = Source::<u32>::new();
        let list = other
            .per_key(decade, Keys::max(9), |_, flow| flow.partition(1))
            .sink_to_list();
        other.emit(1).unwrap();
        assert_eq!(list.take(), [[1]]);
    }
}

// ---- per_key: from inside, from several threads ----

#[test]
fn closures_within_may_emit_into_their_own_graph() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let (building, running) = (source.downgrade(), source.downgrade());
    let list = source
        .per_key(decade, Keys::max(2), move |key, flow| {
            if *key == 0 {
                building.emit(95).unwrap();
            }
            let running = running.clone();
            flow.inspect(move |x| {
                if *x == 1 {
                    running.emit(2).unwrap();
                    running.emit(11).unwrap();
                }
            })
        })
        .sink_to_list();
    source.emit(1).unwrap();
    assert_eq!(list.take(), [1, 95, 2, 11]);
}

#[test]
fn four_threads_lose_nothing_while_keys_come_and_go() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let counts = source
        .per_key(decade, Keys::max(20).idle(ms(1)), |_, flow| {
            let flow = flow.share();
            flow.partition(7)
                .map(|p| p.len())
                .union(flow.buffer(64).map(|_| 0))
        })
        .sink_to_list();
    const EACH: u32 = 5_000;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let source = source.clone();
            scope.spawn(move || {
                for n in 0..EACH {
                    let x = (n * 7919 + thread * 104_729) % 1000;
                    source.blocking_send(x).unwrap();
                }
            });
        }
    });
    source.close();
    let report = graph.close().unwrap();
    assert!(report.complete);
    drop(driver);
    let counts = counts.take();
    assert_eq!(counts.iter().sum::<usize>(), 4 * EACH as usize);
    assert_eq!(
        counts.iter().filter(|n| **n == 0).count(),
        4 * EACH as usize
    );
}

#[test]
fn a_branch_that_is_taken_off_closes_its_keys() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(9), |_, flow| {
            flow.partition(3).named("three")
        })
        .sink_to_list();
    source.emit_all([1, 11, 2]).unwrap();
    list.branch().clone().disconnect();
    assert_eq!(list.take(), [vec![11], vec![1, 2]]);
    source.emit(3).unwrap();
    assert_eq!(list.take(), Vec::<Vec<u32>>::new());
    let kinds: Vec<_> = graph
        .topology()
        .nodes()
        .iter()
        .map(|n| n.label().kind())
        .collect();
    assert_eq!(kinds, ["source"]);
}

fn titles(graph: &Graph) -> Vec<String> {
    let topology = graph.topology();
    let nodes = topology.nodes().iter();
    nodes.map(|node| node.label().title().to_owned()).collect()
}

#[test]
fn a_branch_that_is_discarded_loses_what_its_keys_hold_and_says_so() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(2), |_, flow| {
            let flow = flow.share();
            flow.buffer(9).sink_async(1, |_| std::future::pending());
            // Keys within keys.
            let inner = flow.per_key(|x| x % 2, Keys::max(9), |_, flow| flow.buffer(2));
            inner.partition(5)
        })
        .sink_to_list();
    let receipts: Vec<_> = [1, 11, 21].map(|x| source.emit_tracked(x).unwrap()).into();
    time.settle();
    source.emit(22).unwrap();
    source.emit(24).unwrap();
    assert!(matches!(source.emit(26), Err(EmitError::Full(26))));
    let held = graph.snapshot().unwrap().held();
    assert_eq!(list.take(), [vec![1]], "of the key that went");
    list.branch().clone().discard();
    time.settle();
    assert_eq!(titles(&graph), ["source"]);
    let snapshot = graph.snapshot().unwrap();
    assert_eq!((snapshot.nodes.len(), snapshot.held()), (1, 0));
    assert!(snapshot.waits.is_empty());
    assert_eq!(snapshot.gone.counts.lost(Loss::Discarded), held);
    for receipt in receipts {
        assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    }
    source.emit(26).unwrap();
    assert!(graph.close().unwrap().complete);
}

#[test]
fn counts_of_runs_that_drain_after_their_branch_has_gone_are_not_lost() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(9), |_, flow| {
            let flow = flow.share();
            flow.buffer(9).sink(drop);
            flow.map(|x| x)
        })
        .sink_to_list();
    source.emit_all([1, 11, 12]).unwrap();
    list.branch().clone().disconnect();
    assert_eq!(titles(&graph), ["source"]);
    time.settle();
    let report = graph.close().unwrap();
    assert!(report.complete);
    assert_eq!((report.accepted, report.delivered), (3, 6));
    assert_eq!(report.snapshot.held(), 0);
}

#[test]
fn what_only_runs_hang_from_goes_with_them() {
    let graph = Graph::new();
    let (source, limits) = (graph.source::<u32>(), graph.source::<u32>());
    let limit = limits.map(|x| x).share();
    let list = source
        .per_key(decade, Keys::max(2), move |_, flow| {
            flow.combine_latest(&limit)
        })
        .sink_to_list();
    source.emit_all([5, 15, 25]).unwrap();
    limits.emit(4).unwrap();
    assert_eq!(list.take(), [(15, 4), (25, 4)]);
    list.branch().clone().disconnect();
    limits.emit(5).unwrap();
    assert_eq!(titles(&graph), ["source", "source"]);
    assert!(graph.close().unwrap().complete);
}

#[test]
fn runs_lose_an_input_that_is_discarded_and_go_on() {
    let graph = Graph::new();
    let (source, limits) = (graph.source::<u32>(), graph.source::<u32>());
    let limit = limits.share();
    let inner = limit.clone();
    let list = source
        .per_key(decade, Keys::max(2), move |_, flow| flow.union(&inner))
        .sink_to_list();
    source.emit_all([5, 15]).unwrap();
    limits.emit(100).unwrap();
    assert_eq!(list.take(), [5, 15, 100, 100]);
    limit.discard();
    limits.emit(101).unwrap();
    // One that is built now hears at once that it is closed.
    source.emit_all([6, 25]).unwrap();
    assert_eq!(list.take(), [6, 25]);
    source.close();
    assert!(graph.close().unwrap().complete);
}

#[test]
fn runs_may_lead_back_into_their_graph() {
    let graph = Graph::new();
    let (source, odd) = (graph.source::<u32>(), graph.source::<u32>());
    let (into, back) = (odd.clone(), source.clone());
    let odds = odd.sink_to_list();
    let list = source
        .per_key(decade, Keys::max(2), move |_, flow| {
            let flow = flow.share();
            flow.filter(|x| x % 2 == 1).connect(&into);
            flow.filter(|x| *x >= 30).map(|x| x - 30).connect(&back);
            flow.map(|x| x)
        })
        .sink_to_list();
    source.emit_all([1, 2, 11, 33]).unwrap();
    assert_eq!(odds.take(), [1, 11, 33, 3]);
    assert_eq!(list.take(), [1, 2, 11, 33, 3]);
    drop((source, odd));
    let report = graph.close().unwrap();
    assert!(report.complete, "{report}");
    assert_eq!((report.accepted, report.delivered), (4, 9));
}

#[test]
fn a_graph_whose_last_run_goes_needs_no_driver_any_more() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(1), |key, flow| match key {
            0 => flow.buffer(1).boxed(),
            _ => flow.boxed(),
        })
        .sink_to_list();
    source.emit(11).unwrap();
    let time = graph.drive_manually();
    source.emit(1).unwrap();
    time.settle();
    drop(time);
    assert!(matches!(source.emit(12), Err(EmitError::Undriven(12))));
    let time = graph.drive_manually();
    source.emit(12).unwrap();
    time.settle();
    drop(time);
    source.emit(13).unwrap();
    assert_eq!(list.take(), [11, 1, 12, 13]);
}

// ---- per_key: pictures and counts ----

#[test]
fn operators_within_are_shown_once() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    source
        .per_key(decade, Keys::max(50), |_, flow| {
            flow.rolling(3, Max).named("peak")
        })
        .named("devices")
        .sink(drop);
    let edges = || {
        let topology = graph.topology().to_string();
        let mut edges: Vec<_> = topology.lines().map(str::to_owned).collect();
        edges.sort();
        edges
    };
    let before = [
        "devices -> keys merged",
        "keys merged -> sink",
        "source -> devices",
    ];
    assert_eq!(edges(), before);
    source.emit_all(0..1000).unwrap();
    let expected = [
        "devices -> peak",
        "keys merged -> sink",
        "peak -> keys merged",
        "source -> devices",
    ];
    assert_eq!(edges(), expected);
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(snapshot.nodes.len(), 3, "{snapshot}");
    let counts = node(&graph, "devices").counts;
    assert_eq!((counts.keys, counts.expired, counts.passed), (50, 50, 1000));
    assert!(
        snapshot.to_string().contains("50 keys, 50 expired"),
        "{snapshot}"
    );
}

#[test]
fn counts_of_expired_keys_stay() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    source
        .per_key(decade, Keys::max(1), |_, flow| flow.partition(2).buffer(5))
        .sink(drop);
    source.emit_all([1, 2, 3]).unwrap();
    source.emit_all([11, 12, 13]).unwrap();
    time.settle();
    let (groups, buffer) = (
        node(&graph, "partition").counts,
        node(&graph, "buffer").counts,
    );
    assert_eq!((groups.passed, groups.held), (6, 1));
    assert_eq!((buffer.passed, buffer.held, buffer.capacity), (3, 0, 5));
    source.close();
    time.settle();
    assert_eq!(node(&graph, "partition").counts.held, 0);
    assert_eq!(node(&graph, "buffer").counts.passed, 4);
}

#[test]
fn what_the_runs_need_is_known_from_the_first_key_on() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    source
        .per_key(decade, Keys::max(9), |_, flow| flow.timed_window(ms(10)))
        .sink(drop);
    source.emit(1).unwrap();
    assert!(matches!(source.emit(2), Err(EmitError::Undriven(2))));
    let time = graph.drive_manually();
    source.emit(2).unwrap();
    drop(time);
    assert!(!matches!(graph.snapshot(), Err(GraphError::Poisoned)));
}

#[test]
fn keys_that_come_during_a_shutdown_are_closed_too() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .buffer(100)
        .per_key(decade, Keys::max(9), |_, flow| flow.partition(2))
        .sink_to_list();
    source.emit_all([1, 11, 12]).unwrap();
    drop(source);
    assert!(graph.close().unwrap().complete);
    drop(time);
    assert_eq!(list.take(), [vec![11, 12], vec![1]]);
}

#[test]
fn a_zip_that_starves_behind_keys_says_so() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let both = source.share();
    both.per_key(decade, Keys::max(9), |_, flow| flow.filter(|_| false))
        .zip(&both)
        .sink(drop);
    let refused = (0..2_000).find_map(|x| source.emit(x % 50).err());
    assert!(matches!(refused, Some(EmitError::Failed(_))), "{refused:?}");
}

#[test]
fn a_zip_within_waits_for_a_flow_from_outside() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let others = graph.source::<u32>();
    let other = others.share();
    let list = source
        .per_key(decade, Keys::max(9), move |_, flow| {
            flow.zip(&other).capacity(2)
        })
        .sink_to_list();
    source.emit_all([1, 2]).unwrap();
    assert!(matches!(source.emit(3), Err(EmitError::Full(3))));
    others.emit(7).unwrap();
    assert_eq!(list.take(), [(1, 7)]);
    source.emit(3).unwrap();
}

#[test]
fn what_has_had_enough_within_takes_no_more_of_its_key() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(2), |_, flow| flow.buffer(4).take(2))
        .sink_to_list();
    let receipts: Vec<_> = (0..9)
        .map(|x| {
            time.settle();
            source.emit_tracked(x).unwrap()
        })
        .collect();
    source.emit_all([11, 12, 13]).unwrap();
    time.settle();
    assert_eq!(list.take(), [0, 1, 11, 12]);
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.outcome() == Some(Ok(())))
    );
    // The key goes, and comes again with a run of its own.
    source.emit_all([21, 31, 1]).unwrap();
    time.settle();
    assert_eq!(list.take(), [21, 31, 1]);
}

#[test]
fn what_begins_within_begins_with_each_key() {
    let source = Source::<u32>::new();
    let list = source
        .per_key(decade, Keys::max(9), |key, flow| {
            flow.start_with([*key * 1_000])
        })
        .sink_to_list();
    source.emit_all([1, 11, 2]).unwrap();
    assert_eq!(list.take(), [0, 1, 1_000, 11, 2]);
}

#[test]
fn keys_behind_which_somebody_has_had_enough_go_with_all_their_runs() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let other = source.sink_to_list();
    let list = source
        .per_key(decade, Keys::max(9), |_, flow| flow.partition(3))
        .take(1)
        .sink_to_list();
    let receipts: Vec<_> = [1, 11, 2, 12, 3, 4, 13]
        .into_iter()
        .map(|x| source.emit_tracked(x).unwrap())
        .collect();
    time.settle();
    assert_eq!(list.take(), [[1, 2, 3]]);
    assert_eq!(other.len(), 7);
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.outcome() == Some(Ok(())))
    );
    let shown = graph.topology().nodes().len();
    assert!(shown <= 4, "{}", graph.topology());
}

type Branches = Arc<Mutex<Vec<Branch>>>;

#[test]
fn a_branch_within_a_run_is_taken_off_while_the_run_and_other_keys_go_on() {
    for discard in [false, true] {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u64>();
        let pairs = Arc::new(Mutex::new(Vec::new()));
        let branches = Branches::default();
        let (seen, kept) = (pairs.clone(), branches.clone());
        let list = source
            .per_key(
                |x| x % 2,
                Keys::max(2),
                move |_, flow| {
                    let shared = flow.share();
                    let seen = seen.clone();
                    let side = shared.delay(SECOND).partition(2);
                    let side = side.sink(move |pair| seen.lock().unwrap().push(pair));
                    kept.lock().unwrap().push(side);
                    shared.map(|x| x * 10)
                },
            )
            .sink_to_list();
        let receipts: Vec<_> = (0..4).map(|x| source.emit_tracked(x).unwrap()).collect();
        let first = branches.lock().unwrap()[0].clone();
        assert!(first.is_connected());
        match discard {
            false => first.disconnect(),
            true => first.discard(),
        }
        assert!(!first.is_connected());
        assert!(branches.lock().unwrap()[1].is_connected());
        let later: Vec<_> = (4..8).map(|x| source.emit_tracked(x).unwrap()).collect();
        time.advance(SECOND);
        assert_eq!(list.take(), [0, 10, 20, 30, 40, 50, 60, 70]);
        let seen = std::mem::take(&mut *pairs.lock().unwrap());
        let evens: &[Vec<u64>] = if discard { &[] } else { &[vec![0, 2]] };
        let of = |rest| seen.iter().filter(|p| p[0] % 2 == rest).cloned().collect();
        let (even, odd): (Vec<_>, Vec<_>) = (of(0), of(1));
        assert_eq!(even, evens);
        assert_eq!(odd, [[1, 3], [5, 7]]);
        let lost = if discard { 2 } else { 0 };
        let failed = |r: &&Receipt| matches!(r.outcome(), Some(Err(_)));
        assert_eq!(receipts.iter().filter(failed).count() as u64, lost);
        assert!(later.iter().all(|r| r.outcome() == Some(Ok(()))));
        let report = graph.close().unwrap();
        assert!(report.complete);
        assert_eq!(report.snapshot.dropped(), lost);
        assert!(
            !branches.lock().unwrap()[1].is_connected(),
            "went with its run"
        );
    }
}

#[test]
fn the_branch_that_takes_the_keys_flow_is_taken_off_like_any_other() {
    for discard in [false, true] {
        let source = Source::<u64>::new();
        let branches = Branches::default();
        let (kept, sums) = (branches.clone(), Arc::new(Mutex::new(Vec::new())));
        let seen = sums.clone();
        let list = source
            .per_key(
                |x| x % 2,
                Keys::max(2),
                move |_, flow| {
                    let shared = flow.map(|x| x * 10).share();
                    let seen = seen.clone();
                    let side = shared.fold(0, |sum, x| sum + x);
                    side.sink(move |sum| seen.lock().unwrap().push(sum));
                    kept.lock().unwrap().push(shared.branch().clone());
                    shared.partition(2)
                },
            )
            .sink_to_list();
        source.emit_all(0..6).unwrap();
        let first = branches.lock().unwrap()[0].clone();
        match discard {
            false => first.disconnect(),
            true => first.discard(),
        }
        // What leads out of the run closes either way.
        let pairs = [vec![0, 20], vec![10, 30], vec![40]];
        assert_eq!(list.take(), pairs);
        source.emit_all(6..8).unwrap();
        assert_eq!(list.take(), [vec![50, 70]]);
        let report = source.graph().close().unwrap();
        assert!(report.complete);
        let snapshot = &report.snapshot;
        assert_eq!(
            snapshot.lost(Loss::Unheard),
            1,
            "an element of the first key"
        );
        assert_eq!(
            snapshot.lost(Loss::Discarded),
            u64::from(discard),
            "its sum"
        );
        let expected: &[u64] = if discard { &[160] } else { &[60, 160] };
        assert_eq!(*sums.lock().unwrap(), expected);
    }
}

#[test]
fn a_branch_within_a_run_that_hangs_from_a_flow_outside_is_taken_off_there() {
    for discard in [false, true] {
        let graph = Graph::new();
        let source = graph.source::<u64>();
        let other = graph.source::<u64>();
        let (shared, branches) = (other.share(), Branches::default());
        let (outside, kept) = (shared.clone(), branches.clone());
        let list = source
            .per_key(
                |_| 0,
                Keys::max(1),
                move |_, flow| {
                    let side = outside.partition(2).sink(drop);
                    kept.lock().unwrap().push(side);
                    flow
                },
            )
            .sink_to_list();
        source.emit(1).unwrap();
        let receipt = other.emit_tracked(1).unwrap();
        let branch = branches.lock().unwrap()[0].clone();
        match discard {
            false => branch.disconnect(),
            true => branch.discard(),
        }
        assert_eq!(matches!(receipt.outcome(), Some(Ok(()))), !discard);
        // Again, which is no harm.
        branch.disconnect();
        branch.discard();
        assert_eq!(branch.move_to(&shared), Err(MoveError::WithinKey));
        other.emit(2).unwrap();
        let heard = graph.snapshot().unwrap();
        assert_eq!(heard.lost(Loss::Unheard), 1, "nothing hangs there any more");
        source.emit(2).unwrap();
        assert_eq!(list.take(), [1, 2]);
        assert!(graph.close().unwrap().complete);
    }
}

#[test]
fn a_closure_may_take_off_what_it_has_just_connected_and_sinks_of_runs_themselves() {
    let source = Source::<u64>::new();
    let (seen, own) = (Arc::new(Mutex::new(Vec::new())), Branches::default());
    let list = source
        .per_key(|x| x % 2, Keys::max(2), {
            let (seen, own) = (seen.clone(), own.clone());
            move |_, flow| {
                let shared = flow.share();
                shared.sink(|_| {}).disconnect();
                let (seen, me) = (seen.clone(), own.clone());
                let at = own.lock().unwrap().len();
                let side = shared.sink(move |x| {
                    seen.lock().unwrap().push(x);
                    if x >= 4 {
                        me.lock().unwrap()[at].disconnect();
                    }
                });
                own.lock().unwrap().push(side);
                shared.map(|x| x)
            }
        })
        .sink_to_list();
    for x in 0..8 {
        source.emit(x).unwrap();
    }
    assert_eq!(list.take(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    assert!(source.graph().close().unwrap().complete);
}
