//! Random graphs, and random scripts for them.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{Inputs, Op, SOURCES, Step};

/// An operator whose inputs and numbers are still to be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Map,
    Fail,
    Take,
    Skip,
    Split,
    Pairwise,
    Dedup,
    Frequencies,
    Expand,
    Partition,
    Sliding,
    Fold,
    Zip,
    Union,
    Combine,
    ZipLatest,
    WithLatest,
    Chain,
    Collect,
    TakeUntil,
}

/// What graphs are made of; the likelier, the more often it stands there.
type Family = &'static [Kind];

use Kind::*;

const JOINS: Family = &[
    Map, Map, Fail, Zip, Zip, Zip, Union, Union, Combine, Combine, ZipLatest, ZipLatest,
    WithLatest, WithLatest,
];

const SHAPES: Family = &[
    Map,
    Map,
    Fail,
    Zip,
    Zip,
    Zip,
    Union,
    Union,
    Combine,
    Combine,
    Split,
    Pairwise,
    Dedup,
    Frequencies,
    Expand,
];

const ENDINGS: Family = &[
    Map, Map, Fail, Zip, Zip, Zip, Union, Union, Combine, Combine, Skip, Chain, Take, Take,
    TakeUntil, Fold,
];

const GROUPS: Family = &[
    Map, Fail, Partition, Partition, Collect, Collect, Collect, Zip, Zip, Zip, Union, Union,
    Expand, ZipLatest, Combine, Sliding, Fold, Take,
];

const ALL: Family = &[
    Map,
    Fail,
    Zip,
    Zip,
    Union,
    Combine,
    ZipLatest,
    WithLatest,
    Split,
    Pairwise,
    Dedup,
    Frequencies,
    Expand,
    Skip,
    Chain,
    Take,
    Take,
    Partition,
    Collect,
    TakeUntil,
    Sliding,
    Fold,
];

/// What is held, and what ends flows and so lets it go.
const HELD: Family = &[
    Map, Fail, Pairwise, Zip, Union, Union, Combine, ZipLatest, WithLatest, Skip, Take, Take,
    Chain, Chain, Chain, Chain,
];

/// Small families beside the one of all: in a graph of few nodes, those of one idea meet more often.
const FAMILIES: &[Family] = &[JOINS, SHAPES, ENDINGS, GROUPS, ALL];

fn graphs_of(
    families: &'static [Family],
    without: &'static [Kind],
) -> impl Strategy<Value = Vec<Op>> {
    let raw = (
        any::<Index>(),
        prop::collection::vec(any::<Index>(), 2..4),
        1..8u8,
        any::<bool>(),
        prop::option::weighted(0.3, 0..3usize),
    );
    let nodes = prop::collection::vec(raw, 1..9);
    (select(families), nodes).prop_map(|(family, raw)| {
        let kinds: Vec<Kind> = family
            .iter()
            .copied()
            .filter(|k| !without.contains(k))
            .collect();
        let mut ops = vec![Op::Source; SOURCES];
        for (kind, of, number, all, fails) in raw {
            let of = of.into_iter().map(|i| i.index(ops.len())).collect();
            ops.push(op(*kind.get(&kinds), Inputs { of, all, fails }, number));
        }
        ops
    })
}

/// Graphs that are each of one family, but for some operators.
pub(crate) fn graphs_without(without: &'static [Kind]) -> impl Strategy<Value = Vec<Op>> {
    graphs_of(FAMILIES, without)
}

/// Graphs where much of what chains hold drains at the same moment.
pub(crate) fn graphs_of_chains() -> impl Strategy<Value = Vec<Op>> {
    graphs_of(&[HELD], &[])
}

pub(crate) fn graphs() -> impl Strategy<Value = Vec<Op>> {
    graphs_without(&[])
}

/// `number`: from 1 to 7.
fn op(kind: Kind, inputs: Inputs, number: u8) -> Op {
    let a = inputs.of[0];
    let few = u64::from(number % 3);
    // These are of two flows, and have no form of a `Vec`.
    let pair = |inputs: &Inputs| Inputs {
        fails: inputs.fails,
        ..Inputs::two(inputs.of[0], inputs.of[1])
    };
    match kind {
        Map => Op::Map(a),
        Fail => Op::Fail(a),
        Take => Op::Take(a, 7 * few + 1),
        Skip => Op::Skip(a, 2 * few + 2),
        Split => Op::Split(a),
        Pairwise => Op::Pairwise(a),
        Dedup => Op::Dedup(a),
        Frequencies => Op::Frequencies(a),
        Expand => Op::Expand(a),
        Partition => Op::Partition(a),
        Sliding => Op::Sliding(a),
        Fold => Op::Fold(a),
        Zip => Op::Zip(inputs),
        Union => Op::Union(inputs),
        Combine => {
            let mask = if inputs.of.len() == 2 { 3 } else { 7 };
            Op::Combine(inputs, (number & mask).max(1))
        }
        ZipLatest => Op::ZipLatest(inputs),
        WithLatest => Op::WithLatest(pair(&inputs)),
        Chain => Op::Chain(pair(&inputs)),
        Collect => Op::Collect(pair(&inputs)),
        TakeUntil => Op::TakeUntil(pair(&inputs)),
    }
}

pub(crate) fn scripts() -> impl Strategy<Value = Vec<Step>> {
    let items = prop::collection::vec(0..1000i64, 0..40);
    let step = prop_oneof![
        8 => (0..SOURCES, items).prop_map(|(source, items)| Step::Emit(source, items)),
        1 => (0..SOURCES).prop_map(Step::Close),
    ];
    (prop::collection::vec(step, 1..8), any::<bool>()).prop_map(|(mut steps, close)| {
        if close {
            steps.extend((0..SOURCES).map(Step::Close));
        }
        steps
    })
}
