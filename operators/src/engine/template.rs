//! What is shown for the runs within a node: each of their nodes once, with the counts of all.

use std::collections::HashMap;
use std::sync::Arc;

use super::census::Counts;
use super::context::Cx;
use super::graph::Graph;
use super::node::NodeState;
use super::plan::Plan;
use super::topology::{Edge, Label, NodeId, Role, Site, TopologyNode};

/// What is shown for all runs of a node.
#[derive(Default)]
pub(super) struct Template {
    nodes: Vec<Shown>,
    edges: Vec<Edge>,
    /// Counts the runs, so that each takes a shown node once.
    build: u64,
    /// Runs are mostly alike: the next node is looked for behind the last one.
    cursor: usize,
    /// Shown for the first time in the run under way.
    fresh: Vec<TopologyNode>,
}

struct Shown {
    label: Arc<Label>,
    role: Role,
    build: u64,
}

impl Template {
    /// One run more is about to be built.
    pub(super) fn begin(&mut self) {
        self.build += 1;
        self.cursor = 0;
    }

    /// The nodes that are shown.
    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().map(|node| node.label.id())
    }

    /// The node to be shown for a node that the run under way adds.
    pub(super) fn shown(&mut self, graph: &Graph, site: Site, role: Role) -> Arc<Label> {
        let (before, after) = self.nodes.split_at_mut(self.cursor);
        let build = self.build;
        let fits = |shown: &&mut Shown| {
            let known = shown.label.site();
            shown.build != build && shown.role == role && known.is(&site)
        };
        let found = after.iter_mut().chain(before).find(fits);
        if let Some(shown) = found {
            shown.build = build;
            let label = shown.label.clone();
            self.cursor = (self.cursor + 1) % self.nodes.len();
            return label;
        }
        let label = Arc::new(Label::new(graph.fresh_id(), site, None));
        self.nodes.push(Shown {
            label: label.clone(),
            role,
            build,
        });
        self.fresh.push(TopologyNode {
            label: label.clone(),
            role,
        });
        self.cursor = 0;
        label
    }
}

impl Cx {
    /// The node that is shown for this one.
    pub(crate) fn shown(&self, id: NodeId) -> NodeId {
        let node = self.nodes.get(id.index()).and_then(Option::as_ref);
        node.filter(|node| node.id == id)
            .map_or(id, |node| node.label.shown_id())
    }

    /// Adds to the picture what the run under way has that the others did not.
    pub(super) fn show(&mut self, template: &mut Template, plans: &[Plan], owner: NodeId) {
        let instances: HashMap<NodeId, NodeId> = plans
            .iter()
            .flat_map(|plan| plan.nodes())
            .map(|node| (node.label.id(), node.label.shown_id()))
            .collect();
        let fresh = std::mem::take(&mut template.fresh);
        for node in &fresh {
            let mut state = NodeState::new(node.label.clone(), node.role);
            // Stands for others, which are open or not.
            state.open = false;
            self.add_node(state);
        }
        let mut edges = Vec::new();
        for edge in plans.iter().flat_map(|plan| plan.edges()) {
            let shown = |id: NodeId| {
                instances
                    .get(&id)
                    .copied()
                    .unwrap_or_else(|| self.shown(id))
            };
            let edge = Edge {
                from: shown(edge.from),
                to: shown(edge.to),
                ..*edge
            };
            if !template.edges.contains(&edge) {
                template.edges.push(edge);
                edges.push(edge);
            }
        }
        if fresh.is_empty() && edges.is_empty() {
            return;
        }
        let owner = self.shown(owner);
        let first = |(from, _): &&(NodeId, NodeId)| fresh.iter().any(|n| n.label.id() == *from);
        let bypasses = plans.iter().flat_map(|plan| plan.bypasses());
        let bypasses: Vec<_> = bypasses.filter(first).copied().collect();
        if let Ok(mut topology) = self.topology.lock() {
            // They go with the run that the owner is part of; it may have been cut out already.
            let mut runs = topology.runs.values_mut();
            let Some(run) = runs.find(|run| run.nodes.contains(&owner)) else {
                return;
            };
            run.nodes.extend(fresh.iter().map(|node| node.label.id()));
            topology.nodes.extend(fresh.iter().cloned());
            for edge in edges {
                if !topology.edges.contains(&edge) {
                    topology.edges.push(edge);
                }
            }
            topology.await_runs(bypasses);
            if topology.unbuilt.remove(&owner) {
                // The forks above know now whether whole batches may cross.
                self.epoch = self.epoch.wrapping_add(1);
            }
            // Until there is a run, the owner leads straight to where the runs end.
            let bypass = topology.bypass.get(&owner).copied();
            if let Some(to) = bypass
                && template.edges.iter().any(|e| e.from == owner && e.to != to)
            {
                topology.bypass.remove(&owner);
                topology.edges.retain(|e| (e.from, e.to) != (owner, to));
            }
        }
    }

    /// Nodes that others are shown for, by what is shown.
    pub(super) fn instances(&self) -> HashMap<NodeId, Vec<NodeId>> {
        let mut instances: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        if self.within.templates.is_empty() {
            return instances;
        }
        for node in self.nodes.iter().flatten() {
            let shown = node.label.shown_id();
            if shown != node.id {
                instances.entry(shown).or_default().push(node.id);
            }
        }
        instances
    }

    /// The counts of a node, with those of the nodes that it is shown for, if they are worth showing.
    pub(super) fn counts_shown(&mut self, id: NodeId, alike: &[NodeId]) -> Option<Counts> {
        let shows = |node: &NodeState| {
            let counts = &node.counts;
            // Operators that only pass on are left out, unless something went wrong there.
            node.counted || counts.failed > 0 || counts.dropped() > 0
        };
        let node = self.node(id)?;
        let (mut counts, mut counted) = (node.counts, shows(node));
        for id in alike {
            if let Some(node) = self.node(*id) {
                counts.add(&node.counts);
                counted |= shows(node);
            }
        }
        counted.then_some(counts)
    }

    /// All nodes from which elements can reach input `port` of a node; where one stands for others,
    /// those too.
    pub(crate) fn feeders(&self, node: NodeId, port: u32) -> Vec<NodeId> {
        let mut feeders = match self.topology.lock() {
            Ok(topology) => topology.feeders(self.shown(node), port),
            Err(_) => Vec::new(),
        };
        let instances = self.instances();
        if !instances.is_empty() {
            let alike = feeders.iter().filter_map(|id| instances.get(id));
            let alike: Vec<NodeId> = alike.flatten().copied().collect();
            feeders.extend(alike);
        }
        feeders
    }
}
