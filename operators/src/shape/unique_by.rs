//! `unique_by`: elements that a closure calls the same as one seen go.

use std::collections::VecDeque;

use super::filter::FilterPush;
use super::unique::HISTORY;
use crate::engine::{Graph, Plan, Push, Role, Site};
use crate::flow::{InGraph, Run};

/// Lets elements pass that are the same as none seen lately: see
/// [`Flow::unique_by`](crate::Flow::unique_by).
///
/// For elements that are not `Hash`, such as floats or maps, or the same only nearly. The closure is
/// given an element that is remembered and the new one. Each new element is compared with all that
/// are remembered, the newest first: where there is a key to hash,
/// [`unique_by_key`](crate::Flow::unique_by_key) is far faster.
///
/// - **Emits** each element that is the same as none in the history, at once and unchanged.
/// - **Holds** no elements; it remembers clones of the 1 000 that passed and were seen last
///   ([`history`](UniqueBy::history)). A repeat refreshes the element that it repeats, so what keeps
///   coming stays known; it does not replace it, so that elements which are nearly the same can't
///   drift away from the one that passed.
/// - **Waits** never.
/// - **On close** passes it on; the history goes.
/// - **Drops** repeats. That is no loss: it is not counted, and a tracked repeat is done.
/// - **Panics** at construction if the history is 0; where the closure, or the element's `Clone`, does,
///   and that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<f64>::new();
/// let distinct = source.unique_by(|a, b| a == b).sink_to_list();
/// let steps = source.unique_by(|a, b| (a - b).abs() < 1.0).history(1).sink_to_list();
/// source.emit_all([1.0, 1.5, 1.5, 2.25, 1.0])?;
/// assert_eq!(distinct.take(), [1.0, 1.5, 2.25]);
/// assert_eq!(steps.take(), [1.0, 2.25, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct UniqueBy<R, F> {
    upstream: R,
    same: F,
    history: usize,
    site: Site,
}

impl<R, F> UniqueBy<R, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, same: F) -> Self {
        UniqueBy {
            upstream,
            same,
            history: HISTORY,
            site: Site::new("unique_by"),
        }
    }

    /// How many elements are remembered, those seen last: 1 000 by default. With 1, an element is
    /// compared with the one that passed last; with `usize::MAX` none is forgotten, and memory, and
    /// the time that a comparison takes, grow with each new one.
    ///
    /// # Panics
    /// If `elements` is 0.
    #[track_caller]
    pub fn history(mut self, elements: usize) -> Self {
        assert!(
            elements > 0,
            "`history(0)` would remember nothing: let `unique_by` remember at least 1 element"
        );
        self.history = elements;
        self
    }
}

impl<R, F> Run for UniqueBy<R, F>
where
    R: Run<Item: Clone>,
    F: FnMut(&R::Item, &R::Item) -> bool + InGraph,
{
    type Item = R::Item;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<R::Item>>(self, next: N, plan: &mut Plan) {
        plan.node(self.site, Role::Operator);
        let (mut same, history) = (self.same, self.history);
        let mut seen = VecDeque::<R::Item>::new();
        let is_new = move |item: &R::Item| {
            let known = seen.iter().position(|known| same(known, item));
            let newest = match known {
                Some(at) => seen.remove(at),
                // Into what the forgotten one has allocated.
                None if seen.len() >= history => seen.pop_back().map(|mut forgotten| {
                    forgotten.clone_from(item);
                    forgotten
                }),
                None => Some(item.clone()),
            };
            if let Some(newest) = newest {
                seen.push_front(newest);
            }
            known.is_none()
        };
        self.upstream.build(FilterPush::new(is_new, next), plan);
    }
}

impl<R, F> std::fmt::Debug for UniqueBy<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UniqueBy")
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}
