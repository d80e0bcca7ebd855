//! Changing a graph that runs: what is taken off drains or is discarded, and then goes.

use std::any::Any;
use std::collections::HashSet;

use super::context::Cx;
use super::fork::Mail;
use super::node::NodeState;
use super::push::Signal;
use super::runs::{Hanging, RunRecord, TakenOut};
use super::topology::{NodeId, Role, Topology};

/// A run that is discarded, with all that hangs from it, cut out of the topology already.
pub(super) struct Cut {
    runs: Vec<RunRecord>,
    /// Where the first of them hung.
    heads: Vec<Hanging>,
    /// How runs that stay hung from those that go.
    partial: Vec<Hanging>,
    /// The runs that stay, and lost an input.
    wilting: Vec<NodeId>,
}

impl Topology {
    /// Marks a run as taken off. Returns how it hung, or `None` where it was taken off before.
    pub(super) fn part(&mut self, run: NodeId) -> Option<Vec<Hanging>> {
        let record = self.runs.get_mut(&run)?;
        if std::mem::replace(&mut record.departing, true) {
            return None;
        }
        Some(self.take_off(run, |_| true))
    }

    /// Cuts out a run and all that hangs from it and from nothing else.
    pub(super) fn cut(&mut self, run: NodeId) -> Option<Cut> {
        if !self.runs.contains_key(&run) {
            return None;
        }
        let doomed = self.all_below(run);
        let heads = self.take_off(run, |_| true);
        let (mut partial, mut wilting) = (Vec::new(), Vec::new());
        for above in &doomed {
            for below in self.hanging_from(*above) {
                if !doomed.contains(&below) {
                    partial.extend(self.take_off_run(below, *above));
                    wilting.push(below);
                }
            }
        }
        let runs = doomed.iter().filter_map(|run| self.take_out(*run));
        let runs: Vec<_> = runs.collect();
        self.take_out_nodes(runs.iter().flat_map(|run| run.nodes.iter().copied()));
        Some(Cut {
            runs,
            heads,
            partial,
            wilting,
        })
    }

    /// Takes a run off the junctions that `above` ends in.
    fn take_off_run(&mut self, run: NodeId, above: NodeId) -> Vec<Hanging> {
        let above = self.runs.get(&above);
        let forks = above.map(|above| above.forks.clone()).unwrap_or_default();
        self.take_off(run, |head| forks.contains(&head.fork))
    }
}

impl Cx {
    /// Has the forks see to their mail.
    pub(super) fn deliver_mail(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.broadcast(Signal::Settle);
        if !self.departing.is_empty() {
            // No flow leads to what drains; but to a census it answers, down to the forks below.
            self.broadcast(Signal::Census);
        }
        self.todo = true;
    }

    fn post(&mut self, heads: &[Hanging], letter: impl Fn(&Hanging) -> Mail) {
        for head in heads {
            self.mail.entry(head.fork).or_default().push(letter(head));
        }
    }

    /// A run was taken off: what it held is emitted as at a close, and when its end has closed it
    /// goes, and all that hangs from it.
    #[cold]
    pub(super) fn depart(&mut self, run: NodeId, heads: &[Hanging]) {
        let letter = match self.is_sated(run) {
            true => Mail::Retire,
            false => Mail::Detach,
        };
        self.post(heads, |head| letter(head.branch));
        let nodes = match self.topology.lock() {
            Ok(topology) => topology.runs.get(&run).map(|run| run.nodes.clone()),
            Err(_) => None,
        };
        for id in nodes.into_iter().flatten() {
            if let Some(station) = self.node(id).and_then(|node| node.station.clone()) {
                // Streams and iterators end.
                station.signal(Signal::Close, self);
            }
        }
        self.departing.push(run);
        if heads.is_empty() {
            // It hung from nothing, as a source does: there is no mail, and nobody was cut off.
            self.todo = true;
            return;
        }
        self.deliver_mail();
        self.let_go_who_waits_in_vain();
        self.forsake(heads);
    }

    /// Whether the run ends in junctions only whose branches have all had enough.
    fn is_sated(&mut self, run: NodeId) -> bool {
        let forks = match self.topology.lock() {
            Ok(topology) => topology.runs.get(&run).map(|run| run.forks.clone()),
            Err(_) => None,
        };
        let forks = forks.unwrap_or_default();
        let sated = |fork| self.node(fork).is_some_and(|node| node.sated);
        !forks.is_empty() && forks.into_iter().all(sated)
    }

    /// As [`depart`](Cx::depart), for a run that is in the topology still.
    fn part(&mut self, run: NodeId) {
        let heads = self.topology.lock().ok().and_then(|mut t| t.part(run));
        if let Some(heads) = heads {
            self.depart(run, &heads);
        }
    }

    /// A run was built on junctions that were gone by then.
    pub(super) fn part_if_cut(&mut self, run: NodeId) {
        let cut = self.topology.lock().is_ok_and(|topology| {
            let record = topology.runs.get(&run);
            record.is_some_and(|run| run.heads.is_empty() && run.pumps == 0)
        });
        if cut {
            self.part(run);
        }
    }

    /// Something was taken off these junctions: shared nodes that nobody can see any more go too.
    pub(super) fn forsake(&mut self, heads: &[Hanging]) {
        for head in heads {
            self.part_if_forsaken(head.fork);
        }
    }

    /// A shared node goes where nothing hangs from it, and nothing can be hung from it.
    #[cold]
    pub(super) fn part_if_forsaken(&mut self, fork: NodeId) {
        let run = self.topology.lock().ok().and_then(|t| t.forsaken_at(fork));
        if let Some(run) = run {
            self.part(run);
        }
    }

    /// Branches that hang, or are to hang, from junctions that are closed or gone hear of it.
    pub(super) fn close_unheard(&mut self, forks: &[NodeId]) {
        let is_over = |cx: &mut Cx, fork| cx.node(fork).is_none_or(|node| node.closed);
        let over: Vec<NodeId> = forks
            .iter()
            .copied()
            .filter(|f| is_over(self, *f))
            .collect();
        // Without mail there is nothing to hear; and to ask everybody takes as long as there are nodes.
        if !over.iter().any(|fork| self.mail.contains_key(fork)) {
            return;
        }
        self.broadcast(Signal::Settle);
        for fork in over {
            // The fork is gone, with the branch it was the end of: nobody else tells them.
            for letter in self.mail.remove(&fork).unwrap_or_default() {
                if let Mail::Attach(_, tail, close, _) = letter {
                    close(tail, self);
                }
            }
        }
    }

    /// Nodes are about to go: what mail there is for them comes first. A run within one of them may have been
    /// hung from a fork that was gone or closed by then, and is to hear of that while it is there.
    pub(super) fn deliver_what_lies_there(&mut self) {
        if self.mail.is_empty() {
            return;
        }
        self.deliver_mail();
        let forks: Vec<NodeId> = self.mail.keys().copied().collect();
        self.close_unheard(&forks);
    }

    /// Runs that were taken off and have drained go: what their closures captured must not stay for
    /// as long as the graph.
    #[cold]
    pub(crate) fn see_off(&mut self) {
        loop {
            let departing = std::mem::take(&mut self.departing);
            let (over, open): (Vec<_>, Vec<_>) =
                departing.into_iter().partition(|run| self.is_over(*run));
            self.departing.extend(open);
            if over.is_empty() {
                return;
            }
            self.remove(&over);
        }
    }

    fn is_over(&mut self, run: NodeId) -> bool {
        let forks = match self.topology.lock() {
            Ok(topology) => topology.runs.get(&run).map(|run| run.forks.clone()),
            Err(_) => None,
        };
        let closed = |fork| self.node(fork).is_none_or(|node| node.closed);
        forks.unwrap_or_default().into_iter().all(closed)
            && self.node(run).is_none_or(|node| !node.open)
    }

    /// Runs whose ends have closed go. So does what hangs from them alone, once that has closed.
    fn remove(&mut self, over: &[NodeId]) {
        let mut out = TakenOut::default();
        if let Ok(mut topology) = self.topology.lock() {
            out = topology.take_out_all(over);
            // What hangs from others too stays, until it has closed; and for good where nobody took
            // anything off, as after a close: what comes there too late is counted.
            out.below.retain(|(child, finished)| {
                topology.runs.get_mut(child).is_some_and(|child| {
                    let alone = child.heads.is_empty() && child.pumps == 0;
                    child.finished |= alone && *finished && !child.departing;
                    child.departing |= alone;
                    alone || !finished
                })
            });
        }
        let TakenOut {
            records,
            heads,
            below,
        } = out;
        self.watch(below.into_iter().map(|(child, _)| child).collect());
        if !heads.is_empty() {
            self.post(&heads, |head| Mail::Detach(head.branch));
            self.deliver_mail();
        }
        for record in &records {
            self.close_unheard(&record.forks);
            self.count_last(&record.nodes);
            // As of a join that closed while a holder in front of it was to drain into it.
            for id in &record.nodes {
                let holds = |node: &mut NodeState| node.role != Role::End && node.counts.held > 0;
                if self.node(*id).is_some_and(holds) {
                    self.lose_held(*id);
                }
            }
            if self.within.any_in(&record.nodes) {
                // They drain, perhaps into sinks of their own; what they led out to goes.
                for id in &record.nodes {
                    if let Some(station) = self.node(*id).and_then(|node| node.station.clone()) {
                        let dead = station.abandon(self);
                        self.graves.push(dead);
                    }
                }
            }
            self.bury_nodes(record);
        }
        self.forsake(&heads);
    }

    /// Looks at these runs until they have closed.
    pub(super) fn watch(&mut self, runs: Vec<NodeId>) {
        let mut known: HashSet<_> = self.departing.iter().copied().collect();
        let new = runs.into_iter().filter(|run| known.insert(*run));
        self.departing.extend(new);
        self.todo = true;
    }

    /// A run goes as it is, with all that hangs from it alone: what it holds is lost and says so.
    #[cold]
    pub(super) fn discard(&mut self, cut: Cut) {
        let Cut {
            runs,
            heads,
            partial,
            wilting,
        } = cut;
        self.deliver_what_lies_there();
        self.post(&partial, |head| Mail::Detach(head.branch));
        self.post(&heads, |head| Mail::Discard(head.branch));
        for run in &runs {
            for fork in &run.forks {
                if let Some(node) = self.node(*fork) {
                    node.discarded = true;
                }
            }
            self.unhang_within(&run.nodes);
            self.detach_within(&run.forks);
        }
        self.departing
            .retain(|id| !runs.iter().any(|run| run.end == *id));
        for run in runs.iter().filter(|run| run.pumps > 0) {
            for id in &run.nodes {
                if let Some(station) = self.node(*id).and_then(|node| node.station.clone()) {
                    station.signal(Signal::Close, self);
                }
            }
        }
        self.deliver_mail();
        runs.iter().for_each(|run| self.count_last(&run.nodes));
        for run in &runs {
            self.discard_within(&run.nodes);
            for id in &run.nodes {
                self.lose_held(*id);
            }
            self.bury_nodes(run);
            self.close_unheard(&run.forks);
        }
        self.watch(wilting);
        self.let_go_who_waits_in_vain();
        self.forsake(&heads);
    }

    pub(super) fn lose_held(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        let kept = node.copies;
        let held = std::mem::take(&mut node.counts.held);
        let (open, station) = (node.open, node.station.take());
        if held > 0 && !kept {
            self.lose(id, super::census::Loss::Discarded, held as usize);
        }
        if let Some(station) = station {
            let dead = station.abandon(self);
            self.graves.push(dead);
        }
        if open {
            self.end_closed(id);
        }
    }

    /// Asks the nodes of a run that goes for their counts: no flow leads there any more.
    pub(super) fn count_last(&mut self, nodes: &[NodeId]) {
        for id in nodes {
            if let Some(station) = self.node(*id).and_then(|node| node.station.clone()) {
                self.new_query();
                station.signal(Signal::Census, self);
            }
        }
    }

    /// Takes the nodes of a run out of the table. Their counts stay in a total.
    fn bury_nodes(&mut self, run: &RunRecord) {
        let inner = self.within.forget(&run.nodes);
        for id in run.nodes.iter().chain(&inner) {
            let dead = self.bury_node(*id);
            self.graves.extend(dead);
        }
        if run.has_timers {
            self.timers.forget(&run.nodes);
        }
        self.timed_runs -= usize::from(run.has_timers);
        self.polled_runs -= usize::from(run.has_futures);
        if run.has_timers || run.has_futures {
            self.refresh_inlets();
        }
        self.todo = true;
    }

    /// Takes a node out of the table, unless it [stays](Cx::go), and counts what it counted. Returns
    /// what it was made of, to be dropped outside of the lock.
    pub(super) fn bury_node(&mut self, id: NodeId) -> Option<Box<dyn Any + Send>> {
        self.node(id).filter(|node| !node.stays)?;
        let mut node = self.nodes.get_mut(id.index())?.take()?;
        self.gone.add(&node);
        self.ids.release(id);
        Some(Box::new(node.station.take()?))
    }

    /// A branch hangs from another junction from now on.
    #[cold]
    pub(super) fn move_branch(&mut self, run: NodeId, from: &Hanging, to: NodeId) -> bool {
        let closed = self.node(from.fork).is_none_or(|fork| fork.closed);
        if closed {
            // It has heard its close, and what has closed does not open again. By the topology it hangs from the
            // other junction already.
            self.post(std::slice::from_ref(from), |head| Mail::Detach(head.branch));
            self.part(run);
            return false;
        }
        self.move_head(run, from.branch, to);
        self.post(std::slice::from_ref(from), |head| {
            Mail::Move(head.branch, to)
        });
        self.deliver_mail();
        self.deliver_mail();
        self.close_unheard(&[to]);
        self.let_go_who_waits_in_vain();
        self.part_if_forsaken(from.fork);
        true
    }

    /// Origins that wait for a holder which their elements do not come to any more go on.
    pub(super) fn let_go_who_waits_in_vain(&mut self) {
        if !self.nodes.iter().flatten().any(|node| node.waits_for() > 0) {
            return;
        }
        self.broadcast(Signal::Census);
        let mut in_vain = Vec::new();
        if let Ok(topology) = self.topology.lock() {
            let reaches = |origin, holder| topology.reaches(self.shown(origin), self.shown(holder));
            for node in self.nodes.iter().flatten() {
                let crowd = node.inlet.as_ref().and_then(|inlet| inlet.crowd());
                for blocked in node.blocked_since.iter().chain(&crowd) {
                    for (origin, _) in blocked.each_origin() {
                        if !reaches(origin, node.id) {
                            in_vain.push((origin, blocked.key));
                        }
                    }
                }
            }
        }
        for (origin, key) in in_vain {
            self.let_on(origin, key);
        }
    }
}
