//! Which runs a graph consists of, and what each of them hangs from.

use std::any::TypeId;
use std::collections::HashSet;

use super::ending::Upstream;
use super::fork::BranchId;
use super::topology::{Edge, NodeId, Role, Topology, TopologyNode};

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
    /// It goes because it has had enough, and not because somebody took it off.
    pub(super) finished: bool,
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

/// Runs that were taken out together.
#[derive(Default)]
pub(super) struct TakenOut {
    pub(super) records: Vec<RunRecord>,
    /// How they hung from others.
    pub(super) heads: Vec<Hanging>,
    /// What hung from them, and whether the run above had had enough.
    pub(super) below: Vec<(NodeId, bool)>,
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
        self.uncount(head);
    }

    /// The junction knows; the edge goes with one of its nodes.
    fn uncount(&mut self, head: &Hanging) {
        if let Some(above) = self.run_above(head) {
            above.hanging -= 1;
        }
    }

    /// Takes out runs that have ended, and takes off what hangs from them. Returns their records, how
    /// they hung, and the runs that hung from them, with whether the one above had had enough.
    ///
    /// All at once, since each look at all runs takes as long as there are runs.
    pub(super) fn take_out_all(&mut self, over: &[NodeId]) -> TakenOut {
        let mut out = TakenOut::default();
        let ended: HashSet<NodeId> = over.iter().copied().collect();
        let hangs = |head: &Hanging| {
            let above = self.junctions.get(&head.fork);
            above.is_some_and(|above| ended.contains(above))
        };
        let runs = self.runs.values().filter(|run| !ended.contains(&run.end));
        let children = runs.filter(|run| run.heads.iter().any(hangs));
        let children: Vec<NodeId> = children.map(|run| run.end).collect();
        for child in children {
            let Some(record) = self.runs.get_mut(&child) else {
                continue;
            };
            let junctions = &self.junctions;
            let above = |head: &Hanging| junctions.get(&head.fork).filter(|r| ended.contains(r));
            let (off, on): (Vec<_>, Vec<_>) = std::mem::take(&mut record.heads)
                .into_iter()
                .partition(|head| above(head).is_some());
            record.heads = on;
            let parents: Vec<NodeId> = off.iter().filter_map(above).copied().collect();
            for parent in parents {
                let finished = self.runs.get(&parent).is_some_and(|run| run.finished);
                out.below.push((child, finished));
            }
        }
        for run in over {
            let heads = self
                .runs
                .get_mut(run)
                .map(|run| std::mem::take(&mut run.heads));
            // From junctions that go too: they may be asked once more, when this run is no more.
            let heads = heads.unwrap_or_default();
            for head in &heads {
                self.uncount(head);
            }
            out.heads.extend(heads);
        }
        for run in over {
            out.records.extend(self.take_out(*run));
        }
        self.take_out_nodes(out.records.iter().flat_map(|run| run.nodes.iter().copied()));
        out
    }

    /// The run that ends in the junction.
    pub(super) fn run_above(&mut self, head: &Hanging) -> Option<&mut RunRecord> {
        self.runs.get_mut(self.junctions.get(&head.fork)?)
    }

    /// Takes a run out. Its nodes and edges are to be [taken out](Topology::take_out_nodes) too.
    pub(super) fn take_out(&mut self, run: NodeId) -> Option<RunRecord> {
        let record = self.runs.remove(&run)?;
        for fork in &record.forks {
            self.junctions.remove(fork);
        }
        Some(record)
    }

    /// Takes out nodes and their edges: many at once, as each time all are looked at.
    pub(super) fn take_out_nodes(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        let gone: HashSet<NodeId> = nodes.into_iter().collect();
        if !gone.is_empty() {
            self.nodes.retain(|node| !gone.contains(&node.label.id()));
            let stays = |id: &NodeId| !gone.contains(id);
            self.edges.retain(|e| stays(&e.from) && stays(&e.to));
            self.bypass.retain(|from, _| stays(from));
            self.unbuilt.retain(stays);
        }
    }

    /// Takes out what was in front of nodes that have had enough. Returns the runs to which nothing
    /// comes any more, so that they go too, once they have closed.
    pub(super) fn let_go(&mut self, finished: &[Upstream]) -> Vec<NodeId> {
        let (mut gone, mut cut) = (HashSet::new(), HashSet::new());
        let begins: HashSet<NodeId> = match finished.iter().any(|up| !up.nodes.is_empty()) {
            true => {
                let sources = self.nodes.iter().filter(|node| node.role == Role::Source);
                sources.map(|node| node.label.id()).collect()
            }
            false => HashSet::new(),
        };
        let mut over = Vec::new();
        for upstream in finished {
            let Some(run) = self.runs.get_mut(&upstream.run) else {
                continue;
            };
            let goes = |branch| upstream.heads.iter().any(|(_, other)| *other == branch);
            let heads = std::mem::take(&mut run.heads);
            let (off, on): (Vec<_>, _) = heads.into_iter().partition(|head| goes(head.branch));
            run.heads = on;
            for id in &upstream.nodes {
                // Somebody below may have had enough too.
                run.pumps -= usize::from(begins.contains(id) && gone.insert(*id));
                gone.insert(*id);
            }
            run.nodes.retain(|id| !gone.contains(id));
            let nothing_comes = run.heads.is_empty() && run.pumps == 0;
            if nothing_comes && !std::mem::replace(&mut run.departing, true) {
                run.finished = true;
                over.push(upstream.run);
            }
            for head in off {
                if let Some(above) = self.run_above(&head) {
                    above.hanging -= 1;
                }
                cut.insert((head.edge.from, head.edge.to, head.edge.port));
            }
        }
        let cut = |e: &Edge| !e.feedback && cut.contains(&(e.from, e.to, e.port));
        self.edges.retain(|edge| !cut(edge));
        self.take_out_nodes(gone);
        over
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
