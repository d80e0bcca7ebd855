//! The node table: what the graph knows of each node, and what it counts there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::cell::Station;
use super::census::{Counts, Loss};
use super::context::Cx;
use super::ending::Upstream;
use super::inlet::{Inlet, bits};
use super::lineage::Lost;
use super::pressure::{Blocked, WaitKey};
use super::topology::{Label, NodeId, Role};
use super::waking::NodeWaker;
use super::within::RunId;

/// What the graph knows of one node.
pub(crate) struct NodeState {
    pub(crate) id: NodeId,
    pub(crate) label: Arc<Label>,
    pub(crate) role: Role,
    pub(crate) counts: Counts,
    /// Who waits for it, as its last census says.
    pub(crate) blocked_since: Option<Blocked>,
    pub(crate) station: Option<Arc<dyn Station>>,
    /// The station is lent to a tick that is under way.
    pub(super) at_work: bool,
    pub(crate) inlet: Option<Arc<dyn Inlet>>,
    pub(crate) waker: Option<Arc<NodeWaker>>,
    /// The holders downstream that make this origin wait.
    pub(super) waits: SmallVec<[WaitKey; 2]>,
    /// An end that has not seen its close.
    pub(crate) open: bool,
    /// A fork that has passed its close on.
    pub(crate) closed: bool,
    /// Of a fork: it is being discarded. What is hung from it until it is gone hears a close.
    pub(super) discarded: bool,
    /// Whether the node shows in snapshots.
    pub(crate) counted: bool,
    /// What the node holds moves only when more elements come, or somebody outside of the graph
    /// takes it, and not with time.
    pub(crate) rests: bool,
    /// What it holds has gone on before, or is somebody else's to take: nothing is lost with it.
    pub(crate) copies: bool,
    /// It is in a cell, and all the same never pushes unless it is pushed into.
    pub(crate) passive: bool,
    /// The run within a node that it belongs to.
    pub(super) within: Option<RunId>,
    /// What is let go once the node has had enough: see [`Cx::finish`].
    pub(super) upstream: Option<Box<Upstream>>,
    /// Somebody below has had enough, and this goes as soon as the push under way is over.
    pub(super) leaving: bool,
    /// Its run is over, and it stays until it says that it goes.
    pub(super) stays: bool,
    /// A fork whose branches have all had enough.
    pub(super) sated: bool,
    pub(super) ready: bool,
    pub(super) visited: u32,
}

impl NodeState {
    pub(crate) fn new(label: Arc<Label>, role: Role) -> NodeState {
        NodeState {
            id: label.id(),
            label,
            role,
            counts: Counts::default(),
            blocked_since: None,
            station: None,
            at_work: false,
            inlet: None,
            waker: None,
            waits: SmallVec::new(),
            open: role == Role::End,
            closed: false,
            discarded: false,
            counted: role != Role::Operator,
            rests: matches!(role, Role::Join | Role::OrderedJoin),
            copies: false,
            passive: false,
            within: None,
            upstream: None,
            leaving: false,
            stays: false,
            sated: false,
            ready: false,
            visited: 0,
        }
    }

    /// Whether elements enter the graph here: a source that is open, or a pump that has not ended.
    pub(crate) fn begins(&self) -> bool {
        match &self.inlet {
            Some(inlet) => inlet.state().load(Ordering::Relaxed) & bits::CLOSED == 0,
            None => self.role == Role::Source && self.is_station(),
        }
    }

    /// Whether the graph itself enters it.
    fn is_station(&self) -> bool {
        self.station.is_some() || self.at_work
    }

    /// How many holders downstream make this origin wait.
    pub(crate) fn waits_for(&self) -> u32 {
        self.waits.len() as u32
    }

    /// Whether the node may push without being pushed into: it begins, or it holds for a time.
    pub(crate) fn may_begin(&self) -> bool {
        let holds = self.role == Role::Operator && self.is_station();
        self.begins() || (holds && !self.passive)
    }
}

impl Cx {
    /// Puts a node into the table, at its place.
    pub(crate) fn add_node(&mut self, node: NodeState) {
        let at = node.id.index();
        if self.nodes.len() <= at {
            self.nodes.resize_with(at + 1, || None);
        }
        self.nodes[at] = Some(node);
    }

    #[inline]
    pub(crate) fn node(&mut self, id: NodeId) -> Option<&mut NodeState> {
        self.nodes
            .get_mut(id.index())?
            .as_mut()
            .filter(|node| node.id == id)
    }

    /// The counts of a node, to count something: from then on it is in snapshots. Of a node that is
    /// gone, those of all that are.
    pub(crate) fn counts(&mut self, id: NodeId) -> Option<&mut Counts> {
        match self.nodes.get_mut(id.index()) {
            Some(Some(node)) if node.id == id => {
                node.counted = true;
                Some(&mut node.counts)
            }
            _ => Some(&mut self.gone.counts),
        }
    }

    /// Counts elements that an operator discards other than by the user's predicate.
    pub(crate) fn lose(&mut self, id: NodeId, loss: Loss, count: usize) {
        if let Some(counts) = self.counts(id) {
            counts.lose(loss, count as u64);
        }
    }

    /// As [`lose`](Cx::lose), of the element under way: its lineage fails.
    pub(crate) fn lose_current(&mut self, id: NodeId, loss: Loss) {
        self.token.fail(Lost::Discarded);
        self.lose(id, loss, 1);
    }

    /// A node's turn in a census.
    pub(crate) fn take_census(&mut self, id: NodeId, write: impl FnOnce(&mut NodeState)) {
        if let Some(node) = self.node(id) {
            node.counted = true;
            write(node);
        }
    }
}
