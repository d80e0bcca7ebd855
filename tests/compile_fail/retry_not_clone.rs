//! Remedy: derive `Clone`, `try_map_async_ref`, or `.map(Arc::new)` in front.
//~ `Request` can't be tried again, as each attempt gets an element of its own: derive `Clone`, lend it by `try_map_async_ref`, or write `.map(Arc::new)` in front
use headwater::Retry;
use headwater::prelude::*;

struct Request(u32);

fn main() {
    let graph = Graph::new();
    let (_source, requests) = graph.pipe::<Request>();
    requests
        .try_map_async(4, |request| async move { Ok(request.0) })
        .retry(Retry::attempts(3))
        .sink(drop);
}
