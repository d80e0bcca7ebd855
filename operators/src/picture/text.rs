//! What is written in a node's box, and how much room it takes.

use std::collections::HashMap;

use crate::engine::{NodeId, TopologyNode};

/// Longer names are cut, and told in full where the pointer rests.
const LONGEST: usize = 32;

/// One line of text in a node's box.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The text as it is drawn, cut where it is too long.
    pub text: String,
    /// What it tells.
    pub kind: LineKind,
}

/// What a [`Line`] tells of its node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineKind {
    /// The node's name, or its kind where it has none.
    Title,
    /// The kind of a node that has a name.
    Kind,
    /// A figure: what came in, is held or was dropped.
    Figure,
}

impl LineKind {
    /// Size of the type, in pixels.
    pub(super) fn size(self) -> f64 {
        match self {
            LineKind::Title => 13.0,
            LineKind::Kind | LineKind::Figure => 11.0,
        }
    }

    /// From one line to the next, in pixels.
    pub(super) fn height(self) -> f64 {
        self.size() + 4.0
    }
}

impl Line {
    /// Room for the text, in pixels. The type is monospaced; a character beyond ASCII may be as wide
    /// as two.
    #[must_use]
    pub fn width(&self) -> f64 {
        let cells: usize = self.text.chars().map(cells).sum();
        // The widest of the usual monospaced types takes 0.62 of its size.
        cells as f64 * self.kind.size() * 0.62
    }
}

fn cells(character: char) -> usize {
    if character.is_ascii() || character == '…' {
        1
    } else {
        2
    }
}

/// The lines of a node's box.
pub(super) fn lines(node: &TopologyNode, figures: &HashMap<NodeId, Vec<String>>) -> Vec<Line> {
    let label = node.label();
    let mut lines = vec![Line {
        text: cut(label.title()),
        kind: LineKind::Title,
    }];
    if label.name().is_some() {
        lines.push(Line {
            text: cut(label.kind()),
            kind: LineKind::Kind,
        });
    }
    lines.extend(
        figures
            .get(&label.id())
            .into_iter()
            .flatten()
            .map(|text| Line {
                text: cut(text),
                kind: LineKind::Figure,
            }),
    );
    lines
}

/// The text on one line and not too long.
fn cut(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= LONGEST {
        clean.collect()
    } else {
        clean.take(LONGEST - 1).chain(['…']).collect()
    }
}

/// Escapes what XML and HTML give a meaning to.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in XML, not even escaped.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
