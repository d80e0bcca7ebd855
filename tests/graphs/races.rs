//! Where the order of a graph's elements is not the interpreter's alone: the one case that the rules
//! leave open, and what they promise there all the same.
//!
//! A chain whose first flow has closed passes on what it held by and by, in turns and as there is room
//! below. Others pass theirs meanwhile: a second chain that drains, or the source in whose emission the
//! first flow ended. Each keeps its order, but where two of them meet in a union (or another join that
//! looks at who comes first), which goes before which depends on how slow the sinks are, and where none
//! is slow on how much goes in one [turn](TURN).

use proptest::prelude::*;

use super::oracle::expected;
use super::{Inputs, Op, Outcome, SOURCES, Step};

/// How much a chain passes on in one turn, if there is room.
pub(crate) const TURN: usize = 256;

/// What moves elements in one step of a script, and what came of all steps so far.
pub(crate) struct Races {
    /// The source under way, and chains that drain.
    movers: Vec<Mover>,
    /// Chains that have drained and closed, and whose close is under way.
    closing: Vec<usize>,
    /// The nodes that two movers may have reached in either order, and all behind them.
    open: Vec<bool>,
}

struct Mover {
    node: usize,
    /// The chains that had drained and closed before, as that made this one drain.
    after: Vec<usize>,
}

impl Mover {
    fn races(&self, other: &Mover) -> bool {
        let follows = self.after.contains(&other.node) || other.after.contains(&self.node);
        self.node != other.node && !follows
    }
}

impl Races {
    pub(crate) fn new(nodes: usize) -> Races {
        Races {
            movers: Vec::new(),
            closing: Vec::new(),
            open: vec![false; nodes],
        }
    }

    /// A source emits or closes, or a chain drains more than goes at once.
    pub(crate) fn moves(&mut self, node: usize) {
        let after = self.closing.clone();
        self.movers.push(Mover { node, after });
    }

    /// A chain passes its close on.
    pub(crate) fn closes(&mut self, chain: usize) {
        self.closing.push(chain);
    }

    pub(crate) fn has_closed(&mut self) {
        self.closing.pop();
    }

    /// A step is over, and nothing moves any more.
    pub(crate) fn end_step(&mut self, ops: &[Op]) {
        let movers = std::mem::take(&mut self.movers);
        // Whose elements leave a node: a bit for each mover.
        let mut leaving = vec![0_u32; ops.len()];
        for (i, op) in ops.iter().enumerate() {
            let own = movers.iter().position(|mover| mover.node == i);
            let drains = own.is_some() && matches!(op, Op::Chain(_));
            let inputs = op.ports().into_iter();
            // Behind what it held, a chain's second flow is part of the draining.
            let inputs = inputs.filter(|(_, port)| !drains || *port == 0);
            let inputs: Vec<_> = inputs.map(|(from, _)| from).collect();
            let either = |a: usize, b: usize| {
                a != b
                    && bits(leaving[a])
                        .any(|p| bits(leaving[b]).any(|q| movers[p].races(&movers[q])))
            };
            let by_order = matches!(
                op,
                Op::Union(_)
                    | Op::Combine(..)
                    | Op::ZipLatest(_)
                    | Op::WithLatest(_)
                    | Op::Collect(_)
                    | Op::TakeUntil(_)
            );
            let meet = by_order && inputs.iter().any(|a| inputs.iter().any(|b| either(*a, *b)));
            let behind = op.ports().iter().any(|(from, _)| self.open[*from]);
            self.open[i] |= meet || behind;
            leaving[i] = inputs.iter().fold(0, |all, from| all | leaving[*from])
                | own.map_or(0, |at| 1 << at);
        }
    }

    pub(crate) fn into_open(self) -> Vec<bool> {
        self.open
    }
}

fn bits(of: u32) -> impl Iterator<Item = usize> {
    (0..32).filter(move |bit| of & (1 << bit) != 0)
}

/// Whether a run gave what it must: the interpreter's result, but that where movers met
/// each node did its own work on what its inputs emitted, in whichever order they came.
pub(crate) fn agree(
    ops: &[Op],
    found: &Outcome,
    expected: &Outcome,
    open: &[bool],
) -> Result<(), TestCaseError> {
    if !open.contains(&true) {
        return found.is(expected);
    }
    let may_fail = |op: &Op| {
        let fails = op.inputs().is_some_and(|inputs| inputs.fails.is_some());
        fails || matches!(op, Op::Fail(_) | Op::Expand(_))
    };
    let whole = !ops.iter().any(may_fail);
    for (i, op) in ops.iter().enumerate() {
        let out = &found.out[i];
        if !open[i] {
            prop_assert_eq!(out, &expected.out[i], "of node {}", i);
            if let (Some(found), Some(expected)) = (found.dropped[i], expected.dropped[i]) {
                prop_assert_eq!(found, expected, "dropped by node {}", i);
            }
            continue;
        }
        let entered = entered(op, &found.out);
        match op {
            Op::Source => unreachable!("nothing meets in a source"),
            Op::Union(_) => prop_assert!(
                is_merged_of(out, &entered),
                "union {i} emitted {out:?} of {entered:?}"
            ),
            // Not before all of the first, and then all of the second.
            Op::Chain(_) => {
                let both = entered.concat();
                prop_assert!(*out == entered[0] || *out == both, "chain {i}: {out:?}");
            }
            // Which rows and groups there are depends on who came first.
            Op::Combine(..) | Op::ZipLatest(_) | Op::WithLatest(_) => {}
            Op::Collect(_) | Op::TakeUntil(_) => {}
            // The last one comes at the close, if there was any.
            Op::Partition(_) | Op::Fold(_) => {
                let (open, closed) = (alone(op, entered.clone(), false), alone(op, entered, true));
                prop_assert!(*out == open || *out == closed, "node {i}: {out:?}");
            }
            // So it does where an empty place may stand here or there.
            Op::Zip(_) if !whole => {}
            _ => prop_assert_eq!(out, &alone(op, entered, false), "of node {}", i),
        }
    }
    Ok(())
}

/// The elements that came into each input of a node.
fn entered(op: &Op, out: &[Vec<i64>]) -> Vec<Vec<i64>> {
    let fails = op.inputs().and_then(|inputs| inputs.fails);
    let of = |(from, port): (usize, usize)| {
        let fit = |x: &&i64| fails != Some(port) || **x % 3 != 0;
        out[from].iter().filter(fit).copied().collect()
    };
    op.ports().into_iter().map(of).collect()
}

/// What the operator makes of these elements where nothing else is in the graph.
fn alone(op: &Op, entered: Vec<Vec<i64>>, closes: bool) -> Vec<i64> {
    let op = match op {
        Op::Map(_) => Op::Map(0),
        Op::Fail(_) => Op::Fail(0),
        Op::Take(_, n) => Op::Take(0, *n),
        Op::Skip(_, n) => Op::Skip(0, *n),
        Op::Split(_) => Op::Split(0),
        Op::Pairwise(_) => Op::Pairwise(0),
        Op::Dedup(_) => Op::Dedup(0),
        Op::Frequencies(_) => Op::Frequencies(0),
        Op::Expand(_) => Op::Expand(0),
        Op::Partition(_) => Op::Partition(0),
        Op::Sliding(_) => Op::Sliding(0),
        Op::Fold(_) => Op::Fold(0),
        Op::Zip(inputs) => Op::Zip(Inputs {
            of: (0..inputs.of.len()).collect(),
            ..inputs.clone()
        }),
        other => unreachable!("{other:?} depends on who comes first"),
    };
    let mut ops = vec![Op::Source; SOURCES];
    ops.push(op);
    let steps = (0..).zip(entered).map(|(i, x)| Step::Emit(i, x));
    let steps: Vec<_> = steps.chain(closes.then_some(Step::Close(0))).collect();
    expected(&ops, &steps).out.swap_remove(SOURCES)
}

/// Whether these are the elements of all flows, those of each in its order.
fn is_merged_of(out: &[i64], flows: &[Vec<i64>]) -> bool {
    if out.len() != flows.iter().map(Vec::len).sum::<usize>() {
        return false;
    }
    // How far the flows may have come.
    let mut places = std::collections::BTreeSet::from([vec![0; flows.len()]]);
    for x in out {
        let before = std::mem::take(&mut places);
        for place in before {
            for (port, flow) in flows.iter().enumerate() {
                if flow.get(place[port]) == Some(x) {
                    let mut place = place.clone();
                    place[port] += 1;
                    places.insert(place);
                }
            }
        }
    }
    !places.is_empty()
}
