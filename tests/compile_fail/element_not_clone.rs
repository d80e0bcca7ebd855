//! Remedy: derive `Clone`, send an `Arc`, or `graph.pipe()`.
use headwater::prelude::*;

struct Request;

fn main() {
    let source = Source::<Request>::new();
    let _ = source.sink(drop);
}
