//! Remedy: `Arc` and `Mutex`, or a channel.
use std::cell::RefCell;
use std::rc::Rc;

use headwater::prelude::*;

fn main() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let source = Source::<i32>::new();
    let list = seen.clone();
    let _ = source.sink(move |x| list.borrow_mut().push(x));
}
