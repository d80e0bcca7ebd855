//! Runs of operators for each key: what they may be made of, where they hang, how they come and go, what is
//! shown and counted of them.

mod words;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{Branch, EmitError, GraphError, Loss, Lost, MoveError, Receipt};
use words::{decade, ms, node};

const SECOND: Duration = Duration::from_secs(1);

// ---- per_key: what a run may be made of ----

#[test]
fn a_run_may_have_sinks_of_its_own() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let total = Arc::new(AtomicU64::new(0));
    let sum = total.clone();
    let list = source
        .per_key(decade, Keys::max(2), move |_, flow| {
            let flow = flow.share();
            let sum = sum.clone();
            flow.sink(move |x| {
                sum.fetch_add(u64::from(x), Ordering::Relaxed);
            })
            .named("sums");
            flow.partition(2)
        })
        .sink_to_list();
    source.emit_all(0..100).unwrap();
    assert_eq!(total.load(Ordering::Relaxed), (0..100).sum::<u64>());
    let sums = node(&graph, "sums").counts;
    assert_eq!(sums.passed, 100, "of all keys, those that are gone too");
    assert_eq!(node(&graph, "share").counts.passed, 100);
    source.close();
    assert_eq!(list.take().len(), 50);
    let report = graph.close().unwrap();
    assert!(report.complete);
    assert_eq!((report.accepted, report.delivered), (100, 150));
}

#[test]
fn a_run_may_join_a_flow_from_outside_and_lets_go_of_it_when_its_key_expires() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let limits = graph.source::<u32>();
    let limit = limits.share();
    let list = source
        .per_key(decade, Keys::max(2), move |_, flow| {
            flow.combine_latest(&limit).filter(|(x, limit)| x > limit)
        })
        .sink_to_list();
    source.emit_all([5, 15]).unwrap();
    limits.emit(4).unwrap();
    assert_eq!(list.take(), [(5, 4), (15, 4)]);
    // Both keys go, and with them what hung from the limits.
    source.emit_all([25, 35]).unwrap();
    limits.emit(3).unwrap();
    assert_eq!(list.take(), [(25, 3), (35, 3)]);
    source.close();
    limits.emit(1).unwrap();
    assert_eq!(list.take(), []);
}

#[test]
fn a_run_may_pump_an_iterator_which_ends_with_its_key() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let weak = graph.clone();
    let list = source
        .per_key(decade, Keys::max(1), move |key, flow| {
            flow.union(weak.from_iter(std::iter::repeat_n(*key + 100, 3)))
        })
        .sink_to_list();
    source.emit(1).unwrap();
    time.settle();
    assert_eq!(list.take(), [1, 100, 100, 100]);
    source.emit(11).unwrap();
    source.emit(21).unwrap();
    time.settle();
    let out = list.take();
    assert!(
        out.ends_with(&[21, 102, 102, 102]) || out.ends_with(&[102, 102, 102]),
        "{out:?}"
    );
    source.close();
    time.settle();
    assert!(graph.close().unwrap().complete);
}

#[test]
fn runs_need_not_be_alike() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(9), |key, flow| {
            let groups = flow.partition(2).by_key(|_| ());
            match key % 2 {
                0 => groups.boxed(),
                _ => groups.max_age(ms(10)).boxed(),
            }
        })
        .sink_to_list();
    source.emit_all([1, 11, 21, 31]).unwrap();
    time.advance(ms(10));
    assert_eq!(list.take(), [[11], [31]]);
    source.close();
    assert_eq!(list.take(), [[1], [21]]);
}

#[test]
fn runs_of_many_types_in_one_batch_give_what_they_give_one_by_one() {
    let emitted = |in_batches: bool| {
        let graph = Graph::new();
        let source = graph.source::<u32>();
        let other = graph.source::<u32>().share();
        let list = source
            .per_key(decade, Keys::max(9), move |key, flow| match key % 4 {
                0 => flow.map(|x| x + 1_000).boxed(),
                1 => flow.flat_map(|x| [x, x + 2_000]).boxed(),
                2 => flow.filter(|x| x % 2 == 0).boxed(),
                // Its elements are not heard.
                _ => other.map(|x| x).boxed(),
            })
            .sink_to_list();
        // Neighbours of one key, and of different ones, in more than one batch.
        let items = (0..3_000).map(|at| (at / 2 * 17 + at) % 80);
        if in_batches {
            source.emit_all(items).unwrap();
        } else {
            items.for_each(|x| source.emit(x).unwrap());
        }
        (
            list.take(),
            node(&graph, "per_key").counts.lost(Loss::Unheard),
        )
    };
    let one_by_one = emitted(false);
    assert!(one_by_one.0.len() > 2_000 && one_by_one.1 > 100);
    assert_eq!(emitted(true), one_by_one);
}

#[test]
fn what_becomes_of_tracked_elements_keeps_its_place_in_a_batch_of_others() {
    let source = Source::<u32>::new();
    let list = source
        .per_key(decade, Keys::max(9), |_, flow| flow.partition(2))
        .sink_to_list();
    let receipts = [1, 21].map(|x| source.emit_tracked(x).unwrap());
    source
        .emit_all([11, 12, 2, 13, 14, 31, 22, 3, 32, 4])
        .unwrap();
    let expected = [[11, 12], [1, 2], [13, 14], [21, 22], [31, 32], [3, 4]];
    assert_eq!(list.take(), expected);
    assert_eq!(receipts.map(|receipt| receipt.outcome()), [Some(Ok(())); 2]);
}

#[test]
fn elements_of_no_size_come_out_of_runs_too() {
    let source = Source::<u32>::new();
    let list = source
        .per_key(decade, Keys::max(9), |_, flow| {
            flow.filter(|x| x % 2 == 0).map(|_| ())
        })
        .sink_to_list();
    source.emit(2).unwrap();
    source.emit_all(0..60).unwrap();
    assert_eq!(list.take().len(), 31);
    let receipt = source.emit_tracked(4).unwrap();
    assert_eq!((list.take().len(), receipt.outcome()), (1, Some(Ok(()))));
}

#[test]
fn a_failure_in_a_batch_keeps_its_place_behind_what_came_of_the_elements_before() {
    let source = Source::<u32>::new();
    let list = source
        .per_key(decade, Keys::max(9), |_, flow| {
            flow.try_map(|x| {
                if x % 10 == 7 {
                    Err("a seven".into())
                } else {
                    Ok(x)
                }
            })
        })
        .catch(|_| Some(777))
        .sink_to_list();
    source.emit_all([1, 17, 11, 2, 27, 21, 7, 3]).unwrap();
    assert_eq!(list.take(), [1, 777, 11, 2, 777, 21, 777, 3]);
}

#[test]
fn a_key_whose_flow_is_not_used_drops_its_elements_and_says_so() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let other = graph.source::<u32>();
    let share = other.share();
    let list = source
        .per_key(decade, Keys::max(9), move |_, _unused| share.map(|x| x))
        .sink_to_list();
    let receipt = source.emit_tracked(1).unwrap();
    assert_eq!(receipt.outcome(), Some(Err(Lost::Discarded)));
    assert_eq!(node(&graph, "per_key").counts.lost(Loss::Unheard), 1);
    other.emit(5).unwrap();
    assert_eq!(list.take(), [5]);
}

#[test]
fn a_flow_carried_out_of_the_closure_has_no_elements() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let carried = Arc::new(Mutex::new(Vec::new()));
    let out = carried.clone();
    let other = graph.source::<u32>();
    let share = other.share();
    source
        .per_key(decade, Keys::max(9), move |_, flow| {
            out.lock().unwrap().push(flow);
            share.map(|x| x)
        })
        .sink(drop);
    source.emit(1).unwrap();
    let flow = carried.lock().unwrap().pop().unwrap();
    let late = flow.sink_to_list();
    source.emit_all([2, 11]).unwrap();
    assert!(late.is_empty());
    assert_eq!(node(&graph, "per_key").counts.lost(Loss::Unheard), 3);
}

#[test]
fn keys_within_keys() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source
        .per_key(
            |x| x % 2,
            Keys::max(2),
            |_, flow| {
                flow.per_key(
                    |x| x % 3,
                    Keys::max(3),
                    |_, flow| flow.accumulate(0, |n, _| n + 1),
                )
            },
        )
        .sink_to_list();
    source.emit_all(0..12).unwrap();
    assert_eq!(list.take(), [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    let topology = graph.topology();
    let kinds: Vec<_> = topology.nodes().iter().map(|n| n.label().kind()).collect();
    let count = |kind| kinds.iter().filter(|k| **k == kind).count();
    assert_eq!(
        (count("per_key"), count("accumulate"), count("keys merged")),
        (2, 1, 2)
    );
    let passed: Vec<_> = graph
        .snapshot()
        .unwrap()
        .nodes
        .iter()
        .filter(|n| n.label().kind() == "per_key")
        .map(|n| (n.counts.passed, n.counts.keys))
        .collect();
    assert_eq!(passed, [(12, 2), (12, 6)]);
    source.close();
}

// ---- per_key: from inside, from several threads ----

#[test]
fn closures_within_may_emit_into_their_own_graph() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let (building, running) = (source.downgrade(), source.downgrade());
    let list = source
        .per_key(decade, Keys::max(2), move |key, flow| {
            if *key == 0 {
                building.emit(95).unwrap();
            }
            let running = running.clone();
            flow.inspect(move |x| {
                if *x == 1 {
                    running.emit(2).unwrap();
                    running.emit(11).unwrap();
                }
            })
        })
        .sink_to_list();
    source.emit(1).unwrap();
    assert_eq!(list.take(), [1, 95, 2, 11]);
}

#[test]
fn four_threads_lose_nothing_while_keys_come_and_go() {
    let graph = Graph::new();
    let driver = graph.spawn_thread();
    let source = graph.source::<u32>();
    let counts = source
        .per_key(decade, Keys::max(20).idle(ms(1)), |_, flow| {
            let flow = flow.share();
            flow.partition(7)
                .map(|p| p.len())
                .union(flow.buffer(64).map(|_| 0))
        })
        .sink_to_list();
    const EACH: u32 = 5_000;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let source = source.clone();
            scope.spawn(move || {
                for n in 0..EACH {
                    let x = (n * 7919 + thread * 104_729) % 1000;
                    source.blocking_send(x).unwrap();
                }
            });
        }
    });
    source.close();
    let report = graph.close().unwrap();
    assert!(report.complete);
    drop(driver);
    let counts = counts.take();
    assert_eq!(counts.iter().sum::<usize>(), 4 * EACH as usize);
    assert_eq!(
        counts.iter().filter(|n| **n == 0).count(),
        4 * EACH as usize
    );
}

#[test]
fn a_branch_that_is_taken_off_closes_its_keys() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(9), |_, flow| {
            flow.partition(3).named("three")
        })
        .sink_to_list();
    source.emit_all([1, 11, 2]).unwrap();
    list.branch().clone().disconnect();
    assert_eq!(list.take(), [vec![11], vec![1, 2]]);
    source.emit(3).unwrap();
    assert_eq!(list.take(), Vec::<Vec<u32>>::new());
    let kinds: Vec<_> = graph
        .topology()
        .nodes()
        .iter()
        .map(|n| n.label().kind())
        .collect();
    assert_eq!(kinds, ["source"]);
}

fn titles(graph: &Graph) -> Vec<String> {
    let topology = graph.topology();
    let nodes = topology.nodes().iter();
    nodes.map(|node| node.label().title().to_owned()).collect()
}

#[test]
fn a_branch_that_is_discarded_loses_what_its_keys_hold_and_says_so() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(2), |_, flow| {
            let flow = flow.share();
            flow.buffer(9).sink_async(1, |_| std::future::pending());
            // Keys within keys.
            let inner = flow.per_key(|x| x % 2, Keys::max(9), |_, flow| flow.buffer(2));
            inner.partition(5)
        })
        .sink_to_list();
    let receipts: Vec<_> = [1, 11, 21].map(|x| source.emit_tracked(x).unwrap()).into();
    time.settle();
    source.emit(22).unwrap();
    source.emit(24).unwrap();
    assert!(matches!(source.emit(26), Err(EmitError::Full(26))));
    let held = graph.snapshot().unwrap().held();
    assert_eq!(list.take(), [vec![1]], "of the key that went");
    list.branch().clone().discard();
    time.settle();
    assert_eq!(titles(&graph), ["source"]);
    let snapshot = graph.snapshot().unwrap();
    assert_eq!((snapshot.nodes.len(), snapshot.held()), (1, 0));
    assert!(snapshot.waits.is_empty());
    assert_eq!(snapshot.gone.counts.lost(Loss::Discarded), held);
    for receipt in receipts {
        assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    }
    source.emit(26).unwrap();
    assert!(graph.close().unwrap().complete);
}

#[test]
fn counts_of_runs_that_drain_after_their_branch_has_gone_are_not_lost() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(9), |_, flow| {
            let flow = flow.share();
            flow.buffer(9).sink(drop);
            flow.map(|x| x)
        })
        .sink_to_list();
    source.emit_all([1, 11, 12]).unwrap();
    list.branch().clone().disconnect();
    assert_eq!(titles(&graph), ["source"]);
    time.settle();
    let report = graph.close().unwrap();
    assert!(report.complete);
    assert_eq!((report.accepted, report.delivered), (3, 6));
    assert_eq!(report.snapshot.held(), 0);
}

#[test]
fn what_only_runs_hang_from_goes_with_them() {
    let graph = Graph::new();
    let (source, limits) = (graph.source::<u32>(), graph.source::<u32>());
    let limit = limits.map(|x| x).share();
    let list = source
        .per_key(decade, Keys::max(2), move |_, flow| {
            flow.combine_latest(&limit)
        })
        .sink_to_list();
    source.emit_all([5, 15, 25]).unwrap();
    limits.emit(4).unwrap();
    assert_eq!(list.take(), [(15, 4), (25, 4)]);
    list.branch().clone().disconnect();
    limits.emit(5).unwrap();
    assert_eq!(titles(&graph), ["source", "source"]);
    assert!(graph.close().unwrap().complete);
}

#[test]
fn runs_lose_an_input_that_is_discarded_and_go_on() {
    let graph = Graph::new();
    let (source, limits) = (graph.source::<u32>(), graph.source::<u32>());
    let limit = limits.share();
    let inner = limit.clone();
    let list = source
        .per_key(decade, Keys::max(2), move |_, flow| flow.union(&inner))
        .sink_to_list();
    source.emit_all([5, 15]).unwrap();
    limits.emit(100).unwrap();
    assert_eq!(list.take(), [5, 15, 100, 100]);
    limit.discard();
    limits.emit(101).unwrap();
    // One that is built now hears at once that it is closed.
    source.emit_all([6, 25]).unwrap();
    assert_eq!(list.take(), [6, 25]);
    source.close();
    assert!(graph.close().unwrap().complete);
}

#[test]
fn runs_may_lead_back_into_their_graph() {
    let graph = Graph::new();
    let (source, odd) = (graph.source::<u32>(), graph.source::<u32>());
    let (into, back) = (odd.clone(), source.clone());
    let odds = odd.sink_to_list();
    let list = source
        .per_key(decade, Keys::max(2), move |_, flow| {
            let flow = flow.share();
            flow.filter(|x| x % 2 == 1).connect(&into);
            flow.filter(|x| *x >= 30).map(|x| x - 30).connect(&back);
            flow.map(|x| x)
        })
        .sink_to_list();
    source.emit_all([1, 2, 11, 33]).unwrap();
    assert_eq!(odds.take(), [1, 11, 33, 3]);
    assert_eq!(list.take(), [1, 2, 11, 33, 3]);
    drop((source, odd));
    let report = graph.close().unwrap();
    assert!(report.complete, "{report}");
    assert_eq!((report.accepted, report.delivered), (4, 9));
}

#[test]
fn a_graph_whose_last_run_goes_needs_no_driver_any_more() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(1), |key, flow| match key {
            0 => flow.buffer(1).boxed(),
            _ => flow.boxed(),
        })
        .sink_to_list();
    source.emit(11).unwrap();
    let time = graph.drive_manually();
    source.emit(1).unwrap();
    time.settle();
    drop(time);
    assert!(matches!(source.emit(12), Err(EmitError::Undriven(12))));
    let time = graph.drive_manually();
    source.emit(12).unwrap();
    time.settle();
    drop(time);
    source.emit(13).unwrap();
    assert_eq!(list.take(), [11, 1, 12, 13]);
}

// ---- per_key: pictures and counts ----

#[test]
fn operators_within_are_shown_once() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    source
        .per_key(decade, Keys::max(50), |_, flow| {
            flow.rolling(3, Max).named("peak")
        })
        .named("devices")
        .sink(drop);
    let edges = || {
        let topology = graph.topology().to_string();
        let mut edges: Vec<_> = topology.lines().map(str::to_owned).collect();
        edges.sort();
        edges
    };
    let before = [
        "devices -> keys merged",
        "keys merged -> sink",
        "source -> devices",
    ];
    assert_eq!(edges(), before);
    source.emit_all(0..1000).unwrap();
    let expected = [
        "devices -> peak",
        "keys merged -> sink",
        "peak -> keys merged",
        "source -> devices",
    ];
    assert_eq!(edges(), expected);
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(snapshot.nodes.len(), 3, "{snapshot}");
    let counts = node(&graph, "devices").counts;
    assert_eq!((counts.keys, counts.expired, counts.passed), (50, 50, 1000));
    assert!(
        snapshot.to_string().contains("50 keys, 50 expired"),
        "{snapshot}"
    );
}

#[test]
fn counts_of_expired_keys_stay() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    source
        .per_key(decade, Keys::max(1), |_, flow| flow.partition(2).buffer(5))
        .sink(drop);
    source.emit_all([1, 2, 3]).unwrap();
    source.emit_all([11, 12, 13]).unwrap();
    time.settle();
    let (groups, buffer) = (
        node(&graph, "partition").counts,
        node(&graph, "buffer").counts,
    );
    assert_eq!((groups.passed, groups.held), (6, 1));
    assert_eq!((buffer.passed, buffer.held, buffer.capacity), (3, 0, 5));
    source.close();
    time.settle();
    assert_eq!(node(&graph, "partition").counts.held, 0);
    assert_eq!(node(&graph, "buffer").counts.passed, 4);
}

#[test]
fn what_the_runs_need_is_known_from_the_first_key_on() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    source
        .per_key(decade, Keys::max(9), |_, flow| flow.timed_window(ms(10)))
        .sink(drop);
    source.emit(1).unwrap();
    assert!(matches!(source.emit(2), Err(EmitError::Undriven(2))));
    let time = graph.drive_manually();
    source.emit(2).unwrap();
    drop(time);
    assert!(!matches!(graph.snapshot(), Err(GraphError::Poisoned)));
}

#[test]
fn keys_that_come_during_a_shutdown_are_closed_too() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .buffer(100)
        .per_key(decade, Keys::max(9), |_, flow| flow.partition(2))
        .sink_to_list();
    source.emit_all([1, 11, 12]).unwrap();
    drop(source);
    assert!(graph.close().unwrap().complete);
    drop(time);
    assert_eq!(list.take(), [vec![11, 12], vec![1]]);
}

#[test]
fn a_zip_that_starves_behind_keys_says_so() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let both = source.share();
    both.per_key(decade, Keys::max(9), |_, flow| flow.filter(|_| false))
        .zip(&both)
        .sink(drop);
    let refused = (0..2_000).find_map(|x| source.emit(x % 50).err());
    assert!(matches!(refused, Some(EmitError::Failed(_))), "{refused:?}");
}

#[test]
fn a_zip_within_waits_for_a_flow_from_outside() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let others = graph.source::<u32>();
    let other = others.share();
    let list = source
        .per_key(decade, Keys::max(9), move |_, flow| {
            flow.zip(&other).capacity(2)
        })
        .sink_to_list();
    source.emit_all([1, 2]).unwrap();
    assert!(matches!(source.emit(3), Err(EmitError::Full(3))));
    others.emit(7).unwrap();
    assert_eq!(list.take(), [(1, 7)]);
    source.emit(3).unwrap();
}

#[test]
fn what_has_had_enough_within_takes_no_more_of_its_key() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source
        .per_key(decade, Keys::max(2), |_, flow| flow.buffer(4).take(2))
        .sink_to_list();
    let receipts: Vec<_> = (0..9)
        .map(|x| {
            time.settle();
            source.emit_tracked(x).unwrap()
        })
        .collect();
    source.emit_all([11, 12, 13]).unwrap();
    time.settle();
    assert_eq!(list.take(), [0, 1, 11, 12]);
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.outcome() == Some(Ok(())))
    );
    // The key goes, and comes again with a run of its own.
    source.emit_all([21, 31, 1]).unwrap();
    time.settle();
    assert_eq!(list.take(), [21, 31, 1]);
}

#[test]
fn what_begins_within_begins_with_each_key() {
    let source = Source::<u32>::new();
    let list = source
        .per_key(decade, Keys::max(9), |key, flow| {
            flow.start_with([*key * 1_000])
        })
        .sink_to_list();
    source.emit_all([1, 11, 2]).unwrap();
    assert_eq!(list.take(), [0, 1, 1_000, 11, 2]);
}

#[test]
fn keys_behind_which_somebody_has_had_enough_go_with_all_their_runs() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let other = source.sink_to_list();
    let list = source
        .per_key(decade, Keys::max(9), |_, flow| flow.partition(3))
        .take(1)
        .sink_to_list();
    let receipts: Vec<_> = [1, 11, 2, 12, 3, 4, 13]
        .into_iter()
        .map(|x| source.emit_tracked(x).unwrap())
        .collect();
    time.settle();
    assert_eq!(list.take(), [[1, 2, 3]]);
    assert_eq!(other.len(), 7);
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.outcome() == Some(Ok(())))
    );
    let shown = graph.topology().nodes().len();
    assert!(shown <= 4, "{}", graph.topology());
}

type Branches = Arc<Mutex<Vec<Branch>>>;

#[test]
fn a_branch_within_a_run_is_taken_off_while_the_run_and_other_keys_go_on() {
    for discard in [false, true] {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let source = graph.source::<u64>();
        let pairs = Arc::new(Mutex::new(Vec::new()));
        let branches = Branches::default();
        let (seen, kept) = (pairs.clone(), branches.clone());
        let list = source
            .per_key(
                |x| x % 2,
                Keys::max(2),
                move |_, flow| {
                    let shared = flow.share();
                    let seen = seen.clone();
                    let side = shared.delay(SECOND).partition(2);
                    let side = side.sink(move |pair| seen.lock().unwrap().push(pair));
                    kept.lock().unwrap().push(side);
                    shared.map(|x| x * 10)
                },
            )
            .sink_to_list();
        let receipts: Vec<_> = (0..4).map(|x| source.emit_tracked(x).unwrap()).collect();
        let first = branches.lock().unwrap()[0].clone();
        assert!(first.is_connected());
        match discard {
            false => first.disconnect(),
            true => first.discard(),
        }
        assert!(!first.is_connected());
        assert!(branches.lock().unwrap()[1].is_connected());
        let later: Vec<_> = (4..8).map(|x| source.emit_tracked(x).unwrap()).collect();
        time.advance(SECOND);
        assert_eq!(list.take(), [0, 10, 20, 30, 40, 50, 60, 70]);
        let seen = std::mem::take(&mut *pairs.lock().unwrap());
        let evens: &[Vec<u64>] = if discard { &[] } else { &[vec![0, 2]] };
        let of = |rest| seen.iter().filter(|p| p[0] % 2 == rest).cloned().collect();
        let (even, odd): (Vec<_>, Vec<_>) = (of(0), of(1));
        assert_eq!(even, evens);
        assert_eq!(odd, [[1, 3], [5, 7]]);
        let lost = if discard { 2 } else { 0 };
        let failed = |r: &&Receipt| matches!(r.outcome(), Some(Err(_)));
        assert_eq!(receipts.iter().filter(failed).count() as u64, lost);
        assert!(later.iter().all(|r| r.outcome() == Some(Ok(()))));
        let report = graph.close().unwrap();
        assert!(report.complete);
        assert_eq!(report.snapshot.dropped(), lost);
        assert!(
            !branches.lock().unwrap()[1].is_connected(),
            "went with its run"
        );
    }
}

#[test]
fn the_branch_that_takes_the_keys_flow_is_taken_off_like_any_other() {
    for discard in [false, true] {
        let source = Source::<u64>::new();
        let branches = Branches::default();
        let (kept, sums) = (branches.clone(), Arc::new(Mutex::new(Vec::new())));
        let seen = sums.clone();
        let list = source
            .per_key(
                |x| x % 2,
                Keys::max(2),
                move |_, flow| {
                    let shared = flow.map(|x| x * 10).share();
                    let seen = seen.clone();
                    let side = shared.fold(0, |sum, x| sum + x);
                    side.sink(move |sum| seen.lock().unwrap().push(sum));
                    kept.lock().unwrap().push(shared.branch().clone());
                    shared.partition(2)
                },
            )
            .sink_to_list();
        source.emit_all(0..6).unwrap();
        let first = branches.lock().unwrap()[0].clone();
        match discard {
            false => first.disconnect(),
            true => first.discard(),
        }
        // What leads out of the run closes either way.
        let pairs = [vec![0, 20], vec![10, 30], vec![40]];
        assert_eq!(list.take(), pairs);
        source.emit_all(6..8).unwrap();
        assert_eq!(list.take(), [vec![50, 70]]);
        let report = source.graph().close().unwrap();
        assert!(report.complete);
        let snapshot = &report.snapshot;
        assert_eq!(
            snapshot.lost(Loss::Unheard),
            1,
            "an element of the first key"
        );
        assert_eq!(
            snapshot.lost(Loss::Discarded),
            u64::from(discard),
            "its sum"
        );
        let expected: &[u64] = if discard { &[160] } else { &[60, 160] };
        assert_eq!(*sums.lock().unwrap(), expected);
    }
}

#[test]
fn a_branch_within_a_run_that_hangs_from_a_flow_outside_is_taken_off_there() {
    for discard in [false, true] {
        let graph = Graph::new();
        let source = graph.source::<u64>();
        let other = graph.source::<u64>();
        let (shared, branches) = (other.share(), Branches::default());
        let (outside, kept) = (shared.clone(), branches.clone());
        let list = source
            .per_key(
                |_| 0,
                Keys::max(1),
                move |_, flow| {
                    let side = outside.partition(2).sink(drop);
                    kept.lock().unwrap().push(side);
                    flow
                },
            )
            .sink_to_list();
        source.emit(1).unwrap();
        let receipt = other.emit_tracked(1).unwrap();
        let branch = branches.lock().unwrap()[0].clone();
        match discard {
            false => branch.disconnect(),
            true => branch.discard(),
        }
        assert_eq!(matches!(receipt.outcome(), Some(Ok(()))), !discard);
        // Again, which is no harm.
        branch.disconnect();
        branch.discard();
        assert_eq!(branch.move_to(&shared), Err(MoveError::WithinKey));
        other.emit(2).unwrap();
        let heard = graph.snapshot().unwrap();
        assert_eq!(heard.lost(Loss::Unheard), 1, "nothing hangs there any more");
        source.emit(2).unwrap();
        assert_eq!(list.take(), [1, 2]);
        assert!(graph.close().unwrap().complete);
    }
}

#[test]
fn a_closure_may_take_off_what_it_has_just_connected_and_sinks_of_runs_themselves() {
    let source = Source::<u64>::new();
    let (seen, own) = (Arc::new(Mutex::new(Vec::new())), Branches::default());
    let list = source
        .per_key(|x| x % 2, Keys::max(2), {
            let (seen, own) = (seen.clone(), own.clone());
            move |_, flow| {
                let shared = flow.share();
                shared.sink(|_| {}).disconnect();
                let (seen, me) = (seen.clone(), own.clone());
                let at = own.lock().unwrap().len();
                let side = shared.sink(move |x| {
                    seen.lock().unwrap().push(x);
                    if x >= 4 {
                        me.lock().unwrap()[at].disconnect();
                    }
                });
                own.lock().unwrap().push(side);
                shared.map(|x| x)
            }
        })
        .sink_to_list();
    for x in 0..8 {
        source.emit(x).unwrap();
    }
    assert_eq!(list.take(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    assert!(source.graph().close().unwrap().complete);
}
