//! A window of the last n elements, in whichever way the aggregate slides best.

use std::num::NonZeroUsize;

use super::two_stacks::TwoStacks;
use super::{Aggregate, Slide};

/// The last n elements: states in a ring, unless the aggregate has a window of its own.
pub(crate) enum LastN<T, A: Aggregate<T>, W> {
    Ring(TwoStacks<T, A>),
    Own { window: W, n: usize, len: usize },
}

/// An empty window of the last `n` elements.
pub(crate) fn last_n<T, A: Aggregate<T>>(
    aggregate: A,
    n: NonZeroUsize,
) -> LastN<T, A, impl Slide<T, Output = A::Output>> {
    if A::SLIDES {
        LastN::Own {
            window: aggregate.slide(),
            n: n.get(),
            len: 0,
        }
    } else {
        LastN::Ring(TwoStacks::new(aggregate, n))
    }
}

impl<T, A: Aggregate<T>, W: Slide<T, Output = A::Output>> LastN<T, A, W> {
    /// How many elements the window holds.
    pub(crate) fn len(&self) -> usize {
        match self {
            LastN::Ring(ring) => ring.len(),
            LastN::Own { len, .. } => *len,
        }
    }

    /// Takes one element in, and lets the oldest go if n are held. The reading is that of all now
    /// held; there always is one.
    #[inline]
    pub(crate) fn push(&mut self, item: &T) -> Option<A::Output> {
        match self {
            LastN::Ring(ring) => Some(ring.push(item)),
            LastN::Own { window, n, len } => slide(window, *n, len, item),
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
            LastN::Own { window, n, len } => {
                for item in items {
                    if let Some(reading) = slide(window, *n, len, item) {
                        each(reading);
                    }
                }
            }
        }
    }
}

#[inline]
fn slide<T, W: Slide<T>>(window: &mut W, n: usize, len: &mut usize, item: &T) -> Option<W::Output> {
    if *len == n {
        window.pop();
    } else {
        *len += 1;
    }
    window.push(item);
    window.read()
}
