//! `fold_partition`: every n elements are folded by an aggregate.

use std::sync::Arc;

use super::tokens::{Tokens, push_with};
use crate::aggregate::Aggregate;
use crate::engine::{Cx, Graph, Label, Plan, Push, Role, Signal, Site};
use crate::flow::{InGraph, Run};

/// Folds every n elements: see [`Flow::fold_partition`](crate::Flow::fold_partition).
///
/// - **Emits** the aggregate of n elements with the n-th of them.
/// - **Holds** one state and no elements.
/// - **Waits** never.
/// - **On close** it emits the aggregate of the elements since, if there are any.
/// - **Drops** nothing. A failure passes at once, ahead of the group that is open.
/// - **Panics** at construction if `n` is 0.
///
/// ```
/// use headwater_operators::prelude::*;
///
/// let source = Source::<u32>::new();
/// let sums = source.fold_partition(2, (Count, Sum)).sink_to_list();
/// source.emit_all([1, 2, 3, 4, 5])?;
/// source.close();
/// assert_eq!(sums.take(), [(2, 3), (2, 7), (1, 5)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct FoldPartition<R, A> {
    upstream: R,
    n: usize,
    aggregate: A,
    site: Site,
}

impl<R, A> FoldPartition<R, A> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: usize, aggregate: A) -> Self {
        assert!(
            n > 0,
            "`fold_partition(0, …)` would fold empty groups: let a group have at least 1 element"
        );
        FoldPartition {
            upstream,
            n,
            aggregate,
            site: Site::new("fold_partition"),
        }
    }
}

impl<R, A> Run for FoldPartition<R, A>
where
    R: Run,
    A: Aggregate<R::Item>,
{
    type Item = A::Output;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<A::Output>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let push = FoldPush {
            label,
            n: self.n,
            count: 0,
            folded: Folded::new(self.aggregate),
            tokens: Tokens::default(),
            passed: 0,
            next,
        };
        self.upstream.build(push, plan);
    }
}

/// A state that is not there until an element is.
pub(super) struct Folded<T, A: Aggregate<T>> {
    aggregate: A,
    state: Option<A::State>,
}

impl<T, A: Aggregate<T>> Folded<T, A> {
    pub(super) fn new(aggregate: A) -> Self {
        Folded {
            aggregate,
            state: None,
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.state.is_none()
    }

    #[inline]
    pub(super) fn add(&mut self, item: &T) {
        match &mut self.state {
            Some(state) => self.aggregate.add(state, item),
            none => *none = Some(self.aggregate.lift(item)),
        }
    }

    /// Folds all of them; the state stays in registers where it can.
    #[inline]
    pub(super) fn fold(&mut self, mut items: impl Iterator<Item = T>) {
        let mut state = match self.state.take() {
            Some(state) => state,
            None => match items.next() {
                Some(item) => self.aggregate.lift(&item),
                None => return,
            },
        };
        items.for_each(|item| self.aggregate.add(&mut state, &item));
        self.state = Some(state);
    }

    #[inline]
    pub(super) fn finish(&mut self) -> Option<A::Output> {
        let state = self.state.take()?;
        Some(self.aggregate.finish(&state))
    }
}

struct FoldPush<T, A: Aggregate<T>, N> {
    label: Arc<Label>,
    n: usize,
    /// How many elements the state stands for.
    count: usize,
    folded: Folded<T, A>,
    tokens: Tokens,
    passed: u64,
    next: N,
}

impl<T: InGraph, A: Aggregate<T>, N: Push<A::Output>> FoldPush<T, A, N> {
    #[inline]
    fn emit(&mut self, cx: &mut Cx) {
        self.count = 0;
        if let Some(reading) = self.folded.finish() {
            let token = self.tokens.take();
            push_with(&mut self.next, reading, token, cx);
        }
    }
}

impl<T: InGraph, A: Aggregate<T>, N: Push<A::Output>> Push<T> for FoldPush<T, A, N> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        self.count += 1;
        self.tokens.note(cx);
        self.folded.add(&item);
        if self.count >= self.n {
            self.emit(cx);
        }
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        let mut rest = items.drain(..);
        while rest.len() > 0 {
            let take = rest.len().min(self.n - self.count);
            self.tokens.note(cx);
            self.folded.fold(rest.by_ref().take(take));
            self.count += take;
            if self.count >= self.n {
                self.emit(cx);
            }
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // A group is no element: its place can't be empty.
            Signal::Hole => return,
            Signal::Close => self.emit(cx),
            Signal::Census => {
                let (passed, held) = (self.passed, u64::from(self.count > 0));
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
        true
    }
}

impl<R, A> std::fmt::Debug for FoldPartition<R, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoldPartition")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}
