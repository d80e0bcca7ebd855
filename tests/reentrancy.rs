//! Closures that emit, threads that meet, cycles, panics.

mod watched;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};

use headwater::prelude::*;
use headwater::{EmitError, Loss, Lost};
use watched::watched;

#[test]
fn two_graphs_that_emit_into_each_other_from_two_threads_neither_block_nor_lose() {
    watched(|| {
        const ROUNDS: u64 = 20_000;
        let (a, b) = (Source::<(u8, u64)>::new(), Source::<(u8, u64)>::new());
        let seen: [Arc<Mutex<Vec<u64>>>; 2] = Default::default();
        for (from, to, tag, seen) in [(&a, &b, 0, &seen[1]), (&b, &a, 1, &seen[0])] {
            let (to, seen) = (to.downgrade(), seen.clone());
            let _ = from.sink(move |(origin, n)| {
                if origin == tag {
                    to.emit((origin, n)).unwrap();
                } else {
                    seen.lock().unwrap().push(n);
                }
            });
        }
        let start = Arc::new(Barrier::new(2));
        let threads = [(a.clone(), 0), (b.clone(), 1)].map(|(source, tag)| {
            let start = start.clone();
            std::thread::spawn(move || {
                start.wait();
                for n in 0..ROUNDS {
                    source.emit((tag, n)).unwrap();
                }
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        for seen in seen {
            assert!(seen.lock().unwrap().iter().copied().eq(0..ROUNDS));
        }
    });
}

#[test]
fn two_graphs_that_play_ping_pong_from_two_threads_need_no_deep_stack() {
    // Each ball bounces many times; whoever finds the other graph busy owes it a visit.
    let thread = std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(|| {
            watched(|| {
                let (a, b) = (Source::<u32>::new(), Source::<u32>::new());
                let landed = Arc::new(AtomicU64::new(0));
                for (from, to) in [(&a, &b), (&b, &a)] {
                    let (to, landed) = (to.downgrade(), landed.clone());
                    let _ = from.sink(move |bounces| {
                        if bounces > 0 {
                            to.emit(bounces - 1).unwrap();
                        } else {
                            landed.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
                let threads = [a.clone(), b.clone()].map(|source| {
                    std::thread::Builder::new()
                        .stack_size(256 * 1024)
                        .spawn(move || {
                            for _ in 0..20 {
                                source.emit(5_000).unwrap();
                            }
                        })
                        .unwrap()
                });
                for thread in threads {
                    thread.join().unwrap();
                }
                assert_eq!(landed.load(Ordering::Relaxed), 40);
            });
        });
    thread.unwrap().join().unwrap();
}

#[test]
fn eight_threads_lose_and_duplicate_nothing_and_keep_their_order() {
    watched(|| {
        let source = Source::<(u32, u32)>::new();
        let list = source.share().map(|x| x).sink_to_list();
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let source = source.clone();
                std::thread::spawn(move || match thread % 4 {
                    0 => (0..5000).for_each(|n| source.emit((thread, n)).unwrap()),
                    1 => {
                        source.emit_all((0..5000).map(|n| (thread, n))).unwrap();
                    }
                    2 => {
                        for chunk in 0..50 {
                            let mut emitter = source.lock();
                            for n in 0..100 {
                                emitter.emit((thread, chunk * 100 + n)).unwrap();
                            }
                        }
                    }
                    _ => (0..5000).for_each(|n| {
                        futures::executor::block_on(source.send((thread, n))).unwrap();
                    }),
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        let seen = list.take();
        assert_eq!(seen.len(), 40_000);
        for thread in 0..8 {
            let own = seen.iter().filter(|(t, _)| *t == thread).map(|(_, n)| *n);
            assert!(own.eq(0..5000));
        }
    });
}

#[test]
fn closing_while_others_send_neither_loses_what_was_accepted_nor_runs_it_after_the_close() {
    watched(|| {
        for _ in 0..200 {
            let graph = Graph::new();
            let source = graph.source::<u32>();
            let list = source.sink_to_list();
            let accepted = Arc::new(AtomicU64::new(0));
            let start = Arc::new(Barrier::new(3));
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (source, accepted, start) =
                        (source.clone(), accepted.clone(), start.clone());
                    std::thread::spawn(move || {
                        start.wait();
                        for n in 0..1000 {
                            match futures::executor::block_on(source.send(n)) {
                                Ok(()) => accepted.fetch_add(1, Ordering::Relaxed),
                                Err(EmitError::Closed(_)) => return,
                                Err(other) => panic!("{other}"),
                            };
                        }
                    })
                })
                .collect();
            start.wait();
            source.close();
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            let report = graph.close().unwrap();
            assert_eq!(list.len() as u64, accepted.load(Ordering::Relaxed));
            assert_eq!(report.delivered, list.len() as u64);
            assert_eq!(report.snapshot.dropped(), 0);
        }
    });
}

#[test]
fn a_hundred_thousand_elements_in_a_cycle_need_no_stack() {
    let source = Source::<u32>::new();
    let list = source.sink_to_list();
    let weak = source.downgrade();
    let _ = source.sink(move |x| {
        if x < 100_000 {
            weak.emit(x + 1).unwrap();
        }
    });
    let receipt = source.emit_tracked(0).unwrap();
    assert_eq!(receipt.outcome(), Some(Ok(())));
    assert!(list.take().into_iter().eq(0..=100_000));
}

#[test]
fn the_queue_of_a_source_is_bounded_and_says_so() {
    let source = Source::<u32>::new();
    let weak = source.downgrade();
    let refused = Arc::new(AtomicU64::new(0));
    let counter = refused.clone();
    let _ = source.sink(move |x| {
        if x == 0 {
            for n in 1..=headwater::INBOX_CAPACITY as u32 + 10 {
                if let Err(EmitError::Full(back)) = weak.emit(n) {
                    assert_eq!(back, n);
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    });
    let list = source.sink_to_list();
    source.emit(0).unwrap();
    assert_eq!(refused.load(Ordering::Relaxed), 10);
    assert_eq!(list.len(), headwater::INBOX_CAPACITY + 1);
}

#[test]
fn what_a_closure_builds_and_cuts_takes_effect_after_the_element_under_way() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let handle = source.clone();
    let late = Arc::new(Mutex::new(None));
    let slot = late.clone();
    let _ = source.sink(move |x| {
        if x == 1 {
            *slot.lock().unwrap() = Some(handle.map(|x| x * 10).sink_to_list());
        } else if x == 3 {
            let list = slot.lock().unwrap().clone().unwrap();
            list.branch().clone().disconnect();
        }
    });
    source.emit_all([1]).unwrap();
    for x in 2..5 {
        source.emit(x).unwrap();
    }
    let list = late.lock().unwrap().clone().unwrap();
    assert_eq!(list.take(), [20, 30]);
}

#[test]
fn a_source_closed_by_its_own_sink_takes_no_more() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let handle = source.clone();
    let list = source.sink_to_list();
    let _ = source.sink(move |x| {
        if x == 2 {
            handle.emit(100).unwrap();
            handle.close();
            assert!(matches!(handle.emit(200), Err(EmitError::Closed(200))));
        }
    });
    source.emit(1).unwrap();
    source.emit(2).unwrap();
    assert!(matches!(source.emit(3), Err(EmitError::Closed(3))));
    assert_eq!(
        list.take(),
        [1, 2, 100],
        "what was before the close still runs"
    );
    assert!(source.is_closed());
    assert!(graph.close().unwrap().complete);
}

#[test]
fn questions_from_inside_a_closure_are_answered_or_refused_but_never_wait() {
    watched(|| {
        let graph = Graph::new();
        let source = graph.source::<u32>();
        let asked = Arc::new(AtomicBool::new(false));
        let (inside, flag, handle) = (graph.clone(), asked.clone(), source.clone());
        let _ = source.sink(move |x| {
            assert!(matches!(inside.snapshot(), Err(GraphError::Inside)));
            assert!(matches!(inside.run(), Err(GraphError::Inside)));
            assert!(matches!(inside.close(), Err(GraphError::Inside)));
            let shutdown = futures::executor::block_on(inside.shutdown());
            assert!(matches!(shutdown, Err(GraphError::Inside)));
            assert!(matches!(handle.blocking_send(x), Err(EmitError::Inside(_))));
            assert_eq!(inside.topology().nodes().len(), 2);
            flag.store(true, Ordering::Relaxed);
        });
        source.emit(1).unwrap();
        assert!(asked.load(Ordering::Relaxed));
    });
}

#[test]
fn a_guard_queues_what_its_thread_emits_past_it_and_keeps_the_order() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let list = a.sink_to_list();
    let others = b.sink_to_list();
    {
        let mut first = a.lock();
        let mut second = b.lock();
        first.emit(1).unwrap();
        a.emit(2).unwrap();
        first.emit(3).unwrap();
        second.emit(10).unwrap();
        assert_eq!(list.len(), 3);
        a.emit(4).unwrap();
        drop(first);
        assert_eq!(list.get(), [1, 2, 3, 4]);
        second.emit(20).unwrap();
        assert_eq!(others.get(), [10, 20]);
    }
    b.emit(30).unwrap();
    assert_eq!(others.take(), [10, 20, 30]);
}

#[test]
fn a_guard_inside_of_a_closure_queues() {
    let source = Source::<u32>::new();
    let list = source.sink_to_list();
    let handle = source.clone();
    let seen = list.clone();
    let _ = source.sink(move |x| {
        if x == 1 {
            let mut emitter = handle.lock();
            emitter.emit(2).unwrap();
            emitter.emit(3).unwrap();
            drop(emitter);
            assert_eq!(seen.len(), 1);
        }
    });
    source.lock().emit(1).unwrap();
    assert_eq!(list.take(), [1, 2, 3]);
}

#[test]
fn others_wait_until_the_guard_is_dropped_but_senders_do_not_block() {
    watched(|| {
        let source = Source::<u32>::new();
        let list = source.sink_to_list();
        let mut emitter = source.lock();
        let (handle, start) = (source.clone(), Arc::new(Barrier::new(2)));
        let there = start.clone();
        let other = std::thread::spawn(move || {
            // Found busy: left in the inbox, and handed over when the guard goes.
            let mut sending = Box::pin(handle.send(2));
            use futures::FutureExt;
            let early = sending.as_mut().now_or_never();
            there.wait();
            if early.is_none() {
                futures::executor::block_on(sending).unwrap();
            }
            handle.emit(3).unwrap();
        });
        start.wait();
        emitter.emit(1).unwrap();
        drop(emitter);
        other.join().unwrap();
        assert_eq!(
            list.take(),
            [2, 1, 3],
            "in the order in which they were left"
        );
    });
}

#[test]
fn where_a_driver_comes_by_a_sender_does_not_even_wait_for_a_busy_graph() {
    use futures::FutureExt;
    watched(|| {
        for _ in 0..100 {
            let graph = Graph::new();
            let driver = graph.spawn_thread();
            let source = graph.source::<u32>();
            let list = source.sink_to_list();
            let guard = source.lock();
            let handle = source.clone();
            let other = std::thread::spawn(move || {
                let sent = handle.send_tracked(1).now_or_never();
                sent.expect("no waiting").unwrap()
            });
            let receipt = other.join().unwrap();
            drop(guard);
            drop(source);
            futures::executor::block_on(receipt).unwrap();
            driver.join().unwrap();
            assert_eq!(list.take(), [1]);
        }
    });
}

#[test]
fn a_driver_that_goes_away_sees_to_what_was_left_to_it() {
    watched(|| {
        for _ in 0..300 {
            let graph = Graph::new();
            let driver = graph.spawn_thread();
            let source = graph.source::<u32>();
            let list = source.sink_to_list();
            let handle = source.clone();
            let other = std::thread::spawn(move || {
                for n in 0..50 {
                    futures::executor::block_on(handle.send(n)).unwrap();
                }
            });
            for _ in 0..20 {
                drop(source.lock());
            }
            driver.stop();
            driver.join().unwrap();
            other.join().unwrap();
            // Nobody calls on the graph any more.
            assert!(list.take().into_iter().eq(0..50));
        }
    });
}

#[test]
fn send_keeps_its_element_while_the_graph_is_busy_and_full() {
    watched(|| {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u32>();
        let other = graph.source::<u32>();
        let list = source.buffer(1).sink_to_list();
        source.emit(1).unwrap();
        let guard = other.lock();
        let handle = source.clone();
        let (told, wait) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            use futures::FutureExt;
            let mut sending = Box::pin(handle.send_tracked(2));
            assert!(sending.as_mut().now_or_never().is_none(), "busy and full");
            assert!(sending.as_mut().now_or_never().is_none(), "still");
            told.send(()).unwrap();
            futures::executor::block_on(sending).unwrap()
        });
        wait.recv().unwrap();
        drop(guard);
        while !thread.is_finished() {
            time.settle();
            std::thread::yield_now();
        }
        let receipt = thread.join().unwrap();
        time.settle();
        assert_eq!(receipt.outcome(), Some(Ok(())));
        assert_eq!(list.take(), [1, 2]);
    });
}

fn poison(graph: &Graph) {
    let bomb = graph.source::<u32>();
    let _ = bomb.sink(|_| panic!("on purpose"));
    assert!(catch_unwind(AssertUnwindSafe(|| bomb.emit(1).is_ok())).is_err());
}

#[test]
fn after_a_panic_every_way_in_says_poisoned() {
    watched(|| {
        let graph = Graph::new();
        let source = graph.source::<u32>();
        let _ = source.sink(drop);
        poison(&graph);
        assert!(matches!(source.emit(1), Err(EmitError::Poisoned(1))));
        assert!(matches!(
            source.blocking_send(1),
            Err(EmitError::Poisoned(1))
        ));
        assert!(matches!(source.lock().emit(1), Err(EmitError::Poisoned(1))));
        let sent = futures::executor::block_on(source.send(1));
        assert!(matches!(sent, Err(EmitError::Poisoned(1))));
        let error = source.emit_all([1, 2, 3]).unwrap_err();
        assert!(matches!(error.cause, EmitError::Poisoned(1)));
        assert!(matches!(graph.snapshot(), Err(GraphError::Poisoned)));
        assert!(matches!(graph.run(), Err(GraphError::Poisoned)));
        assert!(matches!(graph.close(), Err(GraphError::Poisoned)));
        let _ = source.sink(drop);
        source.close();
    });
}

#[test]
fn a_poisoned_graph_is_poisoned_for_closures_of_other_graphs_too() {
    watched(|| {
        let graph = Graph::new();
        let dead = graph.source::<u32>();
        let _ = dead.sink(drop);
        poison(&graph);
        let live = Source::<u32>::new();
        let seen = Arc::new(AtomicBool::new(false));
        let flag = seen.clone();
        let _ = live.sink(move |x| {
            assert!(matches!(dead.emit(x), Err(EmitError::Poisoned(_))));
            flag.store(true, Ordering::Relaxed);
        });
        live.emit(1).unwrap();
        assert!(seen.load(Ordering::Relaxed));
    });
}

#[test]
fn a_panic_resolves_receipts_of_what_was_queued_and_held_at_once() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let source = graph.source::<u32>();
    let _ = source.buffer(8).sink(drop);
    let held = source.emit_tracked(1).unwrap();
    let bomb = graph.source::<u32>();
    let queued = Arc::new(Mutex::new(None));
    let (slot, handle) = (queued.clone(), bomb.clone());
    let _ = bomb.sink(move |_| {
        *slot.lock().unwrap() = Some(handle.emit_tracked(3).unwrap());
        panic!("on purpose");
    });
    assert!(catch_unwind(AssertUnwindSafe(|| bomb.emit(2).is_ok())).is_err());
    assert_eq!(held.outcome(), Some(Err(Lost::TornDown)));
    let queued = queued.lock().unwrap().take().unwrap();
    assert_eq!(queued.outcome(), Some(Err(Lost::TornDown)));
}

#[test]
fn a_panic_wakes_those_who_wait_for_room() {
    watched(|| {
        let graph = Graph::new();
        let _time = graph.drive_manually();
        let source = graph.source::<u32>();
        let _ = source.buffer(1).sink(drop);
        source.emit(1).unwrap();
        use futures::FutureExt;
        let mut sending = Box::pin(source.send(2));
        assert!(sending.as_mut().now_or_never().is_none());
        poison(&graph);
        let outcome = futures::executor::block_on(sending);
        assert!(matches!(outcome, Err(EmitError::Poisoned(2))));
    });
}

#[test]
fn a_panic_caught_by_the_holder_of_a_guard_poisons_all_the_same() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let _ = source.sink(|x| assert!(x != 2, "on purpose"));
    let mut emitter = source.lock();
    emitter.emit(1).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| emitter.emit(2).is_ok())).is_err());
    assert!(matches!(emitter.emit(3), Err(EmitError::Poisoned(3))));
    drop(emitter);
    assert!(matches!(source.emit(4), Err(EmitError::Poisoned(4))));

    let source = Source::<u32>::new();
    let _ = source.sink(|_| panic!("on purpose"));
    let mut emitter = source.lock();
    assert!(catch_unwind(AssertUnwindSafe(|| emitter.emit(1).is_ok())).is_err());
    drop(emitter);
    assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
}

#[test]
fn a_panic_may_emit_and_ask_while_it_unwinds() {
    struct Last(Graph, Source<u32>, Source<u32>);
    impl Drop for Last {
        fn drop(&mut self) {
            let _ = self.0.snapshot();
            let _ = self.1.emit(1);
            let _ = self.2.emit(1);
        }
    }
    watched(|| {
        let graph = Graph::new();
        let source = graph.source::<u32>();
        let other = Source::<u32>::new();
        let list = other.sink_to_list();
        let (inside, handle, outside) = (graph.clone(), source.clone(), other.clone());
        let _ = source.sink(move |_| {
            let _last = Last(inside.clone(), handle.clone(), outside.clone());
            panic!("on purpose");
        });
        assert!(catch_unwind(AssertUnwindSafe(|| source.emit(1).is_ok())).is_err());
        assert!(matches!(source.emit(2), Err(EmitError::Poisoned(2))));
        assert_eq!(list.take(), [1], "the other graph is sound");
        other.emit(2).unwrap();
    });
}

#[test]
fn connect_feeds_another_source_of_the_graph() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let list = b.map(|x| x + 1).sink_to_list();
    let _ = a.map(|x| x * 10).connect(&b).named("over");
    let receipt = a.emit_tracked(1).unwrap();
    assert_eq!(receipt.outcome(), Some(Ok(())));
    a.emit_all([2, 3]).unwrap();
    assert_eq!(list.take(), [11, 21, 31]);
    let topology = graph.topology();
    assert!(topology.edges().iter().any(|edge| edge.feedback));
    assert!(topology.to_dot().contains("style=dashed"));
    b.close();
    let lost = a.emit_tracked(4).unwrap();
    assert_eq!(lost.outcome(), Some(Err(Lost::Discarded)));
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(
        snapshot.named("over").unwrap().counts.lost(Loss::Unheard),
        1
    );
    assert!(list.is_empty());
}

#[test]
fn a_cycle_does_not_keep_its_source_open_and_a_shutdown_lets_it_run_empty() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let passed = source.share();
    let list = passed.sink_to_list();
    let weak = source.downgrade();
    // Halves until nothing is left, by way of a buffer.
    let half = graph.source::<u32>();
    let _ = passed.buffer(4).sink({
        let half = half.downgrade();
        move |x| {
            if x > 1 {
                half.emit(x / 2).unwrap();
            }
        }
    });
    let _ = half.buffer(4).connect(&source);
    source.emit(64).unwrap();
    source.emit(5).unwrap();
    while list.len() < 10 {
        std::thread::yield_now();
    }
    let report = graph.close().unwrap();
    assert!(report.complete);
    assert_eq!(report.snapshot.dropped(), 0);
    driver.join().unwrap();
    drop(source);
    assert!(matches!(weak.emit(1), Err(EmitError::Closed(1))));
    let mut seen = list.take();
    seen.sort_unstable();
    assert_eq!(seen, [1, 1, 2, 2, 4, 5, 8, 16, 32, 64]);
}

#[test]
fn a_shutdown_lets_what_is_held_before_a_connection_through() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let list = b.buffer(2).sink_to_list();
    let _ = a.buffer(8).connect(&b);
    a.emit_all(0..8).unwrap();
    let report = futures::executor::block_on(graph.shutdown()).unwrap();
    assert!(report.complete);
    assert_eq!(report.snapshot.dropped(), 0);
    let counts = (report.accepted, report.delivered);
    assert_eq!(counts, (8, 8), "each is counted once");
    assert!(list.take().into_iter().eq(0..8));
    drop(time);
}

#[test]
fn a_cycle_that_multiplies_is_bounded_and_counts_what_did_not_fit() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let many = source.map(|x| x.saturating_sub(1)).share();
    // Three for one, and each of them again, while the number lasts.
    let branch = many.connect(&source).named("first");
    let _ = many.connect(&source).named("second");
    let _ = many.connect(&source).named("third");
    let count = Arc::new(AtomicU64::new(0));
    let (counter, slot) = (count.clone(), Mutex::new(Some(branch)));
    let handle = source.clone();
    let _ = source.sink(move |_| {
        if counter.fetch_add(1, Ordering::Relaxed) == 200_000 {
            handle.close();
            drop(slot.lock().unwrap().take());
        }
    });
    source.emit(40).unwrap();
    let snapshot = graph.snapshot().unwrap();
    let overflow: u64 = ["first", "second", "third"]
        .map(|name| snapshot.named(name).unwrap().counts.lost(Loss::Overflow))
        .iter()
        .sum();
    assert!(overflow > 0);
    assert_eq!(snapshot.held(), 0);
}

#[test]
fn a_full_queue_makes_the_origin_of_a_connection_wait() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let list = b.buffer(1).sink_to_list();
    let _ = a.connect(&b);
    // The buffer takes the first, the rest is parked at `b` until its queue is full.
    let room = headwater::INBOX_CAPACITY as u32 + 1;
    let mut accepted = 0;
    while a.emit(accepted).is_ok() {
        accepted += 1;
        assert!(accepted <= room + 1, "bounded");
    }
    assert_eq!(accepted, room);
    assert!(matches!(a.emit(0), Err(EmitError::Full(0))));
    time.settle();
    assert!(a.emit(accepted).is_ok());
    time.settle();
    assert!(list.take().into_iter().eq(0..=room));
}

#[test]
#[should_panic(expected = "`connect` combines flows of two graphs")]
fn connecting_to_another_graph_is_refused() {
    let (a, b) = (Source::<u32>::new(), Source::<u32>::new());
    let _ = a.connect(&b);
}
