//! A fork in the middle of a graph: what `share` returns.

use std::sync::Arc;

use super::branch::Branch;
use super::context::Cx;
use super::fork::{Copier, Fork};
use super::graph::Graph;
use super::head::Head;
use super::inbox::Entry;
use super::plan::Plan;
use super::topology::{NodeId, Role, Site, TopologyNode};
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
/// A handle: flows hang from `&shared`, also while the graph runs; clones mean the same node. When
/// nothing hangs from the node and the last handle is dropped, the node goes.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
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
    handle: Arc<Handle>,
    _items: std::marker::PhantomData<fn() -> T>,
}

/// Keeps a run that ends in junctions. Dropped with the last that could hang something there: where
/// nothing hangs from them either, nobody can see any more what comes, and the run goes.
pub(crate) struct Handle {
    graph: Graph,
    branch: Branch,
    fork: NodeId,
}

impl Handle {
    /// Of the run that ends in `fork`, and perhaps in others.
    pub(crate) fn new(graph: Graph, branch: Branch, fork: NodeId) -> Arc<Handle> {
        Arc::new(Handle {
            graph,
            branch,
            fork,
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let fork = self.fork;
        let core = self.graph.core();
        let Ok(mut topology) = core.topology.lock() else {
            return;
        };
        let run = topology.junctions.get(&fork).copied();
        if let Some(run) = run.and_then(|run| topology.runs.get_mut(&run)) {
            run.reachable = false;
            if topology.forsaken_at(fork).is_some() {
                // Closures run in the driver, or in the next call on the graph: not in a destructor.
                let go = Box::new(move |cx: &mut Cx| cx.part_if_forsaken(fork));
                core.inbox.leave(Entry::Task(go));
                drop(topology);
                core.wakeups.driver.wake();
                core.wakeups.wake_listeners();
            }
        }
    }
}

impl<T: Forkable + InGraph> Shared<T> {
    pub(crate) fn end_of<R: Run<Item = T>>(run: R, site: Site) -> Shared<T> {
        let graph = run.graph().clone();
        let mut plan = Plan::new(&graph);
        let fork = plan.node(site, Role::Shared).id();
        run.build(Fork::new(fork, Some(Copier::new())), &mut plan);
        let branch = plan.install();
        Shared {
            handle: Handle::new(graph, branch, fork),
            _items: std::marker::PhantomData,
        }
    }

    /// Names the node, for errors, pictures and snapshots.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        let _ = self.handle.branch.clone().named(name);
        self
    }
}

impl<T> Shared<T> {
    /// The graph that the node belongs to.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.handle.graph
    }

    /// The node's identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.handle.fork
    }

    /// The run that ends here, to be moved or taken off: its end is the shared node.
    ///
    /// Taking it off takes everything with it that hangs from the node and from nothing else, as
    /// [`destroy`](Shared::destroy) does.
    #[must_use]
    pub fn branch(&self) -> &Branch {
        &self.handle.branch
    }

    /// Takes the node off what it hangs from, with all that hangs from it: what is held is emitted as
    /// at a close, and as they drain the nodes go. A join that other flows lead to as well loses one
    /// input, as if it had closed. For what is held to be lost instead, there is
    /// [`discard`](Shared::discard).
    ///
    /// What is hung from the node later closes at once.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let source = Source::<u32>::new();
    /// let squares = source.map(|x| x * x).share();
    /// let pairs = squares.partition(2).sink_to_list();
    /// let all = squares.sink_to_list();
    /// source.emit_all([1, 2, 3])?;
    /// squares.destroy();
    /// source.emit(4)?;
    /// assert_eq!(pairs.take(), [vec![1, 4], vec![9]]);
    /// assert_eq!(all.take(), [1, 4, 9]);
    /// assert_eq!(source.graph().topology().nodes().len(), 1, "the source");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn destroy(&self) {
        self.handle.branch.disconnect();
    }

    /// As [`destroy`](Shared::destroy), at once: what the node's run and all that hangs from it alone
    /// hold is lost, as by [`Branch::discard`].
    pub fn discard(&self) {
        self.handle.branch.discard();
    }

    /// The nodes that elements come to this one from, without others between.
    #[must_use]
    pub fn upstreams(&self) -> Vec<TopologyNode> {
        let topology = self.handle.graph.topology();
        topology.upstreams(self.handle.fork).cloned().collect()
    }

    /// The first node of each flow that hangs from this one.
    #[must_use]
    pub fn downstreams(&self) -> Vec<TopologyNode> {
        let topology = self.handle.graph.topology();
        topology.downstreams(self.handle.fork).cloned().collect()
    }
}

impl<T: Forkable + InGraph> Flow for &Shared<T> {
    type Item = T;
    type Run = Head<T>;

    fn into_run(self) -> Head<T> {
        Head::of_shared(self.graph().clone(), self.handle.fork, self.handle.clone())
    }
}

impl<T> std::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("fork", &self.handle.fork)
            .finish_non_exhaustive()
    }
}
