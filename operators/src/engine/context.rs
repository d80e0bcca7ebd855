//! What travels with a push: the one `Cx` that a graph's lock holds.
//!
//! Here is what it consists of. What it does stands with what it is about: `node.rs` (the node
//! table), `present.rs` (time), `waking.rs`, `doors.rs` (what sources may do), `fault.rs`,
//! `broadcast.rs` and `ending.rs`.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use qcell::QCellOwner;

use super::census::{Gone, Report};
use super::clock::{Clock, Time};
use super::coarse::Coarse;
use super::ending::Upstream;
use super::error::OnError;
use super::fault::Faults;
use super::fork::Mail;
use super::ids::Ids;
use super::inbox::Inbox;
use super::inlet::Inlet;
use super::lineage::{Token, Watch};
use super::node::NodeState;
use super::timers::Timers;
use super::topology::{NodeId, Topology};
use super::waking::Wakeups;
use super::within::Within;

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
    /// Raised by each change of the structure, so that forks know when to look at their mail. Within a
    /// push, `todo` is set with it.
    pub(crate) epoch: u32,
    pub(crate) cells: QCellOwner,
    pub(crate) faults: Faults,
    pub(crate) clock: Clock,
    /// The clock's last reading, valid for one push.
    pub(super) now: Option<Time>,
    /// The latest time that any push was given.
    pub(super) seen: Time,
    /// What those know of the time who don't hold the lock.
    pub(super) coarse: Arc<Coarse>,
    /// Open sources whose elements are gathered outside of the graph.
    pub(super) gathering: Vec<Arc<dyn Inlet>>,
    /// Where the data have led the clock to, while deadlines on the way there are fired.
    pub(super) heading: Time,
    /// Whether anybody has read the clock yet: until then its zero may still move.
    pub(crate) clock_read: bool,
    pub(crate) timers: Timers,
    pub(crate) nodes: Vec<Option<NodeState>>,
    pub(crate) mail: HashMap<NodeId, Vec<Mail>>,
    pub(crate) ready: VecDeque<NodeId>,
    /// Sources that need not wait any more, and may have elements parked.
    pub(crate) reopened: Vec<Arc<dyn Inlet>>,
    /// To be called once the lock is released.
    pub(crate) wakes: Vec<Waker>,
    pub(crate) wake_driver: bool,
    pub(crate) driven: bool,
    /// How many runs have timers.
    pub(crate) timed_runs: usize,
    /// How many runs have something to poll.
    pub(crate) polled_runs: usize,
    pub(crate) open_sources: usize,
    /// Streams and iterators that have not ended.
    pub(crate) open_pumps: usize,
    pub(crate) open_ends: usize,
    pub(crate) ends: usize,
    /// Outcomes of elements that nobody was told of yet: see [`Outcomes`](super::outcomes::Outcomes).
    pub(crate) untold: Arc<AtomicUsize>,
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
    /// Of runs that have had enough: what was in front of where they ended.
    pub(super) finished: Vec<Upstream>,
    /// Pieces of them, to be dropped outside of the lock: elements held there are done.
    pub(crate) let_go: Vec<Box<dyn Any + Send>>,
    /// Runs that go once their ends have closed.
    pub(crate) departing: Vec<NodeId>,
    /// Joins at which an origin waits, or did before: they may starve.
    pub(crate) joins_full: Vec<NodeId>,
    /// Somebody waits at a join that was looked at while another was at work, and could not be asked.
    pub(crate) unsure: bool,
    /// What nodes that are gone had counted.
    pub(crate) gone: Gone,
    pub(super) query: u32,
    pub(crate) within: Within,
    pub(super) wait_keys: u64,
    pub(crate) ids: Arc<Ids>,
    pub(crate) topology: Arc<Mutex<Topology>>,
    pub(crate) wakeups: Arc<Wakeups>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) tracked: VecDeque<(Watch, Time)>,
}

impl Cx {
    pub(crate) fn new(cells: QCellOwner, clock: Clock, inbox: Arc<Inbox>) -> Cx {
        Cx {
            todo: false,
            token: Token::NONE,
            origin: NodeId::NONE,
            epoch: 0,
            cells,
            faults: Faults {
                policy: OnError::Log,
                emitting: true,
                first: None,
                others: 0,
            },
            coarse: Arc::new(Coarse::new(clock.clone())),
            clock,
            now: None,
            seen: Time::ZERO,
            gathering: Vec::new(),
            heading: Time::ZERO,
            clock_read: false,
            timers: Timers::default(),
            nodes: Vec::new(),
            mail: HashMap::new(),
            ready: VecDeque::new(),
            reopened: Vec::new(),
            wakes: Vec::new(),
            wake_driver: false,
            driven: false,
            timed_runs: 0,
            polled_runs: 0,
            open_sources: 0,
            open_pumps: 0,
            open_ends: 0,
            ends: 0,
            untold: Arc::default(),
            waiting_for_end: Vec::new(),
            shut: false,
            out_of_time: false,
            last_report: None,
            graves: Vec::new(),
            finished: Vec::new(),
            let_go: Vec::new(),
            departing: Vec::new(),
            joins_full: Vec::new(),
            unsure: false,
            gone: Gone::default(),
            query: 0,
            within: Within::default(),
            wait_keys: 0,
            ids: Arc::default(),
            topology: Arc::default(),
            wakeups: Arc::default(),
            inbox,
            tracked: VecDeque::new(),
        }
    }
}

impl std::fmt::Debug for Cx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cx(..)")
    }
}
