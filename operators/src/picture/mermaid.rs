//! The graph as a flowchart of Mermaid.

use std::fmt::Write;

use super::text;
use crate::engine::{Role, Topology};

impl Topology {
    /// The graph as a [Mermaid flowchart](https://mermaid.js.org/syntax/flowchart.html), which many
    /// hosts of documents draw where it stands.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let numbers = graph.source::<u32>();
    /// numbers.map(|x| x + 1).sink(drop).named("shown");
    /// let chart = graph.topology().to_mermaid();
    /// assert!(chart.starts_with("flowchart TD\n"));
    /// assert!(chart.contains("-->"));
    /// ```
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut chart = String::from("flowchart TD\n");
        for node in self.nodes() {
            let (open, close) = match node.role() {
                Role::Source => ("([", "])"),
                Role::Operator => ("[", "]"),
                Role::Shared => ("(", ")"),
                Role::Join | Role::OrderedJoin => ("{{", "}}"),
                Role::End => ("[/", "\\]"),
            };
            let lines: Vec<_> = text::lines(node, &self.figures)
                .iter()
                .map(|line| encoded(&line.text))
                .collect();
            let _ = writeln!(
                chart,
                "  n{}{open}\"{}\"{close}",
                node.label().id().index(),
                lines.join("<br>"),
            );
        }
        for edge in self.edges() {
            let arrow = if edge.feedback { "-.->" } else { "-->" };
            let _ = writeln!(
                chart,
                "  n{} {arrow} n{}",
                edge.from.index(),
                edge.to.index()
            );
        }
        chart
    }
}

/// Mermaid's own entities are `#`, the character's number and `;`.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
