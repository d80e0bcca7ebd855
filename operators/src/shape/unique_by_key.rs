//! `unique_by_key`: elements with a key that was seen go.

use std::hash::Hash;

use super::lru::Lru;
use super::step::{Step, StepPush};
use super::unique::HISTORY;
use crate::engine::{Cx, Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Lets elements pass whose key was not seen lately: see
/// [`Flow::unique_by_key`](crate::Flow::unique_by_key).
///
/// - **Emits** each element whose key is not in the history, at once and unchanged.
/// - **Holds** no elements; it remembers the 1 000 keys seen last ([`history`](UniqueByKey::history)). A
///   repeat refreshes its key, so what keeps coming stays known.
/// - **Waits** never.
/// - **On close** passes it on; the history goes.
/// - **Drops** repeats. That is no loss: it is not counted, and a tracked repeat is done.
/// - **Panics** where the closure, or the key's `Hash` or `Eq`, does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<f64>::new();
/// let degrees = source.unique_by_key(|x| x.round() as i64).sink_to_list();
/// source.emit_all([20.1, 19.9, 21.0, 20.2])?;
/// assert_eq!(degrees.take(), [20.1, 21.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct UniqueByKey<R, F> {
    upstream: R,
    key: F,
    history: usize,
    site: Site,
}

impl<R, F> UniqueByKey<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, key: F) -> Self {
        UniqueByKey {
            upstream,
            key,
            history: HISTORY,
            site: Site::new("unique_by_key"),
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
            "`history(0)` would remember nothing: let `unique_by_key` remember at least 1 key"
        );
        self.history = keys;
        self
    }
}

impl<R, F, K> Run for UniqueByKey<R, F>
where
    R: Run,
    F: FnMut(&R::Item) -> K + InGraph,
    K: Hash + Eq + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let step = UniqueByKeyStep {
            key: self.key,
            seen: Lru::new(self.history),
        };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct UniqueByKeyStep<F, K> {
    key: F,
    seen: Lru<K>,
}

impl<T, F, K> Step<T, T> for UniqueByKeyStep<F, K>
where
    F: FnMut(&T) -> K + InGraph,
    K: Hash + Eq + InGraph,
{
    #[inline]
    fn step<N: Push<T>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        let key = (self.key)(&item);
        if let Err(hash) = self.seen.touch(&key) {
            self.seen.insert(hash, key);
            next.push(item, cx);
        }
    }
}

impl<R, F> std::fmt::Debug for UniqueByKey<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UniqueByKey")
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}
