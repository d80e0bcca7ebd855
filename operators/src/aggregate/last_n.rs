//! A window of the last n elements, in whichever way the aggregate slides best.

use std::num::NonZeroUsize;

use super::two_stacks::TwoStacks;
use super::{Aggregate, Slide};

/// The last n elements: states in a ring, unless the aggregate has a window of its own.
pub(crate) enum LastN<T, A: Aggregate<T>, W> {
    Ring(TwoStacks<T, A>),
    /// Apart, so that it makes no ring larger.
    Own(Box<Own<W>>),
}

/// A window of an aggregate's own, which does not know how long it is.
pub(crate) struct Own<W> {
    window: W,
    n: usize,
    len: usize,
}

/// An empty window of the last `n` elements.
pub(crate) fn last_n<T, A: Aggregate<T>>(
    aggregate: A,
    n: NonZeroUsize,
) -> LastN<T, A, impl Slide<T, Output = A::Output>> {
    if A::SLIDES {
        LastN::Own(Box::new(Own {
            window: aggregate.slide(),
            n: n.get(),
            len: 0,
        }))
    } else {
        LastN::Ring(TwoStacks::new(aggregate, n))
    }
}

impl<T, A: Aggregate<T>, W: Slide<T, Output = A::Output>> LastN<T, A, W> {
    /// How many elements the window holds.
    pub(crate) fn len(&self) -> usize {
        match self {
            LastN::Ring(ring) => ring.len(),
            LastN::Own(own) => own.len,
        }
    }

    /// Takes one element in, and lets the oldest go if n are held. The reading is that of all now
    /// held; there always is one.
    #[inline]
    pub(crate) fn push(&mut self, item: &T) -> Option<A::Output> {
        match self {
            LastN::Ring(ring) => Some(ring.push(item)),
            LastN::Own(own) => own.push(item),
        }
    }

    /// Pushes one element after the other and hands on each reading: the form for batches.
    #[inline]
    pub(crate) fn push_each<'a>(
        &mut self,
        items: impl IntoIterator<Item = &'a T>,
        mut each: impl FnMut(A::Output),
    ) where
        T: 'a,
    {
        match self {
            LastN::Ring(ring) => ring.push_each(items, each),
            LastN::Own(own) => {
                for item in items {
                    if let Some(reading) = own.push(item) {
                        each(reading);
                    }
                }
            }
        }
    }
}

impl<W> Own<W> {
    #[inline]
    fn push<T>(&mut self, item: &T) -> Option<W::Output>
    where
        W: Slide<T>,
    {
        if self.len == self.n {
            self.window.pop();
        } else {
            self.len += 1;
        }
        self.window.push(item);
        self.window.read()
    }
}
