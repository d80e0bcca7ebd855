//! `debounce`: an element goes on once no other has come for a while.

use std::time::Duration;

use super::newest::{self, Keep};
use crate::engine::{Graph, Plan, Push, Site, Time};
use crate::flow::{InGraph, Run};

/// Lets the last element before a pause go on: see [`Flow::debounce`](crate::Flow::debounce).
///
/// - **Emits** an element when it is `pause` old and no other has come since.
/// - **Holds** one element.
/// - **Waits** never. If somebody downstream is full when the pause is over, the element waits until
///   there is room, or a newer one takes its place.
/// - **On close** it emits what it holds.
/// - **Drops** the element that waits when a newer one comes, counted as superseded; its lineage
///   fails. A failure passes at once, ahead of the element that waits; a hole ends here.
/// - **Panics** at construction if the pause is zero. The graph needs a driver, or a clock that is led
///   by the data.
///
/// While elements come without a pause, nothing goes on: where that may be for ever, see
/// [`sample`](crate::Flow::sample).
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let keys = graph.source::<&str>();
/// let searches = keys.debounce(Duration::from_millis(300)).sink_to_list();
/// for typed in ["w", "wa", "wat"] {
///     keys.emit(typed)?;
///     time.advance(Duration::from_millis(100));
/// }
/// assert!(searches.is_empty());
/// time.advance(Duration::from_millis(200));
/// assert_eq!(searches.take(), ["wat"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Debounce<R> {
    upstream: R,
    pause: Duration,
    site: Site,
}

impl<R> Debounce<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, pause: Duration) -> Self {
        assert!(
            !pause.is_zero(),
            "`debounce` of zero would leave nothing out: give it a longer pause"
        );
        Debounce {
            upstream,
            pause,
            site: Site::new("debounce"),
        }
    }
}

impl<R: Run> Run for Debounce<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        newest::build(self.upstream, (After(self.pause), self.site), next, plan);
    }
}

struct After(Duration);

impl<T: InGraph> Keep<T> for After {
    const TIMED: bool = true;

    fn due(&mut self, now: Time) -> Time {
        now + self.0
    }
}

impl<R> std::fmt::Debug for Debounce<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Debounce")
            .field("pause", &self.pause)
            .finish_non_exhaustive()
    }
}
