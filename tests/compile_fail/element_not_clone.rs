//! Remedy: derive `Clone`, send an `Arc`, or `graph.pipe()`.
//~ `Request` can't pass a fork, where each branch gets an element of its own: derive `Clone`, or send `Arc<Request>`
use headwater::prelude::*;

struct Request;

fn main() {
    let _source = Source::<Request>::new();
}
