//! Snapshots: what a graph holds at one moment, and who waits for whom.

use std::sync::Arc;
use std::time::Duration;

use super::census::{Counts, Gone, Loss};
use super::clock::Time;
use super::context::Cx;
use super::error::Failure;
use super::lineage::Token;
use super::node::NodeState;
use super::push::Signal;
use super::topology::{Label, NodeId, Topology};

/// One node of a [`Snapshot`].
#[derive(Clone, Debug)]
pub struct NodeSnapshot {
    pub(crate) label: Arc<Label>,
    /// What it counted.
    pub counts: Counts,
    /// Since when an origin waits for this node, on the graph's clock.
    pub blocked_since: Option<Time>,
    /// Tasks and threads that wait in `send` for room at this source, or until what they sent is in the
    /// graph.
    pub senders: usize,
    /// Since when the oldest element may have waited in the shards of this [`Sharded`](crate::Sharded)
    /// source, on the graph's clock; `None` where there is none, and for other nodes.
    pub oldest: Option<Time>,
    /// What each input of this join holds; empty for other nodes.
    pub inputs: Vec<JoinInput>,
    /// Futures and blocking closures under way.
    pub in_flight: usize,
    /// Since when no future has finished, while there are some.
    pub in_flight_since: Option<Time>,
}

/// One input of a join, in a [`NodeSnapshot`].
#[derive(Clone, Debug)]
pub struct JoinInput {
    /// Where its elements come from: the nearest node above that has a name, or a source, a shared
    /// node or a join.
    pub from: Option<Arc<Label>>,
    /// How many elements it holds. A join emits once all its inputs hold one.
    pub held: usize,
}

/// An origin that waits for a holder, in a [`Snapshot`]. While it does, `emit` into it returns `Full`
/// and `send` waits, where it is a source; others hold what they have.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Who waits: a source, or a holder that was draining.
    pub origin: Arc<Label>,
    /// Who is full.
    pub holder: Arc<Label>,
    /// Since when, on the graph's clock.
    pub since: Time,
}

/// What a graph held and had counted at one moment. Printed, it answers "why is it stuck?": first in
/// sentences, then in a table, 80 columns wide.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let lines = graph.source::<&str>().named("lines");
/// let _other = graph.source::<&str>();
/// lines.buffer(2).named("queue").sink(drop).named("out");
/// lines.emit_all(["a", "b"])?;
/// let snapshot = graph.snapshot()?;
/// assert_eq!(snapshot.waits[0].origin.title(), "lines");
/// assert_eq!(snapshot.waits[0].holder.title(), "queue");
/// assert!(snapshot.to_string().starts_with("`lines` waits for `queue`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The moment, on the graph's clock.
    pub at: Time,
    /// All nodes that count: sources, junctions, holders, ends. In the order in which elements come
    /// to them: sources first, and each node behind all that it hangs from.
    pub nodes: Vec<NodeSnapshot>,
    /// What nodes that are gone had counted.
    pub gone: Gone,
    /// Who waits for whom, those that wait longest first.
    pub waits: Vec<Wait>,
    /// The failure that stopped the graph, under [`OnError::Stop`](crate::OnError::Stop).
    pub stopped: Option<Failure>,
    /// Whether the graph needs a driver and has none: then sources refuse elements. One that has ended needs none.
    pub undriven: bool,
    /// The earliest deadline that is set; one in the past waits for a driver.
    pub next_deadline: Option<Time>,
    /// Age of the oldest tracked element that is not done.
    pub oldest_unacknowledged: Option<Duration>,
}

impl NodeSnapshot {
    /// Kind, name and place of the node.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// Whether this is a join that holds something and can't emit it, since an input is empty.
    #[must_use]
    pub fn is_starved(&self) -> bool {
        self.inputs.iter().any(|input| input.held > 0)
            && self.inputs.iter().any(|input| input.held == 0)
    }
}

impl Snapshot {
    /// The node with this identity.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&NodeSnapshot> {
        self.nodes.iter().find(|node| node.label.id() == id)
    }

    /// The first node whose name, or kind where it has none, is `title`.
    #[must_use]
    pub fn named(&self, title: &str) -> Option<&NodeSnapshot> {
        self.nodes.iter().find(|node| node.label.title() == title)
    }

    /// Elements discarded anywhere, other than by the user's own predicates.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let nodes = self.nodes.iter().map(|node| node.counts.dropped());
        nodes.sum::<u64>() + self.gone.counts.dropped()
    }

    /// Elements discarded anywhere for this reason, other than by the user's own predicates.
    #[must_use]
    pub fn lost(&self, reason: Loss) -> u64 {
        let nodes = self.nodes.iter().map(|node| node.counts.lost(reason));
        nodes.sum::<u64>() + self.gone.counts.lost(reason)
    }

    /// Elements that failed anywhere.
    #[must_use]
    pub fn failed(&self) -> u64 {
        let nodes = self.nodes.iter().map(|node| node.counts.failed);
        nodes.sum::<u64>() + self.gone.counts.failed
    }

    /// Attempts that were made again anywhere, under [`Retry`](crate::Retry).
    #[must_use]
    pub fn retried(&self) -> u64 {
        let nodes = self.nodes.iter().map(|node| node.counts.retried);
        nodes.sum::<u64>() + self.gone.counts.retried
    }

    /// Failures that a `dead_letter` handed over to its source, anywhere.
    #[must_use]
    pub fn dead_lettered(&self) -> u64 {
        let nodes = self.nodes.iter().map(|node| node.counts.dead_lettered);
        nodes.sum::<u64>() + self.gone.counts.dead_lettered
    }

    /// Elements held anywhere.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.nodes.iter().map(|node| node.counts.held).sum()
    }
}

impl Cx {
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        self.broadcast(Signal::Census);
        let at = self.clock.read();
        while self.tracked.front().is_some_and(|(w, _)| !w.is_alive()) {
            self.tracked.pop_front();
        }
        let topology = match self.topology.lock() {
            Ok(topology) => topology.clone(),
            Err(_) => Topology::default(),
        };
        let order = topology.in_flow_order();
        let instances = self.instances();
        let (mut nodes, mut waits) = (Vec::new(), Vec::new());
        for id in &order {
            let alike = instances.get(id).map_or(&[][..], Vec::as_slice);
            waits.extend(self.waits_at(*id, alike));
            if let Some(counts) = self.counts_shown(*id, alike) {
                nodes.push(self.node_snapshot(*id, alike, counts, &topology));
            }
        }
        waits.sort_by_key(|wait| wait.since);
        let undriven = !self.driven
            && !self.is_finished()
            && self
                .inlet_bits()
                .iter()
                .any(|(bit, on)| *on && *bit == super::inlet::bits::UNDRIVEN);
        Snapshot {
            at,
            nodes: nodes.into_iter().flatten().collect(),
            gone: self.gone,
            waits,
            stopped: self.inbox.stopped.get().cloned(),
            undriven,
            next_deadline: self.timers.next(),
            oldest_unacknowledged: self.tracked.front().map(|(_, since)| at - *since),
        }
    }

    /// A node as it is shown, where it stands for others with what those hold.
    fn node_snapshot(
        &mut self,
        id: NodeId,
        alike: &[NodeId],
        mut counts: Counts,
        topology: &Topology,
    ) -> Option<NodeSnapshot> {
        let node = self.node(id)?;
        let label = node.label.clone();
        let (mut senders, mut oldest) = (0, None);
        if let Some(inlet) = &node.inlet {
            // What was accepted and waits for the graph is held by its source.
            counts.held = inlet.waiting() as u64;
            senders = inlet.senders();
            oldest = inlet.oldest();
        }
        let waits = self.waits_at(id, alike);
        let (mut inputs, mut in_flight, mut since) = (Vec::new(), 0, None);
        for id in std::iter::once(&id).chain(alike) {
            let Some(station) = self.node(*id).and_then(|node| node.station.clone()) else {
                continue;
            };
            for (port, held) in station.inputs(self).into_iter().enumerate() {
                if inputs.len() <= port {
                    inputs.push(0);
                }
                inputs[port] += held;
            }
            if let Some((count, quiet)) = station.in_flight(self) {
                in_flight += count;
                since = since.max(Some(quiet));
            }
        }
        let inputs = inputs.into_iter().enumerate();
        Some(NodeSnapshot {
            inputs: inputs
                .map(|(port, held)| JoinInput {
                    from: topology.named_above(id, port as u32),
                    held,
                })
                .collect(),
            label,
            counts,
            blocked_since: waits.into_iter().map(|wait| wait.since).min(),
            senders,
            oldest,
            in_flight,
            in_flight_since: since,
        })
    }

    /// Who waits for this node, and for those that it is shown for. The census is fresh.
    fn waits_at(&mut self, id: NodeId, alike: &[NodeId]) -> Vec<Wait> {
        let mut waits = Vec::new();
        for id in std::iter::once(&id).chain(alike) {
            let Some(node) = self.node(*id) else { continue };
            let holder = node.label.shown().clone();
            let crowd = node.inlet.as_ref().and_then(|inlet| inlet.crowd());
            let blocked = node.blocked_since.clone();
            for blocked in blocked.iter().chain(&crowd) {
                for (origin, since) in blocked.each_origin() {
                    let waits_here = |node: &&mut NodeState| node.waits.contains(&blocked.key);
                    if let Some(origin) = self.node(origin).filter(waits_here) {
                        waits.push(Wait {
                            origin: origin.label.shown().clone(),
                            holder: holder.clone(),
                            since,
                        });
                    }
                }
            }
        }
        waits
    }

    /// Remembers when a tracked element came in.
    pub(crate) fn track(&mut self, token: &Token) {
        let now = self.now();
        if self.tracked.len() == self.tracked.capacity() {
            self.tracked.retain(|(watch, _)| watch.is_alive());
        }
        self.tracked.push_back((token.watch(), now));
    }
}
