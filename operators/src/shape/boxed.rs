//! `boxed`: a flow whose type does not tell how it was made.

use crate::engine::{Graph, Plan, Push, Tail};
use crate::flow::{InGraph, Run};

/// A flow of `T`, however it was made: for struct fields and return types. See
/// [`Flow::boxed`](crate::Flow::boxed).
///
/// Costs one virtual call a batch, or an element where elements come one by one. It adds no operator:
/// whatever the flow does, it does as before.
///
/// - **Emits** each element unchanged, at once.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** nothing.
/// - **Panics** never.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use headwater::BoxFlow;
///
/// fn scaled(source: &Source<f64>, celsius: bool) -> BoxFlow<f64> {
///     if celsius { source.into_run().boxed() } else { source.map(|f| (f - 32.0) / 1.8).boxed() }
/// }
///
/// let source = Source::new();
/// let readings = scaled(&source, false).sink_to_list();
/// source.emit(212.0)?;
/// assert_eq!(readings.take(), [100.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct BoxFlow<T> {
    graph: Graph,
    build: Build<T>,
}

type Build<T> = Box<dyn FnOnce(Tail<T>, &mut Plan) + Send>;

impl<T: InGraph> BoxFlow<T> {
    pub(crate) fn new<R: Run<Item = T>>(run: R) -> Self {
        BoxFlow {
            graph: run.graph().clone(),
            build: Box::new(|next, plan| run.build(next, plan)),
        }
    }
}

impl<T: InGraph> Run for BoxFlow<T> {
    type Item = T;

    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn build<N: Push<T>>(self, next: N, plan: &mut Plan) {
        (self.build)(Box::new(next), plan);
    }
}

impl<T> std::fmt::Debug for BoxFlow<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BoxFlow(..)")
    }
}
