//! Branches and shared nodes that move, come and go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use headwater::Lost;
use headwater::prelude::*;

use crate::cuts::nodes;

#[test]
fn a_moved_branch_is_let_go_where_it_hangs() {
    let graph = Graph::new();
    let (old, new) = (graph.source::<u32>(), graph.source::<u32>());
    let list = old.buffer(9).map(|x| x).take(2).sink_to_list();
    let time = graph.drive_manually();
    old.emit(1).unwrap();
    list.branch().move_to(&new).unwrap();
    old.emit(2).unwrap();
    new.emit_all([3, 4]).unwrap();
    time.settle();
    assert_eq!(list.take(), [1, 3]);
    assert!(!list.branch().is_connected());
    assert_eq!(nodes(&graph), ["source"; 2]);
    let sated = new.emit_tracked(5).unwrap();
    assert_eq!(sated.outcome(), Some(Ok(())), "it has had enough");
    let unheard = old.emit_tracked(5).unwrap();
    assert_eq!(unheard.outcome(), Some(Err(Lost::Discarded)));
}

#[test]
fn a_branch_that_moves_as_it_has_had_enough_is_let_go_all_the_same() {
    let graph = Graph::new();
    let (old, new) = (graph.source::<u32>(), graph.source::<u32>());
    let branch = Arc::new(Mutex::new(None::<headwater::Branch>));
    let (moving, to) = (branch.clone(), new.clone());
    let list = old
        .inspect(move |_| {
            // Queued: the branch has had enough by then.
            moving
                .lock()
                .unwrap()
                .as_ref()
                .unwrap()
                .move_to(&to)
                .unwrap();
        })
        .take(1)
        .sink_to_list();
    *branch.lock().unwrap() = Some(list.branch().clone());
    old.emit(1).unwrap();
    new.emit(2).unwrap();
    assert_eq!(list.take(), [1]);
    assert_eq!(nodes(&graph), ["source"; 2]);
    assert!(graph.close().unwrap().complete);
}

#[test]
fn a_shared_node_that_nobody_can_see_goes_with_its_last_branch() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let shared = source.map(|x| x + 1).share();
    let (one, two) = (shared.take(1).sink_to_list(), shared.take(2).sink_to_list());
    drop(shared);
    source.emit(1).unwrap();
    assert_eq!(nodes(&graph).len(), 5, "{:?}", nodes(&graph));
    source.emit(2).unwrap();
    assert_eq!((one.take(), two.take()), (vec![2], vec![2, 3]));
    assert_eq!(nodes(&graph), ["source"]);
    let receipt = source.emit_tracked(3).unwrap();
    assert_eq!(receipt.outcome(), Some(Ok(())), "all have had enough");
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
}

#[test]
fn a_disconnected_branch_stays_in_the_counts() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let branch = source.partition(2).sink(drop).named("gone");
    source.emit_all(0..5).unwrap();
    branch.disconnect();
    assert_eq!(nodes(&graph), ["source"]);
    let snapshot = graph.snapshot().unwrap();
    assert_eq!((snapshot.gone.nodes, snapshot.gone.delivered), (2, 3));
    assert_eq!(graph.close().unwrap().delivered, 3);
}

#[test]
fn a_shared_node_behind_the_end_tells_whoever_comes_late() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let shared = source.take(2).buffer(4).share();
    let early = shared.partition(5).sink_to_list();
    source.emit_all(0..5).unwrap();
    time.settle();
    assert_eq!(early.take(), [[0, 1]]);
    let late = shared.partition(5).sink_to_list();
    source.emit(9).unwrap();
    time.settle();
    assert!(late.is_empty());
    assert!(graph.close().unwrap().complete);
}

#[test]
fn nobody_is_unheard_who_was_heard_out() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    source.take(1).sink(drop);
    let [first, second] = [1, 2].map(|x| source.emit_tracked(x).unwrap());
    assert_eq!(
        (first.outcome(), second.outcome()),
        (Some(Ok(())), Some(Ok(())))
    );
    assert_eq!(graph.snapshot().unwrap().dropped(), 0);
    // A branch that was disconnected is another matter.
    let branch = source.sink(drop);
    branch.disconnect();
    let third = source.emit_tracked(3).unwrap();
    assert_eq!(third.outcome(), Some(Err(Lost::Discarded)));
    assert_eq!(graph.snapshot().unwrap().dropped(), 1);
}

#[test]
fn a_branch_may_be_disconnected_when_it_has_ended_or_is_about_to() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let ended = source.take(1).sink(drop);
    let slot = Arc::new(Mutex::new(None::<headwater::Branch>));
    let own = slot.clone();
    let ending = source.take(1).sink(move |_| {
        if let Some(branch) = own.lock().unwrap().take() {
            branch.disconnect();
        }
    });
    *slot.lock().unwrap() = Some(ending);
    source.emit(1).unwrap();
    ended.disconnect();
    assert_eq!(nodes(&graph), ["source"]);
    source.emit(2).unwrap();
    assert!(graph.close().unwrap().complete);
}

#[test]
fn branches_come_and_go_while_many_threads_emit() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u64>();
    let done = Arc::new(AtomicBool::new(false));
    let emitters: Vec<_> = (0..3)
        .map(|thread| {
            let (source, done) = (source.clone(), done.clone());
            std::thread::spawn(move || {
                let mut x = thread;
                while !done.load(Ordering::Relaxed) {
                    source.blocking_send(x).unwrap();
                    x += 3;
                }
            })
        })
        .collect();
    for round in 0..200 {
        let lists: Vec<_> = (0..3)
            .map(|which| match which {
                0 => source.take(5).sink_to_list(),
                1 => source.buffer(2).take(5).sink_to_list(),
                _ => source
                    .buffer(2)
                    .zip(&source)
                    .map(|(x, _)| x)
                    .take(5)
                    .sink_to_list(),
            })
            .collect();
        while lists.iter().any(|list| list.len() < 5) {
            std::thread::yield_now();
        }
        for list in lists {
            let mut list = list.take();
            assert_eq!(list.len(), 5, "{round}");
            // Of each thread, in order and without a gap.
            list.sort_by_key(|x| (x % 3, *x));
            let gapless = list
                .windows(2)
                .all(|w| w[0] % 3 != w[1] % 3 || w[0] + 3 == w[1]);
            assert!(gapless, "{list:?}");
        }
    }
    done.store(true, Ordering::Relaxed);
    emitters
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    drop(source);
    driver.join().unwrap();
    assert!(
        nodes(&graph).is_empty(),
        "the source went with its last handle"
    );
}

#[test]
fn very_many_branches_may_have_enough_at_once() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    for _ in 0..20_000 {
        source.take(1).sink(drop);
    }
    source.emit(1).unwrap();
    assert_eq!(nodes(&graph), ["source"]);
}
