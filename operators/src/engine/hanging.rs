//! How runs within a node hang from forks outside of it: flows that come from elsewhere, for a join.

use super::context::Cx;
use super::fork::{BranchId, Mail};
use super::inbox::Entry;
use super::runs::Hanging;
use super::topology::{Label, NodeId, Topology};
use super::within::{Inner, RunId};

impl Cx {
    /// The run is about to hang from these forks.
    #[cold]
    pub(super) fn hang_from_outside(&mut self, hangs: &[Hanging], out: &Label) {
        let forks: Vec<NodeId> = hangs.iter().map(|head| self.shown(head.fork)).collect();
        let cycle = self.topology.lock().is_ok_and(|mut topology| {
            let out = out.shown_id();
            let cycle = forks.iter().any(|fork| topology.reaches(out, *fork));
            if !cycle {
                topology.count_hanging(hangs, true);
            }
            cycle
        });
        assert!(
            !cycle,
            "a flow within `per_key` hangs from a flow that comes out of it, and would enter itself: \
             lead it back by a source and `connect`"
        );
    }

    /// The owner has let go of the run: its pumps end, and it is taken off where it hangs. These forks
    /// may have a push under way: each sees to that when the next element comes to it, and at the latest
    /// when the push has ended. So a key that has gone hears no more of a batch than of elements that
    /// come one by one.
    #[cold]
    pub(super) fn detach_soon(
        &mut self,
        id: RunId,
        hangs: Vec<Hanging>,
        nodes: Vec<NodeId>,
        ended: bool,
    ) {
        let letter = match ended {
            true => Mail::LetGo,
            false => Mail::Detach,
        };
        if !hangs.is_empty() {
            self.unhang_from_outside(&hangs, letter);
            self.epoch = self.epoch.wrapping_add(1);
        }
        self.within.detaching += 1;
        self.inbox.leave(Entry::Task(Box::new(move |cx| {
            // A graph that was given up meanwhile knows of none.
            cx.within.detaching = cx.within.detaching.saturating_sub(1);
            if !hangs.is_empty() {
                cx.deliver_mail();
            }
            let same = |run: &&mut Inner| run.nodes.first() == nodes.first();
            if cx.run(id).filter(same).is_some() {
                cx.end_pumps(&nodes);
                cx.drains(id);
            }
            cx.forsake(&hangs);
        })));
        self.todo = true;
    }

    /// Writes to the forks outside of a run what its branches there are to do.
    pub(super) fn unhang_from_outside(&mut self, hangs: &[Hanging], letter: fn(BranchId) -> Mail) {
        if let Ok(mut topology) = self.topology.lock() {
            topology.count_hanging(hangs, false);
        }
        for head in hangs {
            // One that has gone has closed them.
            if self.node(head.fork).is_some() {
                let letter = letter(head.branch);
                self.mail.entry(head.fork).or_default().push(letter);
            }
        }
    }

    /// These forks are about to be discarded: runs that hang from them lose an input, as if it had
    /// closed.
    pub(super) fn detach_within(&mut self, forks: &[NodeId]) {
        let mut off = Vec::new();
        for run in self.within.runs.iter_mut().flatten() {
            let hangs = std::mem::take(&mut run.hangs).into_iter();
            let (lost, kept): (Vec<_>, Vec<_>) = hangs.partition(|h| forks.contains(&h.fork));
            run.hangs = kept;
            off.extend(lost);
        }
        if !off.is_empty() {
            self.unhang_from_outside(&off, Mail::Detach);
        }
    }

    /// These nodes are discarded, and the runs within them with all that they hold. Their forks
    /// outside have not seen to their mail.
    pub(super) fn unhang_within(&mut self, owners: &[NodeId]) {
        for id in self.within.all_in(owners) {
            let Some(run) = self.run(id) else { continue };
            let hangs = std::mem::take(&mut run.hangs);
            self.unhang_from_outside(&hangs, Mail::Detach);
        }
    }
}

impl Topology {
    /// These nodes are to have runs within them: until then each leads straight to another.
    pub(super) fn await_runs(&mut self, bypasses: impl IntoIterator<Item = (NodeId, NodeId)>) {
        for (node, to) in bypasses {
            self.bypass.insert(node, to);
            self.unbuilt.insert(node);
        }
    }

    /// The junctions know that a run within a node hangs from them, or does no more.
    fn count_hanging(&mut self, heads: &[Hanging], more: bool) {
        for head in heads {
            if let Some(above) = self.run_above(head) {
                match more {
                    true => above.hanging += 1,
                    false => above.hanging -= 1,
                }
            }
        }
    }
}
