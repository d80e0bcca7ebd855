//! `timed_window_unique`: a window of time with at most one element a key.

use std::hash::Hash;
use std::time::Duration;

use super::distinct::{Distinct, Keep};
use super::window::{WindowNode, Windows};
use crate::engine::{Graph, Plan, Port, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Makes a `Vec` of the elements of each stretch of time, at most one a key: see
/// [`Flow::timed_window_unique`](crate::Flow::timed_window_unique).
///
/// The windows are those of [`TimedWindow`](crate::TimedWindow). Of several elements with one key
/// the first is kept; with [`keep`](TimedWindowUnique::keep), the last, which then stands at the
/// end.
///
/// - **Emits** a window when its time is over; nothing for one in which nothing came, unless
///   [`keep_empty`](TimedWindowUnique::keep_empty) is set. A window that is full before its time
///   ([`max_len`](TimedWindowUnique::max_len)) is emitted early and counted so; the rest of its time
///   makes another one, in which the same keys may come.
/// - **Holds** up to 65 536 elements, or `max_len`.
/// - **Waits**: while somebody downstream is full, windows that are over are held; once `max_len`
///   elements are, the origin of the element that fills it waits.
/// - **On close** it emits what it holds as a last window.
/// - **Drops** the elements that are not kept, which is the user's choice: they are done at once.
///   Skipped ticks are counted as in [`TimedWindow`](crate::TimedWindow). A failure passes at once,
///   ahead of the window.
/// - **Panics** at construction if the duration or the length is zero, and where the closure does;
///   that poisons the graph. The graph needs a driver, or a clock that is led by the data.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let prices = graph.source::<(&str, u32)>();
/// let second = Duration::from_secs(1);
/// let latest = prices.timed_window_unique(second, |(name, _)| *name).keep(Keep::Last).sink_to_list();
/// prices.emit_all([("tea", 5), ("rice", 2), ("tea", 6)])?;
/// time.advance(second);
/// assert_eq!(latest.take(), [[("rice", 2), ("tea", 6)]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct TimedWindowUnique<R, F> {
    upstream: R,
    windows: Windows,
    key: F,
    keep: Keep,
    site: Site,
}

impl<R, F> TimedWindowUnique<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, every: Duration, key: F) -> Self {
        assert!(
            !every.is_zero(),
            "`timed_window_unique` of zero would end at once for ever: give it a longer time"
        );
        TimedWindowUnique {
            upstream,
            windows: Windows::of_elements(every),
            key,
            keep: Keep::First,
            site: Site::new("timed_window_unique"),
        }
    }

    /// Which of several elements with one key is kept: the first, unless this says otherwise.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Emits windows in which nothing came, too: see
    /// [`TimedWindow::keep_empty`](crate::TimedWindow::keep_empty).
    pub fn keep_empty(mut self) -> Self {
        self.windows.keep_empty = true;
        self
    }

    /// How many elements may be held (65 536 by default).
    ///
    /// # Panics
    /// If `max` is 0.
    #[track_caller]
    pub fn max_len(mut self, max: usize) -> Self {
        self.windows.limit(max);
        self
    }
}

impl<R, F, K> Run for TimedWindowUnique<R, F>
where
    R: Run,
    F: FnMut(&R::Item) -> K + InGraph,
    K: Hash + Eq + InGraph,
{
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Vec<R::Item>>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let content = Distinct::new(self.key, self.keep);
        let node = WindowNode::new(&label, self.windows, content, next, plan);
        let cell = plan.cell(&label, node);
        self.upstream.build(Port::<_>(cell), plan);
    }
}

impl<R, F> std::fmt::Debug for TimedWindowUnique<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimedWindowUnique")
            .field("windows", &self.windows)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}
