//! Whether a join can still come to a row, or waits for those who wait for it.

use std::fmt;

use crate::engine::{Cx, NodeId, NodeState, Role, Waits};

/// Whether one of the inputs that `me` waits for can't be fed any more.
///
/// An origin that waits at a join goes on when that join comes to a row. So those joins can that wait
/// for an origin that is free, then those that wait for an origin that only waits for them, and so on;
/// what is not reached in this way waits in a circle, of itself or of several joins.
///
/// `pending`: the origin under way is among those of `me`, but does not wait yet. `still`: nothing
/// moves in the graph, and the census is fresh, so that a holder that holds nothing will not feed
/// anybody.
pub(crate) fn starves(me: Waits, pending: bool, still: bool, cx: &mut Cx) -> bool {
    let under_way = pending.then_some(cx.origin);
    let id = me.join;
    // Nearly always somebody is free, and the other joins need not be asked.
    let free =
        |f| Some(f) != under_way && feeds(f, still, cx).is_some_and(|node| node.waits_for() == 0);
    if all_fed(&me, free, cx) {
        return false;
    }
    let mut stuck = vec![me];
    for join in cx.joins_full.clone() {
        if join != id
            && let Some(station) = cx.node(join).and_then(|node| node.station.clone())
        {
            // One at work may let those go who wait there, or not: it is asked afterwards.
            if !still && station.inputs(cx).is_empty() {
                cx.unsure = true;
                cx.todo = true;
            }
            stuck.extend(station.waits(cx));
        }
    }
    let waiting = stuck.clone();
    loop {
        let before = stuck.len();
        let keep = |join: &Waits| {
            let feeds = |f| may_feed(f, &waiting, &stuck, under_way, still, cx);
            !all_fed(join, feeds, cx)
        };
        stuck = stuck.iter().filter(|join| keep(join)).cloned().collect();
        if !stuck.iter().any(|join| join.join == id) {
            return false;
        }
        if stuck.len() == before {
            return true;
        }
    }
}

/// Whether each input that the join waits for has somebody above it who `feeds`.
fn all_fed(join: &Waits, feeds: impl Fn(NodeId) -> bool, cx: &Cx) -> bool {
    let fed = |port: &u32| cx.feeders(join.join, *port).into_iter().any(&feeds);
    join.empty.iter().all(fed)
}

/// The node, if elements begin there, or are held for a time.
fn feeds(feeder: NodeId, still: bool, cx: &Cx) -> Option<&NodeState> {
    let node = cx.nodes.get(feeder.index())?.as_ref()?;
    if node.id != feeder {
        return None;
    }
    let begins = node.begins() || (node.may_begin() && (!still || node.counts.held > 0));
    begins.then_some(node)
}

/// Whether elements may still come from this node, though some joins are stuck.
fn may_feed(
    feeder: NodeId,
    waiting: &[Waits],
    stuck: &[Waits],
    under_way: Option<NodeId>,
    still: bool,
    cx: &Cx,
) -> bool {
    let Some(node) = feeds(feeder, still, cx) else {
        return false;
    };
    let waits_at = |joins: &[Waits]| joins.iter().filter(|w| w.origins.contains(&feeder)).count();
    let at_joins = waits_at(waiting) - usize::from(under_way == Some(feeder));
    let elsewhere = node.waits_for() as usize > at_joins;
    let free_of_joins = waits_at(stuck) == 0;
    if still {
        free_of_joins && (!elsewhere || reaches_a_mover(feeder, cx))
    } else {
        // Who waits for another holder as well may go on when that lets it: the driver looks again
        // when nothing moves.
        free_of_joins || elsewhere
    }
}

/// Whether a holder that is full and itself waits for nobody in the graph lies below: a future, a
/// consumer or another source will make room there.
fn reaches_a_mover(feeder: NodeId, cx: &Cx) -> bool {
    let feeder = cx.shown(feeder);
    let Ok(topology) = cx.topology.lock() else {
        return false;
    };
    cx.nodes.iter().flatten().any(|node| {
        let join = matches!(node.role, Role::Join | Role::OrderedJoin);
        !join
            && node.blocked_since.is_some()
            && node.waits_for() == 0
            && topology.reaches(feeder, node.label.shown_id())
    })
}

/// A join can't go on: an input is full, another is empty, and only origins could feed that one which
/// would have to wait for the join itself, or for another that waits for it in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starved {
    /// How many places each input holds: elements, failures, and places left empty.
    pub held: Vec<usize>,
}

impl fmt::Display for Starved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the join's inputs hold {:?} elements, and an empty one can only be fed by sources that \
             would have to wait for it: raise the capacity, or drop on the full side",
            self.held
        )
    }
}

impl std::error::Error for Starved {}
