//! Remedy: `(&a, &b)`.
use headwater::prelude::*;
use headwater::zip;

fn main() {
    let graph = Graph::new();
    let a = graph.source::<i32>();
    let b = graph.source::<i32>();
    let _ = zip((a, b));
}
