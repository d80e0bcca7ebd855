//! Keyed state: bounds on keys, a state for each key, a run for each key; against naive oracles.

mod ways;
mod words;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{EmitError, KeyFlow, Loss, Lost, Shared};
use proptest::prelude::*;
use ways::outputs;
use words::{decade, ms, node};

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
    fn each_key_may_have_a_run_of_a_type_of_its_own_or_none(
        items in prop::collection::vec(0u32..60, 0..80),
        cut in 1usize..20,
        max in 1usize..8,
    ) {
        let unused = 4;
        let mut expected_of: HashMap<u32, Vec<u32>> = HashMap::new();
        for key in 0..6 {
            let (_, oracle) = chains()[key as usize];
            let of_key = expected(&items, max, oracle).remove(&key);
            expected_of.extend(of_key.filter(|_| key != unused).map(|of_key| (key, of_key)));
        }
        let graph = Graph::new();
        let source = graph.source::<u32>();
        let nothing = graph.source::<u32>().share();
        let list = source
            .per_key(decade, Keys::max(max), move |key, flow| {
                let key = *key;
                let made = match key {
                    k if k == unused => nothing.map(|x| x).boxed(),
                    _ => chains()[key as usize].0(flow),
                };
                made.map(move |x| (key, x))
            })
            .sink_to_list();
        for batch in items.chunks(cut) {
            source.emit_all(batch.iter().copied()).unwrap();
        }
        let unheard = items.iter().filter(|x| decade(x) == unused).count() as u64;
        prop_assert_eq!(node(&graph, "per_key").counts.lost(Loss::Unheard), unheard);
        source.close();
        prop_assert_eq!(by_key(&list.take()), expected_of);
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
