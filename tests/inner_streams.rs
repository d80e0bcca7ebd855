//! Elements that become streams: the latest one's only, or several side by side.

mod words;

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::executor::block_on;
use futures::{FutureExt, StreamExt, stream};
use headwater::prelude::*;
use headwater::{Loss, Lost, zip};
use proptest::prelude::*;
use words::quiet;

/// Streams that give what the test says, when it says so.
#[derive(Clone, Default)]
struct Taps(Arc<Mutex<HashMap<u32, UnboundedSender<u32>>>>);

impl Taps {
    fn open(&self, x: u32) -> UnboundedReceiver<u32> {
        let (sender, receiver) = unbounded();
        assert!(self.0.lock().unwrap().insert(x, sender).is_none());
        receiver
    }

    /// Whether the stream is there and somebody has it.
    fn is_open(&self, x: u32) -> bool {
        self.0
            .lock()
            .unwrap()
            .get(&x)
            .is_some_and(|tap| !tap.is_closed())
    }

    fn give(&self, x: u32, item: u32) {
        self.0.lock().unwrap()[&x].unbounded_send(item).unwrap();
    }

    fn end(&self, x: u32) {
        self.0.lock().unwrap()[&x].close_channel();
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[derive(Clone, Debug)]
enum Act {
    Emit,
    Give(prop::sample::Index),
    End(prop::sample::Index),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => Just(Act::Emit),
        4 => any::<prop::sample::Index>().prop_map(Act::Give),
        2 => any::<prop::sample::Index>().prop_map(Act::End),
    ];
    prop::collection::vec(act, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever comes when: up to n streams are open, in the order of their elements; what they give
    /// goes on; an element is done with its stream; the close waits for all, wherever it comes.
    #[test]
    fn flat_map_stream_has_up_to_n_streams_open(
        n in 1usize..5,
        acts in acts(),
        close_at in any::<prop::sample::Index>(),
    ) {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let taps = Taps::default();
        let open = taps.clone();
        let flow = source.flat_map_stream(n, move |x| open.open(x));

        let (mut out, seen) = (flow.into_stream(10_000), &mut Vec::new());
        let close_at = close_at.index(acts.len().max(1));
        let (mut model, mut waiting) = (Vec::<u32>::new(), VecDeque::<u32>::new());
        let (mut next, mut given, mut expected) = (0u32, 0u32, Vec::new());
        let mut receipts = Vec::new();
        let mut ended = Vec::new();
        for (at, act) in acts.iter().enumerate() {
            if at == close_at {
                source.close();
            }
            match act {
                Act::Emit => match source.emit_tracked(next) {
                    Ok(receipt) => {
                        prop_assert!(model.len() < n && at < close_at);
                        receipts.push(receipt);
                        waiting.push_back(next);
                        next += 1;
                    }
                    Err(error) => prop_assert!(model.len() == n || !error.is_full()),
                },
                Act::Give(index) if !model.is_empty() => {
                    let x = model[index.index(model.len())];
                    taps.give(x, given);
                    expected.push(given);
                    given += 1;
                }
                Act::End(index) if !model.is_empty() => {
                    let x = model.remove(index.index(model.len()));
                    taps.end(x);
                    ended.push(x);
                }
                _ => {}
            }
            while model.len() < n && !waiting.is_empty() {
                model.extend(waiting.pop_front());
            }
            time.settle();
            prop_assert_eq!(graph.snapshot().unwrap().named("flat_map_stream").unwrap().counts.held, (model.len() + waiting.len()) as u64);
            while let Some(Some(item)) = out.next().now_or_never() {
                seen.push(item);
            }
            time.settle();
            prop_assert_eq!(&*seen, &expected);
            for x in 0..next {
                prop_assert_eq!(taps.is_open(x), model.contains(&x));
                let done = ended.contains(&x).then_some(Ok(()));
                prop_assert_eq!(receipts[x as usize].outcome(), done);
            }
        }
        source.close();
        time.settle();
        for x in model {
            prop_assert!(out.next().now_or_never().is_none());
            taps.end(x);
            time.settle();
        }
        prop_assert_eq!(out.next().now_or_never(), Some(None));

    }

    /// Whatever comes when: the latest stream is open and no other; what was left is counted; every
    /// element is done with its stream, however it went; the close waits for the last one.
    #[test]
    fn switch_map_has_the_latest_stream_open(
        acts in acts(),
        close_at in any::<prop::sample::Index>(),
    ) {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let taps = Taps::default();
        let open = taps.clone();
        let mut out = source.switch_map(move |x| open.open(x)).into_stream(10_000);
        let close_at = close_at.index(acts.len().max(1));
        let (mut current, mut superseded) = (None, 0);
        let (mut next, mut given, mut expected, mut seen) = (0u32, 0u32, Vec::new(), Vec::new());
        let mut receipts = Vec::new();
        for (at, act) in acts.iter().enumerate() {
            if at == close_at {
                source.close();
            }
            match act {
                Act::Emit => {
                    if let Ok(receipt) = source.emit_tracked(next) {
                        receipts.push(receipt);
                        superseded += u64::from(current.replace(next).is_some());
                        next += 1;
                    } else {
                        prop_assert!(at >= close_at);
                    }
                }
                Act::Give(_) => if let Some(x) = current {
                    taps.give(x, given);
                    expected.push(given);
                    given += 1;
                },
                Act::End(_) => if let Some(x) = current.take() {
                    taps.end(x);
                },
            }
            time.settle();
            while let Some(Some(item)) = out.next().now_or_never() {
                seen.push(item);
            }
            time.settle();
            prop_assert_eq!(&seen, &expected);
            for x in 0..next {
                prop_assert_eq!(taps.is_open(x), current == Some(x));
                let done = (current != Some(x)).then_some(Ok(()));
                prop_assert_eq!(receipts[x as usize].outcome(), done);
            }
            let snapshot = graph.snapshot().unwrap();
            let counts = &snapshot.named("switch_map").unwrap().counts;
            prop_assert_eq!(counts.held, u64::from(current.is_some()));
            prop_assert_eq!(counts.lost(Loss::Superseded), superseded);
        }
        source.close();
        time.settle();
        if let Some(x) = current {
            prop_assert!(out.next().now_or_never().is_none());
            taps.end(x);
            time.settle();
        }
        prop_assert_eq!(out.next().now_or_never(), Some(None));
    }

    /// One at a time is `flat_map`; more at a time give the same, each stream in its order.
    #[test]
    fn streams_that_are_ready_give_what_flat_map_gives(
        lengths in prop::collection::vec(0u32..100, 0..40),
        n in 1usize..5,
        (capacity, way) in (1usize..50, 0u8..4),
        cuts in prop::collection::vec(1usize..6, 1..10),
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<(u32, u32)>();
        let items: Vec<(u32, u32)> = (0..).zip(lengths.iter().copied()).collect();
        let flow = match way {
            0 => graph.from_iter(items.clone()).boxed(),
            1 => graph.from_stream(stream::iter(items.clone())).boxed(),
            _ => source.boxed(),
        };
        let mut out = flow
            .flat_map_stream(n, |(x, length)| stream::iter((0..length).map(move |i| (x, i))))
            .into_stream(capacity);
        let mut seen = Vec::new();
        let mut left = match way {
            2 | 3 => &items[..],
            _ => &[],
        };
        let mut cuts = cuts.into_iter().cycle();
        let total = lengths.iter().sum::<u32>() as usize;
        let mut rounds = 0;
        while seen.len() < total {
            while let Some(first) = left.first() {
                let cut = cuts.next().unwrap().min(left.len());
                let accepted = match way {
                    2 => source.emit(*first).map_or(0, |()| 1),
                    _ => source.emit_all(left[..cut].iter().copied()).unwrap_or_else(|e| e.accepted),
                };
                left = &left[accepted..];
                if accepted == 0 {
                    break;
                }
            }
            time.settle();
            while let Some(Some(item)) = out.next().now_or_never() {
                seen.push(item);
            }
            rounds += 1;
            prop_assert!(rounds < 10_000);
        }
        let expected: Vec<(u32, u32)> = items
            .iter()
            .flat_map(|(x, length)| (0..*length).map(|i| (*x, i)))
            .collect();
        if n > 1 {
            // Stable: each stream keeps its own order.
            seen.sort_by_key(|(x, _)| *x);
        }
        prop_assert_eq!(seen, expected);
    }

    /// Each handle is told once, when its stream has ended and all it gave is done.
    #[test]
    fn the_lineage_of_streams_resolves_once(
        lengths in prop::collection::vec(0u32..5, 0..30),
        n in 1usize..4,
        failing in 0u32..5,
        switch in any::<bool>(),
    ) {
        let (graph, time) = quiet();
        let acks = Arc::new(Mutex::new(Vec::new()));
        let told = acks.clone();
        let items: Vec<_> = (0..).zip(lengths.clone()).map(|(x, length): (u32, u32)| (length, x)).collect();
        let flow = graph.from_acked_stream(stream::iter(items), move |x, outcome| {
            told.lock().unwrap().push((x, outcome));
        });
        let ready = |length| stream::iter(0..length);
        let flow = match switch {
            true => flow.switch_map(ready).boxed(),
            false => flow.flat_map_stream(n, ready).boxed(),
        };
        flow.buffer(2)
            .try_map(move |i| if i == failing { Err("no".into()) } else { Ok(i) })
            .sink(drop);
        time.settle();
        let mut acks = std::mem::take(&mut *acks.lock().unwrap());
        acks.sort_by_key(|(x, _)| *x);
        prop_assert_eq!(acks.len(), lengths.len());
        for ((x, outcome), (number, length)) in acks.into_iter().zip((0u32..).zip(lengths)) {
            prop_assert_eq!(x, number);
            let fails = length > failing && !switch;
            if !switch {
                prop_assert_eq!(outcome, if fails { Err(Lost::Failed) } else { Ok(()) });
            }
        }
    }
}

#[test]
fn a_stream_that_never_ends_starves_neither_the_others_nor_the_driver() {
    let graph = Graph::new();
    let driving = graph.attach_driver(None);
    let source = graph.source::<u32>();
    let other = graph.source::<u32>();
    let counts: [Arc<AtomicUsize>; 3] = Default::default();
    let count = counts.clone();
    source
        .flat_map_stream(4, |x| match x {
            0 => stream::repeat(0).boxed(),
            // Wakes itself, and has nothing.
            1 => stream::poll_fn(|task| {
                task.waker().wake_by_ref();
                Poll::<Option<u32>>::Pending
            })
            .boxed(),
            _ => stream::iter(vec![2; 100]).boxed(),
        })
        .sink(move |x| {
            count[x as usize].fetch_add(1, Ordering::Relaxed);
        });
    let buffered = other.buffer(1).sink_to_list();
    source.emit_all([0, 1, 2]).unwrap();
    other.emit(7).unwrap();
    for _ in 0..10 {
        driving.turn(Waker::noop()).unwrap();
    }
    let taken = |x: usize| counts[x].load(Ordering::Relaxed);
    assert_eq!(taken(2), 100);
    assert!((100..1_000_000).contains(&taken(0)));
    assert_eq!(buffered.take(), [7]);
}

#[test]
fn streams_are_not_polled_while_somebody_downstream_is_full() {
    for switch in [true, false] {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let polled = Arc::new(AtomicUsize::new(0));
        let count = polled.clone();
        let endless = move |_| {
            let count = count.clone();
            stream::iter(0..).inspect(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            })
        };
        let flow = match switch {
            true => source.switch_map(endless).boxed(),
            false => source.flat_map_stream(2, endless).boxed(),
        };
        let mut out = flow.into_stream(3);
        source.emit(1).unwrap();
        time.settle();
        assert_eq!(polled.load(Ordering::Relaxed), 3);
        for x in 0..10 {
            assert_eq!(block_on(out.next()), Some(x));
            time.settle();
            assert_eq!(polled.load(Ordering::Relaxed), x as usize + 4);
        }
    }
}

#[test]
fn an_element_that_waits_for_a_place_makes_its_origin_wait() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let taps = Taps::default();
    let open = taps.clone();
    source.flat_map_stream(2, move |x| open.open(x)).sink(drop);
    source.emit(0).unwrap();
    source.emit(1).unwrap();
    assert!(matches!(source.emit(2), Err(EmitError::Full(2))));
    time.settle();
    let snapshot = graph.snapshot().unwrap();
    let node = snapshot.named("flat_map_stream").unwrap();
    assert_eq!((node.counts.held, node.counts.capacity), (2, 2));
    assert!(node.blocked_since.is_some());
    taps.end(0);
    time.settle();
    source.emit(2).unwrap();
    time.settle();
    assert!(taps.is_open(2));
}

#[test]
fn the_old_stream_is_gone_before_the_new_one_is_made() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let taps = Taps::default();
    let (open, looked) = (taps.clone(), Arc::new(AtomicUsize::new(0)));
    let look = looked.clone();
    source
        .switch_map(move |x: u32| {
            let before = x.checked_sub(1).is_some_and(|before| open.is_open(before));
            look.fetch_add(usize::from(before), Ordering::Relaxed);
            open.open(x)
        })
        .sink(drop);
    // At once, and not when the driver comes.
    source.emit_all(0..5).unwrap();
    assert_eq!(taps.count(), 5);
    assert_eq!(looked.load(Ordering::Relaxed), 0);
    time.settle();
    assert!(taps.is_open(4));
}

#[test]
fn what_a_dropped_stream_gave_before_still_counts_for_its_receipt() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let mut out = source
        .switch_map(|x| stream::iter([x]).chain(stream::pending()))
        .into_stream(9);
    let first = source.emit_tracked(1).unwrap();
    time.settle();
    let second = source.emit_tracked(2).unwrap();
    time.settle();
    assert_eq!(first.outcome(), None, "what it gave lies in the stream");
    assert_eq!(block_on(out.next()), Some(1));
    assert_eq!(first.outcome(), Some(Ok(())));
    assert_eq!(second.outcome(), None);
}

#[test]
fn failures_from_above_leave_the_current_stream_as_it_is() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let taps = Taps::default();
    let open = taps.clone();
    let seen = source
        .try_map(|x| if x == 1 { Err("one".into()) } else { Ok(x) })
        .switch_map(move |x| open.open(x))
        .catch(|_| Some(100))
        .sink_to_list();
    source.emit_all([0, 1]).unwrap();
    assert_eq!(seen.take(), [100]);
    taps.give(0, 7);
    time.settle();
    assert_eq!(seen.take(), [7]);
}

#[test]
fn failures_from_above_go_on_when_it_is_their_turn() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let seen = source
        .try_map(|x| if x == 1 { Err("one".into()) } else { Ok(x) })
        .buffer(10)
        .flat_map_stream(1, |x| stream::iter([x, x]))
        .catch(|_| Some(100))
        .sink_to_list();
    source.emit_all([0, 1, 2]).unwrap();
    time.settle();
    assert_eq!(seen.take(), [0, 0, 100, 2, 2]);
}

#[test]
fn streams_behind_a_fork_and_in_front_of_a_zip() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let twice = source.flat_map_stream(1, |x| stream::iter([x, x])).share();
    let rows = zip((&twice, twice.switch_map(|x| stream::iter([x])))).sink_to_list();
    source.emit(1).unwrap();
    time.settle();
    assert_eq!(
        rows.len(),
        1,
        "the second of two at once takes the place of the first"
    );
}

#[test]
fn a_sink_may_feed_the_source_of_its_streams() {
    for switch in [true, false] {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let flow = match switch {
            true => source.switch_map(|x| stream::iter([x])).boxed(),
            false => source.flat_map_stream(2, |x| stream::iter([x])).boxed(),
        };
        let (again, seen) = (source.downgrade(), Arc::new(Mutex::new(Vec::new())));
        let told = seen.clone();
        flow.sink(move |x| {
            told.lock().unwrap().push(x);
            if x < 5 {
                again.emit(x + 1).unwrap();
            }
        });
        source.emit(0).unwrap();
        time.settle();
        assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    }
}

#[test]
fn a_graph_that_is_dropped_tells_the_receipts_of_open_streams() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    source.switch_map(|_| stream::pending::<u32>()).sink(drop);
    source
        .flat_map_stream(2, |_| stream::pending::<u32>())
        .sink(drop);
    let receipts = [
        source.emit_tracked(1).unwrap(),
        source.emit_tracked(2).unwrap(),
    ];
    time.settle();
    assert!(receipts.iter().all(|receipt| receipt.outcome().is_none()));
    drop((source, graph, time));
    for receipt in receipts {
        assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    }
}

#[test]
fn a_branch_that_is_disconnected_waits_for_its_streams() {
    for switch in [true, false] {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let taps = Taps::default();
        let open = taps.clone();
        let flow = match switch {
            true => source.switch_map(move |x| open.open(x)).boxed(),
            false => source.flat_map_stream(1, move |x| open.open(x)).boxed(),
        };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = seen.clone();
        let branch = flow.sink(move |x| told.lock().unwrap().push(x));
        source.emit(0).unwrap();
        time.settle();
        branch.disconnect();
        assert_eq!(graph.snapshot().unwrap().held(), 1);
        taps.give(0, 7);
        taps.end(0);
        time.settle();
        assert_eq!(*seen.lock().unwrap(), [7]);
        assert_eq!(graph.snapshot().unwrap().held(), 0);
    }
}

#[test]
fn a_shutdown_waits_for_streams_up_to_its_limit() {
    for switch in [true, false] {
        let graph = Graph::new();
        let driver = graph.spawn_thread();
        let source = graph.source::<u32>();
        let endless = |x| stream::iter([x]).chain(stream::pending());
        let flow = match switch {
            true => source.switch_map(endless).boxed(),
            false => source.flat_map_stream(1, endless).boxed(),
        };
        let seen = flow.sink_to_list();
        let receipt = source.emit_tracked(1).unwrap();
        block_on(graph.shutdown_within(Duration::from_millis(20))).unwrap();
        assert_eq!(seen.take(), [1]);
        assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
        drop(driver);
    }
}

#[test]
fn a_graph_that_stops_at_a_failure_drops_its_streams() {
    for switch in [true, false] {
        let graph = Graph::new();
        graph.on_error(OnError::Stop);
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let endless = |_| stream::iter(0..);
        let flow = match switch {
            true => source.switch_map(endless).boxed(),
            false => source.flat_map_stream(2, endless).boxed(),
        };
        flow.try_sink(|x| {
            if x == 1_000 {
                Err("enough".into())
            } else {
                Ok(())
            }
        });
        let receipt = source.emit_tracked(1).unwrap();
        time.settle();
        assert!(receipt.outcome().unwrap().is_err());
        let snapshot = graph.snapshot().unwrap();
        assert_eq!((snapshot.held(), snapshot.dropped()), (0, 1));
        block_on(graph.shutdown()).ok();
    }
}

#[test]
fn closures_and_streams_that_panic_poison_the_graph_and_their_element_is_lost() {
    type Make = fn(u32) -> stream::BoxStream<'static, u32>;
    let in_closure: Make = |_| panic!("no stream");
    let in_stream: Make = |_| stream::poll_fn(|_| panic!("no element")).boxed();
    for make in [in_closure, in_stream] {
        for switch in [true, false] {
            let (graph, time) = quiet();
            let source = graph.source::<u32>();
            let flow = match switch {
                true => source.switch_map(make).boxed(),
                false => source.flat_map_stream(1, make).boxed(),
            };
            flow.sink(drop);
            let mut receipt = None;
            let fatal = catch_unwind(AssertUnwindSafe(|| {
                receipt = source.emit_tracked(1).ok();
                time.settle();
            }));
            assert!(fatal.is_err());
            assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
            assert!(receipt.is_none_or(|receipt| receipt.outcome().unwrap().is_err()));
        }
    }
}

#[test]
fn a_run_waits_for_its_streams() {
    let graph = Graph::new();
    let seen = graph
        .from_iter(1..=3)
        .flat_map_stream(2, |x| {
            let late = async move {
                // Pending once, so that it is woken.
                let mut woken = false;
                std::future::poll_fn(|task| {
                    task.waker().wake_by_ref();
                    if std::mem::replace(&mut woken, true) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
                x
            };
            stream::once(late)
        })
        .sink_to_list();
    graph.run().unwrap();
    let mut seen = seen.take();
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3]);
}

#[test]
fn streams_wake_from_other_threads() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let taps = Taps::default();
    let open = taps.clone();
    let mut out = source
        .flat_map_stream(8, move |x| open.open(x))
        .into_stream(4);
    (0..8).for_each(|x| source.emit(x).unwrap());
    while taps.count() < 8 {
        std::thread::yield_now();
    }
    let givers: Vec<_> = (0..8)
        .map(|x| {
            let taps = taps.clone();
            std::thread::spawn(move || {
                (0..500).for_each(|i| taps.give(x, 1_000 * x + i));
                taps.end(x);
            })
        })
        .collect();
    source.close();
    let mut seen: Vec<u32> = block_on((&mut out).collect());
    givers.into_iter().for_each(|giver| giver.join().unwrap());
    // Stable: each stream keeps its own order.
    seen.sort_by_key(|item| item / 1_000);
    assert!(
        seen.into_iter()
            .eq((0..8).flat_map(|x| (0..500).map(move |i| 1_000 * x + i)))
    );
    drop(driver);
}

#[test]
fn without_a_driver_streams_are_refused() {
    let source = Source::<u32>::new();
    source.switch_map(|x| stream::iter([x])).sink(drop);
    assert!(matches!(source.emit(1), Err(EmitError::Undriven(1))));
}

#[test]
#[should_panic(expected = "`flat_map_stream(0, …)` would never start")]
fn zero_streams_are_rejected() {
    let _ = Source::<u32>::new().flat_map_stream(0, |x| stream::iter([x]));
}
