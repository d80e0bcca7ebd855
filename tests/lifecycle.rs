//! Emitting, closing, stopping: what a source answers in each state of its graph.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use headwater::prelude::*;
use headwater::{EmitAllError, EmitError, Lost, Role};
use proptest::prelude::*;

#[test]
fn dropping_the_last_handle_only_marks_and_the_next_caller_closes() {
    let graph = Graph::new();
    let a = graph.source::<u32>();
    let b = graph.source::<u32>();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slot = seen.clone();
    let _ = a.zip(&b).sink(move |row| slot.lock().unwrap().push(row));
    let clone = a.clone();
    drop(a);
    clone.emit(1).unwrap();
    let weak = clone.downgrade();
    drop(clone);
    assert!(matches!(weak.emit(2), Err(EmitError::Closed(2))));
    // `a` closes here, and as it holds one element the zip goes on for one row.
    b.emit(10).unwrap();
    assert_eq!(*seen.lock().unwrap(), [(1, 10)]);
    let report = graph.close().unwrap();
    assert_eq!((report.accepted, report.delivered), (2, 1));
}

#[test]
fn the_driver_closes_what_was_dropped() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let list = source.buffer(2).sink_to_list();
    source.blocking_send(1).unwrap();
    drop(source);
    driver.join().unwrap();
    assert_eq!(list.take(), [1]);
}

#[test]
fn a_closed_source_gives_everything_back() {
    let graph = Graph::new();
    let source = graph.source::<String>();
    let list = source.sink_to_list();
    source.emit("a".to_owned()).unwrap();
    source.close();
    source.close();
    let text = || "b".to_owned();
    let errors = [
        source.emit(text()).unwrap_err(),
        source.blocking_send(text()).unwrap_err(),
        source.lock().emit(text()).unwrap_err(),
        block_on(source.send(text())).unwrap_err(),
        block_on(source.send_tracked(text())).unwrap_err(),
        source.emit_tracked(text()).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, EmitError::Closed(_)));
        assert_eq!(error.into_element().as_deref(), Some("b"));
    }
    let mut rest = ["b", "c"].map(str::to_owned).into_iter();
    let error = source.emit_all(rest.by_ref()).unwrap_err();
    assert!(matches!(error.cause, EmitError::Closed(b) if b == "b"));
    assert_eq!(rest.next().as_deref(), Some("c"), "not drawn");
    assert_eq!(list.take(), ["a"]);
}

#[test]
fn a_batch_drawn_while_the_source_closed_is_given_back_whole() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source.sink_to_list();
    let handle = source.clone();
    let mut items = (0..1000).inspect(|n| {
        if *n == 300 {
            handle.close();
        }
    });
    let EmitAllError {
        accepted,
        cause,
        drawn,
        ..
    } = source.emit_all(items.by_ref()).unwrap_err();
    let EmitError::Closed(first) = cause else {
        panic!("{cause:?}")
    };
    let seen = list.take();
    assert_eq!(seen.len(), accepted);
    let all = seen.into_iter().chain([first]).chain(drawn).chain(items);
    assert!(all.eq(0..1000));
}

#[test]
fn a_batch_drawn_while_the_graph_was_poisoned_is_given_back_whole() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source.sink_to_list();
    let bomb = graph.source::<u32>();
    let _ = bomb.sink(|_| panic!("on purpose"));
    let mut items = (0..1000).inspect(|n| {
        if *n == 300 {
            let bomb = bomb.clone();
            assert!(
                std::thread::spawn(move || bomb.emit(1).is_ok())
                    .join()
                    .is_err()
            );
        }
    });
    let error = source.emit_all(items.by_ref()).unwrap_err();
    let EmitError::Poisoned(first) = error.cause else {
        panic!("{:?}", error.cause)
    };
    let seen = list.take();
    assert_eq!(seen.len(), error.accepted);
    let all = seen
        .into_iter()
        .chain([first])
        .chain(error.drawn)
        .chain(items);
    assert!(all.eq(0..1000));
}

#[test]
fn a_waiting_sender_is_woken_by_room_by_a_close_and_by_an_undriven_graph() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.buffer(1).sink_to_list();
    source.emit(1).unwrap();
    let mut first = Box::pin(source.send(2));
    let mut second = Box::pin(source.send(3));
    assert!(first.as_mut().now_or_never().is_none());
    assert!(second.as_mut().now_or_never().is_none());
    time.settle();
    block_on(first).unwrap();
    assert!(second.as_mut().now_or_never().is_none(), "full again");
    source.close();
    assert!(matches!(block_on(second), Err(EmitError::Closed(3))));
    time.settle();
    assert_eq!(list.take(), [1, 2]);

    let other = graph.source::<u32>();
    let _ = other.buffer(1).sink(drop);
    other.emit(1).unwrap();
    let mut sending = Box::pin(other.send(2));
    assert!(sending.as_mut().now_or_never().is_none());
    drop(time);
    assert!(matches!(block_on(sending), Err(EmitError::Undriven(2))));
}

#[test]
fn a_sender_that_gives_up_waiting_keeps_its_element() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.buffer(1).sink_to_list();
    source.emit(1).unwrap();
    let mut sending = Box::pin(source.send(2));
    assert!(sending.as_mut().now_or_never().is_none());
    drop(sending);
    time.settle();
    source.emit(3).unwrap();
    time.settle();
    assert_eq!(list.take(), [1, 3], "an element is either sent or not");
}

#[test]
fn only_the_origin_that_feeds_the_full_operator_waits() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let (slow, free) = (graph.source::<u32>(), graph.source::<u32>());
    let _ = slow.buffer(1).sink(drop);
    let list = free.sink_to_list();
    slow.emit(1).unwrap();
    assert!(slow.emit(2).unwrap_err().is_full());
    free.emit(3).unwrap();
    assert_eq!(list.take(), [3]);
}

#[test]
fn a_source_closed_while_elements_are_parked_runs_them_first() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.buffer(2).sink_to_list();
    let trigger = graph.source::<u32>();
    let handle = source.clone();
    // Queued while the buffer still has room: the second and third are parked.
    let _ = trigger.sink(move |_| {
        for n in 1..=5 {
            handle.emit(n).unwrap();
        }
        handle.close();
    });
    trigger.emit(0).unwrap();
    assert!(matches!(source.emit(9), Err(EmitError::Closed(9))));
    time.settle();
    assert_eq!(list.take(), [1, 2, 3, 4, 5]);
    trigger.close();
    let report = block_on(graph.shutdown()).unwrap();
    assert_eq!(report.snapshot.dropped(), 0);
}

#[test]
fn parked_elements_show_as_held_by_their_source() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u32>().named("in");
    let _ = source.buffer(1).sink(drop);
    let trigger = graph.source::<u32>();
    let handle = source.clone();
    let _ = trigger.sink(move |n| (0..n).for_each(|n| handle.emit(n).unwrap()));
    trigger.emit(4).unwrap();
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(snapshot.named("in").unwrap().counts.held, 3);
    assert_eq!(snapshot.held(), 4);
}

#[test]
fn a_flow_hung_from_a_closed_node_hears_that_it_is_closed() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let shared = source.map(|x| x).share();
    source.close();
    let _ = shared.sink(drop);
    let _ = source.sink(drop);
    assert!(graph.close().unwrap().complete, "all ends are closed");
}

#[test]
fn a_flow_hung_from_a_node_that_was_disconnected_hears_that_it_is_closed() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let slot = Arc::new(Mutex::new(None));
    let shared = source.map(|x| x).share();
    let branch = shared.sink(drop);
    *slot.lock().unwrap() = Some(branch);
    slot.lock().unwrap().take().unwrap().disconnect();
    let list = shared.sink_to_list();
    source.emit(1).unwrap();
    assert_eq!(list.take(), [1], "siblings go on");
    assert!(graph.close().unwrap().complete);
}

#[test]
fn a_branch_is_disconnected_while_others_emit() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u64>();
    let stays = source.buffer(64).sink_to_list();
    let goes = source.buffer(64).sink_to_list();
    let emitter = std::thread::spawn({
        let source = source.clone();
        move || (0..20_000).for_each(|n| source.blocking_send(n).unwrap())
    });
    while goes.len() < 100 {
        std::thread::yield_now();
    }
    goes.branch().clone().disconnect();
    emitter.join().unwrap();
    drop(source);
    driver.join().unwrap();
    assert!(stays.take().into_iter().eq(0..20_000));
    let cut = goes.take();
    assert!(cut.len() >= 100);
    assert!(
        cut.iter().copied().eq(0..cut.len() as u64),
        "what it held came through"
    );
}

#[test]
fn an_undriven_graph_without_holders_needs_nobody() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let _ = source.zip(&source).sink(drop);
    source.emit_all(0..10).unwrap();
    let report = block_on(graph.shutdown()).unwrap();
    assert!(report.complete);
    assert_eq!((report.accepted, report.delivered), (10, 10));
    let text = report.to_string();
    assert!(
        text.starts_with("10 in, 10 out, 0 dropped, 0 failed\nnode"),
        "{text}"
    );
}

#[test]
fn close_drives_a_graph_that_nobody_drives() {
    let graph = Graph::new();
    let list = graph.from_iter(0..10_000u32).buffer(7).sink_to_list();
    let report = graph.close().unwrap();
    assert!(report.complete);
    assert_eq!(
        report.delivered,
        list.len() as u64,
        "what the iterator gave arrived"
    );
}

#[test]
fn close_moves_the_time_of_a_graph_driven_by_hand() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.buffer(4).sink_to_list();
    source.emit(1).unwrap();
    assert!(graph.close().unwrap().complete);
    assert_eq!(list.take(), [1]);
    assert_eq!(time.now(), Time::ZERO, "no deadline stood in the way");
}

#[test]
fn run_goes_on_until_the_iterators_end_and_leaves_sources_open() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = graph
        .from_iter(0..1000u32)
        .zip(source.buffer(4))
        .sink_to_list();
    graph.run().unwrap();
    let _time = graph.drive_manually();
    source.emit(1).unwrap();
    _time.settle();
    assert_eq!(list.take(), [(0, 1)]);
    let roles = graph.topology();
    assert_eq!(
        roles
            .nodes()
            .iter()
            .filter(|n| n.role() == Role::Source)
            .count(),
        2
    );
}

#[test]
fn led_time_follows_the_elements_and_no_driver_is_needed_for_it() {
    let graph = Graph::new();
    let source = graph.source::<u64>();
    source.lead_clock(|ms| Time::from_millis(*ms));
    let list = source.sink_to_list();
    source.emit(1000).unwrap();
    assert_eq!(graph.snapshot().unwrap().at, Time::from_millis(1000));
    source.emit(500).unwrap();
    assert_eq!(
        graph.snapshot().unwrap().at,
        Time::from_millis(1000),
        "never backwards"
    );
    source.emit_all([2000, 3000]).unwrap();
    assert_eq!(graph.snapshot().unwrap().at, Time::from_millis(3000));
    assert_eq!(list.len(), 4);
}

#[test]
fn time_moved_by_hand_stands_where_it_was_put() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    for step in [1, 10, 100] {
        time.advance(Duration::from_nanos(step));
    }
    assert_eq!(time.now(), Time::from_nanos(111));
    assert_eq!(graph.snapshot().unwrap().at, Time::from_nanos(111));
}

#[test]
fn tearing_a_graph_down_fails_what_it_holds() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let _ = source.buffer(4).sink(drop);
    let receipt = source.emit_tracked(1).unwrap();
    drop((time, source, graph));
    assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
}

#[derive(Clone, Debug)]
enum Step {
    Emit,
    EmitAll(u8),
    Queue(u8),
    Settle,
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(
        prop_oneof![
            8 => Just(Step::Emit),
            4 => (0..20u8).prop_map(Step::EmitAll),
            4 => (0..20u8).prop_map(Step::Queue),
            4 => Just(Step::Settle),
            1 => Just(Step::Close),
        ],
        0..40,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However a source is used, what it accepted arrives, once and in order, and the rest came back.
    #[test]
    fn whatever_was_accepted_arrives_once_and_in_order(steps in steps(), capacity in 1..5usize) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let list = source.buffer(capacity).sink_to_list();
        let trigger = graph.source::<u8>();
        let queued = Arc::new(Mutex::new((0u32, Vec::new())));
        let (state, handle) = (queued.clone(), source.clone());
        let _ = trigger.sink(move |count| {
            let mut state = state.lock().unwrap();
            for _ in 0..count {
                let n = state.0;
                state.0 += 1;
                if handle.emit(n).is_ok() {
                    state.1.push(n);
                }
            }
        });
        for step in steps {
            match step {
                Step::Emit => {
                    let mut state = queued.lock().unwrap();
                    let n = state.0;
                    state.0 += 1;
                    if source.emit(n).is_ok() {
                        state.1.push(n);
                    }
                }
                Step::EmitAll(count) => {
                    let mut state = queued.lock().unwrap();
                    let from = state.0;
                    state.0 += u32::from(count);
                    let items = from..from + u32::from(count);
                    let accepted = match source.emit_all(items) {
                        Ok(accepted) => accepted,
                        Err(error) => {
                            prop_assert!(error.drawn.is_empty());
                            error.accepted
                        }
                    };
                    state.1.extend(from..from + accepted as u32);
                }
                Step::Queue(count) => {
                    let _ = trigger.emit(count);
                }
                Step::Settle => time.settle(),
                Step::Close => source.close(),
            }
        }
        let report = block_on(graph.shutdown()).unwrap();
        prop_assert!(report.complete);
        prop_assert_eq!(report.snapshot.dropped(), 0);
        prop_assert_eq!(list.take(), queued.lock().unwrap().1.clone());
    }
}

#[test]
fn a_branch_that_was_disconnected_lets_go_of_what_it_captured_once_it_has_drained() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let other = source.sink_to_list();
    let nodes = graph.topology().nodes().len();
    let captured = std::sync::Arc::new(());
    for round in 0..100 {
        let kept = captured.clone();
        let list = source.map(|x| x + 1).buffer(10).share();
        drop(list);
        let branch = source
            .timed_window(std::time::Duration::from_secs(1))
            .buffer(10)
            .sink(move |_| drop(kept.clone()));
        source.emit(round).unwrap();
        branch.disconnect();
        // It drains first: the window, then the buffer.
        time.settle();
        assert_eq!(std::sync::Arc::strong_count(&captured), 1);
    }
    assert_eq!(other.take().len(), 100);
    assert_eq!(graph.topology().nodes().len(), nodes);
}

#[test]
fn branches_that_come_and_go_under_a_guard_count_from_the_next_element_on() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let log = Arc::new(Mutex::new(Vec::new()));
    let branches = Mutex::new(Vec::new());
    let (other, seen) = (source.clone(), log.clone());
    let _ = source.sink(move |x| {
        seen.lock().unwrap().push((0, x));
        if x <= 3 {
            let seen = seen.clone();
            let branch = other.sink(move |y| seen.lock().unwrap().push((x, y)));
            branches.lock().unwrap().push(branch);
        } else if x > 4 {
            let gone = branches.lock().unwrap().pop();
            gone.inspect(Branch::disconnect);
        }
    });
    let mut guard = source.lock();
    for x in 1..=8 {
        guard.emit(x).unwrap();
    }
    drop(guard);
    // Who hears 1, 2, …: none but the first, then one more each time; and from 6 on one less.
    let hears = [0, 1, 2, 3, 3, 2, 1, 0];
    let heard = (1..)
        .zip(hears)
        .flat_map(|(x, last)| (0..=last).map(move |who| (who, x)));
    assert_eq!(*log.lock().unwrap(), heard.collect::<Vec<_>>());
    let report = graph.close().unwrap();
    assert_eq!((report.accepted, report.delivered), (8, 8 + 12));
}
