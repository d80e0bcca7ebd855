//! `filter`: elements that satisfy a predicate pass.

use crate::engine::{Cx, Graph, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Lets elements pass that satisfy a predicate: see [`Flow::filter`](crate::Flow::filter).
///
/// - **Emits** each element that the predicate holds for, at once and unchanged.
/// - **Holds** nothing.
/// - **Waits** never.
/// - **On close** passes it on.
/// - **Drops** what the predicate does not hold for. That is no loss: it is not counted, and a
///   tracked element that is dropped here is done.
/// - **Panics** where the predicate does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<i32>::new();
/// let even = source.filter(|x| x % 2 == 0).sink_to_list();
/// source.emit_all(0..10)?;
/// assert_eq!(even.take(), [0, 2, 4, 6, 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Filter<R, F> {
    upstream: R,
    predicate: F,
    site: Site,
}

impl<R, F> Filter<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, predicate: F) -> Self {
        Filter {
            upstream,
            predicate,
            site: Site::new("filter"),
        }
    }
}

impl<R, F> Run for Filter<R, F>
where
    R: Run,
    F: FnMut(&R::Item) -> bool + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        self.upstream
            .build(FilterPush::new(self.predicate, next), plan);
    }
}

/// The push side of all that let elements pass or not: what tells them apart is in the predicate.
///
/// Not a [`Step`](super::step::Step): a batch is filtered in place, where a step would move every
/// element into a batch of its own.
pub(super) struct FilterPush<F, N> {
    predicate: F,
    next: N,
}

impl<F, N> FilterPush<F, N> {
    pub(super) fn new(predicate: F, next: N) -> Self {
        FilterPush { predicate, next }
    }
}

/// Up to this size in bytes, swapping every element costs less than a branch guessed wrong.
const SWAPPED: usize = 16;

/// As `Vec::retain`, without a branch: elements that go are swapped behind those that stay.
#[inline]
fn compact<T>(items: &mut Vec<T>, mut predicate: impl FnMut(&T) -> bool) {
    let mut kept = 0;
    for at in 0..items.len() {
        let stays = predicate(&items[at]);
        items.swap(kept, at);
        kept += usize::from(stays);
    }
    items.truncate(kept);
}

impl<T, F, N> Push<T> for FilterPush<F, N>
where
    F: FnMut(&T) -> bool + InGraph,
    N: Push<T>,
{
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        if (self.predicate)(&item) {
            self.next.push(item, cx);
        }
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if self.next.batches() {
            if size_of::<T>() <= SWAPPED {
                compact(items, &mut self.predicate);
            } else {
                items.retain(&mut self.predicate);
            }
            if !items.is_empty() {
                self.next.push_batch(items, cx);
            }
        } else {
            for item in items.drain(..) {
                self.push(item, cx);
            }
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

impl<R, F> std::fmt::Debug for Filter<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter").finish_non_exhaustive()
    }
}
