//! Which runs a graph consists of, and what each of them hangs from.

use std::any::TypeId;

use super::fork::BranchId;
use super::topology::{Edge, NodeId, Topology, TopologyNode};

/// One run: from the junctions it hangs from down to its end, which names it.
///
/// A source is a run too, and so is what leads to a shared node: other runs hang from the junctions
/// that these end in.
#[derive(Debug)]
pub(crate) struct RunRecord {
    pub(super) end: NodeId,
    /// The junctions that it ends in: one for a source and a shared node, several where a run splits.
    pub(super) forks: Vec<NodeId>,
    pub(super) heads: Vec<Hanging>,
    /// All its nodes, its end first.
    pub(super) nodes: Vec<NodeId>,
    /// How many streams and iterators it begins with.
    pub(super) pumps: usize,
    pub(super) has_timers: bool,
    pub(super) has_futures: bool,
    /// How many inputs of runs hang from its junctions.
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
            let above = self.junctions.get(&head.fork);
            let above = above.and_then(|above| self.runs.get_mut(above));
            above.is_some_and(|above| {
                above.hanging += 1;
                true
            })
        });
        let forks = run.forks.iter().map(|fork| (*fork, run.end));
        self.junctions.extend(forks);
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
        if let Some(above) = self.run_above(head) {
            above.hanging -= 1;
        }
    }

    /// The run that ends in the junction.
    pub(super) fn run_above(&mut self, head: &Hanging) -> Option<&mut RunRecord> {
        self.runs.get_mut(self.junctions.get(&head.fork)?)
    }

    /// Takes a run out, with its nodes and edges.
    pub(super) fn take_out(&mut self, run: NodeId) -> Option<RunRecord> {
        let record = self.runs.remove(&run)?;
        for fork in &record.forks {
            self.junctions.remove(fork);
        }
        let gone = |id: &NodeId| record.nodes.contains(id);
        self.nodes.retain(|node| !gone(&node.label.id()));
        self.edges.retain(|e| !gone(&e.from) && !gone(&e.to));
        self.bypass.retain(|from, _| !gone(from));
        Some(record)
    }

    /// The runs that hang from the junctions that `run` ends in.
    pub(super) fn hanging_from(&self, run: NodeId) -> Vec<NodeId> {
        let above = match self.runs.get(&run) {
            Some(above) if above.hanging > 0 => above,
            _ => return Vec::new(),
        };
        self.runs
            .values()
            .filter(|run| {
                run.heads
                    .iter()
                    .any(|head| above.forks.contains(&head.fork))
            })
            .map(|run| run.end)
            .collect()
    }

    /// A run and all that hangs from it and from nothing else.
    pub(super) fn all_below(&self, run: NodeId) -> Vec<NodeId> {
        let mut all = vec![run];
        let mut at = 0;
        // A run that joins several is looked at again with each of those that it hangs from.
        while let Some(run) = all.get(at) {
            for below in self.hanging_from(*run) {
                let goes = |head: &Hanging| {
                    let above = self.junctions.get(&head.fork);
                    above.is_some_and(|above| all.contains(above))
                };
                let whole = self
                    .runs
                    .get(&below)
                    .is_some_and(|run| run.pumps == 0 && run.heads.iter().all(goes));
                if whole && !all.contains(&below) {
                    all.push(below);
                }
            }
            at += 1;
        }
        all
    }

    /// The run that ends in this junction, if nobody can see what comes there: nothing hangs from it,
    /// and no handle is left from which something could be hung.
    pub(super) fn forsaken_at(&self, fork: NodeId) -> Option<NodeId> {
        let run = self.runs.get(self.junctions.get(&fork)?)?;
        let forsaken = !run.reachable && run.hanging == 0 && run.pumps == 0 && !run.departing;
        forsaken.then_some(run.end)
    }

    /// As [`reaches`](Topology::reaches), without passing through the graph's queue.
    pub(super) fn reaches_at_once(&self, from: NodeId, to: NodeId) -> bool {
        self.search(from, to, |edge| !edge.feedback)
    }
}
