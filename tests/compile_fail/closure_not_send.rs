//! Remedy: `Arc` and `Mutex`, or a channel.
//~ can't live in a graph, which may move between threads
//~ share by `Arc` and `Mutex` or a channel instead of `Rc`, `RefCell` or a borrow, and write `move |…|`
use std::cell::RefCell;
use std::rc::Rc;

use headwater::prelude::*;

fn main() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let source = Source::<i32>::new();
    let list = seen.clone();
    let _ = source.sink(move |x| list.borrow_mut().push(x));
}
