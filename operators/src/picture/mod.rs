//! Pictures of a graph: DOT, Mermaid and SVG, with what the nodes counted drawn on them.
//!
//! [`Topology`](crate::Topology) is what they are made of; see its methods `to_dot`, `to_mermaid`,
//! `to_svg`, `layout`, `with_counts` and `with_rates`.

mod coordinates;
mod dot;
mod figures;
mod layers;
mod layout;
mod mermaid;
mod order;
mod svg;
mod text;

pub use layout::{Frame, Layout, Wire};
pub use text::{Line, LineKind};
