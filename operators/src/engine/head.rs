//! Where a run begins: at a source, a shared node, or a pipe.

use std::any::Any;
use std::sync::Arc;

use super::graph::Graph;
use super::plan::Plan;
use super::push::Push;
use super::topology::NodeId;
use crate::InGraph;
use crate::flow::Run;

/// The one flow that hangs from a source of elements that need not be `Clone`: see
/// [`Graph::pipe`].
#[must_use = "elements go nowhere until the flow ends in a sink"]
pub struct Pipe<T> {
    pub(super) head: Head<T>,
}

/// A flow as it begins at a source or a shared node.
pub struct Head<T> {
    graph: Graph,
    fork: NodeId,
    /// Keeps a shared node until the run hangs from it.
    handle: Option<Arc<dyn Any + Send + Sync>>,
    _items: std::marker::PhantomData<fn() -> T>,
}

impl<T> Head<T> {
    pub(crate) fn new(graph: Graph, fork: NodeId) -> Head<T> {
        Head {
            graph,
            fork,
            handle: None,
            _items: std::marker::PhantomData,
        }
    }

    /// As [`new`](Head::new), at a junction that goes when nobody can see it any more.
    pub(crate) fn of_shared(
        graph: Graph,
        fork: NodeId,
        handle: Arc<dyn Any + Send + Sync>,
    ) -> Head<T> {
        Head {
            handle: Some(handle),
            ..Head::new(graph, fork)
        }
    }
}

impl<T: InGraph> Run for Head<T> {
    type Item = T;

    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn build<N: Push<T>>(self, next: N, plan: &mut Plan) {
        plan.hang(self.fork, next);
        if let Some(handle) = self.handle {
            plan.keep(handle);
        }
    }
}

impl<T: InGraph> Run for Pipe<T> {
    type Item = T;

    fn graph(&self) -> &Graph {
        &self.head.graph
    }

    fn build<N: Push<T>>(self, next: N, plan: &mut Plan) {
        self.head.build(next, plan);
    }
}

impl<T> std::fmt::Debug for Pipe<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pipe(..)")
    }
}

impl<T> std::fmt::Debug for Head<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Head")
            .field("fork", &self.fork)
            .finish_non_exhaustive()
    }
}
