//! The parts of a run within a node: each may be taken off while the rest of the run goes on.

use super::context::Cx;
use super::fork::Mail;
use super::plan::Plan;
use super::push::{Signal, Tail};
use super::runs::Hanging;
use super::topology::{NodeId, Role};
use super::within::RunId;

/// How something is taken off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TakenOff {
    /// What it holds is emitted as at a close.
    Drains,
    /// What it holds is lost.
    Discarded,
}

/// A part of a run within a node: what one call of a closure connected, down to an end or a junction.
pub(super) struct Part {
    /// It is named after its end, as a run is.
    end: NodeId,
    /// The junctions that it ends in.
    forks: Vec<NodeId>,
    heads: Vec<Hanging>,
    nodes: Vec<NodeId>,
    pumps: bool,
    /// The elements of the run come in here.
    begins: bool,
    /// What comes out of the run comes out here.
    leads_out: bool,
}

impl Part {
    /// The parts of a run within `owner`. A run of one part has none to be taken off: none are noted.
    pub(super) fn all_of(plans: &[Plan], owner: NodeId) -> Vec<Part> {
        match plans {
            [_, _, ..] => plans.iter().map(|plan| Part::of(plan, owner)).collect(),
            _ => Vec::new(),
        }
    }

    fn of(plan: &Plan, owner: NodeId) -> Part {
        let nodes = plan.nodes();
        let shared = nodes.iter().filter(|node| node.role == Role::Shared);
        Part {
            end: nodes.first().map_or(NodeId::NONE, |node| node.label.id()),
            forks: shared.map(|node| node.label.id()).collect(),
            heads: plan.hangs().cloned().collect(),
            nodes: nodes.iter().map(|node| node.label.id()).collect(),
            pumps: plan.pumps(),
            begins: plan.edges().any(|edge| edge.from == owner),
            leads_out: !nodes
                .iter()
                .any(|node| matches!(node.role, Role::End | Role::Shared)),
        }
    }

    /// Whether it hangs from these junctions, and nothing else comes to it or out of it.
    fn hangs_only_from(&self, forks: &[NodeId]) -> bool {
        let only = self.heads.iter().all(|head| forks.contains(&head.fork));
        only && !(self.heads.is_empty() || self.begins || self.pumps || self.leads_out)
    }
}

impl Cx {
    /// Takes off the part of a run within a node that `end` names, if it is there still.
    #[cold]
    pub(super) fn part_within(&mut self, end: NodeId, how: TakenOff) {
        let Some(id) = self.node(end).and_then(|node| node.within) else {
            return;
        };
        let Some(run) = self.run(id) else { return };
        let Some(at) = run.parts.iter().position(|part| part.end == end) else {
            return;
        };
        let mut off = vec![run.parts.swap_remove(at)];
        let heads = off[0].heads.clone();
        let mut partial = Vec::new();
        if how == TakenOff::Discarded {
            // What hangs from the junctions that go, and from nothing else, goes with them.
            let mut forks = off[0].forks.clone();
            while let Some(at) = run.parts.iter().position(|p| p.hangs_only_from(&forks)) {
                let part = run.parts.swap_remove(at);
                forks.extend(&part.forks);
                off.push(part);
            }
            let kept = run.parts.iter().flat_map(|part| &part.heads);
            partial.extend(kept.filter(|head| forks.contains(&head.fork)).cloned());
        }
        let (owner, begins) = (run.owner, off.iter().any(|part| part.begins));
        let hangs = std::mem::take(&mut run.hangs).into_iter();
        let gone = |hang: &Hanging| {
            let mut heads = off.iter().flat_map(|part| &part.heads);
            heads.any(|head| head.branch == hang.branch)
        };
        let (outside, kept): (Vec<_>, Vec<_>) = hangs.partition(gone);
        run.hangs = kept;
        let letter = match how {
            TakenOff::Drains => Mail::Detach,
            TakenOff::Discarded => Mail::Discard,
        };
        self.unhang_from_outside(&outside, letter);
        let is_outside = |head: &Hanging| outside.iter().any(|o| o.branch == head.branch);
        for head in heads.iter().filter(|head| !is_outside(head)) {
            let letters = self.mail.entry(head.fork).or_default();
            letters.push(letter(head.branch));
        }
        for head in &partial {
            let letters = self.mail.entry(head.fork).or_default();
            letters.push(Mail::Detach(head.branch));
        }
        if begins {
            self.within.cut.push((owner, id, how));
        }
        let nodes: Vec<_> = off.iter().flat_map(|part| part.nodes.clone()).collect();
        self.end_pumps(&nodes);
        self.deliver_mail();
        if how == TakenOff::Discarded {
            self.count_last(&nodes);
            nodes.iter().for_each(|node| self.lose_held(*node));
        }
        for part in &off {
            if let Some(node) = self.node(part.end) {
                node.label.take_off();
            }
        }
        self.let_go_who_waits_in_vain();
        self.forsake(&outside);
    }

    /// Streams and iterators among these nodes end.
    pub(super) fn end_pumps(&mut self, nodes: &[NodeId]) {
        for id in nodes {
            let pump = self.node(*id).filter(|node| node.role == Role::Source);
            if let Some(station) = pump.and_then(|node| node.station.clone()) {
                station.signal(Signal::Close, self);
            }
        }
    }

    /// The runs of this owner whose beginning it is to [see out](Cx::see_out_run).
    pub(crate) fn cut_runs(&mut self, owner: NodeId) -> Vec<(RunId, TakenOff)> {
        if self.within.cut.is_empty() {
            return Vec::new();
        }
        let (own, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.within.cut)
            .into_iter()
            .partition(|(of, ..)| *of == owner);
        self.within.cut = others;
        own.into_iter().map(|(_, run, how)| (run, how)).collect()
    }

    /// Nothing more comes in by this beginning of a run.
    #[cold]
    pub(crate) fn see_out_run<T: 'static>(&mut self, mut head: Tail<T>, how: TakenOff) {
        self.with_token(super::lineage::Token::NONE, |cx| {
            match how {
                TakenOff::Drains => head.signal(Signal::Close, cx),
                // What stays has mail from the forks that go.
                TakenOff::Discarded => head.signal(Signal::Settle, cx),
            }
            cx.new_query();
            head.signal(Signal::Census, cx);
        });
        self.graves.push(Box::new(head));
        self.todo = true;
    }
}
