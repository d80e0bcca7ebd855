//! Runs within a node are built in the middle of a push.
//!
//! What a closure connects meanwhile does not wait for the push to end, as other changes of the
//! structure do: its plans are gathered on the thread and installed at once, since the element under
//! way is to go through them.

use std::cell::RefCell;
use std::sync::Arc;

use super::context::Cx;
use super::graph::Graph;
use super::parts::Part;
use super::plan::{Plan, do_at_once};
use super::template::Template;
use super::topology::{Label, NodeId, Role, Site};
use super::within::{Has, Inner, RunId};

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
        template.begin();
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
            drains: false,
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
        // What this one is within does not end before its sinks have.
        let outer = cx.node(self.owner).and_then(|owner| owner.within);
        for outer in cx.runs_around(outer) {
            if let Some(outer) = cx.run(outer) {
                outer.open += run.open - 1;
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

impl std::fmt::Debug for Nursery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nursery(..)")
    }
}
