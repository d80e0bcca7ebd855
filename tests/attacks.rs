//! What somebody tried who wanted to break it: each test says what must hold all the same.

mod watched;

use std::future::{Future, pending};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::StreamExt;
use headwater::prelude::*;
use headwater::{BoxFlow, EmitError, Loss, Lost, OnError, OnFull, Time};
use watched::watched;

fn odd(x: u64) -> Result<u64, BoxError> {
    if x % 2 == 1 {
        Ok(x)
    } else {
        Err("even".into())
    }
}

#[test]
fn a_failure_that_a_full_buffer_drops_is_reported_all_the_same() {
    let graph = Graph::new();
    let failures = Arc::new(AtomicUsize::new(0));
    let counter = failures.clone();
    graph.on_error(OnError::call(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    let list = source
        .try_map(odd)
        .buffer(2)
        .on_full(OnFull::DropOldest)
        .sink_to_list();
    let mut reported = 0;
    for x in [0, 2, 1, 3, 5] {
        reported += usize::from(matches!(source.emit(x), Err(EmitError::Failed(_))));
    }
    time.settle();
    assert_eq!(list.take(), [3, 5]);
    assert_eq!(reported + failures.load(Ordering::Relaxed), 2);
}

/// An error that counts how many of it there are.
#[derive(Debug)]
struct Counted(#[expect(dead_code, reason = "counted by its clones")] Arc<()>);

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("counted")
    }
}

impl std::error::Error for Counted {}

#[test]
fn failures_in_front_of_a_stalled_step_are_bounded_like_elements() {
    for policy in [
        OnFull::Wait,
        OnFull::DropOldest,
        OnFull::DropNewest,
        OnFull::Fail,
    ] {
        let graph = Graph::new();
        graph.on_error(OnError::call(|_| {}));
        let time = graph.drive_manually();
        let source = graph.source::<u64>();
        let errors = Arc::new(());
        let error = errors.clone();
        let _ = source
            .try_map(move |x| {
                if x == 1 {
                    Ok(x)
                } else {
                    Err(Counted(error.clone()).into())
                }
            })
            .buffer(2)
            .on_full(policy)
            .map_async(1, |_| pending::<u64>())
            .sink(drop);
        source.emit(1).unwrap();
        time.settle();
        for _ in 0..1_000 {
            let _ = source.emit(2);
            time.settle();
        }
        let held = Arc::strong_count(&errors);
        assert!(held <= 8, "{policy:?}: {held} are held");
    }
}

struct Flag(AtomicUsize);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn senders_that_give_up_at_a_stalled_graph_leave_nothing_behind() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u64>();
    source.buffer(1).sink(drop);
    source.emit(0).unwrap();
    let flag = Arc::new(Flag(AtomicUsize::new(0)));
    for n in 0..100 {
        // Each sender is a task of its own, as requests of a server are.
        let flag = Arc::new(Flag(AtomicUsize::new(n)));
        let watch = Arc::downgrade(&flag);
        let waker = Waker::from(flag);
        let mut send = Box::pin(source.send(1));
        assert!(
            send.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(send);
        drop(waker);
        assert!(watch.upgrade().is_none(), "the waker of sender {n} is kept");
    }
    // Two of one task: the one that goes takes only its own place away.
    let waker = Waker::from(flag.clone());
    let mut first = Box::pin(source.send(1));
    let mut second = Box::pin(source.send(2));
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    assert!(
        second
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(first);
    assert_eq!(flag.0.load(Ordering::Relaxed), 0);
    time.settle();
    assert!(flag.0.load(Ordering::Relaxed) > 0);
}

#[test]
fn sinks_of_a_source_that_give_up_leave_nothing_behind() {
    use futures::Sink;
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u64>();
    source.buffer(1).sink(drop);
    source.emit(0).unwrap();
    let flag = Arc::new(Flag(AtomicUsize::new(0)));
    let watch = Arc::downgrade(&flag);
    let waker = Waker::from(flag);
    let mut sink = source.to_sink();
    let ready = std::pin::Pin::new(&mut sink).poll_ready(&mut Context::from_waker(&waker));
    assert!(ready.is_pending());
    drop((sink, waker));
    assert!(watch.upgrade().is_none(), "the waker of the sink is kept");
}

#[test]
fn a_receipt_of_an_element_that_nobody_took_says_that_it_was_discarded() {
    let source = Source::<u64>::new();
    let branch = source.sink(drop);
    assert_eq!(source.emit_tracked(1).unwrap().outcome(), Some(Ok(())));
    branch.disconnect();
    let receipt = source.emit_tracked(2).unwrap();
    assert_eq!(receipt.outcome(), Some(Err(Lost::Discarded)));
    let counts = source
        .graph()
        .snapshot()
        .unwrap()
        .named("source")
        .unwrap()
        .counts;
    assert_eq!(counts.lost(Loss::Unheard), 1);
}

#[test]
fn windows_end_at_the_end_of_time_and_nothing_hangs_there() {
    watched(|| {
        for age in [
            Duration::from_nanos(1),
            Duration::from_secs(1),
            Duration::MAX,
        ] {
            let graph = Graph::new();
            let source = graph.source::<Time>();
            source.lead_clock(|time| *time);
            let windows = source
                .timed_window(age)
                .keep_empty()
                .flatten()
                .sink_to_list();
            let folds = source.fold_window(age, Count).sink_to_list();
            let groups = source.partition(3).max_age(age).flatten().sink_to_list();
            let keyed = source
                .partition(3)
                .max_age(age)
                .by_key(|_| 0)
                .flatten()
                .sink_to_list();
            let end = Time::from_nanos(u64::MAX);
            for _ in 0..4 {
                source.emit(end).unwrap();
            }
            source.emit(Time::from_nanos(7)).unwrap();
            source.close();
            assert_eq!(windows.take().len(), 5);
            assert_eq!(folds.take().into_iter().sum::<u64>(), 5);
            assert_eq!(groups.take().len(), 5);
            assert_eq!(keyed.take().len(), 5);
        }
    });
}

#[test]
fn a_zip_below_expanding_branches_drops_the_same_one_by_one_and_in_batches() {
    for policy in [
        OnFull::Wait,
        OnFull::DropOldest,
        OnFull::DropNewest,
        OnFull::Fail,
    ] {
        let outputs: Vec<_> = [false, true]
            .into_iter()
            .map(|batch| {
                let graph = Graph::new();
                let source = graph.source::<u64>();
                let ten = |x: u64| (0..10).map(move |n| 10 * x + n);
                let rows = source
                    .flat_map(ten)
                    .zip(source.flat_map(ten))
                    .capacity(4)
                    .on_full(policy)
                    .sink_to_list();
                if batch {
                    let _ = source.emit_all(0..8);
                } else {
                    for x in 0..8 {
                        let _ = source.emit(x);
                    }
                }
                rows.take()
            })
            .collect();
        assert_eq!(outputs[0], outputs[1], "{policy:?}");
    }
}

#[test]
fn a_buffer_below_an_expanding_step_drops_the_same_one_by_one_and_in_batches() {
    for policy in [OnFull::DropOldest, OnFull::DropNewest, OnFull::Fail] {
        let outputs: Vec<_> = [false, true]
            .into_iter()
            .map(|batch| {
                let graph = Graph::new();
                graph.on_error(OnError::call(|_| {}));
                let time = graph.drive_manually();
                let source = graph.source::<u64>();
                let ten = |x: u64| (0..10).map(move |n| 10 * x + n);
                let rows = source
                    .flat_map(ten)
                    .buffer(15)
                    .on_full(policy)
                    .sink_to_list();
                if batch {
                    let _ = source.emit_all(0..8);
                } else {
                    for x in 0..8 {
                        let _ = source.emit(x);
                    }
                }
                time.settle();
                rows.take()
            })
            .collect();
        assert_eq!(outputs[0], outputs[1], "{policy:?}");
    }
}

#[test]
fn a_consumer_that_takes_one_and_leaves_wakes_the_sender_that_waited_for_it() {
    watched(|| {
        let source = Source::<u64>::new();
        let mut stream = source.share().map(|x| x).into_stream(1);
        let (ask, asked) = mpsc::channel::<()>();
        let (sent, was_sent) = mpsc::channel::<()>();
        let sender = std::thread::spawn(move || {
            for n in 0..5_000 {
                source.blocking_send(n).unwrap();
                // Full from now on: the next send waits until the consumer takes this one.
                sent.send(()).unwrap();
            }
            drop(asked);
        });
        for n in 0..5_000 {
            // Polled once for each element, and not again until the sender got through.
            was_sent.recv().unwrap();
            let waker = Waker::noop();
            let polled = stream.poll_next_unpin(&mut Context::from_waker(waker));
            assert_eq!(polled, Poll::Ready(Some(n)));
        }
        drop(ask);
        sender.join().unwrap();
    });
}

#[test]
fn a_graph_that_stopped_shuts_down_whatever_it_held() {
    watched(|| {
        let graph = Graph::new();
        graph.on_error(OnError::Stop);
        let time = graph.drive_manually();
        let source = graph.source::<u64>();
        let other = source.downgrade();
        source
            .try_map(odd)
            .buffer(2)
            .inspect(move |x| {
                if *x < 10 {
                    let _ = other.emit(x + 2);
                }
            })
            .map_async(1, |x| async move { x })
            .sink(drop);
        let receipts: Vec<_> = [1, 3].map(|x| source.emit_tracked(x).unwrap()).into();
        time.settle();
        let _ = source.emit(2);
        time.settle();
        let _ = source.emit(4);
        time.settle();
        assert!(matches!(source.emit(1), Err(EmitError::Stopped(1, _))));
        let report = graph.close().unwrap();
        assert!(report.complete);
        assert!(receipts.iter().all(|receipt| receipt.outcome().is_some()));
    });
}

#[test]
fn operators_take_the_hugest_capacity_there_is() {
    type Build = fn(&Source<u64>) -> BoxFlow<u64>;
    const MAX: usize = usize::MAX;
    let builds: [Build; 10] = [
        |s| s.buffer(MAX).boxed(),
        |s| s.partition(MAX).flatten().boxed(),
        |s| {
            s.partition(MAX)
                .by_key(|x| *x)
                .max_groups(MAX)
                .flatten()
                .boxed()
        },
        |s| s.partition(MAX).max_age(Duration::MAX).flatten().boxed(),
        |s| {
            s.sliding_window(MAX)
                .map(|window| window.len() as u64 - 1)
                .boxed()
        },
        |s| s.rolling(MAX, Max).boxed(),
        |s| s.timed_window(Duration::MAX).max_len(MAX).flatten().boxed(),
        |s| s.map_async(MAX, |x| async move { x }).reorder(MAX).boxed(),
        |s| s.map_blocking(MAX, |x| x).reorder(MAX).boxed(),
        |s| s.zip(s).capacity(MAX).map(|(a, _)| a).boxed(),
    ];
    for (n, build) in builds.into_iter().enumerate() {
        watched(move || {
            println!("operator {n}");
            let graph = Graph::new();
            let time = graph.drive_manually();
            let source = graph.source::<u64>();
            let list = build(&source).sink_to_list();
            source.emit_all(0..2).unwrap();
            time.settle();
            time.advance(Duration::MAX);
            source.close();
            assert!(graph.close().unwrap().complete);
            assert_eq!(list.take(), [0, 1], "operator {n}");
        });
    }
}

#[test]
fn whoever_shuts_a_graph_driven_by_hand_is_woken_by_each_result() {
    for awaited in [false, true] {
        watched(move || {
            let graph = Graph::new();
            let time = graph.drive_manually();
            let source = graph.source::<u64>();
            let slow = |x| {
                std::thread::sleep(Duration::from_millis(20 * x));
                x
            };
            let list = source.map_blocking(8, slow).sink_to_list();
            source.emit_all(1..6).unwrap();
            time.settle();
            let report = if awaited {
                futures::executor::block_on(graph.shutdown())
            } else {
                graph.close()
            };
            assert!(report.unwrap().complete);
            assert_eq!(list.take(), [1, 2, 3, 4, 5]);
        });
    }
}

#[test]
fn what_becomes_of_one_element_may_be_more_than_a_zip_with_itself_holds_in_a_batch_too() {
    let source = Source::<u64>::new();
    let many = source.flat_map(|n| 0..n).share();
    let rows = many.zip(&many).capacity(2).sink_to_list();
    source.emit(5).unwrap();
    assert_eq!(rows.take().len(), 5);
    // Once the whole batch that the element became went to the one input, and failed there.
    assert_eq!(source.emit_all([5, 7]).unwrap(), 2);
    assert_eq!(rows.take().len(), 12);
}

#[test]
fn a_stage_that_makes_several_elements_of_one_leaves_room_below_it_in_batches_too() {
    struct Thrice;
    impl headwater::Stage<u64, u64> for Thrice {
        fn on_item(&mut self, x: u64, out: &mut headwater::Outlet<'_, impl headwater::Push<u64>>) {
            (0..3).for_each(|_| out.emit(x));
        }
    }
    let source = Source::<u64>::new();
    let many = source.stage(Thrice).share();
    let rows = many.zip(&many).sink_to_list();
    assert_eq!(source.emit_all(0..1_000).unwrap(), 1_000);
    assert_eq!(rows.take().len(), 3_000);

    // A full buffer refuses the source after the element that filled it, and not after a batch.
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u64>();
    source.stage(Thrice).buffer(4).sink(drop);
    let error = source.emit_all(0..100).unwrap_err();
    assert!(matches!(error.cause, EmitError::Full(_)));
    assert_eq!(error.accepted, 2);
    assert_eq!(graph.snapshot().unwrap().held(), 6);
}

#[test]
fn a_stage_that_says_how_many_it_emits_gets_batches_that_fit_and_gives_the_same() {
    /// So many of each, and what it says of that.
    struct Times(u64, Option<usize>, Arc<Mutex<Vec<u64>>>);
    impl headwater::Stage<u64, u64> for Times {
        fn on_item(&mut self, x: u64, out: &mut headwater::Outlet<'_, impl headwater::Push<u64>>) {
            self.2.lock().unwrap().push(x);
            (0..self.0).for_each(|_| out.emit(x));
        }

        fn at_most(&self) -> Option<usize> {
            self.1
        }
    }
    // How many went through the stage before the sibling saw the first: the first batch.
    let batch = |times, says| {
        let graph = Graph::new();
        let _time = graph.drive_manually();
        let source = graph.source::<u64>();
        let log = Arc::new(Mutex::new(Vec::new()));
        source
            .stage(Times(times, says, log.clone()))
            .buffer(12)
            .sink(drop);
        let sibling = log.clone();
        source.sink(move |x| sibling.lock().unwrap().push(100 + x));
        let refused = source.emit_all(0..100).unwrap_err();
        assert!(matches!(refused.cause, EmitError::Full(_)));
        let held = graph.snapshot().unwrap().held();
        assert_eq!(held, refused.accepted as u64 * times, "{times} {says:?}");
        let first = log.lock().unwrap().iter().position(|x| *x == 100).unwrap();
        (first, held)
    };
    assert_eq!(batch(1, None), (1, 12), "nobody knows");
    assert_eq!(batch(1, Some(1)), (12, 12));
    assert_eq!(batch(1, Some(0)), (12, 12));
    assert_eq!(batch(3, Some(3)), (4, 12));
    assert_eq!(batch(5, Some(5)), (2, 15), "as one by one");
    assert_eq!(batch(5, None), (1, 15));
    assert_eq!(
        batch(20, Some(20)),
        (1, 20),
        "the first does not fit, and goes"
    );
    // One that says too little overfills what follows, and loses nothing.
    assert_eq!(batch(2, Some(1)), (12, 24));
    // Below a join of its own branches nothing is dropped.
    let rows = |says| {
        let source = Source::<u64>::new();
        let many = source.stage(Times(3, says, Arc::default())).share();
        let rows = many.zip(many.map(|x| x)).sink_to_list();
        assert_eq!(source.emit_all(0..1_000).unwrap(), 1_000);
        rows.take()
    };
    assert_eq!(rows(Some(3)), rows(None));
}

#[test]
fn a_circle_of_joins_that_closes_while_one_of_them_is_at_work_is_found_at_once() {
    let graph = Graph::new();
    let (a, b, c) = (
        graph.source::<u8>(),
        graph.source::<u8>(),
        graph.source::<u8>(),
    );
    let chain = c.chain(&a).capacity(1).share();
    a.zip(&b).capacity(1).sink(drop);
    chain.zip(&a).capacity(1).sink(drop);
    // `a` waits at the chain for the end of `c`, and `b` at a zip for `a`.
    a.emit(0).unwrap();
    b.emit(0).unwrap();
    b.emit(0).unwrap();
    // The second element waits for `a`, at a zip that it comes to by the chain.
    c.emit(0).unwrap();
    c.emit(0).unwrap();
    let full = |source: &Source<u8>| matches!(source.emit(0), Err(EmitError::Full(_)));
    assert!(!(full(&a) && full(&b) && full(&c)), "all wait for ever");
}
