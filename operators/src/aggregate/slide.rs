//! Windows that slide: an element comes in, the oldest leaves.

use super::Aggregate;

/// A window that slides over elements of type `T`, read after each step: see [`Aggregate::slide`].
///
/// Tuples of two to six of them slide side by side.
///
/// ```
/// # use headwater_operators as headwater;
/// use headwater::aggregate::{Aggregate, Slide};
/// use headwater::prelude::*;
/// use std::collections::{BTreeMap, BTreeSet, VecDeque};
///
/// /// How many distinct elements there are.
/// struct Distinct;
///
/// impl Aggregate<u32> for Distinct {
///     type State = BTreeSet<u32>;
///     type Output = usize;
///
///     fn lift(&self, item: &u32) -> BTreeSet<u32> {
///         BTreeSet::from([*item])
///     }
///
///     fn merge(&self, left: &mut BTreeSet<u32>, right: &BTreeSet<u32>) {
///         left.extend(right);
///     }
///
///     fn finish(&self, state: &BTreeSet<u32>) -> usize {
///         state.len()
///     }
///
///     // To merge sets for each element would be slow: counts go up and down instead.
///     const SLIDES: bool = true;
///
///     fn slide(self) -> impl Slide<u32, Output = usize> {
///         Counted::default()
///     }
/// }
///
/// #[derive(Default)]
/// struct Counted {
///     order: VecDeque<u32>,
///     times: BTreeMap<u32, usize>,
/// }
///
/// impl Slide<u32> for Counted {
///     type Output = usize;
///
///     fn push(&mut self, item: &u32) {
///         self.order.push_back(*item);
///         *self.times.entry(*item).or_default() += 1;
///     }
///
///     fn pop(&mut self) {
///         if let Some(oldest) = self.order.pop_front() {
///             let times = self.times.entry(oldest).or_default();
///             *times -= 1;
///             if *times == 0 {
///                 self.times.remove(&oldest);
///             }
///         }
///     }
///
///     fn read(&mut self) -> Option<usize> {
///         (!self.order.is_empty()).then_some(self.times.len())
///     }
/// }
///
/// let source = Source::<u32>::new();
/// let distinct = source.rolling(3, Distinct).sink_to_list();
/// source.emit_all([1, 1, 2, 3, 3])?;
/// assert_eq!(distinct.take(), [1, 1, 2, 3, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// It stands beside `TwoStacks` because its caller says when the oldest leaves: a window of time, or
/// one that has to go along with a window of another kind in a tuple, has no fixed length. Where it
/// is fixed, `TwoStacks` does with one ring of slots, and reads as it takes in.
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
