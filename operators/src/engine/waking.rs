//! Who is woken: nodes by their futures and deadlines, the driver and consumers by the graph.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use futures_util::task::AtomicWaker;

use super::context::Cx;
use super::lineage::Token;
use super::topology::NodeId;

/// Nodes that were woken from outside, and the driver that wants to know.
#[derive(Default)]
pub(crate) struct Wakeups {
    woken: Mutex<Vec<NodeId>>,
    pub(crate) driver: AtomicWaker,
    /// Whether a driver comes by itself when it is woken. Only changed and read by
    /// read-modify-write, so that who reads it is seen by who changes it next.
    attended: AtomicBool,
    /// Consumers outside of the graph, who look after it where nobody drives it.
    listeners: Mutex<Vec<(NodeId, Waker)>>,
}

impl Wakeups {
    /// Has the consumer behind this node woken when something was left at the graph by somebody who
    /// could not do it.
    pub(crate) fn listen(&self, id: NodeId, waker: &Waker) {
        if let Ok(mut listeners) = self.listeners.lock() {
            match listeners.iter_mut().find(|(node, _)| *node == id) {
                Some((_, known)) => known.clone_from(waker),
                None => listeners.push((id, waker.clone())),
            }
        }
    }

    pub(crate) fn unlisten(&self, id: NodeId) {
        if let Ok(mut listeners) = self.listeners.lock() {
            listeners.retain(|(node, _)| *node != id);
        }
    }

    /// Whether a driver comes by itself when it is woken. Written to be read, see the field.
    pub(crate) fn is_attended(&self) -> bool {
        self.attended.fetch_or(false, Ordering::AcqRel)
    }

    /// Says whether a driver comes by itself from now on.
    pub(crate) fn set_attended(&self, attended: bool) {
        self.attended.swap(attended, Ordering::AcqRel);
    }

    pub(crate) fn wake_listeners(&self) {
        let listeners = match self.listeners.lock() {
            Ok(mut listeners) => std::mem::take(&mut *listeners),
            Err(_) => return,
        };
        listeners.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

/// Wakes one node: what its futures get as their waker.
pub(crate) struct NodeWaker {
    node: NodeId,
    pub(super) queued: AtomicBool,
    wakeups: Arc<Wakeups>,
}

impl Wake for NodeWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            if let Ok(mut woken) = self.wakeups.woken.lock() {
                woken.push(self.node);
            }
            self.wakeups.driver.wake();
        }
    }
}

impl Cx {
    /// Has the driver poll the node.
    #[inline]
    pub(crate) fn wake(&mut self, id: NodeId) {
        if let Some(node) = self.node(id)
            && !node.ready
        {
            node.ready = true;
            self.ready.push_back(id);
            self.wake_driver = true;
            self.todo = true;
        }
    }

    /// Moves nodes woken from outside to the ready list.
    pub(crate) fn collect_woken(&mut self) {
        let wakeups = self.wakeups.clone();
        let Ok(mut woken) = wakeups.woken.lock() else {
            return;
        };
        for id in woken.drain(..) {
            if let Some(node) = self.node(id)
                && let Some(waker) = &node.waker
            {
                waker.queued.store(false, Ordering::Release);
            }
            self.wake(id);
        }
    }

    /// The waker that has this node polled.
    pub(crate) fn waker(&mut self, id: NodeId) -> Waker {
        let wakeups = self.wakeups.clone();
        match self.node(id) {
            Some(node) => node
                .waker
                .get_or_insert_with(|| {
                    Arc::new(NodeWaker {
                        node: id,
                        queued: AtomicBool::new(false),
                        wakeups,
                    })
                })
                .clone()
                .into(),
            None => Waker::noop().clone(),
        }
    }

    /// Takes the next ready node and polls it.
    pub(crate) fn poll_next(&mut self) -> bool {
        let Some(id) = self.ready.pop_front() else {
            return false;
        };
        let waker = self.waker(id);
        if let Some(node) = self.node(id) {
            node.ready = false;
            if let Some(station) = node.station.clone() {
                self.begin(id);
                station.poll(self, &waker);
                self.token = Token::NONE;
            }
        }
        true
    }

    /// Calls the node whose deadline came.
    pub(crate) fn tick(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        // Lent, and not cloned: counting references would cost as much as an idle window's tick.
        let Some(station) = node.station.take() else {
            return;
        };
        node.at_work = true;
        self.origin = id;
        station.tick(self);
        self.token = Token::NONE;
        match self.node(id) {
            Some(node) if node.at_work => {
                node.at_work = false;
                node.station = Some(station);
            }
            // It said that it goes.
            _ => self.let_go.push(Box::new(station)),
        }
    }
}
