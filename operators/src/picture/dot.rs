//! The graph in the DOT language of Graphviz.

use std::fmt::Write;

use super::text;
use crate::engine::{Role, Topology};

impl Topology {
    /// The graph in the [DOT language](https://graphviz.org/doc/info/lang.html) of Graphviz.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let numbers = graph.source::<u32>();
    /// numbers.map(|x| x + 1).named("next").sink(drop);
    /// let dot = graph.topology().to_dot();
    /// assert!(dot.starts_with("digraph headwater {"));
    /// assert!(dot.contains("next"));
    /// ```
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph headwater {\n  node [fontname=\"monospace\"];\n");
        for node in self.nodes() {
            let shape = match node.role() {
                Role::Source => "invhouse",
                Role::Operator => "box",
                Role::Shared => "ellipse",
                Role::Join | Role::OrderedJoin => "hexagon",
                Role::End => "house",
            };
            let lines: Vec<_> = text::lines(node, &self.figures)
                .iter()
                .map(|line| quoted(&line.text))
                .collect();
            let _ = writeln!(
                dot,
                "  n{} [shape={shape}, label=\"{}\", tooltip=\"{}\"];",
                node.label().id().index(),
                lines.join("\\n"),
                quoted(&node.label().location().to_string()),
            );
        }
        for edge in self.edges() {
            let style = if edge.feedback { " [style=dashed]" } else { "" };
            let (from, to) = (edge.from.index(), edge.to.index());
            let _ = writeln!(dot, "  n{from} -> n{to}{style};");
        }
        dot.push_str("}\n");
        dot
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
