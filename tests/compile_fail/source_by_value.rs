//! Remedy: `&other`.
use headwater::prelude::*;

fn main() {
    let graph = Graph::new();
    let source = graph.source::<i32>();
    let other = graph.source::<i32>();
    let _ = source.zip(other);
}
