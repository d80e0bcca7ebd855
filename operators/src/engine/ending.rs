//! How things end: an end sees its close, a branch has drained, a graph is given up.

use std::any::Any;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use super::clock::Timers;
use super::context::Cx;
use super::fork::{BranchId, Mail};
use super::inbox::Entry;
use super::push::Signal;
use super::topology::NodeId;

/// What is in front of a node that may have had enough before it is closed from above: only that
/// node hears of it, as it was all built for it.
pub(crate) struct Upstream {
    /// Where it hangs from.
    pub(super) heads: Vec<(NodeId, BranchId)>,
    pub(super) nodes: Vec<NodeId>,
    pub(super) connected: Arc<Connected>,
}

/// What was connected by one end, with nodes in it that may have had enough.
pub(crate) struct Connected {
    pub(super) end: NodeId,
    /// What goes when the end has closed and nothing begins any more.
    pub(super) nodes: Arc<[NodeId]>,
    /// Where elements still come in.
    pub(super) beginnings: Mutex<HashSet<Beginning>>,
}

/// Where elements come into what was connected.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Beginning {
    Branch(BranchId),
    Pump(NodeId),
}

impl Cx {
    /// What an end does with a signal: report failures, note the close.
    pub(crate) fn end_signal(&mut self, id: NodeId, passed: u64, signal: Signal<'_>) {
        match signal {
            Signal::Close => {
                self.take_census(id, |node| node.counts.passed = passed);
                self.end_closed(id);
            }
            Signal::Fail(failure) => self.report(failure),
            Signal::Census => self.take_census(id, |node| node.counts.passed = passed),
            Signal::Hole | Signal::Room(_) | Signal::Settle => {}
        }
    }

    /// An end saw its close.
    pub(crate) fn end_closed(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        if std::mem::replace(&mut node.open, false) {
            self.open_ends -= 1;
            self.todo |= !self.departing.is_empty();
            self.wake_waiters();
        }
    }

    /// Lets go of branches that were disconnected, or have had enough, and have drained: what their
    /// closures captured must not stay for as long as the graph.
    #[cold]
    pub(crate) fn see_off(&mut self) {
        let departing = std::mem::take(&mut self.departing);
        let mut gone = HashSet::new();
        for (end, nodes) in departing {
            if self.node(end).is_some_and(|node| !node.has_ended()) {
                self.departing.push((end, nodes));
            } else {
                gone.extend(nodes.iter().copied());
            }
        }
        self.new_query();
        for id in &gone {
            // No flow asks them any more what they counted.
            if let Some(station) = self.node(*id).and_then(|node| node.station.clone()) {
                station.signal(Signal::Census, self);
            }
        }
        let dead = self.remove(&mut gone);
        self.graves.extend(dead);
    }

    /// Takes nodes out of the graph, but for those that say when they go. Returns what they were made
    /// of, to be dropped outside of the lock.
    fn remove(&mut self, gone: &mut HashSet<NodeId>) -> Vec<Box<dyn Any + Send>> {
        gone.retain(|id| self.nodes.get(*id).is_some_and(|node| !node.stays));
        if gone.is_empty() {
            return Vec::new();
        }
        self.timers.retain(|id| !gone.contains(&id));
        if let Ok(mut topology) = self.topology.lock() {
            topology.nodes.retain(|n| !gone.contains(&n.label.id()));
            let stays = |id: &NodeId| !gone.contains(id);
            topology.edges.retain(|e| stays(&e.from) && stays(&e.to));
        }
        let removed = gone.iter().filter_map(|id| self.nodes.remove(*id)?.station);
        removed.map(|station| Box::new(station) as _).collect()
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
        for id in &upstream.nodes {
            if let Some(node) = self.node(*id) {
                node.leaving = true;
                node.waits_for += 1;
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
        let finished = std::mem::take(&mut self.finished);
        // The last time that they can be asked what they counted.
        self.broadcast(Signal::Census);
        for upstream in &finished {
            for (fork, branch) in &upstream.heads {
                self.mail
                    .entry(*fork)
                    .or_default()
                    .push(Mail::LetGo(*branch));
            }
        }
        self.epoch = self.epoch.wrapping_add(1);
        self.broadcast(Signal::Settle);
        let mut gone = HashSet::new();
        for upstream in finished {
            for (fork, _) in &upstream.heads {
                // The junction has gone before, and its branches with it.
                if let Some(mail) = self.mail.get_mut(fork) {
                    mail.retain(|mail| !matches!(mail, Mail::LetGo(_)));
                }
            }
            for id in &upstream.nodes {
                let station = self.node(*id).and_then(|node| node.station.clone());
                let goes = station.is_none_or(|station| station.let_go(self));
                if let Some(node) = self.node(*id).filter(|_| !goes) {
                    node.stays = true;
                }
            }
            let connected = upstream.connected;
            if let Ok(mut beginnings) = connected.beginnings.lock() {
                for (_, branch) in upstream.heads {
                    beginnings.remove(&Beginning::Branch(branch));
                }
                for id in &upstream.nodes {
                    beginnings.remove(&Beginning::Pump(*id));
                }
                if beginnings.is_empty() {
                    let nodes = connected.nodes.clone();
                    self.departing.push((connected.end, nodes));
                }
            }
            gone.extend(upstream.nodes);
        }
        let dead = self.remove(&mut gone);
        self.let_go.extend(dead);
        self.wake_driver = true;
    }

    /// A node that stayed when its run was let go is done.
    pub(crate) fn go(&mut self, id: NodeId) {
        if let Some(node) = self.node(id).filter(|node| node.stays) {
            node.stays = false;
            let dead = self.remove(&mut HashSet::from([id]));
            self.let_go.extend(dead);
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
                node.waits_for = 0;
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
        dead.push(Box::new(std::mem::take(&mut self.mail)));
        (self.open_ends, self.open_sources, self.open_pumps) = (0, 0, 0);
        dead
    }
}
