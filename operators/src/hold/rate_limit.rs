//! `rate_limit`: elements wait so that no more than so many go on within a time.

use std::collections::VecDeque;
use std::time::Duration;

use super::timetable::{self, Timetable};
use crate::engine::{Graph, Plan, Push, Site, Time};
use crate::flow::{InGraph, Run};

/// How many elements may wait by default.
const CAPACITY: usize = 1024;

/// Lets one element go on within a time, and the others wait: see
/// [`Flow::rate_limit`](crate::Flow::rate_limit).
///
/// - **Emits** each element, in order: at once if none went within the last `d` of the graph's clock
///   (or fewer than [`at_most`](RateLimit::at_most)), else as soon as that is so, and nobody
///   downstream is full.
/// - **Holds** up to 1 024 elements, or [`capacity`](RateLimit::capacity), failures on their way down
///   among them. Failures and holes keep their place, and don't count as elements that go.
/// - **Waits**: the origin of the element that fills it waits until there is room.
/// - **On close** it drains, at its rate, then closes: a shutdown waits for that.
/// - **Drops** nothing. Where elements are to be left out instead, see
///   [`throttle`](crate::Flow::throttle).
/// - **Panics** at construction if `d`, the number or the capacity is zero. The graph needs a driver,
///   or a clock that is led by the data.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let calls = graph.source::<u32>();
/// let sent = calls.rate_limit(Duration::from_secs(1)).at_most(2).sink_to_list();
/// calls.emit_all([1, 2, 3, 4, 5])?;
/// assert_eq!(sent.take(), [1, 2]);
/// time.advance(Duration::from_secs(1));
/// assert_eq!(sent.take(), [3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct RateLimit<R> {
    upstream: R,
    within: Duration,
    at_most: usize,
    capacity: usize,
    site: Site,
}

impl<R> RateLimit<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, within: Duration) -> Self {
        assert!(
            !within.is_zero(),
            "`rate_limit` of zero would limit nothing: give it a longer time, or leave it out"
        );
        RateLimit {
            upstream,
            within,
            at_most: 1,
            capacity: CAPACITY,
            site: Site::new("rate_limit"),
        }
    }

    /// How many elements may go on within any stretch of that time (1 by default). They may go close
    /// together: the next one waits until the first of them went that long ago.
    ///
    /// # Panics
    /// If `elements` is 0.
    #[track_caller]
    pub fn at_most(mut self, elements: usize) -> Self {
        assert!(
            elements > 0,
            "`at_most(0)` would let nothing go: let at least 1 element go within the time"
        );
        self.at_most = elements;
        self
    }

    timetable::capacity_method!("1 024");
}

impl<R: Run> Run for RateLimit<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let rate = Rate {
            within: self.within,
            at_most: self.at_most,
            went: VecDeque::new(),
        };
        let how = (rate, self.capacity, self.site);
        timetable::build(self.upstream, how, next, plan);
    }
}

struct Rate {
    within: Duration,
    at_most: usize,
    /// When the last ones went, `at_most` of them.
    went: VecDeque<Time>,
}

impl<T: InGraph> Timetable<T> for Rate {
    fn due(&mut self, _item: &T, _now: Time) -> Time {
        Time::ZERO
    }

    fn not_before(&self) -> Time {
        match self.went.front() {
            Some(first) if self.went.len() == self.at_most => *first + self.within,
            _ => Time::ZERO,
        }
    }

    fn goes(&mut self, now: Time) {
        if self.went.len() == self.at_most {
            self.went.pop_front();
        }
        self.went.push_back(now);
    }
}

impl<R> std::fmt::Debug for RateLimit<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimit")
            .field("within", &self.within)
            .field("at_most", &self.at_most)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
