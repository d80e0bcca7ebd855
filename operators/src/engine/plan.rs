//! Building, in two phases: a plan is made without the lock, then installed in one hold of it.

use std::any::Any;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::cell::{Cell, Node, Station};
use super::context::Cx;
use super::ending::{Beginning, Connected, Upstream};
use super::fork::{BranchId, Mail};
use super::graph::Graph;
use super::inlet::Inlet;
use super::lineage::Token;
use super::node::NodeState;
use super::push::{Push, Signal, Tail};
use super::topology::{Edge, Label, NodeId, Role, Site, TopologyNode};

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
    stations: Vec<(NodeId, Arc<dyn Station>)>,
    inlets: Vec<(NodeId, Arc<dyn Inlet>)>,
    branches: Vec<(NodeId, BranchId, Box<dyn Any + Send>, CloseTail)>,
    starts: Vec<NodeId>,
    /// Nodes that may have had enough early, with what was built in front of each.
    fronts: Vec<Front>,
    at_once: Vec<AtOnce>,
    has_timers: bool,
    has_futures: bool,
    pumps: usize,
    led: bool,
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
            graph: graph.clone(),
            below: None,
            name: None,
            nodes: Vec::new(),
            edges: Vec::new(),
            stations: Vec::new(),
            inlets: Vec::new(),
            branches: Vec::new(),
            starts: Vec::new(),
            fronts: Vec::new(),
            at_once: Vec::new(),
            has_timers: false,
            has_futures: false,
            pumps: 0,
            led: false,
        }
    }

    /// The next node that is added gets this name, unless a later `.named` gave it one.
    pub(crate) fn name(&mut self, name: String) {
        self.name.get_or_insert(name);
    }

    /// Adds a node in front of what was built so far.
    pub(crate) fn node(&mut self, site: Site, role: Role) -> Arc<Label> {
        let id = self.graph.fresh_id();
        let label = Arc::new(Label::new(id, site, self.name.take()));
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
        let branches = self.branches.iter().map(|(_, b, ..)| Beginning::Branch(*b));
        let sources = self.nodes.iter().filter(|node| node.role == Role::Source);
        let pumps = sources.map(|node| Beginning::Pump(node.label.id()));
        // Others may hang from a shared node at any time, and have to hear that it is closed.
        let goes = self.nodes.iter().filter(|node| node.role != Role::Shared);
        let connected = Arc::new(Connected {
            end,
            nodes: goes.map(|node| node.label.id()).collect(),
            beginnings: Mutex::new(branches.chain(pumps).collect()),
        });
        let upstream = |front: &Front| Upstream {
            heads: self.branches[front.branches.clone()]
                .iter()
                .map(|(fork, branch, ..)| (*fork, *branch))
                .collect(),
            nodes: self.nodes[front.nodes.clone()]
                .iter()
                .map(|node| node.label.id())
                .collect(),
            connected: connected.clone(),
        };
        let fronts = self.fronts.iter();
        fronts.map(|front| (front.node, upstream(front))).collect()
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
                0 => self.nodes.iter().map(|node| node.label.id()).collect(),
                // A pump has an end of its own to come to.
                _ => Arc::default(),
            },
            graph: graph.clone(),
        };
        graph.change(move |cx| self.apply(cx));
        branch
    }

    fn apply(self, cx: &mut Cx) {
        let inlet_bits = cx.inlet_bits();
        let upstreams = match self.fronts[..] {
            [] => Vec::new(),
            _ => self.upstreams(),
        };
        for node in &self.nodes {
            cx.nodes
                .insert(NodeState::new(node.label.clone(), node.role));
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
        if let Ok(mut topology) = cx.topology.lock() {
            topology.nodes.extend(self.nodes);
            topology.edges.extend(self.edges);
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
        let mut settle = false;
        for (fork, mail) in forks {
            settle |= cx.node(fork).is_some_and(|node| node.closed);
            cx.mail.entry(fork).or_default().extend(mail);
        }
        cx.epoch = cx.epoch.wrapping_add(1);
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
        if settle {
            // A branch of a fork that is closed already has to hear of it.
            cx.broadcast(Signal::Settle);
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
        for work in self.at_once {
            work(cx);
            cx.token = Token::NONE;
        }
        if cx.shut {
            cx.close_all();
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
        tail.signal(Signal::Close, cx);
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
    /// other branches go on. Its counts stay in snapshots, with those of others that were made at the
    /// same place and have gone.
    pub fn disconnect(self) {
        let Branch {
            heads, end, nodes, ..
        } = self;
        self.graph.change(move |cx| {
            for (fork, branch) in heads {
                cx.mail.entry(fork).or_default().push(Mail::Detach(branch));
            }
            cx.epoch = cx.epoch.wrapping_add(1);
            cx.broadcast(Signal::Settle);
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
