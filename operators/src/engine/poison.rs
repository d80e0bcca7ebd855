//! Where a graph was poisoned: found out when a closure has panicked, and not noted on the way.

use super::context::Cx;
use super::graph::Graph;
use super::topology::TopologyNode;

impl Graph {
    /// The node below which a closure panicked, which poisoned the graph: the last source, join or
    /// holding operator that the element (or batch) under way had come to. The closure is in this node
    /// itself, or in the run that hangs from it, down to the next such node. `None` while the graph is
    /// sound.
    ///
    /// Which line it was the panic itself has said: its message has the place.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    ///
    /// let graph = Graph::new();
    /// let source = graph.source::<u32>().named("readings");
    /// source.map(|x| 10 / x).sink(drop);
    /// assert!(graph.poisoned_below().is_none());
    /// # std::panic::set_hook(Box::new(|_| {}));
    /// let _ = catch_unwind(AssertUnwindSafe(|| source.emit(0)));
    /// let node = graph.poisoned_below().expect("it divides by zero");
    /// assert_eq!(node.label().title(), "readings");
    /// ```
    #[must_use]
    pub fn poisoned_below(&self) -> Option<TopologyNode> {
        self.core().poisoned.get().cloned()
    }
}

impl Cx {
    /// The node that was entered last of those at work: each is entered by a push of the one before.
    pub(super) fn innermost_at_work(&mut self) -> Option<TopologyNode> {
        let parts = self.nodes.iter().flatten();
        let parts: Vec<_> = parts
            .map(|node| {
                let parts = (node.inlet.clone(), node.station.clone());
                (node.id, node.at_work, parts)
            })
            .collect();
        let mut at_work = Vec::new();
        // A node that ticks is lent to who calls it.
        for (id, ticks, (inlet, station)) in parts {
            let works = ticks
                || inlet.is_some_and(|inlet| inlet.is_at_work(self))
                || station.is_some_and(|station| station.is_at_work(self));
            if works {
                at_work.push(self.shown(id));
            }
        }
        let topology = self.topology.lock().ok()?;
        let order = topology.in_flow_order().into_iter();
        let last = order.rev().find(|id| at_work.contains(id))?;
        let mut nodes = topology.nodes.iter();
        nodes.find(|node| node.label.id() == last).cloned()
    }
}
