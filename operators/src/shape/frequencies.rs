//! `frequencies`: how often each element has come.

use std::hash::Hash;
use std::sync::Arc;

use super::step::{Step, StepPush};
use crate::aggregate::space_saving::Counters;
use crate::engine::{Cx, Graph, Label, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// How many distinct elements are counted by default.
const MAX_KEYS: usize = 65_536;

/// Counts how often each distinct element has come: see
/// [`Flow::frequencies`](crate::Flow::frequencies).
///
/// What is emitted is the one count that changed, and not all counts; a reader that needs all keeps
/// what it is told in a map of its own. To count by a part of the element, map to that part first.
///
/// - **Emits** `(element, count)` for each element, at once: how often it has come, this time
///   included.
/// - **Holds** no elements; it remembers the counts of up to 65 536 distinct ones
///   ([`max_keys`](Frequencies::max_keys)).
/// - **Waits** never.
/// - **On close** passes it on; the counts go.
/// - **Drops** nothing: every element is emitted.
/// - **Panics** at construction if `max_keys` is 0; where the element's `Hash`, `Eq` or `Clone` does,
///   and that poisons the graph.
///
/// Up to `max_keys` distinct elements, all counts are exact. Where one more comes, it takes the place of
/// one with the least count (the same one for the same input) and goes on from that count. From then
/// on, after n elements (the *space-saving* summary):
///
/// - a count is never too low, and too high by `n / max_keys` at the most;
/// - whatever has come more often than that is among those counted.
///
/// How often one took the place of another is counted: while [`expired`](crate::Counts::expired) is 0
/// on this node of a snapshot, all counts are exact.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<&str>::new();
/// let counts = source.frequencies().sink_to_list();
/// source.emit_all(["a", "b", "a"])?;
/// assert_eq!(counts.take(), [("a", 1), ("b", 1), ("a", 2)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Frequencies<R> {
    upstream: R,
    max_keys: usize,
    site: Site,
}

impl<R> Frequencies<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R) -> Self {
        Frequencies {
            upstream,
            max_keys: MAX_KEYS,
            site: Site::new("frequencies"),
        }
    }

    /// How many distinct elements are counted: 65 536 by default. Up to that many, counts are exact.
    /// With `usize::MAX` they are always (up to four billion), and memory grows with each new one.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    pub fn max_keys(mut self, n: usize) -> Self {
        assert!(
            n > 0,
            "`max_keys(0)` would count nothing: let `frequencies` count at least 1 key"
        );
        self.max_keys = n;
        self
    }
}

impl<R> Run for Frequencies<R>
where
    R: Run<Item: Clone + Hash + Eq>,
{
    type Item = (R::Item, u64);

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let step = FrequenciesStep {
            counter: Counters::new(self.max_keys),
            label,
        };
        self.upstream.build(StepPush::new(step, next), plan);
    }
}

struct FrequenciesStep<T> {
    counter: Counters<T>,
    label: Arc<Label>,
}

impl<T: Clone + Hash + Eq + InGraph> Step<T, (T, u64)> for FrequenciesStep<T> {
    #[inline]
    fn step<N: Push<(T, u64)>>(&mut self, item: T, next: &mut N, cx: &mut Cx) {
        let count = match self.counter.count(&item) {
            Ok(count) => count,
            Err(hash) => self.counter.insert(hash, &item),
        };
        next.push((item, count), cx);
    }

    #[inline]
    fn step_all<N: Push<(T, u64)>>(
        &mut self,
        items: &mut impl Iterator<Item = T>,
        next: &mut N,
        cx: &mut Cx,
    ) {
        while let Some((hash, item)) = items.find_map(|item| match self.counter.count(&item) {
            Ok(count) => {
                next.push((item, count), cx);
                None
            }
            Err(hash) => Some((hash, item)),
        }) {
            let count = self.counter.insert(hash, &item);
            next.push((item, count), cx);
        }
    }

    fn census(&self, cx: &mut Cx) {
        let expired = self.counter.expired();
        cx.take_census(self.label.id(), |node| node.counts.expired = expired);
    }
}

impl<R> std::fmt::Debug for Frequencies<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frequencies")
            .field("max_keys", &self.max_keys)
            .finish_non_exhaustive()
    }
}
