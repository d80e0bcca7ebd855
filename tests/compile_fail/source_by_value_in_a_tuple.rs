//! Remedy: `(&a, &b)`.
//~ `headwater::Source<i32>` is not a flow
//~ sources and shared nodes are flows by reference: write `&source`
use headwater::prelude::*;
use headwater::zip;

fn main() {
    let graph = Graph::new();
    let a = graph.source::<i32>();
    let b = graph.source::<i32>();
    let _ = zip((a, b));
}
