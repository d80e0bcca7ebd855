//! Random graphs: what they are made of, and how they are run. [`arbitrary`] makes them, [`oracle`]
//! says what must come out, [`run`] builds and runs them, [`races`] knows where slow sinks may change
//! an order.

pub(crate) mod arbitrary;
pub(crate) mod oracle;
pub(crate) mod races;
pub(crate) mod run;

use proptest::prelude::*;

/// A node of a random graph; its inputs are earlier nodes. All of them are shared.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Source,
    Map(usize),
    /// Fails on multiples of three.
    Fail(usize),
    Take(usize, u64),
    Skip(usize, u64),
    /// Even and odd ones, one of them mapped, merged again.
    Split(usize),
    Pairwise(usize),
    /// By the last digit in base four.
    Dedup(usize),
    /// Of so few keys ([`KEYS`]) that they take each other's places.
    Frequencies(usize),
    /// Each element and the next number; fails on multiples of seven.
    Expand(usize),
    /// In groups of three.
    Partition(usize),
    /// Each with the one before, and at first alone.
    Sliding(usize),
    /// All of them, at the close.
    Fold(usize),
    Zip(Inputs),
    Union(Inputs),
    /// With the inputs that it emits on, one bit each.
    Combine(Inputs, u8),
    /// The first input is lossless.
    ZipLatest(Inputs),
    /// Of the first two; begins with [`INITIAL`].
    WithLatest(Inputs),
    /// Of the first two.
    Chain(Inputs),
    /// The first, until the second has an element.
    TakeUntil(Inputs),
    /// The elements of the first, up to [`GROUP`] of them, until the second has one.
    Collect(Inputs),
}

/// Two or three nodes.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    pub(crate) of: Vec<usize>,
    /// Whether the join is made of a `Vec`.
    pub(crate) all: bool,
    /// The input, if any, that a failing operator leads to without a fork between: it gets the
    /// failures on multiples of three themselves, and not the empty places of those reported.
    pub(crate) fails: Option<usize>,
}

impl Inputs {
    pub(crate) fn two(a: usize, b: usize) -> Inputs {
        Inputs {
            of: vec![a, b],
            all: false,
            fails: None,
        }
    }
}

impl Op {
    /// Those of a join.
    pub(crate) fn inputs(&self) -> Option<&Inputs> {
        match self {
            Op::Zip(inputs)
            | Op::Union(inputs)
            | Op::Combine(inputs, _)
            | Op::ZipLatest(inputs)
            | Op::WithLatest(inputs)
            | Op::Chain(inputs)
            | Op::TakeUntil(inputs)
            | Op::Collect(inputs) => Some(inputs),
            _ => None,
        }
    }

    /// The nodes that lead to it, and which of its inputs they are, in the order of connection.
    pub(crate) fn ports(&self) -> Vec<(usize, usize)> {
        match self {
            Op::Source => Vec::new(),
            Op::Map(a) | Op::Fail(a) | Op::Take(a, _) | Op::Skip(a, _) | Op::Split(a) => {
                vec![(*a, 0)]
            }
            Op::Pairwise(a) | Op::Dedup(a) | Op::Frequencies(a) | Op::Expand(a) => vec![(*a, 0)],
            Op::Partition(a) | Op::Sliding(a) | Op::Fold(a) => vec![(*a, 0)],
            Op::Zip(inputs)
            | Op::Union(inputs)
            | Op::Combine(inputs, _)
            | Op::Chain(inputs)
            | Op::Collect(inputs) => inputs.of.iter().copied().zip(0..).collect(),
            // What ends a flow is connected before it.
            Op::TakeUntil(inputs) => vec![(inputs.of[1], 1), (inputs.of[0], 0)],
            // What keeps the latest beside a main flow is connected first.
            Op::ZipLatest(inputs) | Op::WithLatest(inputs) => {
                let (main, others) = (inputs.of[0], &inputs.of[1..]);
                others.iter().copied().zip(1..).chain([(main, 0)]).collect()
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Emit(usize, Vec<i64>),
    Close(usize),
}

/// How the elements of a step come in.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    OneByOne,
    Locked,
    All,
    /// In batches of these sizes, again and again.
    Cut(Vec<usize>),
    Tracked,
    /// In batches of up to so many (the second), into sinks that have room for a few (the first).
    Slow(usize, usize),
}

/// The first nodes of every graph.
pub(crate) const SOURCES: usize = 3;
/// What `with_latest` begins with.
pub(crate) const INITIAL: i64 = 5;
/// Of a `frequencies`.
pub(crate) const KEYS: usize = 4;
/// How many elements a `partition` has in a group, and a `collect_until` at the most.
pub(crate) const GROUP: usize = 3;

pub(crate) fn mix(a: i64, b: i64) -> i64 {
    a.wrapping_mul(31).wrapping_add(b) % 100_003
}

/// Of a group, which may be empty.
pub(crate) fn mix_group(group: Vec<i64>) -> i64 {
    group.into_iter().fold(1, mix)
}

pub(crate) fn mix_all(row: impl IntoIterator<Item = i64>) -> i64 {
    row.into_iter().reduce(mix).unwrap()
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What each node emitted.
    pub(crate) out: Vec<Vec<i64>>,
    /// What each join dropped, if that could still be asked. A join goes once all that leads to it
    /// has ended in a `take`; what it dropped is then only in the sum.
    pub(crate) dropped: Vec<Option<u64>>,
    pub(crate) dropped_in_all: u64,
}

impl Outcome {
    pub(crate) fn is(&self, expected: &Outcome) -> Result<(), TestCaseError> {
        prop_assert_eq!(&self.out, &expected.out);
        let both = self.dropped.iter().zip(&expected.dropped);
        for (i, (found, expected)) in both.enumerate() {
            if let (Some(found), Some(expected)) = (found, expected) {
                prop_assert_eq!(found, expected, "dropped by node {}", i);
            }
        }
        prop_assert_eq!(self.dropped_in_all, expected.dropped_in_all, "dropped");
        Ok(())
    }
}
