//! The graph as data: its nodes with their names and places, and the edges between them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, OnceLock};

/// Identifies a node within its graph.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
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
}

impl Label {
    pub(crate) fn new(id: NodeId, site: Site, name: Option<String>) -> Label {
        let label = Label {
            id,
            site,
            name: OnceLock::new(),
            shown: None,
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
        }
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
#[derive(Clone, Debug, Default)]
pub struct Topology {
    pub(crate) nodes: Vec<TopologyNode>,
    pub(crate) edges: Vec<Edge>,
    /// Edges that stand for runs within a node until there is one.
    pub(crate) bypass: HashMap<NodeId, NodeId>,
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

    /// The graph in the DOT language of Graphviz.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let numbers = graph.source::<u32>();
    /// numbers.map(|x| x + 1).named("next").sink(drop);
    /// let dot = graph.topology().to_dot();
    /// assert!(dot.starts_with("digraph headwater {"));
    /// assert!(dot.contains("next"));
    /// ```
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph headwater {\n  rankdir=LR;\n");
        for node in &self.nodes {
            let shape = match node.role {
                Role::Source => "invhouse",
                Role::Operator => "box",
                Role::Shared => "circle",
                Role::Join | Role::OrderedJoin => "triangle",
                Role::End => "house",
            };
            let label = match node.label.name() {
                Some(name) => format!("{name}\n{}", node.label.kind()),
                None => node.label.kind().to_owned(),
            };
            dot.push_str(&format!(
                "  n{} [shape={shape}, label={label:?}];\n",
                node.label.id().0
            ));
        }
        for edge in &self.edges {
            let style = if edge.feedback { " [style=dashed]" } else { "" };
            dot.push_str(&format!("  n{} -> n{}{style};\n", edge.from.0, edge.to.0));
        }
        dot.push_str("}\n");
        dot
    }

    /// Whether whole batches may cross a fork one branch after the other: not if two branches meet
    /// again at different inputs of a join whose output depends on how elements interleave.
    pub(crate) fn batches_may_cross(&self, fork: NodeId) -> bool {
        let heads: Vec<NodeId> = self.outgoing(fork).map(|edge| edge.to).collect();
        if heads.len() < 2 || !self.nodes.iter().any(|n| n.role == Role::OrderedJoin) {
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
        let mut seen = HashSet::new();
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            if node == to {
                return true;
            }
            if seen.insert(node) {
                open.extend(self.outgoing(node).map(|edge| edge.to));
            }
        }
        false
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
