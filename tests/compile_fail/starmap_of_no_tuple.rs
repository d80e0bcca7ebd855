//! Remedy: `map`, whose closure takes the element as it is.
use headwater::prelude::*;

struct Point {
    x: i32,
    y: i32,
}

fn main() {
    let (_source, points) = Graph::new().pipe::<Point>();
    let _ = points.starmap(|x, y| x + y);
}
