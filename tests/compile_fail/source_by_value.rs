//! Remedy: `&other`.
//~ `headwater::Source<i32>` is not a flow
//~ sources and shared nodes are flows by reference: write `&source`
use headwater::prelude::*;

fn main() {
    let graph = Graph::new();
    let source = graph.source::<i32>();
    let other = graph.source::<i32>();
    let _ = source.zip(other);
}
