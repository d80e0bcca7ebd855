//! Cases of streamz for delay, latest and rate_limit, in virtual time.

mod naps;
mod words;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use headwater::prelude::*;
use headwater::{Loss, Lost};
use naps::Night;
use words::ms;

fn night() -> (Graph, Night) {
    let graph = Graph::new();
    let night = Night::new(graph.drive_manually());
    (graph, night)
}

/// Counts the failures that nobody caught.
fn failures(graph: &Graph) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    graph.on_error(OnError::call(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    count
}

fn non_zero(x: u32) -> Result<u32, BoxError> {
    if x == 0 { Err("zero".into()) } else { Ok(x) }
}

// case: core/test_delay
// The original spaced the elements of a burst by the interval; a delay lets each come later by it.
#[test]
fn delay_lets_nothing_through_before_its_time_and_then_all_in_order() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let list = source.delay(ms(20)).sink_to_list();
    for x in 0..5 {
        source.emit(x).unwrap();
        night.advance(2);
    }
    assert!(list.is_empty());
    night.until(19);
    assert!(list.is_empty());
    night.until(24);
    assert_eq!(list.get(), [0, 1, 2]);
    night.until(140);
    assert_eq!(list.take(), [0, 1, 2, 3, 4]);
}

// case: core/test_delay_ref_counts
#[test]
fn a_receipt_is_open_while_its_element_is_delayed() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let list = source.delay(ms(10)).sink_to_list();
    let receipts: Vec<_> = (0..5).map(|x| source.emit_tracked(x).unwrap()).collect();
    night.until(9);
    assert!(receipts.iter().all(|r| r.outcome().is_none()));
    night.until(10);
    assert!(receipts.iter().all(|r| r.outcome() == Some(Ok(()))));
    assert_eq!(list.take(), [0, 1, 2, 3, 4]);
}

// case: probe/delay_is_not_a_delay
// In the original both elements passed at once, since it measured from when it began to wait.
#[test]
fn after_an_idle_time_each_element_is_delayed_all_the_same() {
    let (graph, night) = night();
    let source = graph.source::<&str>();
    let list = source.delay(ms(100)).sink_to_list();
    night.advance(200);
    source.emit("a").unwrap();
    night.advance(10);
    source.emit("b").unwrap();
    night.until(299);
    assert!(list.is_empty());
    night.until(300);
    assert_eq!(list.take(), ["a"]);
    night.until(309);
    assert!(list.is_empty());
    night.until(310);
    assert_eq!(list.take(), ["b"]);
}

// case: probe/error_kills_delay, core/test_map_errors_log, core/test_accumulate_errors_log
// In the original one error behind a delay ended it for ever.
#[test]
fn a_delay_goes_on_after_a_failure_behind_it_and_the_handler_is_told() {
    let (graph, night) = night();
    let failed = failures(&graph);
    let source = graph.source::<u32>();
    let list = source.delay(ms(10)).try_map(non_zero).sink_to_list();
    let receipts: Vec<_> = [1, 0, 2, 3]
        .into_iter()
        .map(|x| {
            let receipt = source.emit_tracked(x).unwrap();
            night.advance(30);
            receipt
        })
        .collect();
    assert_eq!(list.take(), [1, 2, 3]);
    let outcomes: Vec<_> = receipts.iter().map(|r| r.outcome().unwrap()).collect();
    assert_eq!(outcomes, [Ok(()), Err(Lost::Failed), Ok(()), Ok(())]);
    assert_eq!(failed.load(Ordering::Relaxed), 1);
}

// case: core/test_latest
#[test]
fn latest_leaves_out_what_a_newer_element_overtook_before_the_driver_came() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let list = Arc::new(Mutex::new(Vec::new()));
    let (clock, writer) = (night.clock.clone(), list.clone());
    source.map(|x| x + 1).latest().sink_async(8, move |x| {
        let (work, list) = (clock.sleep(50), writer.clone());
        async move {
            work.await;
            list.lock().unwrap().push(x);
        }
    });
    source.emit(1).unwrap();
    night.advance(10);
    source.emit(2).unwrap();
    source.emit(3).unwrap();
    night.advance(70);
    assert_eq!(*list.lock().unwrap(), [2, 4]);
    night.advance(60);
    assert_eq!(*list.lock().unwrap(), [2, 4]);
}

// case: core/test_latest_ref_counts
#[test]
fn an_element_that_latest_replaces_is_lost_and_says_so() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let list = source.latest().named("latest").sink_to_list();
    let first = source.emit_tracked(1).unwrap();
    assert_eq!(first.outcome(), None);
    let second = source.emit_tracked(2).unwrap();
    assert_eq!(first.outcome(), Some(Err(Lost::Discarded)));
    assert_eq!(second.outcome(), None);
    night.settle();
    assert_eq!(second.outcome(), Some(Ok(())));
    assert_eq!(list.take(), [2]);
    let snapshot = graph.snapshot().unwrap();
    let counts = snapshot.named("latest").unwrap().counts;
    assert_eq!(counts.lost(Loss::Superseded), 1);
}

// case: probe/latest_ref_held
// The original kept an element after it had gone on, until the next came.
#[test]
fn latest_lets_an_element_go_for_good_once_it_has_gone_on() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    source.latest().sink(drop);
    let receipt = source.emit_tracked(1).unwrap();
    night.advance(40);
    assert_eq!(receipt.outcome(), Some(Ok(())));
}

// case: probe/latest_slow_sink
// The original lost the 3: it came while the sink was busy, and nobody was told.
#[test]
fn latest_never_loses_the_newest_element_to_a_slow_sink() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let list = Arc::new(Mutex::new(Vec::new()));
    let (clock, writer) = (night.clock.clone(), list.clone());
    source.latest().sink_async(1, move |x| {
        let (work, list) = (clock.sleep(50), writer.clone());
        async move {
            work.await;
            list.lock().unwrap().push(x);
        }
    });
    night.advance(10);
    source.emit(1).unwrap();
    night.advance(10);
    source.emit(2).unwrap();
    source.emit(3).unwrap();
    night.advance(250);
    assert_eq!(*list.lock().unwrap(), [1, 3]);
    night.emit_waiting(&source, 4);
    night.advance(100);
    assert_eq!(*list.lock().unwrap(), [1, 3, 4]);
}

// case: probe/error_kills_latest
#[test]
fn latest_goes_on_after_a_failure_behind_it() {
    let (graph, night) = night();
    let failed = failures(&graph);
    let source = graph.source::<u32>();
    let list = source.latest().try_map(non_zero).sink_to_list();
    for x in [1, 0, 2, 3] {
        source.emit(x).unwrap();
        night.advance(30);
    }
    assert_eq!(list.take(), [1, 2, 3]);
    assert_eq!(failed.load(Ordering::Relaxed), 1);
}

// case: probe/ref_rate_limit_done_too_early
// The original called an element done while it waited, and again when it had gone.
#[test]
fn an_element_is_done_once_rate_limit_has_let_it_go_and_not_before() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let list = source.rate_limit(ms(100)).sink_to_list();
    let first = source.emit_tracked(1).unwrap();
    let second = source.emit_tracked(2).unwrap();
    night.advance(30);
    assert_eq!(first.outcome(), Some(Ok(())));
    assert_eq!(second.outcome(), None);
    assert_eq!(list.get(), [1]);
    night.advance(69);
    assert_eq!(second.outcome(), None);
    night.advance(1);
    assert_eq!(second.outcome(), Some(Ok(())));
    assert_eq!(list.take(), [1, 2]);
}

// case: probe/error_through_rate_limit
// The element that need not wait fails before its emitter's eyes; one that waited tells its receipt.
#[test]
fn a_failure_behind_rate_limit_reaches_whoever_still_waits_for_the_element() {
    let (graph, night) = night();
    let failed = failures(&graph);
    let source = graph.source::<u32>();
    let list = source
        .rate_limit(ms(10))
        .try_map(|x| if x % 2 == 1 { Err("odd".into()) } else { Ok(x) })
        .sink_to_list();
    assert!(matches!(source.emit(1), Err(EmitError::Failed(_))));
    source.emit(0).unwrap();
    let receipt = source.emit_tracked(3).unwrap();
    source.emit(2).unwrap();
    night.advance(30);
    assert_eq!(list.take(), [0, 2]);
    assert_eq!(receipt.outcome(), Some(Err(Lost::Failed)));
    assert_eq!(failed.load(Ordering::Relaxed), 1);
}

// case: core/test_buffer
#[test]
fn a_buffer_in_front_of_a_full_rate_limit_makes_its_emitter_wait() {
    let (graph, night) = night();
    let source = graph.source::<u32>();
    let list = source
        .map(|x| x + 1)
        .buffer(10)
        .map(|x| x + 1)
        .rate_limit(ms(50))
        .capacity(1)
        .sink_to_list();
    for x in 0..10 {
        source.emit(x).unwrap();
    }
    assert!(source.emit(10).unwrap_err().is_full());
    assert!(list.is_empty());
    night.settle();
    // One went, one waits for its time, eight for room.
    assert_eq!(list.get(), [2]);
    assert_eq!(source.emit_all([0, 1]).unwrap(), 2);
    assert!(source.emit(2).unwrap_err().is_full());
    night.until(49);
    assert!(source.emit(2).unwrap_err().is_full());
    night.until(50);
    source.emit(2).unwrap();
    assert_eq!(list.get(), [2, 3]);
    night.until(600);
    assert_eq!(list.take(), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3, 4]);
}
