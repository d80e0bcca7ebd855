//! The layout: where each node's box stands, and by which points each edge leads.
//!
//! Layers from the top down. Edges leave at a box's lower side and enter at an upper one; between
//! layers they may lean, within a layer they go straight down through a place of their own. So none
//! can cross a box.

use super::layers::{Layers, Route};
use super::text::{self, Line};
use super::{coordinates, order};
use crate::engine::{Edge, NodeId, Topology};

const MARGIN: f64 = 16.0;
const PADDING: f64 = 10.0;
/// Between boxes of a layer.
const GAP: f64 = 18.0;
/// What an edge that passes a layer takes.
const PASSAGE: f64 = 8.0;
/// Between layers; more where many edges cross it, or they would lie flat.
const LEVEL: f64 = 34.0;
const LEVEL_MOST: f64 = 90.0;

/// Where everything stands in a picture of a graph. In pixels, from the upper left corner.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Width of the picture.
    pub width: f64,
    /// Height of the picture.
    pub height: f64,
    /// The nodes' boxes, in the order of [`Topology::nodes`].
    pub frames: Vec<Frame>,
    /// The edges' ways.
    pub wires: Vec<Wire>,
}

/// The box of a node.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The node.
    pub node: NodeId,
    /// Its left side.
    pub x: f64,
    /// Its upper side.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// What is written in it, in the middle, from the top down.
    pub lines: Vec<Line>,
}

/// The way of an edge.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The edge.
    pub edge: Edge,
    /// From the box it leaves to the box it enters. Between two points it goes straight down (or up),
    /// or leans without leaving the rectangle between them.
    pub points: Vec<(f64, f64)>,
}

impl Topology {
    /// Lays the graph out: see [`Layout`]. [`to_svg`](Topology::to_svg) draws it.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let layers = Layers::new(self);
        let mut frames: Vec<Frame> = self
            .nodes()
            .iter()
            .map(|node| Frame::around(node.label().id(), text::lines(node, &self.figures)))
            .collect();
        let widths: Vec<f64> = layers
            .items
            .iter()
            .map(|item| item.node.map_or(PASSAGE, |node| frames[node].width))
            .collect();

        // Across: part by part, side by side.
        let mut middles = vec![0.0; layers.items.len()];
        let mut right = MARGIN - GAP;
        for part in layers.parts() {
            let rows = order::ordered(&layers.items, &part);
            let placed = coordinates::placed(&layers.items, &rows, &widths, GAP);
            let left = |item: &usize| placed[*item] - widths[*item] / 2.0;
            let shift = right + GAP - part.iter().map(left).fold(f64::INFINITY, f64::min);
            for &item in &part {
                middles[item] = placed[item] + shift;
                right = right.max(middles[item] + widths[item] / 2.0);
            }
        }

        // Down: each layer as high as its highest box.
        let depth = layers.items.iter().map(|item| item.layer + 1).max();
        let mut levels = vec![Level::default(); depth.unwrap_or(0)];
        for item in &layers.items {
            let height = item.node.map_or(0.0, |node| frames[node].height);
            let level = &mut levels[item.layer];
            level.height = level.height.max(height);
            level.leaving += item.below.len();
        }
        let mut bottom = MARGIN;
        for level in &mut levels {
            level.top = bottom;
            let room = LEVEL + 3.0 * level.leaving.saturating_sub(4) as f64;
            bottom += level.height + room.min(LEVEL_MOST);
        }
        for (item, middle) in layers.items.iter().zip(&middles) {
            if let Some(node) = item.node {
                let level = &levels[item.layer];
                let frame = &mut frames[node];
                frame.x = middle - frame.width / 2.0;
                frame.y = level.top + (level.height - frame.height) / 2.0;
            }
        }
        let wires = wires(&layers, &frames, &middles, &levels);
        Layout {
            width: right.max(MARGIN) + MARGIN,
            height: levels
                .last()
                .map_or(MARGIN, |level| level.top + level.height)
                + MARGIN,
            frames,
            wires,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Level {
    top: f64,
    height: f64,
    /// Edges from here to the next layer.
    leaving: usize,
}

impl Frame {
    fn around(node: NodeId, lines: Vec<Line>) -> Frame {
        let width = lines.iter().map(Line::width).fold(0.0, f64::max);
        let height: f64 = lines.iter().map(|line| line.kind.height()).sum();
        Frame {
            node,
            x: 0.0,
            y: 0.0,
            width: (width + 2.0 * PADDING).ceil(),
            height: (height + 1.2 * PADDING).ceil(),
            lines,
        }
    }
}

/// The ways of all edges. Where several leave or enter a box they are spread over its side, in the
/// order of where they come from or lead to.
fn wires(layers: &Layers, frames: &[Frame], middles: &[f64], levels: &[Level]) -> Vec<Wire> {
    let leave = spread(layers, frames, middles, |route| {
        (route.items[0], route.items[1])
    });
    let enter = spread(layers, frames, middles, |route| {
        let last = route.items.len() - 1;
        (route.items[last], route.items[last - 1])
    });
    let way = |(number, route): (usize, &Route)| {
        let mut points = Vec::with_capacity(2 * route.items.len());
        for (at, &item) in route.items.iter().enumerate() {
            let level = &levels[layers.items[item].layer];
            let (top, bottom) = (level.top, level.top + level.height);
            let frame = layers.items[item].node.map(|node| &frames[node]);
            match frame {
                Some(frame) if at == 0 => {
                    let x = leave[number];
                    points.extend([(x, frame.y + frame.height), (x, bottom)]);
                }
                Some(frame) => {
                    let x = enter[number];
                    points.extend([(x, top), (x, frame.y)]);
                }
                None => points.extend([(middles[item], top), (middles[item], bottom)]),
            }
        }
        points.dedup();
        if route.reversed {
            points.reverse();
        }
        Wire {
            edge: route.edge,
            points,
        }
    };
    layers.routes.iter().enumerate().map(way).collect()
}

/// For each route, where it touches the box at one of its ends: `ends` gives the box's item, and the
/// item it leads to from there.
fn spread(
    layers: &Layers,
    frames: &[Frame],
    middles: &[f64],
    ends: impl Fn(&Route) -> (usize, usize),
) -> Vec<f64> {
    let mut touching: Vec<Vec<(f64, usize)>> = vec![Vec::new(); frames.len()];
    for (number, route) in layers.routes.iter().enumerate() {
        let (item, other) = ends(route);
        if let Some(node) = layers.items[item].node {
            touching[node].push((middles[other], number));
        }
    }
    let mut places = vec![0.0; layers.routes.len()];
    for (frame, mut touching) in frames.iter().zip(touching) {
        touching.sort_by(|a, b| a.0.total_cmp(&b.0));
        let step = frame.width / (touching.len() + 1) as f64;
        for (at, (_, number)) in touching.into_iter().enumerate() {
            places[number] = frame.x + step * (at + 1) as f64;
        }
    }
    places
}
