//! Zips with literals among their flows.

use headwater::prelude::*;
use headwater::{
    BoxFlow, Counts, Loss, Lost, MoveError, Starved, literal, zip, zip_all, zip_latest,
};
use proptest::prelude::*;

use super::{DISCARDED, DONE, held, lost, outcomes, unless};

/// What stands at a place: the flow of a source, or a literal that says which place it is.
macro_rules! place {
    (F, $sources:expr, $at:expr) => {
        &$sources[$at as usize]
    };
    (L, $sources:expr, $at:expr) => {
        literal(100 + $at)
    };
}

/// Zips flows (`F`) and literals (`L`) that stand in this order, and looks at every row.
macro_rules! check_places {
    ($($kind:ident)+) => {{
        let kinds = [$(stringify!($kind)),+];
        const N: usize = [$(stringify!($kind)),+].len();
        let graph = Graph::new();
        let sources = kinds.map(|_| graph.source::<u32>());
        let mut at = 0..N as u32;
        let rows = zip(($({
            let at = at.next().unwrap();
            place!($kind, sources, at)
        },)+));
        let rows = rows.map(<[u32; N]>::from).sink_to_list();
        let flows: Vec<_> = (0..N).filter(|at| kinds[*at] == "F").collect();
        let element = |row: u32, at: usize| 10 * row + at as u32;
        let expected = |row: u32| -> [u32; N] {
            std::array::from_fn(|at| match kinds[at] {
                "F" => element(row, at),
                _ => 100 + at as u32,
            })
        };
        // The last flow leads, then the first one does; one by one, and in batches.
        for row in 0..3 {
            for at in flows.iter().rev() {
                assert!(rows.is_empty());
                sources[*at].emit(element(row, *at)).unwrap();
            }
            assert_eq!(rows.take(), [expected(row)]);
        }
        for at in &flows {
            assert!(rows.is_empty());
            sources[*at].emit_all((0..5).map(|row| element(row, *at))).unwrap();
        }
        assert_eq!(rows.take(), (0..5).map(expected).collect::<Vec<_>>());
        let snapshot = graph.snapshot().unwrap();
        assert_eq!(snapshot.named("zip").unwrap().inputs.len(), flows.len());
        // No row can follow.
        sources[flows[0]].close();
        for at in &flows[1..] {
            sources[*at].emit(1).unwrap();
        }
        assert_eq!(lost(&graph, "zip", Loss::Unpaired), flows.len() as u64 - 1);
        assert!(rows.is_empty());
    }};
}

#[test]
fn a_literal_may_stand_at_each_place_of_a_row() {
    check_places!(F L);
    check_places!(L F);
    check_places!(L F F);
    check_places!(F L F);
    check_places!(F F L);
    check_places!(F L L);
    check_places!(L F L);
    check_places!(L L F);
    check_places!(F L L F);
    check_places!(L F L F L);
    check_places!(F F L L F F);
    check_places!(L F F L F F L);
    check_places!(L F F F F F F F);
    check_places!(F L F F F F F F);
    check_places!(F F L F F F F F);
    check_places!(F F F L F F F F);
    check_places!(F F F F L F F F);
    check_places!(F F F F F L F F);
    check_places!(F F F F F F L F);
    check_places!(F F F F F F F L);
    check_places!(F L L L L L L L);
    check_places!(L L L F L L L L);
    check_places!(L L L L L L L F);
}

#[test]
fn the_method_puts_a_literal_beside_each_element() {
    let source = Source::<u32>::new();
    let rows = source.zip(literal("x")).sink_to_list();
    let nested = source
        .zip(literal('a').clone())
        .zip(literal('b'))
        .sink_to_list();
    source.emit(1).unwrap();
    source.emit_all([2, 3]).unwrap();
    assert_eq!(rows.take(), [(1, "x"), (2, "x"), (3, "x")]);
    assert_eq!(nested.take()[2], ((3, 'a'), 'b'));
}

fn paired<A: Flow, B: Flow>(a: A, b: B) -> impl Run<Item = (A::Item, B::Item)> {
    a.zip(b)
}

fn labelled<A: Flow>(a: A, label: &'static str) -> impl Run<Item = (&'static str, A::Item)> {
    zip((literal(label), a))
}

#[test]
fn functions_that_take_any_flow_may_zip_it_with_a_flow_or_a_literal() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<char>());
    let rows = labelled(a.map(|x| x + 1), "more").sink_to_list();
    let pairs = paired(&a, &b).sink_to_list();
    a.emit(1).unwrap();
    b.emit('b').unwrap();
    assert_eq!(rows.take(), [("more", 2)]);
    assert_eq!(pairs.take(), [(1, 'b')]);
}

#[test]
fn a_literal_is_let_go_with_its_zip() {
    let value = std::sync::Arc::new(());
    let source = Source::<u32>::new();
    let rows = source.zip(literal(value.clone())).sink_to_list();
    source.emit_all([1, 2]).unwrap();
    source.emit(3).unwrap();
    assert_eq!(rows.take().len(), 3);
    rows.branch().disconnect();
    drop(source);
    drop(rows);
    assert_eq!(std::sync::Arc::strong_count(&value), 1);
}

#[test]
fn inputs_are_counted_without_literals() {
    let graph = Graph::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| graph.source::<u32>().named(name));
    let rows = zip((literal(7), &a, literal(8), &b)).sink_to_list();
    let topology = graph.topology();
    let join = topology.nodes().iter().find(|n| n.label().kind() == "zip");
    let join = join.unwrap().label().id();
    let edges = || topology.edges().iter().filter(move |edge| edge.to == join);
    let named = |id| {
        topology
            .nodes()
            .iter()
            .find(|n| n.label().id() == id)
            .unwrap()
    };
    let mut ports: Vec<_> = edges()
        .map(|edge| (edge.port, named(edge.from).label().title().to_owned()))
        .collect();
    ports.sort();
    assert_eq!(ports, [(0, "a".to_owned()), (1, "b".to_owned())]);

    b.emit_all([1, 2]).unwrap();
    let snapshot = graph.snapshot().unwrap();
    let node = snapshot.named("zip").unwrap();
    assert_eq!((node.counts.held, node.counts.passed), (2, 2));
    let inputs = node.inputs.iter().map(|input| {
        let from = input.from.as_ref().map(|label| label.title().to_owned());
        (from.unwrap(), input.held)
    });
    let inputs: Vec<_> = inputs.collect();
    assert_eq!(inputs, [("a".to_owned(), 0), ("b".to_owned(), 2)]);
    assert!(node.is_starved());

    assert_eq!(rows.branch().move_input(2, &c), Err(MoveError::Inputs(2)));
    rows.branch().move_input(1, &c).unwrap();
    c.emit(3).unwrap();
    a.emit_all([10, 20, 30]).unwrap();
    assert_eq!(rows.take(), [(7, 10, 8, 1), (7, 20, 8, 2), (7, 30, 8, 3)]);
}

#[test]
fn a_zip_of_one_flow_and_literals_is_never_full() {
    for policy in [
        OnFull::Wait,
        OnFull::Fail,
        OnFull::DropOldest,
        OnFull::DropNewest,
    ] {
        let source = Source::<u32>::new();
        let rows = zip((literal('a'), &source, literal('b')));
        let rows = rows.capacity(1).on_full(policy).sink_to_list();
        source.emit_all(0..5).unwrap();
        let receipt = source.emit_tracked(5).unwrap();
        assert_eq!(receipt.outcome(), DONE);
        assert_eq!(
            rows.take(),
            (0..6).map(|x| ('a', x, 'b')).collect::<Vec<_>>()
        );
        assert_eq!(held(&source.graph(), "zip"), 0);
    }
}

#[test]
fn a_full_input_beside_a_literal_makes_its_source_wait() {
    let graph = Graph::new();
    let (a, b) = (
        graph.source::<u32>().named("a"),
        graph.source::<u32>().named("b"),
    );
    let rows = zip((&a, literal(0), &b)).capacity(2).sink_to_list();
    a.emit_all([1, 2]).unwrap();
    assert!(matches!(a.emit(3), Err(EmitError::Full(3))));
    let said = graph.snapshot().unwrap().to_string();
    assert!(said.contains("`a` waits for `zip`"), "{said}");
    b.emit(10).unwrap();
    a.emit(3).unwrap();
    assert_eq!(rows.take(), [(1, 0, 10)]);
}

#[test]
fn a_zip_that_starves_says_what_its_inputs_hold_and_nothing_of_literals() {
    let source = Source::<u32>::new();
    let rare = source.filter(|x| x % 100 == 0);
    let rows = zip((literal('<'), rare, literal('|'), &source, literal('>')));
    let rows = rows.capacity(10).sink_to_list();
    source.emit_all(1..=10).unwrap();
    let Err(EmitError::Failed(failure)) = source.emit(11) else {
        panic!("it waits")
    };
    let starved = failure.error().downcast_ref::<Starved>().unwrap();
    assert_eq!(starved.held, [0, 10]);
    source.emit(100).unwrap();
    assert_eq!(rows.take(), [('<', 100, '|', 1, '>')]);
}

#[test]
fn a_zip_with_a_literal_and_another_one_that_wait_for_each_other_are_found() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rare = |x: &u32| x.is_multiple_of(100);
    let first = zip((literal(0), &a, literal(0), b.filter(rare))).capacity(3);
    let second = b.zip(a.filter(rare)).capacity(3);
    let (first, second) = (first.sink_to_list(), second.sink_to_list());
    assert!(a.emit_all(1..9).unwrap_err().cause.is_full());
    let EmitError::Failed(failure) = b.emit_all(1..9).unwrap_err().cause else {
        panic!("it waits")
    };
    assert_eq!(failure.kind(), "zip");
    let _ = b.emit(100);
    a.emit(200).unwrap();
    assert_eq!(first.take(), [(0, 1, 0, 100)]);
    assert_eq!(second.take(), [(1, 200)]);
}

#[test]
fn a_row_has_the_receipts_of_its_flows_and_a_row_that_fails_loses_no_literal() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let fit = a.try_filter(|x| unless(*x != 1));
    let rows = zip((literal("x"), fit, literal("y"), &b)).buffer(8);
    let rows = rows.sink_to_list();
    let time = graph.drive_manually();
    let one = a.emit_tracked(1).unwrap();
    let two = a.emit_tracked(2).unwrap();
    assert_eq!(outcomes([&one, &two]), [None, None]);
    let (mate, other) = (b.emit_tracked(10).unwrap(), b.emit_tracked(20).unwrap());
    // What goes on waits in the buffer: the row, and in its place the one that failed.
    assert_eq!(mate.outcome(), DISCARDED);
    assert_eq!(outcomes([&one, &two, &other]), [None; 3]);
    time.settle();
    assert_eq!(one.outcome(), Some(Err(Lost::Failed)));
    assert_eq!(outcomes([&two, &other]), [DONE; 2]);
    assert_eq!(rows.take(), [("x", 2, "y", 20)]);
    assert_eq!(lost(&graph, "zip", Loss::Unpaired), 1);
}

#[test]
fn failures_keep_their_place_in_a_zip_of_one_flow() {
    let source = Source::<u32>::new();
    let half = |x: u32| {
        if x.is_multiple_of(2) {
            Ok(x / 2)
        } else {
            Err("odd".into())
        }
    };
    let rows = zip((literal(0), source.try_map(half), literal(1)))
        .catch(|_| Some((9, 9, 9)))
        .sink_to_list();
    source.emit(1).unwrap();
    source.emit_all([2, 3, 4]).unwrap();
    assert_eq!(rows.take(), [(9, 9, 9), (0, 1, 1), (9, 9, 9), (0, 2, 1)]);
    assert_eq!(lost(&source.graph(), "zip", Loss::Unpaired), 0);
}

#[test]
fn a_zip_with_a_literal_may_be_the_lossless_flow_of_a_zip_latest() {
    let graph = Graph::new();
    let (a, b) = (graph.source::<u32>(), graph.source::<u32>());
    let rows = zip_latest(a.zip(literal('x')), &b).sink_to_list();
    a.emit_all([1, 2]).unwrap();
    b.emit(7).unwrap();
    assert_eq!(rows.take(), [((1, 'x'), 7), ((2, 'x'), 7)]);
}

// ---- with literals, and without them: the same but for what the rows say ----

#[derive(Clone, Debug)]
enum Event {
    Emit(usize, Vec<u32>),
    Close(usize),
}

#[derive(Clone, Copy, Debug)]
struct Setting {
    flows: usize,
    capacity: usize,
    policy: OnFull,
    tracked: bool,
}

/// All that can be seen of a zip from outside.
#[derive(Debug, PartialEq)]
struct Seen {
    rows: Vec<Vec<u32>>,
    /// How many elements of each event were accepted, and whether anything failed meanwhile.
    accepted: Vec<(usize, bool)>,
    receipts: Vec<Option<Result<(), Lost>>>,
    counts: Vec<Counts>,
    inputs: Vec<Vec<usize>>,
}

/// Elements that are a multiple of 7 fail, and those of 5 leave an empty place.
fn flow_of(source: &Source<u32>) -> BoxFlow<u32> {
    let holes = source.try_filter(|x| unless(x % 5 != 0)).catch(|_| None);
    holes.try_filter(|x| unless(x % 7 != 0)).boxed()
}

/// A zip of one to three flows, with two literals around them or without any.
fn zip_of(s: &[Source<u32>], setting: Setting, literals: bool) -> BoxFlow<Vec<u32>> {
    let Setting {
        capacity, policy, ..
    } = setting;
    let f = |i: usize| flow_of(&s[i]);
    macro_rules! with {
        ($zip:expr) => {
            $zip.capacity(capacity).on_full(policy).named("joined")
        };
    }
    let (l, m) = (literal('l'), literal('m'));
    let row = |literals: [char; 2], row: &[u32]| {
        assert_eq!(literals, ['l', 'm']);
        row.to_vec()
    };
    match (setting.flows, literals) {
        (1, false) => with!(zip_all([f(0)])).boxed(),
        (1, true) => with!(zip((l, f(0), m)))
            .map(move |(l, a, m)| row([l, m], &[a]))
            .boxed(),
        (2, false) => with!(zip((f(0), f(1)))).map(|(a, b)| vec![a, b]).boxed(),
        (2, true) => with!(zip((f(0), l, m, f(1))))
            .map(move |(a, l, m, b)| row([l, m], &[a, b]))
            .boxed(),
        (_, false) => with!(zip((f(0), f(1), f(2))))
            .map(|(a, b, c)| vec![a, b, c])
            .boxed(),
        (_, true) => with!(zip((l, f(0), f(1), m, f(2))))
            .map(move |(l, a, b, m, c)| row([l, m], &[a, b, c]))
            .boxed(),
    }
}

fn run(events: &[Event], setting: Setting, literals: bool, batches: bool) -> Seen {
    let graph = Graph::new();
    graph.on_error(OnError::call(|_| {}));
    let sources: Vec<_> = (0..3).map(|_| graph.source::<u32>()).collect();
    let rows = zip_of(&sources, setting, literals).sink_to_list();
    let (mut accepted, mut receipts, mut inputs) = (Vec::new(), Vec::new(), Vec::new());
    let mut counts = Vec::new();
    for event in events {
        match event {
            Event::Emit(i, items) if batches => {
                accepted.push(match sources[*i].emit_all(items.iter().copied()) {
                    Ok(accepted) => (accepted, false),
                    Err(error) => {
                        let failed = matches!(error.cause, EmitError::Failed(_));
                        (error.accepted, failed || error.others > 0)
                    }
                });
            }
            Event::Emit(i, items) => {
                let (mut taken, mut failed) = (0, false);
                for x in items {
                    let outcome = if setting.tracked {
                        sources[*i]
                            .emit_tracked(*x)
                            .map(|receipt| receipts.push(receipt))
                    } else {
                        sources[*i].emit(*x)
                    };
                    match outcome {
                        Ok(()) => taken += 1,
                        Err(EmitError::Failed(_)) => (taken, failed) = (taken + 1, true),
                        Err(_) => break,
                    }
                }
                accepted.push((taken, failed));
            }
            Event::Close(i) => sources[*i].close(),
        }
        let snapshot = graph.snapshot().unwrap();
        let node = snapshot.named("joined").unwrap();
        counts.push(node.counts);
        inputs.push(node.inputs.iter().map(|input| input.held).collect());
    }
    Seen {
        rows: rows.take(),
        accepted,
        receipts: receipts.iter().map(|receipt| receipt.outcome()).collect(),
        counts,
        inputs,
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let items = prop::collection::vec(1..100u32, 0..8);
    let event = prop_oneof![
        20 => (0..3usize, items).prop_map(|(i, items)| Event::Emit(i, items)),
        1 => (0..3usize).prop_map(Event::Close),
    ];
    prop::collection::vec(event, 0..40)
}

fn setting() -> impl Strategy<Value = Setting> {
    let policy = prop_oneof![
        Just(OnFull::Wait),
        Just(OnFull::Fail),
        Just(OnFull::DropOldest),
        Just(OnFull::DropNewest),
    ];
    let numbers = (1..=3usize, 1..6usize);
    (numbers, policy, any::<bool>()).prop_map(|((flows, capacity), policy, tracked)| Setting {
        flows,
        capacity,
        policy,
        tracked,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn literals_change_nothing_but_what_the_rows_say(
        events in events(),
        setting in setting(),
        batches in any::<bool>(),
    ) {
        let with = run(&events, setting, true, batches);
        prop_assert_eq!(with, run(&events, setting, false, batches));
    }

    #[test]
    fn a_zip_with_literals_does_the_same_in_batches(events in events(), setting in setting()) {
        let setting = Setting { tracked: false, ..setting };
        let (batch, single) = (run(&events, setting, true, true), run(&events, setting, true, false));
        prop_assert_eq!(batch, single);
    }
}
