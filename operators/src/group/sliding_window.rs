//! `sliding_window`: with each element, the last n of them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::census::take_census;
use crate::engine::{Cx, Graph, Label, Lost, Plan, Push, Role, Signal, Site, Token};
use crate::flow::{InGraph, Run};

/// Makes a `Vec` of the last n elements, with each element: see
/// [`Flow::sliding_window`](crate::Flow::sliding_window).
///
/// To fold the last n elements, [`rolling`](crate::Flow::rolling) is far cheaper: it copies nothing.
///
/// - **Emits** a window with each element, from the first one on and shorter than n at first;
///   with [`full`](SlidingWindow::full), from the n-th one on.
/// - **Holds** the last n elements.
/// - **Waits** never.
/// - **On close** it emits nothing more, since each window was emitted with its last element.
/// - **Drops** nothing. A failure passes at once and leaves no gap in the windows.
/// - **Panics** at construction if `n` is 0.
///
/// Each window carries the lineage of all its elements, so an element is done when the last window
/// that it was in is done and it has left, or at the close.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::prelude::*;
///
/// let source = Source::<i32>::new();
/// let windows = source.sliding_window(2).sink_to_list();
/// let pairs = source.sliding_window(2).full().sink_to_list();
/// source.emit_all([1, 2, 3])?;
/// assert_eq!(windows.take(), [vec![1], vec![1, 2], vec![2, 3]]);
/// assert_eq!(pairs.take(), [[1, 2], [2, 3]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow does nothing until it ends in a sink"]
pub struct SlidingWindow<R> {
    upstream: R,
    n: usize,
    full: bool,
    site: Site,
}

impl<R> SlidingWindow<R> {
    #[track_caller]
    pub(crate) fn new(upstream: R, n: usize) -> Self {
        assert!(
            n > 0,
            "`sliding_window(0)` would be empty for ever: let it have at least 1 element"
        );
        SlidingWindow {
            upstream,
            n,
            full: false,
            site: Site::new("sliding_window"),
        }
    }

    /// Emits nothing until there are n elements.
    pub fn full(mut self) -> Self {
        self.full = true;
        self
    }
}

impl<R> Run for SlidingWindow<R>
where
    R: Run,
    R::Item: Clone,
{
    type Item = Vec<R::Item>;

    fn graph(&self) -> &Graph {
        self.upstream.graph()
    }

    fn build<N: Push<Vec<R::Item>>>(self, next: N, plan: &mut Plan) {
        let label = plan.node(self.site, Role::Operator);
        let push = SlidingPush {
            label,
            n: self.n,
            least: if self.full { self.n } else { 1 },
            held: VecDeque::new(),
            tokens: VecDeque::new(),
            passed: 0,
            next,
        };
        self.upstream.build(push, plan);
    }
}

struct SlidingPush<T, N> {
    label: Arc<Label>,
    n: usize,
    /// A shorter window is not emitted.
    least: usize,
    held: VecDeque<T>,
    /// Tokens of the held elements that have one, with the number of each element.
    tokens: VecDeque<(u64, Token)>,
    passed: u64,
    next: N,
}

impl<T: InGraph + Clone, N: Push<Vec<T>>> SlidingPush<T, N> {
    /// The token of the window that ends with the element under way.
    #[cold]
    #[inline(never)]
    fn lineage(&mut self, cx: &Cx) -> Token {
        let first = self.passed.saturating_sub(self.n as u64);
        while self.tokens.front().is_some_and(|(at, _)| *at < first) {
            self.tokens.pop_front();
        }
        if cx.token.is_some() {
            self.tokens.push_back((self.passed - 1, cx.token.clone()));
        }
        Token::merge(self.tokens.iter().map(|(_, token)| token.clone()))
    }
}

impl<T: InGraph + Clone, N: Push<Vec<T>>> Push<T> for SlidingPush<T, N> {
    #[inline]
    fn push(&mut self, item: T, cx: &mut Cx) {
        self.passed += 1;
        if self.held.len() >= self.n {
            self.held.pop_front();
        }
        self.held.push_back(item);
        let token = if cx.token.is_some() || !self.tokens.is_empty() {
            self.lineage(cx)
        } else {
            Token::NONE
        };
        if self.held.len() >= self.least {
            let (older, newer) = self.held.as_slices();
            let mut window = Vec::with_capacity(self.held.len());
            window.extend_from_slice(older);
            window.extend_from_slice(newer);
            cx.with_token(token, |cx| self.next.push(window, cx));
        }
    }

    fn signal(&mut self, signal: Signal<'_>, cx: &mut Cx) {
        match signal {
            // A window is no element: its place can't be empty.
            Signal::Hole => return,
            Signal::Close => {
                self.held.clear();
                self.tokens.clear();
            }
            Signal::Census => {
                let held = self.held.len();
                take_census(&self.label, self.passed, held, self.n, true, cx);
            }
            _ => {}
        }
        self.next.signal(signal, cx);
    }

    // A batch is looped over here, and not made one of windows: that would hold n times its size.
    #[inline]
    fn batches(&self) -> bool {
        false
    }
}

impl<T, N> Drop for SlidingPush<T, N> {
    fn drop(&mut self) {
        let tokens = self.tokens.iter();
        tokens.for_each(|(_, token)| token.fail(Lost::TornDown));
    }
}

impl<R> std::fmt::Debug for SlidingWindow<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlidingWindow")
            .field("n", &self.n)
            .field("full", &self.full)
            .finish_non_exhaustive()
    }
}
