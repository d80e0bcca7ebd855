//! `throttle`: an element passes, and the others within a time are left out.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Cx, Graph, Label, Loss, Lost, Plan, Push, Role, Signal, Site, Time};
use crate::flow::Run;

/// Lets one element pass within a time, and drops the others: see
/// [`Flow::throttle`](crate::Flow::throttle).
///
/// - **Emits** an element at once if none passed within the last `d` of the graph's clock.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** every other element, counted as excess; its lineage fails. Where none may be lost, see
///   [`rate_limit`](crate::Flow::rate_limit); where the newest matters,
///   [`sample`](crate::Flow::sample). Failures and holes pass.
/// - **Panics** at construction if the duration is zero. The graph needs no driver.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let time = graph.drive_manually();
/// let clicks = graph.source::<u32>();
/// let taken = clicks.throttle(Duration::from_secs(1)).sink_to_list();
/// clicks.emit_all([1, 2])?;
/// time.advance(Duration::from_secs(1));
/// clicks.emit_all([3, 4])?;
/// assert_eq!(taken.take(), [1, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Throttle<R> {
    upstream: R,
    within: Duration,
    site: Site,
}

impl<R> Throttle<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, within: Duration) -> Self {
        assert!(
            !within.is_zero(),
            "`throttle` of zero would leave nothing out: give it a longer time"
        );
        Throttle {
            upstream,
            within,
            site: Site::new("throttle"),
        }
    }
}

impl<R: Run> Run for Throttle<R> {
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        let push = ThrottlePush {
            label: plan.node(self.site, Role::Operator),
            within: self.within,
            open_from: Time::ZERO,
            next,
        };
        self.upstream.build(push, plan);
    }
}

struct ThrottlePush<N> {
    label: Arc<Label>,
    within: Duration,
    /// When the next element may pass.
    open_from: Time,
    next: N,
}

impl<N> ThrottlePush<N> {
    /// Whether an element passes that comes now.
    #[inline]
    fn lets_pass(&mut self, cx: &mut Cx) -> bool {
        let now = cx.now();
        let passes = now >= self.open_from;
        if passes {
            self.open_from = now + self.within;
        }
        passes
    }
}

impl<T, N: Push<T>> Push<T> for ThrottlePush<N> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        if self.lets_pass(cx) {
            self.next.push(item, cx);
        } else {
            cx.lose_current(self.label.id(), Loss::Excess);
        }
    }

    /// All elements of a batch come at once: the first passes, if one does.
    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if items.is_empty() {
            return;
        }
        let mut rest = items.drain(..);
        if self.lets_pass(cx)
            && let Some(first) = rest.next()
        {
            self.next.push(first, cx);
        }
        if rest.len() > 0 {
            cx.token.fail(Lost::Discarded);
            cx.lose(self.label.id(), Loss::Excess, rest.len());
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        self.next.signal(signal, cx);
    }

    #[inline]
    fn batches(&self) -> bool {
        self.next.batches()
    }
}

impl<R> std::fmt::Debug for Throttle<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttle")
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}
