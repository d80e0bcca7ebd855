//! Random graphs of many operators against a naive interpreter: the same output however elements
//! come in and however slow the sinks are, nothing lost however sources close, and lineage that ends.

mod graphs;

use graphs::arbitrary::{Kind, graphs, graphs_of_chains, graphs_without, scripts};
use graphs::oracle::{expected, expected_with_races};
use graphs::races::{TURN, agree};
use graphs::run::{ENDLESS, Limit, flow, run};
use graphs::{Inputs, Op, SOURCES, Step, Way};
use headwater::prelude::*;
use headwater::{EmitError, OnFull};
use proptest::prelude::*;

/// So many of each property, but for what the environment says.
fn cases() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(1_200),
    }
}

fn every_way_gives_what_the_interpreter_gives(
    ops: &[Op],
    steps: &[Step],
    sizes: Vec<usize>,
) -> Result<(), TestCaseError> {
    let (expected, open) = expected_with_races(ops, steps, TURN);
    for way in [
        Way::OneByOne,
        Way::Locked,
        Way::All,
        Way::Cut(sizes),
        Way::Tracked,
    ] {
        let found = run(ops, steps, &way, ENDLESS);
        agree(ops, &found, &expected, &open).map_err(|error| in_the_way(&way, error))?;
    }
    Ok(())
}

fn closed_at_any_point_it_gives_what_the_interpreter_gives(
    ops: &[Op],
    items: &[(usize, i64)],
) -> Result<(), TestCaseError> {
    for at in 0..=items.len() {
        let emit = |(source, x): &(usize, i64)| Step::Emit(*source, vec![*x]);
        let mut steps: Vec<_> = items[..at].iter().map(emit).collect();
        steps.extend((0..SOURCES).map(|i| Step::Close((i + at) % SOURCES)));
        run(ops, &steps, &Way::Tracked, ENDLESS).is(&expected(ops, &steps))?;
    }
    Ok(())
}

fn every_way_gives_the_same(
    ops: &[Op],
    steps: &[Step],
    sizes: Vec<usize>,
    limit: Limit,
) -> Result<(), TestCaseError> {
    let expected = run(ops, steps, &Way::OneByOne, limit);
    for way in [Way::Locked, Way::All, Way::Cut(sizes), Way::Tracked] {
        let found = run(ops, steps, &way, limit);
        found
            .is(&expected)
            .map_err(|error| in_the_way(&way, error))?;
    }
    Ok(())
}

fn slow_sinks_change_nothing_that_is_promised(
    ops: &[Op],
    steps: &[Step],
    room: usize,
    size: usize,
) -> Result<(), TestCaseError> {
    let (expected, open) = expected_with_races(ops, steps, 0);
    let found = run(ops, steps, &Way::Slow(room, size), ENDLESS);
    agree(ops, &found, &expected, &open)
}

fn in_the_way(way: &Way, error: TestCaseError) -> TestCaseError {
    TestCaseError::fail(format!("{way:?}: {error}"))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_random_graph_gives_what_the_interpreter_gives_however_elements_come_in(
        ops in graphs(),
        steps in scripts(),
        sizes in prop::collection::vec(1..20usize, 1..5),
    ) {
        every_way_gives_what_the_interpreter_gives(&ops, &steps, sizes)?;
    }

    // What several chains held may drain at the same moment: then each keeps its order, but where they
    // meet, who goes first is open (see `graphs::races`).
    #[test]
    fn slow_sinks_change_nothing(
        ops in prop_oneof![graphs_without(&[Kind::Chain]), graphs_without(&[Kind::Take])],
        steps in scripts(),
        room in 1..8usize,
        size in 1..20usize,
    ) {
        slow_sinks_change_nothing_that_is_promised(&ops, &steps, room, size)?;
    }

    // A `take` ends a chain's first flow in the midst of an emission: what was held drains while the
    // elements under way go on.
    #[test]
    fn slow_sinks_change_nothing_where_chains_follow_what_ends_by_itself(
        ops in graphs_of_chains(),
        steps in scripts(),
        room in 1..8usize,
        size in 1..20usize,
    ) {
        slow_sinks_change_nothing_that_is_promised(&ops, &steps, room, size)?;
    }

    #[test]
    fn whatever_waits_for_whatever_some_source_goes_on(
        ops in graphs(),
        steps in prop::collection::vec((0..SOURCES, 0..1000i64), 0..60),
        closes in prop::collection::vec((0..60usize, 0..SOURCES), 0..3),
        capacity in 1..5usize,
        buffers in prop_oneof![Just(0u16), any::<u16>()],
    ) {
        // What lies in a buffer, or in a chain after its first flow has ended, gets on by the driver.
        let chains = ops.iter().any(|op| matches!(op, Op::Chain(_)));
        let ends = !closes.is_empty() || ops.iter().any(|op| matches!(op, Op::Take(..)));
        let driven = buffers != 0 || chains && ends;
        let graph = Graph::new();
        let time = graph.drive_manually();
        let mut sources = Vec::new();
        let mut shared = Vec::new();
        for (i, op) in ops.iter().enumerate() {
            let mut flow = flow(op, i, &graph, &mut sources, &shared, (capacity, OnFull::Wait));
            if buffers & (1 << i) != 0 {
                flow = flow.buffer(2).boxed();
            }
            shared.push(flow.share());
        }
        shared.iter().for_each(|node| drop(node.sink(drop)));
        let mut open = [true; SOURCES];
        for (at, (first, x)) in steps.into_iter().enumerate() {
            for (_, source) in closes.iter().filter(|(when, _)| *when == at) {
                sources[*source].close();
                open[*source] = false;
            }
            // Only elements and the driver can change anything, and only sources bring elements.
            let go_on = || {
                let order = (0..SOURCES).map(|i| (first + i) % SOURCES).filter(|i| open[*i]);
                order.into_iter().any(|i| !matches!(sources[i].emit(x), Err(EmitError::Full(_))))
            };
            let accepted = go_on() || {
                prop_assert!(driven || !open.contains(&true), "nobody need look at it");
                time.settle();
                go_on()
            };
            prop_assert!(accepted || !open.contains(&true), "all sources wait for ever");
        }
    }

    #[test]
    fn closing_at_any_point_loses_nothing_that_was_accepted(
        ops in graphs(),
        items in prop::collection::vec((0..SOURCES, 0..1000i64), 0..30),
    ) {
        closed_at_any_point_it_gives_what_the_interpreter_gives(&ops, &items)?;
    }

    #[test]
    fn what_full_joins_drop_does_not_depend_on_batches(
        ops in graphs(),
        steps in scripts(),
        sizes in prop::collection::vec(1..20usize, 1..5),
        capacity in 1..6usize,
        policy in prop::sample::select(&[OnFull::DropOldest, OnFull::DropNewest, OnFull::Fail]),
    ) {
        every_way_gives_the_same(&ops, &steps, sizes, (capacity, policy))?;
    }
}

/// With the sources in front.
fn graph(ops: impl IntoIterator<Item = Op>) -> Vec<Op> {
    std::iter::repeat_n(Op::Source, SOURCES)
        .chain(ops)
        .collect()
}

fn zip(a: usize, b: usize) -> Op {
    Op::Zip(Inputs::two(a, b))
}

#[test]
fn graphs_that_once_failed_do_not_fail_again() -> Result<(), TestCaseError> {
    let union = Op::Union(Inputs::two(3, 3));
    let full = graph([Op::Map(2), zip(1, 2), union, zip(5, 2)]);
    let steps = [Step::Emit(2, vec![0; 3])];
    every_way_gives_the_same(&full, &steps, vec![1], (2, OnFull::DropOldest))?;

    // The first latest element releases all that waited for it, here into a full join.
    let latest = Op::ZipLatest(Inputs {
        fails: Some(1),
        ..Inputs::two(0, 2)
    });
    let both = Op::Union(Inputs::two(3, 3));
    let full = graph([latest, both, zip(2, 4)]);
    let steps = [Step::Emit(0, vec![0; 3]), Step::Emit(2, vec![3, 148])];
    every_way_gives_the_same(&full, &steps, vec![1], (2, OnFull::DropNewest))?;

    // A group that is full goes into a full join.
    let full = graph([
        Op::Collect(Inputs::two(0, 1)),
        Op::Union(Inputs::two(3, 1)),
        zip(0, 4),
    ]);
    let steps = [Step::Emit(1, vec![7; 3]), Step::Emit(0, vec![1; 4])];
    every_way_gives_the_same(&full, &steps, vec![4], (3, OnFull::DropNewest))?;

    let fails = Some(1);
    let failing = Op::Zip(Inputs {
        fails,
        ..Inputs::two(0, 2)
    });
    closed_at_any_point_it_gives_what_the_interpreter_gives(
        &graph([failing, Op::Map(0)]),
        &[(2, 3)],
    )?;

    let ended = graph([Op::Take(0, 1), zip(3, 0)]);
    let steps = [Step::Emit(0, vec![0, 0])];
    every_way_gives_what_the_interpreter_gives(&ended, &steps, vec![1])?;
    closed_at_any_point_it_gives_what_the_interpreter_gives(&ended, &[(0, 0), (0, 0)])?;

    let combine = Op::Combine(Inputs::two(3, 3), 1);
    let ended = graph([Op::Take(0, 1), combine]);
    closed_at_any_point_it_gives_what_the_interpreter_gives(&ended, &[(0, 0)])?;

    let chain = || Op::Chain(Inputs::two(2, 0));
    let drain = graph([chain(), chain(), Op::Map(0), Op::Union(Inputs::two(4, 3))]);
    let steps = [Step::Emit(0, vec![0, 0, 0, 0, 0, 0, 1]), Step::Close(2)];
    slow_sinks_change_nothing_that_is_promised(&drain, &steps, 1, 1)?;
    let steps = [Step::Emit(0, (0..600).collect()), Step::Close(2)];
    every_way_gives_what_the_interpreter_gives(&drain, &steps, vec![7])?;

    let takes = [Op::Take(0, 1), Op::Map(0), Op::Skip(2, 2), Op::Take(2, 8)];
    let ended = graph(takes.into_iter().chain([zip(6, 3)]));
    let steps = [Step::Emit(2, vec![0; 8]), Step::Emit(0, vec![0])];
    every_way_gives_what_the_interpreter_gives(&ended, &steps, vec![1])
}
