//! What a graph counts: per junction, holder and end, never per hop.

use std::fmt;

use super::node::NodeState;
use super::snapshot::Snapshot;
use super::topology::Role;

/// Why an operator discarded an element, other than by the user's own predicate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Loss {
    /// A buffer was full and its policy says to drop.
    Overflow,
    /// A newer one took its place.
    Superseded,
    /// A join closed, or its mate failed, and it was left without one.
    Unpaired,
    /// Nobody was there to take it: no branch, a stream that was dropped, a join that had closed. Where
    /// all that hung there has had enough (`take` and its kin), nobody misses it and it is not counted.
    Unheard,
    /// The branch that held it was discarded.
    Discarded,
    /// More came than the rate allows.
    Excess,
}

pub(super) const LOSSES: [Loss; 6] = [
    Loss::Overflow,
    Loss::Superseded,
    Loss::Unpaired,
    Loss::Unheard,
    Loss::Discarded,
    Loss::Excess,
];

/// The counts of one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Elements that came in, by all inputs of a join: the column `in` of a printed snapshot. Sources,
    /// junctions, holders, joins and ends count them. What a trigger (of `take_until`, `collect_until`)
    /// says is no element.
    pub passed: u64,
    /// Elements that an end is done with: those whose future or thread has finished, where it has such,
    /// and that a `futures::Sink` has flushed. 0 elsewhere.
    pub delivered: u64,
    /// Elements that failed here.
    pub failed: u64,
    /// Elements held now, or what is held in their place: a window's state, a stream. In `delay`,
    /// `rate_limit`, `pace`, `flat_map_stream`, `map_async` and its kin failures and empty places that
    /// are held count too: `run` goes on until they have gone. Elsewhere they don't.
    pub held: u64,
    /// How many may be held before origins wait; 0 where the node holds nothing.
    pub capacity: u64,
    /// How many of those held wait for the result of an earlier element, and take no place of the
    /// capacity: results of `map_async` and its kin that came early, elements whose key is busy.
    pub out_of_turn: u64,
    /// Groups or windows emitted before their time, since they were full; elements that left the window
    /// of a `rolling_time` before theirs.
    pub early: u64,
    /// Ticks of a periodic operator that were missed and skipped.
    pub skipped: u64,
    /// Keyed groups that were emitted unfinished, since they had grown old or were evicted; keys that
    /// went, or whose count went on as another's.
    pub expired: u64,
    /// Attempts that were made again, under [`Retry`](crate::Retry).
    pub retried: u64,
    /// Failures that this `dead_letter` handed over to its source.
    pub dead_lettered: u64,
    /// Keys that live now.
    pub keys: u64,
    losses: [u64; LOSSES.len()],
}

impl Counts {
    /// How many elements were discarded for this reason.
    #[must_use]
    pub fn lost(&self, loss: Loss) -> u64 {
        self.losses[loss as usize]
    }

    /// How many elements were discarded, for whatever reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.losses.iter().sum()
    }

    pub(crate) fn lose(&mut self, loss: Loss, count: u64) {
        self.losses[loss as usize] += count;
    }

    /// Adds the counts of another node of the same kind.
    pub(super) fn add(&mut self, other: &Counts) {
        self.passed += other.passed;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.held += other.held;
        self.capacity = self.capacity.saturating_add(other.capacity);
        self.out_of_turn += other.out_of_turn;
        self.early += other.early;
        self.skipped += other.skipped;
        self.expired += other.expired;
        self.retried += other.retried;
        self.dead_lettered += other.dead_lettered;
        self.keys += other.keys;
        for (sum, more) in self.losses.iter_mut().zip(other.losses) {
            *sum += more;
        }
    }

    /// What stays when the node has gone.
    pub(super) fn lasting(mut self) -> Counts {
        (self.held, self.capacity, self.out_of_turn, self.keys) = (0, 0, 0, 0);
        self
    }
}

/// What the nodes that were disconnected, discarded or destroyed had counted: see
/// [`Branch`](crate::Branch).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gone {
    /// How many nodes that is.
    pub nodes: u64,
    /// Elements that entered by sources, streams and iterators among them.
    pub accepted: u64,
    /// Elements that reached ends among them.
    pub delivered: u64,
    /// What failed and was lost there. Nothing is held.
    pub counts: Counts,
    /// Elements that went from one part of the graph to another by `connect`.
    pub(super) inside: u64,
}

impl Gone {
    pub(super) fn add(&mut self, node: &NodeState) {
        let counts = &node.counts;
        self.nodes += 1;
        match node.role {
            Role::Source => self.accepted += counts.passed,
            // Neither the end of an element's way, nor the beginning of another's: what it passed
            // counts once, at the source it came by first.
            Role::End if node.label.kind() == "connect" => {
                self.inside += counts.passed - counts.dropped();
            }
            Role::End => self.delivered += counts.delivered,
            _ => {}
        }
        let lasting = counts.lasting();
        // What passed, of nodes of all kinds, is no sum of anything.
        self.counts.add(&Counts {
            passed: 0,
            delivered: 0,
            ..lasting
        });
    }
}

/// What a graph had done when it was shut down.
#[derive(Clone, Debug)]
pub struct Report {
    /// The last counts, by node.
    pub snapshot: Snapshot,
    /// Elements that entered by a source, a stream or an iterator.
    pub accepted: u64,
    /// Elements that reached an end: a group or a row counts as one, and a fork delivers to each
    /// branch.
    pub delivered: u64,
    /// Whether all that was held was delivered; `false` where the time was up first.
    pub complete: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} in, {} out, {} dropped, {} failed{}{}{}",
            self.accepted,
            self.delivered,
            self.snapshot.dropped(),
            self.snapshot.failed(),
            some(self.snapshot.dead_lettered(), "dead-lettered"),
            some(self.snapshot.retried(), "retried"),
            if self.complete {
                String::new()
            } else {
                format!(", {} given up: the time was up", self.snapshot.held())
            }
        )?;
        write!(f, "{}", self.snapshot)
    }
}

/// `, 3 retried`, if there were any.
fn some(count: u64, what: &str) -> String {
    match count {
        0 => String::new(),
        count => format!(", {count} {what}"),
    }
}
