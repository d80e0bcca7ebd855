//! Figures to be drawn beside the names of nodes: counts of one moment, or rates between two.

use crate::engine::{Counts, Snapshot, Topology};

impl Topology {
    /// The same graph with what its nodes had counted and held, for pictures.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let numbers = graph.source::<u32>();
    /// numbers.sink(drop).named("nowhere");
    /// numbers.emit_all(0..1_000)?;
    /// let svg = graph.topology().with_counts(&graph.snapshot()?).to_svg();
    /// assert!(svg.contains("1 000 in"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_counts(mut self, snapshot: &Snapshot) -> Topology {
        for node in &snapshot.nodes {
            let mut lines = vec![format!("{} in", grouped(node.counts.passed))];
            lines.extend(losses(&node.counts));
            self.figures.insert(node.label().id(), lines);
        }
        self
    }

    /// The same graph with what came to each node in a second, between two snapshots, and with what it
    /// held at the later one. Without time between them no rates are drawn.
    #[must_use]
    pub fn with_rates(mut self, earlier: &Snapshot, later: &Snapshot) -> Topology {
        let seconds = (later.at - earlier.at).as_secs_f64();
        for node in &later.nodes {
            let id = node.label().id();
            let before = earlier.node(id).map_or(0, |node| node.counts.passed);
            let passed = node.counts.passed.saturating_sub(before);
            let mut lines = Vec::new();
            if seconds > 0.0 {
                lines.push(format!("{}/s", short(passed as f64 / seconds)));
            }
            lines.extend(losses(&node.counts));
            self.figures.insert(id, lines);
        }
        self
    }
}

/// What is held, failed and dropped, as far as there is any.
fn losses(counts: &Counts) -> Vec<String> {
    let mut lines = Vec::new();
    match (
        counts.held.saturating_sub(counts.out_of_turn),
        counts.capacity,
    ) {
        (0, 0) => {}
        (held, 0) => lines.push(format!("{} held", grouped(held))),
        (held, capacity) => lines.push(format!("{} of {} held", grouped(held), grouped(capacity))),
    }
    for (count, what) in [
        (counts.out_of_turn, "out of turn"),
        (counts.failed, "failed"),
        (counts.dropped(), "dropped"),
    ] {
        if count > 0 {
            lines.push(format!("{} {what}", grouped(count)));
        }
    }
    lines
}

/// `1234567` as `1 234 567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Three digits and a unit.
fn short(rate: f64) -> String {
    let (scaled, unit) = match rate {
        r if r >= 1e9 => (r / 1e9, " G"),
        r if r >= 1e6 => (r / 1e6, " M"),
        r if r >= 1e3 => (r / 1e3, " k"),
        r => (r, ""),
    };
    match scaled {
        s if s >= 100.0 || s == 0.0 => format!("{s:.0}{unit}"),
        s if s >= 10.0 => format!("{s:.1}{unit}"),
        s => format!("{s:.2}{unit}"),
    }
}
