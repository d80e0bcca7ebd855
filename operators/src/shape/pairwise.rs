//! `pairwise`: each element together with the one before it.

use std::sync::Arc;

use crate::engine::{Cx, Graph, Label, Lost, Plan, Push, Role, Signal, Site, Token};
use crate::flow::{InGraph, Run};

/// Pairs each element with the one before it: see [`Flow::pairwise`](crate::Flow::pairwise).
///
/// - **Emits** `(previous, current)` with each element but the first, at once.
/// - **Holds** the last element, for the next pair. A tracked element is done when the pairs that it
///   is in are, or at the close.
/// - **Waits** never.
/// - **On close** passes it on; the last element goes.
/// - **Drops** nothing; the first element alone makes no pair. An element that failed above is in no
///   pair, and its place stays empty.
/// - **Panics** where the element's `Clone` does; that poisons the graph.
///
/// For more than two there is [`sliding_window`](crate::Flow::sliding_window), and for a figure of the
/// last n elements [`rolling`](crate::Flow::rolling).
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<i32>::new();
/// let rises = source.pairwise().starmap(|last, x| x - last).sink_to_list();
/// source.emit_all([1, 4, 2])?;
/// assert_eq!(rises.take(), [3, -2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Pairwise<R> {
    upstream: R,
    site: Site,
}

impl<R> Pairwise<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R) -> Self {
        Pairwise {
            upstream,
            site: Site::new("pairwise"),
        }
    }
}

impl<R> Run for Pairwise<R>
where
    R: Run<Item: Clone>,
{
    type Item = (R::Item, R::Item);

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Self::Item>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let push = PairwisePush {
            label,
            last: None,
            token: Token::NONE,
            passed: 0,
            batch: Vec::new(),
            next,
        };
        self.upstream.build(push, plan);
    }
}

struct PairwisePush<T, N> {
    label: Arc<Label>,
    last: Option<T>,
    /// That of the last element.
    token: Token,
    passed: u64,
    batch: Vec<(T, T)>,
    next: N,
}

impl<T: InGraph + Clone, N: Push<(T, T)>> PairwisePush<T, N> {
    /// A pair that somebody tracks.
    #[cold]
    #[inline(never)]
    fn push_tracked(&mut self, pair: (T, T), cx: &mut Cx) {
        let of_last = std::mem::replace(&mut self.token, cx.token.clone());
        let of_both = Token::merge([of_last, cx.token.clone()]);
        cx.with_token(of_both, |cx| self.next.push(pair, cx));
    }
}

impl<T: InGraph + Clone, N: Push<(T, T)>> Push<T> for PairwisePush<T, N> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        match self.last.replace(item.clone()) {
            Some(last) if cx.token.is_some() || self.token.is_some() => {
                self.push_tracked((last, item), cx);
            }
            Some(last) => self.next.push((last, item), cx),
            None => self.token = cx.token.clone(),
        }
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if cx.token.is_some() || self.token.is_some() {
            for item in items.drain(..) {
                self.push(item, cx);
            }
            return;
        }
        self.passed += items.len() as u64;
        let last = &mut self.last;
        let pairs = items.drain(..).filter_map(|item| {
            let last = last.replace(item.clone())?;
            Some((last, item))
        });
        if self.next.batches() {
            self.batch.extend(pairs);
            if !self.batch.is_empty() {
                self.next.push_batch(&mut self.batch, cx);
            }
        } else {
            pairs.for_each(|pair| self.next.push(pair, cx));
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            Signal::Close => {
                self.last = None;
                self.token = Token::NONE;
            }
            Signal::Census => {
                let (passed, held) = (self.passed, u64::from(self.last.is_some()));
                cx.take_census(self.label.id(), |node| {
                    node.counts.passed = passed;
                    node.counts.held = held;
                    node.counts.capacity = 1;
                    node.rests = true;
                });
            }
            _ => {}
        }
        self.next.signal(signal, cx);
    }

    #[inline]
    fn batches(&self) -> bool {
        self.next.batches()
    }
}

impl<T, N> Drop for PairwisePush<T, N> {
    fn drop(&mut self) {
        self.token.fail(Lost::TornDown);
    }
}

impl<R> std::fmt::Debug for Pairwise<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pairwise").finish_non_exhaustive()
    }
}
