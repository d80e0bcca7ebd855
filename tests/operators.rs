//! Every operator that no other file holds against a naive one, with elements one by one, all at
//! once and in batches cut anywhere; and what sinks that are pending, slow, failing or panicking
//! may not break.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use futures::channel::{mpsc, oneshot};
use futures::executor::block_on;
use futures::stream::{self, StreamExt};
use headwater::prelude::*;
use headwater::{
    BoxFlow, EmitError, Lost, OnFull, Outcome, Receipt, combine_latest, union, union_all, zip,
    zip_all,
};
use proptest::prelude::*;

type Log<T> = Arc<Mutex<Vec<T>>>;

fn log<T>() -> Log<T> {
    Arc::default()
}

fn taken<T>(log: &Log<T>) -> Vec<T> {
    std::mem::take(&mut log.lock().unwrap())
}

fn noted<T: Send + 'static>(log: &Log<T>) -> impl Fn(T) + Send + Sync + Clone + 'static {
    let log = log.clone();
    move |x| log.lock().unwrap().push(x)
}

/// How elements come in.
#[derive(Clone, Debug)]
enum Way {
    OneByOne,
    All,
    Cut(Vec<usize>),
}

fn ways() -> impl Strategy<Value = Way> {
    prop_oneof![
        Just(Way::OneByOne),
        Just(Way::All),
        prop::collection::vec(1..20usize, 1..5).prop_map(Way::Cut),
    ]
}

/// Emits all: where somebody is full, `make_room` comes by. Failures are accepted elements.
fn feed(source: &Source<i64>, items: &[i64], way: &Way, make_room: &dyn Fn()) {
    let sizes = match way {
        Way::OneByOne => vec![1],
        Way::All => vec![items.len().max(1)],
        Way::Cut(sizes) => sizes.clone(),
    };
    let (mut rest, mut sizes) = (items, sizes.iter().cycle());
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
        let mut batch = batch.iter().copied().peekable();
        let mut refused = None;
        while refused.is_some() || batch.peek().is_some() {
            let outcome = match refused.take() {
                Some(x) => source.emit(x),
                None if matches!(way, Way::OneByOne) => source.emit(batch.next().unwrap()),
                None => source
                    .emit_all(batch.by_ref())
                    .map(drop)
                    .map_err(|e| e.cause),
            };
            match outcome {
                Ok(()) | Err(EmitError::Failed(_)) => {}
                Err(EmitError::Full(x)) => {
                    refused = Some(x);
                    make_room();
                }
                Err(other) => panic!("{other}"),
            }
        }
        rest = after;
    }
}

/// What comes out of `build` until all is through, in a graph that is driven by hand.
fn outputs<U: Send + 'static>(
    items: &[i64],
    way: &Way,
    build: impl Fn(&Source<i64>, Log<U>),
) -> Vec<U> {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let time = graph.drive_manually();
    let source = graph.source();
    let out = log();
    build(&source, out.clone());
    feed(&source, items, way, &|| time.settle());
    source.close();
    time.settle();
    taken(&out)
}

/// As [`outputs`], where worker threads have to be waited for; sorted, as workers race.
fn blocking_outputs(items: &[i64], way: &Way, build: impl Fn(&Source<i64>, Log<i64>)) -> Vec<i64> {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let driver = graph.spawn_thread();
    let source = graph.source();
    let out = log();
    build(&source, out.clone());
    feed(&source, items, way, &std::thread::yield_now);
    source.close();
    driver.join().unwrap();
    taken(&out)
}

fn input() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(0..100i64, 0..200)
}

/// Fails on multiples of `n`.
fn unless(n: i64) -> impl Fn(i64) -> Result<i64, BoxError> + Clone {
    move |x| match x % n {
        0 => Err("unfit".into()),
        _ => Ok(x),
    }
}

fn sorted(mut items: Vec<i64>) -> Vec<i64> {
    items.sort_unstable();
    items
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_changes_nothing_but_the_element_agrees_with_iterators(
        items in input(), way in ways(), n in 2..6i64,
    ) {
        let plus: Vec<_> = items.iter().map(|x| x + 1).collect();
        let out = outputs(&items, &way, |s, o| drop(s.map(|x| x + 1).sink(noted(&o))));
        prop_assert_eq!(&out, &plus);
        let out = outputs(&items, &way, |s, o| {
            drop(s.through(|s| s.map(|x| x + 1)).named("plus").boxed().share().sink(noted(&o)));
        });
        prop_assert_eq!(&out, &plus);
        // Two branches, each of which sees every element before the next comes, if it is alone.
        let out = outputs(&items, &way, |s, o| {
            let note = noted(&o);
            drop(s.inspect(move |x| note(x + 1)).sink(drop));
        });
        prop_assert_eq!(&out, &plus);
        let fit: Vec<_> = items.iter().copied().filter(|x| x % n != 0).collect();
        let out = outputs(&items, &way, |s, o| {
            let note = noted(&o);
            drop(s.try_sink(move |x| unless(n)(x).map(&note)));
        });
        prop_assert_eq!(&out, &fit);
        let out = outputs(&items, &way, |s, o| {
            let (good, bad) = s.try_map(unless(n)).split_errors();
            let note = noted(&o);
            let _ = bad.sink(move |_| note(-1));
            let _ = good.sink(noted(&o));
        });
        let split: Vec<_> = items.iter().map(|x| if x % n == 0 { -1 } else { *x }).collect();
        prop_assert_eq!(&out, &split);
        let out = outputs(&items, &way, |s, o| {
            drop(s.try_map(unless(n)).catch(|_| Some(-1)).sink(noted(&o)));
        });
        prop_assert_eq!(&out, &split);
    }

    #[test]
    fn joins_of_many_branches_agree_with_a_loop(items in input(), way in ways()) {
        let eight = outputs(&items, &way, |s, o: Log<[i64; 8]>| {
            let f = |i: i64| s.map(move |x| x + i).boxed();
            let rows = zip((f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)));
            let _ = rows.map(|r| [r.0, r.1, r.2, r.3, r.4, r.5, r.6, r.7]).sink(noted(&o));
        });
        let expected: Vec<[i64; 8]> =
            items.iter().map(|x| std::array::from_fn(|i| x + i as i64)).collect();
        prop_assert_eq!(&eight, &expected);
        let listed = outputs(&items, &way, |s, o| {
            drop(zip_all((0..8).map(|i| s.map(move |x| x + i))).sink(noted(&o)));
        });
        prop_assert!(listed.iter().map(|row| &row[..]).eq(expected.iter().map(|row| &row[..])));

        let merged: Vec<_> = items.iter().flat_map(|x| [*x, x + 1, x + 2]).collect();
        let out = outputs(&items, &way, |s, o| {
            drop(union((s, s.map(|x| x + 1), s.map(|x| x + 2))).sink(noted(&o)));
        });
        prop_assert_eq!(&out, &merged);
        let out = outputs(&items, &way, |s, o| {
            drop(union_all((0..3).map(|i| s.map(move |x| x + i))).sink(noted(&o)));
        });
        prop_assert_eq!(&out, &merged);

        let out = outputs(&items, &way, |s, o| {
            drop(combine_latest((s, s.map(|x| x + 1), s.map(|x| x + 2))).sink(noted(&o)));
        });
        let (mut latest, mut expected) = ([None; 3], Vec::new());
        for x in &items {
            for port in 0..3 {
                latest[port] = Some(x + port as i64);
                if let [Some(a), Some(b), Some(c)] = latest {
                    expected.push((a, b, c));
                }
            }
        }
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn what_waits_gives_all_in_the_end(items in input(), way in ways(), n in 1..9usize) {
        let out = outputs(&items, &way, |s, o| drop(s.buffer(n).sink(noted(&o))));
        prop_assert_eq!(&out, &items);
        let out = outputs(&items, &way, |s, o| drop(s.buffer(n).buffer(1).sink(noted(&o))));
        prop_assert_eq!(&out, &items);
        let out = outputs(&items, &way, |s, o| {
            drop(s.map_async(n, |x| async move { x }).sink(noted(&o)));
        });
        prop_assert_eq!(&out, &items);
        let out = outputs(&items, &way, |s, o| {
            drop(s.map_async(n, |x| async move { x }).unordered().sink(noted(&o)));
        });
        prop_assert_eq!(sorted(out), sorted(items.clone()));
        let out = outputs(&items, &way, |s, o| {
            let lent = s.try_map_async_ref(n, |x: &i64| Box::pin(async move { Ok(*x) }));
            drop(lent.sink(noted(&o)));
        });
        prop_assert_eq!(&out, &items);
        let out = outputs(&items, &way, |s, o| {
            let note = noted(&o);
            drop(s.sink_async(n, move |x| {
                note(x);
                async {}
            }));
        });
        prop_assert_eq!(&out, &items);
        let out = outputs(&items, &way, |s, o| {
            let note = noted(&o);
            drop(s.try_sink_async_ref(n, move |x| {
                note(*x);
                Box::pin(async { Ok(()) })
            }));
        });
        prop_assert_eq!(&out, &items);
        let out = outputs(&items, &way, |s, o| {
            let note = noted(&o);
            let sink = futures::sink::unfold((), move |(), x| {
                note(x);
                futures::future::ready(Ok::<_, BoxError>(()))
            });
            let _ = s.forward(sink);
        });
        prop_assert_eq!(&out, &items);
    }

    #[test]
    fn what_is_connected_to_another_source_comes_out_there(
        items in input(), way in ways(), n in 1..9usize,
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let (source, other) = (graph.source(), graph.source());
        let list = other.map(|x| x + 1).buffer(n).sink_to_list();
        let _ = source.connect(&other);
        feed(&source, &items, &way, &|| time.settle());
        source.close();
        time.settle();
        prop_assert_eq!(list.take(), items.iter().map(|x| x + 1).collect::<Vec<_>>());
    }

    #[test]
    fn pumps_give_what_they_are_made_of(items in input(), n in 1..9usize) {
        let graph = Graph::new();
        let list = graph.from_iter(items.clone()).buffer(n).sink_to_list();
        let streamed = graph.from_stream(stream::iter(items.clone())).buffer(n).sink_to_list();
        graph.run().unwrap();
        prop_assert_eq!(list.take(), items.clone());
        prop_assert_eq!(streamed.take(), items);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn blocking_closures_see_every_element_once(
        items in prop::collection::vec(0..100i64, 0..60), way in ways(), n in 1..4usize, k in 2..6i64,
    ) {
        let out = blocking_outputs(&items, &way, |s, o| {
            drop(s.map_blocking(n, |x| x).sink(noted(&o)));
        });
        prop_assert_eq!(&out, &items, "in order");
        let out = blocking_outputs(&items, &way, |s, o| {
            drop(s.map_blocking(n, |x| x).unordered().sink(noted(&o)));
        });
        prop_assert_eq!(sorted(out), sorted(items.clone()));
        let out = blocking_outputs(&items, &way, |s, o| drop(s.sink_blocking(n, noted(&o))));
        prop_assert_eq!(sorted(out), sorted(items.clone()));
        let fit: Vec<_> = items.iter().copied().filter(|x| x % k != 0).collect();
        let out = blocking_outputs(&items, &way, |s, o| {
            drop(s.try_map_blocking(n, unless(k)).sink(noted(&o)));
        });
        prop_assert_eq!(out, fit);
    }
}

// ---- a full buffer ----

#[derive(Clone, Debug)]
enum Act {
    Emit(Vec<i64>),
    Settle,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Elements that are multiples of three fail above the buffer; with a fork between, only their
    /// holes come to it.
    #[test]
    fn a_buffer_does_what_its_policy_says(
        acts in prop::collection::vec(prop_oneof![
            2 => prop::collection::vec(0..100i64, 0..12).prop_map(Act::Emit),
            1 => Just(Act::Settle),
        ], 0..20),
        capacity in 1..6usize,
        policy in prop::sample::select(&[OnFull::DropOldest, OnFull::DropNewest, OnFull::Fail]),
        batches in any::<bool>(),
        forked in any::<bool>(),
    ) {
        let graph = Graph::new();
        let reported = log();
        let note = noted(&reported);
        graph.on_error(OnError::call(move |failure| note(failure.node().to_owned())));
        let time = graph.drive_manually();
        let source = graph.source::<i64>();
        let flow = source.try_map(unless(3)).named("fit");
        let flow = if forked { flow.share().into_run().boxed() } else { flow.boxed() };
        let list = flow.buffer(capacity).on_full(policy).named("buffer").sink_to_list();
        let (mut held, mut out, mut lost) = (VecDeque::new(), Vec::new(), 0);
        let (mut failures, mut overflows) = (0, 0);
        let mut heard = 0;
        for act in &acts {
            match act {
                Act::Emit(items) => {
                    for &x in items {
                        if x % 3 == 0 {
                            failures += 1;
                        } else if held.len() < capacity {
                            held.push_back(x);
                        } else {
                            match policy {
                                OnFull::DropOldest => {
                                    held.pop_front();
                                    held.push_back(x);
                                    lost += 1;
                                }
                                OnFull::DropNewest => lost += 1,
                                _ => overflows += 1,
                            }
                        }
                    }
                    if batches {
                        heard += match source.emit_all(items.iter().copied()) {
                            Ok(_) => 0,
                            Err(error) => 1 + error.others,
                        };
                    } else {
                        heard += items.iter().filter(|x| source.emit(**x).is_err()).count();
                    }
                }
                Act::Settle => {
                    time.settle();
                    out.extend(held.drain(..));
                    prop_assert_eq!(list.get(), out.clone());
                }
            }
            let snapshot = graph.snapshot().unwrap();
            let counts = snapshot.named("buffer").unwrap().counts;
            prop_assert_eq!(counts.held, held.len() as u64);
            prop_assert_eq!(counts.dropped(), lost);
        }
        source.close();
        time.settle();
        out.extend(held);
        prop_assert_eq!(list.take(), out);
        // Each failure was told to somebody, once.
        prop_assert_eq!(heard + taken(&reported).len(), failures + overflows);
        let snapshot = graph.snapshot().unwrap();
        prop_assert_eq!(snapshot.named("buffer").unwrap().counts.failed, overflows as u64);
        prop_assert_eq!(snapshot.failed(), (failures + overflows) as u64, "{}", snapshot);
    }
}

// ---- diamonds ----

/// One branch of a diamond.
#[derive(Clone, Debug)]
enum Hop {
    Filter(i64, i64),
    Fail(i64),
    Buffer(usize),
    Async(usize),
    Group(usize),
    Twice,
    Fork,
}

fn hop(flow: BoxFlow<i64>, hop: &Hop) -> BoxFlow<i64> {
    match *hop {
        Hop::Filter(n, r) => flow.filter(move |x| x % n != r % n).boxed(),
        Hop::Fail(n) => flow.try_map(unless(n)).boxed(),
        Hop::Buffer(n) => flow.buffer(n).boxed(),
        Hop::Async(n) => flow.map_async(n, |x| async move { x }).boxed(),
        Hop::Group(n) => flow.partition(n).map(|group| group[0]).boxed(),
        Hop::Twice => flow.flat_map(|x| [x, x]).boxed(),
        Hop::Fork => flow.share().into_run().boxed(),
    }
}

fn hops() -> impl Strategy<Value = Vec<Hop>> {
    let hop = prop_oneof![
        (1..5i64, 0..5i64).prop_map(|(n, r)| Hop::Filter(n, r)),
        (2..6i64).prop_map(Hop::Fail),
        (1..5usize).prop_map(Hop::Buffer),
        (1..4usize).prop_map(Hop::Async),
        (1..4usize).prop_map(Hop::Group),
        Just(Hop::Twice),
        Just(Hop::Fork),
    ];
    prop::collection::vec(hop, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the branches swallow, hold or multiply: once the driver has done what it can, the
    /// source takes the next element, or the element fails. And all receipts resolve.
    #[test]
    fn a_diamond_of_one_origin_never_waits_for_ever(
        branches in prop::collection::vec(hops(), 2..4),
        capacity in 1..5usize,
        behind in 0..3usize,
        items in prop::collection::vec(0..100i64, 0..60),
    ) {
        let graph = Graph::new();
        graph.on_error(OnError::call(|_| {}));
        let time = graph.drive_manually();
        let source = graph.source::<i64>();
        let flows = branches.iter().map(|hops| hops.iter().fold(source.into_run().boxed(), hop));
        let rows = zip_all(flows.collect::<Vec<_>>()).capacity(capacity);
        match behind {
            0 => drop(rows.sink(drop)),
            n => drop(rows.buffer(n).sink(drop)),
        }
        let mut receipts = Vec::new();
        for x in items {
            let mut outcome = source.emit_tracked(x);
            if matches!(outcome, Err(EmitError::Full(_))) {
                time.settle();
                outcome = source.emit_tracked(x);
            }
            match outcome {
                Ok(receipt) => receipts.push(receipt),
                Err(EmitError::Failed(_)) => {}
                Err(other) => prop_assert!(false, "{}: {}", other, graph.snapshot().unwrap()),
            }
        }
        source.close();
        time.settle();
        prop_assert!(receipts.iter().all(|receipt| receipt.outcome().is_some()));
        prop_assert_eq!(graph.snapshot().unwrap().held(), 0);
    }
}

// ---- bad sinks ----

/// Writes that end when the test says so.
#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<oneshot::Sender<()>>>>);

impl Writes {
    fn start(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let (end, ended) = oneshot::channel();
        self.0.lock().unwrap().push(end);
        async move { ended.await.unwrap_or_default() }
    }

    fn end(&self, at: prop::sample::Index) -> bool {
        let mut open = self.0.lock().unwrap();
        let any = !open.is_empty();
        if any {
            let at = at.index(open.len());
            let end = open.swap_remove(at);
            drop(open);
            end.send(()).ok();
        }
        any
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A slow, a failing, a panicking and an orderly sink beside each other, and a zip whose inputs
    /// fail: wrong mates never meet, and each handle is acknowledged once, with what became of it.
    #[test]
    fn whatever_sinks_do_each_element_is_acknowledged_once(
        count in 0..80i64,
        (a, b, c, d) in (2..9i64, 2..9i64, 2..9i64, 2..9i64),
        (n, group) in (1..5usize, 1..5usize),
        order in prop::collection::vec(any::<prop::sample::Index>(), 16),
    ) {
        let graph = Graph::new();
        graph.on_error(OnError::call(|_| {}));
        let time = graph.drive_manually();
        let acks = Arc::new(Mutex::new(vec![Vec::<Outcome>::new(); count as usize]));
        let told = acks.clone();
        let items = stream::iter((1..=count).map(|x| (x, x as usize - 1)));
        let shared = graph
            .from_acked_stream(items, move |handle: usize, outcome| {
                told.lock().unwrap()[handle].push(outcome);
            })
            .share();
        let writes = Writes::default();
        let (slow, failing) = (writes.clone(), writes.clone());
        let _ = shared.sink_async(n, move |_| slow.start());
        let _ = shared.partition(group).try_sink_async(n, move |group| {
            let write = failing.start();
            async move {
                write.await;
                if group.iter().any(|x| x % a == 0) { Err("no".into()) } else { Ok(()) }
            }
        });
        let _ = shared.buffer(n).try_sink(move |x| unless(b)(x).map(drop));
        let _ = shared.sink_blocking(n, move |x| {
            if x % c == 0 {
                // Quietly: not through the hook, that would write to the log of the tests.
                std::panic::resume_unwind(Box::new("on purpose"));
            }
        });
        let rows = zip((
            shared.try_map(unless(d)),
            shared.buffer(n).try_map(unless(b)),
            shared.map_async(n, |x| async move { x }),
        ))
        .sink_to_list();
        let mut order = order.into_iter().cycle();
        let all = |acks: &Mutex<Vec<Vec<Outcome>>>| acks.lock().unwrap().iter().all(|a| !a.is_empty());
        for turn in 0.. {
            time.settle();
            let ended = writes.end(order.next().unwrap());
            if all(&acks) && !ended {
                break;
            }
            prop_assert!(turn < 1_000_000, "stuck: {}", graph.snapshot().unwrap());
            if !ended {
                std::thread::yield_now();
            }
        }
        time.settle();
        let whole: Vec<_> =
            (1..=count).filter(|x| x % d != 0 && x % b != 0).map(|x| (x, x, x)).collect();
        prop_assert_eq!(rows.take(), whole);
        for (x, outcomes) in (1..=count).zip(acks.lock().unwrap().iter()) {
            let first = (x - 1) / group as i64 * group as i64 + 1;
            let mates = first..=(first + group as i64 - 1).min(count);
            let fails = x % b == 0 || x % c == 0 || x % d == 0 || mates.into_iter().any(|x| x % a == 0);
            prop_assert_eq!(outcomes.len(), 1, "{}: {:?}", x, outcomes);
            prop_assert_eq!(outcomes[0].is_err(), fails, "{}: {:?}", x, outcomes);
        }
        prop_assert_eq!(graph.snapshot().unwrap().held(), 0);
    }

    /// A sink that panics, at once or under the driver: what was written before is done, what was
    /// under way or held is lost, and every receipt says so at once.
    #[test]
    fn a_panic_at_any_point_resolves_every_receipt(
        count in 1..40i64,
        at in 0..40i64,
        capacity in 1..6usize,
        settle in 1..6i64,
        buffered in any::<bool>(),
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<i64>();
        let written = log();
        let note = noted(&written);
        let sink = move |x| {
            if x == at {
                std::panic::resume_unwind(Box::new("on purpose"));
            }
            note(x);
        };
        if buffered {
            let _ = source.buffer(capacity).sink(sink);
        } else {
            let _ = source.sink(sink);
        }
        let (mut receipts, mut panicked) = (Vec::<Receipt>::new(), false);
        for x in 0..count {
            let emitted = catch_unwind(AssertUnwindSafe(|| {
                if x % settle == 0 {
                    time.settle();
                }
                source.emit_tracked(x)
            }));
            match emitted {
                Ok(Ok(receipt)) => receipts.push(receipt),
                Ok(Err(EmitError::Full(_))) => break,
                Ok(Err(EmitError::Poisoned(_))) => prop_assert!(panicked),
                Ok(Err(other)) => panic!("{other}"),
                Err(_) => panicked = true,
            }
        }
        panicked |= catch_unwind(AssertUnwindSafe(|| time.settle())).is_err();
        source.close();
        let written = taken(&written);
        for (x, receipt) in (0..).zip(&receipts) {
            let expected = if written.contains(&x) {
                Ok(())
            } else {
                prop_assert!(panicked);
                Err(if x == at { Lost::Panicked } else { Lost::TornDown })
            };
            prop_assert_eq!(receipt.outcome(), Some(expected), "{}", x);
        }
        let expected: Vec<_> = (0..written.len() as i64).collect();
        prop_assert_eq!(written, expected, "in order, up to the panic");
    }

    /// Through a stream and a channel, each element arrives once, in order.
    #[test]
    fn into_stream_and_forward_to_a_channel_pass_everything(
        items in input(), way in ways(), n in 1..9usize,
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source();
        let (sink, channel) = mpsc::channel(n);
        let _ = source.forward(sink);
        let stream = source.into_stream(n);
        let reader = std::thread::spawn(move || {
            let both = futures::future::join(stream.collect::<Vec<_>>(), channel.collect::<Vec<_>>());
            block_on(both)
        });
        feed(&source, &items, &way, &|| {
            time.settle();
            std::thread::yield_now();
        });
        source.close();
        while !reader.is_finished() {
            time.settle();
            std::thread::yield_now();
        }
        prop_assert_eq!(reader.join().unwrap(), (items.clone(), items));
    }
}
