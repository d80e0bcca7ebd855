//! `fold_window`: what comes within each stretch of time is folded by an aggregate.

use std::time::Duration;

use super::gather::{Folded, Gather};
use super::window::{WindowNode, Windows};
use super::with_end::WithEnd;
use crate::aggregate::Aggregate;
use crate::engine::{Graph, Plan, Port, Push, Role, Site, Time};
use crate::flow::Run;

/// Folds the elements of each stretch of time: see [`Flow::fold_window`](crate::Flow::fold_window).
///
/// The k-th window is `[k·d, (k+1)·d)` on the graph's clock, as in
/// [`TimedWindow`](crate::TimedWindow).
///
/// - **Emits** the aggregate of a window when its time is over; nothing for one in which nothing
///   came.
/// - **Holds** one state and no elements; while somebody downstream is full, what one window that is
///   over came to, too.
/// - **Waits**: while somebody downstream is full, one window that is over is held; the origin of the
///   element that begins another one waits.
/// - **On close** it emits the window that is under way.
/// - **Drops** nothing. A failure passes at once, ahead of the window.
/// - **Panics** at construction if the duration is zero. The graph needs a driver, or a clock that
///   is led by the data.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let source = graph.source::<f64>();
/// let means = source.fold_window(Duration::from_secs(1), Mean).sink_to_list();
/// source.emit_all([1.0, 2.0])?;
/// time.advance(Duration::from_secs(1));
/// assert_eq!(means.take(), [1.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct FoldWindow<R, A> {
    upstream: R,
    windows: Windows,
    aggregate: A,
    site: Site,
}

impl<R, A> FoldWindow<R, A> {
    #[track_caller]
    pub(crate) fn new(upstream: R, every: Duration, aggregate: A) -> Self {
        assert!(
            !every.is_zero(),
            "`fold_window` of zero would end at once for ever: give it a longer time"
        );
        FoldWindow {
            upstream,
            windows: Windows::of_states(every),
            aggregate,
            site: Site::new("fold_window"),
        }
    }

    /// Emits each aggregate with the moment to which its window reaches: its end, or, where the close cut
    /// it short, that moment.
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

impl<R, A> Run for FoldWindow<R, A>
where
    R: Run,
    A: Aggregate<R::Item>,
{
    type Item = A::Output;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<A::Output>>(self, next: N, plan: &mut Plan) {
        self.build_by(|content| content, next, plan);
    }
}

impl<R: Run, A: Aggregate<R::Item>> FoldWindow<R, A> {
    /// Windows of what is made of their states.
    pub(super) fn build_by<C, N>(
        self,
        content: impl FnOnce(Folded<R::Item, A>) -> C,
        next: N,
        plan: &mut Plan,
    ) where
        C: Gather<R::Item>,
        N: Push<C::Whole>,
    {
        let label = plan.node(self.site, Role::Operator);
        let content = content(Folded::new(self.aggregate));
        let node = WindowNode::new(&label, self.windows, content, next, plan);
        let cell = plan.cell(&label, node);
        self.upstream.build(Port::<_>(cell), plan);
    }
}

impl<R, A> std::fmt::Debug for FoldWindow<R, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoldWindow")
            .field("windows", &self.windows)
            .finish_non_exhaustive()
    }
}
