//! Which runs a graph consists of, and what each of them hangs from.

use std::any::TypeId;

use super::fork::BranchId;
use super::topology::{Edge, NodeId, Role, Topology, TopologyNode};

/// One run: from the junctions it hangs from down to its end, which names it.
///
/// A source is a run too, and so is what leads to a shared node; other runs hang from their ends.
#[derive(Debug)]
pub(crate) struct RunRecord {
    pub(super) end: NodeId,
    pub(super) heads: Vec<Hanging>,
    /// All its nodes, its end first.
    pub(super) nodes: Vec<NodeId>,
    /// How many streams and iterators it begins with.
    pub(super) pumps: usize,
    pub(super) has_timers: bool,
    pub(super) has_futures: bool,
    /// How many runs hang from its end.
    pub(super) hanging: usize,
    /// Whether somebody has a handle from which more could be hung.
    pub(super) reachable: bool,
    /// Taken off, and draining.
    pub(super) departing: bool,
}

/// How a run hangs from a junction.
#[derive(Clone, Debug)]
pub(crate) struct Hanging {
    pub(super) fork: NodeId,
    pub(super) branch: BranchId,
    pub(super) edge: Edge,
    pub(super) item: ItemType,
}

/// The type of the elements that pass a junction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ItemType {
    id: TypeId,
    pub(super) name: &'static str,
}

impl ItemType {
    pub(super) fn of<T: 'static>() -> ItemType {
        ItemType {
            id: TypeId::of::<T>(),
            name: std::any::type_name::<T>(),
        }
    }
}

impl Topology {
    /// Takes a new run in. What it should have hung from and has gone is left out.
    pub(super) fn take_in(
        &mut self,
        nodes: Vec<TopologyNode>,
        edges: Vec<Edge>,
        mut run: RunRecord,
    ) {
        run.heads.retain(|head| {
            let fork = self.runs.get_mut(&head.fork);
            fork.is_some_and(|fork| {
                fork.hanging += 1;
                true
            })
        });
        self.nodes.extend(nodes);
        self.edges.extend(edges);
        self.edges.extend(run.heads.iter().map(|head| head.edge));
        self.runs.insert(run.end, run);
    }

    /// Takes a run off the junctions that `which` says, and returns how it hung from them.
    pub(super) fn take_off(
        &mut self,
        run: NodeId,
        mut which: impl FnMut(&Hanging) -> bool,
    ) -> Vec<Hanging> {
        let Some(record) = self.runs.get_mut(&run) else {
            return Vec::new();
        };
        let (off, on) = std::mem::take(&mut record.heads)
            .into_iter()
            .partition(|head| which(head));
        record.heads = on;
        for head in &off {
            self.unhang(head);
        }
        off
    }

    /// The edge from a junction goes, and the junction knows.
    pub(super) fn unhang(&mut self, head: &Hanging) {
        if let Some(at) = self.edges.iter().position(|edge| *edge == head.edge) {
            self.edges.remove(at);
        }
        if let Some(fork) = self.runs.get_mut(&head.fork) {
            fork.hanging -= 1;
        }
    }

    /// The runs that hang from the end of `fork`.
    pub(super) fn hanging_from(&self, fork: NodeId) -> Vec<NodeId> {
        if self.runs.get(&fork).is_none_or(|run| run.hanging == 0) {
            return Vec::new();
        }
        self.runs
            .values()
            .filter(|run| run.heads.iter().any(|head| head.fork == fork))
            .map(|run| run.end)
            .collect()
    }

    /// A run and all that hangs from it and from nothing else.
    pub(super) fn all_below(&self, run: NodeId) -> Vec<NodeId> {
        let mut all = vec![run];
        let mut at = 0;
        // A run that joins several is looked at again with each of those that it hangs from.
        while let Some(fork) = all.get(at) {
            for below in self.hanging_from(*fork) {
                let whole = self.runs.get(&below).is_some_and(|run| {
                    run.pumps == 0 && run.heads.iter().all(|head| all.contains(&head.fork))
                });
                if whole && !all.contains(&below) {
                    all.push(below);
                }
            }
            at += 1;
        }
        all
    }

    /// Whether nobody can see what comes to this shared node: nothing hangs from it, and no handle is
    /// left from which something could be hung.
    pub(super) fn is_forsaken(&self, run: NodeId) -> bool {
        let is_shared = |id: NodeId| {
            self.nodes
                .iter()
                .any(|node| node.label.id() == id && node.role == Role::Shared)
        };
        self.runs.get(&run).is_some_and(|record| {
            !record.reachable
                && record.hanging == 0
                && record.pumps == 0
                && !record.departing
                && is_shared(run)
        })
    }

    /// As [`reaches`](Topology::reaches), without passing through the graph's queue.
    pub(super) fn reaches_at_once(&self, from: NodeId, to: NodeId) -> bool {
        self.search(from, to, |edge| !edge.feedback)
    }
}
