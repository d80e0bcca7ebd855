//! `timed_window`: what comes within each stretch of time becomes one `Vec`.

use std::time::Duration;

use super::gather::{Elements, Gather};
use super::window::{WindowNode, Windows};
use super::with_end::WithEnd;
use crate::engine::{Graph, Plan, Port, Push, Role, Site, Time};
use crate::flow::Run;

/// Makes a `Vec` of the elements of each stretch of time: see
/// [`Flow::timed_window`](crate::Flow::timed_window).
///
/// The k-th window is `[k·d, (k+1)·d)` on the graph's clock, counted from the clock's zero: windows
/// don't drift, and all of one duration end at the same moments.
///
/// - **Emits** a window when its time is over; nothing for one in which nothing came, unless
///   [`keep_empty`](TimedWindow::keep_empty) is set. A window that is full before its time
///   ([`max_len`](TimedWindow::max_len)) is emitted early and counted so; the rest of its time makes
///   another one.
/// - **Holds** up to 65 536 elements, or `max_len`.
/// - **Waits**: while somebody downstream is full, windows that are over are held; once `max_len`
///   elements are, the origin of the element that fills it waits.
/// - **On close** it emits what it holds as a last window.
/// - **Drops** nothing. Under `keep_empty`, ticks that were missed, or for which there was no room
///   downstream, are skipped and counted. A failure passes at once, ahead of the window.
/// - **Panics** at construction if the duration or the length is zero. The graph needs a driver, or
///   a clock that is led by the data.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let source = Source::<(u64, &str)>::new();
/// source.lead_clock(|(millis, _)| Time::from_millis(*millis));
/// let windows = source
///     .map(|(_, word)| word)
///     .timed_window(Duration::from_secs(1))
///     .sink_to_list();
/// source.emit_all([(100, "a"), (999, "b"), (1000, "c"), (5000, "d")])?;
/// source.close();
/// assert_eq!(windows.take(), [vec!["a", "b"], vec!["c"], vec!["d"]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct TimedWindow<R> {
    upstream: R,
    windows: Windows,
    site: Site,
}

impl<R> TimedWindow<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, every: Duration) -> Self {
        assert!(
            !every.is_zero(),
            "`timed_window` of zero would end at once for ever: give it a longer time"
        );
        TimedWindow {
            upstream,
            windows: Windows::of_elements(every),
            site: Site::new("timed_window"),
        }
    }

    /// Emits windows in which nothing came, too. Then it ticks always: from the first turn of a
    /// driver on, or where the data lead the clock from the first element on.
    ///
    /// Ticks that were missed are skipped and counted: of all windows that ended while the driver was
    /// away one is emitted, the one that was under way. Where the data lead the clock, a pause in them
    /// is filled with empty windows, each at its own moment; but a leap over more than 100 windows emits
    /// only the one that was under way, and the rest is skipped and counted.
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

    /// Emits each window with the moment to which it reaches: its end, or, where it was cut short by the
    /// close or as it was full, that moment.
    #[doc(alias = "timestamp")]
    pub fn with_end(self) -> WithEnd<Self> {
        WithEnd(self)
    }

    /// Windows begin at `anchor`, and whole durations before and after it, instead of at the clock's
    /// zero. The first one may be shorter.
    #[doc(alias = "offset")]
    pub fn anchored(mut self, anchor: Time) -> Self {
        self.windows.anchor(anchor);
        self
    }
}

impl<R: Run> Run for TimedWindow<R> {
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Vec<R::Item>>>(self, next: N, plan: &mut Plan) {
        self.build_by(|content| content, next, plan);
    }
}

impl<R: Run> TimedWindow<R> {
    /// Windows of what is made of their elements.
    pub(super) fn build_by<C, N>(
        self,
        content: impl FnOnce(Elements<R::Item>) -> C,
        next: N,
        plan: &mut Plan,
    ) where
        C: Gather<R::Item>,
        N: Push<C::Whole>,
    {
        let label = plan.node(self.site, Role::Operator);
        let content = content(Elements::new());
        let node = WindowNode::new(&label, self.windows, content, next, plan);
        let cell = plan.cell(&label, node);
        self.upstream.build(Port::<_>(cell), plan);
    }
}

impl<R> std::fmt::Debug for TimedWindow<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimedWindow")
            .field("windows", &self.windows)
            .finish_non_exhaustive()
    }
}
