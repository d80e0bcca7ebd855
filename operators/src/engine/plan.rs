//! Building, in two phases: a plan is made without the lock, then installed in one hold of it.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use super::cell::{Cell, Node, Station};
use super::context::{Cx, NodeState};
use super::fork::{BranchId, Mail};
use super::graph::Graph;
use super::inbox::Entry;
use super::inlet::Inlet;
use super::push::{Push, Tail};
use super::topology::{Edge, Label, NodeId, Role, Site, TopologyNode};
use super::within::{self, RunId};

/// Closes a boxed `Tail<T>`, for when there is no fork that knows its type.
type CloseTail = fn(Box<dyn Any + Send>, &mut Cx);

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
    branches: Vec<(NodeId, BranchId, Box<dyn Any + Send>, CloseTail)>,
    starts: Vec<NodeId>,
    passive: Vec<NodeId>,
    has_timers: bool,
    has_futures: bool,
    pumps: usize,
    led: bool,
    /// Part of a run within a node, which is being built.
    within: bool,
}

impl Plan {
    pub(crate) fn new(graph: &Graph) -> Plan {
        Plan {
            within: within::is_building(graph),
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
            starts: Vec::new(),
            passive: Vec::new(),
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
            true => within::instance(site, role, name.clone()),
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

    pub(super) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    pub(super) fn pumps(&self) -> bool {
        self.pumps > 0
    }

    pub(super) fn has_stations(&self) -> bool {
        !self.stations.is_empty()
    }

    /// The forks it hangs from, with its branches there.
    pub(super) fn hangs(&self) -> impl Iterator<Item = (NodeId, BranchId)> {
        self.branches
            .iter()
            .map(|(fork, branch, ..)| (*fork, *branch))
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

    /// Ends the building: the run hangs from this fork.
    pub(crate) fn hang<T: Send + 'static>(&mut self, fork: NodeId, run: impl Push<T>) {
        self.edge_from(fork);
        let tail: Tail<T> = Box::new(run);
        self.branches
            .push((fork, BranchId::fresh(), Box::new(tail), close_tail::<T>));
    }

    /// Makes it part of the graph. From inside a closure of the graph it is left in the inbox.
    pub(crate) fn install(self) -> Branch {
        let graph = self.graph.clone();
        let branch = Branch {
            heads: self.branches.iter().map(|(f, b, ..)| (*f, *b)).collect(),
            end: self.nodes.first().map(|node| node.label.clone()),
            nodes: match self.pumps {
                // What is within a node goes with it.
                _ if self.within => Arc::default(),
                0 => self.nodes.iter().map(|node| node.label.id()).collect(),
                // A pump has an end of its own to come to.
                _ => Arc::default(),
            },
            graph: graph.clone(),
        };
        if self.within {
            within::gather(self);
        } else {
            graph.change(move |cx| self.apply(cx));
        }
        branch
    }

    fn apply(mut self, cx: &mut Cx) {
        if let Ok(mut topology) = cx.topology.lock() {
            topology.nodes.append(&mut self.nodes.clone());
            topology.edges.append(&mut self.edges);
            topology.bypass.extend(self.bypass.drain(..));
        }
        let closers = self.register(None, cx);
        cx.epoch = cx.epoch.wrapping_add(1);
        if !closers.is_empty() {
            tell_late(closers, cx);
        }
        if cx.shut {
            cx.close_all();
        }
    }

    /// Makes it part of the graph in the middle of a push, as part of the run `id` within a node.
    /// `outside` says whether the run hangs from a fork that is not its own.
    pub(super) fn apply_within(self, id: RunId, outside: bool, cx: &mut Cx) {
        let pumps = self.pumps > 0;
        let closers = self.register(Some(id), cx);
        if outside {
            cx.epoch = cx.epoch.wrapping_add(1);
        }
        let shut = cx.shut && pumps;
        if shut || !closers.is_empty() {
            // Other nodes may be under way.
            cx.inbox.leave(Entry::Task(Box::new(move |cx| {
                tell_late(closers, cx);
                if shut {
                    cx.close_all();
                }
            })));
            cx.todo = true;
        }
    }

    /// Writes it into the graph's tables. Returns the forks it hangs from that have closed already.
    fn register(self, run: Option<RunId>, cx: &mut Cx) -> HashMap<NodeId, CloseTail> {
        let inlet_bits = cx.inlet_bits();
        for node in &self.nodes {
            let mut state = NodeState::new(node.label.clone(), node.role);
            state.run = run;
            cx.put_node(state);
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
        cx.open_sources += self.inlets.len();
        for (id, inlet) in &self.inlets {
            if let Some(node) = cx.node(*id) {
                node.inlet = Some(inlet.clone());
            }
        }
        let mut forks: HashMap<NodeId, Vec<Mail>> = HashMap::new();
        let mut closers = HashMap::new();
        for (fork, branch, tail, close) in self.branches {
            closers.insert(fork, close);
            forks
                .entry(fork)
                .or_default()
                .push(Mail::Attach(branch, tail));
        }
        for (fork, mail) in forks {
            if !cx.node(fork).is_some_and(|node| node.closed) {
                closers.remove(&fork);
            }
            cx.mail.entry(fork).or_default().extend(mail);
        }
        cx.has_timers |= self.has_timers;
        cx.has_futures |= self.has_futures;
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
        closers
    }
}

/// A branch of a fork that is closed already has to hear of it.
fn tell_late(closers: HashMap<NodeId, CloseTail>, cx: &mut Cx) {
    cx.broadcast(super::push::Signal::Settle);
    for (fork, close) in closers {
        // The fork is gone, with the branch it was the end of: nobody else tells them.
        if cx.node(fork).is_some_and(|node| node.closed) {
            for mail in cx.mail.remove(&fork).unwrap_or_default() {
                if let Mail::Attach(_, tail) = mail {
                    close(tail, cx);
                }
            }
        }
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Plan(..)")
    }
}

fn close_tail<T: 'static>(tail: Box<dyn Any + Send>, cx: &mut Cx) {
    if let Ok(mut tail) = tail.downcast::<Tail<T>>() {
        tail.signal(super::push::Signal::Close, cx);
    }
}

/// A run that was connected: from the junctions it hangs from down to its end.
///
/// Dropping the handle changes nothing.
#[derive(Clone)]
pub struct Branch {
    graph: Graph,
    heads: Vec<(NodeId, BranchId)>,
    end: Option<Arc<Label>>,
    /// What goes with the branch, once it has closed.
    nodes: Arc<[NodeId]>,
}

impl Branch {
    /// Names the run's end, unless it has a name.
    pub fn named(self, name: impl Into<String>) -> Branch {
        if let Some(end) = &self.end {
            end.set_name(name.into());
        }
        self
    }

    /// Takes the run off its junctions. What it held is emitted as at a close, and then its nodes go;
    /// other branches go on. Its counts stay in snapshots.
    pub fn disconnect(self) {
        let Branch {
            heads, end, nodes, ..
        } = self;
        self.graph.change(move |cx| {
            for (fork, branch) in heads {
                cx.mail.entry(fork).or_default().push(Mail::Detach(branch));
            }
            cx.epoch = cx.epoch.wrapping_add(1);
            cx.broadcast(super::push::Signal::Settle);
            if let Some(end) = end {
                cx.departing.push((end.id(), nodes));
                cx.todo = true;
            }
        });
    }
}

impl std::fmt::Debug for Branch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Branch")
            .field("end", &self.end.as_ref().map(|end| end.title()))
            .finish_non_exhaustive()
    }
}
