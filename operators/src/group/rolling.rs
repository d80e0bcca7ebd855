//! `rolling`: with each element, the aggregate of the last n of them.

use std::num::NonZeroUsize;

use super::rolling_with_element::RollingWithElement;
use crate::aggregate::last_n::{LastN, last_n};
use crate::aggregate::{Aggregate, Slide};
use crate::engine::{Batch, Cx, Graph, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Folds the last n elements, with each element: see [`Flow::rolling`](crate::Flow::rolling).
///
/// Nothing is ever subtracted, so what has left the window leaves no trace: no rounding error that
/// grows, no NaN that stays. It costs 3.5 merges an element, whatever n is. Quantiles and counts of
/// distinct elements, whose states grow as they are merged, have windows of their own
/// ([`Aggregate::slide`]).
///
/// - **Emits** the aggregate with each element, from the first one on; with
///   [`full`](Rolling::full), from the n-th one on.
/// - **Holds** n states and no elements; or what a window of the aggregate's own holds of n elements:
///   numbers for quantiles, clones for `TopK` and `Frequencies`. It keeps state and not lineage: an
///   element is done when its own output is done, though later ones are still computed from it.
/// - **Waits** never.
/// - **On close** it passes it on.
/// - **Drops** nothing. A failure passes in its place and leaves no gap in the window.
/// - **Panics** at construction if `n` is 0.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<f64>::new();
/// let means = source.rolling(2, Mean).sink_to_list();
/// let peaks = source.rolling(2, Max).full().sink_to_list();
/// source.emit_all([1.0, 3.0, 2.0])?;
/// assert_eq!(means.take(), [1.0, 2.0, 2.5]);
/// assert_eq!(peaks.take(), [3.0, 3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Rolling<R, A> {
    upstream: R,
    n: NonZeroUsize,
    aggregate: A,
    full: bool,
    site: Site,
}

impl<R, A> Rolling<R, A> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: usize, aggregate: A) -> Self {
        let Some(n) = NonZeroUsize::new(n) else {
            panic!("`rolling(0, …)` would see nothing: let it see at least 1 element");
        };
        Rolling {
            upstream,
            n,
            aggregate,
            full: false,
            site: Site::new("rolling"),
        }
    }

    /// Emits nothing until there are n elements.
    pub fn full(mut self) -> Self {
        self.full = true;
        self
    }

    /// Emits each element with the aggregate beside it, as a pair.
    #[doc(alias = "beside")]
    pub fn with_element(self) -> RollingWithElement<R, A> {
        RollingWithElement {
            upstream: self.upstream,
            n: self.n,
            aggregate: self.aggregate,
            full: self.full,
            site: self.site,
        }
    }
}

impl<R, A> Run for Rolling<R, A>
where
    R: Run,
    A: Aggregate<R::Item>,
{
    type Item = A::Output;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<A::Output>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let push = RollingPush {
            window: last_n(self.aggregate, self.n),
            least: if self.full { self.n.get() } else { 1 },
            batch: Batch::new(),
            next,
        };
        self.upstream.build(push, plan);
    }
}

struct RollingPush<T, A: Aggregate<T>, W, N> {
    window: LastN<T, A, W>,
    /// The aggregate of fewer elements is not emitted.
    least: usize,
    /// What a run that ends at a junction fills and passes on as a whole.
    batch: Batch<A::Output>,
    next: N,
}

impl<T, A, W, N> Push<T> for RollingPush<T, A, W, N>
where
    T: InGraph,
    A: Aggregate<T>,
    W: Slide<T, Output = A::Output>,
    N: Push<A::Output>,
{
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        let reading = self.window.push(&item);
        if let Some(reading) = reading.filter(|_| self.window.len() >= self.least) {
            self.next.push(reading, cx);
        }
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        // The elements of a window that is not full yet come one by one, so that the loop below has
        // nothing to decide.
        let missing = (self.least - 1).saturating_sub(self.window.len());
        let (filling, rest) = items.split_at(missing.min(items.len()));
        for item in filling {
            self.window.push(item);
        }
        if self.next.batches() {
            let batch = self.batch.items();
            batch.reserve(rest.len());
            self.window.push_each(rest, |reading| batch.push(reading));
            self.next.push_batch(batch, cx);
        } else {
            let next = &mut self.next;
            self.window
                .push_each(rest, |reading| next.push(reading, cx));
        }
        items.clear();
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        self.next.signal(signal, cx);
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}

impl<R, A> std::fmt::Debug for Rolling<R, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rolling")
            .field("n", &self.n)
            .field("full", &self.full)
            .finish_non_exhaustive()
    }
}
