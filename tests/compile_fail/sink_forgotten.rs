//! Remedy: end the flow in a sink.
//~ unused `headwater::Map` that must be used
//~ unused `headwater::Zip` that must be used
//~ unused `headwater::Union` that must be used
//~ unused `CombineLatest` that must be used
//~ a flow does nothing until it ends in a sink
#![deny(unused_must_use)]
use headwater::prelude::*;

fn main() {
    let source = Source::<i32>::new();
    source.map(|x| 2 * x);
    source.zip(&source);
    source.union(&source);
    source.combine_latest(&source);
}
