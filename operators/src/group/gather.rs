//! What a group or a window makes of its elements while it is open.

use std::vec::Drain;

use crate::aggregate::Aggregate;
use crate::engine::{Cx, Time, Token, Tokens};
use crate::flow::InGraph;

/// What is collected of the elements of one group or window: themselves, or an aggregate's state.
/// Whoever counts or measures the time ends it.
pub(super) trait Gather<T>: Send + 'static {
    /// What it comes to.
    type Whole: Send + 'static;

    /// Takes elements in, and the token of the push that they came by; there is at least one.
    fn add(&mut self, items: impl Iterator<Item = T>, cx: &Cx);

    /// Whether it need not have the elements, but [see](Gather::see) them.
    const SEES: bool = false;

    /// As [`add`](Gather::add), of elements side by side, where it [`SEES`](Gather::SEES).
    fn see(&mut self, items: &[T], cx: &Cx) {
        let _ = (items, cx);
    }

    /// How many elements it stands for.
    fn count(&self) -> usize;

    /// How much is kept of them: elements, or one state.
    fn held(&self) -> usize;

    /// Told when a window ends, before it is taken.
    fn ends(&mut self, at: Time) {
        let _ = at;
    }

    /// Ends the group, unless nothing came in, with the token of all its elements.
    fn take(&mut self) -> Option<(Self::Whole, Token)>;

    /// The group in which nothing came.
    fn empty(&self) -> Option<Self::Whole>;
}

/// A batch that groups take their parts of.
pub(super) enum Parts<'a, T> {
    /// They see them where they lie, and it is known how many were seen.
    Seen(&'a mut Vec<T>, usize),
    /// They are given them.
    Given(Drain<'a, T>),
}

impl<'a, T> Parts<'a, T> {
    #[inline]
    pub(super) fn of<C: Gather<T>>(items: &'a mut Vec<T>) -> Self {
        match C::SEES {
            true => Parts::Seen(items, 0),
            false => Parts::Given(items.drain(..)),
        }
    }

    /// How many are left.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Parts::Seen(items, seen) => items.len() - seen,
            Parts::Given(items) => items.len(),
        }
    }

    /// A group takes the next `n`, or all if these are fewer.
    #[inline]
    pub(super) fn give<C: Gather<T>>(&mut self, n: usize, content: &mut C, cx: &Cx) {
        match self {
            Parts::Seen(items, seen) => {
                let next = &items[*seen..];
                let next = &next[..n.min(next.len())];
                content.see(next, cx);
                *seen += next.len();
            }
            Parts::Given(items) => content.add(items.take(n), cx),
        }
    }
}

impl<T> Drop for Parts<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Parts::Seen(items, _) = self {
            items.clear();
        }
    }
}

/// Keeps the elements themselves.
pub(super) struct Elements<T> {
    items: Vec<T>,
    tokens: Tokens,
    /// How many to have room for from the first one on.
    eager: usize,
}

/// Room that a group gets at once, at the most: a group "of everything" must not ask for it all.
const EAGER: usize = 1 << 12;

impl<T> Elements<T> {
    /// A group that grows as it fills.
    pub(super) fn new() -> Self {
        Elements::about(0)
    }

    /// A group that will most likely have `n` elements.
    pub(super) fn about(n: usize) -> Self {
        Elements {
            items: Vec::new(),
            tokens: Tokens::default(),
            eager: n.min(EAGER),
        }
    }
}

impl<T: InGraph> Gather<T> for Elements<T> {
    type Whole = Vec<T>;

    #[inline]
    fn add(&mut self, items: impl Iterator<Item = T>, cx: &Cx) {
        self.tokens.note(cx);
        if self.items.capacity() == 0 {
            self.items = Vec::with_capacity(self.eager);
        }
        self.items.extend(items);
    }

    #[inline]
    fn count(&self) -> usize {
        self.items.len()
    }

    #[inline]
    fn held(&self) -> usize {
        self.items.len()
    }

    #[inline]
    fn take(&mut self) -> Option<(Vec<T>, Token)> {
        if self.items.is_empty() {
            return None;
        }
        let items = std::mem::take(&mut self.items);
        Some((items, self.tokens.take()))
    }

    fn empty(&self) -> Option<Vec<T>> {
        Some(Vec::new())
    }
}

/// Keeps a state, which is not there until an element is.
pub(super) struct Folded<T, A: Aggregate<T>> {
    aggregate: A,
    state: Option<A::State>,
    count: usize,
    tokens: Tokens,
}

impl<T, A: Aggregate<T>> Folded<T, A> {
    pub(super) fn new(aggregate: A) -> Self {
        Folded {
            aggregate,
            state: None,
            count: 0,
            tokens: Tokens::default(),
        }
    }
}

impl<T: InGraph, A: Aggregate<T>> Gather<T> for Folded<T, A> {
    type Whole = A::Output;

    /// The state stays in registers where it can.
    #[inline]
    fn add(&mut self, mut items: impl Iterator<Item = T>, cx: &Cx) {
        self.tokens.note(cx);
        let mut count = self.count;
        let mut state = match self.state.take() {
            Some(state) => state,
            None => match items.next() {
                Some(item) => {
                    count += 1;
                    self.aggregate.lift(&item)
                }
                None => return,
            },
        };
        items.for_each(|item| {
            count += 1;
            self.aggregate.add(&mut state, &item);
        });
        self.count = count;
        self.state = Some(state);
    }

    const SEES: bool = true;

    #[inline]
    fn see(&mut self, items: &[T], cx: &Cx) {
        let Some((first, others)) = items.split_first() else {
            return;
        };
        self.tokens.note(cx);
        self.count += items.len();
        // The state stays in registers where it can.
        let state = match self.state.take() {
            Some(mut state) => {
                self.aggregate.add_all(&mut state, items);
                state
            }
            None => {
                let mut state = self.aggregate.lift(first);
                self.aggregate.add_all(&mut state, others);
                state
            }
        };
        self.state = Some(state);
    }

    #[inline]
    fn count(&self) -> usize {
        self.count
    }

    #[inline]
    fn held(&self) -> usize {
        usize::from(self.count > 0)
    }

    #[inline]
    fn take(&mut self) -> Option<(A::Output, Token)> {
        self.count = 0;
        let whole = self.aggregate.finish(&self.state.take()?);
        Some((whole, self.tokens.take()))
    }

    fn empty(&self) -> Option<A::Output> {
        None
    }
}
