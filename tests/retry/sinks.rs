//! Sinks that try again: told so when they are connected already.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::channel::oneshot;
use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{Keys, Loss, Lost, Retry, TryBranch, TryRefBranch, WorkerPanicked};

use super::{Flaky, MS};
use crate::words::{node, quiet};

/// A sink that tries again, by value or lent.
fn connect(lent: bool, source: &Source<u32>, n: usize, flaky: &Flaky, policy: Retry) -> Branch {
    match lent {
        false => source.try_sink_async(n, flaky.write()).retry(policy).into(),
        true => {
            let sink = source.try_sink_async_ref(n, flaky.lent_write());
            sink.retry(policy).into()
        }
    }
}

/// The failures of a graph that nobody caught.
fn failures(graph: &Graph) -> Arc<Mutex<Vec<Failure>>> {
    let failures = Arc::new(Mutex::new(Vec::new()));
    let told = failures.clone();
    graph.on_error(OnError::call(move |f| told.lock().unwrap().push(f.clone())));
    failures
}

#[test]
fn a_sink_is_one_node_that_says_how_often_it_tried_again() {
    for lent in [false, true] {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(1, 2), (2, 9)]);
        connect(lent, &source, 2, &flaky, Retry::attempts(4).fixed(MS));
        let kind = if lent {
            "try_sink_async_ref"
        } else {
            "try_sink_async"
        };
        let kinds = graph.topology();
        let kinds = kinds.nodes().iter().map(|node| node.label().kind());
        assert_eq!(kinds.collect::<Vec<_>>(), ["source", kind]);
        source.emit(0).unwrap();
        source.emit(1).unwrap();
        time.settle();
        assert_eq!(node(&graph, kind).counts.retried, 1);
        assert_eq!(graph.snapshot().unwrap().held(), 1);
        source.emit(2).unwrap();
        time.advance(100 * MS);
        assert_eq!(node(&graph, kind).counts.retried, 2 + 3);
        let counts = node(&graph, kind).counts;
        assert_eq!((counts.passed, counts.delivered), (3, 2));
        assert_eq!(graph.snapshot().unwrap().failed(), 1);
    }
}

#[test]
fn what_is_said_of_a_sink_may_be_said_in_any_order() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new((0..6).map(|x| (x, 1)));
    let again = Retry::attempts(2);
    let (one, two) = (source.filter(|x| *x == 1), source.filter(|x| *x == 2));
    one.try_sink_async(1, flaky.write())
        .named("one")
        .retry(again.clone());
    two.try_sink_async(1, flaky.write())
        .retry(again.clone())
        .named("two");
    let (three, four) = (source.filter(|x| *x == 3), source.filter(|x| *x == 4));
    three
        .try_sink_async_ref(1, flaky.lent_write())
        .named("three")
        .retry(again.clone());
    four.try_sink_async_ref(1, flaky.lent_write())
        .retry(again.clone())
        .named("four");
    let attempts = flaky.clone();
    source
        .filter(|x| *x == 5)
        .try_sink_async(1, move |x| {
            futures::future::ready(attempts.attempt(x).map(drop))
        })
        .named("five")
        .retry(again)
        .named("not six");
    for x in 1..6 {
        source.emit(x).unwrap();
        time.settle();
    }
    for title in ["one", "two", "three", "four", "five"] {
        let counts = node(&graph, title).counts;
        assert_eq!((counts.delivered, counts.retried), (1, 1), "{title}");
    }
    assert_eq!(graph.snapshot().unwrap().failed(), 0);
}

#[test]
fn a_sink_that_tries_again_keeps_its_slot_and_with_one_at_a_time_its_order() {
    for lent in [false, true] {
        let (graph, time) = quiet();
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(0, 2)]);
        connect(lent, &source, 1, &flaky, Retry::attempts(3).fixed(10 * MS));
        let receipt = source.emit_tracked(0).unwrap();
        assert!(matches!(source.emit(1), Err(EmitError::Full(1))));
        time.advance(19 * MS);
        assert!(matches!(source.emit(1), Err(EmitError::Full(1))));
        assert_eq!((flaky.count(), receipt.outcome()), (2, None));
        time.advance(MS);
        assert_eq!((flaky.count(), receipt.outcome()), (3, Some(Ok(()))));
        source.emit(1).unwrap();
        time.settle();
        assert_eq!(*flaky.attempts.lock().unwrap(), [0, 0, 0, 1]);
    }
}

#[test]
fn the_last_failure_of_a_sink_is_reported_with_its_element() {
    for lent in [false, true] {
        let (graph, time) = quiet();
        let failures = failures(&graph);
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(7, 9)]);
        let policy = Retry::attempts(5).when(|error| !error.to_string().contains("attempt 3"));
        connect(lent, &source, 1, &flaky, policy).named("write");
        let receipt = source.emit_tracked(7).unwrap();
        time.settle();
        let failures = std::mem::take(&mut *failures.lock().unwrap());
        assert_eq!(failures.len(), 1);
        assert_eq!(failures[0].node(), "write");
        assert_eq!(failures[0].error().to_string(), "attempt 3 at 7");
        assert_eq!(failures[0].element::<u32>(), Some(7));
        assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
    }
}

#[test]
fn a_sink_that_lends_brings_the_element_along_without_a_policy_too() {
    for lent in [false, true] {
        let (graph, time) = quiet();
        let failures = failures(&graph);
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(7, 9)]);
        match lent {
            false => drop(source.try_sink_async(1, flaky.write())),
            true => drop(source.try_sink_async_ref(1, flaky.lent_write())),
        }
        source.emit(7).unwrap();
        time.settle();
        assert_eq!(flaky.count(), 1);
        let element = failures.lock().unwrap()[0].element::<u32>();
        assert_eq!(element, lent.then_some(7));
    }
}

/// Writes that end when the test says how.
#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<Write>>>);

type Write = (u32, oneshot::Sender<bool>);

impl Writes {
    fn start(&self, x: u32) -> impl Future<Output = Result<(), BoxError>> + Send + 'static + use<> {
        let (end, good) = oneshot::channel();
        self.0.lock().unwrap().push((x, end));
        async move {
            match good.await? {
                true => Ok(()),
                false => Err(format!("at {x}").into()),
            }
        }
    }

    fn end(&self, x: u32, good: bool) {
        let mut writes = self.0.lock().unwrap();
        let at = writes.iter().position(|(y, _)| *y == x).unwrap();
        writes.remove(at).1.send(good).unwrap();
    }

    fn running(&self) -> Vec<u32> {
        self.0.lock().unwrap().iter().map(|(x, _)| *x).collect()
    }
}

#[test]
fn elements_given_to_a_sink_before_it_was_told_are_tried_once_and_later_ones_again() {
    let (graph, time) = quiet();
    let failures = failures(&graph);
    let source = graph.source::<u32>();
    let writes = Writes::default();
    let start = writes.clone();
    let sink = source.try_sink_async(2, move |x| start.start(x));
    source.emit(0).unwrap();
    time.settle();
    // Accepted, and not started: the driver comes later.
    source.emit(1).unwrap();
    let sink = sink.retry(Retry::attempts(2).fixed(MS));
    time.settle();
    writes.end(0, false);
    writes.end(1, false);
    time.advance(MS);
    assert_eq!(writes.running(), [1]);
    let told = std::mem::take(&mut *failures.lock().unwrap());
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].error().to_string(), "at 0");
    assert_eq!(told[0].element::<u32>(), None);
    // A later policy stands for what an earlier one kept a clone of, too.
    sink.retry(Retry::attempts(3).fixed(10 * MS));
    writes.end(1, false);
    time.advance(9 * MS);
    assert!(writes.running().is_empty());
    time.advance(MS);
    writes.end(1, true);
    time.settle();
    assert!(failures.lock().unwrap().is_empty());
    assert_eq!(node(&graph, "try_sink_async").counts.delivered, 1);
}

#[test]
fn attempts_of_a_sink_that_lends_are_judged_by_the_policy_of_the_moment() {
    let (graph, time) = quiet();
    let failures = failures(&graph);
    let source = graph.source::<u32>();
    let writes = Writes::default();
    let start = writes.clone();
    let sink = source.try_sink_async_ref(2, move |x| Box::pin(start.start(*x)));
    source.emit_all([0, 1]).unwrap();
    time.settle();
    writes.end(0, false);
    time.settle();
    assert_eq!(failures.lock().unwrap().len(), 1, "before it was told");
    let sink = sink.retry(Retry::attempts(3).fixed(MS));
    writes.end(1, false);
    time.advance(MS);
    assert_eq!(writes.running(), [1], "begun before it was told");
    sink.retry(Retry::attempts(2));
    writes.end(1, false);
    time.advance(MS);
    assert!(writes.running().is_empty());
    assert_eq!(failures.lock().unwrap().len(), 2);
}

#[test]
fn what_is_emitted_once_a_driven_sink_was_told_is_always_tried_again() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let driver = graph.spawn_thread();
    // It drives until the last source has gone.
    let _open = graph.source::<u32>();
    for round in 0..200 {
        let source = graph.source::<u32>();
        let flaky = Flaky::new((0..8).map(|x| (x, 1)));
        connect(round % 2 == 0, &source, 3, &flaky, Retry::attempts(2));
        let receipts = (0..8).map(|x| block_on(source.send_tracked(x)).unwrap());
        for receipt in receipts.collect::<Vec<_>>() {
            assert_eq!(block_on(receipt), Ok(()), "in round {round}");
        }
        assert_eq!(flaky.count(), 16);
    }
    assert_eq!(graph.snapshot().unwrap().failed(), 0);
    drop(driver);
}

#[test]
fn blocking_sinks_try_again_panics_included() {
    let graph = Graph::new();
    let failures = failures(&graph);
    let flaky = Flaky::new([(1, 2), (2, 9)]);
    let panics = AtomicUsize::new(0);
    let attempts = flaky.clone();
    let policy = Retry::attempts(3).fixed(MS);
    graph
        .from_iter(0..4)
        .try_sink_blocking(2, move |x| {
            if x == 3 && panics.fetch_add(1, Ordering::Relaxed) == 0 {
                // Quietly: not through the hook, that would write to the log of the tests.
                resume_unwind(Box::new("once"));
            }
            attempts.attempt(x).map(drop)
        })
        .retry(policy.when(|e| e.is::<WorkerPanicked>() || e.to_string().contains("attempt")))
        .named("threads");
    graph.run().unwrap();
    assert_eq!(flaky.attempts_at(2), 3);
    let counts = node(&graph, "threads").counts;
    assert_eq!((counts.delivered, counts.retried), (3, 2 + 2 + 1));
    let failures = failures.lock().unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].take_element::<i32>(), None);
    assert_eq!(failures[0].take_element::<u32>(), Some(2));
}

#[test]
fn what_is_never_tried_again_needs_no_clone_and_is_never_cloned() {
    struct Counted(Arc<AtomicUsize>);
    impl Clone for Counted {
        fn clone(&self) -> Counted {
            self.0.fetch_add(1, Ordering::Relaxed);
            Counted(self.0.clone())
        }
    }
    struct Bare;
    let (graph, time) = quiet();
    let (source, flow) = graph.pipe::<Bare>();
    flow.try_sink_async(1, |_| async { Ok(()) });
    source.emit(Bare).unwrap();
    for (policy, lent, expected) in [
        (None, false, 0),
        (Some(Retry::attempts(2)), false, 2),
        (None, true, 0),
        (Some(Retry::attempts(2)), true, 0),
    ] {
        let (source, flow) = graph.pipe::<Counted>();
        let clones = Arc::new(AtomicUsize::new(0));
        match lent {
            false => {
                let sink = flow.try_sink_async(1, |_| async { Err("no".into()) });
                policy.map(|policy| sink.retry(policy));
            }
            true => {
                let sink = flow.try_sink_async_ref(1, |_| Box::pin(async { Err("no".into()) }));
                policy.map(|policy| sink.retry(policy));
            }
        }
        source.emit(Counted(clones.clone())).unwrap();
        time.settle();
        assert_eq!(clones.load(Ordering::Relaxed), expected);
    }
    assert_eq!(graph.snapshot().unwrap().failed(), 4);
}

#[test]
fn a_sink_that_is_disconnected_makes_its_attempts_and_one_that_is_discarded_does_not() {
    for lent in [false, true] {
        for discards in [false, true] {
            let (graph, time) = quiet();
            let source = graph.source::<u32>();
            let flaky = Flaky::new([(0, 2)]);
            let branch = connect(lent, &source, 2, &flaky, Retry::attempts(3).fixed(MS));
            let receipt = source.emit_tracked(0).unwrap();
            time.settle();
            match discards {
                false => branch.disconnect(),
                true => branch.discard(),
            }
            time.advance(10 * MS);
            let lost = graph.snapshot().unwrap().gone.counts.lost(Loss::Discarded);
            let (attempts, outcome) = match discards {
                false => (3, Ok(())),
                true => (1, Err(Lost::TornDown)),
            };
            assert_eq!(flaky.count(), attempts);
            assert_eq!(receipt.outcome(), Some(outcome));
            assert_eq!(lost, u64::from(discards));
            assert!(!branch.is_connected());
        }
    }
}

#[test]
fn closes_and_shutdowns_wait_for_a_sink_s_attempts() {
    for lent in [false, true] {
        for closed_at in 0..30 {
            let (graph, time) = quiet();
            let source = graph.source::<u32>();
            let flaky = Flaky::new([(0, 2), (1, 9)]);
            connect(lent, &source, 2, &flaky, Retry::attempts(3).fixed(10 * MS));
            let receipts = [0, 1].map(|x| source.emit_tracked(x).unwrap());
            time.advance(closed_at * MS);
            source.close();
            time.settle();
            let open = graph.snapshot().unwrap().held();
            assert_eq!(open, if closed_at < 20 { 2 } else { 0 });
            time.advance(20 * MS);
            assert_eq!(flaky.count(), 6);
            let outcomes = receipts.map(|receipt| receipt.outcome());
            assert_eq!(outcomes, [Some(Ok(())), Some(Err(Lost::Failed))]);
        }
        let graph = Graph::new();
        let driver = graph.spawn_thread();
        let source = graph.source::<u32>();
        let flaky = Flaky::new([(0, 2)]);
        connect(lent, &source, 2, &flaky, Retry::attempts(3).fixed(5 * MS));
        let receipt = source.emit_tracked(0).unwrap();
        assert!(block_on(graph.shutdown()).unwrap().complete);
        assert_eq!(receipt.outcome(), Some(Ok(())));
        drop(driver);
    }
}

#[test]
fn the_sinks_of_keys_have_policies_of_their_own() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new((0..40).map(|x| (x, 9)));
    let attempts = flaky.clone();
    source
        .per_key(
            |x| x / 10,
            Keys::max(9),
            move |key, flow| {
                let flow = flow.share();
                let policy = Retry::attempts(*key + 1).fixed(MS);
                match key % 2 {
                    0 => drop(flow.try_sink_async(2, attempts.write()).retry(policy)),
                    _ => drop(
                        flow.try_sink_async_ref(2, attempts.lent_write())
                            .retry(policy),
                    ),
                }
                flow.map(|x| x)
            },
        )
        .sink(drop);
    for x in [0, 10, 20, 30] {
        source.emit(x).unwrap();
    }
    time.advance(10 * MS);
    let attempts = [0, 10, 20, 30].map(|x| flaky.attempts_at(x));
    assert_eq!(attempts, [1, 2, 3, 4]);
}

#[test]
fn the_handle_of_a_sink_that_may_fail_is_a_branch() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (old, new) = (graph.source::<u32>(), graph.source::<u32>());
    let flaky = Flaky::new((0..9).map(|x| (x, 1)));
    let given: TryBranch<u32> = old.try_sink_async(4, flaky.write()).named("given");
    let lent: TryRefBranch<u32> = old.try_sink_async_ref(4, flaky.lent_write()).named("lent");
    assert_eq!(
        format!("{given:?}"),
        r#"TryBranch(Branch { end: Some("given"), .. })"#
    );
    assert_eq!(
        format!("{lent:?}"),
        r#"TryRefBranch(Branch { end: Some("lent"), .. })"#
    );
    assert!(given.is_connected() && lent.branch().is_connected());
    // Clones mean the same sink.
    given.clone().retry(Retry::attempts(2));
    lent.clone().retry(Retry::attempts(2));
    given.move_to(&new).unwrap();
    lent.move_to(&new).unwrap();
    new.emit(1).unwrap();
    time.settle();
    assert_eq!(
        flaky.count(),
        3,
        "one sink's failure is the other's success"
    );
    let branches: [Branch; 2] = [given.into(), lent.into()];
    branches.iter().for_each(Branch::disconnect);
    time.settle();
    let titles = graph.topology();
    let titles = titles.nodes().iter().map(|node| node.label().title());
    assert_eq!(titles.collect::<Vec<_>>(), ["source", "source"]);
}

#[test]
fn a_policy_for_a_sink_that_is_gone_changes_nothing() {
    let (graph, time) = quiet();
    let source = graph.source::<u32>();
    let flaky = Flaky::new([(0, 9)]);
    let sink = source.try_sink_async(1, flaky.write());
    sink.discard();
    time.settle();
    let sink = sink.retry(Retry::attempts(3));
    source.emit(0).unwrap();
    drop((source, time, graph));
    assert!(!sink.retry(Retry::attempts(3)).is_connected());
    assert_eq!(flaky.count(), 0);
}
