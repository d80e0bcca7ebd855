//! `rolling(…).with_element()`: each element with the aggregate of the last n beside it.

use std::num::NonZeroUsize;

use crate::aggregate::last_n::{LastN, last_n};
use crate::aggregate::{Aggregate, Slide};
use crate::engine::{Batch, Cx, Graph, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Pairs each element with the aggregate of the last n: see
/// [`Rolling::with_element`](crate::Rolling::with_element).
///
/// - **Emits** with each element, from the first one on, the element itself and the aggregate; with
///   [`full`](crate::Rolling::full), from the n-th one on.
/// - **Holds** n states and no elements, or what a window of the aggregate's own holds: the element is moved on, and
///   never cloned.
/// - **Waits** never.
/// - **On close** it passes it on.
/// - **Drops** nothing; with `full`, the first n - 1 elements are folded only. A failure passes in its
///   place and leaves no gap in the window.
/// - **Panics** at construction if n is 0.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<(&str, f64)>::new();
/// let spikes = source
///     .rolling(3, Mean.of(|r: &(&str, f64)| r.1))
///     .with_element()
///     .filter(|((_, value), mean)| *value > 2.0 * mean)
///     .map(|((at, _), _)| at)
///     .sink_to_list();
/// source.emit_all([("9:00", 1.0), ("9:01", 1.0), ("9:02", 9.0), ("9:03", 1.0)])?;
/// assert_eq!(spikes.take(), ["9:02"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct RollingWithElement<R, A> {
    pub(super) upstream: R,
    pub(super) n: NonZeroUsize,
    pub(super) aggregate: A,
    pub(super) full: bool,
    pub(super) site: Site,
}

impl<R, A> Run for RollingWithElement<R, A>
where
    R: Run,
    A: Aggregate<R::Item>,
{
    type Item = (R::Item, A::Output);

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let push = WithElementPush {
            window: last_n(self.aggregate, self.n),
            least: if self.full { self.n.get() } else { 1 },
            batch: Batch::new(),
            next,
        };
        self.upstream.build(push, plan);
    }
}

struct WithElementPush<T, A: Aggregate<T>, W, N> {
    window: LastN<T, A, W>,
    /// The aggregate of fewer elements is not emitted.
    least: usize,
    /// What a run that ends at a junction fills and passes on as a whole.
    batch: Batch<(T, A::Output)>,
    next: N,
}

impl<T, A, W, N> Push<T> for WithElementPush<T, A, W, N>
where
    T: InGraph,
    A: Aggregate<T>,
    W: Slide<T, Output = A::Output>,
    N: Push<(T, A::Output)>,
{
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        let reading = self.window.push(&item);
        if let Some(reading) = reading.filter(|_| self.window.len() >= self.least) {
            self.next.push((item, reading), cx);
        }
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if !self.next.batches() {
            for item in items.drain(..) {
                self.push(item, cx);
            }
            return;
        }
        let batch = self.batch.items();
        for item in items.drain(..) {
            let reading = self.window.push(&item);
            if let Some(reading) = reading.filter(|_| self.window.len() >= self.least) {
                batch.push((item, reading));
            }
        }
        self.next.push_batch(batch, cx);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        self.next.signal(signal, cx);
    }

    #[inline]
    fn batches(&self) -> bool {
        true
    }
}

impl<R, A> std::fmt::Debug for RollingWithElement<R, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RollingWithElement")
            .field("n", &self.n)
            .field("full", &self.full)
            .finish_non_exhaustive()
    }
}
