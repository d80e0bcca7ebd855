//! Remedy: map one of them.
//~ expected `i32`, found `String`
use headwater::prelude::*;

fn main() {
    let graph = Graph::new();
    let a = graph.source::<i32>();
    let b = graph.source::<String>();
    let _ = a.union(&b);
}
