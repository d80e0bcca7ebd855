//! The graph as a picture of its own, by no other program.

use std::fmt::Write;

use super::layout::{Frame, Wire};
use super::text::{LineKind, escaped};
use crate::engine::{Role, Topology, TopologyNode};

const STYLE: &str = "\
text{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;text-anchor:middle;fill:#1f2430}\
.title{font-size:13px}.kind{font-size:11px;fill:#626a7a}.figure{font-size:11px;fill:#0b6a52}\
.source{fill:#d8ecfb}.operator{fill:#fff}.shared{fill:#fdf0cf}.join{fill:#ece2fb}.end{fill:#e1f3e3}\
.node{stroke:#5b6475;stroke-width:1.2}.wire{fill:none;stroke:#5b6475;stroke-width:1.3}\
.feedback{stroke-dasharray:5 4}";

impl Topology {
    /// The graph as an SVG document, laid out from the top down: sources above, ends below, edges
    /// made by `connect` dashed.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let numbers = graph.source::<u32>().named("numbers");
    /// numbers.map(|x| x + 1).sink(drop);
    /// let svg = graph.topology().to_svg();
    /// assert!(svg.starts_with("<svg xmlns="));
    /// assert!(svg.contains(">numbers</text>"));
    /// ```
    #[must_use]
    pub fn to_svg(&self) -> String {
        let layout = self.layout();
        let (width, height) = (layout.width.ceil(), layout.height.ceil());
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>dataflow graph</title>\n\
             <style>{STYLE}</style>\n\
             <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0.5 8 4 0 7.5z\" fill=\"#5b6475\"/>\
             </marker></defs>\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#fbfbfc\"/>\n"
        );
        for wire in &layout.wires {
            draw_wire(&mut svg, wire);
        }
        for (node, frame) in self.nodes().iter().zip(&layout.frames) {
            draw_node(&mut svg, node, frame);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn draw_wire(svg: &mut String, wire: &Wire) {
    let class = if wire.edge.feedback {
        "wire feedback"
    } else {
        "wire"
    };
    let _ = write!(svg, "<path class=\"{class}\" marker-end=\"url(#tip)\" d=\"");
    let mut before: Option<(f64, f64)> = None;
    for &(x, y) in &wire.points {
        let _ = match before {
            None => write!(svg, "M{x:.1} {y:.1}"),
            Some((from, _)) if from == x => write!(svg, "V{y:.1}"),
            Some((from, high)) => {
                let middle = (high + y) / 2.0;
                write!(
                    svg,
                    "C{from:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}"
                )
            }
        };
        before = Some((x, y));
    }
    svg.push_str("\"/>\n");
}

fn draw_node(svg: &mut String, node: &TopologyNode, frame: &Frame) {
    let Frame {
        x,
        y,
        width,
        height,
        ..
    } = *frame;
    let label = node.label();
    let (class, corner) = match node.role() {
        // Rounder, and the corners of a box with many lines would cut its text.
        Role::Source => ("source", f64::min(height / 2.0, 18.0)),
        Role::Operator => ("operator", 3.0),
        Role::Shared => ("shared", f64::min(height / 2.0, 18.0)),
        Role::Join | Role::OrderedJoin => ("join", 10.0),
        Role::End => ("end", 3.0),
    };
    let _ = write!(
        svg,
        "<g><title>{}</title><rect class=\"node {class}\" x=\"{x:.1}\" y=\"{y:.1}\" \
         width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{corner:.1}\"/>",
        escaped(&format!(
            "{} ({}) at {}",
            label.title(),
            label.kind(),
            label.location()
        )),
    );
    let text: f64 = frame.lines.iter().map(|line| line.kind.height()).sum();
    let mut top = y + (height - text) / 2.0;
    for line in &frame.lines {
        let class = match line.kind {
            LineKind::Title => "title",
            LineKind::Kind => "kind",
            LineKind::Figure => "figure",
        };
        // The foot of the letters stands a little above the line's lower side.
        let foot = top + line.kind.height() - 5.0;
        let _ = write!(
            svg,
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{foot:.1}\">{}</text>",
            x + width / 2.0,
            escaped(&line.text),
        );
        top += line.kind.height();
    }
    svg.push_str("</g>\n");
}
