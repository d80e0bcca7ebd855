//! Runs within a node: built in the middle of a push, one for each key, and let go of again.
//!
//! What a closure connects while such a run is built does not wait for the push to end, as other
//! changes of the structure do: its plans are gathered on the thread and installed at once, since the
//! element under way is to go through them. The nodes of a run are *instances*: each has an identity
//! of its own, for timers, futures and pressure, and stands for the one node that pictures and
//! snapshots show for all runs alike. When a run has ended its nodes leave the graph's tables, and
//! their counts stay with what they stood for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::census::Counts;
use super::context::Cx;
use super::fork::{BranchId, Mail};
use super::graph::Graph;
use super::inbox::Entry;
use super::lineage;
use super::node::NodeState;
use super::parts::{Part, TakenOff};
use super::plan::{Plan, do_at_once};
use super::push::{Signal, Tail};
use super::runs::Hanging;
use super::topology::{Edge, Label, NodeId, Role, Site, Topology, TopologyNode};

/// Identifies a run within a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RunId(u32);

/// What the graph keeps of runs within nodes.
#[derive(Default)]
pub(crate) struct Within {
    runs: Vec<Option<Inner>>,
    free: Vec<u32>,
    /// What the runs of a node have in common, by the node that is shown for their owner.
    templates: HashMap<NodeId, Template>,
    /// Let go of by their owner, and closed since.
    ended: Vec<RunId>,
    /// How many runs an owner has let go of that have not ended.
    draining: HashMap<NodeId, usize>,
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
                let shown: Vec<_> = template.nodes.iter().map(|node| node.label.id()).collect();
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

    /// The runs within these nodes, and those within theirs.
    fn all_in(&self, owners: &[NodeId]) -> Vec<RunId> {
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
    /// Its ends that have not closed.
    open: usize,
    nodes: Vec<NodeId>,
    /// How it hangs from forks outside of it.
    pub(super) hangs: Vec<Hanging>,
    /// What it was connected of, where that was more than one piece.
    pub(super) parts: Vec<Part>,
    /// Its owner gives it no more elements.
    left: bool,
    holds: bool,
    pumps: bool,
    /// How many of its plans have timers.
    timed: usize,
    /// How many have something to poll.
    polled: usize,
}

/// What a run has, as far as its owner must know.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Has {
    /// Nodes that timers or the driver enter.
    pub(crate) holders: bool,
    /// Forks, which collect new branches.
    pub(crate) forks: bool,
}

/// What is shown for all runs of a node.
#[derive(Default)]
struct Template {
    nodes: Vec<Shown>,
    edges: Vec<Edge>,
    /// Counts the runs, so that each takes a shown node once.
    build: u64,
    /// Runs are mostly alike: the next node is looked for behind the last one.
    cursor: usize,
    /// Shown for the first time in the run under way.
    fresh: Vec<TopologyNode>,
}

struct Shown {
    label: Arc<Label>,
    role: Role,
    build: u64,
}

impl Template {
    /// The node to be shown for a node that the run under way adds.
    fn shown(&mut self, graph: &Graph, site: Site, role: Role) -> Arc<Label> {
        let (before, after) = self.nodes.split_at_mut(self.cursor);
        let build = self.build;
        let fits = |shown: &&mut Shown| {
            let known = shown.label.site();
            shown.build != build && shown.role == role && known.is(&site)
        };
        let found = after.iter_mut().chain(before).find(fits);
        if let Some(shown) = found {
            shown.build = build;
            let label = shown.label.clone();
            self.cursor = (self.cursor + 1) % self.nodes.len();
            return label;
        }
        let label = Arc::new(Label::new(graph.fresh_id(), site, None));
        self.nodes.push(Shown {
            label: label.clone(),
            role,
            build,
        });
        self.fresh.push(TopologyNode {
            label: label.clone(),
            role,
        });
        self.cursor = 0;
        label
    }
}

thread_local! {
    /// The run that this thread is building within a node.
    static SITE: RefCell<Option<Building>> = const { RefCell::new(None) };
}

/// A run that is being built.
struct Building {
    graph: Graph,
    template: Template,
    plans: Vec<Plan>,
}

/// While it lives, what is connected on this thread to its graph belongs to the run being built.
pub(crate) struct Nursery {
    outer: Option<Building>,
    owner: NodeId,
    shown: NodeId,
}

impl Nursery {
    /// Begins a run within the node that `owner` names.
    pub(crate) fn open(graph: &Graph, owner: &Label, cx: &mut Cx) -> Nursery {
        let shown = owner.shown_id();
        let mut template = cx.within.templates.remove(&shown).unwrap_or_default();
        template.build += 1;
        template.cursor = 0;
        let building = Building {
            graph: graph.clone(),
            template,
            plans: Vec::new(),
        };
        Nursery {
            outer: SITE.replace(Some(building)),
            owner: owner.id(),
            shown,
        }
    }

    /// Makes all that was connected meanwhile part of the graph, as the run `id`.
    ///
    /// # Panics
    /// If it would come back to the node `out`, where the run ends, in the middle of a push.
    pub(crate) fn install(mut self, id: RunId, out: &Label, cx: &mut Cx) -> Has {
        let Some(building) = SITE.replace(self.outer.take()) else {
            return Has::default();
        };
        let Building {
            mut template,
            plans,
            ..
        } = building;
        cx.show(&mut template, &plans, self.owner);
        cx.within.templates.insert(self.shown, template);
        let mut run = Inner {
            owner: self.owner,
            // The end that leads out of the node.
            open: 1,
            nodes: Vec::new(),
            hangs: Vec::new(),
            parts: Part::all_of(&plans, self.owner),
            left: false,
            holds: false,
            pumps: false,
            timed: 0,
            polled: 0,
        };
        let mut forks = false;
        for plan in &plans {
            run.timed += usize::from(plan.is_timed());
            run.polled += usize::from(plan.is_polled());
            run.pumps |= plan.pumps();
            run.holds |= plan.has_stations();
            for node in plan.nodes() {
                run.nodes.push(node.label.id());
                run.open += usize::from(node.role == Role::End);
                forks |= node.role == Role::Shared;
            }
        }
        let hangs = plans.iter().flat_map(Plan::hangs);
        let outside = hangs.filter(|head| !run.nodes.contains(&head.fork));
        run.hangs = outside.cloned().collect();
        if !run.hangs.is_empty() {
            cx.hang_from_outside(&run.hangs, out);
        }
        let has = Has {
            holders: run.holds,
            forks,
        };
        let outside = !run.hangs.is_empty();
        if let Some(slot) = cx.within.runs.get_mut(id.0 as usize) {
            *slot = Some(run);
        }
        let mut at_once = Vec::new();
        for plan in plans {
            at_once.extend(plan.apply_within(id, outside, cx));
        }
        // What begins in one plan goes through the forks of others.
        do_at_once(at_once, cx);
        has
    }
}

impl Drop for Nursery {
    /// Reached by unwinding: the graph is poisoned.
    fn drop(&mut self) {
        if std::thread::panicking() {
            SITE.replace(self.outer.take());
        }
    }
}

/// Whether what is connected to `graph` now belongs to a run within a node.
pub(super) fn is_building(graph: &Graph) -> bool {
    SITE.with_borrow(|site| site.as_ref().is_some_and(|site| site.graph.is_same(graph)))
}

/// An instance of a node, for the run being built.
pub(super) fn instance(site: Site, role: Role, name: Option<String>) -> Option<Arc<Label>> {
    SITE.with_borrow_mut(|building| {
        let building = building.as_mut()?;
        let shown = building.template.shown(&building.graph, site, role);
        if let Some(name) = name {
            shown.set_name(name);
        }
        Some(Arc::new(Label::instance(
            building.graph.fresh_id(),
            site,
            shown,
        )))
    })
}

/// Gathers a plan of the run being built.
pub(super) fn gather(plan: Plan) {
    SITE.with_borrow_mut(|building| {
        if let Some(building) = building {
            building.plans.push(plan);
        }
    });
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

    /// The node that is shown for this one.
    pub(crate) fn shown(&self, id: NodeId) -> NodeId {
        let node = self.nodes.get(id.index()).and_then(Option::as_ref);
        node.filter(|node| node.id == id)
            .map_or(id, |node| node.label.shown_id())
    }

    /// Adds to the picture what the run under way has that the others did not.
    fn show(&mut self, template: &mut Template, plans: &[Plan], owner: NodeId) {
        let instances: HashMap<NodeId, NodeId> = plans
            .iter()
            .flat_map(|plan| plan.nodes())
            .map(|node| (node.label.id(), node.label.shown_id()))
            .collect();
        let fresh = std::mem::take(&mut template.fresh);
        for node in &fresh {
            let mut state = NodeState::new(node.label.clone(), node.role);
            // Stands for others, which are open or not.
            state.open = false;
            self.add_node(state);
        }
        let mut edges = Vec::new();
        for edge in plans.iter().flat_map(|plan| plan.edges()) {
            let shown = |id: NodeId| {
                instances
                    .get(&id)
                    .copied()
                    .unwrap_or_else(|| self.shown(id))
            };
            let edge = Edge {
                from: shown(edge.from),
                to: shown(edge.to),
                ..*edge
            };
            if !template.edges.contains(&edge) {
                template.edges.push(edge);
                edges.push(edge);
            }
        }
        if fresh.is_empty() && edges.is_empty() {
            return;
        }
        let owner = self.shown(owner);
        let first = |(from, _): &&(NodeId, NodeId)| fresh.iter().any(|n| n.label.id() == *from);
        let bypasses = plans.iter().flat_map(|plan| plan.bypasses());
        let bypasses: Vec<_> = bypasses.filter(first).copied().collect();
        if let Ok(mut topology) = self.topology.lock() {
            // They go with the run that the owner is part of; it may have been cut out already.
            let mut runs = topology.runs.values_mut();
            let Some(run) = runs.find(|run| run.nodes.contains(&owner)) else {
                return;
            };
            run.nodes.extend(fresh.iter().map(|node| node.label.id()));
            topology.nodes.extend(fresh.iter().cloned());
            for edge in edges {
                if !topology.edges.contains(&edge) {
                    topology.edges.push(edge);
                }
            }
            topology.await_runs(bypasses);
            if topology.unbuilt.remove(&owner) {
                // The forks above know now whether whole batches may cross.
                self.epoch = self.epoch.wrapping_add(1);
            }
            // Until there is a run, the owner leads straight to where the runs end.
            let bypass = topology.bypass.get(&owner).copied();
            if let Some(to) = bypass
                && template.edges.iter().any(|e| e.from == owner && e.to != to)
            {
                topology.bypass.remove(&owner);
                topology.edges.retain(|e| (e.from, e.to) != (owner, to));
            }
        }
    }

    /// The run is about to hang from these forks.
    #[cold]
    fn hang_from_outside(&mut self, hangs: &[Hanging], out: &Label) {
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

    /// The owner has closed the run, whose beginning is `head`, and gives it no more elements. It goes
    /// at once if its ends have closed, else when it has drained.
    pub(crate) fn leave_run<T: 'static>(&mut self, id: RunId, head: Option<Tail<T>>) {
        let Some(run) = self.run(id) else { return };
        run.left = true;
        let (open, pumps, owner) = (run.open, run.pumps, run.owner);
        let hangs = std::mem::take(&mut run.hangs);
        if !hangs.is_empty() || (pumps && open > 0) {
            let nodes = run.nodes.clone();
            self.detach_soon(id, hangs, nodes, open == 0);
        }
        if open == 0 {
            self.end_run(id);
            // What is held in front of those that have had enough is done.
            lineage::by_wish(move || drop(head));
        } else {
            *self.within.draining.entry(owner).or_default() += 1;
        }
    }

    /// Other flows may be under way where the run hangs: it is taken off when the push has ended.
    #[cold]
    fn detach_soon(&mut self, id: RunId, hangs: Vec<Hanging>, nodes: Vec<NodeId>, ended: bool) {
        let letter = match ended {
            true => Mail::LetGo,
            false => Mail::Detach,
        };
        self.inbox.leave(Entry::Task(Box::new(move |cx| {
            cx.unhang_from_outside(&hangs, letter);
            cx.deliver_mail();
            for node in nodes {
                if let Some(state) = cx.node(node)
                    && state.within == Some(id)
                    && state.role == Role::Source
                    && let Some(station) = state.station.clone()
                {
                    station.signal(Signal::Close, cx);
                }
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

    /// As [`unhang_within`](Cx::unhang_within), after their forks have seen to their mail.
    pub(super) fn discard_within(&mut self, owners: &[NodeId]) {
        for id in self.within.all_in(owners) {
            let Some(run) = self.take_run(id) else {
                continue;
            };
            self.within.ended.retain(|ended| *ended != id);
            self.count_last(&run.nodes);
            for node in &run.nodes {
                let source = self.node(*node).filter(|node| node.role == Role::Source);
                if let Some(station) = source.and_then(|node| node.station.clone()) {
                    station.signal(Signal::Close, self);
                }
                self.lose_held(*node);
            }
            self.retire_all(run);
        }
    }

    /// These nodes have been let go of, and the runs within them with all that they hold. Returns the
    /// nodes that were shown for theirs.
    pub(super) fn let_go_within(&mut self, owners: &[NodeId]) -> Vec<NodeId> {
        for id in self.within.all_in(owners) {
            let Some(run) = self.take_run(id) else {
                continue;
            };
            self.within.ended.retain(|ended| *ended != id);
            for id in &run.nodes {
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
            self.retire_all(run);
        }
        let shown = self.within.forget(owners);
        if let (false, Ok(mut topology)) = (shown.is_empty(), self.topology.lock()) {
            topology.take_out_nodes(shown.iter().copied());
        }
        shown
    }

    /// How many runs this node has let go of that have not ended.
    pub(crate) fn draining(&self, owner: NodeId) -> usize {
        self.within.draining.get(&owner).copied().unwrap_or(0)
    }

    /// Lets go of the runs that have ended since the last look.
    #[cold]
    pub(super) fn end_runs(&mut self) {
        while let Some(id) = self.within.ended.pop() {
            let Some(owner) = self.run(id).map(|run| run.owner) else {
                continue;
            };
            if let Some(count) = self.within.draining.get_mut(&owner) {
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

    fn end_run(&mut self, id: RunId) {
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

    /// Nodes that others are shown for, by what is shown.
    pub(super) fn instances(&self) -> HashMap<NodeId, Vec<NodeId>> {
        let mut instances: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        if self.within.templates.is_empty() {
            return instances;
        }
        for node in self.nodes.iter().flatten() {
            let shown = node.label.shown_id();
            if shown != node.id {
                instances.entry(shown).or_default().push(node.id);
            }
        }
        instances
    }

    /// The counts of a node, with those of the nodes that it is shown for, if they are worth showing.
    pub(super) fn counts_shown(&mut self, id: NodeId, alike: &[NodeId]) -> Option<Counts> {
        let shows = |node: &NodeState| {
            let counts = &node.counts;
            // Operators that only pass on are left out, unless something went wrong there.
            node.counted || counts.failed > 0 || counts.dropped() > 0
        };
        let node = self.node(id)?;
        let (mut counts, mut counted) = (node.counts, shows(node));
        for id in alike {
            if let Some(node) = self.node(*id) {
                counts.add(&node.counts);
                counted |= shows(node);
            }
        }
        counted.then_some(counts)
    }

    /// All nodes from which elements can reach input `port` of a node; where one stands for others,
    /// those too.
    pub(crate) fn feeders(&self, node: NodeId, port: u32) -> Vec<NodeId> {
        let mut feeders = match self.topology.lock() {
            Ok(topology) => topology.feeders(self.shown(node), port),
            Err(_) => Vec::new(),
        };
        let instances = self.instances();
        if !instances.is_empty() {
            let alike = feeders.iter().filter_map(|id| instances.get(id));
            let alike: Vec<NodeId> = alike.flatten().copied().collect();
            feeders.extend(alike);
        }
        feeders
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

impl std::fmt::Debug for Nursery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nursery(..)")
    }
}
