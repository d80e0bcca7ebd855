//! `delay`: each element comes later by the same time.

use std::time::Duration;

use super::timetable::{self, Timetable};
use crate::engine::{Graph, Plan, Push, Site, Time};
use crate::flow::{InGraph, Run};

/// How many elements may wait by default.
const CAPACITY: usize = 65_536;

/// Lets each element go on a while after it came: see [`Flow::delay`](crate::Flow::delay).
///
/// - **Emits** each element, in order, when `d` has passed on the graph's clock since it came and
///   nobody downstream is full. What stands in an element's place (a failure, a hole) is delayed with
///   the others.
/// - **Holds** up to 65 536 elements, or [`capacity`](Delay::capacity), failures on their way down
///   among them.
/// - **Waits**: the origin of the element that fills it waits until there is room. So it lets
///   `capacity` elements through in each `d` at most.
/// - **On close** it drains, each element at its time, then closes: a shutdown waits for up to `d`.
/// - **Drops** nothing.
/// - **Panics** at construction if `d` or the capacity is zero. The graph needs a driver, or a clock
///   that is led by the data.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let source = graph.source::<&str>();
/// let later = source.delay(Duration::from_secs(5)).sink_to_list();
/// source.emit("a")?;
/// time.advance(Duration::from_secs(3));
/// source.emit("b")?;
/// time.advance(Duration::from_secs(2));
/// assert_eq!(later.take(), ["a"]);
/// time.advance(Duration::from_secs(3));
/// assert_eq!(later.take(), ["b"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Delay<R> {
    upstream: R,
    by: Duration,
    capacity: usize,
    site: Site,
}

impl<R> Delay<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, by: Duration) -> Self {
        assert!(
            !by.is_zero(),
            "`delay` of zero would change nothing: give it a longer time, or leave it out"
        );
        Delay {
            upstream,
            by,
            capacity: CAPACITY,
            site: Site::new("delay"),
        }
    }

    timetable::capacity_method!("65 536");
}

impl<R: Run> Run for Delay<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let how = (Later(self.by), self.capacity, self.site);
        timetable::build(self.upstream, how, next, plan);
    }
}

/// By how much.
struct Later(Duration);

impl<T: InGraph> Timetable<T> for Later {
    fn due(&mut self, _item: &T, now: Time) -> Time {
        now + self.0
    }

    fn due_without_item(&mut self, now: Time) -> Time {
        now + self.0
    }
}

impl<R> std::fmt::Debug for Delay<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delay")
            .field("by", &self.by)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
