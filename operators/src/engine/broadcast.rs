//! Signals that the graph itself sends, to every node once.

use super::context::Cx;
use super::push::{Push, Signal};
use super::topology::NodeId;

impl Cx {
    /// Starts a signal that every node should see once.
    pub(crate) fn new_query(&mut self) {
        self.query = self.query.wrapping_add(1);
    }

    /// Whether the current query comes to this node for the first time: nodes with several inputs
    /// are reached several times, and forwarding each would double at every diamond.
    pub(crate) fn first_visit(&mut self, id: NodeId) -> bool {
        let query = self.query;
        self.node(id)
            .is_some_and(|node| std::mem::replace(&mut node.visited, query) != query)
    }

    /// Sends a signal into the graph from everywhere that elements can begin.
    pub(crate) fn broadcast(&mut self, mut signal: Signal<'_>) {
        self.new_query();
        let roots: Vec<_> = self
            .nodes
            .iter()
            .flatten()
            .map(|node| (node.inlet.clone(), node.station.clone()))
            .filter(|(inlet, station)| inlet.is_some() || station.is_some())
            .collect();
        for (inlet, station) in roots {
            if let Some(inlet) = inlet {
                inlet.signal(signal.again(), self);
            }
            if let Some(station) = station {
                station.signal(signal.again(), self);
            }
        }
    }

    /// How many more elements every holder downstream of `down` can take.
    #[inline]
    pub(crate) fn room<T>(&mut self, down: &mut (impl Push<T> + ?Sized)) -> usize {
        let mut room = usize::MAX;
        self.new_query();
        down.signal(Signal::Room(&mut room), self);
        room
    }
}
