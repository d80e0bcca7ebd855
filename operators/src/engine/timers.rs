//! Who wants to be called when: the deadlines of all nodes, and the alarm of one.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use super::clock::Time;
use super::context::Cx;
use super::topology::NodeId;

/// How many deadlines of different lengths, far more than which few graphs have, need no heap.
const LANES: usize = 4;

/// When a node is to be called: sorted by time, and at one time by the order in which they were set.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Deadline {
    at: Time,
    nth: u64,
    node: NodeId,
}

impl Deadline {
    /// One number, as two are compared for each deadline of the graph.
    #[inline]
    fn rank(&self) -> u128 {
        u128::from(self.at.as_nanos()) << 64 | u128::from(self.nth)
    }
}

impl Ord for Deadline {
    #[inline]
    fn cmp(&self, other: &Deadline) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Deadline {
    #[inline]
    fn partial_cmp(&self, other: &Deadline) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Deadlines of all nodes, earliest first, those of one moment in the order they were set.
///
/// Whatever takes equally long (windows of one length, delays of one duration) is due in the order in
/// which it was set. So most deadlines queue up in lanes, one for each length, where the next is found
/// without a search. A heap has those that are due before the last of every lane.
#[derive(Default)]
pub(crate) struct Timers {
    /// Each in order.
    lanes: [VecDeque<Deadline>; LANES],
    heap: BinaryHeap<Reverse<Deadline>>,
    /// The earliest of all, and its lane.
    first: Option<(Deadline, Lane)>,
    set: u64,
}

/// Where a deadline is; `None` is the heap.
type Lane = Option<usize>;

impl Timers {
    /// Returns whether this is now the earliest deadline.
    pub(crate) fn set(&mut self, node: NodeId, at: Time) -> bool {
        self.set += 1;
        let nth = self.set;
        let deadline = Deadline { at, nth, node };
        let lane = self.lane(at);
        match lane {
            Some(lane) => self.lanes[lane].push_back(deadline),
            None => self.heap.push(Reverse(deadline)),
        }
        let earliest = self.next().is_none_or(|next| at < next);
        if earliest {
            self.first = Some((deadline, lane));
        }
        earliest
    }

    /// Where a deadline comes last: of several lanes the one that ends latest, so that short lengths
    /// don't queue behind long ones.
    #[inline]
    fn lane(&self, at: Time) -> Lane {
        let mut best = None;
        for (lane, queue) in self.lanes.iter().enumerate() {
            let last = queue.back().map(|last| last.at);
            if last <= Some(at) && best.is_none_or(|(latest, _)| last > latest) {
                best = Some((last, lane));
            }
        }
        best.map(|(_, lane)| lane)
    }

    #[inline]
    fn find_first(&mut self) {
        let mut first = self.heap.peek().map(|Reverse(first)| (*first, None));
        for (lane, queue) in self.lanes.iter().enumerate() {
            if let Some(front) = queue.front()
                && first.is_none_or(|(first, _)| *front < first)
            {
                first = Some((*front, Some(lane)));
            }
        }
        self.first = first;
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len() + self.lanes.iter().map(VecDeque::len).sum::<usize>()
    }

    /// Forgets the deadlines of nodes that don't live.
    pub(super) fn retain(&mut self, lives: impl Fn(NodeId) -> bool) {
        for lane in &mut self.lanes {
            lane.retain(|deadline| lives(deadline.node));
        }
        self.heap.retain(|Reverse(deadline)| lives(deadline.node));
        self.find_first();
    }

    /// These nodes are gone.
    pub(super) fn forget(&mut self, nodes: &[NodeId]) {
        self.retain(|node| !nodes.contains(&node));
    }

    #[inline]
    pub(crate) fn next(&self) -> Option<Time> {
        self.first.as_ref().map(|(first, _)| first.at)
    }

    #[inline]
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<(Time, NodeId)> {
        let (first, lane) = self.first.filter(|(first, _)| first.at <= now)?;
        match lane {
            Some(lane) => drop(self.lanes[lane].pop_front()),
            None => drop(self.heap.pop()),
        }
        self.find_first();
        Some((first.at, first.node))
    }
}

/// One node's deadline: at most one entry in the graph's timers, however often it is moved.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    entry: Option<Time>,
}

impl Alarm {
    /// Calls the node's `tick` at `at`, or earlier if it was set to an earlier moment before.
    #[inline]
    pub(crate) fn set(&mut self, node: NodeId, at: Time, cx: &mut Cx) {
        if self.entry.is_none_or(|entry| at < entry) {
            self.entry = Some(at);
            cx.set_timer(node, at);
        }
    }

    /// To be called first in `tick`: the entry is used up.
    #[inline]
    pub(crate) fn rang(&mut self, now: Time) {
        if self.entry.is_some_and(|entry| entry <= now) {
            self.entry = None;
        }
    }
}
