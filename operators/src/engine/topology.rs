//! The graph as data: its nodes with their names and places, and the edges between them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::runs::RunRecord;

/// Identifies a node within its graph.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId {
    /// Counts the nodes of a graph, so that identities sort by age and none comes twice.
    pub(super) serial: u32,
    /// The place in the node table, which a later node may have again.
    pub(super) slot: u32,
}

impl NodeId {
    /// Stands for nobody.
    pub(super) const NONE: NodeId = NodeId {
        serial: u32::MAX,
        slot: u32::MAX,
    };

    pub(crate) fn index(self) -> usize {
        self.slot as usize
    }
}

/// What an adaptor knows of itself before it is built: its kind and the user's line that made it.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    pub(crate) kind: &'static str,
    pub(crate) at: &'static Location<'static>,
}

impl Site {
    /// A node of this kind, made by the caller's caller.
    #[track_caller]
    #[must_use]
    pub fn new(kind: &'static str) -> Site {
        Site {
            kind,
            at: Location::caller(),
        }
    }

    /// The kind of the node: the operator's name.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether both were made in the same place.
    pub(crate) fn is(&self, other: &Site) -> bool {
        (std::ptr::eq(self.at, other.at) || self.at == other.at) && self.kind == other.kind
    }
}

/// What a node is called: its kind, its name if it was given one, and its place in the user's source.
#[derive(Debug)]
pub struct Label {
    id: NodeId,
    site: Site,
    name: OnceLock<String>,
    /// The node that is shown in its place: it is one of many alike.
    shown: Option<Arc<Label>>,
    /// It was one of many alike, and is gone.
    off: AtomicBool,
}

impl Label {
    pub(crate) fn new(id: NodeId, site: Site, name: Option<String>) -> Label {
        let label = Label {
            id,
            site,
            name: OnceLock::new(),
            shown: None,
            off: AtomicBool::new(false),
        };
        if let Some(name) = name {
            let _ = label.name.set(name);
        }
        label
    }

    /// One of many nodes alike, which `shown` stands for.
    pub(crate) fn instance(id: NodeId, site: Site, shown: Arc<Label>) -> Label {
        Label {
            id,
            site,
            name: OnceLock::new(),
            shown: Some(shown),
            off: AtomicBool::new(false),
        }
    }

    /// Whether it is one of many alike, which another is shown for.
    pub(super) fn is_instance(&self) -> bool {
        self.shown.is_some()
    }

    /// Notes of one of many alike that it was taken off, or went with its run.
    pub(super) fn take_off(&self) {
        self.off.store(true, Ordering::Relaxed);
    }

    /// Whether that was noted.
    pub(super) fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    /// The node that is shown in this one's place.
    pub(crate) fn shown(self: &Arc<Label>) -> &Arc<Label> {
        self.shown.as_ref().unwrap_or(self)
    }

    /// The identity of the node that is shown in this one's place.
    pub(crate) fn shown_id(&self) -> NodeId {
        self.shown.as_ref().map_or(self.id, |shown| shown.id)
    }

    pub(crate) fn site(&self) -> Site {
        self.site
    }

    /// The node's identity within its graph.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The operator's kind, such as `map`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.site.kind
    }

    /// The name given by `.named`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.shown {
            Some(shown) => shown.name(),
            None => self.name.get().map(String::as_str),
        }
    }

    /// The name, or the kind where there is none.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name().unwrap_or(self.kind())
    }

    /// The line of the user's source that made the node.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.site.at
    }

    /// Names the node, unless it has a name.
    pub(crate) fn set_name(&self, name: String) {
        match &self.shown {
            Some(shown) => shown.set_name(name),
            None => {
                let _ = self.name.set(name);
            }
        }
    }
}

/// The graph's nodes and edges, as they were when it was asked for.
///
/// A change shows here as soon as the call that makes it returns, also where the graph comes to it
/// later.
#[derive(Debug, Default)]
pub struct Topology {
    pub(crate) nodes: Vec<TopologyNode>,
    pub(crate) edges: Vec<Edge>,
    /// What pictures tell of the nodes beside their names.
    pub(crate) figures: HashMap<NodeId, Vec<String>>,
    /// By their ends. Only the graph's own copy has them, and what follows.
    pub(super) runs: HashMap<NodeId, RunRecord>,
    /// Which run ends in a junction.
    pub(super) junctions: HashMap<NodeId, NodeId>,
    /// Edges that stand for runs within a node until there is one.
    pub(super) bypass: HashMap<NodeId, NodeId>,
    /// Nodes that are to have runs within them, and have had none yet: nobody knows where those will
    /// hang.
    pub(super) unbuilt: HashSet<NodeId>,
}

impl Clone for Topology {
    fn clone(&self) -> Self {
        Topology {
            nodes: self.nodes.clone(),
            edges: self.edges.clone(),
            figures: self.figures.clone(),
            runs: HashMap::new(),
            junctions: HashMap::new(),
            bypass: HashMap::new(),
            unbuilt: HashSet::new(),
        }
    }
}

/// One node of a [`Topology`].
#[derive(Clone, Debug)]
pub struct TopologyNode {
    pub(crate) label: Arc<Label>,
    pub(crate) role: Role,
}

/// What a node does to elements, as far as the engine must know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Elements enter the graph here.
    Source,
    /// Elements pass, one input.
    Operator,
    /// A fork that other flows may hang from.
    Shared,
    /// Several inputs, and the output does not depend on how their elements interleave.
    Join,
    /// Several inputs, and the output depends on how their elements interleave.
    OrderedJoin,
    /// The run ends here.
    End,
}

/// An edge of a [`Topology`]: from one node to an input of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    /// Where elements come from.
    pub from: NodeId,
    /// Where they go.
    pub to: NodeId,
    /// Which input of `to`, counted from 0.
    pub port: u32,
    /// Whether elements cross by the graph's queue: an edge made by `connect`.
    pub feedback: bool,
}

impl TopologyNode {
    /// Kind, name and place.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// What the node does to elements.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }
}

impl Topology {
    /// All nodes, in the order they were made.
    #[must_use]
    pub fn nodes(&self) -> &[TopologyNode] {
        &self.nodes
    }

    /// All edges.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The nodes that elements come to `node` from, without others between.
    pub fn upstreams(&self, node: NodeId) -> impl Iterator<Item = &TopologyNode> {
        let from = move |other: &TopologyNode| {
            let edge = |e: &Edge| e.to == node && e.from == other.label.id();
            self.edges.iter().any(edge)
        };
        self.nodes.iter().filter(move |other| from(other))
    }

    /// The nodes that elements go to from `node`, without others between.
    pub fn downstreams(&self, node: NodeId) -> impl Iterator<Item = &TopologyNode> {
        let to = move |other: &TopologyNode| {
            let edge = |e: &Edge| e.from == node && e.to == other.label.id();
            self.edges.iter().any(edge)
        };
        self.nodes.iter().filter(move |other| to(other))
    }

    /// Whether whole batches may cross a fork one branch after the other: not if two branches meet
    /// again at different inputs of a join whose output depends on how elements interleave. Nor if the
    /// first element of the batch may bring such a branch along: a run within a node, of which there
    /// has been none yet.
    pub(crate) fn batches_may_cross(&self, fork: NodeId) -> bool {
        if self.leads_to_unbuilt(fork) {
            return false;
        }
        if self.outgoing(fork).nth(1).is_none()
            || !self.nodes.iter().any(|n| n.role == Role::OrderedJoin)
        {
            return true;
        }
        let mut next: HashMap<NodeId, Vec<Edge>> = HashMap::new();
        for edge in self.edges.iter().filter(|edge| !edge.feedback) {
            next.entry(edge.from).or_default().push(*edge);
        }
        // For each input of a join: the first branch that reaches it, and whether others do too.
        let mut inputs: HashMap<(NodeId, u32), (usize, bool)> = HashMap::new();
        for (branch, edge) in next.get(&fork).into_iter().flatten().enumerate() {
            let mut seen = HashSet::new();
            let mut open = vec![*edge];
            while let Some(edge) = open.pop() {
                inputs
                    .entry((edge.to, edge.port))
                    .and_modify(|(first, more)| *more |= *first != branch)
                    .or_insert((branch, false));
                if seen.insert((edge.to, edge.port)) {
                    open.extend(next.get(&edge.to).into_iter().flatten());
                }
            }
        }
        !self
            .nodes
            .iter()
            .filter(|node| node.role == Role::OrderedJoin)
            .any(|node| {
                let mut reached = inputs
                    .iter()
                    .filter(|((to, _), _)| *to == node.label.id())
                    .map(|(_, reach)| *reach);
                match (reached.next(), reached.next()) {
                    (Some((first, more)), Some((second, again))) => {
                        more || again || first != second || reached.any(|(b, m)| m || b != first)
                    }
                    _ => false,
                }
            })
    }

    fn leads_to_unbuilt(&self, fork: NodeId) -> bool {
        if self.unbuilt.is_empty() {
            return false;
        }
        let mut next: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for edge in self.edges.iter().filter(|edge| !edge.feedback) {
            next.entry(edge.from).or_default().push(edge.to);
        }
        let mut open = vec![fork];
        while let Some(node) = open.pop() {
            if self.unbuilt.contains(&node) {
                return true;
            }
            // Each node is gone on from once.
            open.extend(next.remove(&node).unwrap_or_default());
        }
        false
    }

    /// The nodes as elements come to them: sources first, then each behind all that it hangs from, and
    /// those alike in the order they were made. Edges through the graph's queue do not count.
    pub(crate) fn in_flow_order(&self) -> Vec<NodeId> {
        let mut next: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        let mut missing: HashMap<NodeId, usize> = HashMap::new();
        for edge in self.edges.iter().filter(|edge| !edge.feedback) {
            next.entry(edge.from).or_default().push(edge.to);
            *missing.entry(edge.to).or_default() += 1;
        }
        let mut open: BinaryHeap<_> = self
            .nodes
            .iter()
            .filter(|node| !missing.contains_key(&node.label.id()))
            .map(|node| Reverse((node.role != Role::Source, node.label.id())))
            .collect();
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some(Reverse((_, node))) = open.pop() {
            order.push(node);
            for to in next.remove(&node).into_iter().flatten() {
                if let Some(count) = missing.get_mut(&to) {
                    *count -= 1;
                    if *count == 0 {
                        open.push(Reverse((true, to)));
                    }
                }
            }
        }
        // None are left: only feedback closes a cycle. A node that is missing would be worse than one
        // in the wrong place.
        let seen: HashSet<_> = order.iter().copied().collect();
        let rest = self.nodes.iter().map(|node| node.label.id());
        order.extend(rest.filter(|id| !seen.contains(id)));
        order
    }

    fn outgoing(&self, node: NodeId) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |edge| edge.from == node)
    }

    /// Whether elements that pass `from` can come to `to`.
    pub(crate) fn reaches(&self, from: NodeId, to: NodeId) -> bool {
        self.search(from, to, |_| true)
    }

    /// Whether edges that `crosses` lets pass lead from one to the other.
    pub(super) fn search(&self, from: NodeId, to: NodeId, crosses: impl Fn(&Edge) -> bool) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            if node == to {
                return true;
            }
            if seen.insert(node) {
                let on = self.outgoing(node).filter(|edge| crosses(edge));
                open.extend(on.map(|edge| edge.to));
            }
        }
        false
    }

    /// Where the elements of input `port` of `node` come from: the nearest node above that has a name,
    /// or is not just an operator in a run.
    pub(super) fn named_above(&self, node: NodeId, port: u32) -> Option<Arc<Label>> {
        let mut edge = self.edges.iter().find(|e| e.to == node && e.port == port)?;
        loop {
            let above = self.nodes.iter().find(|n| n.label.id() == edge.from)?;
            let on = self.edges.iter().find(|e| e.to == edge.from && !e.feedback);
            match on {
                Some(on) if above.label.name().is_none() && above.role == Role::Operator => {
                    edge = on;
                }
                _ => return Some(above.label.clone()),
            }
        }
    }

    /// All nodes from which elements can reach input `port` of `node`.
    pub(crate) fn feeders(&self, node: NodeId, port: u32) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut open: Vec<NodeId> = self
            .edges
            .iter()
            .filter(|edge| edge.to == node && edge.port == port)
            .map(|edge| edge.from)
            .collect();
        while let Some(node) = open.pop() {
            if !found.contains(&node) {
                found.push(node);
                open.extend(self.edges.iter().filter(|e| e.to == node).map(|e| e.from));
            }
        }
        found
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for edge in &self.edges {
            let title = |id: NodeId| {
                self.nodes
                    .iter()
                    .find(|node| node.label.id() == id)
                    .map_or("?", |node| node.label.title())
            };
            writeln!(f, "{} -> {}", title(edge.from), title(edge.to))?;
        }
        Ok(())
    }
}
