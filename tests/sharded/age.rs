//! What was sent is in the graph in time, and before a window ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::prelude::*;

use super::{MS, by_hand};

#[test]
fn what_was_sent_is_in_the_graph_when_its_age_is_over_and_not_before() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let list = sharded.sink_to_list();
    sharded.send(1).unwrap();
    time.advance(MS / 2);
    sharded.send(2).unwrap();
    assert_eq!(list.take(), [0; 0]);
    time.advance(MS / 2);
    assert_eq!(list.take(), [1, 2]);
    // While elements flow the driver comes each millisecond.
    sharded.send(3).unwrap();
    time.advance(MS / 2);
    assert_eq!(list.take(), [0; 0]);
    time.advance(MS / 2);
    assert_eq!(list.take(), [3]);
}

#[test]
fn a_thread_that_has_filled_a_batch_hands_it_over() {
    let (_time, sharded) = by_hand::<u32>(Shards::default());
    let list = sharded.sink_to_list();
    for n in 0..600 {
        sharded.send(n).unwrap();
    }
    assert_eq!(list.take(), (0..512).collect::<Vec<_>>());
}

#[test]
fn nobody_has_to_come_once_nothing_is_sent_any_more() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let _list = sharded.sink_to_list();
    let graph = sharded.graph();
    assert_eq!(graph.snapshot().unwrap().next_deadline, None);
    sharded.send(1).unwrap();
    assert_eq!(
        graph.snapshot().unwrap().next_deadline,
        Some(Time::from_millis(1))
    );
    time.advance(10 * MS);
    assert_eq!(graph.snapshot().unwrap().next_deadline, None);
    // And then somebody does again.
    sharded.send(2).unwrap();
    assert_eq!(
        graph.snapshot().unwrap().next_deadline,
        Some(Time::from_millis(11))
    );
}

#[test]
fn a_window_that_ends_has_all_that_was_sent_before_its_end() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let windows = sharded.timed_window(Duration::from_secs(3)).sink_to_list();
    sharded.send(1).unwrap();
    time.advance(Duration::from_micros(2_999_500));
    sharded.send(2).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| sharded.send(3).unwrap());
    });
    // The drain itself would be due half a millisecond after the end.
    time.advance(Duration::from_micros(500));
    let mut window = windows.take().remove(0);
    window.sort_unstable();
    assert_eq!(window, [1, 2, 3]);
    // At the very end, and so in the next one.
    sharded.send(4).unwrap();
    time.advance(Duration::from_secs(3));
    assert_eq!(windows.take(), [[4]]);
}

#[test]
fn one_step_over_a_whole_window_drains_first() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let windows = sharded.timed_window(Duration::from_secs(3)).sink_to_list();
    sharded.send(1).unwrap();
    time.advance(Duration::from_secs(3));
    assert_eq!(windows.take(), [[1]]);
}

#[test]
fn an_element_that_waits_below_is_let_go_at_its_own_moment() {
    let (time, sharded) = by_hand::<u32>(Shards::default());
    let graph = sharded.graph();
    let list = sharded.delay(MS / 4).sink_to_list();
    let log = Arc::new(Mutex::new(Vec::new()));
    let (seen, weak) = (log.clone(), sharded.downgrade());
    sharded.delay(MS / 4).sink(move |n| {
        let now = weak.upgrade().map(|sharded| sharded.now());
        seen.lock().unwrap().push((n, now.unwrap()));
    });
    sharded.send(1).unwrap();
    time.advance(2 * MS);
    assert_eq!(list.take(), [1]);
    assert_eq!(
        *log.lock().unwrap(),
        [(1, Time::from(Duration::from_micros(250)))]
    );
    assert_eq!(graph.snapshot().unwrap().held(), 0);
}

#[test]
fn a_clock_that_the_data_lead_drains_before_a_window_ends() {
    let graph = Graph::new();
    let records = graph.source::<u64>();
    records.lead_clock(|ms| Time::from_millis(*ms));
    let sharded = graph.sharded::<u64>(Shards::default());
    let windows = sharded.timed_window(10 * MS).sink_to_list();
    records.sink(drop);
    // The elements bring the time along, so that nobody has to drive.
    records.emit(5).unwrap();
    sharded.send(1).unwrap();
    assert_eq!(sharded.now(), Time::from_millis(5));
    records.emit_all([6, 7]).unwrap();
    sharded.send(2).unwrap();
    assert_eq!(sharded.now(), Time::from_millis(7));
    records.emit(10).unwrap();
    assert_eq!(windows.take(), [[1, 2]]);
    sharded.send(3).unwrap();
    records.emit(25).unwrap();
    assert_eq!(windows.take(), [[3]]);
    sharded.send(4).unwrap();
    drop(sharded);
    drop(records);
    graph.close().unwrap();
    assert_eq!(windows.take(), [[4]]);
}
