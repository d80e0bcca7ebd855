//! What sources know of their graph without its lock: whether an element may simply be pushed.

use std::sync::atomic::Ordering;

use super::clock::Clock;
use super::context::Cx;
use super::inlet::{Inlet, bits};
use super::topology::NodeId;

impl Cx {
    pub(crate) fn hold_back(&mut self, origin: NodeId) {
        if let Some(node) = self.node(origin) {
            node.waits_for += 1;
            if let Some(inlet) = &node.inlet {
                inlet.state().fetch_or(bits::FULL, Ordering::Relaxed);
                // Who holds the lock for many elements must look at the state again.
                self.todo = true;
            }
        }
    }

    pub(crate) fn let_on(&mut self, origin: NodeId) {
        let Some(node) = self.node(origin) else {
            return;
        };
        node.waits_for = node.waits_for.saturating_sub(1);
        if node.waits_for > 0 {
            return;
        }
        match node.inlet.clone() {
            Some(inlet) => {
                self.reopened.push(inlet);
                self.todo = true;
            }
            None => self.wake(origin),
        }
    }

    /// Whether a holder downstream makes this origin wait.
    #[inline]
    pub(crate) fn gated(&mut self, origin: NodeId) -> bool {
        self.node(origin).is_some_and(|node| node.waits_for > 0)
    }

    /// Whether the graph needs a driver and has none.
    pub(crate) fn is_undriven(&self) -> bool {
        self.inlet_bits().contains(&(bits::UNDRIVEN, true))
    }

    /// Whether a failure stopped the graph.
    pub(crate) fn is_stopped(&self) -> bool {
        self.inbox.stopped.get().is_some()
    }

    /// What all sources should know of the graph: stopped, undriven, led.
    pub(crate) fn inlet_bits(&self) -> [(u8, bool); 3] {
        let led = matches!(self.clock, Clock::Led(_));
        // Elements that lead the clock bring the time along; futures need somebody who polls.
        let undriven = !self.driven && (self.has_futures || (self.has_timers && !led));
        [
            (bits::UNDRIVEN, undriven),
            (bits::STOPPED, self.is_stopped()),
            (bits::LED, led),
        ]
    }

    /// Brings the state bits of all sources up to date.
    pub(crate) fn refresh_inlets(&mut self) {
        let inlets: Vec<_> = self
            .nodes
            .iter()
            .flatten()
            .filter_map(|n| n.inlet.clone())
            .collect();
        for inlet in inlets {
            self.refresh_inlet(&*inlet);
        }
    }

    /// Brings the state bits of one source up to date.
    pub(crate) fn refresh_inlet(&mut self, inlet: &dyn Inlet) {
        for (bit, on) in self.inlet_bits() {
            if on {
                let before = inlet.state().fetch_or(bit, Ordering::Release);
                if before & bit == 0 && bit & bits::REFUSED != 0 {
                    // Who waits for room now waits in vain.
                    inlet.take_senders(&mut self.wakes);
                }
            } else {
                inlet.state().fetch_and(!bit, Ordering::Relaxed);
            }
        }
    }
}
