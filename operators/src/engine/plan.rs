//! Building, in two phases: a plan is made without the lock, then installed in one hold of it.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use super::branch::Branch;
use super::cell::{Cell, Node, Station};
use super::context::Cx;
use super::ending::Upstream;
use super::fork::{BranchId, Mail, Of, close_tail};
use super::graph::Graph;
use super::inbox::Entry;
use super::inlet::Inlet;
use super::lineage::Token;
use super::node::NodeState;
use super::nursery;
use super::push::{Push, Signal, Tail};
use super::runs::{Hanging, ItemType, RunRecord};
use super::topology::{Edge, Label, NodeId, Role, Site, TopologyNode};
use super::within::RunId;

/// What a run adds to its graph: nodes, edges, branches. Filled from the run's end backwards.
pub struct Plan {
    graph: Graph,
    /// The input that the operator built next leads to.
    below: Option<(NodeId, u32)>,
    name: Option<String>,
    nodes: Vec<TopologyNode>,
    edges: Vec<Edge>,
    bypass: Vec<(NodeId, NodeId)>,
    stations: Vec<(NodeId, Arc<dyn Station>)>,
    inlets: Vec<(NodeId, Arc<dyn Inlet>)>,
    branches: Vec<(Hanging, Mail)>,
    /// Handles of what it hangs from, which are to live until it does.
    kept: Vec<Arc<dyn Any + Send + Sync>>,
    starts: Vec<NodeId>,
    passive: Vec<NodeId>,
    /// Nodes that may have had enough early, with what was built in front of each.
    fronts: Vec<Front>,
    at_once: Vec<AtOnce>,
    has_timers: bool,
    has_futures: bool,
    pumps: usize,
    led: bool,
    /// Part of a run within a node, which is being built.
    within: bool,
}

/// What is done as soon as the run is connected.
type AtOnce = Box<dyn FnOnce(&mut Cx) + Send>;

/// The nodes and the branches that were built in front of a node, by where they stand in the plan.
struct Front {
    node: NodeId,
    nodes: Range<usize>,
    branches: Range<usize>,
}

impl Plan {
    pub(crate) fn new(graph: &Graph) -> Plan {
        Plan {
            within: nursery::is_building(graph),
            ..Plan::apart(graph)
        }
    }

    /// A plan that belongs to no run within a node, wherever it is made.
    pub(crate) fn apart(graph: &Graph) -> Plan {
        Plan {
            graph: graph.clone(),
            below: None,
            name: None,
            nodes: Vec::new(),
            edges: Vec::new(),
            bypass: Vec::new(),
            stations: Vec::new(),
            inlets: Vec::new(),
            branches: Vec::new(),
            kept: Vec::new(),
            starts: Vec::new(),
            passive: Vec::new(),
            fronts: Vec::new(),
            at_once: Vec::new(),
            has_timers: false,
            has_futures: false,
            pumps: 0,
            led: false,
            within: false,
        }
    }

    /// The next node that is added gets this name, unless a later `.named` gave it one.
    pub(crate) fn name(&mut self, name: String) {
        self.name.get_or_insert(name);
    }

    /// As [`node`](Plan::node), for an operator of several nodes: the name is for another.
    pub(crate) fn unnamed_node(&mut self, site: Site, role: Role) -> Arc<Label> {
        let name = self.name.take();
        let label = self.node(site, role);
        self.name = name;
        label
    }

    /// Adds a node in front of what was built so far.
    pub(crate) fn node(&mut self, site: Site, role: Role) -> Arc<Label> {
        let name = self.name.take();
        let label = match self.within {
            true => nursery::instance(site, role, name.clone()),
            false => None,
        };
        let label =
            label.unwrap_or_else(|| Arc::new(Label::new(self.graph.fresh_id(), site, name)));
        let id = label.id();
        self.nodes.push(TopologyNode {
            label: label.clone(),
            role,
        });
        self.edge_from(id);
        self.below = Some((id, 0));
        label
    }

    /// What is built next leads to input `port` of `node`.
    pub(crate) fn at_port(&mut self, node: &Label, port: u32) {
        self.below = Some((node.id(), port));
    }

    /// What was built begins within this node, which keeps it.
    pub(crate) fn begin_within(&mut self, node: NodeId) {
        self.edge_from(node);
    }

    /// Until there is a run within the node `from`, it leads straight to `to`.
    pub(crate) fn bypass(&mut self, from: &Label, to: &Label) {
        self.bypass.push((from.shown_id(), to.shown_id()));
    }

    pub(super) fn bypasses(&self) -> &[(NodeId, NodeId)] {
        &self.bypass
    }

    pub(super) fn nodes(&self) -> &[TopologyNode] {
        &self.nodes
    }

    /// Those to its junctions too.
    pub(super) fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.edges.iter().chain(self.hangs().map(|head| &head.edge))
    }

    /// How it hangs from junctions.
    pub(super) fn hangs(&self) -> impl Iterator<Item = &Hanging> {
        self.branches.iter().map(|(head, _)| head)
    }

    pub(super) fn pumps(&self) -> bool {
        self.pumps > 0
    }

    pub(super) fn is_timed(&self) -> bool {
        self.has_timers
    }

    pub(super) fn is_polled(&self) -> bool {
        self.has_futures
    }

    pub(super) fn has_stations(&self) -> bool {
        !self.stations.is_empty()
    }

    fn edge_from(&mut self, from: NodeId) {
        if let Some((to, port)) = self.below {
            self.edges.push(Edge {
                from,
                to,
                port,
                feedback: false,
            });
        }
    }

    /// An edge by which elements cross through the graph's queue.
    pub(crate) fn feedback(&mut self, from: NodeId, to: NodeId) {
        self.edges.push(Edge {
            from,
            to,
            port: 0,
            feedback: true,
        });
    }

    /// Puts a node into a cell, where flows, timers and the driver can reach it.
    pub(crate) fn cell<N: Node>(&mut self, label: &Label, node: N) -> Arc<Cell<N>> {
        let cell = Arc::new(Cell::new(self.graph.cell_owner(), node));
        self.stations.push((label.id(), cell.clone()));
        cell
    }

    pub(crate) fn inlet(&mut self, node: NodeId, inlet: Arc<dyn Inlet>) {
        self.inlets.push((node, inlet));
    }

    /// The graph has timers from now on: somebody must call them, a driver or led time.
    pub(crate) fn has_timers(&mut self) {
        self.has_timers = true;
    }

    /// The graph has something to poll from now on, so it can't do without a driver.
    pub(crate) fn has_futures(&mut self) {
        self.has_futures = true;
    }

    /// A stream or an iterator is pumped until it ends.
    pub(crate) fn pump(&mut self) {
        self.pumps += 1;
    }

    /// The graph's clock is led by the elements of a flow.
    pub(crate) fn led(&mut self) {
        self.led = true;
    }

    /// The driver polls this node as soon as it is installed.
    pub(crate) fn start(&mut self, label: &Label) {
        self.starts.push(label.id());
    }

    /// This node is in a cell, and pushes only when it is pushed into: a join that it feeds need not
    /// wait for it.
    pub(crate) fn passive(&mut self, label: &Label) {
        self.passive.push(label.id());
    }

    /// Builds what is in front of a node that may have had enough before it is closed: then it calls
    /// [`Cx::finish`], and what is built here is let go.
    pub(crate) fn in_front_of(&mut self, label: &Label, build: impl FnOnce(&mut Plan)) {
        let (nodes, branches) = (self.nodes.len(), self.branches.len());
        build(self);
        self.fronts.push(Front {
            node: label.id(),
            nodes: nodes..self.nodes.len(),
            branches: branches..self.branches.len(),
        });
    }

    /// To be done as soon as the run is connected, before its first element.
    pub(crate) fn at_once(&mut self, work: impl FnOnce(&mut Cx) + Send + 'static) {
        self.at_once.push(Box::new(work));
    }

    /// The node has enough from the first: it closes `next` as soon as the run is connected. What is
    /// [in front of it](Plan::in_front_of) then ends in [`Nobody`].
    pub(crate) fn finish_at_once<T>(&mut self, label: &Label, mut next: impl Push<T>) {
        let id = label.id();
        self.at_once(move |cx| {
            next.signal(Signal::Close, cx);
            cx.graves.push(Box::new(next));
            cx.finish(id);
        });
    }

    /// What is let go when a node of this plan has had enough.
    fn upstreams(&self) -> Vec<(NodeId, Upstream)> {
        let Some(end) = self.nodes.first().map(|node| node.label.id()) else {
            return Vec::new();
        };
        let upstream = |front: &Front| Upstream {
            run: end,
            heads: self.branches[front.branches.clone()]
                .iter()
                .map(|(head, _)| (head.fork, head.branch))
                .collect(),
            nodes: self.nodes[front.nodes.clone()]
                .iter()
                .map(|node| node.label.id())
                .collect(),
        };
        let fronts = self.fronts.iter();
        fronts.map(|front| (front.node, upstream(front))).collect()
    }

    /// Ends the building: the run hangs from this fork.
    pub(crate) fn hang<T: Send + 'static>(&mut self, fork: NodeId, run: impl Push<T>) {
        let (to, port) = self.below.unwrap_or((fork, 0));
        let hanging = Hanging {
            fork,
            branch: BranchId::fresh(),
            edge: Edge {
                from: fork,
                to,
                port,
                feedback: false,
            },
            item: ItemType::of::<T>(),
        };
        let tail: Tail<T> = Box::new(run);
        let letter = Mail::Attach(hanging.branch, Box::new(tail), close_tail::<T>, Of::Itself);
        self.branches.push((hanging, letter));
    }

    /// Keeps a handle of what the run hangs from until it does.
    pub(crate) fn keep(&mut self, handle: Arc<dyn Any + Send + Sync>) {
        self.kept.push(handle);
    }

    /// Makes it part of the graph. From inside a closure of the graph it is left in the inbox.
    pub(crate) fn install(mut self) -> Branch {
        let graph = self.graph.clone();
        let label = self.nodes.first().map(|node| node.label.clone());
        if self.within {
            nursery::gather(self);
            return Branch::new(graph, label);
        }
        let kept = std::mem::take(&mut self.kept);
        if let (Ok(mut topology), Some(end)) = (graph.core().topology.lock(), &label) {
            let nodes = std::mem::take(&mut self.nodes);
            let record = RunRecord {
                end: end.id(),
                forks: nodes
                    .iter()
                    .map(|node| (node.label.id(), node.role))
                    .filter(|(id, role)| {
                        *role == Role::Shared || self.inlets.iter().any(|(inlet, _)| inlet == id)
                    })
                    .map(|(id, _)| id)
                    .collect(),
                heads: self.branches.iter().map(|(head, _)| head.clone()).collect(),
                nodes: nodes.iter().map(|node| node.label.id()).collect(),
                pumps: self.pumps,
                has_timers: self.has_timers,
                has_futures: self.has_futures,
                hanging: 0,
                reachable: true,
                departing: false,
                finished: false,
            };
            self.nodes.clone_from(&nodes);
            topology.take_in(nodes, std::mem::take(&mut self.edges), record);
            topology.await_runs(self.bypass.drain(..));
            // Before anybody else changes the topology: what happens is in the order it shows.
            graph
                .core()
                .inbox
                .leave(Entry::Task(Box::new(move |cx| self.apply(cx))));
        }
        graph.look_in();
        drop(kept);
        Branch::new(graph, label)
    }

    fn apply(self, cx: &mut Cx) {
        let end = self.nodes.first().map(|node| node.label.id());
        let (forks, at_once) = self.register(None, cx);
        cx.epoch = cx.epoch.wrapping_add(1);
        cx.close_unheard(&forks);
        do_at_once(at_once, cx);
        if let (Some(end), false) = (end, forks.is_empty()) {
            cx.part_if_cut(end);
        }
        if cx.shut {
            cx.close_all();
        }
    }

    /// Makes it part of the graph in the middle of a push, as part of the run `id` within a node.
    /// `outside` says whether the run hangs from a fork that is not its own. Returns what is to be
    /// done as soon as the whole run is part of it.
    pub(super) fn apply_within(self, id: RunId, outside: bool, cx: &mut Cx) -> Vec<AtOnce> {
        let pumps = self.pumps > 0;
        let (mut forks, at_once) = self.register(Some(id), cx);
        if outside {
            cx.epoch = cx.epoch.wrapping_add(1);
            cx.todo = true;
        }
        let closes = cx.shut && pumps;
        forks.retain(|fork| cx.node(*fork).is_none_or(|node| node.closed));
        if closes || !forks.is_empty() {
            // Other nodes may be under way; and a source that the closure made is not there yet.
            cx.inbox.leave(Entry::Task(Box::new(move |cx| {
                cx.close_unheard(&forks);
                if closes {
                    cx.close_all();
                }
            })));
            cx.todo = true;
        }
        at_once
    }

    /// Writes it into the graph's tables. Returns the forks it hangs from, and what is to be done at
    /// once.
    fn register(self, within: Option<RunId>, cx: &mut Cx) -> (Vec<NodeId>, Vec<AtOnce>) {
        let inlet_bits = cx.inlet_bits();
        let upstreams = match self.fronts[..] {
            [] => Vec::new(),
            // What is within a node is given elements by that node, until the whole run goes.
            _ if within.is_some() => Vec::new(),
            _ => self.upstreams(),
        };
        for node in &self.nodes {
            let mut state = NodeState::new(node.label.clone(), node.role);
            state.within = within;
            cx.add_node(state);
            if node.role == Role::End {
                cx.ends += 1;
                cx.open_ends += 1;
            }
        }
        for (id, station) in self.stations {
            if let Some(node) = cx.node(id) {
                node.station = Some(station);
            }
        }
        for id in self.passive {
            if let Some(node) = cx.node(id) {
                node.passive = true;
            }
        }
        for (id, upstream) in upstreams {
            if let Some(node) = cx.node(id) {
                node.upstream = Some(Box::new(upstream));
            }
        }
        cx.open_sources += self.inlets.len();
        for (id, inlet) in &self.inlets {
            if let Some(node) = cx.node(*id) {
                node.inlet = Some(inlet.clone());
            }
        }
        let forks = self.branches.iter().map(|(head, _)| head.fork).collect();
        for (head, mut letter) in self.branches {
            if let Mail::Attach(.., of) = &mut letter
                && within.is_some()
                && cx.node(head.fork).is_none_or(|fork| fork.within != within)
            {
                *of = Of::OneOfMany;
            }
            cx.mail.entry(head.fork).or_default().push(letter);
        }
        cx.timed_runs += usize::from(self.has_timers);
        cx.polled_runs += usize::from(self.has_futures);
        cx.open_pumps += self.pumps;
        if self.led {
            cx.lead();
        }
        if cx.inlet_bits() == inlet_bits {
            // Nothing new for the others: a graph of n sources is not built in n² steps.
            for (_, inlet) in &self.inlets {
                cx.refresh_inlet(&**inlet);
            }
        } else {
            cx.refresh_inlets();
        }
        for id in self.starts {
            cx.wake(id);
        }
        (forks, self.at_once)
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Plan(..)")
    }
}

pub(super) fn do_at_once(works: Vec<AtOnce>, cx: &mut Cx) {
    for work in works {
        cx.with_token(Token::NONE, work);
    }
}
