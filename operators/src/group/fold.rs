//! `fold` and `fold_all`: all elements become one, at the close.

use std::sync::Arc;

use super::census::take_census;
use super::gather::{Folded, Gather};
use crate::aggregate::Aggregate;
use crate::engine::{Cx, Graph, Label, Plan, Push, Role, Signal, Site, Token, Tokens};
use crate::flow::{InGraph, Run};

/// Folds all elements by a closure: see [`Flow::fold`](crate::Flow::fold).
///
/// - **Emits** one value, at the close: what the closure made of the first state and all elements; the
///   first state itself if there were none.
/// - **Holds** one state and no elements. Receipts of tracked elements wait for the close.
/// - **Waits** never.
/// - **On close** it emits the value, and closes.
/// - **Drops** nothing, unless its branch is discarded: then the state counts as one that is lost. A
///   failure passes at once, and is no part of the value.
/// - **Panics** where the closure does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<&str>::new();
/// let text = source.take(3).fold(String::new(), |text, word| text + word).sink_to_list();
/// source.emit_all(["head", "wa", "ter"])?;
/// assert_eq!(text.take(), ["headwater"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct Fold<R, S, F> {
    upstream: R,
    init: S,
    f: F,
    site: Site,
}

/// Folds all elements by an aggregate: see [`Flow::fold_all`](crate::Flow::fold_all).
///
/// - **Emits** the aggregate of all elements, at the close; nothing if there were none.
/// - **Holds** one state and no elements. Receipts of tracked elements wait for the close.
/// - **Waits** never.
/// - **On close** it emits the aggregate, if there is one, and closes.
/// - **Drops** nothing, unless its branch is discarded: then the state counts as one that is lost. A
///   failure passes at once, and is no part of the aggregate.
/// - **Panics** where the aggregate does; that poisons the graph.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<f64>::new();
/// let figures = source.fold_all((Count, Mean, Max)).sink_to_list();
/// source.emit_all([1.0, 4.0, 4.0])?;
/// source.close();
/// assert_eq!(figures.take(), [(3, 3.0, 4.0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct FoldAll<R, A> {
    upstream: R,
    aggregate: A,
    site: Site,
}

impl<R, S, F> Fold<R, S, F> {
    #[track_caller]
    pub(crate) fn new(upstream: R, init: S, f: F) -> Self {
        Fold {
            upstream,
            init,
            f,
            site: Site::new("fold"),
        }
    }
}

impl<R, A> FoldAll<R, A> {
    #[track_caller]
    pub(crate) fn new(upstream: R, aggregate: A) -> Self {
        FoldAll {
            upstream,
            aggregate,
            site: Site::new("fold_all"),
        }
    }
}

impl<R, S, F> Run for Fold<R, S, F>
where
    R: Run,
    S: InGraph,
    F: FnMut(S, R::Item) -> S + InGraph,
{
    type Item = S;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<S>>(self, next: N, plan: &mut Plan) {
        let value = ByClosure {
            state: Some(self.init),
            f: self.f,
            tokens: Tokens::default(),
        };
        build(self.upstream, self.site, value, next, plan);
    }
}

impl<R, A> Run for FoldAll<R, A>
where
    R: Run,
    A: Aggregate<R::Item>,
{
    type Item = A::Output;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<A::Output>>(self, next: N, plan: &mut Plan) {
        let value = Folded::new(self.aggregate);
        build(self.upstream, self.site, value, next, plan);
    }
}

fn build<R: Run, V: Value<R::Item>>(
    upstream: R,
    site: Site,
    value: V,
    next: impl Push<V::Output>,
    plan: &mut Plan,
) {
    let push = FoldPush {
        label: plan.node(site, Role::Operator),
        value,
        passed: 0,
        next,
    };
    upstream.build(push, plan);
}

/// What all elements become.
trait Value<T>: Send + 'static {
    type Output: InGraph;

    fn add(&mut self, items: impl Iterator<Item = T>, cx: &Cx);

    /// Whether it stands for elements that it keeps in mind, and has not been given out.
    fn holds(&self) -> bool;

    /// The value, once, with the token of all elements.
    fn finish(&mut self) -> Option<(Self::Output, Token)>;
}

struct ByClosure<S, F> {
    /// `None` once it was emitted, and while the closure has it.
    state: Option<S>,
    f: F,
    tokens: Tokens,
}

impl<T, S, F> Value<T> for ByClosure<S, F>
where
    S: InGraph,
    F: FnMut(S, T) -> S + InGraph,
{
    type Output = S;

    #[inline]
    fn add(&mut self, items: impl Iterator<Item = T>, cx: &Cx) {
        self.tokens.note(cx);
        if let Some(state) = self.state.take() {
            self.state = Some(items.fold(state, &mut self.f));
        }
    }

    fn holds(&self) -> bool {
        self.state.is_some()
    }

    fn finish(&mut self) -> Option<(S, Token)> {
        Some((self.state.take()?, self.tokens.take()))
    }
}

impl<T: InGraph, A: Aggregate<T>> Value<T> for Folded<T, A> {
    type Output = A::Output;

    #[inline]
    fn add(&mut self, items: impl Iterator<Item = T>, cx: &Cx) {
        Gather::add(self, items, cx);
    }

    fn holds(&self) -> bool {
        self.held() > 0
    }

    fn finish(&mut self) -> Option<(A::Output, Token)> {
        self.take()
    }
}

struct FoldPush<V, N> {
    label: Arc<Label>,
    value: V,
    passed: u64,
    next: N,
}

impl<T: InGraph, V: Value<T>, N: Push<V::Output>> Push<T> for FoldPush<V, N> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        self.value.add(std::iter::once(item), cx);
    }

    #[inline]
    fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        self.passed += items.len() as u64;
        self.value.add(items.drain(..), cx);
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // The value is no element: its place can't be empty. And no element fills anybody.
            Signal::Hole | Signal::Room(_) => return,
            Signal::Close => {
                if let Some((value, token)) = self.value.finish() {
                    cx.with_token(token, |cx| self.next.push(value, cx));
                }
            }
            Signal::Census => {
                let held = usize::from(self.passed > 0 && self.value.holds());
                take_census(&self.label, self.passed, held, 0, true, cx);
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

impl<R, S, F> std::fmt::Debug for Fold<R, S, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fold").finish_non_exhaustive()
    }
}

impl<R, A> std::fmt::Debug for FoldAll<R, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoldAll").finish_non_exhaustive()
    }
}
