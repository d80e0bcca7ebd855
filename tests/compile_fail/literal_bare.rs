//! Remedy: `literal(5)`.
//~ `{integer}` is not a flow
//~ a value that is the same in each row of a `zip` is a literal: write `literal(value)`
use headwater::prelude::*;

fn main() {
    let graph = Graph::new();
    let source = graph.source::<i32>();
    let _ = source.zip(5);
}
