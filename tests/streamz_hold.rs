//! Cases of streamz for buffer, map_async and asynchronous sinks, in virtual time.

mod naps;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use headwater::prelude::*;
use headwater::{Failure, Lost};
use naps::Night;

fn night() -> (Graph, Night) {
    let graph = Graph::new();
    let night = Night::new(graph.drive_manually());
    (graph, night)
}

// case: core/test_map_async
// The original ran one job more than it was told and had all three done after 100 ms.
#[test]
fn map_async_keeps_the_order_and_runs_two_at_a_time() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let clock = night.clock.clone();
    let list = source
        .map_async(1, |x| async move { x + 1 })
        .map_async(2, move |x| {
            let work = clock.sleep(100);
            async move {
                work.await;
                x + 2
            }
        })
        .sink_to_list();
    for x in 0..3 {
        night.emit_waiting(&source, x);
    }
    assert_eq!(night.clock.now(), 0);
    night.until(99);
    assert!(list.is_empty());
    night.until(110);
    assert_eq!(list.get(), [3, 4]);
    night.until(199);
    assert_eq!(list.get(), [3, 4]);
    night.until(200);
    assert_eq!(list.take(), [3, 4, 5]);
}

// case: core/test_map_async_tornado
#[test]
fn map_async_may_stand_before_a_buffer() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let clock = night.clock.clone();
    let list = source
        .map_async(1, |x| async move { x + 1 })
        .map_async(3, move |x| {
            let work = clock.sleep(100);
            async move {
                work.await;
                x + 2
            }
        })
        .buffer(1)
        .sink_to_list();
    for x in 0..3 {
        night.emit_waiting(&source, x);
    }
    night.until(99);
    assert!(list.is_empty());
    night.until(100);
    assert_eq!(list.take(), [3, 4, 5]);
}

/// Emits eight elements into jobs of 20 ms; the largest number of jobs at once, and when all were
/// through.
fn parallelism(n: usize) -> (usize, u64) {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (clock, peak) = (night.clock.clone(), most.clone());
    let list = source
        .map_async(n, move |x| {
            peak.fetch_max(
                running.fetch_add(1, Ordering::Relaxed) + 1,
                Ordering::Relaxed,
            );
            let (work, running) = (clock.sleep(20), running.clone());
            async move {
                work.await;
                running.fetch_sub(1, Ordering::Relaxed);
                x
            }
        })
        .sink_to_list();
    for x in 0..8 {
        night.emit_waiting(&source, x);
    }
    while list.len() < 8 {
        night.advance(1);
    }
    assert!(list.take().into_iter().eq(0..8));
    (most.load(Ordering::Relaxed), night.clock.now())
}

// case: probe/map_async_parallelism_1, probe/map_async_parallelism_2
// The original ran n + 1 jobs at a time.
#[test]
fn map_async_runs_exactly_as_many_jobs_as_it_is_told() {
    assert_eq!(parallelism(1), (1, 160));
    assert_eq!(parallelism(2), (2, 80));
}

// case: probe/map_async_error_dropped
// The original dropped the element silently and told its counter that all was well, twice.
#[test]
fn an_error_in_map_async_is_a_failure_of_its_element() {
    let (graph, night) = night();
    let failures = Arc::new(Mutex::new(Vec::<Failure>::new()));
    let log = failures.clone();
    graph.on_error(OnError::call(move |failure| {
        log.lock().unwrap().push(failure.clone());
    }));
    let source = graph.source::<u32>();
    let list = source
        .try_map_async(1, |x| async move {
            if x == 2 { Err("two".into()) } else { Ok(x) }
        })
        .sink_to_list();
    let mut receipts = Vec::new();
    for x in 0..5 {
        receipts.push(source.emit_tracked(x).unwrap());
        night.settle();
    }
    assert_eq!(list.take(), [0, 1, 3, 4]);
    let outcomes: Vec<_> = receipts.iter().map(|r| r.outcome().unwrap()).collect();
    assert_eq!(
        outcomes,
        [Ok(()), Ok(()), Err(Lost::Failed), Ok(()), Ok(())]
    );
    let failures = failures.lock().unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].kind(), "try_map_async");
}

// case: core/test_backpressure
#[test]
fn an_emitter_waits_until_the_bounded_queue_behind_the_sink_has_room() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let mut sum = 0;
    let mut queue = source
        .map(|x| x + 1)
        .map(move |x| {
            sum += x;
            sum
        })
        .into_stream(2);
    let mut list = Vec::new();
    let mut read = |night: &Night, list: &mut Vec<u32>| {
        night.advance(100);
        list.extend(queue.next().now_or_never().flatten());
    };
    for x in 0..5 {
        while let Err(error) = source.emit(x) {
            assert!(error.is_full());
            read(&night, &mut list);
        }
    }
    assert_eq!(night.clock.now(), 300);
    for _ in 0..5 {
        read(&night, &mut list);
    }
    assert_eq!(list, [1, 3, 6, 10, 15]);
}

// case: core/test_buffer
// rate_limit(50 ms) is stood in for by a job of 50 ms.
#[test]
fn ten_elements_fit_a_buffer_of_ten_and_the_next_wait_for_room() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let clock = night.clock.clone();
    let list = source
        .map(|x| x + 1)
        .buffer(10)
        .map(|x| x + 1)
        .map_async(1, move |x| {
            let work = clock.sleep(50);
            async move {
                work.await;
                x
            }
        })
        .sink_to_list();
    for x in 0..10 {
        night.emit_waiting(&source, x);
    }
    assert_eq!(night.clock.now(), 0);
    assert!(list.is_empty());
    for x in 0..5 {
        night.emit_waiting(&source, x);
    }
    // One at work and ten waiting: the other four had to wait for one job each.
    assert_eq!(night.clock.now(), 200);
    assert_eq!(list.get(), [2, 3, 4, 5]);
    night.until(750);
    assert_eq!(list.take(), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3, 4, 5, 6]);
}

// case: core/test_buffer_ref_counts
#[test]
fn a_receipt_is_open_while_its_element_is_in_a_buffer() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let list = source.buffer(5).sink_to_list();
    let receipts: Vec<_> = (0..5).map(|x| source.emit_tracked(x).unwrap()).collect();
    assert!(receipts.iter().all(|r| r.outcome().is_none()));
    night.settle();
    assert!(receipts.iter().all(|r| r.outcome() == Some(Ok(()))));
    assert_eq!(list.take(), [0, 1, 2, 3, 4]);
}

// case: py3core/test_await_syntax
#[test]
fn six_emits_through_a_buffer_of_three_wait_for_two_slow_writes() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let list = Arc::new(Mutex::new(Vec::new()));
    let (clock, writer) = (night.clock.clone(), list.clone());
    source.map(|x| x + 1).buffer(3).sink_async(1, move |x| {
        let (work, list) = (clock.sleep(100), writer.clone());
        async move {
            work.await;
            list.lock().unwrap().push(x);
        }
    });
    for x in 0..6 {
        night.emit_waiting(&source, x);
    }
    assert_eq!(night.clock.now(), 200);
    assert_eq!(*list.lock().unwrap(), [1, 2]);
    night.advance(500);
    assert_eq!(*list.lock().unwrap(), [1, 2, 3, 4, 5, 6]);
}

// case: probe/buffer_capacity
#[test]
fn a_buffer_of_two_takes_two_and_one_at_the_sink() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let list = Arc::new(Mutex::new(Vec::new()));
    let entered = list.clone();
    source.buffer(2).sink_async(1, move |x| {
        entered.lock().unwrap().push(x);
        futures::future::pending()
    });
    for x in 0..3 {
        source.emit(x).unwrap();
        night.settle();
    }
    let mut fourth = Box::pin(source.send(3));
    assert!((&mut fourth).now_or_never().is_none());
    night.advance(30);
    assert!((&mut fourth).now_or_never().is_none());
    assert_eq!(*list.lock().unwrap(), [0]);
}

// case: core/test_separate_thread_with_time, probe/ref_async_sink_done_too_early
// The original's blocking emit waits for the sink, its counters do not: here the receipt does both.
#[test]
fn an_element_is_done_when_the_asynchronous_sink_has_written_it() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let list = Arc::new(Mutex::new(Vec::new()));
    let (clock, writer) = (night.clock.clone(), list.clone());
    source.map(|x| x + 1).sink_async(1, move |x| {
        let (work, list) = (clock.sleep(100), writer.clone());
        async move {
            work.await;
            list.lock().unwrap().push(x);
        }
    });
    let receipt = source.emit_tracked(1).unwrap();
    night.until(99);
    assert_eq!(receipt.outcome(), None);
    assert!(list.lock().unwrap().is_empty());
    night.until(100);
    assert_eq!(*list.lock().unwrap(), [2]);
    assert_eq!(block_on(receipt), Ok(()));
}

// case: probe/error_async_sink_reaches_emitter
// Waiting for the outcome is the receipt's task; the reason goes to the graph's handler.
#[test]
fn an_error_of_an_asynchronous_sink_reaches_the_receipt_and_the_handler() {
    let (graph, night) = night();
    let failures = Arc::new(AtomicUsize::new(0));
    let count = failures.clone();
    graph.on_error(OnError::call(move |failure| {
        assert_eq!(failure.error().to_string(), "invalid argument");
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let source = graph.source::<u32>();
    source.try_sink_async(1, |_| async { Err("invalid argument".into()) });
    let receipt = source.emit_tracked(0).unwrap();
    night.settle();
    assert_eq!(block_on(receipt), Err(Lost::Failed));
    assert_eq!(failures.load(Ordering::Relaxed), 1);
}

// case: probe/unawaited_async_sink_order
#[test]
fn writes_that_overlap_finish_in_any_order_and_writes_one_by_one_in_theirs() {
    for (n, expected) in [(3, [2, 1, 0]), (1, [0, 1, 2])] {
        let (graph, night) = night();
        let source = graph.source::<u32>();
        let list = Arc::new(Mutex::new(Vec::new()));
        let (clock, writer) = (night.clock.clone(), list.clone());
        source.sink_async(n, move |x| {
            let work = clock.sleep([40, 25, 10][x as usize]);
            let list = writer.clone();
            async move {
                work.await;
                list.lock().unwrap().push(x);
            }
        });
        for x in 0..3 {
            night.emit_waiting(&source, x);
        }
        night.until(80);
        assert_eq!(*list.lock().unwrap(), expected);
    }
}
