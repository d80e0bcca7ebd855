//! What joins take besides tuples of flows: any number of like flows, flows of which no element is
//! lost, flows of which the latest counts; and numbers that choose among them.

use super::zip::{Zip, zip};
use crate::engine::Graph;
use crate::flow::{Flow, Forkable, Run};

/// The flows as runs.
///
/// # Panics
/// If there is no flow, or if they belong to two graphs.
#[track_caller]
pub(crate) fn into_runs<F: Flow>(
    flows: impl IntoIterator<Item = F>,
    operator: &str,
) -> Vec<F::Run> {
    let runs: Vec<_> = flows.into_iter().map(Flow::into_run).collect();
    assert!(
        !runs.is_empty(),
        "`{operator}` of no flows would never emit nor close: give it at least 1 flow"
    );
    for run in &runs {
        runs[0].graph().assert_same(run.graph(), operator);
    }
    runs
}

/// What no element is lost of: a flow, or a tuple of two to seven flows that are zipped.
pub trait Lossless {
    /// The flow as a run.
    type Run: Run;

    /// Detaches all flows, and checks that they belong to one graph.
    fn into_lossless(self) -> Self::Run;
}

impl<F: Flow> Lossless for F {
    type Run = F::Run;

    fn into_lossless(self) -> F::Run {
        self.into_run()
    }
}

/// What the latest elements are taken of: a flow, or a tuple of two to seven, of elements that are
/// `Clone`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a flow nor a tuple of two to seven flows, of elements that are `Clone`",
    note = "sources and shared nodes are flows by reference: write `(&a, &b)`; for a `Vec` there is `zip_latest_all`"
)]
pub trait LatestOf {
    /// The flows as runs.
    type Runs;

    /// Detaches all flows, and checks that they belong to this graph.
    fn into_runs(self, graph: &Graph) -> Self::Runs;
}

impl<F: Flow<Item: Forkable>> LatestOf for F {
    type Runs = (F::Run,);

    #[track_caller]
    fn into_runs(self, graph: &Graph) -> Self::Runs {
        let run = self.into_run();
        graph.assert_same(run.graph(), "zip_latest");
        (run,)
    }
}

/// For each tuple of flows: `flow letter, position`.
macro_rules! tuple_arity {
    ($($F:ident $P:tt),+) => {
        impl<$($F: Flow),+> Lossless for ($($F,)+) {
            type Run = Zip<($($F::Run,)+)>;

            #[track_caller]
            fn into_lossless(self) -> Self::Run {
                zip(self)
            }
        }

        impl<$($F: Flow<Item: Forkable>),+> LatestOf for ($($F,)+) {
            type Runs = ($($F::Run,)+);

            #[track_caller]
            fn into_runs(self, graph: &Graph) -> Self::Runs {
                let runs = ($(self.$P.into_run(),)+);
                $(graph.assert_same(runs.$P.graph(), "zip_latest");)+
                runs
            }
        }
    };
}

tuple_arity!(A0 0, A1 1);
tuple_arity!(A0 0, A1 1, A2 2);
tuple_arity!(A0 0, A1 1, A2 2, A3 3);
tuple_arity!(A0 0, A1 1, A2 2, A3 3, A4 4);
tuple_arity!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5);
tuple_arity!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6);

/// Some inputs of a join, counted from 0: a number, or a list of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs(pub(crate) Vec<usize>);

impl From<usize> for Inputs {
    fn from(input: usize) -> Self {
        Inputs(vec![input])
    }
}

impl<const N: usize> From<[usize; N]> for Inputs {
    fn from(inputs: [usize; N]) -> Self {
        Inputs(inputs.to_vec())
    }
}

impl From<Vec<usize>> for Inputs {
    fn from(inputs: Vec<usize>) -> Self {
        Inputs(inputs)
    }
}

impl From<&[usize]> for Inputs {
    fn from(inputs: &[usize]) -> Self {
        Inputs(inputs.to_vec())
    }
}
