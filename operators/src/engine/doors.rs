//! What sources know of their graph without its lock: whether an element may simply be pushed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::clock::Clock;
use super::context::Cx;
use super::inlet::{Inlet, bits};
use super::pressure::WaitKey;
use super::topology::NodeId;

impl Cx {
    pub(crate) fn fresh_wait_key(&mut self) -> WaitKey {
        self.wait_keys += 1;
        WaitKey(self.wait_keys)
    }

    /// Has the origin wait. Returns `false` where it waits for that holder already.
    pub(crate) fn hold_back(&mut self, origin: NodeId, key: WaitKey) -> bool {
        let Some(node) = self.node(origin) else {
            return false;
        };
        if node.waits.contains(&key) {
            return false;
        }
        node.waits.push(key);
        if let Some(inlet) = &node.inlet {
            inlet.state().fetch_or(bits::FULL, Ordering::Relaxed);
            // Who holds the lock for many elements must look at the state again.
            self.todo = true;
        }
        true
    }

    /// The origin need not wait for that holder any more.
    pub(crate) fn let_on(&mut self, origin: NodeId, key: WaitKey) {
        let Some(node) = self.node(origin) else {
            return;
        };
        let before = node.waits.len();
        node.waits.retain(|other| *other != key);
        if node.waits.len() == before || !node.waits.is_empty() {
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
        self.node(origin).is_some_and(|node| !node.waits.is_empty())
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
        let undriven = !self.driven && (self.polled_runs > 0 || (self.timed_runs > 0 && !led));
        [
            (bits::UNDRIVEN, undriven),
            (bits::STOPPED, self.is_stopped()),
            (bits::LED, led),
        ]
    }

    /// Brings the state bits of all sources up to date.
    pub(crate) fn refresh_inlets(&mut self) {
        for inlet in self.inlets() {
            self.refresh_inlet(&*inlet);
        }
    }

    /// What the graph keeps of each source.
    pub(crate) fn inlets(&self) -> Vec<Arc<dyn Inlet>> {
        let nodes = self.nodes.iter().flatten();
        nodes.filter_map(|node| node.inlet.clone()).collect()
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
