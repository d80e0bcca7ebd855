//! Elements that wait for futures, threads and streams, at the public API.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{BoxFlow, Lost, Manual, Outcome, WorkerPanicked, zip};
use proptest::prelude::*;

/// Futures that finish when the test says so.
struct Jobs<U>(Arc<Mutex<Running<U>>>);

type Running<U> = VecDeque<(u32, oneshot::Sender<U>)>;

impl<U> Clone for Jobs<U> {
    fn clone(&self) -> Self {
        Jobs(self.0.clone())
    }
}

impl<U: Send + 'static> Jobs<U> {
    fn new() -> Self {
        Jobs(Arc::default())
    }

    fn start(&self, x: u32) -> impl Future<Output = U> + Send + 'static + use<U> {
        let (finish, result) = oneshot::channel();
        self.0.lock().unwrap().push_back((x, finish));
        async move { result.await.unwrap() }
    }

    fn running(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Finishes the `at`th of those that run.
    fn finish(&self, at: usize, result: impl FnOnce(u32) -> U) -> u32 {
        let (x, finish) = self.0.lock().unwrap().remove(at).unwrap();
        assert!(finish.send(result(x)).is_ok());
        x
    }
}

#[derive(Clone, Debug)]
enum Act {
    Emit,
    Fail,
    Finish(prop::sample::Index),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => Just(Act::Emit),
        3 => any::<prop::sample::Index>().prop_map(Act::Finish),
        1 => Just(Act::Fail),
    ];
    prop::collection::vec(act, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever finishes when: n in flight whenever n wait, never more; order as promised; each
    /// receipt resolves once its future is through, and not before.
    #[test]
    fn map_async_runs_as_many_as_it_may_and_keeps_its_promise_of_order(
        n in 1usize..5,
        ordered in any::<bool>(),
        acts in acts(),
    ) {
        let graph = Graph::new();
        graph.on_error(OnError::call(|_| {}));
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let jobs = Jobs::<Result<u32, BoxError>>::new();
        let start = jobs.clone();
        let flow = source.try_map_async(n, move |x| start.start(x));
        let seen = if ordered {
            flow.sink_to_list()
        } else {
            flow.unordered().sink_to_list()
        };
        let (mut next, mut finished, mut held) = (0, Vec::new(), 0);
        let mut receipts = Vec::new();
        let mut failing = std::collections::HashSet::new();
        for act in &acts {
            match act {
                Act::Emit | Act::Fail => match source.emit_tracked(next) {
                    Ok(receipt) => {
                        prop_assert!(held < n);
                        if matches!(act, Act::Fail) {
                            failing.insert(next);
                        }
                        receipts.push(receipt);
                        next += 1;
                        held += 1;
                    }
                    Err(EmitError::Full(x)) => {
                        prop_assert_eq!((x, held), (next, n));
                    }
                    Err(other) => panic!("{other:?}"),
                },
                Act::Finish(at) if jobs.running() > 0 => {
                    let x = jobs.finish(at.index(jobs.running()), |x| match failing.contains(&x) {
                        true => Err("no".into()),
                        false => Ok(x),
                    });
                    finished.push(x);
                    held -= 1;
                }
                Act::Finish(_) => {}
            }
            time.settle();
            prop_assert_eq!(jobs.running(), held.min(n));
            let out: Vec<u32> = if ordered {
                (0..next).take_while(|x| finished.contains(x)).collect()
            } else {
                finished.clone()
            };
            for (x, receipt) in receipts.iter().enumerate() {
                let x = x as u32;
                let expected = out.contains(&x).then(|| match failing.contains(&x) {
                    true => Err(Lost::Failed),
                    false => Ok(()),
                });
                prop_assert_eq!(receipt.outcome(), expected);
            }
            let good: Vec<u32> = out.into_iter().filter(|x| !failing.contains(x)).collect();
            prop_assert_eq!(seen.get(), good);
        }
    }

    /// Whatever finishes when, in front of an end that takes one at a time: never more held than
    /// the capacity says, in flight never more than n, and nothing lost.
    #[test]
    fn map_async_never_holds_more_than_its_capacity(
        n in 1usize..5,
        reorder in 1usize..4,
        ordered in any::<bool>(),
        acts in prop::collection::vec((0u8..3, any::<prop::sample::Index>()), 0..200),
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let jobs = Jobs::new();
        let start = jobs.clone();
        let flow = source.map_async(n, move |x| start.start(x)).reorder(reorder);
        let flow = if ordered { flow } else { flow.unordered() };
        let mut out = flow.into_stream(1);
        let early = if ordered { reorder } else { 0 };
        let (mut next, mut seen) = (0, Vec::new());
        for (act, at) in acts {
            match act {
                0 => next += u32::from(source.emit(next).is_ok()),
                1 if jobs.running() > 0 => drop(jobs.finish(at.index(jobs.running()), |x| x)),
                _ => seen.extend(futures::FutureExt::now_or_never(out.next()).flatten()),
            }
            time.settle();
            prop_assert!(jobs.running() <= n);
            let snapshot = graph.snapshot().unwrap();
            let counts = &snapshot.named("map_async").unwrap().counts;
            prop_assert_eq!(counts.capacity, n as u64, "what the user wrote");
            prop_assert!(counts.out_of_turn <= early as u64, "{:?}", counts);
            let in_turn = counts.held - counts.out_of_turn;
            prop_assert!(in_turn <= counts.capacity, "{:?}", counts);
        }
        while seen.len() < next as usize {
            while jobs.running() > 0 {
                jobs.finish(0, |x| x);
            }
            time.settle();
            seen.extend(futures::FutureExt::now_or_never(out.next()).flatten());
            time.settle();
        }
        if !ordered {
            seen.sort_unstable();
        }
        prop_assert!(seen.into_iter().eq(0..next));
    }

    /// Across a fork, a join, failures and a sink that finishes as it likes: each handle once.
    #[test]
    fn every_item_of_an_acked_stream_is_acknowledged_exactly_once(
        failing in prop::collection::vec(any::<bool>(), 0..60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 60),
        (n, writes) in (1usize..5, 1usize..5),
        ordered in any::<bool>(),
    ) {
        let graph = Graph::new();
        graph.on_error(OnError::call(|_| {}));
        let time = graph.drive_manually();
        let (flow, acks) = acked(&graph, 0..failing.len() as u32);
        let fails = failing.clone();
        let flow = flow.try_map_async(n, move |x| {
            let fails = fails[x as usize];
            async move { if fails { Err("no".into()) } else { Ok(x) } }
        });
        let shared = if ordered { flow.share() } else { flow.unordered().share() };
        let jobs = Jobs::new();
        let start = jobs.clone();
        shared.map_async(3, |x| async move { x }).sink_async(writes, move |x| start.start(x));
        let rows = zip((&shared, shared.buffer(3))).sink_to_list();
        let mut order = order.into_iter();
        let mut written = Vec::new();
        time.settle();
        while jobs.running() > 0 {
            prop_assert!(jobs.running() <= writes);
            let told: Vec<_> = acks.lock().unwrap().iter().map(|(x, _)| *x).collect();
            prop_assert!(told.iter().all(|x| written.contains(x) || failing[*x as usize]));
            written.push(jobs.finish(order.next().unwrap().index(jobs.running()), |_| ()));
            time.settle();
        }
        prop_assert_eq!(rows.len(), failing.iter().filter(|fails| !**fails).count());
        let mut acks = std::mem::take(&mut *acks.lock().unwrap());
        acks.sort_by_key(|(handle, _)| *handle);
        let expected = failing.iter().enumerate().map(|(x, fails)| match fails {
            true => (x as u32, Err(Lost::Failed)),
            false => (x as u32, Ok(())),
        });
        prop_assert!(acks.into_iter().eq(expected));
    }

    /// Pumped, in batches or not, through any limit: the same elements in the same order.
    #[test]
    fn map_async_in_order_is_map(
        items in prop::collection::vec(any::<u32>(), 0..600),
        n in 1usize..40,
        reorder in 1usize..4,
    ) {
        let graph = Graph::new();
        let out = graph
            .from_iter(items.clone())
            .map_async(n, |x| async move { x ^ 1 })
            .reorder(reorder)
            .sink_to_list();
        graph.run().unwrap();
        prop_assert_eq!(out.take(), items.iter().map(|x| x ^ 1).collect::<Vec<_>>());
    }

    /// Room counts every element in flight, so a pump is stopped at the limit.
    #[test]
    fn from_stream_asks_for_no_more_than_there_is_room(n in 1usize..600, len in 0usize..2_000) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let stream = futures::stream::iter(0..len).inspect(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let mut out = graph.from_stream(stream).into_stream(n);
        time.settle();
        prop_assert_eq!(asked.load(Ordering::Relaxed), len.min(n));
        let mut seen = Vec::new();
        while seen.len() < len {
            seen.push(block_on(out.next()).unwrap());
            time.settle();
            prop_assert!(asked.load(Ordering::Relaxed) <= seen.len() + n);
        }
        prop_assert_eq!(block_on(out.next()), None);
        prop_assert_eq!(seen, (0..len).collect::<Vec<_>>());
    }
}

#[test]
fn finished_results_that_wait_for_an_earlier_one_are_bounded() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let seen = source
        .map_async(2, move |x| start.start(x))
        .reorder(3)
        .sink_to_list();
    let mut accepted = 0;
    for _ in 0..20 {
        while source.emit(accepted).is_ok() {
            accepted += 1;
            time.settle();
        }
        if jobs.running() == 2 {
            jobs.finish(1, |x| x);
            time.settle();
        }
    }
    // The first one runs, three have finished, and with the first two in line that is all.
    assert_eq!(jobs.running(), 1);
    assert_eq!(accepted, 5);
    assert_eq!(graph.snapshot().unwrap().held(), 5);
    jobs.finish(0, |x| x);
    time.settle();
    assert_eq!(seen.take(), [0, 1, 2, 3]);
    assert_eq!(jobs.running(), 1);
}

#[test]
fn elements_beyond_the_limit_that_were_accepted_wait_in_order() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let out = source.map_async(2, move |x| start.start(x)).sink_to_list();
    // They were accepted, so they are not refused half-way.
    let many = graph.source::<u32>();
    let inner = source.downgrade();
    many.sink(move |to| (0..=to).for_each(|x| inner.emit(x).unwrap()));
    many.emit(10).unwrap();
    time.settle();
    while jobs.running() > 0 {
        assert!(jobs.running() <= 2);
        jobs.finish(0, |x| x);
        time.settle();
    }
    assert!(out.take().into_iter().eq(0..=10));
}

#[test]
fn nothing_is_started_while_somebody_downstream_is_full() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let started = Arc::new(AtomicUsize::new(0));
    let count = started.clone();
    let mut out = source
        .map_async(4, move |x| {
            count.fetch_add(1, Ordering::Relaxed);
            async move { x }
        })
        .into_stream(2);
    let mut accepted = 0;
    for _ in 0..100 {
        while source.emit(accepted).is_ok() {
            accepted += 1;
        }
        time.settle();
    }
    assert_eq!(accepted, 6, "2 in the stream, results of 2 more, 2 waiting");
    assert_eq!(started.load(Ordering::Relaxed), 4);
    source.close();
    let mut seen = Vec::new();
    while seen.len() < 6 {
        seen.push(block_on(out.next()).unwrap());
        time.settle();
    }
    assert_eq!(block_on(out.next()), None);
    assert!(seen.into_iter().eq(0..6));
}

/// Feeds `source` for as long as it takes elements, and settles until nothing moves.
fn feed(source: &Source<u32>, time: &Manual, next: &mut u32) {
    for _ in 0..50 {
        while source.emit(*next).is_ok() {
            *next += 1;
        }
        time.settle();
    }
}

#[test]
fn results_that_wait_for_a_slow_sink_count_so_that_the_sender_waits() {
    for ordered in [true, false] {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let flow = source.map_async(8, |x| async move { x });
        let jobs = Jobs::new();
        let start = jobs.clone();
        let write = move |x| start.start(x);
        if ordered {
            flow.sink_async(1, write);
        } else {
            flow.unordered().sink_async(1, write);
        }
        let mut next = 0;
        for written in 0..2_000 {
            feed(&source, &time, &mut next);
            // One is being written, and the map is full of results and of what waits.
            assert_eq!(next, written + 1 + 8);
            let snapshot = graph.snapshot().unwrap();
            let map = snapshot.named("map_async").unwrap();
            assert_eq!(map.counts.held, 8);
            assert_eq!((map.counts.capacity, map.counts.out_of_turn), (8, 0));
            assert!(map.blocked_since.is_some());
            let mut sent = Box::pin(source.send(next));
            assert!(futures::FutureExt::now_or_never(&mut sent).is_none());
            drop(sent);
            assert_eq!(
                jobs.finish(0, |_| ()),
                written,
                "in order, and none is lost"
            );
            time.settle();
        }
    }
}

#[test]
fn results_of_blocking_workers_that_wait_for_a_stalled_sink_count_too() {
    for ordered in [true, false] {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let worked = Arc::new(AtomicUsize::new(0));
        let count = worked.clone();
        let flow = source.map_blocking(4, move |x| {
            count.fetch_add(1, Ordering::Relaxed);
            x
        });
        let stalled = |_| futures::future::pending();
        if ordered {
            flow.sink_async(1, stalled);
        } else {
            flow.unordered().sink_async(1, stalled);
        }
        // The first one on its own, so that the sink is full before there is another.
        source.emit(0).unwrap();
        let patience = Instant::now() + Duration::from_secs(30);
        while graph
            .snapshot()
            .unwrap()
            .named("sink_async")
            .unwrap()
            .counts
            .held
            == 0
        {
            assert!(Instant::now() < patience);
            time.settle();
            std::thread::yield_now();
        }
        let mut next = 1;
        feed(&source, &time, &mut next);
        assert_eq!(next, 1 + 4);
        assert_eq!(worked.load(Ordering::Relaxed), 1, "nothing new was started");
        let snapshot = graph.snapshot().unwrap();
        let map = snapshot.named("map_blocking").unwrap();
        assert_eq!(map.counts.held, 4);
        assert_eq!((map.counts.capacity, map.counts.out_of_turn), (4, 0));
    }
}

#[test]
fn early_results_count_as_long_as_somebody_downstream_is_full() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let mut out = source.map_async(4, move |x| start.start(x)).into_stream(1);
    let mut next = 0;
    feed(&source, &time, &mut next);
    assert_eq!((next, jobs.running()), (4, 4));
    // The stream is full, and what finishes now is early: it has to wait for room anyway.
    jobs.finish(0, |x| x);
    time.settle();
    for _ in 0..2 {
        jobs.finish(1, |x| x);
        time.settle();
    }
    feed(&source, &time, &mut next);
    assert_eq!((next, jobs.running()), (5, 1));
    assert_eq!(
        graph
            .snapshot()
            .unwrap()
            .named("map_async")
            .unwrap()
            .counts
            .held,
        4
    );
    // With room, only the one that runs counts, and there are 4 in flight again.
    assert_eq!(block_on(out.next()), Some(0));
    feed(&source, &time, &mut next);
    assert_eq!((next, jobs.running()), (7, 4));
    jobs.finish(0, |x| x);
    time.settle();
    for x in 1..4 {
        assert_eq!(block_on(out.next()), Some(x));
        time.settle();
    }
}

#[test]
fn a_zip_that_would_wait_for_ever_behind_a_full_map_async_says_so() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let failures = Arc::new(AtomicUsize::new(0));
    let count = failures.clone();
    graph.on_error(OnError::call(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let source = graph.source::<u32>();
    let mapped = source.map_async(4, |x| async move { x });
    let rows = mapped
        .zip(source.filter(|_| false))
        .capacity(2)
        .sink_to_list();
    let mut next = 0;
    feed(&source, &time, &mut next);
    assert!(next > 2 + 4, "{next} accepted: nobody waits for ever");
    assert!(failures.load(Ordering::Relaxed) > 0);
    assert!(rows.is_empty());
}

#[test]
fn a_failure_in_one_branch_of_a_zip_pairs_no_wrong_mates() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let failed = Arc::new(Mutex::new(Vec::new()));
    let log = failed.clone();
    graph.on_error(OnError::call(move |failure| {
        log.lock().unwrap().push(failure.node().to_owned());
    }));
    let source = graph.source::<u32>();
    let odd = source
        .try_map_async(8, |x| async move {
            if x % 2 == 0 {
                Err("even".into())
            } else {
                Ok(x)
            }
        })
        .named("odd");
    // Behind another one: failures and holes pass it in their place.
    let odd = odd.map_async(8, |x| async move { x }).share();
    let odd = odd.map_async(8, |x| async move { x });
    let rows = zip((odd, &source)).sink_to_list();
    for x in 0..6 {
        source.emit(x).unwrap();
    }
    time.settle();
    assert_eq!(rows.take(), [(1, 1), (3, 3), (5, 5)]);
    assert_eq!(*failed.lock().unwrap(), ["odd", "odd", "odd"]);
}

#[test]
fn closing_awaits_what_is_in_flight() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let mut out = source.map_async(2, move |x| start.start(x)).into_stream(8);
    source.emit(1).unwrap();
    source.emit(2).unwrap();
    source.close();
    time.settle();
    jobs.finish(1, |x| x);
    time.settle();
    assert!(futures::FutureExt::now_or_never(out.next()).is_none());
    jobs.finish(0, |x| x);
    time.settle();
    assert_eq!(block_on(out.collect::<Vec<_>>()), [1, 2]);
}

#[test]
fn a_future_that_panics_poisons_the_graph_and_its_element_is_lost() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let out = source
        .map_async(2, |x| async move {
            assert!(x != 1, "one");
            x
        })
        .sink_to_list();
    let receipt = source.emit_tracked(1).unwrap();
    let driven = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| time.settle()));
    assert!(driven.is_err());
    assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
    assert!(matches!(receipt.outcome(), Some(Err(_))));
    assert!(out.is_empty());
}

#[test]
fn a_graph_that_is_dropped_tells_the_receipts_of_what_was_in_flight() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let branch = source.sink_async(1, |_| futures::future::pending());
    let running = source.emit_tracked(1).unwrap();
    time.settle();
    assert_eq!(running.outcome(), None);
    drop((branch, source, time, graph));
    assert_eq!(running.outcome(), Some(Err(Lost::TornDown)));
}

#[test]
fn without_a_driver_futures_are_refused() {
    let source = Source::<u32>::new();
    let _ = source.map_async(1, |x| async move { x }).sink_to_list();
    assert!(matches!(source.emit(1), Err(EmitError::Undriven(1))));
}

#[test]
#[should_panic(expected = "let at least 1 element be in flight")]
fn zero_in_flight_is_rejected() {
    let _ = Source::<u32>::new().map_async(0, |x| async move { x });
}

#[test]
#[should_panic(expected = "let at least 1 finished result")]
fn zero_results_that_wait_are_rejected() {
    let _ = Source::<u32>::new()
        .map_async(1, |x| async move { x })
        .reorder(0);
}

#[test]
fn blocking_closures_run_side_by_side_and_their_results_in_order() {
    let graph = Graph::new();
    let all_at_once = Arc::new(Barrier::new(4));
    let out = graph
        .from_iter(0..400u32)
        .map_blocking(4, move |x| {
            // Passes only if four elements are at work together.
            all_at_once.wait();
            x * 2
        })
        .sink_to_list();
    graph.run().unwrap();
    assert!(out.take().into_iter().eq((0..400).map(|x| x * 2)));
}

#[test]
fn blocking_closures_are_never_more_than_n() {
    let graph = Graph::new();
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let peak = most.clone();
    let out = graph
        .from_iter(0..200u32)
        .map_blocking(3, move |x| {
            peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
            x
        })
        .unordered()
        .sink_to_list();
    graph.run().unwrap();
    let mut out = out.take();
    out.sort_unstable();
    assert!(out.into_iter().eq(0..200));
    assert!(most.load(Ordering::SeqCst) <= 3);
}

#[test]
fn a_blocking_closure_that_panics_fails_its_element_only() {
    let graph = Graph::new();
    let failures = Arc::new(Mutex::new(Vec::new()));
    let log = failures.clone();
    graph.on_error(OnError::call(move |failure| {
        let panicked = failure.error().downcast_ref::<WorkerPanicked>().unwrap();
        log.lock()
            .unwrap()
            .push((failure.node().to_owned(), panicked.message.clone()));
    }));
    let out = graph
        .from_iter(0..5)
        .map_blocking(2, |x| {
            assert!(x != 2, "not {x}");
            x
        })
        .named("halve")
        .sink_to_list();
    graph.run().unwrap();
    assert_eq!(out.take(), [0, 1, 3, 4]);
    assert_eq!(
        *failures.lock().unwrap(),
        [("halve".to_owned(), "not 2".to_owned())]
    );
}

#[test]
fn worker_threads_end_with_the_node() {
    let alive = Arc::new(());
    let watch = Arc::downgrade(&alive);
    let graph = Graph::new();
    let out = graph
        .from_iter(0..10)
        .map_blocking(2, move |x| {
            let _ = &alive;
            x
        })
        .sink_to_list();
    graph.run().unwrap();
    assert!(watch.upgrade().is_some());
    drop((graph, out));
    let patience = Instant::now() + Duration::from_secs(10);
    while watch.upgrade().is_some() {
        assert!(Instant::now() < patience, "a worker thread still lives");
        std::thread::yield_now();
    }
}

#[test]
fn a_stream_is_pumped_when_it_has_something_and_ends_the_flow() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (sender, receiver) = mpsc::unbounded();
    let mut out = graph
        .from_stream(receiver)
        .map(|x: u32| x + 1)
        .into_stream(8);
    time.settle();
    assert!(futures::FutureExt::now_or_never(out.next()).is_none());
    sender.unbounded_send(1).unwrap();
    sender.unbounded_send(2).unwrap();
    time.settle();
    assert_eq!(block_on(out.next()), Some(2));
    drop(sender);
    time.settle();
    assert_eq!(block_on(out.collect::<Vec<_>>()), [3]);
}

#[test]
fn a_stream_can_lead_the_clock() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let stream = futures::stream::iter([3u64, 7, 5]);
    let out = graph
        .from_stream(stream)
        .lead_clock(|ms| Time::from_millis(*ms))
        .sink_to_list();
    time.settle();
    assert_eq!(out.take(), [3, 7, 5]);
    assert_eq!(graph.snapshot().unwrap().at, Time::from_millis(7));
}

/// What `on_done` was told, by handle.
type Acks = Arc<Mutex<Vec<(u32, Outcome)>>>;

fn acked(graph: &Graph, items: impl IntoIterator<Item = u32>) -> (BoxFlow<u32>, Acks) {
    let items: Vec<_> = items.into_iter().map(|x| (x, x)).collect();
    let acks = Acks::default();
    let log = acks.clone();
    let flow = graph.from_acked_stream(futures::stream::iter(items), move |handle, outcome| {
        log.lock().unwrap().push((handle, outcome));
    });
    (flow.boxed(), acks)
}

#[test]
fn each_item_of_an_acked_stream_is_acknowledged_once_it_is_written() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (flow, acks) = acked(&graph, 0..3);
    let jobs = Jobs::new();
    let start = jobs.clone();
    flow.sink_async(2, move |x| start.start(x));
    time.settle();
    assert_eq!(*acks.lock().unwrap(), []);
    jobs.finish(1, |_| ());
    time.settle();
    assert_eq!(*acks.lock().unwrap(), [(1, Ok(()))]);
    while jobs.running() > 0 {
        jobs.finish(0, |_| ());
        time.settle();
    }
    assert_eq!(
        *acks.lock().unwrap(),
        [(1, Ok(())), (0, Ok(())), (2, Ok(()))]
    );
}

#[test]
fn failed_items_of_an_acked_stream_say_so_and_the_others_go_on() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let (flow, acks) = acked(&graph, 0..600);
    let shared = flow
        .try_map_async(7, |x| async move {
            if x % 10 == 3 {
                Err("three".into())
            } else {
                Ok(x)
            }
        })
        .share();
    // A fork, and a join of its branches.
    let rows = zip((&shared, shared.map(|x| x + 1).buffer(5))).sink_to_list();
    graph.run().unwrap();
    assert_eq!(rows.take().len(), 540);
    let mut acks = std::mem::take(&mut *acks.lock().unwrap());
    acks.sort_by_key(|(handle, _)| *handle);
    let expected = (0..600).map(|x| match x % 10 {
        3 => (x, Err(Lost::Failed)),
        _ => (x, Ok(())),
    });
    assert!(acks.into_iter().eq(expected));
}

#[test]
fn items_without_a_mate_are_acknowledged_as_discarded() {
    let graph = Graph::new();
    let (long, acks) = acked(&graph, 0..5);
    let rows = zip((long, graph.from_iter(0..3))).sink_to_list();
    graph.run().unwrap();
    assert_eq!(rows.take().len(), 3);
    let acks = acks.lock().unwrap();
    assert_eq!(acks.len(), 5);
    for (handle, outcome) in acks.iter() {
        assert_eq!(outcome.is_ok(), *handle < 3, "{handle}");
    }
}

#[test]
fn an_acked_stream_waits_for_a_stalled_sink() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let stream = futures::stream::iter((0..1_000_000).map(|x| (x, ()))).inspect(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    graph
        .from_acked_stream(stream, |(), _| unreachable!("nothing is ever written"))
        .sink_async(4, |_| futures::future::pending());
    time.settle();
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[test]
fn a_branch_that_is_disconnected_finishes_what_is_in_flight() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let branch = source.sink_async(2, move |x| start.start(x));
    let receipt = source.emit_tracked(1).unwrap();
    time.settle();
    branch.disconnect();
    source.emit(2).unwrap();
    time.settle();
    assert_eq!(receipt.outcome(), None);
    assert_eq!(graph.snapshot().unwrap().held(), 1);
    assert_eq!(jobs.finish(0, |_| ()), 1);
    time.settle();
    assert_eq!(receipt.outcome(), Some(Ok(())));
    assert_eq!(graph.snapshot().unwrap().held(), 0);
    assert_eq!(jobs.running(), 0);
}

#[test]
fn a_sender_waits_for_a_slot() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    source.sink_async(1, move |x| start.start(x));
    source.emit(1).unwrap();
    let mut waiting = Box::pin(source.send(2));
    assert!(futures::FutureExt::now_or_never(&mut waiting).is_none());
    time.settle();
    jobs.finish(0, |_| ());
    assert!(futures::FutureExt::now_or_never(&mut waiting).is_none());
    time.settle();
    assert!(futures::FutureExt::now_or_never(&mut waiting).is_some_and(|sent| sent.is_ok()));
    time.settle();
    assert_eq!(jobs.finish(0, |_| ()), 2);
}

#[test]
fn a_graph_that_stops_at_a_failure_pumps_no_more() {
    let graph = Graph::new();
    graph.on_error(OnError::Stop);
    let (flow, acks) = acked(&graph, 0..100);
    flow.try_sink_async(1, |x| async move {
        if x == 3 { Err("three".into()) } else { Ok(()) }
    });
    assert!(matches!(graph.run(), Err(GraphError::Stopped(_))));
    let acks = acks.lock().unwrap();
    assert_eq!(acks.last(), Some(&(3, Err(Lost::Failed))));
    assert_eq!(acks.len(), 4);
}

#[test]
fn a_zip_whose_empty_input_has_futures_in_flight_does_not_starve() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let jobs = Jobs::new();
    let start = jobs.clone();
    let slow = source.map_async(10, move |x| start.start(x));
    let rows = slow.zip(&source).capacity(2).sink_to_list();
    source.emit(1).unwrap();
    source.emit(2).unwrap();
    time.settle();
    // The other input is full, and what could feed the empty one is under way.
    assert!(matches!(source.emit(3), Err(EmitError::Full(3))));
    time.settle();
    assert!(matches!(source.emit(3), Err(EmitError::Full(3))));
    jobs.finish(0, |x| x);
    time.settle();
    assert_eq!(rows.take(), [(1, 1)]);
    source.emit(3).unwrap();
    time.settle();
    jobs.finish(0, |x| x);
    jobs.finish(0, |x| x);
    time.settle();
    assert_eq!(rows.take(), [(2, 2), (3, 3)]);
    assert_eq!(graph.snapshot().unwrap().failed(), 0);
}

#[test]
fn threads_that_send_through_blocking_workers_lose_nothing() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.map_blocking(3, |x| x).unordered().sink_to_list();
    let done = Arc::new(AtomicUsize::new(0));
    let through = done.clone();
    let driver = std::thread::spawn(move || {
        while through.load(Ordering::Acquire) == 0 {
            time.settle();
            std::thread::yield_now();
        }
    });
    let senders: Vec<_> = (0..4u32)
        .map(|thread| {
            let source = source.clone();
            std::thread::spawn(move || {
                for x in 0..250 {
                    source.blocking_send(thread * 250 + x).unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    let patience = Instant::now() + Duration::from_secs(30);
    while list.len() < 1_000 {
        assert!(Instant::now() < patience, "{} of 1000", list.len());
        std::thread::yield_now();
    }
    done.store(1, Ordering::Release);
    driver.join().unwrap();
    let mut seen = list.take();
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..1_000));
}

#[test]
fn the_handles_go_where_tasks_go() {
    fn movable<T: Send + Sync + Unpin>() {}
    movable::<headwater::FlowStream<u32>>();
    movable::<headwater::SourceSink<u32>>();
    movable::<headwater::SinkBroken>();
    movable::<WorkerPanicked>();
}
