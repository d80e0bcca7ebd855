//! Remedy: `map`, whose closure takes the element as it is.
//~ the items of `Point` can't become the arguments of the closure
//~ `map` takes the element as it is: `.map(|x| …)`, or with a pattern `.map(|Point { x, y }| …)`
use headwater::prelude::*;

struct Point {
    x: i32,
    y: i32,
}

fn main() {
    let (_source, points) = Graph::new().pipe::<Point>();
    let _ = points.starmap(|x, y| x + y);
}
