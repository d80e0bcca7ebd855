//! What travels with a push: the one `Cx` that a graph's lock holds.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use futures_util::task::AtomicWaker;
use qcell::QCellOwner;

use super::cell::Station;
use super::census::{Counts, Loss, Report};
use super::clock::{Clock, Time, Timers};
use super::error::{Failure, OnError};
use super::fork::Mail;
use super::inbox::Inbox;
use super::inlet::{Inlet, bits};
use super::lineage::{Lost, Token, Watch};
use super::push::Signal;
use super::topology::{Label, NodeId, Role, Topology};
use super::within::{RunId, Within};

/// What the engine shares with a push: it is made once for a graph, lives under the graph's lock
/// and travels by `&mut` through every operator. Operators of this crate use it; a user's own
/// operator sees an [`Outlet`](crate::Outlet) instead.
pub struct Cx {
    /// Set by anything unusual; the emitter looks at it once for the whole run.
    pub(crate) todo: bool,
    /// The token of the element under way.
    pub(crate) token: Token,
    /// Who started the push under way: a source, or the holder that drains.
    pub(crate) origin: NodeId,
    /// Raised by each change of the structure, so that forks know when to look at their mail.
    pub(crate) epoch: u32,
    pub(crate) cells: QCellOwner,
    pub(crate) faults: Faults,
    pub(crate) clock: Clock,
    /// The clock's last reading, valid for one push.
    now: Option<Time>,
    /// Whether anybody has read the clock yet: until then its zero may still move.
    pub(crate) clock_read: bool,
    pub(crate) timers: Timers,
    pub(crate) nodes: Vec<Option<NodeState>>,
    pub(crate) mail: HashMap<NodeId, Vec<Mail>>,
    pub(crate) ready: VecDeque<NodeId>,
    /// Sources whose gate opened and which have elements parked.
    pub(crate) reopened: Vec<Arc<dyn Inlet>>,
    /// To be called once the lock is released.
    pub(crate) wakes: Vec<Waker>,
    pub(crate) wake_driver: bool,
    pub(crate) driven: bool,
    pub(crate) has_timers: bool,
    pub(crate) has_futures: bool,
    pub(crate) open_sources: usize,
    /// Streams and iterators that have not ended.
    pub(crate) open_pumps: usize,
    pub(crate) open_ends: usize,
    pub(crate) ends: usize,
    /// Wakers of those who wait for the last end to close.
    pub(crate) waiting_for_end: Vec<Waker>,
    /// The graph was shut down: what is built from now on closes at once.
    pub(crate) shut: bool,
    /// Set once a shutdown ran out of time.
    pub(crate) out_of_time: bool,
    /// What a shutdown that ran out of time said.
    pub(crate) last_report: Option<Report>,
    /// Pieces of a graph that was given up, to be dropped outside of the lock.
    pub(crate) graves: Vec<Box<dyn Any + Send>>,
    /// Branches that were disconnected and drain: their ends, and the nodes that go with them.
    pub(crate) departing: Vec<(NodeId, Arc<[NodeId]>)>,
    /// Joins at which an origin waits: they may starve.
    pub(crate) joins_full: Vec<NodeId>,
    query: u32,
    pub(crate) within: Within,
    pub(crate) topology: Arc<Mutex<Topology>>,
    pub(crate) wakeups: Arc<Wakeups>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) tracked: VecDeque<(Watch, Time)>,
}

/// What the graph knows of one node.
pub(crate) struct NodeState {
    pub(crate) label: Arc<Label>,
    pub(crate) role: Role,
    pub(crate) counts: Counts,
    pub(crate) blocked_since: Option<Time>,
    pub(crate) station: Option<Arc<dyn Station>>,
    pub(crate) inlet: Option<Arc<dyn Inlet>>,
    pub(crate) waker: Option<Arc<NodeWaker>>,
    /// How many holders downstream make this origin wait.
    pub(crate) gate: u32,
    /// An end that has not seen its close.
    pub(crate) open: bool,
    /// A fork that has passed its close on.
    pub(crate) closed: bool,
    /// Whether the node shows in snapshots.
    pub(crate) counted: bool,
    /// What the node holds moves only when more elements come, or somebody outside of the graph
    /// takes it, and not with time.
    pub(crate) rests: bool,
    /// It is in a cell, and all the same never pushes unless it is pushed into.
    pub(crate) passive: bool,
    /// The run within a node that it belongs to.
    pub(crate) run: Option<RunId>,
    /// The run has ended, and a holder downstream still makes this origin wait.
    pub(crate) gone: bool,
    ready: bool,
    visited: u32,
}

impl NodeState {
    pub(crate) fn new(label: Arc<Label>, role: Role) -> NodeState {
        NodeState {
            label,
            role,
            counts: Counts::default(),
            blocked_since: None,
            station: None,
            inlet: None,
            waker: None,
            gate: 0,
            open: role == Role::End,
            closed: false,
            counted: role != Role::Operator,
            rests: matches!(role, Role::Join | Role::OrderedJoin),
            passive: false,
            run: None,
            gone: false,
            ready: false,
            visited: 0,
        }
    }

    /// Whether elements enter the graph here: a source that is open, or a pump that has not ended.
    pub(crate) fn begins(&self) -> bool {
        match &self.inlet {
            Some(inlet) => inlet.state().load(Ordering::Relaxed) & bits::CLOSED == 0,
            None => self.role == Role::Source && self.station.is_some(),
        }
    }

    /// Whether the node may push without being pushed into: it begins, or it holds for a time.
    pub(crate) fn may_begin(&self) -> bool {
        let holds = self.role == Role::Operator && self.station.is_some();
        self.begins() || (holds && !self.passive)
    }
}

/// Failures that nobody caught.
pub(crate) struct Faults {
    pub(crate) policy: OnError,
    /// An emitter waits for the outcome: the first failure is its error.
    pub(crate) emitting: bool,
    pub(crate) first: Option<Failure>,
    pub(crate) others: usize,
}

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
    queued: AtomicBool,
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
    pub(crate) fn new(cells: QCellOwner, clock: Clock, inbox: Arc<Inbox>) -> Cx {
        Cx {
            todo: false,
            token: Token::NONE,
            origin: NodeId(0),
            epoch: 0,
            cells,
            faults: Faults {
                policy: OnError::Log,
                emitting: true,
                first: None,
                others: 0,
            },
            clock,
            now: None,
            clock_read: false,
            timers: Timers::default(),
            nodes: Vec::new(),
            mail: HashMap::new(),
            ready: VecDeque::new(),
            reopened: Vec::new(),
            wakes: Vec::new(),
            wake_driver: false,
            driven: false,
            has_timers: false,
            has_futures: false,
            open_sources: 0,
            open_pumps: 0,
            open_ends: 0,
            ends: 0,
            waiting_for_end: Vec::new(),
            shut: false,
            out_of_time: false,
            last_report: None,
            graves: Vec::new(),
            departing: Vec::new(),
            joins_full: Vec::new(),
            query: 0,
            within: Within::default(),
            topology: Arc::default(),
            wakeups: Arc::default(),
            inbox,
            tracked: VecDeque::new(),
        }
    }

    /// The time of this push, read from the clock when the first operator asks.
    #[inline]
    pub fn now(&mut self) -> Time {
        match self.now {
            Some(now) => now,
            None => self.read_clock(),
        }
    }

    #[cold]
    #[inline(never)]
    fn read_clock(&mut self) -> Time {
        self.clock_read = true;
        let now = self.clock.read();
        self.now = Some(now);
        now
    }

    /// A new push begins, and the clock may have moved. The caller answers for `token`: it is `NONE`
    /// between pushes.
    #[inline]
    pub(crate) fn begin(&mut self, origin: NodeId) {
        self.origin = origin;
        self.now = None;
    }

    /// The clock may have moved since the last push.
    #[inline]
    pub(crate) fn forget_time(&mut self) {
        self.now = None;
    }

    pub(crate) fn set_now(&mut self, now: Time) {
        match &mut self.clock {
            Clock::Virtual(at) | Clock::Led(at) => *at = now,
            Clock::Real(_) | Clock::Driver(_) => {}
        }
        self.clock_read = true;
        self.now = Some(now);
    }

    pub(crate) fn set_timer(&mut self, node: NodeId, at: Time) {
        if self.timers.set(node, at) {
            self.wake_driver = true;
            self.todo = true;
        }
    }

    pub(crate) fn node(&mut self, id: NodeId) -> Option<&mut NodeState> {
        self.nodes.get_mut(id.index())?.as_mut()
    }

    pub(crate) fn put_node(&mut self, node: NodeState) {
        let at = node.label.id().index();
        if self.nodes.len() <= at {
            self.nodes.resize_with(at + 1, || None);
        }
        self.nodes[at] = Some(node);
    }

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
        if let Some(station) = self.node(id).and_then(|node| node.station.clone()) {
            self.origin = id;
            station.tick(self);
            self.token = Token::NONE;
        }
    }

    /// The clock follows the data from now on.
    pub(crate) fn lead(&mut self) {
        if !matches!(self.clock, Clock::Led(_)) {
            self.clock = Clock::Led(Time::ZERO);
            self.refresh_inlets();
        }
    }

    /// Whether nobody drives, since the elements bring the time along: then they also bring those
    /// along who waited for room downstream.
    pub(crate) fn is_led_alone(&self) -> bool {
        !self.driven && !self.has_futures && matches!(self.clock, Clock::Led(_))
    }

    /// Fires all deadlines up to `now`, each at its own moment.
    pub(crate) fn advance_led(&mut self, now: Time) {
        while let Some((at, node)) = self.timers.pop_due(now) {
            self.set_now(at.max(self.clock.read()));
            self.tick(node);
        }
        self.set_now(now);
    }

    pub(crate) fn close_gate(&mut self, origin: NodeId) {
        if let Some(node) = self.node(origin) {
            node.gate += 1;
            if let Some(inlet) = &node.inlet {
                inlet.state().fetch_or(bits::FULL, Ordering::Relaxed);
                // Who holds the lock for many elements must look at the state again.
                self.todo = true;
            }
        }
    }

    pub(crate) fn open_gate(&mut self, origin: NodeId) {
        let Some(node) = self.node(origin) else {
            return;
        };
        node.gate = node.gate.saturating_sub(1);
        if node.gate > 0 {
            return;
        }
        if node.gone {
            self.nodes[origin.index()] = None;
            return self.recycle(origin);
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
        self.node(origin).is_some_and(|node| node.gate > 0)
    }

    /// The counts of a node, to count something: from then on it is in snapshots.
    pub(crate) fn counts(&mut self, id: NodeId) -> Option<&mut Counts> {
        self.node(id).map(|node| {
            node.counted = true;
            &mut node.counts
        })
    }

    /// Counts elements that an operator discards other than by the user's predicate.
    pub(crate) fn lose(&mut self, id: NodeId, loss: Loss, count: usize) {
        if let Some(counts) = self.counts(id) {
            counts.lose(loss, count as u64);
        }
    }

    /// As [`lose`](Cx::lose), of the element under way: its lineage fails.
    pub(crate) fn lose_current(&mut self, id: NodeId, loss: Loss) {
        self.token.fail(Lost::Discarded);
        self.lose(id, loss, 1);
    }

    /// A node's turn in a census.
    pub(crate) fn take_census(&mut self, id: NodeId, write: impl FnOnce(&mut NodeState)) {
        if let Some(node) = self.node(id) {
            node.counted = true;
            write(node);
        }
    }

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

    /// An end saw its close.
    pub(crate) fn end_closed(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        if std::mem::replace(&mut node.open, false) {
            let run = node.run;
            self.open_ends -= 1;
            if let Some(run) = run {
                self.run_end_closed(run);
            }
            self.todo |= !self.departing.is_empty();
            self.wake_waiters();
        }
    }

    /// Lets go of disconnected branches that have drained: what their closures captured must not
    /// stay for as long as the graph.
    #[cold]
    pub(crate) fn see_off(&mut self) {
        let departing = std::mem::take(&mut self.departing);
        for (end, nodes) in departing {
            if self.node(end).is_some_and(|node| node.open) {
                self.departing.push((end, nodes));
                continue;
            }
            for id in nodes.iter() {
                if let Some(station) = self.node(*id).and_then(|node| node.station.take()) {
                    self.graves.push(Box::new(station));
                }
            }
            if let Ok(mut topology) = self.topology.lock() {
                topology.nodes.retain(|n| !nodes.contains(&n.label.id()));
                let inner = self.within.forget(&nodes);
                topology.nodes.retain(|n| !inner.contains(&n.label.id()));
                let gone = |id: &NodeId| nodes.contains(id) || inner.contains(id);
                topology.edges.retain(|e| !gone(&e.from) && !gone(&e.to));
            }
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
                node.gate = 0;
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

    /// Whether a failure stopped the graph.
    pub(crate) fn is_stopped(&self) -> bool {
        self.inbox.stopped.get().is_some()
    }

    /// A failure that nobody caught.
    #[cold]
    #[inline(never)]
    pub(crate) fn report(&mut self, failure: Failure) {
        self.token.fail_by(&failure);
        if let Some(counts) = self.counts(failure.label().id()) {
            counts.failed += 1;
        }
        if matches!(self.faults.policy, OnError::Stop)
            && self.inbox.stopped.set(failure.clone()).is_ok()
        {
            self.refresh_inlets();
            self.wake_driver = true;
        }
        self.todo = true;
        if self.faults.emitting {
            match self.faults.first {
                None => self.faults.first = Some(failure),
                Some(_) => self.faults.others += 1,
            }
            return;
        }
        match &mut self.faults.policy {
            OnError::Log => tracing::error!(
                target: "headwater",
                node = failure.node(),
                location = %failure.location(),
                error = %failure.error(),
                "an element failed"
            ),
            OnError::Call(handler) => handler(&failure),
            OnError::Stop => {}
        }
    }

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
    pub(crate) fn room<T>(&mut self, down: &mut (impl super::push::Push<T> + ?Sized)) -> usize {
        let mut room = usize::MAX;
        self.new_query();
        down.signal(Signal::Room(&mut room), self);
        room
    }
}

impl std::fmt::Debug for Cx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cx(..)")
    }
}
