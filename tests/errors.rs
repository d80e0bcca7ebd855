//! Errors are values (R7): who sees a failure, what the others see, and what stops.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{EmitAllError, Loss, Lost, zip};
use proptest::prelude::*;

/// Fails on 0.
fn inverse(x: i64) -> Result<i64, BoxError> {
    if x == 0 {
        Err("division by zero".into())
    } else {
        Ok(100 / x)
    }
}

fn failed<T: std::fmt::Debug>(outcome: Result<(), EmitError<T>>) -> Failure {
    match outcome {
        Err(EmitError::Failed(failure)) => failure,
        other => panic!("expected a failure, not {other:?}"),
    }
}

#[test]
fn emit_says_which_operator_failed_and_where_it_was_made() {
    let source = Source::<i64>::new();
    let line = line!() + 1;
    let list = source.try_map(inverse).named("inverse").sink_to_list();
    let error = source.emit(0).unwrap_err();
    let text = error.to_string();
    let failure = failed::<i64>(Err(error));
    assert_eq!((failure.node(), failure.kind()), ("inverse", "try_map"));
    assert_eq!(failure.location().line(), line);
    assert!(failure.location().file().ends_with("errors.rs"));
    assert_eq!(failure.error().to_string(), "division by zero");
    assert_eq!(
        text,
        format!(
            "accepted, but `inverse` at {} failed: division by zero",
            failure.location()
        )
    );
    source.emit(50).unwrap();
    assert_eq!(list.take(), [2]);
}

#[test]
fn a_failure_brings_its_element_where_the_operator_still_had_it() {
    let source = Source::<i64>::new();
    let list = source.try_filter(|x| Ok(inverse(*x)? > 10)).sink_to_list();
    source.emit(1).unwrap();
    source.emit(50).unwrap();
    let failure = failed(source.emit(0));
    assert_eq!(failure.take_element::<String>(), None);
    assert_eq!(failure.take_element(), Some(0i64));
    assert_eq!(failure.take_element::<i64>(), None);
    assert_eq!(list.take(), [1]);
    let other = Source::<i64>::new();
    let _ = other.try_map(inverse).sink(drop);
    assert_eq!(failed(other.emit(0)).take_element::<i64>(), None);
}

#[test]
fn a_sink_may_fail_and_its_siblings_still_see_the_element() {
    let source = Source::<i64>::new();
    let before = source.sink_to_list();
    let _ = source.try_sink(|x| inverse(x).map(drop)).named("store");
    let after = source.sink_to_list();
    assert_eq!(failed(source.emit(0)).node(), "store");
    source.emit(1).unwrap();
    assert_eq!(before.take(), [0, 1]);
    assert_eq!(after.take(), [0, 1]);
    let snapshot = source.graph().snapshot().unwrap();
    assert_eq!(snapshot.named("store").unwrap().counts.failed, 1);
    assert_eq!(snapshot.named("store").unwrap().counts.passed, 2);
}

#[test]
fn only_the_nearest_catch_below_sees_a_failure() {
    let source = Source::<i64>::new();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let calls = calls.clone();
        move |failure: Failure| {
            calls
                .lock()
                .unwrap()
                .push((name, failure.error().to_string()));
            Some(-1)
        }
    };
    let list = source
        .catch(note("above"))
        .try_map(inverse)
        .map(|x| x + 1)
        .catch(note("near"))
        .catch(note("far"))
        .sink_to_list();
    source.emit_all([50, 0, 100]).unwrap();
    source.emit(0).unwrap();
    assert_eq!(list.take(), [3, -1, 2, -1]);
    let expected = ("near", "division by zero".to_owned());
    assert_eq!(*calls.lock().unwrap(), [expected.clone(), expected]);
}

#[test]
fn a_failure_that_is_caught_does_not_fail_the_lineage() {
    let source = Source::<i64>::new();
    let caught = source.try_map(inverse).catch(|_| None).sink_to_list();
    let receipt = source.emit_tracked(0).unwrap();
    assert_eq!(receipt.outcome(), Some(Ok(())));
    assert!(caught.is_empty());
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<i64>();
    let _ = source.buffer(4).try_map(inverse).sink(drop);
    let receipt = source.emit_tracked(0).unwrap();
    assert_eq!(receipt.outcome(), None);
    time.settle();
    assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
}

#[test]
fn a_fork_reports_a_failure_once_and_passes_on_the_hole() {
    let graph = Graph::new();
    let source = graph.source::<i64>();
    let shared = source.try_map(inverse).share();
    let caught = Arc::new(Mutex::new(0));
    let count = caught.clone();
    let left = shared.catch(move |_| {
        *count.lock().unwrap() += 1;
        None
    });
    let rows = left.zip(shared.map(|x| x + 1)).sink_to_list();
    let Err(EmitAllError {
        accepted,
        others,
        cause,
        ..
    }) = source.emit_all([50, 0, 100])
    else {
        panic!("it should fail");
    };
    assert_eq!((accepted, others), (3, 0));
    assert_eq!(
        failed::<i64>(Err(cause)).error().to_string(),
        "division by zero"
    );
    assert_eq!(rows.take(), [(2, 3), (1, 2)]);
    assert_eq!(*caught.lock().unwrap(), 0);
}

#[test]
fn emit_all_returns_the_first_failure_and_counts_the_others() {
    let source = Source::<i64>::new();
    let list = source
        .try_map(|x| {
            if x % 10 == 0 {
                Err(x.to_string().into())
            } else {
                Ok(x)
            }
        })
        .sink_to_list();
    let error = source.emit_all(1..=1000).unwrap_err();
    assert_eq!((error.accepted, error.others), (1000, 99));
    assert!(
        error
            .to_string()
            .ends_with("(1000 accepted, 100 of them failed)")
    );
    assert_eq!(failed::<i64>(Err(error.cause)).error().to_string(), "10");
    assert_eq!(list.len(), 900);
}

#[test]
fn split_errors_parts_elements_from_failures_in_order() {
    let source = Source::<i64>::new();
    let events = Arc::new(Mutex::new(Vec::new()));
    let (numbers, failures) = source.try_map(inverse).split_errors();
    let (left, right) = (events.clone(), events.clone());
    let _ = numbers.sink(move |x| left.lock().unwrap().push(x.to_string()));
    let _ = failures.sink(move |f| right.lock().unwrap().push(f.error().to_string()));
    source.emit_all([1, 0, 2]).unwrap();
    let receipt = source.emit_tracked(0).unwrap();
    assert_eq!(receipt.outcome(), Some(Ok(())));
    let bad = "division by zero";
    assert_eq!(*events.lock().unwrap(), ["100", bad, "50", bad]);
}

#[test]
fn split_flows_are_connected_on_their_own_and_close_together() {
    let source = Source::<i64>::new();
    let (numbers, failures) = source.try_map(inverse).split_errors();
    // Nobody takes failures yet: they are reported, and nothing is lost unseen.
    let list = numbers.sink_to_list();
    assert_eq!(failed(source.emit(0)).kind(), "try_map");
    let count = failures.accumulate(0, |n, _| n + 1).sink_to_list();
    source.emit_all([0, 50, 0]).unwrap();
    assert_eq!(count.take(), [1, 2]);
    assert_eq!(list.take(), [2]);
    // Without the elements' branch the failures still come.
    list.branch().clone().disconnect();
    source.emit_all([0, 50]).unwrap();
    assert_eq!(count.take(), [3]);
    let snapshot = source.graph().snapshot().unwrap();
    assert_eq!(
        snapshot
            .named("split_errors")
            .unwrap()
            .counts
            .lost(Loss::Unheard),
        1
    );
}

#[test]
fn a_failing_handler_flow_is_a_flow_like_any_other() {
    let source = Source::<i64>::new();
    let (numbers, failures) = source.try_map(inverse).split_errors();
    let list = numbers.sink_to_list();
    let _ = failures.try_sink(|_| Err("the dead letter box is full".into()));
    assert_eq!(failed(source.emit(0)).kind(), "try_sink");
    source.emit(100).unwrap();
    assert_eq!(list.take(), [1]);
}

#[test]
fn a_handler_of_the_graph_gets_what_no_emitter_waits_for() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = seen.clone();
    graph.on_error(OnError::call(move |failure| {
        note.lock().unwrap().push(failure.to_string());
    }));
    let source = graph.source::<i64>();
    let list = source
        .buffer(4)
        .try_map(inverse)
        .named("inverse")
        .sink_to_list();
    source.emit_all([50, 0, 100]).unwrap();
    time.settle();
    assert_eq!(list.take(), [2, 1]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].starts_with("`inverse` at "), "{}", seen[0]);
}

#[test]
fn by_default_a_failure_is_counted_and_the_graph_goes_on() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    graph.on_error(OnError::Log);
    let source = graph.source::<i64>();
    let list = source
        .buffer(4)
        .try_sink(|x| inverse(x).map(drop))
        .named("end");
    source.emit_all([50, 0, 100]).unwrap();
    time.settle();
    drop(list);
    assert_eq!(
        graph
            .snapshot()
            .unwrap()
            .named("end")
            .unwrap()
            .counts
            .failed,
        1
    );
    source.emit(1).unwrap();
}

#[test]
fn a_graph_that_stops_at_errors_gives_later_elements_back_with_the_cause() {
    let graph = Graph::new();
    graph.on_error(OnError::Stop);
    let source = graph.source::<i64>();
    let list = source.try_map(inverse).sink_to_list();
    assert_eq!(failed(source.emit(0)).kind(), "try_map");
    match source.emit(7) {
        Err(EmitError::Stopped(7, cause)) => assert_eq!(cause.kind(), "try_map"),
        other => panic!("expected a stopped graph, not {other:?}"),
    }
    let error = source.emit_all([8, 9]).unwrap_err();
    assert!(matches!(error.cause, EmitError::Stopped(8, _)), "{error}");
    assert!(list.is_empty());
    let caught = Graph::new();
    caught.on_error(OnError::Stop);
    let source = caught.source::<i64>();
    let list = source.try_map(inverse).catch(|_| Some(0)).sink_to_list();
    source.emit_all([0, 50]).unwrap();
    assert_eq!(list.take(), [0, 2]);
}

#[test]
fn a_panic_poisons_the_graph_and_what_it_held_is_lost() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<i64>();
    let other = graph.source::<i64>();
    let _ = source.buffer(4).sink(drop);
    let _ = other.map(|x| 1 / x).sink(drop);
    let held = source.emit_tracked(1).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| other.emit(0)));
    assert!(panicked.is_err());
    assert!(matches!(other.emit(1), Err(EmitError::Poisoned(1))));
    assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
    assert!(matches!(
        source.emit_all([3]).unwrap_err().cause,
        EmitError::Poisoned(3)
    ));
    assert!(matches!(graph.snapshot(), Err(GraphError::Poisoned)));
    assert_eq!(held.outcome(), Some(Err(Lost::TornDown)));
    drop(time);
}

#[test]
fn a_panic_while_the_driver_drains_loses_the_element_under_way() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<i64>();
    let list = source.buffer(4).map(|x| 1 / x).sink_to_list();
    let good = source.emit_tracked(1).unwrap();
    let bad = source.emit_tracked(0).unwrap();
    let behind = source.emit_tracked(1).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| time.settle())).is_err());
    assert!(matches!(source.emit(1), Err(EmitError::Poisoned(1))));
    assert_eq!(good.outcome(), Some(Ok(())));
    assert_eq!(bad.outcome(), Some(Err(Lost::Panicked)));
    assert_eq!(behind.outcome(), Some(Err(Lost::TornDown)));
    assert_eq!(list.take(), [1]);
}

#[test]
fn a_failure_of_an_element_emitted_from_a_closure_goes_to_the_handler() {
    let graph = Graph::new();
    let errors = Arc::new(Mutex::new(0));
    let note = errors.clone();
    graph.on_error(OnError::call(move |_| *note.lock().unwrap() += 1));
    let source = graph.source::<i64>();
    let weak = source.downgrade();
    let list = source.try_map(inverse).sink_to_list();
    let _ = source.sink(move |x| {
        if x > 0 {
            weak.emit(x - 50).unwrap();
        }
    });
    source.emit(50).unwrap();
    assert_eq!(list.take(), [2]);
    assert_eq!(*errors.lock().unwrap(), 1);
}

/// Fails on multiples of `n`.
fn refusing(n: i64) -> impl Fn(i64) -> Result<i64, BoxError> + Clone {
    move |x| {
        if x % n == 0 {
            Err("refused".into())
        } else {
            Ok(x)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_zip_never_pairs_wrong_mates_after_failures(
        count in 0..700i64, a in 1..8i64, b in 1..8i64, n in 1..8i64, way in 0..3,
    ) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<i64>();
        let reports = Arc::new(Mutex::new(0));
        let note = reports.clone();
        graph.on_error(OnError::call(move |_| *note.lock().unwrap() += 1));
        let shared = source.share();
        // A failure, one that was caught and left a hole, one that was replaced, one behind a buffer.
        let rows = zip((
            shared.try_map(refusing(a)),
            shared.try_map(refusing(b)).catch(|_| None).map_with_state((), |(), x| x),
            shared.try_map(refusing(n)).catch(|_| Some(0)).buffer(2000),
            &shared,
        ))
        .sink_to_list();
        match way {
            0 => for x in 1..=count {
                let _ = source.emit(x);
            },
            1 => {
                let _ = source.emit_all(1..=count);
            }
            _ => for x in (1..=count).step_by(7) {
                let _ = source.emit_all(x..=(x + 6).min(count));
            },
        }
        time.settle();
        let expected: Vec<_> = (1..=count)
            .filter(|x| x % a != 0 && x % b != 0)
            .map(|x| (x, x, if x % n == 0 { 0 } else { x }, x))
            .collect();
        prop_assert_eq!(rows.take(), expected);
        prop_assert_eq!(*reports.lock().unwrap(), count / a);
    }

    #[test]
    fn fallible_operators_give_the_same_one_by_one_and_in_batches(
        input in prop::collection::vec(0..12i64, 0..600), cut in 1..300usize, n in 2..6i64,
    ) {
        let run = |cut: usize| {
            let source = Source::<i64>::new();
            let log = Arc::new(Mutex::new(Vec::new()));
            let (left, right) = (log.clone(), log.clone());
            let (items, failures) = source
                .try_filter(move |x| refusing(n)(*x).map(|x| x % 2 == 0))
                .flat_map(|x| [x, x + 1])
                .try_map(refusing(7))
                .split_errors();
            let _ = items.sink(move |x| left.lock().unwrap().push(x));
            let _ = failures.sink(move |f| {
                right.lock().unwrap().push(if f.kind() == "try_map" { -2 } else { -1 });
            });
            let piped = source.try_map(refusing(n)).catch(|_| Some(-3)).filter(|x| x % 2 != 0);
            let shared = piped.share();
            let (first, second) = (shared.sink_to_list(), shared.sink_to_list());
            for chunk in input.chunks(cut) {
                if cut == 1 {
                    source.emit(chunk[0]).unwrap();
                } else {
                    source.emit_all(chunk.iter().copied()).unwrap();
                }
            }
            let log = log.lock().unwrap().clone();
            (log, first.take(), second.take())
        };
        let mut log = Vec::new();
        for &x in &input {
            if x % n == 0 {
                log.push(-1);
            } else if x % 2 == 0 {
                log.extend([x, x + 1].map(|x| if x % 7 == 0 { -2 } else { x }));
            }
        }
        let odd: Vec<_> = input
            .iter()
            .map(|x| if x % n == 0 { -3 } else { *x })
            .filter(|x| x % 2 != 0)
            .collect();
        for cut in [1, cut, 600] {
            prop_assert_eq!(run(cut), (log.clone(), odd.clone(), odd.clone()));
        }
    }
}

#[test]
fn a_source_refuses_for_the_same_reason_whether_or_not_its_graph_is_busy() {
    let graph = Graph::new();
    let (closed, other) = (graph.source::<i32>(), graph.source::<i32>());
    closed.timed_window(Duration::from_secs(1)).sink(drop);
    closed.close();
    let refused = || block_on(closed.send(1));
    assert!(matches!(refused(), Err(EmitError::Closed(1))));
    let guard = other.lock();
    assert!(matches!(refused(), Err(EmitError::Closed(1))));
    drop(guard);

    let stopped = Source::<i32>::new();
    stopped.graph().on_error(OnError::Stop);
    stopped
        .try_map(|_| Err::<i32, BoxError>("no".into()))
        .sink(drop);
    assert!(matches!(stopped.emit(1), Err(EmitError::Failed(_))));
    assert!(matches!(stopped.emit(2), Err(EmitError::Stopped(2, _))));
    let guard = stopped.lock();
    assert!(matches!(stopped.emit(3), Err(EmitError::Stopped(3, _))));
    drop(guard);
}

#[test]
fn an_error_that_main_returns_says_what_to_do() {
    let source = Source::<i32>::new();
    source.timed_window(Duration::from_secs(1)).sink(drop);
    let error = source.emit(1).unwrap_err();
    assert_eq!(format!("{error:?}"), format!("Undriven(..): {error}"));
    assert!(format!("{error:?}").contains("spawn_thread"));
}
