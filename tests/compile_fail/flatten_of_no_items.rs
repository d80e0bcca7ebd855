//! Remedy: an element with items in it, such as a `Vec`; or `map`.
//~ `u32` is not an iterator
use headwater::prelude::*;

fn main() {
    let source = Source::<u32>::new();
    let _ = source.flatten();
}
