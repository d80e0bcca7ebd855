//! `session`: elements with no long pause between them become one `Vec`.

use std::time::Duration;

use super::gather::Elements;
use super::window::{WindowNode, Windows};
use crate::engine::{Graph, Plan, Port, Push, Role, Site};
use crate::flow::Run;

/// Makes a `Vec` of elements with no long pause between them: see
/// [`Flow::session`](crate::Flow::session).
///
/// - **Emits** a session when `gap` has passed on the graph's clock since its last element: an
///   element that comes later, or at that very moment, begins another one. A session that has
///   [`max_len`](Session::max_len) elements is emitted early and counted so; what follows makes
///   another one.
/// - **Holds** up to 65 536 elements, or `max_len`.
/// - **Waits**: while somebody downstream is full, sessions that are over are held; once `max_len`
///   elements are, the origin of the element that fills it waits.
/// - **On close** it emits the session that is under way.
/// - **Drops** nothing. A failure passes at once, ahead of the session, and does not prolong it.
/// - **Panics** at construction if the gap or the length is zero. The graph needs a driver, or a
///   clock that is led by the data.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let source = Source::<(u64, &str)>::new();
/// source.lead_clock(|(millis, _)| Time::from_millis(*millis));
/// let visits = source
///     .map(|(_, page)| page)
///     .session(Duration::from_secs(1))
///     .sink_to_list();
/// source.emit_all([(100, "home"), (900, "news"), (5_000, "home")])?;
/// assert_eq!(visits.take(), [["home", "news"]]);
/// source.close();
/// assert_eq!(visits.take(), [["home"]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Session<R> {
    upstream: R,
    windows: Windows,
    site: Site,
}

impl<R> Session<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, gap: Duration) -> Self {
        assert!(
            !gap.is_zero(),
            "`session` with no gap would end with each element: give it a longer gap"
        );
        Session {
            upstream,
            windows: Windows::of_elements(gap).after_a_gap(),
            site: Site::new("session"),
        }
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

impl<R: Run> Run for Session<R> {
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Vec<R::Item>>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let node = WindowNode::new(&label, self.windows, Elements::new(), next, plan);
        let cell = plan.cell(&label, node);
        self.upstream.build(Port::<_>(cell), plan);
    }
}

impl<R> std::fmt::Debug for Session<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("windows", &self.windows)
            .finish_non_exhaustive()
    }
}
