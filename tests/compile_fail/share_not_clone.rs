//! Remedy: derive `Clone`, or send an `Arc`.
//~ `Request` can't pass a fork, where each branch gets an element of its own: derive `Clone`, or send `Arc<Request>`
use headwater::prelude::*;

struct Request;

fn main() {
    let graph = Graph::new();
    let (_source, requests) = graph.pipe::<Request>();
    let _ = requests.share();
}
