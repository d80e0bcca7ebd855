//! Failed attempts are repeated, on the graph's clock and in their place; what fails for good can go
//! to a flow of its own.

mod words;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{BoxFlow, Lost, Outcome, Retry, WorkerPanicked, zip};
use proptest::prelude::*;
use words::quiet;

const MS: Duration = Duration::from_millis(1);

/// A step that fails each element so many times, and counts the attempts.
#[derive(Clone, Default)]
struct Flaky {
    failures: Arc<HashMap<u32, u32>>,
    attempts: Arc<Mutex<Vec<u32>>>,
}

impl Flaky {
    fn new(failures: impl IntoIterator<Item = (u32, u32)>) -> Flaky {
        Flaky {
            failures: Arc::new(failures.into_iter().collect()),
            attempts: Arc::default(),
        }
    }

    fn attempt(&self, x: u32) -> Result<u32, BoxError> {
        let mut attempts = self.attempts.lock().unwrap();
        attempts.push(x);
        let nth = attempts.iter().filter(|y| **y == x).count() as u32;
        match nth <= self.failures.get(&x).copied().unwrap_or(0) {
            true => Err(format!("attempt {nth} at {x}").into()),
            false => Ok(x),
        }
    }

    fn step(&self) -> impl FnMut(u32) -> futures::future::Ready<Result<u32, BoxError>> + use<> {
        let this = self.clone();
        move |x| futures::future::ready(this.attempt(x))
    }

    fn attempts_at(&self, x: u32) -> usize {
        let attempts = self.attempts.lock().unwrap();
        attempts.iter().filter(|y| **y == x).count()
    }

    fn count(&self) -> usize {
        self.attempts.lock().unwrap().len()
    }
}

type Acks = Arc<Mutex<Vec<(u32, Outcome)>>>;

fn acked(graph: &Graph, items: impl IntoIterator<Item = u32>) -> (BoxFlow<u32>, Acks) {
    let acks = Acks::default();
    let told = acks.clone();
    let items: Vec<_> = items.into_iter().map(|x| (x, x)).collect();
    let flow = graph
        .from_acked_stream(futures::stream::iter(items), move |handle, outcome| {
            told.lock().unwrap().push((handle, outcome));
        })
        .boxed();
    (flow, acks)
}

/// A policy with or without delays, and how long it lasts at most.
fn policies() -> impl Strategy<Value = (Retry, u32)> {
    (1u32..5, 0u8..4, any::<u64>()).prop_map(|(attempts, kind, seed)| {
        let policy = Retry::attempts(attempts);
        let policy = match kind {
            0 => policy,
            1 => policy.fixed(3 * MS),
            2 => policy.exponential(2 * MS).max_delay(5 * MS),
            _ => policy.exponential(4 * MS).jitter(seed),
        };
        (policy, attempts)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However often what fails, and however it comes in: the order is kept, each element goes on
    /// once or fails once, and is attempted as often as it needs.
    #[test]
    fn retried_elements_go_on_once_and_in_order(
        failures in prop::collection::vec(0u32..6, 0..40),
        (policy, attempts) in policies(),
        (n, ordered) in (1usize..6, any::<bool>()),
        cuts in prop::collection::vec(0usize..6, 1..20),
        close in any::<bool>(),
    ) {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let flaky = Flaky::new((0..).zip(failures.iter().copied()));
        let flow = source.try_map_async(n, flaky.step()).retry(policy);
        let flow = if ordered { flow } else { flow.unordered() };
        let seen = flow.sink_to_list();
        let mut items = 0..failures.len() as u32;
        let mut cuts = cuts.into_iter().cycle();
        while !items.is_empty() {
            match cuts.next().unwrap() {
                0 => {
                    if source.emit(items.start).is_ok() {
                        items.next();
                    }
                }
                cut => drop(source.emit_all(items.by_ref().take(cut)).or_else(|error| {
                    // What was drawn and refused comes again.
                    let refused = error.cause.into_element();
                    let drawn = u32::from(refused.is_some()) + error.drawn.len() as u32;
                    items.start -= drawn;
                    Ok::<_, ()>(0)
                })),
            }
            prop_assert!(graph.snapshot().unwrap().held() <= n as u64 + 1_024);
            time.advance(MS);
        }
        if close {
            source.close();
        }
        time.advance(Duration::from_secs(10));
        let good = |x: &u32| failures[*x as usize] < attempts;
        let expected: Vec<u32> = (0..failures.len() as u32).filter(good).collect();
        let mut seen = seen.take();
        if !ordered {
            seen.sort_unstable();
        }
        prop_assert_eq!(&seen, &expected);
        for (x, failures) in (0..).zip(&failures) {
            prop_assert_eq!(flaky.attempts_at(x), attempts.min(failures + 1) as usize);
        }
        let failed = failures.len() - expected.len();
        prop_assert_eq!(graph.snapshot().unwrap().failed(), failed as u64);
        prop_assert_eq!(graph.snapshot().unwrap().held(), 0);
    }

    /// Each handle is told once, by key or not, and a dead letter takes its lineage along.
    #[test]
    fn the_lineage_of_retried_elements_resolves_once(
        failures in prop::collection::vec(0u32..5, 0..40),
        (policy, attempts) in policies(),
        n in 1usize..6,
        (order, letters) in (0u8..3, any::<bool>()),
    ) {
        let (graph, time) = quiet();
        let dead = graph.source::<Failure>();
        let lost = dead.map(|failure| failure.element::<u32>().unwrap()).sink_to_list();
        let (flow, acks) = acked(&graph, 0..failures.len() as u32);
        let flaky = Flaky::new((0..).zip(failures.iter().copied()));
        let flow = flow.try_map_async(n, flaky.step()).retry(policy);
        let flow = match order {
            0 => flow,
            1 => flow.unordered(),
            _ => flow.by_key(|x| x % 3),
        };
        let seen = match letters {
            true => flow.dead_letter(&dead).sink_to_list(),
            false => flow.sink_to_list(),
        };
        time.advance(Duration::from_secs(10));
        let fails = |x: u32| failures[x as usize] >= attempts;
        let mut acks = std::mem::take(&mut *acks.lock().unwrap());
        acks.sort_by_key(|(x, _)| *x);
        let expected = (0..failures.len() as u32).map(|x| match fails(x) && !letters {
            true => (x, Err(Lost::Failed)),
            false => (x, Ok(())),
        });
        prop_assert_eq!(acks, expected.collect::<Vec<_>>());
        let mut lost = lost.take();
        lost.sort_unstable();
        let expected: Vec<u32> = (0..failures.len() as u32).filter(|x| fails(*x) && letters).collect();
        prop_assert_eq!(lost, expected);
        prop_assert_eq!(
            seen.len(),
            (0..failures.len() as u32).filter(|x| !fails(*x)).count()
        );
    }

    /// Beside an element that never fails, whatever is tried again leaves a zip's mates in step.
    #[test]
    fn a_zip_pairs_no_wrong_mates_after_retries(
        failures in prop::collection::vec(0u32..4, 0..30),
        attempts in 1u32..4,
    ) {
        let (graph, time) = quiet();
        let dead = graph.source::<Failure>();
        let source = graph.source::<u32>();
        let flaky = Flaky::new((0..).zip(failures.iter().copied()));
        let flow = source
            .try_map_async(100, flaky.step())
            .retry(Retry::attempts(attempts).fixed(MS))
            .dead_letter(&dead);
        let rows = zip((flow, &source)).sink_to_list();
        source.emit_all(0..failures.len() as u32).unwrap();
        time.advance(Duration::from_secs(1));
        let rows = rows.take();
        prop_assert!(rows.iter().all(|(left, right)| left == right));
        prop_assert_eq!(rows.len(), failures.iter().filter(|f| **f < attempts).count());
    }
}

/// When, in milliseconds, the attempts at an element that always fails are made.
fn moments(policy: Retry) -> Vec<u64> {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(7, u32::MAX)]);
    source
        .try_map_async(1, flaky.step())
        .retry(policy)
        .sink(drop);
    source.emit(7).unwrap();
    time.settle();
    let mut moments = vec![0; flaky.count()];
    for at in 1..5_000 {
        time.advance(MS);
        moments.resize(flaky.count(), at);
    }
    assert_eq!(graph.snapshot().unwrap().failed(), 1);
    moments
}

#[test]
fn delays_are_fixed_or_double_up_to_a_cap() {
    assert_eq!(moments(Retry::attempts(3)), [0, 0, 0]);
    assert_eq!(moments(Retry::attempts(1)), [0]);
    assert_eq!(moments(Retry::attempts(3).fixed(20 * MS)), [0, 20, 40]);
    let doubling = Retry::attempts(6).exponential(100 * MS);
    assert_eq!(moments(doubling.clone()), [0, 100, 300, 700, 1500, 3100]);
    assert_eq!(
        moments(doubling.max_delay(250 * MS)),
        [0, 100, 300, 550, 800, 1050]
    );
    let cut = Retry::attempts(2).fixed(20 * MS).max_delay(5 * MS);
    assert_eq!(moments(cut), [0, 5]);
}

#[test]
fn jitter_is_deterministic_and_leaves_half_of_each_delay() {
    let policy = Retry::attempts(20).fixed(100 * MS);
    let jittered = moments(policy.clone().jitter(1));
    assert_eq!(jittered.len(), 20);
    assert_eq!(jittered, moments(policy.clone().jitter(1)));
    assert_ne!(jittered, moments(policy.jitter(2)));
    let gaps: Vec<u64> = jittered.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (50..=101).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap < 75) && gaps.iter().any(|gap| *gap > 75));
}

#[test]
fn many_doublings_stop_at_the_cap() {
    let policy = Retry::attempts(u32::MAX).exponential(MS).max_delay(2 * MS);
    assert!(moments(policy.when(|error| !error.to_string().contains("attempt 100"))).len() == 100);
}

#[test]
fn only_errors_that_the_predicate_holds_for_are_tried_again() {
    let (graph, time) = quiet();
    let source = graph.source::<&str>();
    let tries = Arc::new(AtomicU32::new(0));
    let count = tries.clone();
    source
        .try_map_async(1, move |text| {
            count.fetch_add(1, Ordering::Relaxed);
            async move {
                if text.is_empty() {
                    return Err("empty".into());
                }
                Ok(text.parse::<u32>()?)
            }
        })
        .retry(Retry::attempts(3).when(|error| error.is::<std::num::ParseIntError>()))
        .sink(drop);
    source.emit("").unwrap();
    time.settle();
    assert_eq!(tries.swap(0, Ordering::Relaxed), 1);
    source.emit("x").unwrap();
    time.settle();
    assert_eq!(tries.load(Ordering::Relaxed), 3);
}

#[test]
fn one_that_waits_for_its_next_attempt_keeps_its_place_and_its_slot() {
    for ordered in [true, false] {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(0, 1)]);
        let flow = source
            .try_map_async(2, flaky.step())
            .retry(Retry::attempts(2).fixed(10 * MS));
        let seen = if ordered {
            flow.reorder(1).sink_to_list()
        } else {
            flow.unordered().sink_to_list()
        };
        source.emit_all([0, 1]).unwrap();
        time.settle();
        let early: &[u32] = if ordered { &[] } else { &[1] };
        assert_eq!(seen.get(), early);
        // One slot is taken; in order, the result that waits fills the place for early ones.
        source.emit(2).unwrap();
        time.settle();
        assert_eq!(flaky.attempts_at(2), usize::from(!ordered));
        assert_eq!(source.emit(3).is_err(), ordered);
        time.advance(10 * MS);
        let expected: &[u32] = if ordered { &[0, 1, 2] } else { &[1, 2, 3, 0] };
        assert_eq!(seen.take(), expected);
    }
}

#[test]
fn with_one_at_a_time_nobody_passes_one_that_is_tried_again() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 2)]);
    let flow = source.try_map_async(1, flaky.step());
    let seen = flow
        .retry(Retry::attempts(3).fixed(10 * MS))
        .unordered()
        .sink_to_list();
    source.emit(0).unwrap();
    assert!(matches!(source.emit(1), Err(EmitError::Full(1))));
    time.advance(19 * MS);
    assert!(source.emit(1).is_err());
    assert_eq!(graph.snapshot().unwrap().held(), 1);
    time.advance(MS);
    source.emit(1).unwrap();
    time.settle();
    assert_eq!(seen.take(), [0, 1]);
}

#[test]
fn the_last_failure_says_why_and_brings_the_element_along() {
    let (graph, time) = quiet();
    let failures = Arc::new(Mutex::new(Vec::new()));
    let told = failures.clone();
    graph.on_error(OnError::call(move |f| told.lock().unwrap().push(f.clone())));
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(7, 9)]);
    let step = flaky.step();
    source
        .try_map_async(1, step)
        .retry(Retry::attempts(3))
        .named("write")
        .sink(drop);
    source.emit(7).unwrap();
    time.settle();
    let failures = std::mem::take(&mut *failures.lock().unwrap());
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].node(), "write");
    assert_eq!(failures[0].error().to_string(), "attempt 3 at 7");
    assert_eq!(failures[0].element::<String>(), None);
    assert_eq!(failures[0].element::<u32>(), Some(7));
    assert_eq!(failures[0].take_element::<u32>(), Some(7));
    assert_eq!(failures[0].element::<u32>(), None);
}

#[test]
fn a_close_waits_for_all_attempts_wherever_it_comes() {
    for closed_at in 0..40 {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(0, 2), (1, 9), (2, 1)]);
        let mut out = source
            .try_map_async(2, flaky.step())
            .retry(Retry::attempts(3).fixed(10 * MS))
            .into_stream(10);
        let mut items = 0..4;
        let mut emitted = 0;
        for at in 0..=closed_at {
            if at == closed_at {
                source.close();
            } else if !items.is_empty() && source.emit(items.start).is_ok() {
                items.next();
                emitted += 1;
            }
            time.advance(MS);
        }
        time.advance(100 * MS);
        let seen: Vec<u32> = block_on(futures::StreamExt::collect(&mut out));
        assert!(seen.into_iter().eq((0..emitted).filter(|x| *x != 1)));
    }
}

#[test]
fn a_shutdown_waits_for_all_attempts_or_gives_up() {
    for (delay, limit) in [(10 * MS, None), (100_000 * MS, Some(15 * MS))] {
        let graph = Graph::new();
        graph.on_error(OnError::call(|_| {}));
        let driver = graph.spawn_thread();
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(0, 2)]);
        let seen = source
            .try_map_async(2, flaky.step())
            .retry(Retry::attempts(3).fixed(delay).max_delay(delay))
            .sink_to_list();
        let receipt = source.emit_tracked(0).unwrap();
        match limit {
            None => drop(block_on(graph.shutdown()).unwrap()),
            Some(limit) => drop(block_on(graph.shutdown_within(limit)).unwrap()),
        }
        let done = receipt.outcome().unwrap();
        match limit {
            None => assert_eq!((seen.take(), done), (vec![0], Ok(()))),
            Some(_) => assert_eq!((seen.take(), done), (vec![], Err(Lost::TornDown))),
        }
        drop(driver);
    }
}

#[test]
fn where_a_failure_stopped_the_graph_nothing_is_tried_again() {
    let graph = Graph::new();
    graph.on_error(OnError::Stop);
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 9), (1, 9)]);
    let flow = source.try_map_async(2, flaky.step());
    flow.retry(
        Retry::attempts(5)
            .fixed(MS)
            .when(|error| !error.to_string().ends_with("at 0")),
    )
    .sink(drop);
    let receipts = [
        source.emit_tracked(0).unwrap(),
        source.emit_tracked(1).unwrap(),
    ];
    time.advance(10 * MS);
    assert_eq!((flaky.attempts_at(0), flaky.attempts_at(1)), (1, 1));
    assert!(matches!(source.emit(2), Err(EmitError::Stopped(2, _))));
    for receipt in receipts {
        assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
    }
}

#[test]
fn a_graph_that_is_dropped_tells_the_receipts_of_those_between_two_attempts() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 2)]);
    let flow = source.try_map_async(2, flaky.step());
    flow.retry(Retry::attempts(3).fixed(MS)).sink(drop);
    let receipt = source.emit_tracked(0).unwrap();
    time.settle();
    assert_eq!(receipt.outcome(), None);
    drop((source, graph, time));
    assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
}

#[test]
fn a_branch_that_is_disconnected_makes_its_attempts() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 2)]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let branch = source
        .try_map_async(2, flaky.step())
        .retry(Retry::attempts(3).fixed(MS))
        .sink(move |x| told.lock().unwrap().push(x));
    source.emit(0).unwrap();
    time.settle();
    branch.disconnect();
    time.advance(10 * MS);
    assert_eq!(*seen.lock().unwrap(), [0]);
}

#[test]
fn nothing_is_tried_again_while_somebody_downstream_is_full() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(1, 1)]);
    let mut out = source
        .try_map_async(2, flaky.step())
        .retry(Retry::attempts(2).fixed(10 * MS))
        .unordered()
        .into_stream(1);
    source.emit_all([0, 1]).unwrap();
    time.advance(50 * MS);
    assert_eq!(flaky.attempts_at(1), 1);
    assert_eq!(block_on(futures::StreamExt::next(&mut out)), Some(0));
    time.settle();
    assert_eq!(flaky.attempts_at(1), 2);
    assert_eq!(block_on(futures::StreamExt::next(&mut out)), Some(1));
}

#[test]
fn failures_from_above_keep_their_place_and_are_not_tried_again() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 1)]);
    let seen = source
        .try_map(|x| if x == 1 { Err("one".into()) } else { Ok(x) })
        .try_map_async(4, flaky.step())
        .retry(Retry::attempts(2).fixed(10 * MS))
        .catch(|failure| {
            Some(if failure.kind() == "try_map" {
                100
            } else {
                200
            })
        })
        .sink_to_list();
    source.emit_all([0, 1, 2]).unwrap();
    time.advance(9 * MS);
    assert!(seen.is_empty());
    time.advance(MS);
    assert_eq!(seen.take(), [0, 100, 2]);
}

#[test]
fn an_attempt_that_panics_poisons_the_graph_and_its_element_is_lost() {
    for in_predicate in [false, true] {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let mut tried = false;
        source
            .try_map_async(1, move |_| {
                assert!(!std::mem::replace(&mut tried, true), "again");
                async { Err::<u32, _>("no".into()) }
            })
            .retry(Retry::attempts(2).fixed(MS).when(move |_| {
                assert!(!in_predicate, "judged");
                true
            }))
            .sink(drop);
        let receipt = source.emit_tracked(1).unwrap();
        let fatal = catch_unwind(AssertUnwindSafe(|| time.advance(MS)));
        assert!(fatal.is_err());
        assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
        assert!(receipt.outcome().unwrap().is_err());
    }
}

#[test]
fn an_element_that_is_no_clone_is_tried_again_in_an_arc() {
    struct Request(u32);
    let (graph, time) = quiet();
    let (source, requests) = graph.pipe::<Request>();
    let flaky = Flaky::new([(7, 1)]);
    let seen = requests
        .map(Arc::new)
        .try_map_async(1, move |request: Arc<Request>| {
            futures::future::ready(flaky.attempt(request.0))
        })
        .retry(Retry::attempts(2))
        .sink_to_list();
    source.emit(Request(7)).unwrap();
    time.settle();
    assert_eq!(seen.take(), [7]);
}

#[test]
fn blocking_closures_are_tried_again_panics_included() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let flaky = Flaky::new([(1, 2), (2, 9)]);
    let panicked = AtomicBool::new(false);
    let attempts = flaky.clone();
    let seen =
        graph
            .from_iter(0..4)
            .try_map_blocking(2, move |x| {
                if x == 3 && !panicked.swap(true, Ordering::Relaxed) {
                    std::panic::resume_unwind(Box::new("once"));
                }
                attempts.attempt(x)
            })
            .retry(Retry::attempts(3).fixed(MS).when(|error| {
                error.is::<WorkerPanicked>() || error.to_string().contains("attempt")
            }))
            .sink_to_list();
    graph.run().unwrap();
    assert_eq!(seen.take(), [0, 1, 3]);
    assert_eq!(flaky.attempts_at(2), 3);
}

#[test]
fn where_the_data_lead_the_clock_attempts_wait_for_them() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    source.lead_clock(|x| Time::from_millis(u64::from(*x)));
    let flaky = Flaky::new([(0, 1), (9, 1)]);
    let seen = source
        .try_map_async(4, flaky.step())
        .retry(Retry::attempts(2).fixed(10 * MS))
        .unordered()
        .sink_to_list();
    for x in [0, 9] {
        source.emit(x).unwrap();
        time.settle();
    }
    assert!(seen.is_empty());
    source.emit(10).unwrap();
    time.settle();
    assert_eq!(seen.take(), [0, 10]);
    source.close();
    time.settle();
    assert_eq!(seen.take(), [9]);
}

#[test]
fn a_sink_that_tries_again_is_done_when_its_write_is() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(7, 2)]);
    source
        .try_map_async(1, flaky.step())
        .retry(Retry::attempts(3).fixed(MS))
        .unordered()
        .sink(drop);
    let receipt = source.emit_tracked(7).unwrap();
    time.advance(MS);
    assert_eq!(receipt.outcome(), None);
    time.advance(MS);
    assert_eq!(receipt.outcome(), Some(Ok(())));
}

#[test]
fn futures_of_an_attempt_are_awaited_before_the_next_one_begins() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let answers = Arc::new(Mutex::new(Vec::<oneshot::Sender<bool>>::new()));
    let ask = answers.clone();
    let seen = source
        .try_map_async(1, move |x| {
            let (sender, answer) = oneshot::channel();
            ask.lock().unwrap().push(sender);
            async move {
                if answer.await? {
                    Ok(x)
                } else {
                    Err("no".into())
                }
            }
        })
        .retry(Retry::attempts(2).fixed(10 * MS))
        .sink_to_list();
    source.emit(7).unwrap();
    // The delay counts from when the attempt failed.
    time.advance(25 * MS);
    let first = answers.lock().unwrap().pop().unwrap();
    first.send(false).unwrap();
    time.advance(9 * MS);
    assert!(answers.lock().unwrap().is_empty());
    time.advance(MS);
    let second = answers.lock().unwrap().pop().unwrap();
    second.send(true).unwrap();
    time.settle();
    assert_eq!(seen.take(), [7]);
}

#[test]
#[should_panic(expected = "`Retry::attempts(0)` would never try at all")]
fn zero_attempts_are_rejected() {
    let _ = Retry::attempts(0);
}

#[test]
#[should_panic(expected = "`fixed` delay of zero is none")]
fn a_fixed_delay_of_zero_is_rejected() {
    let _ = Retry::attempts(1).fixed(Duration::ZERO);
}

#[test]
#[should_panic(expected = "`exponential` delay that begins at zero never grows")]
fn an_exponential_delay_from_zero_is_rejected() {
    let _ = Retry::attempts(1).exponential(Duration::ZERO);
}

#[test]
#[should_panic(expected = "`max_delay` of zero would leave no delay")]
fn a_cap_of_zero_is_rejected() {
    let _ = Retry::attempts(1).max_delay(Duration::ZERO);
}

// ---- dead letters ----

fn odd(x: &u32) -> Result<bool, BoxError> {
    if x % 2 == 1 {
        Ok(true)
    } else {
        Err("even".into())
    }
}

#[test]
fn dead_letters_leave_with_their_element_and_the_emitter_hears_of_no_failure() {
    let graph = Graph::new();
    let dead = graph.source::<Failure>();
    let letters = dead
        .map(|f| (f.node().to_owned(), f.element::<u32>()))
        .sink_to_list();
    let source = graph.source::<u32>();
    let seen = source
        .try_filter(odd)
        .named("odd")
        .dead_letter(&dead)
        .sink_to_list();
    source.emit(1).unwrap();
    source.emit(2).unwrap();
    assert_eq!(source.emit_all([3, 4]).unwrap(), 2);
    assert_eq!(seen.take(), [1, 3]);
    let letter = |x| ("odd".to_owned(), Some(x));
    assert_eq!(letters.take(), [letter(2), letter(4)]);
    assert_eq!(graph.snapshot().unwrap().failed(), 0);
}

#[test]
fn a_dead_letter_carries_the_lineage_until_it_is_delivered() {
    let (graph, time) = quiet();
    let dead = graph.source::<Failure>();
    dead.buffer(4).try_sink(|f| match f.element() {
        Some(2u32) => Ok(()),
        _ => Err("undeliverable".into()),
    });
    let source = graph.source::<u32>();
    source.try_filter(odd).dead_letter(&dead).sink(drop);
    let (two, four) = (
        source.emit_tracked(2).unwrap(),
        source.emit_tracked(4).unwrap(),
    );
    assert_eq!((two.outcome(), four.outcome()), (None, None));
    time.settle();
    assert_eq!(two.outcome(), Some(Ok(())));
    assert_eq!(four.outcome(), Some(Err(Lost::Failed)));
}

#[test]
fn several_flows_share_one_source_of_dead_letters() {
    let graph = Graph::new();
    let dead = graph.source::<Failure>();
    let letters = dead.map(|f| f.kind()).sink_to_list();
    let source = graph.source::<u32>();
    source.try_filter(odd).dead_letter(&dead).sink(drop);
    source.try_map(|x| odd(&x)).dead_letter(&dead).sink(drop);
    source.emit(2).unwrap();
    assert_eq!(letters.take(), ["try_filter", "try_map"]);
}

#[test]
fn dead_letters_that_nobody_takes_any_more_are_failures_again() {
    let graph = Graph::new();
    let dead = graph.source::<Failure>();
    let source = graph.source::<u32>();
    let seen = source.try_filter(odd).dead_letter(&dead).sink_to_list();
    dead.close();
    assert!(matches!(source.emit(2), Err(EmitError::Failed(_))));
    source.emit(3).unwrap();
    assert_eq!(seen.take(), [3]);
}

#[test]
fn a_dead_letter_takes_the_failures_that_no_catch_above_it_took() {
    let graph = Graph::new();
    let dead = graph.source::<Failure>();
    let letters = dead.map(|f| f.kind()).sink_to_list();
    let source = graph.source::<u32>();
    let seen = source
        .try_filter(odd)
        .catch(|_| Some(0))
        .try_map(|x| if x == 0 { Err("zero".into()) } else { Ok(x) })
        .dead_letter(&dead)
        .try_map(|x| if x == 5 { Err("five".into()) } else { Ok(x) })
        .sink_to_list();
    source.emit_all([1, 2, 3]).unwrap();
    assert!(source.emit(5).is_err());
    assert_eq!((seen.take(), letters.take()), (vec![1, 3], vec!["try_map"]));
}

#[test]
fn dead_letters_may_be_mended_and_come_round() {
    let graph = Graph::new();
    let dead = graph.source::<Failure>();
    let source = graph.source::<u32>();
    let seen = source.try_filter(odd).dead_letter(&dead).sink_to_list();
    dead.filter_map(|f| f.take_element::<u32>())
        .map(|x| x + 1)
        .connect(&source);
    source.emit_all([1, 2, 4]).unwrap();
    assert_eq!(seen.take(), [1, 3, 5]);
}

#[test]
fn at_a_shutdown_dead_letters_are_delivered() {
    let (graph, time) = quiet();
    let dead = graph.source::<Failure>();
    let letters = dead.filter_map(|f| f.element::<u32>()).sink_to_list();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 9), (1, 1)]);
    let flow = source.try_map_async(4, flaky.step());
    let seen = flow
        .retry(Retry::attempts(2))
        .dead_letter(&dead)
        .sink_to_list();
    source.emit_all([0, 1]).unwrap();
    assert!(block_on(graph.shutdown()).is_ok());
    assert_eq!((seen.take(), letters.take()), (vec![1], vec![0]));
    drop(time);
}

#[test]
fn more_dead_letters_than_a_source_has_room_for_are_all_delivered() {
    const MANY: u32 = 3 * headwater::INBOX_CAPACITY as u32;
    for slow in [false, true] {
        let graph = Graph::new();
        let dead = graph.source::<Failure>();
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let count_one = move |_: Failure| {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        match slow {
            true => drop(dead.buffer(7).sink(count_one)),
            false => drop(dead.sink(count_one)),
        }
        let seen = graph
            .from_iter(0..MANY)
            .try_filter(|x| {
                if x % 8 == 0 {
                    Ok(true)
                } else {
                    Err("no".into())
                }
            })
            .dead_letter(&dead)
            .sink_to_list();
        graph.run().unwrap();
        assert_eq!(seen.len() as u32, MANY / 8);
        assert_eq!(count.load(Ordering::Relaxed), MANY - MANY / 8);
        let snapshot = graph.snapshot().unwrap();
        assert_eq!((snapshot.failed(), snapshot.dropped()), (0, 0));
    }
}

#[test]
fn one_that_is_tried_again_at_once_and_often_starves_nobody() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let driving = graph.attach_driver(None);
    let source = graph.source::<u32>();
    let flaky = Arc::new(AtomicU32::new(0));
    let count = flaky.clone();
    source
        .try_map_async(1, move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Err::<u32, _>("no".into()) }
        })
        .retry(Retry::attempts(u32::MAX))
        .sink(drop);
    let other = source.buffer(4).sink_to_list();
    source.emit(1).unwrap();
    driving.turn(std::task::Waker::noop()).unwrap();
    assert_eq!(other.take(), [1]);
    assert!((100..1_000_000).contains(&flaky.load(Ordering::Relaxed)));
}

#[test]
fn threads_that_send_through_retries_lose_nothing_and_keep_their_order() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let dead = graph.source::<Failure>();
    let letters = dead
        .map(|failure| failure.element::<u32>().unwrap())
        .sink_to_list();
    let source = graph.source::<u32>();
    // Every third fails once, every seventh for good.
    let flaky = Flaky::new((0..1_000).map(|x| match (x % 7, x % 3) {
        (0, _) => (x, u32::MAX),
        (_, 0) => (x, 1),
        _ => (x, 0),
    }));
    let seen = source
        .try_map_async(5, flaky.step())
        .retry(
            Retry::attempts(3)
                .fixed(Duration::from_micros(50))
                .jitter(1),
        )
        .by_key(|x| x / 250)
        .dead_letter(&dead)
        .sink_to_list();
    let senders: Vec<_> = (0..4u32)
        .map(|thread| {
            let source = source.clone();
            std::thread::spawn(move || {
                (0..250)
                    .map(|x| block_on(source.send_tracked(250 * thread + x)).unwrap())
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let receipts: Vec<_> = senders
        .into_iter()
        .flat_map(|sender| sender.join().unwrap())
        .collect();
    assert!(block_on(graph.shutdown()).unwrap().complete);
    let (seen, mut letters) = (seen.take(), letters.take());
    for thread in 0..4 {
        assert!(seen.iter().filter(|x| *x / 250 == thread).is_sorted());
    }
    letters.sort_unstable();
    assert!(
        letters
            .iter()
            .copied()
            .eq((0..1_000).filter(|x| x % 7 == 0))
    );
    assert_eq!(seen.len() + letters.len(), 1_000);
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.outcome() == Some(Ok(())))
    );
    drop(driver);
}

#[tokio::test(start_paused = true)]
async fn attempts_keep_tokio_s_time() {
    let graph = Graph::new();
    let driver = graph.spawn();
    let source = graph.source::<u32>();
    let flow = source.try_map_async(1, Flaky::new([(7, 2)]).step());
    let policy = Retry::attempts(3).fixed(Duration::from_secs(3_600));
    let seen = flow
        .retry(policy.max_delay(Duration::from_secs(600)))
        .sink_to_list();
    let begun = tokio::time::Instant::now();
    let receipt = source.send_tracked(7).await.unwrap();
    receipt.await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(1_200));
    assert_eq!(seen.take(), [7]);
    drop(driver);
}

#[test]
fn a_policy_goes_where_tasks_go_and_serves_several_operators() {
    fn movable<T: Send + Sync + Unpin + Clone + std::fmt::Debug>(_: &T) {}
    movable(&Retry::attempts(2).when(|_| true));
}

#[test]
#[should_panic(expected = "dead_letter")]
fn dead_letters_stay_in_their_graph() {
    let other = Graph::new().source::<Failure>();
    let source = Source::<u32>::new();
    let _ = source.try_filter(odd).dead_letter(&other);
}
