//! Failures, panics and empty places.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use headwater::Lost;
use headwater::prelude::*;

use super::{caught, even};
use crate::words::ms;

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
