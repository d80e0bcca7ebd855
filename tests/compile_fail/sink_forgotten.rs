//! Remedy: end the flow in a sink.
#![deny(unused_must_use)]
use headwater::prelude::*;

fn main() {
    let source = Source::<i32>::new();
    source.map(|x| 2 * x);
    source.zip(&source);
    source.union(&source);
    source.combine_latest(&source);
}
