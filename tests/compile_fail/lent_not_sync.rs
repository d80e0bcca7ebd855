//! Remedy: by value, or a `Mutex`.
//~ `Cell<u32>` can't be lent to a future, which may move between threads: it is not `Sync`
//~ give it to the future instead, by `try_map_async` or `try_sink_async`, or put what is not `Sync` into a `Mutex`
use std::cell::Cell;

use headwater::prelude::*;

fn main() {
    let graph = Graph::new();
    let (_source, cells) = graph.pipe::<Cell<u32>>();
    let _ = cells.try_map_async_ref(4, |cell| Box::pin(async move { Ok(cell.get()) }));
}
