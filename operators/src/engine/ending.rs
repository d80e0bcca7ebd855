//! How things end: an end sees its close, a branch has drained, a graph is given up.

use std::any::Any;

use super::clock::Timers;
use super::context::Cx;
use super::push::Signal;
use super::topology::NodeId;
use super::within::Within;

impl Cx {
    /// What an end does with a signal: report failures, note the close.
    pub(crate) fn end_signal(&mut self, id: NodeId, passed: u64, signal: Signal<'_>) {
        match signal {
            Signal::Close => {
                self.take_census(id, |node| node.counts.passed = passed);
                self.end_closed(id);
            }
            Signal::Fail(failure) => self.report(failure),
            Signal::Census => self.take_census(id, |node| node.counts.passed = passed),
            Signal::Hole | Signal::Room(_) | Signal::Settle => {}
        }
    }

    /// An end saw its close.
    pub(crate) fn end_closed(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        if std::mem::replace(&mut node.open, false) {
            let within = node.within;
            self.open_ends -= 1;
            if let Some(run) = within {
                self.run_end_closed(run);
            }
            self.todo |= !self.departing.is_empty();
            self.wake_waiters();
        }
    }

    /// Tells those who wait for the end, if it has come.
    pub(crate) fn wake_waiters(&mut self) {
        if self.open_ends == 0 && self.open_sources == 0 {
            self.wakes.append(&mut self.waiting_for_end);
            self.wake_driver = true;
            self.todo = true;
        }
    }

    /// Takes apart what holds elements, so that they are lost and say so. Returns the pieces, to be
    /// dropped outside of the lock; nothing reaches them any more.
    pub(crate) fn tear_down(&mut self, why: u8) -> Vec<Box<dyn Any + Send>> {
        let mut dead = Vec::new();
        let parts: Vec<_> = self
            .nodes
            .iter_mut()
            .flatten()
            .map(|node| {
                node.open = false;
                node.waits.clear();
                (node.inlet.clone(), node.station.take())
            })
            .collect();
        let mut wakes = std::mem::take(&mut self.wakes);
        for (inlet, station) in parts {
            dead.extend(inlet.map(|inlet| inlet.abandon(why, self, &mut wakes)));
            dead.extend(station.map(|station| station.abandon(self)));
        }
        wakes.append(&mut self.waiting_for_end);
        self.wakes = wakes;
        self.timers = Timers::default();
        self.ready.clear();
        self.reopened.clear();
        self.joins_full.clear();
        self.within = Within::default();
        dead.push(Box::new(std::mem::take(&mut self.mail)));
        (self.open_ends, self.open_sources, self.open_pumps) = (0, 0, 0);
        dead
    }
}
