//! What a graph counts: per junction, holder and end, never per hop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Time;
use super::topology::{Label, NodeId, Role};

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
    /// Nobody was there to take it: no branch, a stream that was dropped, a join that had closed.
    Unheard,
}

const LOSSES: [Loss; 4] = [
    Loss::Overflow,
    Loss::Superseded,
    Loss::Unpaired,
    Loss::Unheard,
];

/// The counts of one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Elements that came in (sources, junctions, holders, ends).
    pub passed: u64,
    /// Elements that failed here.
    pub failed: u64,
    /// Elements held now.
    pub held: u64,
    /// How many may be held before origins wait; 0 where the node holds nothing.
    pub capacity: u64,
    /// Groups or windows emitted before their time, since they were full.
    pub early: u64,
    /// Ticks of a periodic operator that were missed and skipped.
    pub skipped: u64,
    /// Keyed groups that were emitted unfinished, since they had grown old or were evicted.
    pub expired: u64,
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

    /// Adds what a node counted that holds nothing any more.
    pub(crate) fn add(&mut self, other: &Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.early += other.early;
        self.skipped += other.skipped;
        self.expired += other.expired;
        for (sum, count) in self.losses.iter_mut().zip(other.losses) {
            *sum += count;
        }
    }
}

/// One node of a [`Snapshot`].
#[derive(Clone, Debug)]
pub struct NodeSnapshot {
    pub(crate) label: Arc<Label>,
    pub(crate) role: Role,
    /// What it counted.
    pub counts: Counts,
    /// Since when an origin waits for this node, on the graph's clock.
    pub blocked_since: Option<Time>,
}

impl NodeSnapshot {
    /// Kind, name and place of the node.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }
}

/// What a graph held and had counted at one moment. Printed, it answers "why is it stuck?".
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The moment, on the graph's clock.
    pub at: Time,
    /// All nodes that count: sources, junctions, holders, ends. In the order in which elements come
    /// to them: sources first, and each node behind all that it hangs from. Nodes that have gone come
    /// last, those of one place in the user's source together.
    pub nodes: Vec<NodeSnapshot>,
    /// Age of the oldest tracked element that is not done.
    pub oldest_unacknowledged: Option<Duration>,
}

impl Snapshot {
    /// The node with this identity.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&NodeSnapshot> {
        self.nodes.iter().find(|node| node.label.id() == id)
    }

    /// The first node whose name, or kind where it has none, is `title`.
    #[must_use]
    pub fn named(&self, title: &str) -> Option<&NodeSnapshot> {
        self.nodes.iter().find(|node| node.label.title() == title)
    }

    /// Elements discarded anywhere, other than by the user's own predicates.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.nodes.iter().map(|node| node.counts.dropped()).sum()
    }

    /// Elements that failed anywhere.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.nodes.iter().map(|node| node.counts.failed).sum()
    }

    /// Elements held anywhere.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.nodes.iter().map(|node| node.counts.held).sum()
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<24} {:>12} {:>15} {:>8} {:>8}  note",
            "node", "passed", "held", "failed", "dropped"
        )?;
        for node in &self.nodes {
            let counts = &node.counts;
            let title = match node.label.name() {
                Some(name) => format!("{name} ({})", node.label.kind()),
                None => node.label.kind().to_owned(),
            };
            let held = match counts.capacity {
                0 => counts.held.to_string(),
                capacity => format!("{} of {capacity}", counts.held),
            };
            let mut notes = Vec::new();
            for loss in LOSSES {
                if counts.lost(loss) > 0 {
                    notes.push(format!("{} {loss:?}", counts.lost(loss)).to_lowercase());
                }
            }
            for (count, what) in [
                (counts.early, "early"),
                (counts.skipped, "skipped"),
                (counts.expired, "expired"),
            ] {
                if count > 0 {
                    notes.push(format!("{count} {what}"));
                }
            }
            if let Some(since) = node.blocked_since {
                notes.push(format!("full for {:.1?}", self.at - since));
            }
            let row = format!(
                "{title:<24} {:>12} {held:>15} {:>8} {:>8}  {}",
                counts.passed,
                counts.failed,
                counts.dropped(),
                notes.join(", ")
            );
            writeln!(f, "{}", row.trim_end())?;
        }
        if let Some(age) = self.oldest_unacknowledged {
            writeln!(f, "oldest unacknowledged element: {age:.1?}")?;
        }
        Ok(())
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
            "{} in, {} out, {} dropped, {} failed{}",
            self.accepted,
            self.delivered,
            self.snapshot.dropped(),
            self.snapshot.failed(),
            if self.complete {
                String::new()
            } else {
                format!(", {} given up: the time was up", self.snapshot.held())
            }
        )?;
        write!(f, "{}", self.snapshot)
    }
}
