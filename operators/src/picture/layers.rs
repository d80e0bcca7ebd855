//! From the graph to layers: cycles opened, each node below all that it hangs from, and long edges
//! led through every layer that they pass.

use std::collections::{HashMap, VecDeque};

use crate::engine::{Edge, NodeId, Topology};

/// What stands in a layer: a node's box, or the place where an edge passes through.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) layer: usize,
    /// The index of the node in the topology; `None` where an edge passes.
    pub(super) node: Option<usize>,
    /// Neighbours in the layer above, one for each edge.
    pub(super) above: Vec<usize>,
    /// Neighbours in the layer below, one for each edge.
    pub(super) below: Vec<usize>,
}

/// An edge as the items it leads through, from the layer above down.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) edge: Edge,
    pub(super) items: Vec<usize>,
    /// It leads up, and was turned round to open a cycle.
    pub(super) reversed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) items: Vec<Item>,
    pub(super) routes: Vec<Route>,
}

/// An edge between nodes by index, turned round where it closed a cycle.
struct Arc {
    upper: usize,
    lower: usize,
    edge: Edge,
    reversed: bool,
}

impl Layers {
    pub(super) fn new(topology: &Topology) -> Layers {
        let arcs = opened(topology);
        let layers = ranked(topology.nodes().len(), &arcs);
        let mut made = Layers {
            items: layers
                .iter()
                .enumerate()
                .map(|(node, &layer)| Item::new(layer, Some(node)))
                .collect(),
            routes: Vec::with_capacity(arcs.len()),
        };
        for arc in arcs {
            let mut items = vec![arc.upper];
            for layer in layers[arc.upper] + 1..layers[arc.lower] {
                items.push(made.items.len());
                made.items.push(Item::new(layer, None));
            }
            items.push(arc.lower);
            for pair in items.windows(2) {
                made.items[pair[0]].below.push(pair[1]);
                made.items[pair[1]].above.push(pair[0]);
            }
            made.routes.push(Route {
                edge: arc.edge,
                items,
                reversed: arc.reversed,
            });
        }
        made
    }

    /// The items of each part of the graph that hangs together, each in the order of its first node.
    pub(super) fn parts(&self) -> Vec<Vec<usize>> {
        let mut part = vec![usize::MAX; self.items.len()];
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for first in 0..self.items.len() {
            if part[first] != usize::MAX {
                continue;
            }
            let mut members = vec![first];
            part[first] = parts.len();
            let mut next = 0;
            while let Some(&item) = members.get(next) {
                next += 1;
                for &other in self.items[item].above.iter().chain(&self.items[item].below) {
                    if part[other] == usize::MAX {
                        part[other] = parts.len();
                        members.push(other);
                    }
                }
            }
            parts.push(members);
        }
        parts
    }
}

impl Item {
    fn new(layer: usize, node: Option<usize>) -> Item {
        Item {
            layer,
            node,
            above: Vec::new(),
            below: Vec::new(),
        }
    }
}

/// The edges, those of `connect` turned round that would close a cycle: no others can.
fn opened(topology: &Topology) -> Vec<Arc> {
    let index: HashMap<NodeId, usize> = topology
        .nodes()
        .iter()
        .enumerate()
        .map(|(index, node)| (node.label().id(), index))
        .collect();
    let mut arcs = Vec::with_capacity(topology.edges().len());
    let mut below = vec![Vec::new(); index.len()];
    let (back, straight): (Vec<&Edge>, Vec<&Edge>) =
        topology.edges().iter().partition(|edge| edge.feedback);
    for edge in straight.into_iter().chain(back) {
        let (Some(&from), Some(&to)) = (index.get(&edge.from), index.get(&edge.to)) else {
            continue;
        };
        let reversed = edge.feedback && reaches(&below, to, from);
        let (upper, lower) = if reversed { (to, from) } else { (from, to) };
        if upper != lower {
            below[upper].push(lower);
            arcs.push(Arc {
                upper,
                lower,
                edge: *edge,
                reversed,
            });
        }
    }
    arcs
}

fn reaches(below: &[Vec<usize>], from: usize, to: usize) -> bool {
    let mut seen = vec![false; below.len()];
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        if node == to {
            return true;
        }
        if !std::mem::replace(&mut seen[node], true) {
            open.extend(&below[node]);
        }
    }
    false
}

/// The layer of each node: below all that it hangs from, and sources right above what they feed.
fn ranked(nodes: usize, arcs: &[Arc]) -> Vec<usize> {
    let mut below = vec![Vec::new(); nodes];
    let mut missing = vec![0_usize; nodes];
    for arc in arcs {
        below[arc.upper].push(arc.lower);
        missing[arc.lower] += 1;
    }
    let roots: Vec<usize> = (0..nodes).filter(|&node| missing[node] == 0).collect();
    let mut layers = vec![0; nodes];
    let mut open = VecDeque::from(roots.clone());
    while let Some(node) = open.pop_front() {
        for &lower in &below[node] {
            layers[lower] = layers[lower].max(layers[node] + 1);
            missing[lower] -= 1;
            if missing[lower] == 0 {
                open.push_back(lower);
            }
        }
    }
    for root in roots {
        if let Some(first) = below[root].iter().map(|&lower| layers[lower]).min() {
            layers[root] = first - 1;
        }
    }
    layers
}
