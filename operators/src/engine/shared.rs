//! A fork in the middle of a graph: what `share` returns.

use super::fork::{Copier, Fork};
use super::graph::Graph;
use super::head::Head;
use super::plan::Plan;
use super::topology::{NodeId, Role, Site};
use crate::InGraph;
use crate::flow::{Flow, Forkable, Run};

/// A node that any number of flows may hang from: each of them sees every element. What
/// [`share`](Flow::share) returns.
///
/// - **Emits** each element into every branch, at once, in the order in which they were connected: a
///   clone into each but the last, which gets the element itself.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** all branches close.
/// - **Drops** what comes while nothing hangs from it, counted as unheard. A failure from above is
///   reported here, and only its empty place goes on into the branches.
/// - **Panics** where the element's `Clone` does; that poisons the graph.
///
/// A handle: flows hang from `&shared`, also while the graph runs; clones mean the same node.
///
/// ```
/// use headwater_operators::prelude::*;
///
/// let source = Source::<i32>::new();
/// let squares = source.map(|x| x * x).share();
/// let sums = squares.accumulate(0, |sum, x| sum + x).sink_to_list();
/// let pairs = squares.zip(squares.map(|x| x + 1)).sink_to_list();
/// source.emit_all([1, 2])?;
/// assert_eq!(sums.take(), [1, 5]);
/// assert_eq!(pairs.take(), [(1, 2), (4, 5)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

    /// Names the node, for errors, pictures and snapshots.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        let (id, name) = (self.fork, name.into());
        self.graph.change(move |cx| {
            if let Some(node) = cx.node(id) {
                node.label.set_name(name);
            }
        });
        self
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
