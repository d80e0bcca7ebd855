//! Windows that slide: an element comes in, the oldest leaves.

use super::Aggregate;

/// A window that slides over elements of type `T`, read after each step: see [`Aggregate::slide`].
///
/// Tuples of two to six of them slide side by side.
pub trait Slide<T>: Send + 'static {
    /// The reading.
    type Output: Send + 'static;

    /// Takes an element in; it came after all that are in the window.
    fn push(&mut self, item: &T);

    /// Lets the oldest element go. There is at least one.
    fn pop(&mut self);

    /// The reading of what is in the window, `None` if that is nothing.
    fn read(&mut self) -> Option<Self::Output>;
}

/// A window of any aggregate, as two stacks: what has left is never subtracted, since only states of
/// what is still there are merged. Three merges an element.
pub(crate) struct Stacks<A, S> {
    aggregate: A,
    /// The older elements, oldest last: each the state of all from it on to the end of the older.
    older: Vec<S>,
    /// The newer elements, each on its own.
    newer: Vec<S>,
    /// The state of all the newer ones.
    all_newer: Option<S>,
}

impl<A, S> Stacks<A, S> {
    pub(crate) fn new(aggregate: A) -> Self {
        Stacks {
            aggregate,
            older: Vec::new(),
            newer: Vec::new(),
            all_newer: None,
        }
    }
}

impl<T, A: Aggregate<T>> Slide<T> for Stacks<A, A::State> {
    type Output = A::Output;

    #[inline]
    fn push(&mut self, item: &T) {
        let lifted = self.aggregate.lift(item);
        match &mut self.all_newer {
            Some(newer) => self.aggregate.merge(newer, &lifted),
            none => *none = Some(lifted.clone()),
        }
        self.newer.push(lifted);
    }

    #[inline]
    fn pop(&mut self) {
        if self.older.is_empty() {
            // All of the newer elements become older ones.
            let mut after: Option<A::State> = None;
            for mut state in self.newer.drain(..).rev() {
                if let Some(after) = &after {
                    self.aggregate.merge(&mut state, after);
                }
                self.older.push(state.clone());
                after = Some(state);
            }
            self.all_newer = None;
        }
        self.older.pop();
    }

    #[inline]
    fn read(&mut self) -> Option<A::Output> {
        match (self.older.last(), &self.all_newer) {
            (Some(older), Some(newer)) => {
                let mut all = older.clone();
                self.aggregate.merge(&mut all, newer);
                Some(self.aggregate.finish(&all))
            }
            (Some(all), None) | (None, Some(all)) => Some(self.aggregate.finish(all)),
            (None, None) => None,
        }
    }
}

/// One of two kinds of window.
pub(crate) enum Either<A, B> {
    Stacks(A),
    Own(B),
}

impl<T, A: Slide<T>, B: Slide<T, Output = A::Output>> Slide<T> for Either<A, B> {
    type Output = A::Output;

    #[inline]
    fn push(&mut self, item: &T) {
        match self {
            Either::Stacks(window) => window.push(item),
            Either::Own(window) => window.push(item),
        }
    }

    #[inline]
    fn pop(&mut self) {
        match self {
            Either::Stacks(window) => window.pop(),
            Either::Own(window) => window.pop(),
        }
    }

    #[inline]
    fn read(&mut self) -> Option<A::Output> {
        match self {
            Either::Stacks(window) => window.read(),
            Either::Own(window) => window.read(),
        }
    }
}
