//! Remedy: `move`, and `Arc`.
use headwater::prelude::*;

fn main() {
    let factor = 3;
    let source = Source::<i32>::new();
    let _ = source.map(|x| x * factor).sink(drop);
}
