//! Elements that wait for a time, or give way to newer ones: against naive oracles, in virtual time.

mod naps;
mod words;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{List, Loss, Lost, Manual, Outcome, Receipt, Speed};
use naps::Night;
use proptest::prelude::*;
use words::{ms, node};

/// A moment in milliseconds, and what came then.
type Timed<T> = (u64, T);

#[derive(Clone, Copy, Debug)]
enum Act {
    Emit,
    /// So many in one batch.
    EmitAll(u8),
    /// An element that fails above the operator.
    Fail,
    Advance(u8),
    /// The driver comes by, and no time passes.
    Settle,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => Just(Act::Emit),
        2 => (0u8..6).prop_map(Act::EmitAll),
        1 => Just(Act::Fail),
        4 => (1u8..25).prop_map(Act::Advance),
        1 => Just(Act::Settle),
    ];
    prop::collection::vec(act, 0..60)
}

/// What an operator was given, and what it made of it: times, elements, fates.
struct Played<O> {
    /// Elements, and those that failed above as errors.
    given: Vec<Timed<Result<u32, u32>>>,
    came: Vec<Timed<O>>,
    closed_at: u64,
    /// Of elements that were emitted one by one, by element.
    outcomes: Vec<(u32, Outcome)>,
    dropped: u64,
}

impl<O> Played<O> {
    fn items(&self) -> Vec<Timed<u32>> {
        let item = |(at, x): &Timed<Result<u32, u32>>| x.ok().map(|x| (*at, x));
        self.given.iter().filter_map(item).collect()
    }
}

/// Plays `acts` to `build`'s operator, closes, and lets time pass until nothing is held.
fn play<O: Clone + Send + 'static>(
    acts: &[Act],
    build: impl FnOnce(BoxedFlow) -> List<O>,
) -> Played<O> {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let time = graph.drive_manually();
    let source = graph.source::<Result<u32, u32>>();
    let list = build(source.try_map(|x| x.map_err(|x| Fell(x).into())).boxed());
    let (mut given, mut came, mut now, mut next) = (Vec::new(), Vec::new(), 0, 0);
    let mut receipts: Vec<(u32, Receipt)> = Vec::new();
    let mut step = |time: &Manual, now: &mut u64, by: u64| {
        for _ in 0..by {
            time.advance(ms(1));
            *now += 1;
            came.extend(list.take().into_iter().map(|x| (*now, x)));
        }
        came.extend(list.take().into_iter().map(|x| (*now, x)));
    };
    for act in acts {
        match *act {
            Act::Emit => {
                given.push((now, Ok(next)));
                receipts.push((next, source.emit_tracked(Ok(next)).unwrap()));
                next += 1;
            }
            Act::EmitAll(n) => {
                let batch = next..next + u32::from(n);
                given.extend(batch.clone().map(|x| (now, Ok(x))));
                source.emit_all(batch.map(Ok)).unwrap();
                next += u32::from(n);
            }
            Act::Fail => {
                given.push((now, Err(next)));
                let _ = source.emit(Err(next));
                next += 1;
            }
            Act::Advance(by) => step(&time, &mut now, by.into()),
            Act::Settle => time.settle(),
        }
        step(&time, &mut now, 0);
    }
    let closed_at = now;
    source.close();
    time.settle();
    step(&time, &mut now, 0);
    while graph.snapshot().unwrap().held() > 0 {
        step(&time, &mut now, 1);
        assert!(now < 100_000, "what is held goes on some day");
    }
    let report = block_on(graph.shutdown()).unwrap();
    Played {
        given,
        came,
        closed_at,
        outcomes: receipts
            .iter()
            .map(|(x, receipt)| (*x, receipt.outcome().expect("all is done")))
            .collect(),
        dropped: report.snapshot.dropped(),
    }
}

type BoxedFlow = headwater::BoxFlow<u32>;

/// An element that failed.
#[derive(Debug)]
struct Fell(u32);

impl std::fmt::Display for Fell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} fell", self.0)
    }
}

impl std::error::Error for Fell {}

/// Makes elements of failures, so that their place and time show: 1 000 more than what failed.
fn caught(failure: headwater::Failure) -> Option<u32> {
    failure
        .error()
        .downcast_ref::<Fell>()
        .map(|Fell(x)| x + 1000)
}

/// Each receipt says whether its element is in what came.
fn check_outcomes<O>(played: &Played<O>, kept: impl Fn(u32) -> bool) -> Result<(), TestCaseError> {
    for (x, outcome) in &played.outcomes {
        let expected = if kept(*x) {
            Ok(())
        } else {
            Err(Lost::Discarded)
        };
        prop_assert_eq!(*outcome, expected, "of {}", x);
    }
    Ok(())
}

/// What a lossy operator lets through, and the check of everything around it.
fn check_lossy(played: &Played<u32>, kept: &[Timed<u32>]) -> Result<(), TestCaseError> {
    prop_assert_eq!(&played.came, kept);
    let lost = played.items().len() - kept.len();
    prop_assert_eq!(played.dropped, lost as u64);
    check_outcomes(played, |x| kept.iter().any(|(_, k)| *k == x))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Failures take as long as elements.
    #[test]
    fn delay_lets_everything_come_later_by_the_same_time(acts in acts(), by in 1u64..40) {
        let played = play(&acts, |flow| flow.delay(ms(by)).catch(caught).sink_to_list());
        let expected: Vec<_> = played
            .given
            .iter()
            .map(|(at, x)| (at + by, x.unwrap_or_else(|x| x + 1000)))
            .collect();
        prop_assert_eq!(&played.came, &expected);
        check_outcomes(&played, |_| true)?;
    }

    /// Failures wait for those in front of them, and take no slot.
    #[test]
    fn rate_limit_lets_each_go_as_soon_as_the_rate_allows(
        acts in acts(),
        within in 1u64..40,
        n in 1usize..4,
    ) {
        let played = play(&acts, |flow| {
            flow.rate_limit(ms(within)).at_most(n).catch(caught).sink_to_list()
        });
        let (mut last, mut went, mut expected) = (0, Vec::<u64>::new(), Vec::new());
        for (at, x) in &played.given {
            let mut goes = last.max(*at);
            if x.is_ok() {
                if let Some(first) = went.len().checked_sub(n).map(|i| went[i]) {
                    goes = goes.max(first + within);
                }
                went.push(goes);
            }
            last = goes;
            expected.push((goes, x.unwrap_or_else(|x| x + 1000)));
        }
        prop_assert_eq!(&played.came, &expected);
        check_outcomes(&played, |_| true)?;
    }

    #[test]
    fn throttle_lets_the_first_pass_and_drops_the_others(acts in acts(), within in 1u64..40) {
        let played = play(&acts, |flow| flow.throttle(ms(within)).sink_to_list());
        let (mut open, mut expected) = (0, Vec::new());
        for (at, x) in played.items() {
            if at >= open {
                expected.push((at, x));
                open = at + within;
            }
        }
        check_lossy(&played, &expected)?;
    }

    #[test]
    fn sample_lets_the_newest_of_each_stretch_go(acts in acts(), every in 1u64..40) {
        let played = play(&acts, |flow| flow.sample(ms(every)).sink_to_list());
        let items = played.items();
        let expected: Vec<_> = items
            .chunk_by(|a, b| a.0 / every == b.0 / every)
            .map(|stretch| stretch[stretch.len() - 1])
            .map(|(at, x)| (((at / every + 1) * every).min(played.closed_at), x))
            .collect();
        check_lossy(&played, &expected)?;
    }

    #[test]
    fn debounce_lets_the_last_before_a_pause_go(acts in acts(), pause in 1u64..40) {
        let played = play(&acts, |flow| flow.debounce(ms(pause)).sink_to_list());
        let items = played.items();
        let expected: Vec<_> = items
            .iter()
            .enumerate()
            .filter(|(i, (at, _))| items.get(i + 1).is_none_or(|next| next.0 >= at + pause))
            .map(|(_, (at, x))| ((at + pause).min(played.closed_at), *x))
            .collect();
        check_lossy(&played, &expected)?;
    }

    /// The driver comes by when time is moved or settled; between that, one element waits.
    #[test]
    fn latest_lets_the_newest_go_with_each_turn_of_the_driver(acts in acts()) {
        let played = play(&acts, |flow| flow.latest().sink_to_list());
        let expected = turns(&acts).into_iter().map(|(at, xs)| (at, xs[xs.len() - 1]));
        check_lossy(&played, &expected.collect::<Vec<_>>())?;
    }

    #[test]
    fn conflate_merges_what_comes_between_two_turns_of_the_driver(acts in acts()) {
        let played = play(&acts, |flow| {
            flow.map(|x| vec![x]).conflate(|waiting, mut more| waiting.append(&mut more)).sink_to_list()
        });
        prop_assert_eq!(&played.came, &turns(&acts));
        prop_assert_eq!(played.dropped, 0);
        check_outcomes(&played, |_| true)?;
    }

    /// Once in each stretch; the first begins with the driver's first turn.
    #[test]
    fn on_idle_speaks_up_once_in_each_stretch(acts in acts(), quiet in 1u64..40) {
        let played = play(&acts, |flow| {
            flow.on_idle(ms(quiet), || 9999).map(|x| x).sink_to_list()
        });
        let mut expected = Vec::new();
        let mut idle_from = acts
            .iter()
            .any(|act| matches!(act, Act::Settle | Act::Advance(_)))
            .then_some(quiet);
        for (at, x) in played.items() {
            if let Some(idle) = idle_from.filter(|idle| *idle <= at) {
                expected.push((idle, 9999));
            }
            expected.push((at, x));
            idle_from = Some(at + quiet);
        }
        if let Some(idle) = idle_from.filter(|idle| *idle <= played.closed_at) {
            expected.push((idle, 9999));
        }
        prop_assert_eq!(&played.came, &expected);
        check_outcomes(&played, |_| true)?;
    }

    /// Distances to the latest timestamp so far, divided by the speed, long ones cut.
    #[test]
    fn pace_keeps_the_distances_of_the_timestamps(
        acts in acts(),
        stamps in prop::collection::vec(0u64..500, 500),
        speed in prop_oneof![Just(0.5), Just(1.0), Just(4.0)],
        pause in prop::option::of(1u64..100),
    ) {
        let stamped = stamps.clone();
        let played = play(&acts, move |flow| {
            let paced = flow.pace(move |x| Time::from_millis(stamped[*x as usize]), speed);
            match pause {
                Some(pause) => paced.max_pause(ms(pause)).sink_to_list(),
                None => paced.sink_to_list(),
            }
        });
        let (mut last, mut latest, mut recorded) = (0, None, 0u64);
        let mut start = 0;
        let mut expected = Vec::new();
        for (at, x) in played.items() {
            let stamp = stamps[x as usize];
            match &mut latest {
                None => (latest, start) = (Some(stamp), at),
                Some(latest) => {
                    recorded += stamp.saturating_sub(*latest).min(pause.unwrap_or(u64::MAX));
                    *latest = stamp.max(*latest);
                }
            }
            // The clock is moved in whole milliseconds.
            let due = start + (recorded as f64 / speed).ceil() as u64;
            last = due.max(at).max(last);
            expected.push((last, x));
        }
        prop_assert_eq!(&played.came, &expected);
        check_outcomes(&played, |_| true)?;
    }
}

/// What comes between any two turns of the driver, with the time of the later one. A step of time
/// first lets the driver come by.
fn turns(acts: &[Act]) -> Vec<Timed<Vec<u32>>> {
    let (mut now, mut next, mut waiting, mut out) = (0, 0, Vec::new(), Vec::new());
    let mut turn = |at: u64, waiting: &mut Vec<u32>| {
        if !waiting.is_empty() {
            out.push((at, std::mem::take(waiting)));
        }
    };
    for act in acts {
        match act {
            Act::Emit => {
                waiting.push(next);
                next += 1;
            }
            Act::EmitAll(n) => {
                waiting.extend(next..next + u32::from(*n));
                next += u32::from(*n);
            }
            Act::Fail => next += 1,
            Act::Advance(by) => {
                // It settles before it moves, and the list is looked at after.
                turn(now + 1, &mut waiting);
                now += u64::from(*by);
            }
            Act::Settle => turn(now, &mut waiting),
        }
    }
    turn(now, &mut waiting);
    out
}

/// What came through `build`'s operator and a consumer that takes `nap` for each element, after a
/// close at a moment when it is busy.
fn play_slowly<O: Send + 'static>(
    acts: &[Act],
    nap: u64,
    build: impl FnOnce(&Source<u32>, &Night) -> List<O>,
) -> (Vec<O>, Vec<(u32, Outcome)>, u64) {
    let graph = Graph::new();
    let night = Night::new(graph.drive_manually());
    let source = graph.source::<u32>();
    let list = build(&source, &night);
    let (mut receipts, mut next) = (Vec::<(u32, Receipt)>::new(), 0);
    // Naps that begin on the way of a longer step would begin too early.
    let sleep = |by: u64| (0..by).for_each(|_| night.advance(1));
    for act in acts {
        match *act {
            Act::Emit | Act::Fail | Act::EmitAll(_) => match source.emit_tracked(next) {
                Ok(receipt) => {
                    receipts.push((next, receipt));
                    next += 1;
                }
                Err(error) => assert!(error.is_full(), "{error:?}"),
            },
            Act::Advance(by) => sleep(by.into()),
            Act::Settle => night.settle(),
        }
    }
    source.close();
    // More than enough for all of them, one after the other.
    sleep(100 + u64::from(next) * (nap + 20));
    let outcomes = receipts
        .iter()
        .map(|(x, receipt)| (*x, receipt.outcome().expect("all is done")))
        .collect();
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(snapshot.held(), 0);
    let shutdown = block_on(graph.shutdown()).unwrap();
    assert!(shutdown.complete);
    (list.take(), outcomes, snapshot.dropped())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Behind them somebody is busy: those that lose nothing lose nothing, in order; of those that
    /// do, each loss is counted and told, and the newest arrives.
    #[test]
    fn a_slow_consumer_changes_when_but_not_what_is_promised(
        acts in acts(),
        nap in 1u64..60,
        which in 0usize..8,
        capacity in 1usize..5,
    ) {
        let (out, outcomes, dropped) = play_slowly(&acts, nap, |source, night| {
            let flow = match which {
                0 => source.delay(ms(20)).capacity(capacity).boxed(),
                1 => source.rate_limit(ms(10)).capacity(capacity).boxed(),
                2 => source.pace(|x| Time::from_millis(u64::from(*x) * 7), 1.0).capacity(capacity).boxed(),
                3 => source.pace(|x| Time::from_millis(u64::from(*x)), Speed::Max).capacity(capacity).boxed(),
                4 => source.latest().boxed(),
                5 => source.sample(ms(10)).boxed(),
                6 => source.debounce(ms(10)).boxed(),
                _ => source.throttle(ms(10)).boxed(),
            };
            let clock = night.clock.clone();
            flow.map_async(1, move |x| {
                let work = clock.sleep(nap);
                async move {
                    work.await;
                    x
                }
            })
            .sink_to_list()
        });
        prop_assert!(out.is_sorted());
        prop_assert_eq!(out.len() as u64 + dropped, outcomes.len() as u64);
        for (x, outcome) in &outcomes {
            let expected = if out.contains(x) { Ok(()) } else { Err(Lost::Discarded) };
            prop_assert_eq!(*outcome, expected);
        }
        if which < 4 {
            prop_assert_eq!(dropped, 0);
        } else if which < 7 {
            prop_assert_eq!(out.last().copied(), outcomes.last().map(|(x, _)| *x));
        }
    }

    #[test]
    fn conflate_loses_nothing_to_a_slow_consumer(acts in acts(), nap in 1u64..60) {
        let (out, outcomes, dropped) = play_slowly(&acts, nap, |source, night| {
            let clock = night.clock.clone();
            source
                .map(|x| vec![x])
                .conflate(|waiting, mut more| waiting.append(&mut more))
                .map_async(1, move |xs| {
                    let work = clock.sleep(nap);
                    async move {
                        work.await;
                        xs
                    }
                })
                .sink_to_list()
        });
        let merged: Vec<u32> = out.concat();
        prop_assert!(merged.iter().copied().eq(0..outcomes.len() as u32));
        prop_assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()));
        prop_assert_eq!(dropped, 0);
    }
}

/// A consumer that is busy for as long as the test likes.
fn stuck<T: Send + 'static>(flow: impl Flow<Item = T>) -> Arc<AtomicUsize> {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    flow.sink_async(1, move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        futures::future::pending()
    });
    taken
}

#[test]
fn a_full_delay_makes_the_origin_wait_until_the_first_has_gone() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.delay(ms(10)).capacity(2).sink_to_list();
    let error = source.emit_all(0..3).unwrap_err();
    assert_eq!(error.accepted, 2);
    let held = node(&graph, "delay");
    assert_eq!((held.counts.held, held.counts.capacity), (2, 2));
    assert_eq!(held.blocked_since, Some(Time::ZERO));
    time.advance(ms(10));
    assert_eq!(list.take(), [0, 1]);
    assert_eq!(node(&graph, "delay").blocked_since, None);
    source.emit(2).unwrap();
    time.advance(ms(10));
    assert_eq!(list.take(), [2]);
}

#[test]
fn whoever_waits_in_front_of_a_rate_limit_gets_in_one_by_one() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.rate_limit(ms(10)).capacity(1).sink_to_list();
    let sender = std::thread::spawn(move || {
        for x in 0..5 {
            source.blocking_send(x).unwrap();
        }
    });
    while list.len() < 5 {
        time.advance(ms(10));
        std::thread::yield_now();
    }
    sender.join().unwrap();
    assert!(time.now() >= Time::from_millis(40));
    assert_eq!(list.take(), [0, 1, 2, 3, 4]);
}

#[test]
fn an_iterator_in_front_of_pace_is_asked_for_no_more_than_may_wait() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let recording = (0u64..).inspect(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let list = graph
        .from_iter(recording)
        .pace(|x| Time::from_millis(100 * x), 1.0)
        .capacity(8)
        .sink_to_list();
    time.settle();
    assert_eq!(list.len(), 1);
    assert!(asked.load(Ordering::Relaxed) <= 9);
    time.advance(ms(10_000));
    assert_eq!(list.len(), 101);
    assert!(asked.load(Ordering::Relaxed) <= 109);
}

#[test]
fn what_waits_for_its_time_keeps_it_when_the_source_closes() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let delayed = source.delay(ms(50)).sink_to_list();
    let limited = source.rate_limit(ms(30)).sink_to_list();
    let paced = source
        .pace(|x| Time::from_millis(40 * u64::from(*x)), 1.0)
        .sink_to_list();
    source.emit_all([0, 1]).unwrap();
    source.close();
    assert!(delayed.is_empty());
    assert_eq!((limited.len(), paced.len()), (1, 1));
    time.advance(ms(29));
    assert_eq!(limited.len(), 1);
    time.advance(ms(1));
    assert_eq!((limited.len(), paced.len()), (2, 1));
    time.advance(ms(10));
    assert_eq!((delayed.len(), paced.len()), (0, 2));
    time.advance(ms(10));
    assert_eq!(delayed.take(), [0, 1]);
    assert!(block_on(graph.shutdown()).unwrap().complete);
}

#[test]
fn a_shutdown_waits_for_what_is_delayed_and_one_with_a_limit_does_not() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.delay(ms(50)).sink_to_list();
    let receipt = source.emit_tracked(1).unwrap();
    let report = graph.close().unwrap();
    assert!(report.complete);
    assert_eq!(report.snapshot.at, Time::from_millis(50));
    assert_eq!(list.take(), [1]);
    assert_eq!(receipt.outcome(), Some(Ok(())));

    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let list = source.delay(Duration::from_secs(3600)).sink_to_list();
    let receipt = source.emit_tracked(1).unwrap();
    let report = block_on(graph.shutdown_within(ms(5))).unwrap();
    assert!(!report.complete);
    assert_eq!(report.snapshot.named("delay").unwrap().counts.held, 1);
    assert!(list.is_empty());
    assert_eq!(block_on(receipt), Err(Lost::TornDown));
    drop(driver);
}

#[test]
fn the_newest_element_outlives_a_close_while_somebody_is_full() {
    let graph = Graph::new();
    let night = Night::new(graph.drive_manually());
    let source = graph.source::<u32>();
    let slow = |flow: headwater::BoxFlow<u32>| {
        let clock = night.clock.clone();
        let list = Arc::new(Mutex::new(Vec::new()));
        let writer = list.clone();
        flow.sink_async(1, move |x| {
            let (work, list) = (clock.sleep(1000), writer.clone());
            async move {
                work.await;
                list.lock().unwrap().push(x);
            }
        });
        list
    };
    let lists = [
        slow(source.latest().boxed()),
        slow(source.sample(ms(10)).boxed()),
        slow(source.debounce(ms(10)).boxed()),
    ];
    for x in 0..4 {
        night.emit_waiting(&source, x);
        night.advance(10);
    }
    source.close();
    night.advance(500);
    assert_eq!(graph.snapshot().unwrap().held(), 6);
    night.advance(3000);
    for list in lists {
        assert_eq!(*list.lock().unwrap(), [0, 3]);
    }
    assert!(block_on(graph.shutdown()).unwrap().complete);
}

#[test]
fn where_much_comes_and_nothing_goes_one_element_is_held() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let taken = [
        stuck(source.latest()),
        stuck(source.conflate(|sum, x| *sum = sum.wrapping_add(x))),
        stuck(source.sample(ms(1))),
        stuck(source.debounce(ms(1))),
    ];
    for x in 0..1000 {
        source.emit(x).unwrap();
        time.advance(ms(1));
    }
    let snapshot = graph.snapshot().unwrap();
    for (kind, lost) in [
        ("latest", 998),
        ("conflate", 0),
        ("sample", 998),
        ("debounce", 998),
    ] {
        let counts = snapshot.named(kind).unwrap().counts;
        assert_eq!((counts.held, counts.capacity), (1, 1), "{kind}");
        assert_eq!(counts.passed, 1000, "{kind}");
        assert_eq!(counts.lost(Loss::Superseded), lost, "{kind}");
    }
    assert!(taken.iter().all(|taken| taken.load(Ordering::Relaxed) == 1));
}

fn even(x: u32) -> Result<u32, BoxError> {
    if x.is_multiple_of(2) {
        Ok(x)
    } else {
        Err(Fell(x).into())
    }
}

#[test]
fn a_failure_passes_at_once_where_elements_give_way_to_others() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let evens = source.try_map(even).share();
    let lists = [
        evens.latest().catch(caught).sink_to_list(),
        evens
            .conflate(|waiting, newer| *waiting = newer)
            .catch(caught)
            .sink_to_list(),
        evens.sample(ms(10)).catch(caught).sink_to_list(),
        evens.debounce(ms(10)).catch(caught).sink_to_list(),
    ];
    source.emit(2).unwrap();
    // At a fork the failure is reported, and only its place goes on: nothing comes of that.
    assert!(source.emit(3).is_err());
    time.advance(ms(10));
    assert!(lists.iter().all(|list| list.take() == [2]));

    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .try_map(even)
        .debounce(ms(10))
        .catch(caught)
        .sink_to_list();
    source.emit(2).unwrap();
    source.emit(3).unwrap();
    assert_eq!(list.take(), [1003]);
    time.advance(ms(10));
    assert_eq!(list.take(), [2]);
}

#[test]
fn a_zip_behind_delay_rate_limit_or_pace_never_shifts() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let evens = source.try_map(even).share();
    let pairs = [
        source.zip(evens.delay(ms(5))).sink_to_list(),
        source.zip(evens.rate_limit(ms(5))).sink_to_list(),
        source
            .zip(evens.pace(|x| Time::from_millis(u64::from(*x)), 1.0))
            .sink_to_list(),
        source.zip(evens.throttle(ms(1))).sink_to_list(),
        source.zip(evens.on_idle(ms(1000), || 9999)).sink_to_list(),
    ];
    for x in 0..7 {
        let _ = source.emit(x);
        time.advance(ms(1));
    }
    time.advance(ms(100));
    for pairs in pairs {
        assert_eq!(pairs.take(), [(0, 0), (2, 2), (4, 4), (6, 6)]);
    }
}

#[test]
fn throttle_counts_what_it_drops_and_needs_no_driver() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source.throttle(Duration::from_secs(3600)).sink_to_list();
    let first = source.emit_tracked(0).unwrap();
    let second = source.emit_tracked(1).unwrap();
    assert_eq!(source.emit_all(2..10).unwrap(), 8);
    assert_eq!(list.take(), [0]);
    assert_eq!(first.outcome(), Some(Ok(())));
    assert_eq!(second.outcome(), Some(Err(Lost::Discarded)));
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(
        snapshot
            .named("throttle")
            .unwrap()
            .counts
            .lost(Loss::Excess),
        9
    );
    assert!(snapshot.to_string().contains("9 excess"), "{snapshot}");
}

#[test]
fn what_holds_an_element_for_a_time_says_that_it_needs_a_driver() {
    let source = Source::<u32>::new();
    source.delay(ms(1)).sink(drop);
    assert!(matches!(source.emit(1), Err(EmitError::Undriven(1))));
    let source = Source::<u32>::new();
    source.latest().sink(drop);
    assert!(matches!(source.emit(1), Err(EmitError::Undriven(1))));
}

/// Data that lead the clock bring the time along, and with the last of them it runs out.
#[test]
fn where_the_data_lead_the_clock_nobody_need_drive_and_a_close_lets_all_go() {
    let source = Source::<u64>::new();
    source.lead_clock(|x| Time::from_millis(*x));
    let delayed = source.delay(ms(100)).sink_to_list();
    let limited = source.rate_limit(ms(300)).sink_to_list();
    let paced = source.pace(|x| Time::from_millis(*x), 1.0).sink_to_list();
    let slow = source.pace(|x| Time::from_millis(*x), 0.5).sink_to_list();
    let bounced = source.debounce(ms(60)).sink_to_list();
    let idle = source.on_idle(ms(90), || 9999).sink_to_list();
    source.emit_all([1000, 1050, 1100, 1200, 5000]).unwrap();
    assert_eq!(delayed.get(), [1000, 1050, 1100, 1200]);
    assert_eq!(limited.get(), [1000, 1050, 1100, 1200, 5000]);
    assert_eq!(paced.get(), [1000, 1050, 1100, 1200, 5000]);
    assert_eq!(slow.get(), [1000, 1050, 1100, 1200]);
    assert_eq!(bounced.get(), [1100, 1200]);
    assert_eq!(idle.take(), [1000, 1050, 1100, 9999, 1200, 9999, 5000]);
    source.close();
    for list in [delayed, limited, paced, slow] {
        assert_eq!(list.take(), [1000, 1050, 1100, 1200, 5000]);
    }
    assert_eq!(bounced.take(), [1100, 1200, 5000]);
    assert!(idle.is_empty());
    assert!(block_on(source.graph().shutdown()).unwrap().complete);
}

#[test]
fn run_goes_on_until_what_waits_for_its_time_has_gone() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let list = graph
        .from_iter(0..4u32)
        .try_map(even)
        .delay(ms(20))
        .rate_limit(ms(5))
        .catch(caught)
        .sink_to_list();
    let start = std::time::Instant::now();
    graph.run().unwrap();
    assert_eq!(list.take(), [0, 1001, 2, 1003]);
    assert!(start.elapsed() >= ms(25));
}

#[test]
fn a_recording_that_leads_the_clock_is_delayed_in_its_own_time() {
    let graph = Graph::new();
    let list = graph
        .from_iter([0u64, 3_600_000, 7_200_000])
        .lead_clock(|x| Time::from_millis(*x))
        .delay(Duration::from_secs(60))
        .sink_to_list();
    graph.run().unwrap();
    assert_eq!(list.take(), [0, 3_600_000, 7_200_000]);
}

#[test]
fn on_idle_holds_its_tongue_while_somebody_is_full_and_counts_what_it_skips() {
    let graph = Graph::new();
    let night = Night::new(graph.drive_manually());
    let source = graph.source::<u32>();
    let clock = night.clock.clone();
    let list = source
        .on_idle(ms(10), || 99)
        .filter(|x| *x == 99)
        .map_async(1, move |x| {
            let work = clock.sleep(30);
            async move {
                work.await;
                x
            }
        })
        .sink_to_list();
    let until = |at: u64| (night.clock.now()..at).for_each(|_| night.advance(1));
    until(12);
    source.emit(1).unwrap();
    // Idle again from 22 on, and the consumer is busy.
    until(29);
    source.emit(2).unwrap();
    assert_eq!(node(&graph, "on_idle").counts.skipped, 1);
    until(39);
    assert_eq!(list.get(), [99]);
    until(100);
    assert_eq!(list.get(), [99, 99]);
}

#[test]
fn as_fast_as_the_machine_is_at_once() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u64>();
    let list = source
        .pace(|x| Time::from_millis(*x), Speed::Max)
        .sink_to_list();
    source.emit_all([0, 3_600_000, 5, 7_200_000]).unwrap();
    assert_eq!(list.take(), [0, 3_600_000, 5, 7_200_000]);
}

#[test]
fn a_replay_does_not_drift_and_takes_distances_of_any_length() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let list = graph
        .from_iter(0..1000u64)
        .pace(|x| Time::from_nanos(x * 1_000_000), 3.0)
        .sink_to_list();
    time.advance(Duration::from_nanos(332_999_999));
    assert_eq!(list.len(), 999);
    time.advance(Duration::from_nanos(1));
    assert_eq!(list.len(), 1000);

    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    let list = source.pace(|x| Time::from_nanos(*x), 1e-300).sink_to_list();
    source.emit_all([0, u64::MAX]).unwrap();
    time.advance(Duration::from_secs(1_000_000_000));
    assert_eq!(list.take(), [0]);
}

#[test]
fn a_branch_that_is_taken_off_drains_at_its_time() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.delay(ms(10)).sink_to_list();
    source.emit(1).unwrap();
    list.branch().clone().disconnect();
    source.emit(2).unwrap();
    assert_eq!(node(&graph, "delay").counts.held, 1);
    time.advance(ms(10));
    assert_eq!(list.take(), [1]);
}

#[test]
fn a_delayed_element_may_come_round_again() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let again = source.downgrade();
    let list = source
        .delay(ms(10))
        .inspect(move |x| {
            if *x < 3 {
                again.emit(x + 1).unwrap();
            }
        })
        .sink_to_list();
    source.emit(0).unwrap();
    time.advance(ms(25));
    assert_eq!(list.get(), [0, 1]);
    time.advance(ms(100));
    assert_eq!(list.take(), [0, 1, 2, 3]);
}

#[test]
fn what_was_merged_fails_together() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    source.conflate(|sum, x| *sum += x).try_map(even).sink(drop);
    let receipts = [1, 2].map(|x| source.emit_tracked(x).unwrap());
    assert!(receipts.iter().all(|r| r.outcome().is_none()));
    time.settle();
    assert!(
        receipts
            .iter()
            .all(|r| r.outcome() == Some(Err(Lost::Failed)))
    );
}

fn said(build: impl FnOnce(&Source<u32>) + std::panic::UnwindSafe) -> String {
    let source = std::panic::AssertUnwindSafe(Source::<u32>::new());
    let panic = std::panic::catch_unwind(move || build(&source)).unwrap_err();
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn times_capacities_and_speeds_that_make_no_sense_are_refused_with_a_sentence() {
    let zero = Duration::ZERO;
    assert_eq!(
        said(move |s| drop(s.delay(zero))),
        "`delay` of zero would change nothing: give it a longer time, or leave it out"
    );
    assert!(said(move |s| drop(s.rate_limit(zero))).starts_with("`rate_limit` of zero"));
    assert!(said(move |s| drop(s.throttle(zero))).starts_with("`throttle` of zero"));
    assert!(said(move |s| drop(s.sample(zero))).starts_with("`sample` of zero"));
    assert!(said(move |s| drop(s.debounce(zero))).starts_with("`debounce` of zero"));
    assert!(said(move |s| drop(s.on_idle(zero, || 0))).starts_with("`on_idle` after zero"));
    assert_eq!(
        said(|s| drop(s.delay(ms(1)).capacity(0))),
        "`capacity(0)` could hold nothing: let at least 1 element wait"
    );
    assert!(said(|s| drop(s.rate_limit(ms(1)).at_most(0))).starts_with("`at_most(0)`"));
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let text = said(move |s| drop(s.pace(|_| Time::ZERO, speed)));
        assert_eq!(
            text,
            format!(
                "`pace` can't replay at Times({speed:?}): give it a speed above 0, or `Speed::Max`"
            )
        );
        assert!(speed.to_string().parse::<Speed>().is_err());
    }
    let pause = said(move |s| drop(s.pace(|_| Time::ZERO, 1.0).max_pause(zero)));
    assert!(pause.starts_with("`max_pause` of zero"));
    assert_eq!("10x".parse(), Ok(Speed::Times(10.0)));
    assert_eq!(
        "fast".parse::<Speed>().unwrap_err().to_string(),
        "\"fast\" is not a speed: give a number above 0, or \"max\""
    );
}

#[test]
fn what_is_due_together_goes_in_turns_that_others_share() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let order = Arc::new(Mutex::new(Vec::new()));
    let (first, second) = (order.clone(), order.clone());
    source
        .delay(ms(10))
        .sink(move |_| first.lock().unwrap().push('a'));
    source
        .delay(ms(10))
        .sink(move |_| second.lock().unwrap().push('b'));
    source.emit_all(0..1000).unwrap();
    time.advance(ms(10));
    let order = order.lock().unwrap();
    assert_eq!(order.len(), 2000);
    assert!(order[..600].contains(&'b'));
    assert!(order[1500..].contains(&'a'));
}

#[test]
fn a_zip_that_waits_for_what_is_delayed_does_not_starve() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let pairs = source.zip(source.delay(ms(10))).capacity(2).sink_to_list();
    source.emit(0).unwrap();
    source.emit(1).unwrap();
    time.advance(ms(5));
    assert!(source.emit(2).unwrap_err().is_full());
    time.advance(ms(5));
    assert_eq!(pairs.take(), [(0, 0), (1, 1)]);
    source.emit(2).unwrap();
    source.close();
    time.advance(ms(10));
    assert_eq!(pairs.take(), [(2, 2)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Live, by a driver's clock, or replayed, by the data's own: the same comes out.
    #[test]
    fn it_is_the_same_whoever_moves_the_clock(
        acts in acts(),
        d in 1u64..40,
        which in 0usize..6,
        in_batches in any::<bool>(),
    ) {
        let build = move |flow: BoxedFlow| match which {
            0 => flow.delay(ms(d)).sink_to_list(),
            1 => flow.rate_limit(ms(d)).at_most(2).sink_to_list(),
            2 => flow.throttle(ms(d)).sink_to_list(),
            3 => flow.sample(ms(d)).sink_to_list(),
            4 => flow.debounce(ms(d)).sink_to_list(),
            _ => flow.pace(|x| Time::from_millis(u64::from(x / 2) * 9), 1.0).sink_to_list(),
        };
        let played = play(&acts, build);
        let source = Source::<Timed<u32>>::new();
        source.lead_clock(|(at, _)| Time::from_millis(*at));
        let list = build(source.map(|(_, x)| x).boxed());
        if in_batches {
            source.emit_all(played.items()).unwrap();
        } else {
            played.items().into_iter().for_each(|item| source.emit(item).unwrap());
        }
        source.close();
        let came: Vec<_> = played.came.iter().map(|(_, x)| *x).collect();
        prop_assert_eq!(list.take(), came);
    }
}

#[test]
fn four_threads_lose_nothing_in_what_loses_nothing() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let delayed = source.delay(ms(1)).capacity(64).sink_to_list();
    let limited = source
        .rate_limit(Duration::from_micros(1))
        .at_most(3)
        .sink_to_list();
    let merged = source
        .map(|x| vec![x])
        .conflate(|waiting, mut more| waiting.append(&mut more))
        .sink_to_list();
    let newest = source.latest().sink_to_list();
    let senders: Vec<_> = (0..4)
        .map(|thread| {
            let source = source.clone();
            std::thread::spawn(move || {
                for x in 0..500 {
                    source.blocking_send(thread * 1000 + x).unwrap();
                }
            })
        })
        .collect();
    senders
        .into_iter()
        .for_each(|sender| sender.join().unwrap());
    let report = block_on(graph.shutdown()).unwrap();
    assert!(report.complete);
    let all = delayed.take();
    assert_eq!(all.len(), 2000);
    for thread in 0..4 {
        let own = all.iter().filter(|x| **x / 1000 == thread);
        assert!(own.copied().eq(thread * 1000..thread * 1000 + 500));
    }
    assert_eq!(limited.take(), all);
    assert_eq!(merged.take().concat(), all);
    let newest = newest.take();
    assert_eq!(newest.last(), all.last());
    let lost = report.snapshot.named("latest").unwrap().counts.dropped();
    assert_eq!(newest.len() as u64 + lost, 2000);
    drop(driver);
}

#[test]
fn a_closure_that_panics_on_what_waits_loses_all_of_it_and_says_so() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    source.conflate(|_, _| panic!("no")).sink(drop);
    let waiting = source.emit_tracked(1).unwrap();
    let emit = std::panic::AssertUnwindSafe(|| source.emit_tracked(2));
    assert!(std::panic::catch_unwind(emit).is_err());
    time.settle();
    assert_eq!(waiting.outcome(), Some(Err(Lost::TornDown)));
    assert!(matches!(source.emit(3), Err(EmitError::Poisoned(3))));
}

#[test]
fn a_failure_of_what_waited_is_not_the_emitters() {
    let graph = Graph::new();
    let failed = Arc::new(AtomicUsize::new(0));
    let count = failed.clone();
    graph.on_error(OnError::call(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let source = graph.source::<u32>();
    source.lead_clock(|x| Time::from_millis(u64::from(*x)));
    source.delay(ms(5)).try_map(even).sink(drop);
    source.sample(ms(10)).try_map(even).sink(drop);
    source.debounce(ms(10)).try_map(even).sink(drop);
    source
        .on_idle(ms(10), || 1)
        .filter(|x| *x == 1)
        .try_map(even)
        .sink(drop);
    for x in [101, 200, 300] {
        source.emit(x).unwrap();
    }
    // Of 101 three times, and of what on_idle made twice.
    assert_eq!(failed.load(Ordering::Relaxed), 5);
}

#[test]
fn a_branch_of_latest_that_is_taken_off_lets_the_newest_go() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.latest().sink_to_list();
    source.emit_all([1, 2]).unwrap();
    list.branch().clone().disconnect();
    source.emit(3).unwrap();
    time.settle();
    assert_eq!(list.take(), [2]);
}

#[test]
fn nothing_is_allocated_for_an_element_that_waits_or_gives_way() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    source.delay(ms(2)).sink(drop);
    source.rate_limit(ms(1)).at_most(50).sink(drop);
    source.pace(|x| Time::from_millis(x / 40), 1.0).sink(drop);
    source.throttle(ms(3)).sink(drop);
    source.sample(ms(3)).sink(drop);
    source.debounce(ms(1)).sink(drop);
    source.latest().sink(drop);
    source.conflate(|sum, x| *sum += x).sink(drop);
    source.on_idle(ms(1), || 0).sink(drop);
    let mut next = 0;
    let mut play = |steps: u64| {
        for _ in 0..steps {
            for _ in 0..40 {
                source.emit(next).unwrap();
                next += 1;
            }
            time.advance(ms(1));
        }
    };
    play(50);
    let allocated = allocation_counter::measure(|| play(100));
    // A turn of the driver has its wakers, and there were forty elements to each.
    assert!(allocated.count_total <= 4 * 100, "{allocated:?}");
}

#[tokio::test(start_paused = true)]
async fn on_tokios_clock_a_replay_takes_as_long_as_the_recording() {
    let graph = Graph::new();
    let start = tokio::time::Instant::now();
    let list = graph
        .from_iter([0u64, 60, 3600])
        .pace(|x| Time::from(Duration::from_secs(*x)), 2.0)
        .map(move |x| (x, start.elapsed().as_secs()))
        .sink_to_list();
    graph.spawn().await.unwrap();
    assert_eq!(list.take(), [(0, 0), (60, 30), (3600, 1800)]);
}
