//! `pace`: a recording is replayed at the distances of its timestamps.

use std::time::Duration;

use super::Speed;
use super::timetable::{self, Timetable};
use crate::engine::{Graph, Plan, Push, Site, Time};
use crate::flow::{InGraph, Run};

/// How many elements may wait by default.
const CAPACITY: usize = 1024;

/// Lets elements go on at the distances of their timestamps: see [`Flow::pace`](crate::Flow::pace).
///
/// - **Emits** the first element at once, and each of the others when, since then, as much time has
///   passed on the graph's clock as lies between the timestamps, divided by the speed, and nobody
///   downstream is full. The order of the elements stays: one whose timestamp lies before that of its
///   predecessor follows at once, as does what was held up and is overdue.
/// - **Holds** up to 1 024 elements, or [`capacity`](Pace::capacity), failures on their way down among
///   them: they follow their predecessor at once.
/// - **Waits**: the origin of the element that fills it waits until there is room; so an iterator is
///   asked for no more than that ahead.
/// - **On close** it drains, each element at its time, then closes: a shutdown waits for that. To end
///   early there is [`shutdown_within`](crate::Graph::shutdown_within).
/// - **Drops** nothing.
/// - **Panics** at construction if the speed is no number above 0, or the capacity or the pause is
///   zero; where the closure does, which poisons the graph. The graph needs a driver, or a clock that
///   is led by the data.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let recording = [(7_000, "a"), (8_000, "b"), (12_000, "c")];
/// let replayed = graph
///     .from_iter(recording)
///     .pace(|(millis, _)| Time::from_millis(*millis), 10.0)
///     .map(|(_, word)| word)
///     .sink_to_list();
/// time.advance(Duration::from_millis(100));
/// assert_eq!(replayed.take(), ["a", "b"]);
/// time.advance(Duration::from_millis(400));
/// assert_eq!(replayed.take(), ["c"]);
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Pace<R, F> {
    upstream: R,
    timestamp: F,
    speed: Speed,
    max_pause: Duration,
    capacity: usize,
    site: Site,
}

impl<R, F> Pace<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, timestamp: F, speed: Speed) -> Self {
        assert!(
            speed.is_valid(),
            "`pace` can't replay at {speed:?}: give it a speed above 0, or `Speed::Max`"
        );
        Pace {
            upstream,
            timestamp,
            speed,
            max_pause: Duration::MAX,
            capacity: CAPACITY,
            site: Site::new("pace"),
        }
    }

    /// Cuts pauses of the recording that are longer to `pause`, as recorded: a night in which nothing
    /// was measured need not be waited for. By default none is cut.
    ///
    /// # Panics
    /// If `pause` is zero.
    #[track_caller]
    pub fn max_pause(mut self, pause: Duration) -> Self {
        assert!(
            !pause.is_zero(),
            "`max_pause` of zero would leave no distance at all: that is `Speed::Max`"
        );
        self.max_pause = pause;
        self
    }

    timetable::capacity_method!("1 024");
}

impl<R, F> Run for Pace<R, F>
where
    R: Run,
    F: FnMut(&R::Item) -> Time + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let tape = Tape {
            timestamp: self.timestamp,
            speed: self.speed,
            max_pause: self.max_pause,
            begun: None,
        };
        let how = (tape, self.capacity, self.site);
        timetable::build(self.upstream, how, next, plan);
    }
}

struct Tape<F> {
    timestamp: F,
    speed: Speed,
    max_pause: Duration,
    begun: Option<Begun>,
}

struct Begun {
    /// When the first element came.
    at: Time,
    /// The latest timestamp so far.
    latest: Time,
    /// How far from the first one, without what was cut. Not how long that takes: what is rounded
    /// does not add up.
    recorded: Duration,
}

impl<T, F> Timetable<T> for Tape<F>
where
    F: FnMut(&T) -> Time + InGraph,
{
    fn due(&mut self, item: &T, now: Time) -> Time {
        let stamp = (self.timestamp)(item);
        let begun = self.begun.get_or_insert(Begun {
            at: now,
            latest: stamp,
            recorded: Duration::ZERO,
        });
        // Zero where the element comes out of order.
        begun.recorded += (stamp - begun.latest).min(self.max_pause);
        begun.latest = begun.latest.max(stamp);
        begun.at + self.speed.takes(begun.recorded)
    }
}

impl<R, F> std::fmt::Debug for Pace<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace")
            .field("speed", &self.speed)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
