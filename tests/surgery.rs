//! Changing a graph that runs: branches are taken off, discarded and moved, parts are destroyed, and
//! nothing of them stays.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::prelude::*;
use headwater::{Loss, Lost, MoveError, union, zip};
use proptest::prelude::*;

fn titles(nodes: &[headwater::TopologyNode]) -> Vec<String> {
    let titles = nodes.iter().map(|node| node.label().title().to_owned());
    titles.collect()
}

fn nodes(graph: &Graph) -> Vec<String> {
    titles(graph.topology().nodes())
}

#[test]
fn a_disconnected_branch_emits_what_it_held_and_is_gone() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let pairs = source.partition(2).buffer(8).sink_to_list();
    let receipts: Vec<_> = (0..3).map(|n| source.emit_tracked(n).unwrap()).collect();
    assert!(pairs.branch().is_connected());
    pairs.branch().clone().disconnect();
    assert!(!pairs.branch().is_connected());
    source.emit(9).unwrap();
    time.settle();
    assert_eq!(pairs.take(), [vec![0, 1], vec![2]]);
    for receipt in receipts {
        assert_eq!(receipt.outcome(), Some(Ok(())));
    }
    assert_eq!(nodes(&graph), ["source"]);
    pairs.branch().clone().disconnect();
    let report = graph.close().unwrap();
    assert_eq!((report.accepted, report.delivered), (4, 2));
    assert_eq!(
        (report.snapshot.gone.nodes, report.snapshot.dropped()),
        (3, 1)
    );
    assert_eq!(report.snapshot.gone.delivered, 2);
}

#[test]
fn who_waits_for_a_branch_goes_on_when_it_is_taken_off() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.sink_to_list();
    let stuck = source.buffer(1).sink_async(1, |_| pending());
    let mut emitted = 0;
    while source.emit(emitted).is_ok() {
        emitted += 1;
        time.settle();
        assert!(emitted < 10);
    }
    stuck.clone().disconnect();
    source.emit(emitted).unwrap();
    assert_eq!(list.take().len() as u32, emitted + 1);
    // Its futures never finish: it drains for ever, until that is given up.
    time.settle();
    assert_eq!(nodes(&graph).len(), 4);
    stuck.discard();
    time.settle();
    assert_eq!(nodes(&graph), ["source", "sink"]);
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(
        snapshot.gone.counts.lost(Loss::Discarded),
        u64::from(emitted)
    );
    assert!(snapshot.waits.is_empty());
    assert_eq!(snapshot.held(), 0);
}

#[test]
fn a_discarded_branch_loses_what_it_held_and_says_so() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let source = graph.source::<u32>();
    let list = source.partition(10).sink_to_list();
    let windows = source
        .timed_window(Duration::from_secs(1))
        .buffer(1)
        .sink_to_list();
    let flying = source.buffer(1).sink_async(1, |_| pending());
    let mut receipts = vec![source.emit_tracked(1).unwrap()];
    time.settle();
    receipts.push(source.emit_tracked(2).unwrap());
    assert!(source.emit(3).is_err(), "full");
    for branch in [list.branch(), windows.branch(), &flying] {
        branch.clone().discard();
        branch.clone().discard();
    }
    for receipt in receipts {
        assert_eq!(receipt.outcome(), Some(Err(Lost::TornDown)));
    }
    source.emit(3).unwrap();
    time.advance(Duration::from_secs(2));
    assert!(list.is_empty() && windows.is_empty());
    let snapshot = graph.snapshot().unwrap();
    assert_eq!(snapshot.gone.counts.lost(Loss::Discarded), 6);
    assert_eq!(snapshot.nodes.len(), 1);
    assert_eq!(nodes(&graph), ["source"]);
    let report = graph.close().unwrap();
    assert!(report.complete);
    assert_eq!(
        (report.accepted, report.delivered, report.snapshot.dropped()),
        (3, 0, 7)
    );
}

#[test]
fn a_graph_whose_last_holder_goes_needs_no_driver_any_more() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source.sink_to_list();
    let waits = source.buffer(1).sink(drop);
    assert!(source.emit(1).is_err(), "undriven");
    waits.discard();
    source.emit(2).unwrap();
    let timed = source.timed_window(Duration::from_secs(1)).sink(drop);
    assert!(source.emit(3).is_err(), "undriven");
    timed.disconnect();
    source.emit(4).unwrap();
    assert_eq!(list.take(), [2, 4]);
}

#[test]
fn what_hangs_from_a_discarded_branch_alone_goes_with_it_and_a_join_loses_an_input() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (source, other) = (graph.source::<u32>(), graph.source::<u32>());
    let shared = source.map(|x| x + 1).share();
    let inner = shared.buffer(10).share();
    let threes = inner.partition(3).sink_to_list();
    let both = union((&inner, &other)).sink_to_list();
    let sums = zip((&shared, &inner)).sink_to_list();
    source.emit_all([1, 2]).unwrap();
    shared.discard();
    time.settle();
    other.emit(7).unwrap();
    source.emit(8).unwrap();
    assert!(threes.is_empty() && sums.is_empty());
    assert_eq!(both.take(), [7], "the other input goes on");
    assert_eq!(nodes(&graph), ["source", "source", "sink", "union"]);
    assert_eq!(titles(&both.branch().upstreams()), ["source"]);
    let late = shared.sink_to_list();
    let later = inner.map(|x| x).sink_to_list();
    assert!(!late.branch().is_connected() && !later.branch().is_connected());
    let report = graph.close().unwrap();
    assert!(report.complete);
    // Two in the buffer, two at the zip.
    assert_eq!(report.snapshot.gone.counts.lost(Loss::Discarded), 4);
}

#[test]
fn a_destroyed_node_drains_with_all_that_hangs_from_it() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (source, other) = (graph.source::<u32>(), graph.source::<u32>());
    let shared = source.buffer(4).share();
    let pairs = shared.partition(2).sink_to_list();
    let inner = shared.buffer(4).share();
    let all = inner.sink_to_list();
    let rows = zip((&inner, &other)).sink_to_list();
    source.emit_all([1, 2, 3]).unwrap();
    shared.destroy();
    source.emit(4).unwrap();
    other.emit_all([10, 20]).unwrap();
    time.settle();
    assert_eq!(pairs.take(), [vec![1, 2], vec![3]]);
    assert_eq!(all.take(), [1, 2, 3]);
    assert_eq!(rows.take(), [(1, 10), (2, 20)]);
    assert!(
        nodes(&graph).contains(&"zip".to_owned()),
        "it waits for a mate"
    );
    other.emit(30).unwrap();
    assert_eq!(rows.take(), [(3, 30)]);
    assert_eq!(nodes(&graph), ["source", "source"]);
    let report = graph.close().unwrap();
    assert_eq!(report.accepted, 7);
    assert_eq!(report.delivered, 2 + 3 + 3);
}

#[test]
fn sources_that_come_and_go_leave_nothing() {
    let graph = Graph::new();
    let central = graph.source::<u32>().named("central");
    let list = central.sink_to_list();
    for n in 0..100 {
        let source = graph.source::<u32>();
        let feed = source.map(|x| x * 2).connect(&central);
        assert_eq!(titles(&feed.downstreams()), ["central"]);
        assert_eq!(titles(&central.upstreams()), ["connect"]);
        source.emit(n).unwrap();
        source.destroy();
        assert!(source.is_closed());
        assert!(source.emit(n).is_err());
    }
    assert!(list.take().into_iter().eq((0..100).map(|n| n * 2)));
    assert_eq!(nodes(&graph), ["central", "sink"]);
    let report = graph.close().unwrap();
    assert_eq!((report.accepted, report.delivered), (100, 100));
}

#[test]
fn a_moved_branch_takes_along_what_it_holds() {
    let graph = Graph::new();
    let (old, new) = (graph.source::<u32>(), graph.source::<u32>());
    let shared = new.map(|x| x * 10).share();
    let threes = old.partition(3).sink_to_list();
    old.emit(1).unwrap();
    threes.branch().move_to(&new).unwrap();
    old.emit(2).unwrap();
    new.emit(3).unwrap();
    threes.branch().move_to(&shared).unwrap();
    threes.branch().move_to(&shared).unwrap();
    new.emit(4).unwrap();
    assert_eq!(threes.take(), [[1, 3, 40]]);
    assert_eq!(titles(&threes.branch().upstreams()), ["share"]);
    assert_eq!(titles(&threes.branch().nodes()), ["partition", "sink"]);
    assert_eq!(titles(&shared.downstreams()), ["partition"]);
    assert_eq!(titles(&shared.upstreams()), ["map"]);
    assert!(old.downstreams().is_empty());
    assert_eq!(titles(&new.downstreams()), ["map"]);
}

#[test]
fn a_branch_is_not_moved_where_it_can_not_be() {
    let graph = Graph::new();
    let _time = graph.drive_manually();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let words = graph.source::<String>();
    let list = a.sink_to_list();
    let foreign = Source::<u32>::new();
    let moved = |to: &Source<u32>| list.branch().move_to(to);
    assert_eq!(moved(&foreign), Err(MoveError::OtherGraph));
    let wrong = list.branch().move_to(&words).unwrap_err();
    assert!(matches!(wrong, MoveError::OtherType { branch: "u32", .. }));
    assert_eq!(
        wrong.to_string(),
        "not moved: the branch takes `u32`, and the junction has `alloc::string::String`"
    );
    let rows = zip((&a, &b)).sink_to_list();
    assert_eq!(rows.branch().move_to(&a), Err(MoveError::Inputs(2)));
    assert_eq!(rows.branch().move_input(2, &a), Err(MoveError::Inputs(2)));
    let pumped = graph.from_iter(0..3_u32).sink_to_list();
    assert_eq!(pumped.branch().move_to(&a), Err(MoveError::Inputs(0)));
    let above = a.map(|x| x).share();
    let below = above.map(|x| x).share();
    assert_eq!(above.branch().move_to(&below), Err(MoveError::Cycle));
    assert_eq!(above.branch().move_to(&above), Err(MoveError::Cycle));
    list.branch().clone().disconnect();
    assert_eq!(moved(&b), Err(MoveError::Gone));
    b.close();
    let closed = b.sink_to_list();
    assert_eq!(closed.branch().move_to(&a), Err(MoveError::Closed));
    a.emit(5).unwrap();
    assert!(closed.is_empty());
    below.destroy();
    assert_eq!(rows.branch().move_input(1, &below), Err(MoveError::Gone));
}

#[test]
fn a_branch_that_was_to_be_moved_from_what_has_closed_can_be_discarded() {
    let graph = Graph::new();
    let (first, second, other) = (graph.source(), graph.source(), graph.source());
    let pairs = first.zip_latest(&second).map(|(a, b): (u32, u32)| a + b);
    let ended = pairs.share();
    let rows = other.collect_until(&ended).sink_to_list();
    other.emit(1_u32).unwrap();
    first.close();
    let branch = rows.branch();
    assert_eq!(branch.move_input(1, &second), Err(MoveError::Closed));
    branch.discard();
    let again = second.map(|x| x).sink_to_list();
    second.emit(2).unwrap();
    assert_eq!(again.take(), [2]);
    graph.close().unwrap();
}

#[test]
fn one_input_of_a_join_is_moved_and_what_the_others_hold_stays() {
    let graph = Graph::new();
    let (a, b, c) = (
        graph.source::<u32>(),
        graph.source::<u32>(),
        graph.source::<u32>(),
    );
    let rows = zip((&a, b.map(|x| x + 1))).sink_to_list();
    a.emit_all([1, 2]).unwrap();
    b.emit(1).unwrap();
    rows.branch().move_input(1, &c).unwrap();
    b.emit(5).unwrap();
    c.emit(6).unwrap();
    assert_eq!(rows.take(), [(1, 2), (2, 7)]);
    rows.branch().move_input(0, &c).unwrap();
    c.emit(1).unwrap();
    assert_eq!(rows.take(), [(1, 2)]);
}

#[test]
fn a_moved_branch_makes_its_new_origin_wait_and_no_longer_its_old_one() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let (old, new) = (graph.source::<u32>(), graph.source::<u32>());
    let stuck = old.buffer(2).sink_async(1, |_| pending());
    old.emit(1).unwrap();
    time.settle();
    old.emit_all([2, 3]).unwrap();
    assert!(old.emit(4).is_err());
    stuck.move_to(&new).unwrap();
    old.emit(4).unwrap();
    let _ = new.emit(5);
    assert!(new.emit(6).is_err(), "full");
    stuck.move_to(&old).unwrap();
    new.emit(7).unwrap();
}

#[test]
fn from_inside_of_a_closure_changes_are_made_once_it_has_finished() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let list = a.sink_to_list();
    let goes = a.partition(10).sink_to_list();
    let (moving, going, to) = (list.branch().clone(), goes.branch().clone(), b.clone());
    let outcome = Arc::new(Mutex::new(None));
    let told = outcome.clone();
    let _ = a.sink(move |x| match x {
        2 => *told.lock().unwrap() = Some(moving.move_to(&to)),
        3 => going.clone().disconnect(),
        _ => {}
    });
    a.emit_all([1, 2, 3, 4]).unwrap();
    assert_eq!(*outcome.lock().unwrap(), Some(Ok(())));
    b.emit(7).unwrap();
    // A batch passes as a whole: the change comes behind it.
    assert_eq!(list.take(), [1, 2, 3, 4, 7]);
    assert_eq!(goes.take(), [[1, 2, 3, 4]]);
}

#[test]
fn a_shared_node_that_nobody_can_see_goes_and_takes_its_captures_along() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let captured = Arc::new(());
    let kept = captured.clone();
    let shared = source
        .map(move |x| {
            let _ = &kept;
            x
        })
        .share();
    let described = shared.map(|x| x + 1);
    drop(shared);
    let list = described.sink_to_list();
    source.emit(1).unwrap();
    assert_eq!(list.take(), [2]);
    list.branch().clone().disconnect();
    assert_eq!(nodes(&graph), ["source"]);
    assert_eq!(Arc::strong_count(&captured), 1);
    drop(source.map(|x| x).share());
    source.emit(2).unwrap();
    assert_eq!(nodes(&graph), ["source"]);
}

#[test]
fn a_run_that_splits_goes_with_the_last_of_its_flows() {
    let graph = Graph::new();
    let source = graph.source::<&str>();
    let (numbers, failures) = source
        .try_map(|text| Ok(text.parse::<u32>()?))
        .split_errors();
    let (numbers, failures) = (numbers.sink_to_list(), failures.sink_to_list());
    source.emit_all(["1", "two"]).unwrap();
    numbers.branch().clone().disconnect();
    source.emit("three").unwrap();
    assert_eq!((numbers.take(), failures.take().len()), (vec![1], 2));
    failures.branch().clone().discard();
    assert_eq!(nodes(&graph), ["source"]);
    let both = source
        .try_map(|_| Err::<u32, _>("never".into()))
        .split_errors();
    drop(both);
    source.emit("4").unwrap();
    assert_eq!(nodes(&graph), ["source"]);
}

#[test]
fn a_branch_of_a_stream_that_is_disconnected_ends_the_stream() {
    let graph = Graph::new();
    let time = graph.drive_manually();
    let list = graph
        .from_iter(0..u64::MAX)
        .filter(|x| x % 1000 == 0)
        .sink_to_list();
    let other = graph.from_iter(0..3).sink_to_list();
    list.branch().clone().disconnect();
    time.settle();
    assert_eq!(other.take(), [0, 1, 2]);
    assert!(graph.close().unwrap().complete);
}

#[test]
fn the_consumer_of_a_discarded_stream_gets_what_lies_there_and_then_its_end() {
    use futures::StreamExt;
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let shared = source.map(|x| x).share();
    let mut stream = shared.into_stream(2);
    source.emit_all([1, 2]).unwrap();
    assert!(source.emit(3).is_err(), "full");
    shared.discard();
    source.emit(4).unwrap();
    futures::executor::block_on(async {
        assert_eq!(stream.next().await, Some(1));
        assert_eq!(stream.next().await, Some(2));
        assert_eq!(stream.next().await, None);
    });
    drop(stream);
    assert!(graph.close().unwrap().complete);
}

#[test]
fn a_cycle_is_cut_and_closed_again() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let list = source.sink_to_list();
    let count_down =
        |source: &Source<u32>| source.filter(|x| *x > 0).map(|x| x - 1).connect(source);
    let cycle = count_down(&source);
    source.emit(2).unwrap();
    cycle.discard();
    source.emit(2).unwrap();
    let cycle = count_down(&source);
    source.emit(1).unwrap();
    assert_eq!(list.take(), [2, 1, 0, 2, 1, 0]);
    cycle.disconnect();
    assert_eq!(nodes(&graph), ["source", "sink"]);
    assert!(graph.close().unwrap().complete, "nobody feeds it any more");
}

#[test]
fn identities_do_not_come_twice_though_their_places_do() {
    let graph = Graph::new();
    let source = graph.source::<u32>();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1000 {
        let branch = source.map(|x| x).sink(drop);
        assert!(branch.nodes().iter().all(|n| seen.insert(n.label().id())));
        branch.disconnect();
    }
    assert_eq!(graph.snapshot().unwrap().nodes.len(), 1);
    assert_eq!(graph.snapshot().unwrap().gone.nodes, 2000);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Emit(usize),
    EmitAll(usize, u8),
    Connect(usize, u8),
    Move(usize, usize),
    Disconnect(usize),
    Discard(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_usize).prop_map(Step::Emit),
        3 => (0..3_usize, 0..20_u8).prop_map(|(at, n)| Step::EmitAll(at, n)),
        3 => (0..6_usize, 0..3_u8).prop_map(|(at, kind)| Step::Connect(at, kind)),
        3 => (any::<usize>(), 0..6_usize).prop_map(|(which, to)| Step::Move(which, to)),
        1 => any::<usize>().prop_map(Step::Disconnect),
        1 => any::<usize>().prop_map(Step::Discard),
    ];
    prop::collection::vec(step, 0..60)
}

/// A branch and what it should have done.
struct Modelled {
    branch: headwater::Branch,
    got: Box<dyn Fn() -> Vec<Vec<u32>>>,
    kind: u8,
    junction: usize,
    held: Vec<u32>,
    expected: Vec<Vec<u32>>,
    live: bool,
}

impl Modelled {
    fn take(&mut self, item: u32) {
        match self.kind {
            0 => self.expected.push(vec![item]),
            _ => {
                self.held.push(item);
                if self.held.len() == 3 {
                    self.expected.push(std::mem::take(&mut self.held));
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn branches_see_exactly_what_passes_where_they_hang(steps in steps()) {
        let graph = Graph::new();
        let time = graph.drive_manually();
        let sources: Vec<_> = (0..3).map(|_| graph.source::<u32>()).collect();
        // Junctions 3 to 5 are shared nodes of sources 0 to 2; the last behind a buffer.
        let shared = [
            sources[0].map(|x| x).share(),
            sources[1].filter(|_| true).share(),
            sources[2].buffer(1 << 16).share(),
        ];
        let mut branches: Vec<Modelled> = Vec::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Emit(at) => {
                    sources[at].emit(next).unwrap();
                    time.settle();
                    for b in branches.iter_mut().filter(|b| b.live && b.junction % 3 == at) {
                        b.take(next);
                    }
                    next += 1;
                }
                Step::EmitAll(at, n) => {
                    let all = next..next + u32::from(n);
                    sources[at].emit_all(all.clone()).unwrap();
                    time.settle();
                    for b in branches.iter_mut().filter(|b| b.live && b.junction % 3 == at) {
                        all.clone().for_each(|x| b.take(x));
                    }
                    next += u32::from(n);
                }
                Step::Connect(at, kind) => {
                    let list = Arc::new(Mutex::new(Vec::new()));
                    let end = list.clone();
                    let sink = move |items: Vec<u32>| end.lock().unwrap().push(items);
                    macro_rules! hang {
                        ($flow:expr) => {
                            match kind {
                                0 => $flow.map(|x| vec![x]).sink(sink),
                                1 => $flow.partition(3).sink(sink),
                                _ => $flow.partition(3).buffer(1 << 16).map(|x| x).sink(sink),
                            }
                        };
                    }
                    let branch = match at {
                        0..3 => hang!(sources[at]),
                        _ => hang!(shared[at - 3]),
                    };
                    branches.push(Modelled {
                        branch,
                        got: Box::new(move || list.lock().unwrap().clone()),
                        kind,
                        junction: at,
                        held: Vec::new(),
                        expected: Vec::new(),
                        live: true,
                    });
                }
                Step::Move(which, to) if !branches.is_empty() => {
                    let n = branches.len();
                    let b = &mut branches[which % n];
                    let outcome = match to {
                        0..3 => b.branch.move_to(&sources[to]),
                        _ => b.branch.move_to(&shared[to - 3]),
                    };
                    prop_assert_eq!(outcome, if b.live { Ok(()) } else { Err(MoveError::Gone) });
                    b.junction = to;
                }
                Step::Disconnect(which) if !branches.is_empty() => {
                    let n = branches.len();
                    let b = &mut branches[which % n];
                    b.branch.clone().disconnect();
                    if std::mem::take(&mut b.live) && !b.held.is_empty() {
                        b.expected.push(std::mem::take(&mut b.held));
                    }
                    time.settle();
                }
                Step::Discard(which) if !branches.is_empty() => {
                    let n = branches.len();
                    let b = &mut branches[which % n];
                    b.branch.clone().discard();
                    b.live = false;
                }
                _ => {}
            }
        }
        for b in &branches {
            prop_assert_eq!((b.got)(), b.expected.clone());
        }
        let live = branches.iter().filter(|b| b.live);
        let own: usize = live.map(|b| b.branch.nodes().len()).sum();
        prop_assert_eq!(graph.topology().nodes().len(), 3 + 6 + own);
        drop(branches);
        let report = graph.close().unwrap();
        prop_assert!(report.complete);
        prop_assert_eq!(report.accepted, u64::from(next));
    }
}
