//! The node table: what the graph knows of each node, and what it counts there.

use std::collections::{BTreeSet, HashMap};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cell::Station;
use super::census::{Counts, Loss};
use super::clock::Time;
use super::context::Cx;
use super::ending::Upstream;
use super::inlet::{Inlet, bits};
use super::lineage::Lost;
use super::topology::{Label, NodeId, Role};
use super::waking::NodeWaker;

/// What the graph knows of one node.
pub(crate) struct NodeState {
    pub(crate) label: Arc<Label>,
    pub(crate) role: Role,
    pub(crate) counts: Counts,
    pub(crate) blocked_since: Option<Time>,
    pub(crate) station: Option<Arc<dyn Station>>,
    pub(crate) inlet: Option<Arc<dyn Inlet>>,
    pub(crate) waker: Option<Arc<NodeWaker>>,
    /// How many holders downstream make this origin wait.
    pub(crate) waits_for: u32,
    /// An end that has not seen its close.
    pub(crate) open: bool,
    /// A fork that has passed its close on.
    pub(crate) closed: bool,
    /// Whether the node shows in snapshots.
    pub(crate) counted: bool,
    /// What the node holds moves only when more elements come, or somebody outside of the graph
    /// takes it, and not with time.
    pub(crate) rests: bool,
    /// What is let go once the node has had enough: see [`Cx::finish`].
    pub(super) upstream: Option<Box<Upstream>>,
    /// Somebody below has had enough, and this goes as soon as the push under way is over.
    pub(super) leaving: bool,
    /// Its run is over, and it stays until it says that it goes.
    pub(super) stays: bool,
    pub(super) ready: bool,
    pub(super) visited: u32,
}

/// How many nodes of the table share a page.
const PAGE: usize = 64;

/// All nodes by their number. Numbers are not used twice: a page whose nodes have all gone is given
/// back, so that branches may come and go for as long as they like.
#[derive(Default)]
pub(crate) struct Nodes {
    pages: Vec<Option<Box<[Option<NodeState>]>>>,
    /// Those that are there: what asks all nodes must not take the longer the more have gone.
    in_use: BTreeSet<usize>,
    gone: HashMap<(&'static str, &'static Location<'static>), Gone>,
}

/// What nodes counted that have gone, all of one place in the user's source together.
pub(crate) struct Gone {
    /// Of the first of them.
    pub(crate) label: Arc<Label>,
    pub(crate) role: Role,
    pub(crate) counts: Counts,
}

impl Nodes {
    pub(crate) fn get(&self, id: NodeId) -> Option<&NodeState> {
        let page = self.pages.get(id.index() / PAGE)?.as_ref()?;
        page.get(id.index() % PAGE)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut NodeState> {
        let page = self.pages.get_mut(id.index() / PAGE)?.as_mut()?;
        page.get_mut(id.index() % PAGE)?.as_mut()
    }

    pub(crate) fn insert(&mut self, node: NodeState) {
        let at = node.label.id().index();
        if self.pages.len() <= at / PAGE {
            self.pages.resize_with(at / PAGE + 1, || None);
        }
        self.in_use.insert(at / PAGE);
        if let Some(page) = self.pages.get_mut(at / PAGE) {
            let page = page.get_or_insert_with(|| (0..PAGE).map(|_| None).collect());
            page[at % PAGE] = Some(node);
        }
    }

    /// Takes a node out. What it counted stays, together with what was counted at the same place.
    pub(crate) fn remove(&mut self, id: NodeId) -> Option<NodeState> {
        let slot = self.pages.get_mut(id.index() / PAGE)?;
        let page = slot.as_mut()?;
        let node = page.get_mut(id.index() % PAGE)?.take()?;
        if page.iter().all(Option::is_none) {
            *slot = None;
            self.in_use.remove(&(id.index() / PAGE));
        }
        if node.shows() {
            let label = &node.label;
            let place = (label.kind(), label.location());
            let gone = self.gone.entry(place).or_insert_with(|| Gone {
                label: label.clone(),
                role: node.role,
                counts: Counts::default(),
            });
            gone.counts.add(&node.counts);
        }
        Some(node)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Option<NodeState>> {
        let pages = self.in_use.iter().filter_map(|at| self.pages.get(*at));
        pages.flatten().flat_map(|page| page.iter())
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Option<NodeState>> {
        let pages = self.pages.iter_mut().flatten();
        pages.flat_map(|page| page.iter_mut())
    }

    /// Nodes that have gone, in the order in which the first of each place was made.
    pub(crate) fn gone(&self) -> Vec<&Gone> {
        let mut gone: Vec<_> = self.gone.values().collect();
        gone.sort_by_key(|gone| gone.label.id());
        gone
    }
}

impl NodeState {
    pub(crate) fn new(label: Arc<Label>, role: Role) -> NodeState {
        NodeState {
            label,
            role,
            counts: Counts::default(),
            blocked_since: None,
            station: None,
            inlet: None,
            waker: None,
            waits_for: 0,
            open: role == Role::End,
            closed: false,
            counted: role != Role::Operator,
            rests: matches!(role, Role::Join | Role::OrderedJoin),
            upstream: None,
            leaving: false,
            stays: false,
            ready: false,
            visited: 0,
        }
    }

    /// Whether the run that ends here has closed.
    pub(crate) fn has_ended(&self) -> bool {
        !self.open && (self.role != Role::Shared || self.closed)
    }

    /// Whether it is in snapshots: operators that only pass on are left out, unless something went
    /// wrong there.
    pub(crate) fn shows(&self) -> bool {
        self.counted || self.counts.failed > 0 || self.counts.dropped() > 0
    }

    /// Whether elements enter the graph here: a source that is open, or a pump that has not ended.
    pub(crate) fn begins(&self) -> bool {
        match &self.inlet {
            Some(inlet) => inlet.state().load(Ordering::Relaxed) & bits::CLOSED == 0,
            None => self.role == Role::Source && self.station.is_some(),
        }
    }

    /// Whether the node may push without being pushed into: it begins, or it holds for a time.
    pub(crate) fn may_begin(&self) -> bool {
        self.begins() || (self.role == Role::Operator && self.station.is_some())
    }
}

impl Cx {
    pub(crate) fn node(&mut self, id: NodeId) -> Option<&mut NodeState> {
        self.nodes.get_mut(id)
    }

    /// The counts of a node, to count something: from then on it is in snapshots.
    pub(crate) fn counts(&mut self, id: NodeId) -> Option<&mut Counts> {
        self.node(id).map(|node| {
            node.counted = true;
            &mut node.counts
        })
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
