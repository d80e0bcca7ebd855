//! A queue of elements with what travels beside them: tokens, failures and holes.

use std::collections::VecDeque;

use super::context::Cx;
use super::error::Failure;
use super::lineage::{Lost, Token};
use super::push::{Push, Signal};

/// What stands in one place of a [`Fifo`].
#[derive(Debug)]
pub(crate) enum Slot<T> {
    /// An element.
    Item(T),
    /// A failure on its way down, in the place of the element that failed.
    Failure(Failure),
    /// The place of an element that failed and was reported.
    Hole,
}

impl<T> Slot<T> {
    /// Goes on down the run, with the token that rides at the moment.
    #[inline]
    pub(crate) fn pass(self, next: &mut impl Push<T>, cx: &mut Cx) {
        match self {
            Slot::Item(item) => next.push(item, cx),
            Slot::Failure(failure) => next.signal(Signal::Fail(failure), cx),
            Slot::Hole => next.signal(Signal::Hole, cx),
        }
    }
}

/// First in, first out. Elements lie side by side; tokens, failures and holes are kept apart with
/// their positions, run-length encoded, and cost nothing while there are none.
///
/// Dropped with elements inside (teardown), it fails their tokens.
pub(crate) struct Fifo<T> {
    items: VecDeque<T>,
    marks: VecDeque<Mark>,
    /// Position of the front place, by which marks are found. It stands still while there are none.
    front: u64,
    /// Places held without an element: failures and holes.
    gaps: usize,
}

struct Mark {
    from: u64,
    count: u64,
    kind: Beside,
}

enum Beside {
    Token(Token),
    Hole,
    Failure(Failure, Token),
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Fifo {
            items: VecDeque::new(),
            marks: VecDeque::new(),
            front: 0,
            gaps: 0,
        }
    }
}

impl<T> Fifo<T> {
    /// Elements, failures and holes held.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.items.len() + self.gaps
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an element stands in front, and not a failure or a hole.
    pub(crate) fn is_item_in_front(&self) -> bool {
        let beside = self.marks.front().filter(|mark| mark.from <= self.front);
        !self.is_empty() && beside.is_none_or(|mark| matches!(mark.kind, Beside::Token(_)))
    }

    /// Elements held, without failures and holes.
    pub(crate) fn items(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing but elements is held, so that they can be taken as they lie.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.marks.is_empty()
    }

    /// Keeps an element, and the token that rides beside it.
    #[inline]
    pub(crate) fn push(&mut self, item: T, cx: &mut Cx) {
        if cx.token.is_some() {
            self.mark(1, Beside::Token(cx.token.clone()));
        }
        self.items.push_back(item);
    }

    /// Keeps an element that no token rides beside, where that takes no allocation. Hands it back
    /// otherwise.
    #[inline]
    pub(crate) fn push_plain(&mut self, item: T) -> Result<(), T> {
        if self.items.len() == self.items.capacity() {
            return Err(item);
        }
        self.items.push_back(item);
        Ok(())
    }

    /// Whether an element stands in front, and nothing beside any.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.marks.is_empty() && !self.items.is_empty()
    }

    /// Takes the element in front. Only while [`is_ready`](Fifo::is_ready).
    #[inline]
    pub(crate) fn pop_plain(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// Takes the oldest element and leaves its place empty. Returns the token that rode beside it.
    pub(crate) fn hollow_oldest(&mut self) -> Option<Token> {
        let item = self.items.pop_front()?;
        drop(item);
        self.gaps += 1;
        let mut at = self.front;
        let mut index = 0;
        let mut token = Token::NONE;
        while let Some(mark) = self.marks.get_mut(index).filter(|mark| mark.from <= at) {
            if let Beside::Token(beside) = &mark.kind {
                token = beside.clone();
                mark.from += 1;
                mark.count -= 1;
                if mark.count == 0 {
                    self.marks.remove(index);
                }
                break;
            }
            at = mark.from + mark.count;
            index += 1;
        }
        let before = index.checked_sub(1).and_then(|i| self.marks.get_mut(i));
        match before {
            Some(mark) if matches!(mark.kind, Beside::Hole) && mark.from + mark.count == at => {
                mark.count += 1;
                self.merge_holes(index);
            }
            _ => {
                let hole = Mark {
                    from: at,
                    count: 1,
                    kind: Beside::Hole,
                };
                self.marks.insert(index, hole);
                self.merge_holes(index + 1);
            }
        }
        Some(token)
    }

    /// Makes one of the mark at `index` and the one before it, where both are holes side by side.
    fn merge_holes(&mut self, index: usize) {
        let Some(next) = self.marks.get(index) else {
            return;
        };
        let (from, count, hole) = (next.from, next.count, matches!(next.kind, Beside::Hole));
        let Some(mark) = self.marks.get_mut(index - 1) else {
            return;
        };
        if hole && matches!(mark.kind, Beside::Hole) && mark.from + mark.count == from {
            mark.count += count;
            self.marks.remove(index);
        }
    }

    /// Keeps all elements of a batch, and the token that rides beside each.
    pub(crate) fn push_batch(&mut self, items: &mut Vec<T>, cx: &mut Cx) {
        if items.is_empty() {
            return;
        }
        if cx.token.is_some() {
            self.mark(items.len() as u64, Beside::Token(cx.token.clone()));
        }
        if self.items.is_empty() {
            // The queue becomes the batch's buffer and the other way round: nothing is copied.
            let spare = Vec::from(std::mem::take(&mut self.items));
            self.items = VecDeque::from(std::mem::replace(items, spare));
        } else {
            self.items.extend(items.drain(..));
        }
    }

    /// Keeps the place of an element that failed and was reported.
    pub(crate) fn push_hole(&mut self) {
        self.mark(1, Beside::Hole);
        self.gaps += 1;
    }

    /// Keeps a failure in the place of its element.
    pub(crate) fn push_failure(&mut self, failure: Failure, cx: &mut Cx) {
        self.mark(1, Beside::Failure(failure, cx.token.clone()));
        self.gaps += 1;
    }

    fn mark(&mut self, count: u64, kind: Beside) {
        let from = self.front + self.len() as u64;
        if let Some(last) = self.marks.back_mut() {
            let next = last.from + last.count == from;
            if next && matches!((&last.kind, &kind), (Beside::Hole, Beside::Hole)) {
                last.count += count;
                return;
            }
        }
        self.marks.push_back(Mark { from, count, kind });
    }

    /// Takes what stands in front, and the token that rode beside it.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(Slot<T>, Token)> {
        if self.marks.is_empty() {
            let item = self.items.pop_front()?;
            return Some((Slot::Item(item), Token::NONE));
        }
        self.pop_marked()
    }

    #[cold]
    #[inline(never)]
    fn pop_marked(&mut self) -> Option<(Slot<T>, Token)> {
        if self.is_empty() {
            return None;
        }
        let at = self.front;
        self.front += 1;
        let Some(mark) = self.marks.front_mut().filter(|mark| mark.from <= at) else {
            return Some((Slot::Item(self.items.pop_front()?), Token::NONE));
        };
        mark.from += 1;
        mark.count -= 1;
        let used_up = mark.count == 0;
        let slot = match &mark.kind {
            Beside::Token(token) => {
                let token = token.clone();
                (Slot::Item(self.items.pop_front()?), token)
            }
            Beside::Hole => {
                self.gaps -= 1;
                (Slot::Hole, Token::NONE)
            }
            Beside::Failure(failure, token) => {
                self.gaps -= 1;
                (Slot::Failure(failure.clone()), token.clone())
            }
        };
        if used_up {
            self.marks.pop_front();
        }
        Some(slot)
    }

    /// Moves up to `n` elements from the front into `batch`. Only while
    /// [`is_plain`](Fifo::is_plain).
    pub(crate) fn drain_plain(&mut self, n: usize, batch: &mut Vec<T>) {
        if n >= self.items.len() && batch.is_empty() {
            // As in `push_batch`, nothing is copied.
            let spare = VecDeque::from(std::mem::take(batch));
            *batch = Vec::from(std::mem::replace(&mut self.items, spare));
        } else {
            batch.extend(std::iter::from_fn(|| self.items.pop_front()).take(n));
        }
    }

    /// Takes all elements out, to drain some from the front. Only while
    /// [`is_plain`](Fifo::is_plain); the rest is to be [given back](Fifo::give_back).
    #[inline]
    pub(crate) fn take_plain(&mut self) -> Vec<T> {
        Vec::from(std::mem::take(&mut self.items))
    }

    /// What [`take_plain`](Fifo::take_plain) took, without what was drained.
    #[inline]
    pub(crate) fn give_back(&mut self, rest: Vec<T>) {
        self.items = VecDeque::from(rest);
    }

    /// Drops everything and marks the tokens as lost. Returns how many elements there were.
    pub(crate) fn lose_all(&mut self, reason: Lost) -> usize {
        for mark in self.marks.drain(..) {
            match mark.kind {
                Beside::Token(token) | Beside::Failure(_, token) => token.fail(reason),
                Beside::Hole => {}
            }
        }
        let count = self.items.len();
        self.items.clear();
        self.gaps = 0;
        count
    }
}

impl<T> Drop for Fifo<T> {
    fn drop(&mut self) {
        self.lose_all(Lost::TornDown);
    }
}
