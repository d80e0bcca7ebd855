//! Remedy: derive `Clone`, or send an `Arc`.
use headwater::prelude::*;

struct Request;

fn main() {
    let graph = Graph::new();
    let (_source, requests) = graph.pipe::<Request>();
    let _ = requests.share();
}
