//! How things end: an end sees its close, a branch has drained, a graph is given up.

use std::any::Any;
use std::collections::HashSet;

use super::context::Cx;
use super::fork::{BranchId, Mail};
use super::inbox::Entry;
use super::push::Signal;
use super::timers::Timers;
use super::topology::NodeId;

/// What is in front of a node that may have had enough before it is closed from above: only that
/// node hears of it, as it was all built for it.
pub(crate) struct Upstream {
    /// The run that all this is part of.
    pub(super) run: NodeId,
    /// Where it hangs from.
    pub(super) heads: Vec<(NodeId, BranchId)>,
    pub(super) nodes: Vec<NodeId>,
}

impl Cx {
    /// What an end does with a signal: report failures, note the close. It is done with `passed`
    /// elements. Where more have come in already, somebody in front has written so.
    pub(crate) fn end_signal(&mut self, id: NodeId, passed: u64, signal: Signal<'_>) {
        match signal {
            Signal::Close => {
                self.count_end(id, passed);
                self.end_closed(id);
            }
            Signal::Fail(failure) => self.report(failure),
            Signal::Census => self.count_end(id, passed),
            Signal::Hole | Signal::Room(_) | Signal::Settle => {}
        }
    }

    fn count_end(&mut self, id: NodeId, done: u64) {
        self.take_census(id, |node| {
            node.counts.passed = node.counts.passed.max(done);
            node.counts.delivered = done;
        });
    }

    /// An end saw its close.
    pub(crate) fn end_closed(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        if std::mem::replace(&mut node.open, false) {
            let within = node.within;
            self.open_ends -= 1;
            for run in self.runs_around(within) {
                self.run_end_closed(run);
            }
            self.todo |= !self.departing.is_empty();
            self.wake_waiters();
        }
    }

    /// Tells those who wait for the end, if it has come.
    pub(crate) fn wake_waiters(&mut self) {
        if self.open_ends == 0 && self.open_sources == 0 {
            self.wakes.append(&mut self.waiting_for_end);
            self.wake_driver = true;
            self.todo = true;
        }
    }

    /// The node needs no more of what is in front of it: it has had enough, and has closed what is
    /// below. As soon as the push under way is over, what is in front is taken off the junctions
    /// that it hangs from, and dropped with all that it holds. Until then nobody there pushes.
    ///
    /// What was built in front of the node was built by [`Plan::in_front_of`](super::plan::Plan).
    #[cold]
    #[inline(never)]
    pub(crate) fn finish(&mut self, id: NodeId) {
        let Some(node) = self.node(id).filter(|node| !node.leaving) else {
            // Somebody below has had enough too, and lets go of this as well.
            return;
        };
        let Some(upstream) = node.upstream.take() else {
            return;
        };
        let key = self.fresh_wait_key();
        for id in &upstream.nodes {
            if let Some(node) = self.node(*id) {
                node.leaving = true;
                self.hold_back(*id, key);
            }
        }
        if self.finished.is_empty() {
            self.inbox.leave(Entry::Task(Box::new(Cx::let_finished_go)));
        }
        self.finished.push(*upstream);
        self.todo = true;
    }

    /// All that have had enough in one push let go together, as each time the whole graph is asked.
    fn let_finished_go(&mut self) {
        self.deliver_what_lies_there();
        let finished = std::mem::take(&mut self.finished);
        // The last time that they can be asked what they counted.
        self.broadcast(Signal::Census);
        let heads: Vec<_> = finished.iter().flat_map(|up| up.heads.clone()).collect();
        for upstream in &finished {
            self.unhang_within(&upstream.nodes);
        }
        for (fork, branch) in &heads {
            let letters = self.mail.entry(*fork).or_default();
            letters.push(Mail::LetGo(*branch));
        }
        self.deliver_mail();
        let forks: HashSet<_> = heads.iter().map(|(fork, _)| *fork).collect();
        for fork in &forks {
            // The junction has gone before, and its branches with it.
            if let Some(letters) = self.mail.get_mut(fork) {
                letters.retain(|letter| !matches!(letter, Mail::LetGo(_)));
            }
        }
        let over: Vec<_> = match self.topology.lock() {
            Ok(mut topology) => topology.let_go(&finished),
            Err(_) => Vec::new(),
        };
        let mut nodes: Vec<_> = finished.into_iter().flat_map(|up| up.nodes).collect();
        let shown = self.let_go_within(&nodes);
        nodes.extend(shown);
        for id in &nodes {
            let station = self.node(*id).and_then(|node| node.station.clone());
            if station.is_some_and(|station| !station.let_go(self)) {
                self.stay(*id);
            }
            let dead = self.bury_node(*id);
            self.let_go.extend(dead);
        }
        self.timers.forget(&nodes);
        self.watch(over);
        self.let_go_who_waits_in_vain();
        for fork in forks {
            self.part_if_forsaken(fork);
        }
        self.wake_driver = true;
    }

    /// The node stays in the table until it says that it [goes](Cx::go). It is in no snapshot.
    fn stay(&mut self, id: NodeId) {
        let Some(Some(node)) = self.nodes.get_mut(id.index()) else {
            return;
        };
        if node.id == id && !std::mem::replace(&mut node.stays, true) {
            self.gone.add(node);
        }
    }

    /// A node that stayed when its run was let go is done.
    pub(crate) fn go(&mut self, id: NodeId) {
        if self.node(id).is_some_and(|node| node.stays) {
            let node = self.nodes.get_mut(id.index()).and_then(Option::take);
            let station = node.and_then(|mut node| node.station.take());
            self.let_go.extend(station.map(|s| Box::new(s) as _));
            self.ids.release(id);
        }
    }

    /// A branch hangs from another junction: from there it is taken off when it has had enough.
    pub(super) fn move_head(&mut self, run: NodeId, branch: BranchId, to: NodeId) {
        let nodes = match self.topology.lock() {
            Ok(topology) => topology.runs.get(&run).map(|run| run.nodes.clone()),
            Err(_) => None,
        };
        let moved = |upstream: &mut Upstream| {
            let mut heads = upstream.heads.iter_mut();
            if let Some((fork, _)) = heads.find(|(_, other)| *other == branch) {
                *fork = to;
            }
        };
        for id in nodes.into_iter().flatten() {
            if let Some(upstream) = self.node(id).and_then(|node| node.upstream.as_mut()) {
                moved(upstream);
            }
        }
        self.finished.iter_mut().for_each(moved);
    }

    /// Takes apart what holds elements, so that they are lost and say so. Returns the pieces, to be
    /// dropped outside of the lock; nothing reaches them any more.
    pub(crate) fn tear_down(&mut self, why: u8) -> Vec<Box<dyn Any + Send>> {
        let mut dead = Vec::new();
        let parts: Vec<_> = self
            .nodes
            .iter_mut()
            .flatten()
            .map(|node| {
                node.open = false;
                node.waits.clear();
                (node.inlet.clone(), node.station.take())
            })
            .collect();
        let mut wakes = std::mem::take(&mut self.wakes);
        for (inlet, station) in parts {
            dead.extend(inlet.map(|inlet| inlet.abandon(why, self, &mut wakes)));
            dead.extend(station.map(|station| station.abandon(self)));
        }
        wakes.append(&mut self.waiting_for_end);
        self.wakes = wakes;
        self.timers = Timers::default();
        self.ready.clear();
        self.reopened.clear();
        self.joins_full.clear();
        self.within.give_up();
        dead.push(Box::new(std::mem::take(&mut self.mail)));
        dead.push(Box::new(std::mem::take(&mut self.gathering)));
        (self.open_ends, self.open_sources, self.open_pumps) = (0, 0, 0);
        dead
    }
}
