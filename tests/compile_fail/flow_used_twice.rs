//! Remedy: `.share()`.
//~ use of moved value: `doubled`
//~ self, // Needed twice? `.share()` it first.
use headwater::prelude::*;

fn main() {
    let source = Source::<i32>::new();
    let doubled = source.map(|x| 2 * x);
    let _ = doubled.sink(drop);
    let _ = doubled.sink(drop);
}
