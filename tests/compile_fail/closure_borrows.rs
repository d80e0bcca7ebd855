//! Remedy: `move`, and `Arc`.
//~ closure may outlive the current function, but it borrows `factor`
//~ to force the closure to take ownership of `factor` (and any other referenced variables), use the `move` keyword
use headwater::prelude::*;

fn main() {
    let factor = 3;
    let source = Source::<i32>::new();
    let _ = source.map(|x| x * factor).sink(drop);
}
