//! `sample`: of each stretch of time the newest element goes on, at its end.

use std::time::Duration;

use super::newest::{self, Keep};
use crate::engine::{Graph, Plan, Push, Site, Time};
use crate::flow::{InGraph, Run};

/// Lets the newest element of each stretch of time go on: see [`Flow::sample`](crate::Flow::sample).
///
/// The k-th stretch is `[k·d, (k+1)·d)` on the graph's clock, counted from the clock's zero, as the
/// windows of [`timed_window`](crate::Flow::timed_window) are.
///
/// - **Emits** the newest element of a stretch when that is over; nothing for one in which nothing
///   came.
/// - **Holds** one element.
/// - **Waits** never. If somebody downstream is full when a stretch is over, the element waits until
///   there is room, or a newer one takes its place.
/// - **On close** it emits what it holds.
/// - **Drops** all but the newest, counted as superseded; their lineage fails. A failure passes at
///   once, ahead of the element that waits; a hole ends here.
/// - **Panics** at construction if the duration is zero. The graph needs a driver, or a clock that is
///   led by the data.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let source = Source::<(u64, &str)>::new();
/// source.lead_clock(|(millis, _)| Time::from_millis(*millis));
/// let sampled = source.map(|(_, word)| word).sample(Duration::from_secs(1)).sink_to_list();
/// source.emit_all([(100, "a"), (900, "b"), (1000, "c"), (5000, "d")])?;
/// source.close();
/// assert_eq!(sampled.take(), ["b", "c", "d"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Sample<R> {
    upstream: R,
    every: Duration,
    site: Site,
}

impl<R> Sample<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, every: Duration) -> Self {
        assert!(
            !every.is_zero(),
            "`sample` of zero would leave nothing out: give it a longer time"
        );
        Sample {
            upstream,
            every,
            site: Site::new("sample"),
        }
    }
}

impl<R: Run> Run for Sample<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        newest::build(self.upstream, (Every(self.every), self.site), next, plan);
    }
}

struct Every(Duration);

impl<T: InGraph> Keep<T> for Every {
    const TIMED: bool = true;

    fn due(&mut self, now: Time) -> Time {
        now.next_boundary(Time::ZERO, self.0)
    }
}

impl<R> std::fmt::Debug for Sample<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sample")
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}
