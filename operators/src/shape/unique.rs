//! `unique`: repeats go.

use std::hash::Hash;

use super::lru::Lru;
use super::step::{Step, StepPush};
use crate::engine::{Cx, Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// How many keys are remembered by default.
pub(super) const HISTORY: usize = 1_000;

/// Lets elements pass that were not seen lately: see [`Flow::unique`](crate::Flow::unique).
///
/// An element is its own key. Where a part of it only counts there is
/// [`unique_by_key`](crate::Flow::unique_by_key); for one that is not `Hash`, such as a float,
/// [`unique_by`](crate::Flow::unique_by); for repeats in a row, [`dedup`](crate::Flow::dedup).
///
/// - **Emits** each element whose key is not in the history, at once and unchanged.
/// - **Holds** no elements; it remembers the 1 000 keys seen last ([`history`](Unique::history)). A
///   repeat refreshes its key, so what keeps coming stays known.
/// - **Waits** never.
/// - **On close** passes it on; the history goes.
/// - **Drops** repeats. That is no loss: it is not counted, and a tracked repeat is done.
/// - **Panics** where the element's `Hash`, `Eq` or `Clone` does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<i32>::new();
/// let distinct = source.unique().sink_to_list();
/// let changes = source.unique().history(1).sink_to_list();
/// source.emit_all([1, 1, 2, 1])?;
/// assert_eq!(distinct.take(), [1, 2]);
/// assert_eq!(changes.take(), [1, 2, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Unique<R> {
    upstream: R,
    history: usize,
    site: Site,
}

impl<R> Unique<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R) -> Self {
        Unique {
            upstream,
            history: HISTORY,
            site: Site::new("unique"),
        }
    }

    /// How many keys are remembered, those seen last: 1 000 by default. With 1, only repeats in a
    /// row go; with `usize::MAX` no key is forgotten, and memory grows with each new one.
    ///
    /// # Panics
    /// If `keys` is 0.
    #[track_caller]
    pub fn history(mut self, keys: usize) -> Self {
        assert!(
            keys > 0,
            "`history(0)` would remember nothing: let `unique` remember at least 1 key"
        );
        self.history = keys;
        self
    }
}

impl<R> Run for Unique<R>
where
    R: Run<Item: Clone + Hash + Eq>,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = UniqueStep(Lru::new(self.history));
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct UniqueStep<T>(Lru<T>);

impl<T: Clone + Hash + Eq + InGraph> Step<T, T> for UniqueStep<T> {
    #[inline]
    fn step<N: Push<T>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        // A repeat costs no clone.
        if let Err(hash) = self.0.touch(&item) {
            self.0.insert(hash, item.clone());
            next.push(item, cx);
        }
    }
}

impl<R> std::fmt::Debug for Unique<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unique")
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}
