//! Runs within a node: what they are, and how they end.
//!
//! A node that has a run for each key builds it in the middle of a push (`nursery.rs`), and lets go of
//! it again. The nodes of a run are *instances*: each has an identity of its own, for timers, futures
//! and pressure, and stands for the one node that pictures and snapshots show for all runs alike
//! (`template.rs`). When a run has ended its nodes leave the graph's tables, and their counts stay with
//! what they stood for.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::context::Cx;
use super::fork::Mail;
use super::inbox::Entry;
use super::lineage;
use super::parts::{Part, TakenOff};
use super::push::{Signal, Tail};
use super::runs::Hanging;
use super::template::Template;
use super::topology::{NodeId, Role};

/// Identifies a run within a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RunId(pub(super) u32);

/// What the graph keeps of runs within nodes.
#[derive(Default)]
pub(crate) struct Within {
    pub(super) runs: Vec<Option<Inner>>,
    free: Vec<u32>,
    /// What the runs of a node have in common, by the node that is shown for their owner.
    pub(super) templates: HashMap<NodeId, Template>,
    /// Let go of by their owner, and closed since.
    ended: Vec<RunId>,
    /// How many runs an owner has let go of that have been taken off and have not ended.
    draining: HashMap<NodeId, usize>,
    /// How many runs are to be taken off when the push under way has ended.
    pub(super) detaching: usize,
    /// How many nodes are gone that timers and lists may still know.
    stale: usize,
    /// Runs whose beginning is to be taken from them, by their owners: closed, or as it is.
    pub(super) cut: Vec<(NodeId, RunId, TakenOff)>,
}

impl Within {
    /// These nodes are gone: no run is built within them any more. Returns what was shown for those
    /// that were.
    pub(super) fn forget(&mut self, owners: &[NodeId]) -> Vec<NodeId> {
        if self.templates.is_empty() {
            return Vec::new();
        }
        let mut gone = Vec::new();
        for owner in owners {
            self.draining.remove(owner);
            if let Some(template) = self.templates.remove(owner) {
                let shown: Vec<_> = template.ids().collect();
                gone.extend(self.forget(&shown));
                gone.extend(shown);
            }
        }
        gone
    }

    /// The graph is given up: its runs are no more, and their nodes count still for what they stood for.
    pub(super) fn give_up(&mut self) {
        let templates = std::mem::take(&mut self.templates);
        *self = Within {
            templates,
            ..Within::default()
        };
    }

    /// Whether any of these nodes has a run.
    pub(super) fn any_in(&self, owners: &[NodeId]) -> bool {
        let mut runs = self.runs.iter().flatten();
        let knows = owners.iter().any(|id| self.templates.contains_key(id));
        knows && runs.any(|run| owners.contains(&run.owner))
    }

    /// The runs within these nodes, and those within theirs.
    pub(super) fn all_in(&self, owners: &[NodeId]) -> Vec<RunId> {
        let mut found = Vec::new();
        let mut owners = owners.to_vec();
        while let Some(owner) = owners.pop() {
            for (at, run) in self.runs.iter().enumerate() {
                if let Some(run) = run
                    && run.owner == owner
                {
                    found.push(RunId(at as u32));
                    owners.extend(&run.nodes);
                }
            }
        }
        found
    }
}

/// One run.
pub(super) struct Inner {
    pub(super) owner: NodeId,
    /// Its ends that have not closed, with the sinks of runs within it.
    pub(super) open: usize,
    pub(super) nodes: Vec<NodeId>,
    /// How it hangs from forks outside of it.
    pub(super) hangs: Vec<Hanging>,
    /// What it was connected of, where that was more than one piece.
    pub(super) parts: Vec<Part>,
    /// Its owner gives it no more elements.
    pub(super) left: bool,
    /// It is among those that [drain](Cx::draining).
    pub(super) drains: bool,
    pub(super) holds: bool,
    pub(super) pumps: bool,
    /// How many of its plans have timers.
    pub(super) timed: usize,
    /// How many have something to poll.
    pub(super) polled: usize,
}

/// What a run has, as far as its owner must know.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Has {
    /// Nodes that timers or the driver enter.
    pub(crate) holders: bool,
    /// Forks, which collect new branches.
    pub(crate) forks: bool,
}

impl Cx {
    /// A run that is about to be built.
    pub(crate) fn fresh_run(&mut self) -> RunId {
        let at = self.within.free.pop().unwrap_or_else(|| {
            self.within.runs.push(None);
            (self.within.runs.len() - 1) as u32
        });
        RunId(at)
    }

    /// One of the run's ends has seen its close.
    pub(crate) fn run_end_closed(&mut self, id: RunId) {
        if let Some(run) = self.run(id) {
            run.open -= 1;
            if run.open == 0 && run.left {
                self.within.ended.push(id);
                self.todo = true;
            }
        }
    }

    pub(super) fn run(&mut self, id: RunId) -> Option<&mut Inner> {
        self.within.runs.get_mut(id.0 as usize)?.as_mut()
    }

    /// This run and those that it is within, from the inmost on.
    pub(super) fn runs_around(&mut self, inmost: Option<RunId>) -> SmallVec<[RunId; 2]> {
        let mut around = SmallVec::new();
        let mut next = inmost;
        while let Some(run) = next {
            around.push(run);
            let owner = self.owner_of(run);
            next = owner.and_then(|id| self.node(id)?.within);
        }
        around
    }

    /// The node that the run is in.
    pub(crate) fn owner_of(&mut self, id: RunId) -> Option<NodeId> {
        Some(self.run(id)?.owner)
    }

    /// The owner has closed the run, whose beginning is `head`, and gives it no more elements. It goes
    /// at once if its ends have closed, else when it has drained.
    pub(crate) fn leave_run<T: 'static>(&mut self, id: RunId, head: Option<Tail<T>>) {
        let Some(run) = self.run(id) else { return };
        run.left = true;
        let (open, pumps) = (run.open, run.pumps);
        let hangs = std::mem::take(&mut run.hangs);
        // Runs within this one may be about to be taken off, and keep it open until they are.
        let waits = open > 0 && (pumps || self.within.detaching > 0);
        if waits || !hangs.is_empty() {
            let nodes = self.run(id).map(|run| run.nodes.clone());
            self.detach_soon(id, hangs, nodes.unwrap_or_default(), open == 0);
        } else {
            self.drains(id);
        }
        if open == 0 {
            self.end_run(id);
            // What is held in front of those that have had enough is done.
            lineage::by_wish(move || drop(head));
        }
    }

    /// The run has been taken off everything. What has not ended by now waits for somebody.
    pub(super) fn drains(&mut self, id: RunId) {
        if let Some(run) = self.run(id)
            && run.left
            && run.open > 0
            && !std::mem::replace(&mut run.drains, true)
        {
            let owner = run.owner;
            *self.within.draining.entry(owner).or_default() += 1;
        }
    }

    /// As [`unhang_within`](Cx::unhang_within), after their forks have seen to their mail.
    pub(super) fn discard_within(&mut self, owners: &[NodeId]) {
        for id in self.within.all_in(owners) {
            let Some(run) = self.run(id) else { continue };
            let nodes = run.nodes.clone();
            self.count_last(&nodes);
            for node in &nodes {
                let source = self.node(*node).filter(|node| node.role == Role::Source);
                if let Some(station) = source.and_then(|node| node.station.clone()) {
                    station.signal(Signal::Close, self);
                }
                self.lose_held(*node);
            }
            self.forget_run(id);
        }
    }

    /// These nodes have been let go of, and the runs within them with all that they hold. Returns the
    /// nodes that were shown for theirs.
    pub(super) fn let_go_within(&mut self, owners: &[NodeId]) -> Vec<NodeId> {
        self.let_go_runs(owners);
        let shown = self.within.forget(owners);
        if let (false, Ok(mut topology)) = (shown.is_empty(), self.topology.lock()) {
            topology.take_out_nodes(shown.iter().copied());
        }
        shown
    }

    fn let_go_runs(&mut self, owners: &[NodeId]) {
        for id in self.within.all_in(owners) {
            let Some(run) = self.run(id) else { continue };
            for id in &run.nodes.clone() {
                let Some(node) = self.node(*id) else { continue };
                let (open, station) = (node.open, node.station.take());
                if let Some(station) = station {
                    station.let_go(self);
                    let dead = station.abandon(self);
                    self.let_go.push(dead);
                }
                if open {
                    self.end_closed(*id);
                }
            }
            self.forget_run(id);
        }
    }

    /// Those of these nodes that have runs within them.
    fn owners_among(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        let owns = |id: &NodeId| self.within.templates.contains_key(&self.shown(*id));
        nodes.iter().copied().filter(owns).collect()
    }

    /// A run has ended, as what follows in it has had enough, and nodes in it own runs that nobody has closed, or
    /// that wait for something. Nobody wants that any more: they go with it, when no push is under way.
    #[cold]
    fn end_with_runs_within(&mut self, id: RunId, owners: Vec<NodeId>) {
        self.inbox.leave(Entry::Task(Box::new(move |cx| {
            // Forks may have letters for them.
            cx.deliver_what_lies_there();
            let is_same = |run: &&mut Inner| owners.iter().all(|id| run.nodes.contains(id));
            if let Some(nodes) = cx.run(id).filter(is_same).map(|run| run.nodes.clone()) {
                // The last time that those within can be asked.
                cx.count_last(&nodes);
            }
            let mut hangs = Vec::new();
            for inner in cx.within.all_in(&owners) {
                if let Some(inner) = cx.run(inner) {
                    hangs.append(&mut inner.hangs);
                }
            }
            if !hangs.is_empty() {
                cx.unhang_from_outside(&hangs, Mail::LetGo);
                cx.deliver_mail();
            }
            cx.let_go_runs(&owners);
            if cx.run(id).is_some_and(|run| is_same(&run)) {
                lineage::by_wish(|| cx.forget_run(id));
            }
            cx.forsake(&hangs);
        })));
        self.todo = true;
    }

    /// How many runs this node has let go of that have not ended, though nothing comes to them any more.
    /// Those of the push under way do not count: it may be that they end with it.
    pub(crate) fn draining(&self, owner: NodeId) -> usize {
        self.within.draining.get(&owner).copied().unwrap_or(0)
    }

    /// Lets go of the runs that have ended since the last look.
    #[cold]
    pub(super) fn end_runs(&mut self) {
        while let Some(id) = self.within.ended.pop() {
            let Some((owner, drains)) = self.run(id).map(|run| (run.owner, run.drains)) else {
                continue;
            };
            if drains && let Some(count) = self.within.draining.get_mut(&owner) {
                *count -= 1;
                if *count == 0 {
                    self.within.draining.remove(&owner);
                }
            }
            self.end_run(id);
            self.wake(owner);
        }
    }

    pub(super) fn has_ended_runs(&self) -> bool {
        !self.within.ended.is_empty()
    }

    fn take_run(&mut self, id: RunId) -> Option<Inner> {
        let run = self.within.runs.get_mut(id.0 as usize)?.take()?;
        self.within.free.push(id.0);
        Some(run)
    }

    /// It is over, whatever its ends say.
    fn forget_run(&mut self, id: RunId) {
        if let Some(run) = self.take_run(id) {
            self.within.ended.retain(|ended| *ended != id);
            self.retire_all(run);
        }
    }

    fn end_run(&mut self, id: RunId) {
        // Nodes in it own some only where others than its own owner have a template.
        if self.within.templates.len() > 1
            && let Some(nodes) = self.run(id).map(|run| run.nodes.clone())
        {
            let owners = self.owners_among(&nodes);
            if !owners.is_empty() {
                return self.end_with_runs_within(id, owners);
            }
        }
        self.retire_run(id);
    }

    fn retire_run(&mut self, id: RunId) {
        let Some(run) = self.take_run(id) else {
            return;
        };
        if run.holds {
            // Holders write their counts when they are asked.
            self.count_last(&run.nodes);
        }
        // All its ends have closed: what it holds is in front of some that have had enough.
        lineage::by_wish(|| self.retire_all(run));
    }

    fn retire_all(&mut self, run: Inner) {
        for node in run.nodes {
            self.retire(node);
        }
        if run.timed + run.polled > 0 {
            let bits = self.inlet_bits();
            self.timed_runs -= run.timed;
            self.polled_runs -= run.polled;
            if self.inlet_bits() != bits {
                self.refresh_inlets();
            }
        }
    }

    /// The node is gone: its counts go to what it stood for.
    fn retire(&mut self, id: NodeId) {
        if self.node(id).is_none() {
            return;
        }
        let Some(state) = self.nodes.get_mut(id.index()).and_then(Option::take) else {
            return;
        };
        self.ids.release(id);
        state.label.take_off();
        match self.node(state.label.shown_id()) {
            Some(shown) => {
                shown.counts.add(&state.counts.lasting());
                shown.counted |= state.counted;
            }
            None => self.gone.add(&state),
        }
        if state.role == Role::Shared {
            self.mail.remove(&id);
        }
        self.within.draining.remove(&id);
        if state.station.is_some() {
            self.within.stale += 1;
            if self.within.stale >= 1024.max(self.timers.len() / 2) {
                self.forget_stale();
            }
        }
    }

    /// No timer and no list knows nodes that are gone any more.
    #[cold]
    fn forget_stale(&mut self) {
        let nodes = &self.nodes;
        let lives = |id: NodeId| {
            let node = nodes.get(id.index()).and_then(Option::as_ref);
            node.is_some_and(|node| node.id == id)
        };
        self.timers.retain(lives);
        self.ready.retain(|id| lives(*id));
        self.joins_full.retain(|id| lives(*id));
        self.within.stale = 0;
    }
}
