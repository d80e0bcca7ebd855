//! `fold_session`: elements with no long pause between them are folded by an aggregate.

use std::time::Duration;

use super::gather::Folded;
use super::window::{WindowNode, Windows};
use crate::aggregate::Aggregate;
use crate::engine::{Graph, Plan, Port, Push, Role, Site};
use crate::flow::Run;

/// Folds elements with no long pause between them: see
/// [`Flow::fold_session`](crate::Flow::fold_session).
///
/// - **Emits** the aggregate of a session when `gap` has passed on the graph's clock since its last
///   element, as in [`Session`](crate::Session).
/// - **Holds** one state and no elements, however long a session is; while somebody downstream is full,
///   what one session that is over came to, too.
/// - **Waits**: while somebody downstream is full, one session that is over is held; the origin of the
///   element that begins another one waits.
/// - **On close** it emits the session that is under way.
/// - **Drops** nothing. A failure passes at once, ahead of the session, and does not prolong it.
/// - **Panics** at construction if the gap is zero. The graph needs a driver, or a clock that is led
///   by the data.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let clicks = graph.source::<u32>();
/// let visits = clicks.fold_session(Duration::from_secs(1), (Count, Last)).sink_to_list();
/// clicks.emit(7)?;
/// time.advance(Duration::from_millis(900));
/// clicks.emit(8)?;
/// time.advance(Duration::from_secs(1));
/// assert_eq!(visits.take(), [(2, 8)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct FoldSession<R, A> {
    upstream: R,
    windows: Windows,
    aggregate: A,
    site: Site,
}

impl<R, A> FoldSession<R, A> {
    #[track_caller]
    pub(crate) fn new(upstream: R, gap: Duration, aggregate: A) -> Self {
        assert!(
            !gap.is_zero(),
            "`fold_session` with no gap would end with each element: give it a longer gap"
        );
        FoldSession {
            upstream,
            windows: Windows::of_states(gap).after_a_gap(),
            aggregate,
            site: Site::new("fold_session"),
        }
    }
}

impl<R, A> Run for FoldSession<R, A>
where
    R: Run,
    A: Aggregate<R::Item>,
{
    type Item = A::Output;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<A::Output>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let content = Folded::new(self.aggregate);
        let node = WindowNode::new(&label, self.windows, content, next, plan);
        let cell = plan.cell(&label, node);
        self.upstream.build(Port::<_>(cell), plan);
    }
}

impl<R, A> std::fmt::Debug for FoldSession<R, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoldSession")
            .field("windows", &self.windows)
            .finish_non_exhaustive()
    }
}
