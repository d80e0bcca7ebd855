//! Where runs end in futures, threads, sinks and streams, at the public API.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc as std_mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::executor::block_on;
use futures::{FutureExt, Sink, SinkExt, StreamExt, stream};
use headwater::prelude::*;
use headwater::{BoxFlow, FORWARD_CAPACITY, Loss, Lost, Outcome, Receipt, SinkBroken, zip};
use proptest::prelude::*;

#[test]
fn a_receipt_resolves_once_the_write_has_finished_and_no_earlier() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let (finish, finished) = oneshot::channel::<()>();
    let mut finished = Some(finished);
    source.sink_async(1, move |_| {
        let finished = finished.take().unwrap();
        async move { finished.await.unwrap() }
    });
    let receipt = source.emit_tracked(1).unwrap();
    time.settle();
    assert_eq!(receipt.outcome(), None);
    assert!(matches!(source.emit(2), Err(EmitError::Full(2))));
    finish.send(()).unwrap();
    assert_eq!(receipt.outcome(), None);
    time.settle();
    assert_eq!(receipt.outcome(), Some(Ok(())));
}

#[test]
fn a_failed_write_reaches_the_handler_and_the_receipt() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let failures = Arc::new(Mutex::new(Vec::new()));
    let log = failures.clone();
    graph.on_error(OnError::call(move |failure| {
        log.lock().unwrap().push(failure.to_string());
    }));
    let source = graph.source::<u32>();
    source
        .try_sink_async(4, |x| async move {
            if x == 1 {
                Err("disk full".into())
            } else {
                Ok(())
            }
        })
        .named("disk");
    let receipts: Vec<_> = (0..3).map(|x| source.emit_tracked(x).unwrap()).collect();
    time.settle();
    let outcomes: Vec<_> = receipts.iter().map(|r| r.outcome().unwrap()).collect();
    assert_eq!(outcomes, [Ok(()), Err(Lost::Failed), Ok(())]);
    let failures = failures.lock().unwrap();
    assert_eq!(failures.len(), 1);
    assert!(
        failures[0].starts_with("`disk` at tests/ends.rs:"),
        "{failures:?}"
    );
    assert!(failures[0].ends_with("failed: disk full"), "{failures:?}");
}

#[test]
fn an_end_that_writes_has_closed_when_the_last_write_is_through() {
    let graph = Graph::new();
    let written = Arc::new(AtomicUsize::new(0));
    let count = written.clone();
    graph.from_iter(0..1_000).sink_async(3, move |_| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    graph.run().unwrap();
    assert_eq!(written.load(Ordering::Relaxed), 1_000);
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(snapshot.named("sink_async").unwrap().counts.passed, 1_000);
    assert_eq!(
        graph.topology().to_string().matches("sink_async").count(),
        1
    );
}

#[test]
fn a_stalled_sink_holds_no_more_than_it_says() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    source.sink_async(8, |_| futures::future::pending());
    let refused = (0..100_000).filter(|x| {
        time.settle();
        source.emit(*x).is_err()
    });
    assert_eq!(refused.count(), 100_000 - 8);
    let snapshot = graph.snapshot().unwrap();
    let sink = snapshot.named("sink_async").unwrap();
    assert_eq!((sink.counts.held, sink.counts.capacity), (8, 8));
    assert!(sink.blocked_since.is_some());
}

#[test]
fn a_sink_that_blocks_delays_no_sibling_and_no_emitter() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let (release, gate) = std_mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let (begun, begins) = std_mpsc::channel();
    source.sink_blocking(1, move |x| {
        begun.send(x).unwrap();
        gate.lock().unwrap().recv().unwrap();
    });
    let sibling = source.sink_to_list();
    let other = graph.source::<u32>();
    let others = other.sink_to_list();
    let receipt = source.emit_tracked(1).unwrap();
    time.settle();
    begins.recv().unwrap();
    // The closure blocks now, and for as long as the test likes.
    assert_eq!(sibling.take(), [1]);
    other.emit(7).unwrap();
    time.advance(Duration::from_secs(1));
    assert_eq!(others.take(), [7]);
    assert_eq!(receipt.outcome(), None);
    release.send(()).unwrap();
    while receipt.outcome().is_none() {
        time.settle();
    }
    assert_eq!(receipt.outcome(), Some(Ok(())));
}

#[test]
fn a_blocking_sink_that_fails_or_panics_fails_its_element_only() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let written = Arc::new(Mutex::new(Vec::new()));
    let log = written.clone();
    graph.from_iter(0..6).try_sink_blocking(1, move |x| {
        if x == 2 {
            return Err("no".into());
        }
        assert!(x != 4, "four");
        log.lock().unwrap().push(x);
        Ok(())
    });
    graph.run().unwrap();
    assert_eq!(*written.lock().unwrap(), [0, 1, 3, 5]);
    assert_eq!(graph.snapshot().unwrap().failed(), 2);
}

/// What a receipt says of the failure that lost its element.
fn told(receipt: &Receipt) -> Option<(String, String)> {
    let failure = receipt.failure()?;
    Some((failure.node().to_owned(), failure.error().to_string()))
}

#[test]
fn a_receipt_knows_the_failure_that_lost_its_element() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    graph.on_error(OnError::call(|_| {}));
    let source = graph.source::<u32>();
    source
        .buffer(8)
        .try_map(|x| {
            if x == 1 {
                Err("one is odd".into())
            } else {
                Ok(x)
            }
        })
        .named("check")
        .sink(drop);
    let mut good = source.emit_tracked(0).unwrap();
    let mut bad = source.emit_tracked(1).unwrap();
    assert_eq!(told(&bad), None, "it has not happened yet");
    time.settle();
    assert_eq!(block_on(&mut good), Ok(()));
    assert_eq!(told(&good), None);
    assert_eq!(block_on(&mut bad), Err(Lost::Failed));
    let why = ("check".to_owned(), "one is odd".to_owned());
    assert_eq!(told(&bad), Some(why.clone()));
    assert_eq!(told(&bad), Some(why), "as often as one asks");
}

#[test]
fn of_several_failures_a_receipt_tells_the_first() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    graph.on_error(OnError::call(|_| {}));
    let source = graph.source::<u32>();
    let shared = source.buffer(8).share();
    for node in ["first", "second"] {
        shared
            .try_map(move |_| Err::<u32, _>(node.into()))
            .named(node)
            .sink(drop);
    }
    let receipt = source.emit_tracked(1).unwrap();
    time.settle();
    assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
    assert_eq!(told(&receipt), Some(("first".into(), "first".into())));
}

#[test]
fn a_caught_failure_and_a_discarded_element_leave_no_failure() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    source
        .buffer(8)
        .try_map(|_| Err::<u32, _>("never mind".into()))
        .catch(|_| None)
        .sink(drop);
    let caught = source.emit_tracked(1).unwrap();
    time.settle();
    assert_eq!((caught.outcome(), told(&caught)), (Some(Ok(())), None));

    let other = graph.source::<u32>();
    drop(other.into_stream(1));
    let unheard = other.emit_tracked(1).unwrap();
    assert_eq!(unheard.outcome(), Some(Err(Lost::Discarded)));
    assert_eq!(told(&unheard), None);
}

#[test]
fn each_member_of_a_partition_that_failed_is_told_why() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    graph.on_error(OnError::call(|_| {}));
    let source = graph.source::<u32>();
    source
        .partition(3)
        .try_sink_async(4, |rows| async move {
            if rows.contains(&4) {
                Err("constraint violated".into())
            } else {
                Ok(())
            }
        })
        .named("insert");
    let receipts: Vec<_> = (0..6).map(|x| source.emit_tracked(x).unwrap()).collect();
    time.settle();
    for (x, receipt) in receipts.iter().enumerate() {
        let why = (x >= 3).then(|| ("insert".to_owned(), "constraint violated".to_owned()));
        assert_eq!(told(receipt), why, "{x}");
    }
}

#[test]
fn both_sides_of_a_pair_that_failed_are_told_why() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    graph.on_error(OnError::call(|_| {}));
    let (left, right) = (graph.source::<u32>(), graph.source::<u32>());
    // Partitioned once more: a merge of merges.
    zip((&left, &right))
        .partition(2)
        .buffer(8)
        .try_sink(|_| Err("no such pair".into()))
        .named("pairs");
    let receipts: Vec<_> = (0..2)
        .flat_map(|x| {
            [
                left.emit_tracked(x).unwrap(),
                right.emit_tracked(x).unwrap(),
            ]
        })
        .collect();
    time.settle();
    for receipt in &receipts {
        assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
        assert_eq!(told(receipt), Some(("pairs".into(), "no such pair".into())));
    }
}

#[test]
fn the_mate_of_a_failed_element_is_discarded_and_has_no_failure() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    graph.on_error(OnError::call(|_| {}));
    let (left, right) = (graph.source::<u32>(), graph.source::<u32>());
    let checked = left
        .buffer(8)
        .try_map(|_| Err::<u32, _>("unfit".into()))
        .named("check");
    let rows = zip((checked, &right)).sink_to_list();
    let failed = left.emit_tracked(1).unwrap();
    let mate = right.emit_tracked(1).unwrap();
    time.settle();
    assert!(rows.is_empty());
    assert_eq!(told(&failed), Some(("check".into(), "unfit".into())));
    assert_eq!(mate.outcome(), Some(Err(Lost::Discarded)));
    assert_eq!(told(&mate), None);
}

/// What `on_done` was told, by handle.
type Acks = Arc<Mutex<Vec<(u32, Outcome)>>>;

/// A flow of `0..count`, each with itself for a handle.
fn acked(graph: &Graph, count: u32) -> (BoxFlow<u32>, Acks) {
    let acks = Acks::default();
    let log = acks.clone();
    let flow = graph.from_acked_stream(stream::iter((0..count).map(|x| (x, x))), move |x, how| {
        log.lock().unwrap().push((x, how));
    });
    (flow.boxed(), acks)
}

/// Everything acknowledged up to now, by handle; one that is twice in it stays twice.
fn sorted(acks: &Acks) -> Vec<(u32, Outcome)> {
    let mut acks = acks.lock().unwrap().clone();
    acks.sort_by_key(|(x, _)| *x);
    acks
}

fn all_good(handles: impl IntoIterator<Item = u32>) -> Vec<(u32, Outcome)> {
    handles.into_iter().map(|x| (x, Ok(()))).collect()
}

#[test]
fn what_a_filter_takes_out_is_acknowledged_once_like_what_it_lets_through() {
    let graph = Graph::new();
    let (flow, acks) = acked(&graph, 700);
    let list = flow.filter(|x| x % 3 == 0).sink_to_list();
    graph.run().unwrap();
    assert_eq!(list.len(), 234);
    assert_eq!(sorted(&acks), all_good(0..700));
}

#[test]
fn when_a_shutdown_has_returned_what_the_close_set_free_is_acknowledged() {
    for _ in 0..20 {
        let graph = Graph::new();
        let driver = graph.spawn_thread();
        let acks = Acks::default();
        let endless = |items: std::ops::Range<u32>| {
            let log = acks.clone();
            let items = stream::iter(items.map(|x| (x, x))).chain(stream::pending());
            graph.from_acked_stream(items, move |x, how| log.lock().unwrap().push((x, how)))
        };
        let (came, coming) = std_mpsc::channel();
        // What is held goes when the second one has closed, too.
        let batches = endless(0..60)
            .union(endless(60..100))
            .inspect(move |_| came.send(()).unwrap())
            .partition(1_000)
            .sink_to_list();
        coming.iter().take(100).for_each(drop);
        let report = graph.close().unwrap();
        assert!(report.complete);
        assert_eq!(batches.take()[0].len(), 100);
        assert_eq!(sorted(&acks), all_good(0..100));
        driver.join().unwrap();
    }
}

#[test]
fn a_shutdown_that_runs_out_of_time_does_not_wait_to_acknowledge_what_it_gives_up() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let acks = Acks::default();
    let log = acks.clone();
    let items = stream::iter((0..3).map(|x| (x, x))).chain(stream::pending());
    let flow = graph.from_acked_stream(items, move |x, how| log.lock().unwrap().push((x, how)));
    flow.sink_async(1, |x: u32| async move {
        if x > 0 {
            std::future::pending::<()>().await;
        }
    });
    time.settle();
    let shutdown = graph.shutdown_within(Duration::from_secs(1));
    let mut shutdown = std::pin::pin!(shutdown);
    assert!(shutdown.as_mut().now_or_never().is_none());
    time.advance(Duration::from_secs(2));
    let report = shutdown.now_or_never().unwrap().unwrap();
    assert!(!report.complete);
    assert_eq!(sorted(&acks), all_good(0..1));
}

#[test]
fn members_of_a_partition_are_acknowledged_once_each_when_their_batch_is_written() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (flow, acks) = acked(&graph, 10);
    let (finish, finished) = mpsc::unbounded::<()>();
    let writes = Arc::new(futures::lock::Mutex::new(finished));
    flow.partition(4).sink_async(1, move |_| {
        let writes = writes.clone();
        async move {
            let _ = writes.lock().await.next().await;
        }
    });
    time.settle();
    assert_eq!(sorted(&acks), []);
    // The third batch is short: the end of the stream has flushed it.
    for written in [4, 8, 10] {
        finish.unbounded_send(()).unwrap();
        time.settle();
        assert_eq!(sorted(&acks), all_good(0..written));
    }
    time.settle();
    assert_eq!(sorted(&acks), all_good(0..10));
}

#[test]
fn both_streams_of_a_zip_are_acknowledged_once_each_when_the_pair_is_through() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (left, left_acks) = acked(&graph, 5);
    let (right, right_acks) = acked(&graph, 3);
    let mut pairs = zip((left, right)).into_stream(1);
    time.settle();
    for taken in 0..3 {
        assert_eq!(sorted(&left_acks), all_good(0..taken));
        assert_eq!(sorted(&right_acks), all_good(0..taken));
        assert_eq!(block_on(pairs.next()), Some((taken, taken)));
        time.settle();
    }
    assert_eq!(block_on(pairs.next()), None);
    time.settle();
    let mut expected = all_good(0..3);
    expected.extend([3, 4].map(|x| (x, Err(Lost::Discarded))));
    assert_eq!(sorted(&left_acks), expected);
    assert_eq!(sorted(&right_acks), all_good(0..3));
}

#[test]
fn across_a_fork_an_item_is_acknowledged_once_when_the_last_branch_is_done() {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let time = graph.drive_manually();
    let (flow, acks) = acked(&graph, 4);
    let shared = flow.share();
    let list = shared.sink_to_list();
    let mut slow = shared.into_stream(1);
    shared
        .filter(|x| x % 2 == 0)
        .buffer(8)
        .try_sink(|x| if x == 2 { Err("two".into()) } else { Ok(()) });
    for taken in 0..4 {
        time.settle();
        assert_eq!(acks.lock().unwrap().len(), taken as usize);
        assert_eq!(block_on(slow.next()), Some(taken));
    }
    time.settle();
    assert_eq!(list.take(), [0, 1, 2, 3]);
    let mut expected = all_good(0..4);
    expected[2].1 = Err(Lost::Failed);
    assert_eq!(sorted(&acks), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A fork whose branches filter, batch and meet in a zip: each handle once, all of them.
    #[test]
    fn across_filter_partition_fork_and_zip_each_handle_comes_back_once(
        count in 0u32..300,
        keep in 1u32..5,
        size in 1usize..7,
        pending in 1usize..4,
    ) {
        let graph = Graph::new();
        let (flow, acks) = acked(&graph, count);
        let shared = flow.filter(move |x| x % keep == 0).share();
        let batches = shared.partition(size).map_async(pending, |rows| async move { rows });
        let others = shared.map(|x| x + 1).partition(size).buffer(pending);
        let rows = zip((batches, others)).sink_to_list();
        shared.filter(|_| false).sink(drop);
        graph.run().unwrap();
        let kept = count.div_ceil(keep) as usize;
        prop_assert_eq!(rows.len(), kept.div_ceil(size));
        prop_assert_eq!(sorted(&acks), all_good(0..count));
    }
}

/// A sink that does as it is told.
#[derive(Default)]
struct Script {
    ready: bool,
    flush: bool,
    fail_at: Option<u32>,
    got: VecDeque<u32>,
    flushed: Vec<u32>,
    closed: bool,
    waker: Option<Waker>,
}

#[derive(Clone)]
struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    fn new(ready: bool, flush: bool) -> Scripted {
        Scripted(Arc::new(Mutex::new(Script {
            ready,
            flush,
            ..Script::default()
        })))
    }

    fn script<U>(&self, change: impl FnOnce(&mut Script) -> U) -> U {
        let mut script = self.0.lock().unwrap();
        let answer = change(&mut script);
        if let Some(waker) = script.waker.take() {
            waker.wake();
        }
        answer
    }
}

impl Sink<u32> for Scripted {
    type Error = String;

    fn poll_ready(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<(), String>> {
        let script = &mut *self.0.lock().unwrap();
        script.waker = Some(task.waker().clone());
        if script.ready {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn start_send(self: Pin<&mut Self>, x: u32) -> Result<(), String> {
        let script = &mut *self.0.lock().unwrap();
        assert!(script.ready && !script.closed);
        if script.fail_at == Some(x) {
            return Err("broken pipe".to_owned());
        }
        script.got.push_back(x);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<(), String>> {
        let script = &mut *self.0.lock().unwrap();
        script.waker = Some(task.waker().clone());
        if !script.flush {
            return Poll::Pending;
        }
        script.flushed.extend(script.got.drain(..));
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), String>> {
        self.0.lock().unwrap().closed = true;
        Poll::Ready(Ok(()))
    }
}

#[test]
fn forwarded_elements_are_done_when_the_sink_has_flushed_them() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let sink = Scripted::new(true, false);
    source.forward(sink.clone());
    let receipts: Vec<_> = (0..3).map(|x| source.emit_tracked(x).unwrap()).collect();
    time.settle();
    assert_eq!(sink.script(|s| s.got.clone()), [0, 1, 2]);
    assert!(receipts.iter().all(|r| r.outcome().is_none()));
    sink.script(|s| s.flush = true);
    time.settle();
    assert!(receipts.iter().all(|r| r.outcome() == Some(Ok(()))));
    source.close();
    time.settle();
    assert!(sink.script(|s| s.closed));
    let passed = graph
        .snapshot()
        .unwrap()
        .named("forward")
        .unwrap()
        .counts
        .passed;
    assert_eq!(passed, 3);
}

#[test]
fn a_sink_that_is_never_ready_makes_its_source_wait() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let sink = Scripted::new(false, true);
    source.forward(sink.clone());
    let accepted = (0..100_000).filter(|x| source.emit(*x).is_ok()).count();
    time.settle();
    assert_eq!(accepted, FORWARD_CAPACITY);
    assert!(matches!(source.emit(0), Err(EmitError::Full(0))));
    sink.script(|s| s.ready = true);
    time.settle();
    assert!(
        sink.script(|s| s.flushed.clone())
            .into_iter()
            .eq(0..FORWARD_CAPACITY as u32)
    );
    source.emit(0).unwrap();
}

#[test]
fn a_sink_that_failed_fails_what_follows_and_nobody_waits_for_it() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let failures = Arc::new(Mutex::new(Vec::new()));
    let log = failures.clone();
    graph.on_error(OnError::call(move |failure| {
        log.lock().unwrap().push(failure.error().to_string());
    }));
    let source = graph.source::<u32>();
    let sink = Scripted::new(true, true);
    sink.script(|s| s.fail_at = Some(1));
    source.forward(sink.clone());
    let receipts: Vec<_> = (0..3).map(|x| source.emit_tracked(x).unwrap()).collect();
    time.settle();
    // 0 was with the sink and not flushed: it may or may not have arrived.
    assert!(
        receipts
            .iter()
            .all(|r| r.outcome() == Some(Err(Lost::Failed)))
    );
    let causes = [
        "broken pipe",
        "broken pipe",
        "the sink failed earlier: broken pipe",
    ];
    for (receipt, cause) in receipts.iter().zip(causes) {
        assert_eq!(receipt.failure().unwrap().error().to_string(), cause);
    }
    assert_eq!(
        *failures.lock().unwrap(),
        ["broken pipe", "the sink failed earlier: broken pipe"]
    );
    assert_eq!(graph.snapshot().unwrap().failed(), 3);
    let Err(EmitError::Failed(failure)) = source.emit(7) else {
        panic!("the emitter hears of it");
    };
    assert!(failure.error().is::<SinkBroken>());
    assert_eq!(failure.take_element::<u32>(), Some(7));
    source.close();
    time.settle();
    assert!(!sink.script(|s| s.closed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Ready or not, flushing or not: in order, each once, and receipts follow the flush.
    #[test]
    fn forward_passes_everything_in_order(acts in prop::collection::vec(0u8..5, 0..200)) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let sink = Scripted::new(false, false);
        source.forward(sink.clone());
        let mut receipts = Vec::new();
        for act in acts {
            match act {
                0 => sink.script(|s| s.ready ^= true),
                1 => sink.script(|s| s.flush ^= true),
                _ => receipts.push(source.emit_tracked(receipts.len() as u32).unwrap()),
            }
            time.settle();
            let flushed = sink.script(|s| s.flushed.len());
            time.settle();
            let done = receipts.iter().take_while(|r| r.outcome().is_some()).count();
            prop_assert_eq!(done, flushed);
        }
        source.close();
        sink.script(|s| (s.ready, s.flush) = (true, true));
        time.settle();
        let (flushed, closed) = sink.script(|s| (s.flushed.clone(), s.closed));
        prop_assert!(closed);
        prop_assert!(flushed.into_iter().eq(0..receipts.len() as u32));
        prop_assert!(receipts.iter().all(|r| r.outcome() == Some(Ok(()))));
    }

    /// A consumer in a thread of its own, without a driver, sees what was sent.
    #[test]
    fn into_stream_and_to_sink_pass_everything_between_threads(
        capacity in 1usize..20,
        len in 0u32..300,
    ) {
        let source = Source::<u32>::new();
        let stream = source.map(|x| x + 1).into_stream(capacity);
        let sender = std::thread::spawn(move || {
            let sink = source.to_sink();
            drop(source);
            block_on(stream::iter(0..len).map(Ok).forward(sink)).unwrap();
        });
        let seen = block_on(stream.collect::<Vec<_>>());
        sender.join().unwrap();
        prop_assert!(seen.into_iter().eq(1..=len));
    }
}

#[test]
fn a_stream_makes_its_source_wait_until_one_is_taken() {
    let source = Source::<u32>::new();
    let mut stream = source.into_stream(2);
    let first = source.emit_tracked(1).unwrap();
    source.emit(2).unwrap();
    assert!(matches!(source.emit(3), Err(EmitError::Full(3))));
    assert_eq!(first.outcome(), None);
    assert_eq!(block_on(stream.next()), Some(1));
    assert_eq!(first.outcome(), Some(Ok(())));
    source.emit(3).unwrap();
    assert!(source.emit(4).is_err());
    drop(source);
    assert_eq!(block_on(stream.collect::<Vec<_>>()), [2, 3]);
}

#[test]
fn once_a_stream_is_dropped_nobody_waits_and_the_rest_is_counted() {
    let source = Source::<u32>::new();
    let stream = source.into_stream(2);
    let held = source.emit_tracked(1).unwrap();
    source.emit(2).unwrap();
    let mut waiting = Box::pin(source.send(3));
    assert!((&mut waiting).now_or_never().is_none());
    drop(stream);
    assert!(
        (&mut waiting)
            .now_or_never()
            .is_some_and(|sent| sent.is_ok())
    );
    assert_eq!(held.outcome(), Some(Err(Lost::Discarded)));
    let late = source.emit_tracked(4).unwrap();
    assert_eq!(late.outcome(), Some(Err(Lost::Discarded)));
    source.emit_all(0..1_000).unwrap();
    let snapshot = source.graph().snapshot().unwrap();
    assert_eq!(snapshot.lost(Loss::Unheard), 1_004);
    assert_eq!(snapshot.held(), 0);
    assert!(snapshot.named("into_stream").is_none(), "its branch went");
    assert!(source.downstreams().is_empty());
    assert_eq!((snapshot.gone.nodes, snapshot.gone.delivered), (1, 0));
}

#[test]
fn a_stream_ends_where_its_graph_is_poisoned() {
    let source = Source::<u32>::new();
    let stream = source.map(|x| 10 / x).into_stream(8);
    let consumer = std::thread::spawn(move || block_on(stream.collect::<Vec<_>>()));
    source.emit(5).unwrap();
    let emitter = source.clone();
    assert!(std::thread::spawn(move || emitter.emit(0)).join().is_err());
    assert_eq!(consumer.join().unwrap(), [2]);
}

#[test]
fn run_does_not_wait_for_the_consumer_of_a_stream() {
    let graph = Graph::new();
    let stream = graph.from_iter(0..5).into_stream(8);
    graph.run().unwrap();
    assert_eq!(block_on(stream.collect::<Vec<_>>()), [0, 1, 2, 3, 4]);
}

#[test]
fn a_source_as_a_sink_waits_for_room_and_gives_back_what_is_refused() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.buffer(1).sink_to_list();
    let mut sink = source.to_sink();
    assert!(sink.send(1).now_or_never().is_some());
    let mut second = Box::pin(sink.send(2));
    assert!((&mut second).now_or_never().is_none());
    time.settle();
    assert!(matches!(second.now_or_never(), Some(Ok(()))));
    time.settle();
    assert_eq!(list.take(), [1, 2]);
    source.close();
    assert!(matches!(
        sink.send(3).now_or_never(),
        Some(Err(EmitError::Closed(3)))
    ));
}

#[test]
fn closing_the_last_sink_of_a_source_closes_it() {
    let source = Source::<u32>::new();
    let mut stream = source.into_stream(4);
    let (mut one, mut two) = (source.to_sink(), source.to_sink());
    drop(source);
    block_on(one.send(1)).unwrap();
    block_on(one.close()).unwrap();
    block_on(two.send(2)).unwrap();
    assert_eq!(block_on(stream.next()), Some(1));
    block_on(two.close()).unwrap();
    assert_eq!(block_on(stream.collect::<Vec<_>>()), [2]);
}

#[test]
fn a_sink_that_panics_poisons_the_graph() {
    struct Bomb;
    impl Sink<u32> for Bomb {
        type Error = BoxError;
        fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }
        fn start_send(self: Pin<&mut Self>, _: u32) -> Result<(), BoxError> {
            panic!("boom")
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }
    }
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    source.forward(Bomb);
    let receipt = source.emit_tracked(1).unwrap();
    let driven = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| time.settle()));
    assert!(driven.is_err());
    assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
    assert_eq!(receipt.outcome(), Some(Err(Lost::Panicked)));
}

#[test]
fn two_graphs_are_joined_by_a_channel() {
    let (first, second) = (Graph::new(), Graph::new());
    let (sender, receiver) = mpsc::channel(3);
    first.from_iter(0..1_000u32).forward(sender);
    let list = second.from_stream(receiver).sink_to_list();
    let producer = std::thread::spawn(move || first.run());
    second.run().unwrap();
    producer.join().unwrap().unwrap();
    assert!(list.take().into_iter().eq(0..1_000));
}

#[test]
#[should_panic(expected = "give the stream room for at least 1 element")]
fn a_stream_without_room_is_rejected() {
    let _ = Source::<u32>::new().into_stream(0);
}
