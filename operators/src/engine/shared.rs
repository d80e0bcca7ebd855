//! A fork in the middle of a graph: what `share` returns.

use super::fork::{Copier, Fork};
use super::graph::Graph;
use super::head::Head;
use super::plan::Plan;
use super::topology::{NodeId, Role, Site};
use crate::InGraph;
use crate::flow::{Flow, Forkable, Run};

/// A node that any number of flows may hang from: each of them sees every element.
///
/// A handle: flows hang from `&shared`, also while the graph runs; clones mean the same node.
/// Elements that come while nothing hangs from it are dropped and counted as unheard.
#[derive(Clone)]
pub struct Shared<T> {
    graph: Graph,
    fork: NodeId,
    _items: std::marker::PhantomData<fn() -> T>,
}

impl<T: Forkable + InGraph> Shared<T> {
    pub(crate) fn end_of<R: Run<Item = T>>(run: R, site: Site) -> Shared<T> {
        let graph = run.graph().clone();
        let mut plan = Plan::new(&graph);
        let fork = plan.node(site, Role::Shared).id();
        run.build(Fork::new(fork, Some(Copier::new())), &mut plan);
        let _ = plan.install();
        Shared {
            graph,
            fork,
            _items: std::marker::PhantomData,
        }
    }
}

impl<T: Forkable + InGraph> Flow for &Shared<T> {
    type Item = T;
    type Run = Head<T>;

    fn into_run(self) -> Head<T> {
        Head::new(self.graph.clone(), self.fork)
    }
}

impl<T> std::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("fork", &self.fork)
            .finish_non_exhaustive()
    }
}
