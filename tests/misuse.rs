//! Bad input and misuse: each with the exact message, which says what was wrong, where, and what to
//! do.

use std::any::Any;
use std::cell::RefCell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::{Arc, Mutex, Once};
use std::task::Waker;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{
    DriverThread, EmitError, Lost, Receipt, WorkerPanicked, combine_latest, literal, union,
    union_all, zip, zip_all, zip_latest_all,
};

thread_local! {
    /// The file in which this thread panicked last.
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What a panic says. It must name a place in this file: that of the call, and none in the library.
#[track_caller]
fn refusal(misuse: impl FnOnce()) -> String {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let file = panic.location().map(|at| at.file().to_owned());
            PANICKED_AT.with(|at| *at.borrow_mut() = file);
            previous(panic);
        }));
    });
    let payload = catch_unwind(AssertUnwindSafe(misuse)).expect_err("it is refused");
    let message = text(&*payload);
    let file = PANICKED_AT.with(|at| at.borrow_mut().take());
    assert_eq!(file.as_deref(), Some(file!()), "where {message:?} points");
    message
}

fn text(payload: &(dyn Any + Send)) -> String {
    match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => panic!("a panic without a message"),
    }
}

const ZERO: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

const FULL: &str = "not accepted: an operator downstream is full; wait with `send` or \
                    `blocking_send`, or see in `graph.snapshot()` which it is and since when";
const CLOSED: &str = "not accepted: the source is closed; make another with `graph.source()`";
const UNDRIVEN: &str = "not accepted: the graph holds timers or futures and nothing drives it; \
                        call `spawn`, `spawn_thread` or `drive_manually` on the graph first";
const POISONED: &str = "not accepted: the graph is poisoned, since one of its closures panicked; \
                        build a new one";
const NOBODY_DRIVES: &str = "the graph holds timers or futures and nothing drives it: call \
     `spawn`, `spawn_thread` or `drive_manually` on it first, and keep what drives it, such as the \
     runtime, until it has ended";

// ---- zero ----

#[test]
#[allow(clippy::too_many_lines, reason = "one line an operator")]
fn nothing_of_zero_size_or_length_can_be_made() {
    type Misuse = fn(&Source<u32>);
    let cases: [(&str, Misuse); 38] = [
        (
            "`buffer(0)` could hold nothing: give it room for at least 1 element",
            |s| drop(s.buffer(0)),
        ),
        (
            "`capacity(0)` could hold nothing: give `zip` room for at least 1 element",
            |s| drop(s.zip(s).capacity(0)),
        ),
        (
            "`capacity(0)` could hold nothing: give `zip` room for at least 1 element",
            |s| drop(zip((s, s, s)).capacity(0)),
        ),
        (
            "`capacity(0)` could hold nothing: give `zip_all` room for at least 1 element",
            |s| drop(zip_all([s, s]).capacity(0)),
        ),
        (
            "`capacity(0)` could hold nothing: give `zip_latest` room for at least 1 element",
            |s| drop(s.zip_latest(s).capacity(0)),
        ),
        (
            "`capacity(0)` could hold nothing: give `zip_latest_all` room for at least 1 element",
            |s| drop(zip_latest_all(s, [s]).capacity(0)),
        ),
        (
            "`capacity(0)` could hold nothing: give `chain` room for at least 1 element",
            |s| drop(s.chain(s).capacity(0)),
        ),
        (
            "`zip` of literals only would never come to an end: give it at least 1 flow",
            |_| drop(zip((literal(1), literal("x")))),
        ),
        (
            "`zip_all` of no flows would never emit nor close: give it at least 1 flow",
            |_| drop(zip_all(Vec::<&Source<u32>>::new())),
        ),
        (
            "`union_all` of no flows would never emit nor close: give it at least 1 flow",
            |_| drop(union_all(Vec::<&Source<u32>>::new())),
        ),
        (
            "`emit_on` of no input would never emit: choose at least 1",
            |s| drop(s.combine_latest(s).emit_on([])),
        ),
        (
            "`emit_on(3)` names no input: this `combine_latest` has inputs 0 to 1",
            |s| drop(s.combine_latest(s).emit_on([0, 3])),
        ),
        (
            "`map_async(0, …)` would never start: let at least 1 element be in flight",
            |s| drop(s.map_async(0, |x| async move { x })),
        ),
        (
            "`try_map_async(0, …)` would never start: let at least 1 element be in flight",
            |s| drop(s.try_map_async(0, |x| async move { Ok(x) })),
        ),
        (
            "`try_map_async_ref(0, …)` would never start: let at least 1 element be in flight",
            |s| drop(s.try_map_async_ref(0, |x| Box::pin(async move { Ok(*x) }))),
        ),
        (
            "`map_blocking(0, …)` would never start: let at least 1 element be in flight",
            |s| drop(s.map_blocking(0, |x| x)),
        ),
        (
            "`try_map_blocking(0, …)` would never start: let at least 1 element be in flight",
            |s| drop(s.try_map_blocking(0, Ok)),
        ),
        (
            "`sink_async(0, …)` would never start: let at least 1 element be in flight",
            |s| drop(s.sink_async(0, |_| async {})),
        ),
        (
            "`try_sink_async(0, …)` would never start: let at least 1 element be in flight",
            |s| drop(s.try_sink_async(0, |_| async { Ok(()) })),
        ),
        (
            "`try_sink_async_ref(0, …)` would never start: let at least 1 element be in flight",
            |s| drop(s.try_sink_async_ref(0, |_| Box::pin(async { Ok(()) }))),
        ),
        (
            "`sink_blocking(0, …)` would never start: let at least 1 element be in flight",
            |s| drop(s.sink_blocking(0, |_| {})),
        ),
        (
            "`try_sink_blocking(0, …)` would never start: let at least 1 element be in flight",
            |s| drop(s.try_sink_blocking(0, |_| Ok(()))),
        ),
        (
            "`reorder(0)` would never start: let at least 1 finished result wait for an earlier \
             one",
            |s| drop(s.map_async(1, |x| async move { x }).reorder(0)),
        ),
        (
            "`reorder(0)` would never start: let at least 1 finished result wait for an earlier \
             one",
            |s| drop(s.map_blocking(1, |x| x).reorder(0)),
        ),
        (
            "`into_stream(0)` could hold nothing: give the stream room for at least 1 element",
            |s| drop(s.into_stream(0)),
        ),
        (
            "`partition(0)` would make empty groups: let a group have at least 1 element",
            |s| drop(s.partition(0)),
        ),
        (
            "`max_age` of zero would end each group at once: give it a longer time",
            |s| drop(s.partition(1).max_age(ZERO)),
        ),
        (
            "`max_age` of zero would end each group at once: give it a longer time",
            |s| drop(s.partition(1).by_key(|x| *x).max_age(ZERO)),
        ),
        (
            "`max_groups(0)` would let no group be open: allow at least 1",
            |s| drop(s.partition(1).by_key(|x| *x).max_groups(0)),
        ),
        (
            "`fold_partition(0, …)` would fold empty groups: let a group have at least 1 element",
            |s| drop(s.fold_partition(0, Sum)),
        ),
        (
            "`sliding_window(0)` would be empty for ever: let it have at least 1 element",
            |s| drop(s.sliding_window(0)),
        ),
        (
            "`rolling(0, …)` would see nothing: let it see at least 1 element",
            |s| drop(s.rolling(0, Sum)),
        ),
        (
            "`timed_window` of zero would end at once for ever: give it a longer time",
            |s| drop(s.timed_window(ZERO)),
        ),
        (
            "`max_len(0)` could hold nothing: let a window have at least 1 element",
            |s| drop(s.timed_window(SECOND).max_len(0)),
        ),
        (
            "`fold_window` of zero would end at once for ever: give it a longer time",
            |s| drop(s.fold_window(ZERO, Sum)),
        ),
        (
            "`history(0)` would remember nothing: let `unique` remember at least 1 key",
            |s| drop(s.unique().history(0)),
        ),
        (
            "`history(0)` would remember nothing: let `unique_by_key` remember at least 1 key",
            |s| drop(s.unique_by_key(|x| *x).history(0)),
        ),
        (
            "`max_age` of zero would end each group at once: give it a longer time",
            |s| drop(s.partition(1).max_age(SECOND).by_key(|x| *x).max_age(ZERO)),
        ),
    ];
    for (message, misuse) in cases {
        let source = Source::new();
        assert_eq!(refusal(|| misuse(&source)), message);
        // The graph is none the worse for it.
        let list = source.sink_to_list();
        source.emit(1).unwrap();
        assert_eq!(list.take(), [1]);
    }
}

// ---- two graphs ----

#[test]
fn flows_of_two_graphs_are_not_combined() {
    let (a, b) = (Source::<u32>::new(), Source::<u32>::new());
    let message = |operator| {
        format!(
            "`{operator}` combines flows of two graphs; a graph is one unit of locking: make both \
             sources from the same `Graph`, or emit from a sink of one graph into a source of the \
             other"
        )
    };
    assert_eq!(refusal(|| drop(a.zip(&b))), message("zip"));
    assert_eq!(refusal(|| drop(zip((&a, &a, &b)))), message("zip"));
    assert_eq!(refusal(|| drop(zip_all([&a, &b]))), message("zip_all"));
    assert_eq!(refusal(|| drop(a.union(&b))), message("union"));
    assert_eq!(refusal(|| drop(union((&a, &a, &b)))), message("union"));
    assert_eq!(refusal(|| drop(union_all([&a, &b]))), message("union_all"));
    let combine = message("combine_latest");
    assert_eq!(refusal(|| drop(a.combine_latest(&b))), combine);
    assert_eq!(refusal(|| drop(combine_latest((&a, &a, &b)))), combine);
    assert_eq!(refusal(|| drop(a.connect(&b))), message("connect"));
}

// ---- not accepted ----

/// Each way in gives the element back and says this.
#[track_caller]
fn refused(source: &Source<u32>, message: &str) {
    let check = |error: EmitError<u32>| {
        assert_eq!(error.to_string(), message);
        assert_eq!(error.into_element(), Some(7), "the element comes back");
    };
    check(source.emit(7).unwrap_err());
    check(source.lock().emit(7).unwrap_err());
    check(source.emit_tracked(7).unwrap_err());
    let error = source.emit_all([7, 8]).unwrap_err();
    assert_eq!(error.to_string(), format!("{message} (0 accepted)"));
    check(error.cause);
}

/// As [`refused`], for the ways in that would wait.
#[track_caller]
fn waiting_is_refused(source: &Source<u32>, message: &str) {
    for error in [
        source.blocking_send(7).unwrap_err(),
        block_on(source.send(7)).unwrap_err(),
        block_on(source.send_tracked(7)).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), message);
        assert_eq!(error.into_element(), Some(7), "the element comes back");
    }
}

#[test]
fn a_closed_source_takes_nothing_more() {
    let source = Source::<u32>::new();
    let list = source.sink_to_list();
    let weak = source.downgrade();
    source.close();
    refused(&source, CLOSED);
    waiting_is_refused(&source, CLOSED);
    drop(source);
    assert_eq!(weak.emit(7).unwrap_err().to_string(), CLOSED);
    assert!(list.is_empty());
}

#[test]
fn a_full_graph_takes_nothing_more() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.buffer(1).named("queue").sink_to_list();
    source.emit(1).unwrap();
    refused(&source, FULL);
    let snapshot = graph.snapshot().unwrap();
    assert!(snapshot.named("queue").unwrap().blocked_since.is_some());
    time.settle();
    assert_eq!(list.take(), [1]);
}

#[test]
fn a_graph_with_timers_or_futures_and_no_driver_takes_nothing() {
    type Build = fn(&Source<u32>);
    let builds: [Build; 14] = [
        |s| drop(s.timed_window(SECOND).sink_to_list()),
        |s| drop(s.fold_window(SECOND, Sum).sink_to_list()),
        |s| drop(s.partition(2).max_age(SECOND).sink_to_list()),
        |s| drop(s.partition(2).by_key(|x| *x).max_age(SECOND).sink(drop)),
        |s| drop(s.buffer(1).sink(drop)),
        |s| drop(s.map_async(1, |x| async move { x }).sink(drop)),
        |s| drop(s.map_blocking(1, |x| x).sink(drop)),
        |s| drop(s.sink_async(1, |_| async {})),
        |s| drop(s.sink_blocking(1, drop)),
        |s| {
            drop(
                s.try_map_async_ref(1, |x| Box::pin(async move { Ok(*x) }))
                    .sink(drop),
            )
        },
        |s| drop(s.try_sink_async_ref(1, |_| Box::pin(async { Ok(()) }))),
        |s| drop(s.forward(futures::sink::drain())),
        |s| drop(s.graph().from_iter([1]).zip(s).sink(drop)),
        |s| drop(s.graph().from_stream(futures::stream::iter([1])).sink(drop)),
    ];
    for build in builds {
        let source = Source::<u32>::new();
        build(&source);
        refused(&source, UNDRIVEN);
        waiting_is_refused(&source, UNDRIVEN);
        assert_eq!(source.graph().snapshot().unwrap().held(), 0);
    }
}

// ---- accepted, and failed ----

#[test]
fn a_failing_sink_is_named_with_its_place_in_the_user_s_source() {
    let source = Source::<u32>::new();
    let sibling = source.sink_to_list();
    let line = line!() + 1;
    let _ = source.try_sink(|_| Err("the disk is full".into()));
    let Err(EmitError::Failed(failure)) = source.emit(7) else {
        panic!("the sink fails");
    };
    let at = failure.location();
    assert_eq!((at.file(), at.line()), (file!(), line));
    assert_eq!(
        failure.to_string(),
        format!("`try_sink` at {at} failed: the disk is full")
    );
    assert_eq!(
        EmitError::<u32>::Failed(failure).to_string(),
        format!("accepted, but `try_sink` at {at} failed: the disk is full")
    );
    let error = source.emit_all([8, 9]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "accepted, but `try_sink` at {at} failed: the disk is full (2 accepted, 2 of them failed)"
        )
    );
    assert_eq!(sibling.take(), [7, 8, 9]);
}

#[test]
fn a_graph_that_stopped_says_after_what() {
    let graph = Graph::new();
    graph.on_error(OnError::Stop);
    let source = graph.source::<u32>();
    let _ = source.try_sink(|_| Err("no".into())).named("store");
    let Err(EmitError::Failed(failure)) = source.emit(1) else {
        panic!("the sink fails");
    };
    let at = failure.location();
    let cause = format!("the graph stopped after `store` at {at} failed: no");
    refused(&source, &format!("not accepted: {cause}"));
    waiting_is_refused(&source, &format!("not accepted: {cause}"));
    assert_eq!(graph.run().unwrap_err().to_string(), cause);
}

#[test]
fn a_zip_that_starves_says_what_it_holds_and_what_to_do() {
    let source = Source::<u32>::new();
    let line = line!() + 1;
    let rows = source.filter(|_| false).zip(&source).capacity(2);
    let _ = rows.sink(drop);
    source.emit_all([1, 2]).unwrap();
    let Err(EmitError::Failed(failure)) = source.emit(3) else {
        panic!("it starves");
    };
    assert_eq!(failure.location().line(), line);
    assert_eq!(
        failure.error().to_string(),
        "the join's inputs hold [0, 2] elements, and an empty one can only be fed by sources that \
         would have to wait for it: raise the capacity, or drop on the full side"
    );
}

#[test]
fn a_full_buffer_that_fails_says_how_much_it_holds() {
    let graph = Graph::new();
    let (heard, hear) = std::sync::mpsc::channel();
    graph.on_error(OnError::call(move |failure| {
        heard.send(failure.error().to_string()).unwrap();
    }));
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let buffer = source.buffer(1).on_full(headwater::OnFull::Fail);
    let _ = buffer.sink(drop);
    source.emit_all([1, 2]).unwrap();
    time.settle();
    let said: Vec<String> = hear.try_iter().collect();
    assert_eq!(said, ["there was no room: 1 elements are held already"]);
}

// ---- panics ----

/// Not a text: whatever the closure panics with, the emitter gets.
#[derive(Debug, PartialEq)]
struct Payload(u32);

#[test]
fn what_a_closure_panics_with_reaches_the_emitter_and_later_the_graph_is_poisoned() {
    type Build = fn(&Source<u32>);
    let builds: [Build; 8] = [
        |s| drop(s.sink(|x| panic_any(Payload(x)))),
        |s| drop(s.map(|x| -> u32 { panic_any(Payload(x)) }).sink(drop)),
        |s| drop(s.filter(|x| panic_any(Payload(*x))).sink(drop)),
        |s| {
            drop(
                s.try_map(|x| -> Result<u32, BoxError> { panic_any(Payload(x)) })
                    .sink(drop),
            )
        },
        |s| drop(s.accumulate(0, |_, x| panic_any(Payload(x))).sink(drop)),
        |s| {
            drop(
                s.flat_map(|x| -> Option<u32> { panic_any(Payload(x)) })
                    .sink(drop),
            )
        },
        |s| {
            drop(
                s.unique_by_key(|x| -> u32 { panic_any(Payload(*x)) })
                    .sink(drop),
            )
        },
        |s| drop(s.zip(s).sink(|(x, _)| panic_any(Payload(x)))),
    ];
    for build in builds {
        for batch in [false, true] {
            let source = Source::<u32>::new();
            build(&source);
            let emitted = catch_unwind(AssertUnwindSafe(|| {
                if batch {
                    drop(source.emit_all([5, 6]));
                } else {
                    drop(source.emit(5));
                }
            }));
            let payload = emitted.unwrap_err().downcast::<Payload>().unwrap();
            assert_eq!(*payload, Payload(5));
            refused(&source, POISONED);
            waiting_is_refused(&source, POISONED);
            let graph = source.graph();
            let poisoned = "the graph is poisoned, since one of its closures panicked; build a new \
                            one";
            assert_eq!(graph.snapshot().unwrap_err().to_string(), poisoned);
            assert_eq!(graph.run().unwrap_err().to_string(), poisoned);
            assert_eq!(graph.close().unwrap_err().to_string(), poisoned);
            let shutdown = block_on(graph.shutdown());
            assert_eq!(shutdown.unwrap_err().to_string(), poisoned);
        }
    }
}

#[test]
fn a_blocking_closure_that_panics_fails_its_element_with_what_it_said() {
    let graph = Graph::new();
    let (heard, hear) = std::sync::mpsc::channel();
    graph.on_error(OnError::call(move |failure| {
        assert!(failure.error().is::<WorkerPanicked>());
        heard.send(failure.error().to_string()).unwrap();
    }));
    let _ = graph.from_iter([7]).sink_blocking(1, |x| panic!("no {x}"));
    graph.run().unwrap();
    let said: Vec<String> = hear.try_iter().collect();
    assert_eq!(said, ["the closure panicked: no 7"]);
}

// ---- drivers ----

#[test]
fn a_graph_has_one_driver() {
    let message = "the graph has a driver already, and takes one at a time: drop or stop that one \
                   first";
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source.buffer(4).sink_to_list();
    let time = graph.drive_manually();
    let thread = |graph: &Graph| -> DriverThread { graph.spawn_thread() };
    assert_eq!(refusal(|| drop(graph.drive_manually())), message);
    assert_eq!(refusal(|| drop(thread(&graph))), message);
    assert_eq!(refusal(|| drop(graph.attach_driver(None))), message);
    assert_eq!(refusal(|| drop(graph.run())), message);
    let spawned = refusal(|| {
        let _inside = runtime.enter();
        drop(graph.spawn());
    });
    assert_eq!(spawned, message);
    // The first goes on, and another may follow it.
    source.emit(1).unwrap();
    time.settle();
    drop(time);
    let driver = thread(&graph);
    assert_eq!(refusal(|| drop(graph.drive_manually())), message);
    source.emit(2).unwrap();
    source.close();
    driver.join().unwrap();
    assert_eq!(list.take(), [1, 2]);
}

#[test]
fn spawning_outside_of_a_runtime_says_what_to_do() {
    let graph = Graph::new();
    assert_eq!(
        refusal(|| drop(graph.spawn())),
        "`spawn` needs a tokio runtime: call it inside of one (`#[tokio::main]`, \
         `Runtime::enter`), or drive the graph by `spawn_thread`"
    );
    // It does not count as driven.
    let _time = graph.drive_manually();
}

#[test]
fn a_driver_dropped_mid_way_leaves_what_is_held_and_emits_are_refused() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let buffered = source.buffer(4).map_async(1, |x| async move {
        if x == 1 {
            pending::<()>().await;
        }
        x
    });
    let windows = source.timed_window(SECOND).sink_to_list();
    let list = buffered.unordered().sink_to_list();
    let time = graph.drive_manually();
    let receipts: Vec<Receipt> = [0, 1, 2, 3]
        .into_iter()
        .map(|x| source.emit_tracked(x).unwrap())
        .collect();
    time.settle();
    while source.emit(9).is_ok() {}
    let mut waiting = Box::pin(source.send(4));
    assert!(waiting.as_mut().now_or_never().is_none(), "it is full");
    drop(time);
    let error = block_on(waiting).unwrap_err();
    assert_eq!(error.to_string(), UNDRIVEN);
    assert_eq!(error.into_element(), Some(4));
    refused(&source, UNDRIVEN);
    waiting_is_refused(&source, UNDRIVEN);
    assert_eq!(list.take(), [0]);
    assert!(windows.is_empty(), "nobody moves the time");
    assert!(receipts.iter().all(|receipt| receipt.outcome().is_none()));
    assert!(graph.snapshot().unwrap().held() > 0, "it is all there");
    let shutdown = block_on(graph.shutdown()).unwrap_err();
    assert_eq!(shutdown.to_string(), NOBODY_DRIVES);
    // The shutdown closed the window. The last handles go: what is held is lost, and the receipts
    // say so.
    assert_eq!(windows.take().concat()[..4], [0, 1, 2, 3]);
    drop((source, graph, list, windows));
    assert_eq!(receipts[0].outcome(), Some(Ok(())));
    for receipt in &receipts[1..] {
        assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    }
}

#[test]
fn a_shutdown_whose_sink_never_answers_gives_up_counts_and_fails_the_receipts() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let buffer = source.buffer(8).named("queue");
    let _ = buffer
        .sink_async(2, |x| async move {
            if x > 0 {
                pending::<()>().await;
            }
        })
        .named("write");
    let receipts: Vec<Receipt> = (0..6).map(|x| source.emit_tracked(x).unwrap()).collect();
    let mut shutdown = Box::pin(graph.shutdown_within(SECOND));
    assert!(shutdown.as_mut().now_or_never().is_none());
    time.advance(SECOND - Duration::from_nanos(1));
    assert!(shutdown.as_mut().now_or_never().is_none());
    time.advance(Duration::from_nanos(1));
    let report = block_on(shutdown).unwrap();
    assert!(!report.complete);
    assert_eq!((report.accepted, report.delivered), (6, 1));
    let held = |name| report.snapshot.named(name).unwrap().counts.held;
    assert_eq!((held("queue"), held("write")), (3, 2));
    assert_eq!(
        report.to_string().lines().next(),
        Some("6 in, 1 out, 0 dropped, 0 failed, 5 given up: the time was up")
    );
    assert_eq!(receipts[0].outcome(), Some(Ok(())));
    for receipt in &receipts[1..] {
        assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    }
    assert_eq!(
        Lost::TornDown.to_string(),
        "the graph was torn down while it held the element"
    );
    refused(&source, CLOSED);
}

// ---- inside of closures ----

#[test]
fn what_would_wait_is_refused_inside_of_a_closure_and_says_what_to_do() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let said = Arc::new(Mutex::new(Vec::<String>::new()));
    let (log, inner, own) = (said.clone(), source.clone(), graph.clone());
    let _ = source.sink(move |x| {
        let mut log = log.lock().unwrap();
        let mut say = |error: &dyn std::fmt::Display| log.push(error.to_string());
        if x == 0 {
            let error = inner.blocking_send(1).unwrap_err();
            say(&error);
            assert_eq!(error.into_element(), Some(1), "the element comes back");
            say(&own.snapshot().unwrap_err());
            say(&own.run().unwrap_err());
            say(&own.close().unwrap_err());
        }
    });
    source.emit(0).unwrap();
    let asked = "the graph is busy with the closure that asks; ask from outside of its closures";
    assert_eq!(
        *said.lock().unwrap(),
        [
            "not accepted: a closure of a graph may not wait; use `emit`, which queues",
            asked,
            asked,
            asked
        ]
    );
    // Nothing came of it but the messages.
    source.emit(2).unwrap();
    let driving = graph.attach_driver(None);
    assert!(driving.turn(Waker::noop()).is_ok());
}

#[test]
fn a_poisoned_graph_says_below_which_node_its_closure_panicked() {
    type Build = fn(&Source<u64>, &Source<u64>) -> Branch;
    fn fails(x: u64) -> u64 {
        assert!(x < 9, "as planned");
        x
    }
    let builds: [(&str, Build); 15] = [
        ("readings", |s, _| s.map(fails).sink(drop)),
        // A fork is part of the run that ends in it.
        ("readings", |s, _| s.share().map(fails).sink(drop)),
        ("buffer", |s, _| {
            s.map(|x| x).buffer(4).map(fails).sink(drop)
        }),
        ("zip", |s, o| s.zip(o).map(|(x, _)| fails(x)).sink(drop)),
        ("union", |s, o| {
            s.union(o).share().union(s).map(fails).sink(drop)
        }),
        ("with_latest", |s, o| {
            o.with_latest(s, 0, |x, y| fails(*y) + x).sink(drop)
        }),
        ("timed_window", |s, _| {
            let windows = s.timed_window(Duration::from_secs(1));
            windows.map(|all| fails(all[0])).sink(drop)
        }),
        ("delay", |s, _| {
            s.delay(Duration::from_secs(1))
                .sink(|x| assert!(fails(x) < 9))
        }),
        ("map_async", |s, _| {
            s.map_async(1, |x| async move { fails(x) }).sink(drop)
        }),
        ("try_map_async_ref", |s, _| {
            s.try_map_async_ref(1, |x| Box::pin(async move { Ok(fails(*x)) }))
                .sink(drop)
        }),
        ("try_sink_async_ref", |s, _| {
            let sink = s.try_sink_async_ref(1, |x| {
                Box::pin(async move {
                    assert!(fails(*x) < 9);
                    Ok(())
                })
            });
            sink.into()
        }),
        ("flat_map_stream", |s, _| {
            let inner = |x| futures::stream::once(async move { fails(x) });
            s.flat_map_stream(1, inner).sink(drop)
        }),
        ("sink_async", |s, _| {
            s.sink_async(1, |x| async move { assert!(fails(x) < 9) })
        }),
        ("per_key", |s, _| {
            s.per_key(|x| fails(*x), Keys::max(2), |_, flow| flow)
                .sink(drop)
        }),
        ("buffer", |s, _| {
            let runs = s.per_key(|x| x % 2, Keys::max(2), |_, flow| flow.buffer(2).map(fails));
            runs.sink(drop)
        }),
    ];
    for (title, build) in builds {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u64>().named("readings");
        let other = graph.source::<u64>().named("others");
        build(&source, &other);
        let work = AssertUnwindSafe(|| {
            for x in [1, 9] {
                let _ = source.emit(x);
                let _ = other.emit(2);
                time.advance(Duration::from_secs(2));
            }
        });
        assert!(graph.poisoned_below().is_none());
        assert!(catch_unwind(work).is_err(), "{title}");
        let node = graph.poisoned_below().expect(title);
        assert_eq!(node.label().title(), title);
        assert!(node.label().location().file().ends_with("misuse.rs"));
        // Later calls do not say anything else.
        assert!(matches!(source.emit(1), Err(EmitError::Poisoned(1))));
        assert_eq!(graph.poisoned_below().unwrap().label().title(), title);
    }
}
